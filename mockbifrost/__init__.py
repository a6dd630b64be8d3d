"""A stand-in for the Bifrost AI gateway in tests, CI and demos."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mockbifrost.api import (
        Answered,
        Call,
        Gate,
        Message,
        Mismatch,
        MockBifrost,
        MockBifrostProcess,
        NearMiss,
        Place,
        RemoteBifrost,
        Request,
        Row,
        Session,
        SessionClock,
        Snapshot,
        Step,
        StubState,
        ToolCall,
        Try,
        When,
        connect,
        step,
    )
    from mockbifrost.errors import (
        CassetteError,
        Finding,
        MockBifrostError,
        RecordRefusedError,
        ScenarioError,
        ServerStartError,
        SessionFinishedError,
        UsageError,
        VerificationError,
    )

_HOMES = {
    "Answered": "api",
    "Call": "api",
    "Gate": "api",
    "Message": "api",
    "Mismatch": "api",
    "MockBifrost": "api",
    "MockBifrostProcess": "api",
    "NearMiss": "api",
    "Place": "api",
    "RemoteBifrost": "api",
    "Request": "api",
    "Row": "api",
    "Session": "api",
    "SessionClock": "api",
    "Snapshot": "api",
    "Step": "api",
    "StubState": "api",
    "ToolCall": "api",
    "Try": "api",
    "When": "api",
    "connect": "api",
    "step": "api",
    "CassetteError": "errors",
    "Finding": "errors",
    "MockBifrostError": "errors",
    "RecordRefusedError": "errors",
    "ScenarioError": "errors",
    "ServerStartError": "errors",
    "SessionFinishedError": "errors",
    "UsageError": "errors",
    "VerificationError": "errors",
}
__all__ = [
    "Answered",
    "Call",
    "CassetteError",
    "Finding",
    "Gate",
    "Message",
    "Mismatch",
    "MockBifrost",
    "MockBifrostError",
    "MockBifrostProcess",
    "NearMiss",
    "Place",
    "RecordRefusedError",
    "RemoteBifrost",
    "Request",
    "Row",
    "ScenarioError",
    "ServerStartError",
    "Session",
    "SessionClock",
    "SessionFinishedError",
    "Snapshot",
    "Step",
    "StubState",
    "ToolCall",
    "Try",
    "UsageError",
    "VerificationError",
    "When",
    "__version__",
    "connect",
    "step",
]


def __getattr__(name: str) -> object:
    """The names users import, loaded when first asked for: importing the package costs next to nothing."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
