"""Asks a session as a client does."""

from __future__ import annotations

from typing import Any

from mockbifrost import Session
from tests.inside import port_of
from tests.socket.raw_http import PATH, Response, ask, chat_body


def say(mock: Session, said: str = "hello", **more: Any) -> Response:
    """The answer to a user's text; `headers` are those of the request, all else goes into its body."""
    headers = more.pop("headers", {})
    return ask(port_of(mock), "POST", f"/s/{mock.id}{PATH}", chat_body(said, **more), headers=headers)
