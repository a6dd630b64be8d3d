"""What people may write: tables and models without behaviour."""
