"""What goes wrong with the provider's connection, and where in its answer. Free of the gateway's words.

One table, `FAULTS`, holds the kinds; what the gateway makes of each stands in `gateway/upstream.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal, get_args

from mockbifrost.values import value
from mockbifrost.vocabulary.error_names import ProviderError
from mockbifrost.wire.chunk import Delta

Kind = Literal[
    "reset", "no_response", "empty", "html", "not_json", "truncated", "not_sse", "slow", "cut", "stall", "malformed",
    "no_done", "error_event",
]  # fmt: skip
How = Literal["fin", "reset"]
PlaceName = Literal["tool_arguments", "reasoning", "finish", "usage", "done"]
PLACE_NAMES: Final[tuple[PlaceName, ...]] = get_args(PlaceName)


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind: what the provider does, whether there must be an answer to do it to, and whether it takes a place in that answer."""

    name: Kind
    what: str
    needs_answer: bool = False
    placed: bool = False


_ROWS: Final = (
    FaultKind("reset", "resets the connection before it has said anything"),
    FaultKind("no_response", "takes the request and never says anything"),
    FaultKind("empty", "answers with an empty body"),
    FaultKind("html", "answers with an error page in HTML"),
    FaultKind("not_json", "answers with something that is no JSON"),
    FaultKind("truncated", "closes the connection in the middle of its answer"),
    FaultKind("not_sse", "answers a request for a stream with something that is no stream"),
    FaultKind("slow", "begins its answer so much later", needs_answer=True),
    FaultKind("cut", "breaks its answer off", needs_answer=True, placed=True),
    FaultKind("stall", "falls silent in its answer, for a time or for ever", needs_answer=True, placed=True),
    FaultKind("malformed", "sends an event that is no JSON amid its answer", needs_answer=True, placed=True),
    FaultKind("no_done", "ends its stream without `[DONE]`", needs_answer=True),
    FaultKind("error_event", "sends an error amid its answer, or in place of one", placed=True),
)
FAULTS: Final[Mapping[str, FaultKind]] = MappingProxyType({row.name: row for row in _ROWS})
"""By name, those that leave nothing of an answer first."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in an answer.

    `after_chunks`: right after the `count`-th chunk with content, reasoning or tool text; 0 is before everything. `increments`: after so
    many increments of any kind, as they are counted where an answer breaks off that came from somebody. `text`: right after the
    chunk in which a choice has said `text`. `bytes`: after the last chunk that lies within the first `count` bytes of text.
    `tool_arguments` and `reasoning`: right after the first chunk that has them; `finish`, `usage` and `done`: right before each.
    `half`: after half of the chunks.
    """

    kind: Literal["after_chunks", "increments", "bytes", "text", "half"] | PlaceName
    count: int = 0
    text: str = ""

    @property
    def is_start(self) -> bool:
        """Whether nothing of the answer comes before it."""
        return self.kind in ("after_chunks", "increments") and not self.count


START: Final = Place("after_chunks")
HALF: Final = Place("half")
HTML_STATUS: Final = 502


@value
class ConnectionFault:
    """One fault. `for_s` is how long it is slow or silent, None for ever; `status` that of an HTML page; `error` what an event says.

    Alone, it comes `took_s` scripted seconds after the attempt began; in an answer, at its `place`. `cause` is what a real connection
    said of it, for the errors that have room for it; empty: as Go words it.
    """

    kind: Kind
    place: Place = START
    for_s: float | None = None
    how: How = "fin"
    status: int = HTML_STATUS
    error: ProviderError | None = None
    took_s: float = 0.0
    speed: float | None = None
    cause: str = ""

    @property
    def needs_answer(self) -> bool:
        """Whether it says nothing by itself."""
        return FAULTS[self.kind].needs_answer or (self.kind == "error_event" and not self.place.is_start)

    @property
    def has_place(self) -> bool:
        """Whether it depends on what the answer says."""
        return FAULTS[self.kind].placed

    def fails(self, *, stream: bool, answered: bool) -> bool:
        """Whether the attempt comes to nothing: no part of an answer is left. `answered`: there was one.

        What timeouts make of it is not known here. Source: INFERRED, by what a client has then seen.
        """
        kind = self.kind
        if kind in ("slow", "no_done") or (kind == "stall" and self.for_s is not None):
            return False
        if kind == "not_sse":
            return stream or not answered
        if kind == "empty":
            return not stream
        if stream and answered:
            return kind != "truncated" and not (self.has_place and not self.place.is_start)
        return True


def cut_at(deltas: Sequence[Delta], place: Place) -> int | None:
    """How many increments have come when the answer gets to the place; None: it never does."""
    kind = place.kind
    if kind == "after_chunks":
        return _after(deltas, place.count)
    if kind == "increments":
        return place.count if place.count <= len(deltas) else None
    if kind == "text":
        return _after_text(deltas, place.text)
    if kind == "bytes":
        return _within(deltas, place.count)
    if kind == "half":
        count = sum([delta.is_content for delta in deltas])
        return _after(deltas, (count + 1) // 2) if count else _first(delta.finish_reason for delta in deltas)
    if kind == "finish":
        return _first(delta.finish_reason for delta in deltas)
    if kind in ("usage", "done"):
        return len(deltas) or None
    if kind == "reasoning":
        return _past(_first(bool(_reasons(delta)) for delta in deltas))
    return _past(_first(any(call.arguments for call in delta.calls) for delta in deltas))


def _first(found: Iterable[object]) -> int | None:
    return next((number for number, one in enumerate(found) if one), None)


def _past(number: int | None) -> int | None:
    return None if number is None else number + 1


def _reasons(delta: Delta) -> object:
    return delta.fields.get("reasoning") or delta.fields.get("reasoning_details")


def _after(deltas: Sequence[Delta], count: int) -> int | None:
    if not count:
        return 0
    for number, delta in enumerate(deltas):
        count -= delta.is_content
        if not count:
            return number + 1
    return None


def _after_text(deltas: Sequence[Delta], text: str) -> int | None:
    tails: dict[int, str] = {}
    for number, delta in enumerate(deltas):
        said = tails.get(delta.choice, "") + _content(delta)
        if text in said:
            return number + 1
        tails[delta.choice] = said[-len(text) :]
    return None


def _within(deltas: Sequence[Delta], count: int) -> int | None:
    for number, delta in enumerate(deltas):
        count -= len(_content(delta).encode("utf-8", "surrogatepass"))
        if count <= 0:
            return number + 1 if not count else number
    return None


def _content(delta: Delta) -> str:
    content = delta.fields.get("content")
    return content if isinstance(content, str) else ""


def delayed(fault: ConnectionFault, deltas: tuple[Delta, ...], latency_s: float) -> tuple[tuple[Delta, ...], float]:
    """The increments and the latency of an answer whose provider is slow, or falls silent and goes on; all others as they are."""
    if fault.for_s is None:
        return deltas, latency_s
    kept = cut_at(deltas, fault.place) if fault.kind == "stall" else 0
    if kept is None:
        return deltas, latency_s
    kept = max(0, min(kept, len(deltas) - 1))  # where all has come, its end is what is late
    late = [replace(delta, at_s=delta.at_s + fault.for_s) for delta in deltas[kept:]]
    return (*deltas[:kept], *late), latency_s + fault.for_s
