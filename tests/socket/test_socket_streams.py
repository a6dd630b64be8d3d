"""Streams on the wire: what goes out in which write, in which order, with which times. No clock on the wall is asked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from mockbifrost import MockBifrost, Session
from tests.socket.raw_http import Connection, Response, chat, chat_body

STORY = "Once upon a time there was a small server that told the truth."
NEVER = "1h"
"""Longer than any test runs."""
PACED = f"""
version: 1
gateway: {{providers: {{openai: {{timeout: 1d, stream_idle_timeout: 1d}}}}}}
stubs:
  - {{when: {{user: story}}, pace: {{ttft: 2s, tokens_per_second: 4, chunk: word}}, reply: "{STORY}"}}
  - {{when: {{user: held}}, pace: {{ttft: {NEVER}}}, reply: "{STORY}"}}
  - {{when: {{user: unhurried}}, pace: {{ttft: {NEVER}, speed: 0}}, reply: "{STORY}"}}
"""


@pytest.fixture(scope="module")
def hurried() -> Iterator[MockBifrost]:
    """A server that waits, but a hundred thousand times shorter than is written."""
    with MockBifrost(PACED, speed=100_000) as server:
        yield server


@pytest.fixture(scope="module")
def instant() -> Iterator[MockBifrost]:
    with MockBifrost(PACED) as server:
        yield server


def frames_of(body: bytes) -> list[bytes]:
    return [frame + b"\n\n" for frame in body.split(b"\n\n")[:-1]]


def latencies(response: Response) -> list[int]:
    return [event["extra_fields"]["latency"] for event in response.events()]


def test_an_undelayed_stream_is_one_write(instant: MockBifrost) -> None:
    response = chat(instant.port, "story", stream=True)

    assert response.chunks == (response.body,)
    assert response.text == STORY
    assert response.header("content-type") == "text/event-stream"
    assert response.header("cache-control") == "no-cache"
    assert response.header("connection") == "keep-alive"
    assert response.header("content-length") is None


def test_a_paced_stream_is_cut_between_frames_only(hurried: MockBifrost) -> None:
    response = chat(hurried.port, "story", stream=True)

    frames = frames_of(response.body)
    borders = set(itertools.accumulate([len(frame) for frame in frames]))
    assert set(itertools.accumulate([len(chunk) for chunk in response.chunks])) <= borders
    assert response.text == STORY


def test_the_pace_changes_no_byte(hurried: MockBifrost, instant: MockBifrost) -> None:
    paced, whole = (chat(server.port, "story", stream=True) for server in (hurried, instant))

    assert paced.body == whole.body


def test_what_is_reported_follows_the_script(instant: MockBifrost) -> None:
    response = chat(instant.port, "story", stream=True)

    # The role and the first word after the ttft, a word each 250 ms, the last word and its full stop are two tokens;
    # the chunk with the usage reports the whole time.
    *steps, whole = latencies(response)
    assert steps == [2000, 0, *[250] * (len(STORY.split()) - 2), 500]
    assert whole == sum(steps)


def test_chunks_are_counted_from_zero(hurried: MockBifrost) -> None:
    events = chat(hurried.port, "story", stream=True).events()

    assert [event["extra_fields"]["chunk_index"] for event in events] == list(range(len(events)))


def test_the_first_chunks_come_before_the_last_are_due(server: MockBifrost, session: Session) -> None:
    session.when(user="slow").pace(tokens_per_second=0.001, speed=1, chunk="word").reply("one two")
    with Connection(server.port) as connection:
        connection.send_chat("slow", session, stream=True)
        assert connection.head().status == 200
        begun = frames_of(connection.chunk())

    assert [b'"role":"assistant"' in frame for frame in begun] == [True, False]
    assert b'"content":"one"' in begun[1]


def test_a_stub_may_wait_for_nothing_on_a_server_that_waits(hurried: MockBifrost) -> None:
    with MockBifrost(PACED, speed=1) as server:
        assert chat(server.port, "unhurried", stream=True).text == STORY
        assert chat(server.port, "unhurried").text == STORY


def test_an_error_before_the_stream_is_plain_json(server: MockBifrost, session: Session) -> None:
    session.when(user="fail").error("overloaded")
    with Connection(server.port) as connection:
        connection.send_chat("fail", session, stream=True)
        response = connection.response()

    assert (response.status, response.header("content-type")) == (529, "application/json")
    assert response.json()["error"]["type"] == "overloaded_error"


def test_plain_and_streamed_have_the_same_words(instant: MockBifrost) -> None:
    assert chat(instant.port, "story", stream=True).text == chat(instant.port, "story").text == STORY


def test_several_choices_are_streamed_side_by_side(instant: MockBifrost) -> None:
    events = chat(instant.port, "story", stream=True, n=3).events()

    texts = ["", "", ""]
    for choice in [choice for event in events for choice in event["choices"]]:
        texts[choice["index"]] += choice["delta"].get("content") or ""
    assert texts == [STORY] * 3


def test_many_paced_streams_do_not_mix(hurried: MockBifrost) -> None:
    connections = [Connection(hurried.port) for _ in range(50)]
    try:
        for number, connection in enumerate(connections):
            connection.send_path("/s/many" + "/v1/chat/completions", chat_body("story", stream=True, user=f"u{number}"))
        texts = {connection.response().text for connection in connections}
    finally:
        for connection in connections:
            connection.close()

    assert texts == {STORY}


def test_a_reader_that_is_slow_gets_all_of_a_long_stream(server: MockBifrost, session: Session) -> None:
    words = " ".join([f"word{number}" for number in range(5_000)])
    session.when(user="long").reply(words)
    with Connection(server.port) as connection:
        connection.send_chat("long", session, stream=True)
        connection.send_chat("long", session)  # waits behind a stream of many megabytes that nobody has read yet
        streamed, plain = connection.response(), connection.response()

    assert streamed.text == plain.text == words
    assert len(streamed.body) > 1_000_000
