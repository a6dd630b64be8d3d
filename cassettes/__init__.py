"""Cassettes that ship, and the program that records them."""
