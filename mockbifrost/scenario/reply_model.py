"""`reply`: what the provider answers, as it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from mockbifrost.scenario.fields import (
    Count,
    HeaderName,
    HeaderTemplate,
    JsonMapping,
    Name,
    Template,
    check_template,
    check_templates,
)
from mockbifrost.scenario.when_model import same_header_twice
from mockbifrost.vocabulary.durations import Duration
from mockbifrost.vocabulary.node import Many, Node, Problem, described, in_quotes, refusal
from mockbifrost.vocabulary.rules import excluded
from mockbifrost.vocabulary.settings import MOST_DOLLARS

Fragments = Literal["openai", "one_chunk", "per_char", "split_escape", "interleaved", "name_repeated"]
Content = str | tuple[JsonMapping, ...]

_METHOD: Final = re.compile("[a-z][a-z0-9_]*")

_PART: Final = {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}}
Part = Annotated[JsonMapping, WithJsonSchema(_PART)]
_FAKER: Final = {
    "anyOf": [
        {"type": "string", "pattern": f"^{_METHOD.pattern}$"},
        {"type": "object", "minProperties": 1, "propertyNames": {"pattern": f"^{_METHOD.pattern}$"}},
    ]
}
_WHOLE_ANSWER: Final = (
    "choices", "usage", "cost", "model", "id", "created", "system_fingerprint", "service_tier", "latency", "headers", "body",
    "chunks", "citations", "search_results", "videos", "fragments",
)  # fmt: skip
_SAID_BY_CHUNKS: Final = (
    "content",
    "faker",
    "reasoning",
    "reasoning_details",
    "tool_calls",
    "refusal",
    "choices",
    "fragments",
)


_OWN_KEYS: Final = frozenset(
    {"content", "reasoning", "reasoning_details", "tool_calls", "refusal", "annotations", "audio"}
)
"""Keys of a message that `reply` has a key for."""


def _content(value: object) -> Content | None:
    """Text, a list of parts (a bare text is a text part), or null."""
    if value is None:
        return None
    if isinstance(value, str):
        return check_template(value)
    if not isinstance(value, list | tuple):
        raise refusal(f"must be text, a list of content parts or null, got {described(value)}", in_quotes(value))
    return tuple([_part(part, index) for index, part in enumerate(value)])


def _part(part: object, index: int) -> JsonMapping:
    if isinstance(part, str):
        return {"type": "text", "text": check_template(part)}
    if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
        raise refusal(f"content part {index} must be text or a mapping with a `type`, got {described(part)}")
    check_templates(part)
    return part


def _faker(value: object) -> JsonMapping:
    """Methods of Faker, each with what it is given: a mapping by name, anything else by position, null nothing."""
    calls = {value: None} if isinstance(value, str) else value
    if not isinstance(calls, Mapping) or not calls:
        raise refusal(f"must name methods of Faker, as in {{paragraphs: 3}}, got {described(value)}")
    for method in calls:
        if not _METHOD.fullmatch(method):
            raise refusal(f"{method!r} can't be a method of Faker", "write one of its names, as in {sentence: {}}")
    return calls


class ToolCallModel(Node):
    """A call of a tool. `arguments` as text are sent as they are, broken JSON too; a mapping is written as JSON."""

    place: ClassVar[str] = "tool call"
    wanted: ClassVar[str] = 'a mapping such as {lookup_order: {order_id: "42"}}'
    takes_text: ClassVar[bool] = True
    short_for: ClassVar[str] = "name"

    name: Name
    arguments: Annotated[
        str | JsonMapping, PlainValidator(lambda value: _arguments(value), json_schema_input_type=str | JsonMapping)
    ] = Field(default_factory=dict)
    id: Name | None = None

    @classmethod
    def spelled_out(cls, value: object) -> object:
        """`{name: {arguments}}` or just the name; the long form is told by a `name` that is text."""
        if not isinstance(value, Mapping) or isinstance(value.get("name"), str):
            return super().spelled_out(value)
        if len(value) == 1:
            [(name, arguments)] = value.items()
            return {"name": name, "arguments": {} if arguments is None else arguments}
        if "arguments" in value or "id" in value:
            return value
        raise refusal("must be one call", 'write each tool as an item of the list: - lookup_order: {order_id: "42"}')


def _arguments(value: object) -> str | JsonMapping:
    if isinstance(value, str):
        return check_template(value)
    if isinstance(value, Mapping):
        check_templates(value)
        return value
    raise refusal(f"arguments must be a mapping, or text that is sent as it is, got {described(value)}")


class PromptDetailsModel(Node):
    """`usage.prompt_tokens_details`."""

    place: ClassVar[str] = "prompt_tokens_details"

    text_tokens: Count | None = None
    audio_tokens: Count | None = None
    image_tokens: Count | None = None
    cached_tokens: Count | None = None
    cached_read_tokens: Count | None = None
    cached_write_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    cached_write_token_details: Mapping[Literal["cached_write_tokens_5m", "cached_write_tokens_1h"], Count] | None = (
        None
    )


class CompletionDetailsModel(Node):
    """`usage.completion_tokens_details`."""

    place: ClassVar[str] = "completion_tokens_details"

    text_tokens: Count | None = None
    accepted_prediction_tokens: Count | None = None
    audio_tokens: Count | None = None
    citation_tokens: Count | None = None
    num_search_queries: Count | None = None
    reasoning_tokens: Count | None = None
    image_tokens: Count | None = None
    rejected_prediction_tokens: Count | None = None


class UsageModel(Node):
    """What the provider counted. What was not written is not sent, but for the total, which is filled in."""

    place: ClassVar[str] = "usage"

    prompt_tokens: Count | None = None
    prompt_tokens_details: PromptDetailsModel | None = None
    completion_tokens: Count | None = None
    completion_tokens_details: CompletionDetailsModel | None = None
    total_tokens: Count | None = None
    audio_seconds: Annotated[float, Field(ge=0)] | None = None
    search_units: Count | None = None
    cost_in_usd_ticks: Count | None = None


def _reported(value: object) -> float | JsonMapping:
    """Dollars, or the provider's own mapping of them."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_DOLLARS:
        return value
    if isinstance(value, Mapping):
        return value
    raise refusal(f"must be dollars (0 or more) or a mapping such as {{total_cost: 0.01}}, got {described(value)}")


