"""The only now() and sleep(): a session's clock, and the event loop's real waiting scaled by `speed`."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

ClockMode = Literal["fixed", "flow", "real"]
CLOCK_MODES: Final[tuple[ClockMode, ...]] = ("fixed", "flow", "real")

LONGEST_S: Final = 1e10
"""No session's clock is moved further at once: seconds."""
EPOCH_S: Final = 1_767_225_600
"""The instant at which every session's clock starts (2026-01-01T00:00:00Z), so that `created` is the same in every run."""


def utc_now() -> datetime:
    """The wall time, in UTC."""
    return datetime.now(UTC)


async def sleep_until(at_s: float) -> None:
    """Wait until the running event loop's time is `at_s`."""
    left_s = at_s - asyncio.get_running_loop().time()
    if left_s > 0:
        await asyncio.sleep(left_s)


def utc_text() -> str:
    """The time of day, in UTC to the second, in ISO 8601."""
    return utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class ClockState:
    """Where a clock stood: what was advanced, and what flowed by itself, in seconds."""

    mode: ClockMode
    advanced_s: float
    flowed_s: float


def now_s() -> float:
    """Real seconds, counted from anywhere, never backwards."""
    return time.monotonic()


def pause(seconds: float) -> None:
    """Hold this thread for so many real seconds."""
    time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Deadline:
    """An instant of real time, for whoever waits outside of an event loop."""

    at_s: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """So many seconds from now."""
        return cls(now_s() + seconds)

    @property
    def left_s(self) -> float:
        """Seconds until then; 0 when it has passed."""
        return max(0.0, self.at_s - now_s())


@dataclass(slots=True)
class Clock:
    """A session's clock. `fixed` moves only by `advance`, `flow` also lets real seconds pass, `real` is wall time.

    `elapsed_s` counts from the start or the last restart; `created` is what answers report.
    """

    mode: ClockMode = "fixed"
    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    advanced_s: float = 0.0
    _flowed_s: float = field(init=False, default=0.0)
    _started: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._started = self.monotonic()

    def elapsed_s(self) -> float:
        """Seconds on this clock since its start or restart, what was advanced included."""
        return self._flowing_s() + self.advanced_s

    def _flowing_s(self) -> float:
        return self._flowed_s if self.mode == "fixed" else self._flowed_s + self.monotonic() - self._started

    def created(self) -> int:
        """Unix seconds as answers report them: the fixed start plus what was advanced; wall time when `real`."""
        if self.mode == "real":
            return int(self.wall() + self.advanced_s)
        return EPOCH_S + int(self.advanced_s)

    def advance(self, seconds: float) -> None:
        """Move the clock forward. Raises ValueError for what is no length of time: a negative number, infinity."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"a clock can't be advanced by {seconds} s: only forward")
        self.advanced_s += seconds

    def set_mode(self, mode: ClockMode) -> None:
        """Change the mode and keep what has elapsed so far."""
        self._flowed_s = self.elapsed_s() - self.advanced_s
        self.mode = mode
        self._started = self.monotonic()

    def saved(self) -> ClockState:
        """Where it stands now."""
        return ClockState(self.mode, self.advanced_s, self._flowing_s())

    def restore(self, state: ClockState) -> None:
        """Put it back to where it stood."""
        self.mode, self.advanced_s, self._flowed_s = state.mode, state.advanced_s, state.flowed_s
        self._started = self.monotonic()

    def restart(self) -> None:
        """Back to zero."""
        self.advanced_s = 0.0
        self._flowed_s = 0.0
        self._started = self.monotonic()
