"""From an outcome to bytes at their time."""
