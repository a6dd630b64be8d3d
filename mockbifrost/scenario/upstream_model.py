"""`upstream`: faults of the provider's connection, as they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, cast

from pydantic import BeforeValidator, Field, WithJsonSchema

from mockbifrost.provider.connection import FAULTS, HTML_STATUS, PLACE_NAMES, Kind, PlaceName
from mockbifrost.scenario.failure_model import ErrorStatus, ProviderErrorName
from mockbifrost.scenario.fields import AtLeastOne, Count, Name, Switch, Template, one_of
from mockbifrost.vocabulary.durations import Duration
from mockbifrost.vocabulary.node import Node, Problem, refusal
from mockbifrost.vocabulary.rules import any_of_these, at_most_one, names, one_of_these

KINDS: Final = tuple(FAULTS)
_SPELLED_OUT: Final[Mapping[str, str]] = {"slow": "write {slow: 20s}", "error_event": "write {error_event: overloaded}"}
"""Kinds whose name says too little."""
NAMES: Final = tuple([kind for kind in KINDS if kind not in _SPELLED_OUT])
"""Kinds that their name alone stands for."""

Wait = Annotated[Duration, Field(gt=0)]


def _place_name(value: object) -> str:
    return one_of(value, PLACE_NAMES, "a place")


class AtModel(Node):
    """A place in an answer: a name, a text, a number of bytes."""

    place: ClassVar[str] = "at"
    wanted: ClassVar[str] = f"a place ({', '.join(PLACE_NAMES)}), {{text: …}} or {{bytes: 100}}"
    short_for: ClassVar[str] = "name"
    rules: ClassVar[Mapping[str, object]] = one_of_these(("name", "text", "bytes"))

    name: Annotated[PlaceName, BeforeValidator(_place_name), WithJsonSchema(names(PLACE_NAMES))] | None = None
    text: Name | None = None
    bytes: AtLeastOne | None = None

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """Exactly one place."""
        yield from exactly_one(cls, given)


def exactly_one(node: type[Node], given: Mapping[str, object]) -> Iterator[Problem]:
    """Exactly one key; one that the language does not know is reported as such instead."""
    known = node.known_keys()
    found = [key for key in known if key in given]
    for key in found[1:]:
        yield Problem(f"has `{found[0]}` already, so `{key}` has no place", "keep one", (key,))
    if not given:
        yield Problem("says nothing", f"give it one of {', '.join(known)}")


class PlacedModel(Node):
    """A fault that happens at a place in the answer."""

    rules: ClassVar[Mapping[str, object]] = at_most_one(("after_chunks", "at"))

    after_chunks: Count | None = None
    at: AtModel | None = None

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """Two places."""
        if "after_chunks" in given and "at" in given:
            yield Problem("`after_chunks` and `at` both say where", "keep one", ("at",))


class CutModel(PlacedModel):
    """The answer breaks off."""

    place: ClassVar[str] = "cut"
    wanted: ClassVar[str] = "a mapping such as {after_chunks: 12, how: reset}"

    how: Literal["fin", "reset"] = "fin"


class StallModel(PlacedModel):
    """The provider falls silent; `for` None: for ever."""

    place: ClassVar[str] = "stall"
    wanted: ClassVar[str] = "a mapping such as {after_chunks: 3, for: 90s}"

    for_: Wait | None = Field(default=None, alias="for")


class MalformedModel(PlacedModel):
    """An event that is no JSON."""

    place: ClassVar[str] = "malformed"
    wanted: ClassVar[str] = "a mapping such as {after_chunks: 2}"


class ErrorEventModel(PlacedModel):
    """An error inside the stream, by name or written out; null leaves out what the name would say."""

    place: ClassVar[str] = "error_event"
    wanted: ClassVar[str] = "the name of an error, or a mapping such as {after_chunks: 3, message: …}"
    short_for: ClassVar[str] = "name"
    rules: ClassVar[Mapping[str, object]] = at_most_one(("after_chunks", "at")) | any_of_these(("name", "message"))
    nullable: ClassVar[frozenset[str]] = frozenset({"type", "code"})

    name: ProviderErrorName | None = None
    message: Template | None = None
    type: str | None = None
    code: str | None = None

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """Two places, and an error that says nothing."""
        yield from super().problems(given)
        if "name" not in given and "message" not in given:
            yield Problem("needs a `name` or a `message`", "write {message: …}, or a name such as overloaded")


class HtmlModel(Node):
    """An error page."""

    place: ClassVar[str] = "html"
    wanted: ClassVar[str] = "a mapping such as {status: 502}"

    status: ErrorStatus = HTML_STATUS


class UpstreamModel(Node):
    """Exactly one fault. A text is its name, where that says enough."""

    place: ClassVar[str] = "upstream"
    wanted: ClassVar[str] = "the name of a fault, or a mapping such as {cut: {after_chunks: 12}}"
    rules: ClassVar[Mapping[str, object]] = one_of_these(KINDS)

    reset: Switch = False
    no_response: Switch = False
    empty: Switch = False
    html: HtmlModel | None = None
    not_json: Switch = False
    truncated: Switch = False
    not_sse: Switch = False
    slow: Wait | None = None
    cut: CutModel | None = None
    stall: StallModel | None = None
    malformed: MalformedModel | None = None
    no_done: Switch = False
    error_event: ErrorEventModel | None = None

    @classmethod
    def spelled_out(cls, value: object) -> object:
        """A name is a fault with the settings that it has by itself."""
        if not isinstance(value, str):
            return value
        if value in _SPELLED_OUT:
            raise refusal(f"`{value}` does not say enough", _SPELLED_OUT[value])
        kind = one_of(value, KINDS, "a fault of the provider's connection")
        return {kind: {}}

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """Exactly one fault."""
        yield from exactly_one(cls, given)

    @property
    def kind(self) -> Kind:
        """Which fault it is."""
        [kind] = self.model_fields_set
        return cast(Kind, kind)


_WITHOUT: Final = [kind for kind, row in FAULTS.items() if not row.needs_answer and kind != "error_event"]
_AT_THE_START: Final = {
    "anyOf": [
        {"type": "string"},
        {"type": "object", "properties": {"after_chunks": {"const": 0}}, "not": {"required": ["at"]}},
    ]
}
ALONE: Final[dict[str, Any]] = {
    "anyOf": [
        {"enum": _WITHOUT},
        {"type": "object", **any_of_these(_WITHOUT)},
        {"type": "object", "required": ["error_event"], "properties": {"error_event": _AT_THE_START}},
    ]
}
"""What may stand without an answer, in the words of JSON Schema; `answerless` says the same of what is written."""


def answerless(value: object) -> str | None:
    """The kind of the fault that is written here, if it can't be without an answer. What is no fault is refused elsewhere."""
    kind = next(iter(value), None) if isinstance(value, Mapping) else value
    if kind == "error_event" and isinstance(value, Mapping):
        settings = value[kind]
        late = isinstance(settings, Mapping) and ("at" in settings or settings.get("after_chunks", 0) != 0)
        return kind if late else None
    row = FAULTS.get(kind) if isinstance(kind, str) else None
    return row.name if row is not None and row.needs_answer else None
