"""Is this the one? What is compared, how, and why not."""
