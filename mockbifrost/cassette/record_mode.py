"""What each record mode plays, asks and writes down, and when an answer says what the recorded one said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

import orjson

from mockbifrost.cassette.interaction import Headers, Interaction, RecordedResponse
from mockbifrost.provider.increments import delta_of
from mockbifrost.values import value
from mockbifrost.wire.jsontypes import object_in
from mockbifrost.wire.sse import DONE_DATA, Decoder

RecordMode = Literal["none", "once", "new_episodes", "all"]
"""`none` records nothing; `once` plays a cassette that holds something, and records into one that does not; `new_episodes` plays what
is there and records the rest; `all` asks always, and puts new answers in the place of the recorded ones."""
MODES: Final[tuple[RecordMode, ...]] = get_args(RecordMode)


@value
class Plan:
    """What becomes of a request that no stub answers: whether recordings are played, an upstream is asked, its answer is recorded.

    `ends`: after its last recording a request is a new one; else the last one is played again.
    """

    plays: bool
    asks: bool
    records: bool
    ends: bool = False


def plan_of(mode: RecordMode, *, recorded: bool, upstream: bool) -> Plan:
    """What a mode means where a cassette has recordings or none, and the server has an upstream or none."""
    if not upstream or mode == "none":
        return Plan(plays=True, asks=upstream, records=False)
    if mode == "once":
        return Plan(plays=recorded, asks=not recorded, records=not recorded)
    return Plan(plays=mode == "new_episodes", asks=True, records=True, ends=True)


_VOLATILE_KEYS: Final = frozenset(
    {
        "id", "created", "system_fingerprint", "latency", "upstream_latency", "request_id", "obfuscation", "queue_time", "prompt_time",
        "completion_time", "total_time", "x_groq",
    }
)  # fmt: skip
"""Keys of bodies, at any depth but in what is said, that differ from one answer to the next."""
_VOLATILE_HEADERS: Final = re.compile(
    r"date|age|expires|via|set-cookie|server-timing|content-length|retry-after(?:-ms)?|cf-.*|alt-svc|report-to|nel"
    r"|.*(?:request-id|trace-?id|ray|latency|processing-ms|ratelimit|rate-limit|duration|time|call)(?:-.*)?"
)


def says_the_same(before: RecordedResponse, after: RecordedResponse) -> bool:
    """Whether two responses differ only in what differs from time to time: ids, dates, times, limits, and where their pieces end."""
    return (
        before.status == after.status
        and _headers(before.headers) == _headers(after.headers)
        and before.is_stream == after.is_stream
        and _body(before) == _body(after)
    )


def _headers(headers: Headers) -> list[tuple[str, str]]:
    return sorted([pair for pair in headers if not _VOLATILE_HEADERS.fullmatch(pair[0])])


def _body(response: RecordedResponse) -> Any:
    ids: dict[str, int] = {}
    if response.is_stream:
        decoder = Decoder()
        events = [(event.event, _settled(event.data.encode(), ids)) for event in decoder.feed(response.body)]
        return events, decoder.pending
    return _settled(response.body, ids)


def _settled(data: bytes, ids: dict[str, int]) -> Any:
    """A body or an event without what varies; ids of calls by their order."""
    try:
        return _without(orjson.loads(data), ids)
    except orjson.JSONDecodeError:
        return data


def _without(item: Any, ids: dict[str, int]) -> Any:
    if isinstance(item, list):
        return [_without(one, ids) for one in item]
    if not isinstance(item, dict):
        return item
    found: dict[str, Any] = {}
    for key, inner in item.items():
        if key == "tool_calls" and isinstance(inner, list):
            found[key] = [_call(one, ids) for one in inner]
        elif key in ("message", "delta") and isinstance(inner, dict):
            calls = inner.get("tool_calls")
            said = {name: part for name, part in inner.items() if name != "tool_calls"}
            if isinstance(calls, list):
                said["tool_calls"] = [_call(one, ids) for one in calls]
            found[key] = said
        elif key not in _VOLATILE_KEYS:
            found[key] = _without(inner, ids)
    return found


def _call(call: Any, ids: dict[str, int]) -> Any:
    if not isinstance(call, dict) or not isinstance(call.get("id"), str):
        return call
    return {**call, "id": ids.setdefault(call["id"], len(ids))}


def ended_well(interaction: Interaction) -> bool:
    """Whether a response that came to its end is an answer: no error, and a stream that says that it is over, or JSON."""
    response = interaction.response
    if response.status >= 400:
        return False
    if not response.is_stream:
        return object_in(response.body) is not None
    reasons = False
    for event in Decoder().feed(response.body):
        if event.data == DONE_DATA:
            return True
        chunk = object_in(event.data)
        if chunk is None or chunk.get("error"):
            return False
        choices = chunk.get("choices")
        reasons = reasons or any(_has_reason(one) for one in choices) if isinstance(choices, list) else reasons
    return reasons


def _has_reason(choice: Any) -> bool:
    return isinstance(choice, Mapping) and delta_of(choice).finish_reason is not None
