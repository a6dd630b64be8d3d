"""What belongs to this machine: its addresses, and the settings that clients would take from it."""

from __future__ import annotations

import ipaddress

# Proxies, the clients' own keys and addresses, and where they report what they did: beginnings of names.
SETTINGS = ("OPENAI_", "LANGCHAIN_", "LANGSMITH_", "LITELLM_", "NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def is_setting(name: str) -> bool:
    """Whether a variable of the environment would make a client talk to someone else."""
    return name.upper().startswith(SETTINGS)


def is_here(host: object) -> bool:
    """Whether a host is this machine: a loopback address, a name for one, or none at all."""
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False
