"""What was recorded: the files, what is in them, and recordings as a provider."""
