"""The request: every declared parameter by type, unknown ones kept. Source: wire.md 2, endpoint-page.txt.

The gateway checks types only; ranges, roles and the rest are the provider's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Object = dict[str, Any]
Tokens = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, frozen=True, defer_build=True, protected_namespaces=())


class FunctionCall(_Wire):
    """Name and arguments of a call; the arguments are text."""

    name: str | None = None
    arguments: str = ""


class RequestToolCall(_Wire):
    """A call that the assistant made in an earlier turn."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: FunctionCall | None = None


class RequestMessage(_Wire):
    """One message of the conversation."""

    role: str = ""
    content: str | list[Object] | None = None
    name: str | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    audio: Object | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[Object] | None = None
    annotations: list[Object] | None = None
    tool_calls: list[RequestToolCall] | None = None
    is_error: bool | None = None

    def text(self) -> str | None:
        """The text of the message: the string, or its text parts joined by line ends; None where it has none."""
        content = self.content
        if content is None or isinstance(content, str):
            return content
        texts = [part["text"] for part in content if part.get("type") == "text" and isinstance(part.get("text"), str)]
        return "\n".join(texts) if texts else None


class ToolFunction(_Wire):
    """A function that the model may call. `parameters` is a JSON Schema, or one as text."""

    name: str
    description: str | None = None
    parameters: Object | str | None = None
    strict: bool | None = None


class Tool(_Wire):
    """A tool on offer."""

    type: str = "function"
    function: ToolFunction | None = None
    custom: Object | None = None
    cache_control: Object | None = None

    @property
    def name(self) -> str | None:
        """The name under which the model calls it."""
        if self.function is not None:
            return self.function.name
        name = (self.custom or {}).get("name")
        return name if isinstance(name, str) else None


class StreamOptions(_Wire):
    """`include_usage` has no effect: the gateway always sends the usage."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Reasoning(_Wire):
    """The nested form of the reasoning settings."""

    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None
    display: str | None = None


class ChatRequest(_Wire):
    """The body of POST /pydanticai/v1/chat/completions."""

    model: str = ""
    messages: list[RequestMessage] | None = None
    stream: bool | None = None
    fallbacks: list[str] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: Number | None = None
    top_p: Number | None = None
    top_k: int | None = None
    frequency_penalty: Number | None = None
    presence_penalty: Number | None = None
    logit_bias: dict[str, Number] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    n: int | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: Object | None = None
    prompt_cache_isolation_key: str | None = None
    service_tier: str | None = None
    response_format: Object | None = None
    tools: list[Tool] | None = None
    tool_choice: str | Object | None = None
    parallel_tool_calls: bool | None = None
    store: bool | None = None
    reasoning_effort: str | None = None
    reasoning: Reasoning | None = None
    reasoning_max_tokens: int | None = None
    reasoning_display: str | None = None
    modalities: list[str] | None = None
    audio: Object | None = None
    prediction: Object | None = None
    metadata: Object | None = None
    verbosity: str | None = None
    web_search_options: Object | None = None
    stream_options: StreamOptions | None = None
    extra_params: Object | None = None

    @property
    def completion_limit(self) -> int | None:
        """The limit of the answer in tokens: `max_completion_tokens` wins over `max_tokens`."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens


class InvalidBody(ValueError):
    """A body that the gateway can't decode; the text is the decoder's."""


MAX_DEPTH: Final = 200
"""How deep a body may nest; far above what any client sends, and so far below the limit of the encoder that an answer or the
journal can hold it."""


def parse_body(body: bytes) -> dict[str, Any]:
    """The body as an object; empty for an empty body, as the gateway skips the parsing then. Raises InvalidBody."""
    if not body:
        return {}
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidBody(str(error)) from None
    if not isinstance(value, dict):
        raise InvalidBody(f"a JSON object is expected, the body is {_kind(value)}")
    # Counting is cheap, and few bodies have so many brackets.
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_too_deep(value):
        raise InvalidBody(f"nested deeper than {MAX_DEPTH} levels")
    return value


def _is_too_deep(body: Mapping[str, Any]) -> bool:
    level: list[Any] = [body]
    for _depth in range(MAX_DEPTH):
        inner = [item for outer in level for item in (outer.values() if isinstance(outer, dict) else outer)]
        level = [item for item in inner if isinstance(item, dict | list)]
    return bool(level)


def validate(body: Mapping[str, Any]) -> ChatRequest:
    """The typed request. Raises InvalidBody for a declared field of the wrong type, and for both forms of a reasoning setting."""
    try:
        request = ChatRequest.model_validate(body)
    except ValidationError as error:
        raise InvalidBody(_in_words(error)) from None
    if request.reasoning is not None:
        _one_form_of(request, request.reasoning)
    return request


def _in_words(error: ValidationError) -> str:
    """The first thing that is wrong, in the decoder's own words where they are known. Source: wire.md 6.2."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join([str(part) for part in first["loc"] if not _is_branch(part)])
    keys = [part for part in first["loc"] if isinstance(part, str) and not _is_branch(part)]
    if keys == ["messages", "content"]:
        return f"{place}: content field is neither a string nor an array of Content blocks"
    if keys == ["tool_choice"]:
        return f"{place}: tool_choice field is neither a string nor a ChatToolChoiceStruct object"
    return f"{place}: {first['msg']}" if place else first["msg"]


def _one_form_of(request: ChatRequest, nested: Reasoning) -> None:
    for flat, inner in (("effort", nested.effort), ("max_tokens", nested.max_tokens), ("display", nested.display)):
        if inner is not None and getattr(request, f"reasoning_{flat}") is not None:
            raise InvalidBody(f"both reasoning_{flat} and reasoning.{flat} cannot be present at the same time")


def canonical(body: Mapping[str, Any]) -> bytes:
    """The body with sorted keys, without `stream` and `stream_options`: what two asks for the same answer share."""
    if "stream" in body or "stream_options" in body:
        body = {key: value for key, value in body.items() if key not in ("stream", "stream_options")}
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def fingerprint(body: Mapping[str, Any]) -> bytes:
    """16 bytes that identify what was asked, streamed or not."""
    return blake2b(canonical(body), digest_size=16).digest()


def _kind(value: object) -> str:
    names: dict[type, Literal["null", "a boolean", "a number", "text", "a list"]] = {
        type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list",
    }  # fmt: skip
    return names[type(value)]


def _is_branch(part: object) -> bool:
    """Whether a part of a location is pydantic's name for a branch of a union, and no key of the body."""
    return isinstance(part, str) and (part in {"str", "list[str]", "dict[str,any]"} or part.startswith("list["))
