"""What a provider said: an answer, a failure, or an order of the script about more than one attempt. Free of the gateway's envelope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mockbifrost.provider.connection import ConnectionFault
from mockbifrost.values import value
from mockbifrost.wire.chunk import Delta
from mockbifrost.wire.completion import Choice
from mockbifrost.wire.jsontypes import Json
from mockbifrost.wire.usage import Usage

MOST_MOLDS: Final = 64


@dataclass(frozen=True, slots=True)
class StubRef:
    """Which stub it was."""

    name: str | None
    source: str
    line: int

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.source}:{self.line}" if self.line else self.source

    @property
    def label(self) -> str:
        """The name, else the place: how headers and messages call it."""
        return self.name or self.place


@dataclass(frozen=True, slots=True)
class Draft:
    """The part of an answer that does not vary between two uses of the same script; a stub makes it once.

    `deltas` are there for a stream and `choices` for a plain answer; one whose fault has a place in it has both. `calls` counts the tool
    calls, whose ids may be drawn. `molds` holds what the gateway made of it, by route and profile.
    """

    choices: tuple[Choice, ...] = ()
    deltas: tuple[Delta, ...] = ()
    usage: Usage | None = None
    latency_s: float = 0.0
    calls: int = 0
    model: str | None = None
    service_tier: str | None = None
    search_results: tuple[Json, ...] | None = None
    videos: tuple[Json, ...] | None = None
    citations: tuple[Json, ...] | None = None
    body: Mapping[str, Json] | None = None
    speed: float | None = None
    reported: float | Mapping[str, Json] | None = None
    """What the provider itself says that it costs."""
    costless: bool = False
    """Nothing is to be said of its cost."""
    molds: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def keep(self, key: object, made: object) -> None:
        """Put something into `molds`; when there are too many, those before it go."""
        if len(self.molds) >= MOST_MOLDS:
            self.molds.clear()
        self.molds[key] = made


@dataclass(frozen=True, slots=True)
class CacheScript:
    """The outcome of the gateway's cache as a script decides it; `hit` None: a miss."""

    hit: Literal["direct", "semantic"] | None
    similarity: float = 1.0


@value
class Answer:
    """A provider's answer: the draft and what varies. Times in the draft are scripted seconds since the attempt began.

    `fault` is what its connection does to it; where that only delays it, the draft's times say so already. `cache` is a word of the
    script about the gateway's cache. `open`: a live one of which more is to come; its draft has the increments so far.
    """

    draft: Draft
    id: str
    created: int
    model: str
    system_fingerprint: str
    call_ids: tuple[str, ...] = ()
    prompt_tokens: int = 0
    total_tokens: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: ConnectionFault | None = None
    cache: CacheScript | None = None
    open: bool = False


Shape = Literal["openai", "string", "html", "empty", "plain_text"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A provider's error. `shape` is the form in which its body came, `took_s` how long it took in scripted time."""

    status: int
    message: str
    type: str | None = None
    code: str | None = None
    param: Json = None
    shape: Shape = "openai"
    headers: Mapping[str, str] = field(default_factory=dict)
    took_s: float = 0.0
    speed: float | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The gateway itself refuses: one of its errors by name, or one described, `over` laid upon it.

    `whole`: it is the request's, before any target is asked; else this target's, so that fallbacks follow.
    """

    name: str | None
    over: Mapping[str, Any]
    whole: bool
    took_s: float = 0.0
    speed: float | None = None


RawEnd = Literal["clean", "close"]


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An HTTP answer written out: nothing is added. `pieces` are bytes with the seconds after which each is written."""

    status: int
    headers: tuple[tuple[str, str], ...]
    pieces: tuple[tuple[float, bytes], ...]
    end: RawEnd = "clean"
    speed: float | None = None
    has_length: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """The mock itself could not answer: the script has no more steps, a template failed, a gateway upstream can't be had.

    Never taken for a simulated error. With `upstream`, `error` names the gateway's error about a connection that it is told as.
    """

    kind: Literal["no_match", "sequence_exhausted", "template", "no_upstream", "upstream"]
    message: str
    error: str = "request_failed"
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Pending:
    """A live upstream has to be asked; the request is decided again when it has answered.

    `whole`: the upstream is a gateway itself, so what it answers is the answer to the whole request, as it is.
    """

    whole: bool


Said = Answer | Failure | ConnectionFault | Refusal | RawAnswer | Broken | Pending
"""All that may come of asking a provider."""
