"""What the gateway makes of an answer: a response, still as molds, with the trail of the attempts behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mockbifrost.provider.answer import StubRef
from mockbifrost.values import value
from mockbifrost.wire.headers import RawHeaders
from mockbifrost.wire.mold import Mold

Ended = Literal["answer", "error", "refusal", "raw", "miss"]


@value
class Trace:
    """One attempt as the journal shows it: where it went, when in scripted time, and how it ended."""

    provider: str
    model: str
    key: str | None
    number: int
    fallback: int
    stub: StubRef | None
    outcome: Ended
    status: int
    type: str | None
    at_s: float
    took_s: float


@dataclass(frozen=True, slots=True)
class Cast:
    """A response in molds: its frames with their times, and all of it as one. `content` marks the frames with content, by number."""

    times_s: tuple[float, ...]
    frames: tuple[Mold, ...]
    whole: Mold
    content: tuple[bool, ...] = ()

    size: int = 0
    """Bytes of all literals: what the journal counts."""
    head: tuple[tuple[bytes, bytes], ...] = ()
    """The headers that go with it, but for ids and those of the provider."""

    @property
    def immediate(self) -> bool:
        """Whether all is due at once, at the start."""
        return not self.times_s[-1]


@value
class Outcome:
    """One response: status, headers, the cast with the values for its holes, and how it came about.

    `waited_s` is the scripted time that passed before the answer began. `broken` names an error of the mock itself. `end` is how the
    connection ends after the last frame; `has_length` says that the headers carry a length or that the script wants none.
    """

    status: int
    headers: RawHeaders
    cast: Cast
    values: tuple[bytes, ...]
    stream: bool
    trail: tuple[Trace, ...]
    stub: StubRef | None = None
    waited_s: float = 0.0
    broken: str | None = None
    message: str | None = None
    speed: float | None = None
    end: Literal["clean", "close"] = "clean"
    raw: bool = False

    @property
    def ended_badly(self) -> bool:
        """Whether a client has reason to ask again."""
        return self.status >= 400
