"""What crosses the socket: models and bytes, no I/O, no policy."""
