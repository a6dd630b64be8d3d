"""A response as frames with the real time of each write."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.playback.timeline import Timeline, timeline_of
from tests.harness import ask_in, begin, chat, read, session_with
from tests.strategies import PACES, REPLIES, REQUESTS

PACED = {"pace": {"ttft": "300ms", "tokens_per_second": 10, "chunk": "word"}, "reply": "Hello there"}


def timeline(stub: dict[str, Any], speed: float, **more: Any) -> Timeline:
    return timeline_of(begin(session_with(stub), chat(**more)).outcome, speed)


def written(found: Timeline) -> bytes:
    return found.body + b"".join([frame.mold.fill(found.values) for frame in found.frames])


def times(found: Timeline) -> list[float]:
    return [frame.at_s for frame in found.frames]


def test_at_speed_zero_all_is_one_body() -> None:
    found = timeline(PACED, 0, stream=True)

    assert found.frames == ()
    assert found.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(("speed", "factor"), [(1, 1), (2, 0.5), (0.1, 10)])
def test_a_speed_scales_every_wait(speed: float, factor: float) -> None:
    assert times(timeline(PACED, speed, stream=True)) == pytest.approx(
        [factor * at_s for at_s in (0.3, 0.3, 0.4, 0.4, 0.4)]
    )


def test_a_plain_answer_is_one_frame_at_its_latency() -> None:
    assert times(timeline(PACED, 1)) == pytest.approx([0.5])


def test_what_is_due_at_once_needs_no_frames() -> None:
    assert timeline({"reply": "Hello there"}, 1, stream=True).frames == ()


def test_a_stubs_own_speed_beats_the_servers() -> None:
    stub = {**PACED, "pace": {**PACED["pace"], "speed": 0}}  # type: ignore[dict-item]

    assert timeline(stub, 1, stream=True).frames == ()
    stub = {**PACED, "pace": {**PACED["pace"], "speed": 10}}  # type: ignore[dict-item]
    assert times(timeline(stub, 0, stream=True))[0] == pytest.approx(0.03)


def test_only_frames_with_content_are_chunks_as_clients_count_them() -> None:
    found = timeline(PACED, 1, stream=True)

    assert [frame.content for frame in found.frames] == [False, True, True, False, False]


def test_a_plain_answer_tells_its_length_and_a_stream_does_not() -> None:
    plain, stream = timeline(PACED, 1), timeline(PACED, 1, stream=True)

    assert plain.length == len(written(plain)) == len(timeline(PACED, 0).body)
    assert stream.length is None


@given(REQUESTS, REPLIES, PACES, st.booleans(), st.sampled_from([0.25, 1.0, 1000.0]))
def test_the_bytes_are_the_same_at_every_speed(
    body: dict[str, Any], reply: dict[str, Any], pace: dict[str, Any], stream: bool, speed: float
) -> None:
    exchange = begin(session_with({"reply": reply, "pace": pace}), {**body, "stream": stream})

    found = timeline_of(exchange.outcome, speed)

    assert written(found) == read(exchange).body
    assert times(found) == sorted(times(found))


RAW_STREAM = {"raw": {"events": [{"data": "a"}, {"sleep": "1s"}, {"data": "b"}], "done": True}}


def test_raw_pieces_keep_their_writes_and_their_times() -> None:
    found = timeline(RAW_STREAM, 2)

    assert times(found) == [0.0, 0.5, 0.5]
    assert not found.joined
    assert found.length is None


def test_raw_pieces_are_writes_of_their_own_at_speed_zero_too() -> None:
    """`split` would say nothing if they were joined."""
    found = timeline({"raw": {"text": "abcdef", "split": 2}}, 0)

    assert [frame.mold.fill(()) for frame in found.frames] == [b"ab", b"cd", b"ef"]
    assert not found.joined


def test_one_raw_piece_that_is_due_at_once_is_a_body_with_a_length() -> None:
    found = timeline({"raw": {"text": "abc"}}, 1)

    assert (found.body, found.frames, found.length) == (b"abc", (), 3)


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(status: int) -> None:
    response = ask_in(session_with({"raw": {"status": status, "text": "abc"}}), chat())

    assert (response.status, response.body) == (status, b"")


def test_a_stated_length_that_is_right_is_told_once() -> None:
    found = timeline({"raw": {"text": "abc", "headers": {"Content-Length": "3"}}}, 0)

    assert (found.length, found.end) == (3, "clean")
    assert not [name for name, _value in found.headers if name == b"content-length"]


def test_a_stated_length_that_is_wrong_goes_out_and_the_connection_ends() -> None:
    found = timeline({"raw": {"text": "abc", "headers": {"Content-Length": "9"}}}, 0)

    assert (found.length, found.end) == (None, "close")
    assert (b"content-length", b"9") in found.headers


def test_a_transfer_coding_of_the_script_is_left_out() -> None:
    found = timeline({"raw": {"text": "abc", "headers": {"Transfer-Encoding": "chunked"}}}, 0)

    assert not [name for name, _value in found.headers if name == b"transfer-encoding"]
