"""`when`: the expectation of a stub as it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field

from mockbifrost.scenario.fields import AtLeastOne, HeaderName, Json, Name, Names, Numbers, OneOrMoreNames
from mockbifrost.scenario.text_model import TextMatcherModel
from mockbifrost.vocabulary.node import Many, Node, Problem, did_you_mean, shortened
from mockbifrost.vocabulary.rules import NOT_EMPTY

Role = Literal["system", "developer", "user", "assistant", "tool"]


class LastModel(Node):
    """The last message: its role, its text, or both. A text matcher alone is about the text."""

    place: ClassVar[str] = "last"
    wanted: ClassVar[str] = "text, a text matcher or a mapping of role and text"
    takes_text: ClassVar[bool] = True
    short_for: ClassVar[str] = "text"
    rules: ClassVar[Mapping[str, object]] = NOT_EMPTY

    role: Role | None = None
    text: TextMatcherModel | None = None

    @classmethod
    def spelled_out(cls, value: object) -> object:
        """A text or a mapping of a matcher's keys is the matcher of the text."""
        return {"text": value} if _is_matcher(value) else super().spelled_out(value)

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """An empty mapping says nothing."""
        yield from _empty(given)


class ToolResultModel(Node):
    """The result of a tool: the tool's name, the call's id, the text, the JSON it holds. A text alone is the name.

    `json_` null is a wish for null only where `model_fields_set` has it.
    """

    place: ClassVar[str] = "tool_result"
    wanted: ClassVar[str] = "the name of a tool, or a mapping of name, id, text and json"
    takes_text: ClassVar[bool] = True
    short_for: ClassVar[str] = "name"
    rules: ClassVar[Mapping[str, object]] = NOT_EMPTY
    nullable: ClassVar[frozenset[str]] = frozenset({"json"})

    name: Name | None = None
    id: Name | None = None
    text: TextMatcherModel | None = None
    json_: Json = Field(default=None, alias="json")

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """An empty mapping says nothing."""
        yield from _empty(given)


def _listed(value: object) -> object:
    return [value] if isinstance(value, str | Mapping) else value


_Results = Annotated[Many[ToolResultModel], Field(min_length=1)]
OneOrMoreResults = Annotated[_Results, BeforeValidator(_listed, json_schema_input_type=ToolResultModel | _Results)]
"""A result or a list of results in the file, a tuple in the model."""


class MessageModel(Node):
    """One message of the tail: its role, text, the tools it calls, the result it is. A text alone is a text matcher."""

    place: ClassVar[str] = "messages"
    wanted: ClassVar[str] = "text, a text matcher or a mapping of role, text, tool_call and tool_result"
    takes_text: ClassVar[bool] = True
    short_for: ClassVar[str] = "text"
    rules: ClassVar[Mapping[str, object]] = NOT_EMPTY

    role: Role | None = None
    text: TextMatcherModel | None = None
    tool_call: OneOrMoreNames | None = None
    tool_result: ToolResultModel | None = None

    @classmethod
    def spelled_out(cls, value: object) -> object:
        """A text or a mapping of a matcher's keys is the matcher of the text."""
        return {"text": value} if _is_matcher(value) else super().spelled_out(value)

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """An empty mapping says nothing."""
        yield from _empty(given)


class BodyCheckModel(Node):
    """What an expression finds in the body: a text that fits (`text`), or where that is None a `value` that equals."""

    place: ClassVar[str] = "body"
    nullable: ClassVar[frozenset[str]] = frozenset({"value"})

    text: TextMatcherModel | None = None
    value: Json = None

    @classmethod
    def spelled_out(cls, value: object) -> object:
        """A text, or a mapping with a key like those of a text matcher, is a matcher; anything else is a value."""
        nearly = isinstance(value, Mapping) and any(did_you_mean(key, _MATCHER_KEYS, 0.8) for key in value)
        return {"text": value} if isinstance(value, str) or nearly else {"value": value}


class WhenModel(Node):
    """Every key given must hold; none: always. Names and globs are tuples, numbers are spans."""

    place: ClassVar[str] = "when"

    provider: OneOrMoreNames | None = None
    model: OneOrMoreNames | None = None
    key: TextMatcherModel | None = None
    attempt: Numbers | None = None
    fallback: Numbers | None = None
    user: TextMatcherModel | None = None
    task: TextMatcherModel | None = None
    system: TextMatcherModel | None = None
    last: LastModel | None = None
    messages: Annotated[Many[MessageModel], Field(min_length=1)] | None = None
    turn: Numbers | None = None
    tools: Names | None = None
    tool_result: OneOrMoreResults | None = None
    stream: bool | None = None
    n: AtLeastOne | None = None
    response_format: TextMatcherModel | None = None
    virtual_key: TextMatcherModel | None = None
    headers: Mapping[HeaderName, TextMatcherModel | None] | None = None
    body: Mapping[str, BodyCheckModel] | None = None

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """Headers named twice, paths that do not compile."""
        headers, body = given.get("headers"), given.get("body")
        if isinstance(headers, Mapping):
            yield from same_header_twice(headers)
        if isinstance(body, Mapping):
            for expression in body:
                yield from _path_problems(expression)


def same_header_twice(headers: Mapping[str, object]) -> Iterator[Problem]:
    """Headers whose names differ only in case are one header."""
    seen: dict[str, str] = {}
    for name in headers:
        first = seen.setdefault(str(name).lower(), name)
        if first != name:
            yield Problem(f"{name!r} and {first!r} are the same header", "keep one", ("headers", name))


def _path_problems(expression: str) -> Iterator[Problem]:
    import jmespath  # imported only by the scenarios that use it

    try:
        jmespath.compile(expression)
    except (jmespath.exceptions.JMESPathError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0].removesuffix(":")
        text = f"{shortened(expression)!r} is not a JMESPath expression: {reason}"
        yield Problem(text, "", ("body", expression))


def _is_matcher(value: object) -> bool:
    return isinstance(value, Mapping) and any(key in _MATCHER_KEYS for key in value)


def _empty(given: Mapping[str, object]) -> Iterator[Problem]:
    if not given:
        yield Problem("says nothing", "write what is expected, or remove it")


_MATCHER_KEYS: Final = TextMatcherModel.known_keys()
