"""How a server runs: what its operator chose."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from mockbifrost.clock import ClockMode
from mockbifrost.errors import UsageError
from mockbifrost.serve.addresses import is_loopback
from mockbifrost.session.registry import MOST_SESSIONS
from mockbifrost.wire.profiles import ProfileName

MOST_BODY_BYTES: Final = 32 * 1024 * 1024


def checked_speed(speed: object) -> float:
    """The speed, if it can be one. Raises UsageError."""
    if not isinstance(speed, int | float) or isinstance(speed, bool) or not 0 <= speed < math.inf:
        raise UsageError(f"{speed!r} can't be a speed: 0 waits for nothing, 1 as written, 2 twice as fast")
    return speed


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """`speed` scales every wait (0: none); `seed` and `version` None: as the scenarios say. `lenient`: a miss is answered as `auto` does.

    `control_token` is wanted by the control API on any address that is not loopback; without one it is off there.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    seed: int | None = None
    speed: float = 1.0
    clock: ClockMode = "flow"
    version: ProfileName | None = None
    mock_headers: bool = True
    lenient: bool = False
    control_token: str | None = None
    most_body_bytes: int = MOST_BODY_BYTES
    most_sessions: int = MOST_SESSIONS

    def __post_init__(self) -> None:
        checked_speed(self.speed)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)
