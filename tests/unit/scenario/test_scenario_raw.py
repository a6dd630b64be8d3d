"""`raw`: an HTTP answer written out, nothing added."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from mockbifrost.playback.timeline import timeline_of
from tests.harness import PROFILE_NAMES, ask_in, begin, chat, read, session_with


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    raw: Mapping[str, Any]
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


EVENTS = [
    {"comment": "hello\nworld"},
    {"data": {"a": [1, None]}, "event": "message", "id": "7"},
    {"data": "two\nlines"},
    {"raw": "data: {broken\n"},
    {"data": None},
]
CASES = (
    Case("nothing", {}, b""),
    Case("a status", {"status": 503}, b"", status=503),
    Case("json", {"json": {"a": "<ü>"}}, '{"a":"<ü>"}'.encode(), {"content-type": "application/json"}),
    Case("null", {"json": None}, b"null", {"content-type": "application/json"}),
    Case("text", {"text": "Grüße"}, "Grüße".encode(), {"content-type": "text/plain; charset=utf-8"}),
    Case("base64", {"base64": "/9j/\n4A=="}, b"\xff\xd8\xff\xe0", {"content-type": "application/octet-stream"}),
    Case(
        "a type of its own",
        {"text": "<p>", "headers": {"Content-Type": "text/html", "X-A": "ü"}},
        b"<p>",
        {"content-type": "text/html", "x-a": "ü"},
    ),
    Case("a header alone", {"headers": {"Location": "/x"}, "status": 307}, b"", {"location": "/x"}, 307),
    Case(
        "events",
        {"events": EVENTS, "done": True},
        b': hello\n: world\n\nevent: message\nid: 7\ndata: {"a":[1,null]}\n\ndata: two\ndata: lines\n\ndata: {broken\n'
        b"data: null\n\ndata: [DONE]\n\n",
        {"content-type": "text/event-stream"},
    ),
    Case("crlf", {"events": [{"data": "a"}], "eol": "crlf"}, b"data: a\r\n\r\n", {"content-type": "text/event-stream"}),
    Case(
        "cr",
        {"events": [{"data": "a"}], "done": True, "eol": "cr"},
        b"data: a\r\rdata: [DONE]\r\r",
        {"content-type": "text/event-stream"},
    ),
)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_it_goes_out_as_it_is_written(case: Case, version: Any, stream: bool) -> None:
    """Whatever the profile, and whether a stream was asked for or not."""
    response = ask_in(session_with({"raw": dict(case.raw)}, version=version), chat(stream=stream))

    assert (response.status, response.body, dict(response.headers)) == (case.status, case.body, case.headers)


def writes(raw: Mapping[str, Any], speed: float = 1) -> list[tuple[float, bytes]]:
    found = timeline_of(begin(session_with({"raw": dict(raw)}), chat()).outcome, speed)
    return [(frame.at_s, frame.mold.fill(())) for frame in found.frames] or [(0.0, found.body)]


def test_a_delay_comes_before_the_first_byte() -> None:
    assert writes({"text": "a", "delay": "2s"}) == [(2.0, b"a")]
    assert writes({"text": "a", "delay": "2s"}, speed=0) == [(0.0, b"a")]


def test_events_are_writes_of_their_own_and_may_pause() -> None:
    events = [{"data": "a"}, {"sleep": "500ms"}, {"data": "b"}]

    assert writes({"events": events, "done": True, "delay": "1s"}) == [
        (1.0, b"data: a\n\n"),
        (1.5, b"data: b\n\n"),
        (1.5, b"data: [DONE]\n\n"),
    ]


def test_split_cuts_every_piece_after_so_many_bytes() -> None:
    """Through characters too."""
    assert writes({"text": "aé€", "split": 2}) == [(0.0, b"a\xc3"), (0.0, b"\xa9\xe2"), (0.0, b"\x82\xac")]
    assert writes({"events": [{"data": "a"}], "split": 5}) == [(0.0, b"data:"), (0.0, b" a\n\n")]


def test_one_write_joins_all_when_the_last_is_due() -> None:
    events = [{"data": "a"}, {"sleep": "1s"}, {"data": "b"}]

    assert writes({"events": events, "one_write": True}) == [(1.0, b"data: a\n\ndata: b\n\n")]


def test_a_body_may_end_with_the_connection() -> None:
    exchange = begin(session_with({"raw": {"text": "a", "end": "close"}}), chat())

    found = timeline_of(exchange.outcome, 0)

    assert (found.end, found.length) == ("close", None)
    assert read(exchange).body == b"a"


def test_values_that_a_header_can_not_hold_are_refused_or_written_another_way() -> None:
    response = ask_in(session_with({"raw": {"headers": {"X-A": "a\tb"}}}), chat())

    assert response.header("x-a") == "a\tb"


def test_it_may_be_a_step_of_a_sequence() -> None:
    session = session_with({"sequence": [{"raw": {"status": 500}}, {"raw": {"json": 1}}, "x"]})

    assert [ask_in(session, chat()).status for _call in range(3)] == [500, 200, 200]


def test_a_status_below_400_is_an_answer_and_above_a_failure() -> None:
    assert not begin(session_with({"raw": {"status": 302}}), chat()).outcome.ended_badly
    assert begin(session_with({"raw": {"status": 404}}), chat()).outcome.ended_badly
