"""Sockets: the endpoint, the routes around it, the control API."""
