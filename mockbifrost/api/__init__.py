"""What Python users hold: a server in a thread, in a process or elsewhere, and the sessions of their tests."""

from __future__ import annotations

from mockbifrost.api.assertions import Sought
from mockbifrost.api.process import MockBifrostProcess
from mockbifrost.api.remote import RemoteBifrost, connect
from mockbifrost.api.request import Answered, Call, Place, Request, Try
from mockbifrost.api.server import MockBifrost
from mockbifrost.api.session import Gate, Session, SessionClock
from mockbifrost.api.sessions import AnyServer
from mockbifrost.api.when import When
from mockbifrost.session.registry import LateRequest

__all__ = [
    "Answered",
    "AnyServer",
    "Call",
    "Gate",
    "LateRequest",
    "MockBifrost",
    "MockBifrostProcess",
    "Place",
    "RemoteBifrost",
    "Request",
    "Session",
    "SessionClock",
    "Sought",
    "Try",
    "When",
    "connect",
]
