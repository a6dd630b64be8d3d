"""`raw`: an HTTP answer written out, as it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from mockbifrost.scenario.fields import AtLeastOne, Base64, HeaderName, HeaderText, Json
from mockbifrost.vocabulary.durations import Duration
from mockbifrost.vocabulary.later import LATER_ENDS
from mockbifrost.vocabulary.node import Many, Node, Problem, refusal
from mockbifrost.vocabulary.rules import NOT_EMPTY, alone, at_most_one, belong

_BODIES: Final = ("json", "text", "base64", "events")


def _one_line(value: object) -> object:
    if isinstance(value, str) and ("\n" in value or "\r" in value):
        raise refusal("must be one line", "use `raw` to write broken events")
    return value


Line = Annotated[str, BeforeValidator(_one_line), WithJsonSchema({"type": "string", "pattern": r"^[^\n\r]*$"})]


class EventModel(Node):
    """A server-sent event by its fields, text as it is (`raw`), or a pause (`sleep`). `data` may be null if set."""

    place: ClassVar[str] = "event"
    wanted: ClassVar[str] = "a mapping of data, event, id, comment, raw or sleep"
    rules: ClassVar[Mapping[str, object]] = NOT_EMPTY | alone(("raw", "sleep"))
    nullable: ClassVar[frozenset[str]] = frozenset({"data"})

    data: Json = None
    event: Line | None = None
    id: Line | None = None
    comment: str | None = None
    raw: str | None = None
    sleep: Duration | None = None

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """`raw` and `sleep` stand alone."""
        if not given:
            yield Problem("says nothing", "write {data: …}")
        for key in ("raw", "sleep"):
            if key in given and len(given) > 1:
                yield Problem(f"`{key}` stands alone in its event", "make it an event of its own", (key,))


def _end(value: object) -> object:
    if isinstance(value, str) and value in LATER_ENDS:
        raise refusal(LATER_ENDS[value])
    return value


class RawModel(Node):
    """Nothing is added to it. At most one body; `json_` null is a body only where `model_fields_set` has it."""

    place: ClassVar[str] = "raw"
    rules: ClassVar[Mapping[str, object]] = at_most_one(_BODIES) | belong({"done": "events", "eol": "events"})
    nullable: ClassVar[frozenset[str]] = frozenset({"json"})

    status: Annotated[int, Field(ge=200, le=599)] = 200
    headers: Mapping[HeaderName, HeaderText] | None = None
    delay: Duration = 0.0
    json_: Json = Field(default=None, alias="json")
    text: str | None = None
    base64: Base64 | None = None
    events: Many[EventModel] | None = None
    done: bool = False
    eol: Literal["lf", "crlf", "cr"] = "lf"
    split: AtLeastOne | None = None
    one_write: bool = False
    end: Annotated[Literal["clean", "close"], BeforeValidator(_end)] = "clean"

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """Two bodies, and keys of events without events."""
        bodies = [key for key in _BODIES if key in given]
        for key in bodies[1:]:
            yield Problem(f"has `{bodies[0]}` already, so `{key}` has no place", "keep one body", (key,))
        if "events" not in given:
            for key in ("done", "eol"):
                if key in given:
                    yield Problem(f"`{key}` belongs to `events`", "", (key,))
        if given.get("one_write") is True and "split" in given:
            yield Problem("`one_write` and `split` contradict each other", "keep one", ("split",))
