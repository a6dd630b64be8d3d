"""`pace` and `latency`: what an answer reports follows the script, at every speed."""

from typing import Any

import pytest

from mockbifrost.playback.timeline import timeline_of
from tests.harness import Response, ask, ask_in, begin, chat, read, session_with, stubs

PACE = {"ttft": "300ms", "tokens_per_second": 10, "chunk": "word"}


def asked(stub: dict[str, Any], **more: Any) -> Response:
    return ask_in(session_with({"reply": "one two three", **stub}, version="2.2"), chat(**more))


def latencies(response: Response) -> list[int]:
    return [chunk["extra_fields"]["latency"] for chunk in response.chunks]


def test_chunks_tell_the_time_since_the_one_before_and_the_last_the_whole() -> None:
    response = asked({"pace": PACE}, stream=True)

    assert latencies(response) == [300, 0, 100, 100, 500]
    assert response.chunks[-1]["extra_fields"]["upstream_latency"] == 500
    assert response.header("x-bifrost-upstream-latency-ms") == "300.000"


def test_a_dropped_role_leaves_its_time_to_the_next() -> None:
    session = session_with({"reply": "one two three", "pace": PACE}, version="1.6")

    assert latencies(ask_in(session, chat(stream=True))) == [300, 100, 100, 500]


def test_a_plain_answer_tells_the_ttft_and_its_tokens() -> None:
    response = asked({"pace": PACE})

    fields = response.json()["extra_fields"]
    assert (fields["latency"], fields["upstream_latency"]) == (600, 600)
    assert response.header("x-bifrost-upstream-latency-ms") == "600.000"


def test_latency_is_the_plain_answers_own() -> None:
    assert asked({"reply": {"content": "x", "latency": "1.5s"}}).json()["extra_fields"]["latency"] == 1500
    assert latencies(asked({"reply": {"content": "x", "latency": "1.5s"}, "pace": PACE}, stream=True))[-1] == 300


def test_without_a_pace_everything_takes_no_time() -> None:
    assert asked({}).json()["extra_fields"]["latency"] == 0
    assert latencies(asked({}, stream=True)) == [0, 0, 0, 0, 0]


def test_what_was_given_in_a_usage_sets_the_time_of_a_plain_answer() -> None:
    reply = {"content": "x", "usage": {"prompt_tokens": 1, "completion_tokens": 50}}

    assert asked({"reply": reply, "pace": PACE}).json()["extra_fields"]["latency"] == 5300


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("jitter", [0.0, 0.4])
def test_the_bytes_are_the_same_at_every_speed(stream: bool, jitter: float) -> None:
    session = session_with({"reply": "one two three", "pace": {**PACE, "jitter": jitter}}, version="2.2")
    exchange = begin(session, chat(stream=stream))

    bodies = {read(exchange, timeline_of(exchange.outcome, speed)).body for speed in (0, 0.1, 1, 50)}

    assert len(bodies) == 1


def test_jitter_is_drawn_from_the_request() -> None:
    stub = {"pace": {**PACE, "jitter": 0.5}}

    first, again = [latencies(asked(stub, stream=True)) for _time in range(2)]
    other = latencies(asked(stub, stream=True, seed=1))

    assert first == again != other
    assert 150 <= first[0] <= 450


@pytest.mark.parametrize(
    ("pace", "latency"),
    [
        pytest.param("instant", 0, id="instant"),
        pytest.param({"name": "instant", "ttft": "20ms"}, 20, id="a name and a number"),
        pytest.param({"ttft": "0s", "tokens_per_second": 3}, 1000, id="a rate alone"),
    ],
)
def test_a_pace_by_name_with_numbers_laid_over_it(pace: Any, latency: int) -> None:
    assert asked({"pace": pace}).json()["extra_fields"]["latency"] == latency


@pytest.mark.parametrize(("name", "low", "high"), [("typing", 280, 525), ("slow", 1_400, 3_100)])
def test_a_named_pace_takes_its_time(name: str, low: int, high: int) -> None:
    assert low <= asked({"pace": name}).json()["extra_fields"]["latency"] <= high


def test_a_step_may_have_its_own_pace() -> None:
    scenario = """
        - pace: {ttft: 1s}
          sequence:
            - {reply: a, pace: {ttft: 2s}}
            - b
    """
    session = session_with(
        {"pace": {"ttft": "1s"}, "sequence": [{"reply": "a", "pace": {"ttft": "2s"}}, "b"]}, version="2.2"
    )

    found = [ask_in(session, chat()).json()["extra_fields"]["latency"] for _call in range(2)]

    assert found == [2000, 1000]
    assert ask(stubs(scenario), chat(), version="2.2").json()["extra_fields"]["latency"] == 2000


def test_choices_are_told_in_turns() -> None:
    response = asked({"pace": PACE}, stream=True, n=2)

    indexes = [chunk["choices"][0]["index"] for chunk in response.chunks[:-1]]
    assert indexes == [0, 1, 0, 1, 0, 1, 0, 1]
    assert latencies(response) == [300, 0, 0, 0, 100, 0, 100, 0, 500]
