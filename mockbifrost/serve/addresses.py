"""The addresses of a server that more than one place knows."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

BASE: Final = "/pydanticai/v1"
"""Where the endpoint begins, as clients are told."""
IN_SESSION: Final = "/s/"
"""What stands before the id of a session."""


def session_path(id: str) -> str:
    """The path under which all that the server has is found inside a session."""
    return IN_SESSION + quote(id, safe="")
