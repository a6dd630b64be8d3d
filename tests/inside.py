"""What a session of a server in this process is made of, for tests that look behind the public names."""

from __future__ import annotations

from urllib.parse import urlsplit

from mockbifrost import Session
from mockbifrost.api.link import LocalLink
from mockbifrost.session.session import Session as SessionState


def state_of(session: Session) -> SessionState:
    """The state behind it."""
    link = session._reached
    assert isinstance(link, LocalLink)
    return link._state


def port_of(session: Session) -> int:
    """The port of its server."""
    port = urlsplit(session.url).port
    assert port is not None
    return port
