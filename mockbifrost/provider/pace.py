"""When a provider says what: the time of each chunk, and the latency of a plain answer. Scripted seconds, never a stopwatch's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

Cut = Literal["token", "word", "char", "whole"] | int


@dataclass(frozen=True, slots=True)
class Pace:
    """`ttft_s` until the first content, then `tokens_per_second` (None: at once), each wait up to `jitter` longer or shorter.

    `chunk` says how text is cut; a number is a number of characters. `speed` None: the server's.
    """

    ttft_s: float = 0.0
    tokens_per_second: float | None = None
    jitter: float = 0.0
    chunk: Cut = "token"
    speed: float | None = None

    @property
    def constant(self) -> bool:
        """Whether two answers of the same words take the same time."""
        return not self.jitter or (not self.ttft_s and self.tokens_per_second is None)

    def latency_s(self, tokens: int, units: Iterator[float]) -> float:
        """How long a plain answer of so many tokens takes."""
        rate = self.tokens_per_second
        return self.ttft_s * self._factor(units) + (tokens / rate * self._factor(units) if rate else 0.0)

    def first_s(self, units: Iterator[float]) -> float:
        """When the first chunk comes."""
        return self.ttft_s * self._factor(units)

    def gap_s(self, tokens: int, units: Iterator[float]) -> float:
        """How long a further chunk of so many tokens takes."""
        rate = self.tokens_per_second
        return tokens / rate * self._factor(units) if rate else 0.0

    def _factor(self, units: Iterator[float]) -> float:
        return 1.0 + self.jitter * (2.0 * next(units) - 1.0) if self.jitter else 1.0

    def with_latency(self, latency_s: float) -> Pace:
        """The same cut, with the whole latency before the first chunk."""
        return replace(self, ttft_s=latency_s, tokens_per_second=None)


INSTANT: Final = Pace()