ReportedCost = Annotated[
    float | JsonMapping,
    PlainValidator(_reported, json_schema_input_type=Annotated[float, Field(ge=0, le=MOST_DOLLARS)] | JsonMapping),
]


def _delta(value: object) -> object:
    """A text is a delta of content."""
    return {"content": value} if isinstance(value, str) else value


class ReplyModel(Node):
    """What the provider answers. `content`, `usage` and `cost` may be null on purpose: look at `model_fields_set`."""

    place: ClassVar[str] = "reply"
    wanted: ClassVar[str] = "text or a mapping such as {content: …, tool_calls: […]}"
    takes_text: ClassVar[bool] = True
    short_for: ClassVar[str] = "content"
    rules: ClassVar[Mapping[str, object]] = excluded({"faker": ("content",), "chunks": _SAID_BY_CHUNKS})
    nullable: ClassVar[frozenset[str]] = frozenset({"content", "usage", "cost"})

    content: Annotated[
        Content | None, PlainValidator(_content, json_schema_input_type=str | Many[str | Part] | None)
    ] = None
    faker: Annotated[JsonMapping, PlainValidator(_faker), WithJsonSchema(_FAKER)] | None = None
    reasoning: Template | None = None
    reasoning_details: Many[JsonMapping] | None = None
    tool_calls: Many[ToolCallModel] | None = None
    fragments: Fragments = "openai"
    refusal: Template | None = None
    annotations: Many[JsonMapping] | None = None
    audio: JsonMapping | None = None
    citations: Many[str] | None = None
    search_results: Many[JsonMapping] | None = None
    videos: Many[JsonMapping] | None = None
    choices: Annotated[Many[ReplyModel], Field(min_length=1)] | None = None
    logprobs: Annotated[
        bool | JsonMapping | None,
        PlainValidator(lambda value: _logprobs(value), json_schema_input_type=bool | JsonMapping),
    ] = None
    finish_reason: Name | None = None
    usage: UsageModel | None = None
    cost: ReportedCost | None = None
    model: Name | None = None
    id: str | None = None
    created: Count | None = None
    system_fingerprint: str | None = None
    service_tier: Name | None = None
    message: JsonMapping | None = None
    latency: Duration | None = None
    headers: Mapping[HeaderName, HeaderTemplate] | None = None
    chunks: (
        Annotated[
            Many[Annotated[JsonMapping, BeforeValidator(_delta, json_schema_input_type=str | JsonMapping)]],
            Field(min_length=1),
        ]
        | None
    ) = None
    body: JsonMapping | None = None

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """Two sources of the same words, and keys of the whole answer inside a choice."""
        if "content" in given and "faker" in given:
            yield Problem("`faker` makes the content", "keep `content` or `faker`", ("faker",))
        for key in _SAID_BY_CHUNKS if "chunks" in given else ():
            if key in given:
                yield Problem(f"`chunks` says the whole answer, so `{key}` has no place beside it", "keep one", (key,))
        headers = given.get("headers")
        if isinstance(headers, Mapping):
            yield from same_header_twice(headers)
        message = given.get("message")
        for key in message if isinstance(message, Mapping) else ():
            if key in _OWN_KEYS:
                yield Problem(
                    f"`{key}` is a key of `reply` itself", f"write `{key}` beside `message`", ("message", key)
                )
        choices = given.get("choices")
        for index, choice in enumerate(choices if isinstance(choices, list | tuple) else ()):
            for key in _WHOLE_ANSWER:
                if isinstance(choice, Mapping) and key in choice:
                    text = f"`{key}` belongs to the whole answer, not to one of its choices"
                    yield Problem(text, "move it up to `reply`", ("choices", index, key))


def _misplaced(message: object) -> Iterator[Problem]:
    """Keys of `message` that stand beside it."""
    for key in message if isinstance(message, Mapping) else ():
        if key in _OWN_KEYS:
            yield Problem(f"`{key}` is a key of `reply` itself", f"write `{key}` beside `message`", ("message", key))


def _logprobs(value: object) -> bool | JsonMapping:
    if isinstance(value, bool | Mapping):
        return value
    raise refusal(f"must be true, false or a mapping as on the wire, got {described(value)}")
