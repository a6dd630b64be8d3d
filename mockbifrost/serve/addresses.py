"""The addresses of a server that more than one place knows."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import quote

BASE: Final = "/pydanticai/v1"
"""Where the endpoint begins, as clients are told."""
IN_SESSION: Final = "/s/"
"""What stands before the id of a session."""
CONTROL: Final = "/__mockbifrost"
"""Where the control API begins."""
CONTROL_TOKEN: Final = "MOCKBIFROST_CONTROL_TOKEN"
"""The variable with what the control API wants on an address that is not loopback."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there. Of names only `localhost` is known to be so."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def session_path(id: str) -> str:
    """The path under which all that the server has is found inside a session."""
    return IN_SESSION + quote(id, safe="")


def origin_of(host: str, port: int) -> str:
    """`http://host:port`, as a client on this machine reaches what listens there."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "") else "::1" if host == "::" else host
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
