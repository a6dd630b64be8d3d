"""What the gateway makes of an answer: a response, still as molds, with the trail of the attempts behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from mockbifrost.gateway.cache import Lookup, Used
from mockbifrost.gateway.configuration import VirtualKey
from mockbifrost.gateway.keys import Pinned
from mockbifrost.match.attempt import Attempt
from mockbifrost.provider.answer import Answer, StubRef
from mockbifrost.values import value
from mockbifrost.wire.chunk import Delta
from mockbifrost.wire.headers import RawHeaders
from mockbifrost.wire.jsontypes import JsonObject
from mockbifrost.wire.mold import Mold

Ended = Literal["answer", "error", "refusal", "raw", "miss", "cached"]
End = Literal["clean", "close", "hold"]
"""How the connection ends after the last frame; `hold`: not at all, until the client leaves."""


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

    def without_waits(self) -> Cast:
        """The same, all due at once."""
        return self if self.immediate else replace(self, times_s=(0.0,) * len(self.times_s))

    @property
    def immediate(self) -> bool:
        """Whether all is due at once, at the start."""
        return not self.times_s[-1]


class Telling(Protocol):
    """A stream that has begun and goes on: renders what comes, in the order in which it comes."""

    def more(self, deltas: Sequence[Delta]) -> list[tuple[bytes, bool]]:
        """The frames of these increments, each with whether it has content."""
        ...


@value
class Charge:
    """What an answer adds to the books once it has been sent: tokens and US dollars, by who had answered."""

    provider: str
    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    """As the provider counts them: usually, but not always, the sum of the two."""
    dollars: float = 0.0
    output_dollars: float = 0.0
    """The part of the dollars that the completion costs."""
    cached: bool = False

    def part(self, share: float) -> Charge:
        """Of an answer that was sent in part: the prompt whole, of the completion this share."""
        unsent = self.output_dollars * (1.0 - share)
        tokens = round(self.completion_tokens * share)
        return Charge(
            self.provider,
            self.model,
            self.prompt_tokens,
            tokens,
            max(0, self.total_tokens - self.completion_tokens + tokens),
            self.dollars - unsent,
            self.output_dollars - unsent,
            self.cached,
        )


@value
class Outcome:
    """One response: status, headers, the cast with the values for its holes, and how it came about.

    `waited_s` is the scripted time that passed before the answer began. `broken` names an error of the mock itself. `charge` and `stored`
    take effect when the response has been sent, `pinned` at once. `cache` is what `cache_debug` says.

    `pending`: a live upstream has to be asked on behalf of this attempt, and then it is decided again; there is no response yet.
    `telling`: the answer is open; the cast has the frames so far, and this renders those that follow.
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
    end: End = "clean"
    raw: bool = False
    virtual_key: VirtualKey | None = None
    charge: Charge | None = None
    stored: tuple[Lookup, Answer, Used] | None = None
    pinned: Pinned | None = None
    cache: JsonObject | None = None
    pending: Attempt | None = None
    whole: bool = False
    """What is pending is the answer to the whole request, as it is."""
    telling: Telling | None = None
    cut: bool = False
    """The stream ends before the answer does."""

    @property
    def ended_badly(self) -> bool:
        """Whether a client has reason to ask again."""
        return self.status >= 400 or self.broken == "upstream"
