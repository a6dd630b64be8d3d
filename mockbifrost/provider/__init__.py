"""What a provider is: its answers, its failures, its pace, and how it cuts what it says."""
