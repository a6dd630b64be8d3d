"""What quirks change in what is sent: pure functions over the values that are about to be encoded. Table: vocabulary/quirks.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from mockbifrost.wire import chunk
from mockbifrost.wire.chunk import CallDelta, Delta
from mockbifrost.wire.completion import Choice, Extras, Message, ToolCall
from mockbifrost.wire.jsontypes import Json, JsonObject, encode
from mockbifrost.wire.profiles import Profile
from mockbifrost.wire.usage import Usage

Quirks = frozenset[str]
_REASONING: Final = ("reasoning", "reasoning_details")


NEEDS_ALL: Final = frozenset({"drop_chunks", "fused_tool_names", "reasoning_dropped"})
"""Quirks that can't be shown before the whole stream is known."""


def profile_of(quirks: Quirks, profile: Profile) -> Profile:
    """The profile with what single switches of it can say."""
    if "no_role_delta" in quirks:
        profile = replace(profile, role_only_chunk=False)
    if quirks & {"no_middle_finish_reason", "no_finish_reason"}:
        profile = replace(profile, null_finish_reason=False)
    return profile


def choices_of(quirks: Quirks, choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """The choices of a plain answer."""
    if not quirks:
        return tuple(choices)
    return tuple([_choice(quirks, choice) for choice in choices])


def _choice(quirks: Quirks, choice: Choice) -> Choice:
    message = choice.message
    if "reasoning_dropped" in quirks and message.tool_calls:
        message = replace(message, reasoning=None, reasoning_details=None)
    if "content_blocks" in quirks and isinstance(message.content, str):
        message = _in_blocks(message, message.content)
    reason = None if "no_finish_reason" in quirks else choice.finish_reason
    return replace(choice, message=message, finish_reason=reason)


def _in_blocks(message: Message, text: str) -> Message:
    """The gateway joins blocks of text in the first choice, so the list goes where that does not look."""
    return replace(message, content=None, extra={**message.extra, "content": [{"type": "text", "text": text}]})


def deltas_of(quirks: Quirks, deltas: Sequence[Delta]) -> tuple[Delta, ...]:
    """The increments of a stream."""
    if not quirks:
        return tuple(deltas)
    found = list(deltas)
    with_calls = {delta.choice for delta in found if delta.calls}
    if "no_reasoning_deltas" in quirks:
        found = _without_reasoning(found, {delta.choice for delta in found})
    elif "reasoning_dropped" in quirks:
        found = _without_reasoning(found, with_calls)
    if "fused_tool_names" in quirks:
        found = _fused(found)
    if "tool_index_zero" in quirks:
        found = [
            replace(delta, calls=tuple([replace(call, index=0) for call in delta.calls])) if delta.calls else delta
            for delta in found
        ]
    if "drop_chunks" in quirks:
        content = [number for number, delta in enumerate(found) if delta.is_content]
        gone = {content[0], content[-1]} if content else set()
        found = [
            delta if number not in gone else replace(delta, fields={}, calls=()) for number, delta in enumerate(found)
        ]
    if "no_finish_reason" in quirks:
        found = [replace(delta, finish_reason=None) for delta in found]
    return tuple(found)


def _without_reasoning(deltas: Sequence[Delta], choices: set[int]) -> list[Delta]:
    return [
        replace(delta, fields={key: item for key, item in delta.fields.items() if key not in _REASONING})
        if delta.choice in choices and any(key in delta.fields for key in _REASONING)
        else delta
        for delta in deltas
    ]


def _fused(deltas: Sequence[Delta]) -> list[Delta]:
    """Of each choice one call: all names in the first start, all arguments in its continuations."""
    names: dict[int, list[str]] = {}
    for delta in deltas:
        names.setdefault(delta.choice, []).extend([call.start.name for call in delta.calls if call.start is not None])
    begun: set[int] = set()
    found: list[Delta] = []
    for delta in deltas:
        calls: list[CallDelta] = []
        for call in delta.calls:
            start: ToolCall | None = None
            if call.start is not None and delta.choice not in begun:
                begun.add(delta.choice)
                start = replace(call.start, name="".join(names[delta.choice]))
            calls.append(CallDelta(0, call.arguments, start, call.number))
        found.append(replace(delta, calls=tuple(calls)) if delta.calls else delta)
    return found


def usage_of(quirks: Quirks, usage: Usage | None, *, stream: bool) -> Usage | None:
    """What the provider counted, as it is told."""
    if usage is None or not stream or "usage_inconsistent" not in quirks or usage.prompt_details is None:
        return usage
    doubled = {
        key: item * 2 if key in ("cached_tokens", "cached_read_tokens") and isinstance(item, int) else item
        for key, item in usage.prompt_details.items()
    }
    return replace(usage, prompt_details=doubled)


def last_chunks_of(
    quirks: Quirks,
    profile: Profile,
    reasons: Mapping[int, str | None],
    extras: Extras,
    usage: Json,
    fields: JsonObject,
) -> Iterator[JsonObject]:
    """The chunk that the gateway makes at the end, or two."""
    if "no_usage_chunk" in quirks:
        usage = None
    chunks = [(reasons, usage, fields)]
    if "split_last_chunk" in quirks:
        index = fields["chunk_index"]
        assert isinstance(index, int)  # a chunk has one
        first = {key: item for key, item in fields.items() if key != "cache_debug"}
        chunks = [(reasons, None, first), (dict.fromkeys(reasons), usage, {**fields, "chunk_index": index + 1})]
    for why, counted, beside in chunks:
        found = chunk.last_chunk_json(profile, why, extras, usage=counted, extra_fields=beside)
        if "empty_last_chunk" in quirks:
            found.update({"model": "", "created": 0})
        yield found


def error_event_of(
    quirks: Quirks,
    profile: Profile,
    error: bytes,
    reasons: Mapping[int, str | None],
    extras: Extras,
    fields: JsonObject,
) -> bytes:
    """The payload of the frame that tells of an error inside a stream."""
    if "finish_reason_error" in quirks:
        told = dict.fromkeys(reasons or {0: None}, "error")
        return encode(chunk.last_chunk_json(profile, told, extras, usage=None, extra_fields=fields))
    if "nested_error_event" in quirks:
        inner: JsonObject = {"type": "", "message": ""}
        return encode({"error": {"is_bifrost_error": False, "error": inner, "extra_fields": {}}})
    return error
