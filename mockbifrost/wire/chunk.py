"""The chunks of a streamed answer, and the one that the gateway makes itself, the last. Source: wire.md 4.3 and 4.4, captures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mockbifrost.wire.completion import Extras, ToolCall, call_id, envelope_json, with_lists, with_logprobs
from mockbifrost.wire.jsontypes import Json, JsonObject
from mockbifrost.wire.profiles import Profile


@dataclass(frozen=True, slots=True)
class CallDelta:
    """A piece of a tool call. `start` carries the name (and the id, drawn if its own is None); a continuation only arguments.

    `number` counts the calls of the whole answer, over all choices; `index` those of the choice. `repeated`: a continuation that says the
    name again, as some providers do.
    """

    index: int
    arguments: str
    start: ToolCall | None = None
    number: int = 0
    repeated: ToolCall | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """One increment that a provider sent for one choice, `at_s` seconds of scripted time after the request.

    `fields` are the delta's plain keys (role, content, refusal, reasoning, …); `calls` its pieces of tool calls. `finish_reason` is set on
    the increment that ends the choice.
    """

    fields: Mapping[str, Json]
    calls: tuple[CallDelta, ...] = ()
    choice: int = 0
    at_s: float = 0.0
    finish_reason: str | None = None
    logprobs: Mapping[str, Json] | None = None

    @property
    def is_content(self) -> bool:
        """Whether a client sees content, reasoning or tool text in it: not the role-only chunk and not the end."""
        if self.calls:
            return True
        return any(value for key, value in self.fields.items() if key != "role")


ORDER = ("role", "content", "refusal", "audio", "reasoning", "reasoning_details", "annotations")


def forwarded(profile: Profile, delta: Delta) -> bool:
    """Whether the gateway passes this increment on. Ends never are: their reason goes into the chunk that it makes itself."""
    if delta.is_content:
        return (
            profile.refusal_deltas
            or bool(delta.calls)
            or any(value for key, value in delta.fields.items() if key not in ("role", "refusal", "annotations"))
        )
    return profile.role_only_chunk and "role" in delta.fields


def delta_json(profile: Profile, delta: Delta) -> JsonObject:
    """`delta` of a choice."""
    found: JsonObject = {}
    fields = dict(delta.fields)
    for key in ORDER:
        if key in fields:
            value = fields.pop(key)
            if value is not None or key != "content":
                found[key] = value
    reasoning = found.get("reasoning")
    if reasoning is not None and "reasoning_details" not in found:
        found["reasoning_details"] = [{"index": 0, "type": "reasoning.text", "text": reasoning}]
    if delta.calls:
        found["tool_calls"] = [_call_json(profile, call) for call in delta.calls]
    if profile.reasoning_content and reasoning is not None:
        found["reasoning_content"] = reasoning
    found.update(fields)
    return found


def _call_json(profile: Profile, call: CallDelta) -> JsonObject:
    if call.start is None:
        function: JsonObject = {"arguments": call.arguments}
        if call.repeated is not None or profile.null_continuation_name:
            function = {"name": call.repeated.name if call.repeated else None, "arguments": call.arguments}
        return {"index": call.index, "function": function}
    function = {"name": call.start.name, "arguments": call.arguments}
    return {"index": call.index, "type": call.start.type, "id": call_id(call.start, call.number), "function": function}


def chunk_json(profile: Profile, delta: Delta, extras: Extras, *, extra_fields: JsonObject) -> JsonObject:
    """A chunk on the way. A finish reason that came together with content is sent in it. Source: wire.md 4.3."""
    choice: JsonObject = {"index": delta.choice}
    if delta.finish_reason is not None or profile.null_finish_reason:
        choice["finish_reason"] = delta.finish_reason
    with_logprobs(profile, choice, delta.logprobs)
    choice["delta"] = delta_json(profile, delta)
    found = envelope_json("chat.completion.chunk", [choice], extras)
    found["usage"] = None
    found["extra_fields"] = extra_fields
    return found


def last_chunk_json(
    profile: Profile, reasons: Mapping[int, str | None], extras: Extras, *, usage: Json, extra_fields: JsonObject
) -> JsonObject:
    """The chunk that the gateway makes: each choice's reason by its index, the usage, the lists; no fingerprint."""
    choices: list[Json] = []
    for index, reason in sorted(reasons.items()):
        choice: JsonObject = {"index": index}
        if reason is not None or profile.null_finish_reason:
            choice["finish_reason"] = reason
        with_logprobs(profile, choice, None)
        choice["delta"] = {}
        choices.append(choice)
    found = envelope_json("chat.completion.chunk", choices, replace(extras, system_fingerprint=""))
    found["usage"] = usage
    found["extra_fields"] = extra_fields
    return with_lists(found, extras)
