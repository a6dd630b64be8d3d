"""What went between the gateway and a provider, in OpenAI's own format: the request, the answer, the chunks.

Source: wire.md 2.1, 3 and 4.5, gateway-behaviour.md 5; the order of keys is that of OpenAI's API reference. Every other provider
is shown in the same format (INFERRED: the gateway's own formats of theirs are not simulated).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from mockbifrost.wire.chunk import CallDelta, Delta
from mockbifrost.wire.completion import Choice, Extras, Message, ToolCall, call_id, with_lists
from mockbifrost.wire.jsontypes import Json, JsonObject
from mockbifrost.wire.mold import Slot, hole
from mockbifrost.wire.request import ChatRequest
from mockbifrost.wire.usage import Usage

_FORWARDED: Final = tuple(
    key
    for key in ChatRequest.model_fields
    if key not in ("model", "stream", "stream_options", "fallbacks", "extra_params", "max_tokens")
)
_DELTA_ORDER: Final = ("role", "content", "tool_calls", "refusal", "annotations", "audio")
_PROMPT_DETAILS: Final = ("cached_tokens", "audio_tokens")
_COMPLETION_DETAILS: Final = (
    "reasoning_tokens",
    "audio_tokens",
    "accepted_prediction_tokens",
    "rejected_prediction_tokens",
)


def raw_request_json(body: Mapping[str, Any], model: str, *, stream: bool) -> JsonObject:
    """What is sent for a client's body to a provider that serves `model`: declared keys that are not null, as they are.

    Source: wire.md 2.1 and 4.3. INFERRED: the order, that of the declaration; without a stream, `stream_options` is not sent.
    """
    found: JsonObject = {"model": model}
    given = dict(body)
    if given.get("max_completion_tokens") is None:
        given["max_completion_tokens"] = given.get("max_tokens")
    found.update({key: given[key] for key in _FORWARDED if given.get(key) is not None})
    if stream:
        options = given.get("stream_options")
        found["stream"] = True
        found["stream_options"] = {**(options if isinstance(options, Mapping) else {}), "include_usage": True}
    return found


def raw_completion_json(choices: Sequence[Choice], extras: Extras, *, usage: Json) -> JsonObject:
    """A plain answer as its provider sent it, with the same holes as the gateway's. `usage` None: it sent none."""
    encoded: list[Json] = []
    calls = 0
    for choice in choices:
        encoded.append(
            {
                "index": choice.index,
                "message": _message_json(choice.message, calls),
                "logprobs": choice.logprobs,
                "finish_reason": choice.finish_reason,
            }
        )
        calls += len(choice.message.tool_calls)
    found = _head("chat.completion", extras)
    found["choices"] = encoded
    if usage is not None:
        found["usage"] = usage
    found.update(_origin(extras))
    return with_lists(found, extras)


def raw_chunk_json(delta: Delta, extras: Extras) -> JsonObject:
    """One chunk of a stream as its provider sent it: the role, a piece of what it says, or the end with its reason."""
    choice: JsonObject = {
        "index": delta.choice,
        "delta": _delta_json(delta),
        "logprobs": delta.logprobs,
        "finish_reason": delta.finish_reason,
    }
    head = {**_head("chat.completion.chunk", extras), **_origin(extras)}
    return {**head, "choices": [choice], "usage": None}  # asked for, so every chunk has the key


def raw_usage_json(usage: Usage, cost: Json = None) -> JsonObject:
    """`usage` in OpenAI's words, zeros included; `cost` is what the provider itself reports, for those that do.

    INFERRED: what OpenAI does not count, and further counts, come after what it does.
    """
    found: JsonObject = {
        "prompt_tokens": hole(Slot.PROMPT_TOKENS) if usage.computed else usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": hole(Slot.TOTAL_TOKENS) if usage.computed else usage.total_tokens,
    }
    if usage.prompt_details is not None:
        details = dict(usage.prompt_details)
        reads = details.pop("cached_read_tokens", None)
        details["cached_tokens"] = details.get("cached_tokens") or reads or 0
        found["prompt_tokens_details"] = _ordered(details, _PROMPT_DETAILS)
    if usage.completion_details is not None:
        found["completion_tokens_details"] = _ordered(usage.completion_details, _COMPLETION_DETAILS)
    found.update(usage.extra or {})
    if cost is not None:
        found["cost"] = cost
    return found


def _ordered(details: Mapping[str, Json], order: tuple[str, ...]) -> JsonObject:
    found: JsonObject = {key: details.get(key) or 0 for key in order}
    return found | {key: value for key, value in details.items() if key not in order}


def _head(kind: str, extras: Extras) -> JsonObject:
    return {"id": hole(Slot.ID), "object": kind, "created": hole(Slot.CREATED), "model": extras.model}


def _origin(extras: Extras) -> JsonObject:
    found: JsonObject = {}
    if extras.service_tier is not None:
        found["service_tier"] = extras.service_tier
    found["system_fingerprint"] = extras.system_fingerprint or None
    return found


def _message_json(message: Message, calls_before: int) -> JsonObject:
    """`refusal` and `annotations` are always there; what OpenAI does not know comes last."""
    found: JsonObject = {"role": message.role, "content": message.content}
    if message.tool_calls:
        found["tool_calls"] = [_call_json(call, calls_before + at) for at, call in enumerate(message.tool_calls)]
    found["refusal"] = message.refusal
    found["annotations"] = message.annotations if message.annotations is not None else []
    further: list[tuple[str, Json]] = [
        ("audio", message.audio),
        ("reasoning", message.reasoning),
        ("reasoning_details", message.reasoning_details),
    ]
    found.update({key: value for key, value in further if value is not None})
    found.update(message.extra)
    return found


def _call_json(call: ToolCall, number: int) -> JsonObject:
    function: JsonObject = {"name": call.name, "arguments": call.arguments}
    return {"id": call_id(call, number), "type": call.type, "function": function}


def _delta_json(delta: Delta) -> JsonObject:
    fields = dict(delta.fields)
    if delta.calls:
        fields["tool_calls"] = [_call_delta_json(call) for call in delta.calls]
    found: JsonObject = {key: fields.pop(key) for key in _DELTA_ORDER if key in fields}
    return found | fields


def _call_delta_json(call: CallDelta) -> JsonObject:
    if call.start is not None:
        return {"index": call.index, **_call_json(replace(call.start, arguments=call.arguments), call.number)}
    function: JsonObject = {"name": call.repeated.name} if call.repeated is not None else {}
    return {"index": call.index, "function": {**function, "arguments": call.arguments}}
