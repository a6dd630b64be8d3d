"""What Python users hold: a server in a thread, in a process or elsewhere, and the sessions of their tests."""

from __future__ import annotations

from mockbifrost.api.process import MockBifrostProcess
from mockbifrost.api.remote import RemoteBifrost, connect
from mockbifrost.api.request import Answered, Call, Mismatch, NearMiss, Place, Request, Try
from mockbifrost.api.said import Message, ToolCall
from mockbifrost.api.server import MockBifrost
from mockbifrost.api.session import Gate, Session, SessionClock
from mockbifrost.api.sessions import AnyServer
from mockbifrost.api.snapshot import Snapshot
from mockbifrost.api.steps import Step, step
from mockbifrost.api.when import When
from mockbifrost.gateway.ledger import Row
from mockbifrost.session.registry import LateRequest
from mockbifrost.session.session import StubState

__all__ = [
    "Answered",
    "AnyServer",
    "Call",
    "Gate",
    "LateRequest",
    "Message",
    "Mismatch",
    "MockBifrost",
    "MockBifrostProcess",
    "NearMiss",
    "Place",
    "RemoteBifrost",
    "Request",
    "Row",
    "Session",
    "SessionClock",
    "Snapshot",
    "Step",
    "StubState",
    "ToolCall",
    "Try",
    "When",
    "connect",
    "step",
]
