"""What Python users hold: a server in a thread, and the sessions of their tests."""

from __future__ import annotations

from mockbifrost.api.assertions import Sought
from mockbifrost.api.request import Answered, Call, Place, Request, Try
from mockbifrost.api.server import MockBifrost
from mockbifrost.api.session import Gate, Session, SessionClock
from mockbifrost.api.when import When
from mockbifrost.session.registry import LateRequest

__all__ = [
    "Answered",
    "Call",
    "Gate",
    "LateRequest",
    "MockBifrost",
    "Place",
    "Request",
    "Session",
    "SessionClock",
    "Sought",
    "Try",
    "When",
]
