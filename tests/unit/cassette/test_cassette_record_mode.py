"""What record modes mean, when an answer is worth keeping, and when it says what was recorded already."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mockbifrost.cassette.interaction import Interaction, Piece, RecordedRequest, RecordedResponse
from mockbifrost.cassette.record_mode import Plan, RecordMode, ended_well, plan_of, says_the_same

ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "created": 1,
    "model": "gpt-4o",
    "system_fingerprint": "fp_1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"total_tokens": 3},
    "extra_fields": {"provider": "openai", "latency": 12, "chunk_index": 0},
}
CALLS = [{"id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def response(body: Any, status: int = 200, kind: str = "application/json", **headers: str) -> RecordedResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = (("content-type", kind), *[(name.replace("_", "-"), text) for name, text in headers.items()])
    return RecordedResponse(status, "OK", pairs, raw, (Piece(5, len(raw)),))


def stream(*chunks: Any, done: bool = True) -> RecordedResponse:
    events = [chunk if isinstance(chunk, bytes) else json.dumps(chunk).encode() for chunk in chunks]
    tail = [b"[DONE]"] if done else []
    return response(b"".join([b"data: " + data + b"\n\n" for data in events + tail]), kind="text/event-stream")


@pytest.mark.parametrize(
    ("mode", "recorded", "upstream", "plan"),
    [
        ("none", True, False, Plan(plays=True, asks=False, records=False)),
        ("none", True, True, Plan(plays=True, asks=True, records=False)),
        ("once", False, True, Plan(plays=False, asks=True, records=True)),
        ("once", True, True, Plan(plays=True, asks=False, records=False)),
        ("new_episodes", True, True, Plan(plays=True, asks=True, records=True, ends=True)),
        ("all", True, True, Plan(plays=False, asks=True, records=True, ends=True)),
        ("all", True, False, Plan(plays=True, asks=False, records=False)),
    ],
    ids=["none", "none, forwarding", "once, empty", "once, full", "new episodes", "all", "nobody to ask"],
)
def test_a_mode_says_what_is_played_asked_and_recorded(
    mode: RecordMode, recorded: bool, upstream: bool, plan: Plan
) -> None:
    assert plan_of(mode, recorded=recorded, upstream=upstream) == plan


@pytest.mark.parametrize(
    "change",
    [
        {"id": "chatcmpl-2"},
        {"created": 99},
        {"system_fingerprint": "fp_2"},
        {"system_fingerprint": None},
        {"extra_fields": {"provider": "openai", "latency": 99, "chunk_index": 0}},
    ],
    ids=["id", "created", "fingerprint", "no fingerprint", "latency"],
)
def test_what_varies_from_time_to_time_says_nothing_new(change: dict[str, Any]) -> None:
    assert says_the_same(response(ANSWER), response({**ANSWER, **change}))


@pytest.mark.parametrize(
    "change",
    [
        {"model": "gpt-4o-2"},
        {"usage": {"total_tokens": 4}},
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Ho"}, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "length"}]},
        {"extra_fields": {"provider": "anthropic", "latency": 12, "chunk_index": 0}},
        {"service_tier": "flex"},
    ],
    ids=["model", "usage", "content", "finish", "provider", "new key"],
)
def test_all_else_does(change: dict[str, Any]) -> None:
    assert not says_the_same(response(ANSWER), response({**ANSWER, **change}))


def with_calls(id_: str, **said: Any) -> dict[str, Any]:
    message = {"role": "assistant", "tool_calls": [{**CALLS[0], "id": id_}], **said}
    return {**ANSWER, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}


def test_ids_of_calls_say_nothing_but_what_is_said_does_whatever_its_name() -> None:
    assert says_the_same(response(with_calls("call_a")), response(with_calls("call_b")))
    assert not says_the_same(response(with_calls("a", id="x")), response(with_calls("a", id="y")))


def test_headers_that_vary_say_nothing() -> None:
    before = response(ANSWER, x_request_id="a", date="Mon", x_ratelimit_remaining_tokens="5", x_bifrost_trace_id="t")
    after = response(ANSWER, x_request_id="b", date="Tue", x_ratelimit_remaining_tokens="4", x_bifrost_trace_id="u")

    assert says_the_same(before, after)
    assert not says_the_same(response(ANSWER, x_bifrost_provider="a"), response(ANSWER, x_bifrost_provider="b"))
    assert not says_the_same(response(ANSWER), response(ANSWER, 201))


def test_borders_and_times_of_a_stream_say_nothing() -> None:
    before = stream({"id": "1", "choices": [{"delta": {"content": "a"}}]})
    after = RecordedResponse(200, "OK", before.headers, before.body.replace(b'"1"', b'"2"'), (Piece(9, 1),))

    assert says_the_same(before, after)
    assert not says_the_same(before, stream({"id": "1", "choices": [{"delta": {"content": "b"}}]}))
    assert not says_the_same(before, stream({"id": "1", "choices": [{"delta": {"content": "a"}}]}, done=False))


def test_a_body_that_is_no_json_is_compared_as_it_is() -> None:
    assert says_the_same(response(b"<html>"), response(b"<html>"))
    assert not says_the_same(response(b"<html>"), response(b"<body>"))


CHUNK = {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]}
LAST = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("answer", "well"),
    [
        (response(ANSWER), True),
        (response(b"no json"), False),
        (response([1]), False),
        (response(ANSWER, 500), False),
        (response({"error": {"message": "x"}}, 401), False),
        (stream(CHUNK), True),
        (stream(CHUNK, LAST, done=False), True),
        (stream(CHUNK, done=False), False),
        (stream(CHUNK, {"error": {"message": "x"}}, done=False), False),
        (stream(b"no json", LAST, done=False), False),
        (stream(LAST, {"choices": None}, done=False), True),
        (stream([1], LAST, done=False), False),
    ],
    ids=[
        "an answer",
        "no JSON",
        "no object",
        "an error",
        "a refusal",
        "a stream",
        "a stream that says why it ends",
        "a stream that does not",
        "a stream with an error",
        "a stream with garbage",
        "a chunk without choices",
        "a chunk that is no object",
    ],
)
def test_what_ended_well(answer: RecordedResponse, well: bool) -> None:
    request = RecordedRequest("POST", "http://x/chat/completions", (), b"{}")

    assert ended_well(Interaction(request, answer)) is well
