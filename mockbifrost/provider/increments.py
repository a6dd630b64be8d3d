"""Increments that are given one by one, written out or recorded: read, counted, and joined to the answer that they add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from mockbifrost.wire.chunk import CallDelta, Delta
from mockbifrost.wire.completion import Choice, Message, ToolCall
from mockbifrost.wire.jsontypes import Json


def delta_of(chunk: Mapping[str, Json]) -> Delta:
    """An explicit increment: the keys of a delta, with `finish_reason`, `index` (the choice's) and `logprobs` beside them."""
    fields = dict(chunk)
    finish = fields.pop("finish_reason", None)
    index = fields.pop("index", 0)
    logprobs = fields.pop("logprobs", None)
    raw_calls = fields.pop("tool_calls", ())
    calls: list[CallDelta] = []
    for number, raw in enumerate(raw_calls if isinstance(raw_calls, (list, tuple)) else ()):
        if isinstance(raw, Mapping):
            calls.append(_call_delta(raw, number))
    return Delta(
        fields,
        tuple(calls),
        index if isinstance(index, int) else 0,
        0.0,
        finish if isinstance(finish, str) else None,
        logprobs if isinstance(logprobs, Mapping) else None,
    )


def _call_delta(raw: Mapping[str, Json], number: int) -> CallDelta:
    function = raw.get("function")
    function = function if isinstance(function, Mapping) else {}
    arguments = function.get("arguments", "")
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    index = raw.get("index", number)
    index = index if isinstance(index, int) else number
    name, id_ = function.get("name"), raw.get("id")
    start = ToolCall(str(name), "", str(id_) if id_ is not None else None) if name is not None else None
    return CallDelta(index, text, start)


def numbered(deltas: Sequence[Delta]) -> tuple[Delta, ...]:
    """Explicit increments whose tool calls are counted over all choices, as the joined answer counts them."""
    places = sorted({(delta.choice, call.index) for delta in deltas for call in delta.calls})
    numbers = {place: number for number, place in enumerate(places)}
    return tuple(
        [
            replace(
                delta, calls=tuple([replace(call, number=numbers[delta.choice, call.index]) for call in delta.calls])
            )
            for delta in deltas
        ]
    )


def joined_choices(deltas: tuple[Delta, ...]) -> tuple[Choice, ...]:
    """The choices that explicit increments add up to."""
    said = join_deltas(deltas)
    found: list[Choice] = []
    for index in sorted(said) or [0]:
        own = [delta for delta in deltas if delta.choice == index]
        calls = _joined_calls([call for delta in own for call in delta.calls])
        reasons = [delta.finish_reason for delta in own if delta.finish_reason]
        reason = reasons[-1] if reasons else ("tool_calls" if calls else "stop")
        fields = said.get(index, {})
        if calls and not fields.get("content"):  # streams begin with an empty text
            fields["content"] = None
        found.append(Choice(index, message_of(fields, calls), reason, _joined_logprobs(own)))
    return tuple(found)


def message_of(fields: Mapping[str, Json], calls: tuple[ToolCall, ...]) -> Message:
    """A message by its plain keys; what has the wrong type is left out."""
    rest = dict(fields)
    content, role = rest.pop("content", None), rest.pop("role", None)
    reasoning, refusal = rest.pop("reasoning", None), rest.pop("refusal", None)
    audio, details, annotations = (
        rest.pop("audio", None),
        rest.pop("reasoning_details", None),
        rest.pop("annotations", None),
    )
    parts = tuple(content) if isinstance(content, (list, tuple)) else None
    return Message(
        content if isinstance(content, str) else parts,
        role if isinstance(role, str) else "assistant",
        refusal if isinstance(refusal, str) else None,
        audio if isinstance(audio, Mapping) else None,
        reasoning if isinstance(reasoning, str) else None,
        details if isinstance(details, (list, tuple)) else None,
        annotations if isinstance(annotations, (list, tuple)) else None,
        calls,
        rest,
    )


def _joined_logprobs(deltas: Sequence[Delta]) -> Mapping[str, Json] | None:
    """Log probabilities of all increments of a choice; lists one behind the other."""
    found: dict[str, Json] = {}
    for delta in deltas:
        for key, entries in (delta.logprobs or {}).items():
            before = found.get(key)
            joins = isinstance(before, list) and isinstance(entries, (list, tuple))
            found[key] = [*before, *entries] if joins else entries  # type: ignore[misc]
    return found or None


def _joined_calls(pieces: list[CallDelta]) -> tuple[ToolCall, ...]:
    found: dict[int, ToolCall] = {}
    for piece in pieces:
        before = found.get(piece.index) or ToolCall("", "")
        start = piece.start or before
        found[piece.index] = ToolCall(start.name, before.arguments + piece.arguments, start.id or before.id)
    return tuple([found[index] for index in sorted(found)])


def ended(deltas: tuple[Delta, ...], choices: tuple[Choice, ...]) -> tuple[Delta, ...]:
    """Explicit increments, with an end for each choice that has none."""
    told = {delta.choice for delta in deltas if delta.finish_reason is not None}
    return deltas + tuple(
        [
            Delta({}, (), choice.index, finish_reason=choice.finish_reason)
            for choice in choices
            if choice.index not in told
        ]
    )


def join_deltas(deltas: Sequence[Delta]) -> dict[int, dict[str, Json]]:
    """What the increments say, by choice: text joined, also inside mappings, the rest as it came last."""
    found: dict[int, dict[str, Json]] = {}
    for delta in deltas:
        _join(found.setdefault(delta.choice, {}), delta.fields)
    return found


def _join(into: dict[str, Json], fields: Mapping[str, Json]) -> None:
    for key, value in fields.items():
        before = into.get(key)
        if isinstance(before, str) and isinstance(value, str) and key not in ("role", "id"):
            into[key] = before + value
        elif isinstance(value, Mapping):
            inner = dict(before) if isinstance(before, Mapping) else {}
            _join(inner, value)
            into[key] = inner
        else:
            into[key] = value
