"""A support desk that talks to its models through the Bifrost gateway."""
