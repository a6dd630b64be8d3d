"""The body of a plain answer: keys in the gateway's order. Source: wire.md 3.1 to 3.3, captures 2.2.3-plain-*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mockbifrost.wire.jsontypes import Json, JsonObject
from mockbifrost.wire.mold import Slot, hole
from mockbifrost.wire.profiles import Profile


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool. `id` None: drawn for each answer. `arguments` is text, as on the wire, and may be broken JSON."""

    name: str
    arguments: str
    id: str | None = None
    type: str = "function"


@dataclass(frozen=True, slots=True)
class Message:
    """What the assistant says in one choice. `content` is text, a list of parts, or None."""

    content: str | Sequence[Json] | None = None
    role: str = "assistant"
    refusal: str | None = None
    audio: Mapping[str, Json] | None = None
    reasoning: str | None = None
    reasoning_details: Sequence[Json] | None = None
    annotations: Sequence[Json] | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the `n` answers."""

    index: int
    message: Message
    finish_reason: str | None
    logprobs: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Extras:
    """Keys of an answer beside its choices, as the provider sent them; a stream has the lists on its last chunk."""

    model: str
    system_fingerprint: str = ""
    service_tier: str | None = None
    search_results: Sequence[Json] | None = None
    videos: Sequence[Json] | None = None
    citations: Sequence[Json] | None = None


def call_id(call: ToolCall, number: int) -> Json:
    """The id of the `number`-th call of an answer, or the hole for the one that is drawn."""
    return hole(Slot.CALL + number) if call.id is None else call.id


def reasoning_details_of(reasoning: str | None, details: Sequence[Json] | None) -> Sequence[Json] | None:
    """The details as given, else the one entry that the gateway makes of a reasoning text. Source: wire.md 3.3."""
    if details is not None or not reasoning:
        return details
    return [{"index": 0, "type": "reasoning.text", "text": reasoning}]


def _text_content(content: str | Sequence[Json] | None) -> Json:
    """Parts that are all text become one string, joined by a blank line, in the first choice. Source: wire.md 3."""
    if content is None or isinstance(content, str):
        return content
    texts = [part.get("text") for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
    if content and len(texts) == len(content) and all(isinstance(text, str) for text in texts):
        return "\n\n".join([str(text) for text in texts])
    return content


def message_json(profile: Profile, message: Message, *, first: bool, calls_before: int) -> JsonObject:
    """`message` of a choice; the assistant's part only where the reply carries any of it."""
    extra = dict(message.extra)
    found: JsonObject = {}
    if "name" in extra:
        found["name"] = extra.pop("name")
    found["role"] = message.role
    found["content"] = _text_content(message.content) if first else message.content
    for key in ("tool_call_id", "is_error"):
        if key in extra:
            found[key] = extra.pop(key)
    found.update(_assistant_part(profile, message, calls_before))
    found.update(extra)
    return found


def _assistant_part(profile: Profile, message: Message, calls_before: int) -> JsonObject:
    """What only an assistant says; nothing at all where the reply carries none of it."""
    details = reasoning_details_of(message.reasoning, message.reasoning_details)
    calls = [_tool_call_json(call, index, calls_before + index) for index, call in enumerate(message.tool_calls)]
    carried: list[tuple[str, Json]] = [
        ("audio", message.audio),
        ("reasoning", message.reasoning),
        ("reasoning_details", details),
        ("annotations", message.annotations),
        ("tool_calls", calls or None),
        ("reasoning_content", message.reasoning if profile.reasoning_content else None),
    ]
    found: JsonObject = {key: value for key, value in carried if value is not None}
    return {"refusal": message.refusal, **found} if found or message.refusal is not None else {}


def _tool_call_json(call: ToolCall, index: int, number: int) -> JsonObject:
    function: JsonObject = {"name": call.name, "arguments": call.arguments}
    return {"index": index, "type": call.type, "id": call_id(call, number), "function": function}


def with_logprobs(profile: Profile, found: JsonObject, logprobs: Mapping[str, Json] | None) -> None:
    """Set `logprobs`, and its documented twin, in a choice: present, null or absent by profile."""
    if logprobs is not None or profile.null_logprobs:
        found["logprobs"] = logprobs
    if logprobs is not None and profile.log_probs_twin:
        found["log_probs"] = logprobs


def _choice_json(profile: Profile, choice: Choice, calls_before: int) -> JsonObject:
    found: JsonObject = {"index": choice.index}
    if choice.finish_reason is not None or profile.null_finish_reason:
        found["finish_reason"] = choice.finish_reason
    with_logprobs(profile, found, choice.logprobs)
    found["message"] = message_json(profile, choice.message, first=choice.index == 0, calls_before=calls_before)
    return found


def completion_json(
    profile: Profile, choices: Sequence[Choice], extras: Extras, *, usage: Json, extra_fields: JsonObject
) -> JsonObject:
    """A whole answer, with holes for its id, its time and the ids of drawn tool calls."""
    encoded: list[Json] = []
    calls = 0
    for choice in choices:
        encoded.append(_choice_json(profile, choice, calls))
        calls += len(choice.message.tool_calls)
    found = envelope_json("chat.completion", encoded, extras)
    found["usage"] = usage
    found["extra_fields"] = extra_fields
    return with_lists(found, extras)


def envelope_json(kind: str, choices: Sequence[Json], extras: Extras) -> JsonObject:
    """The keys that answers and chunks begin with."""
    found: JsonObject = {
        "id": hole(Slot.ID),
        "choices": choices,
        "created": hole(Slot.CREATED),
        "model": extras.model,
        "object": kind,
    }
    if extras.service_tier is not None:
        found["service_tier"] = extras.service_tier
    found["system_fingerprint"] = extras.system_fingerprint
    return found


def with_lists(found: JsonObject, extras: Extras) -> JsonObject:
    """Add the lists of a searching provider, which come last."""
    for key, value in (
        ("search_results", extras.search_results),
        ("videos", extras.videos),
        ("citations", extras.citations),
    ):
        if value is not None:
            found[key] = value
    return found
