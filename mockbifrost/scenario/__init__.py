"""What people write: scenario files, and the stubs that they become."""
