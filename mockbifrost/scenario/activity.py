"""When a stub answers: `active` and `times`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mockbifrost.match.attempt import Attempt


@dataclass(frozen=True, slots=True)
class Window:
    """A time on the session's clock, in seconds from its start; with a period it comes again."""

    from_s: float = 0.0
    until_s: float | None = None
    period_s: float | None = None

    def holds(self, elapsed_s: float) -> bool:
        """Whether the window is open."""
        at_s = elapsed_s % self.period_s if self.period_s else elapsed_s
        return at_s >= self.from_s and (self.until_s is None or at_s < self.until_s)


@dataclass(frozen=True, slots=True)
class Activity:
    """All that must hold for a stub to answer, besides its `when`. `reached` counts the attempts that fitted before this one."""

    first: int | None = None
    after: int = 0
    every: int | None = None
    window: Window | None = None
    probability: float | None = None
    gate: str | None = None

    def why_not(self, reached: int, attempt: Attempt, gates: Mapping[str, bool], odds_key: str) -> str | None:
        """None: it answers. Else the reason why it steps aside, in words."""
        number = reached + 1
        if self.first is not None and number > self.first:
            return f"was used {self.first} of {self.first} times"
        if number <= self.after:
            return f"is active only after {self.after} attempts, this is number {number}"
        if self.every is not None and number % self.every:
            return f"is active every {self.every} attempts, this is number {number}"
        if self.window is not None and not self.window.holds(attempt.moment.elapsed_s):
            return f"is not active now: clock at {_seconds(attempt.moment.elapsed_s)}, {_in_words(self.window)}"
        if self.gate is not None and not gates.get(self.gate, False):
            return f"waits for the gate {self.gate!r}, which is closed"
        if self.probability is not None:
            drawn = attempt.draws.unit(f"probability\x1f{attempt.moment.request_index}\x1f{odds_key}")
            if drawn >= self.probability:
                return f"is active with probability {self.probability:g}, and {drawn:.3f} was drawn"
        return None


UNLIMITED: Final = Activity()


def _seconds(value: float) -> str:
    return f"{value:g}s"


def _in_words(window: Window) -> str:
    text = f"active from {_seconds(window.from_s)}"
    if window.until_s is not None:
        text += f" until {_seconds(window.until_s)}"
    return text if window.period_s is None else f"{text} of every {_seconds(window.period_s)}"
