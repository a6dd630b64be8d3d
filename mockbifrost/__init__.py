"""A stand-in for the Bifrost AI gateway in tests, CI and demos."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mockbifrost.api import Call, MockBifrost, MockBifrostProcess, RemoteBifrost, Session, connect
    from mockbifrost.errors import (
        Finding,
        MockBifrostError,
        ScenarioError,
        ServerStartError,
        SessionFinishedError,
        UsageError,
        VerificationError,
    )

_HOMES = {
    "Call": "api",
    "MockBifrost": "api",
    "MockBifrostProcess": "api",
    "RemoteBifrost": "api",
    "Session": "api",
    "connect": "api",
    "Finding": "errors",
    "MockBifrostError": "errors",
    "ScenarioError": "errors",
    "ServerStartError": "errors",
    "SessionFinishedError": "errors",
    "UsageError": "errors",
    "VerificationError": "errors",
}
__all__ = [
    "Call",
    "Finding",
    "MockBifrost",
    "MockBifrostError",
    "MockBifrostProcess",
    "RemoteBifrost",
    "ScenarioError",
    "ServerStartError",
    "Session",
    "SessionFinishedError",
    "UsageError",
    "VerificationError",
    "__version__",
    "connect",
]


def __getattr__(name: str) -> object:
    """The names users import, loaded when first asked for: importing the package costs next to nothing."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
