"""What was measured on a released gateway: a scenario that only says how the providers behave gives the same attempts, waits and answer.

Source: wire.md 12 (failoverbench on 2.1.1). Every call is streamed, over a custom provider with two retries, and names one fallback.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from textwrap import dedent

import pytest

from mockbifrost.gateway.outcome import Trace
from mockbifrost.wire.profiles import ProfileName
from tests.harness import Response, ask, chat, stubs

SETTINGS = """
gateway:
  cost: none
  providers:
    bench: {max_retries: 2, timeout: 30s, stream_idle_timeout: 30s}
    backup: {}
"""
BODY = chat(model="bench/main", stream=True, fallbacks=["backup/spare"])
FALLBACK = "- {when: {provider: backup}, reply: The backup answers.}"
STORY = " ".join([f"word{number}" for number in range(60)])
NEWEST: tuple[ProfileName, ...] = ("documented", "2.2")


def run(text: str, version: ProfileName = "2.2") -> Response:
    return ask(stubs(f"{dedent(text).strip()}\n{FALLBACK}", before=SETTINGS), BODY, version=version)


def trail(response: Response) -> Sequence[Trace]:
    return response.exchange.outcome.trail


def starts(response: Response) -> list[float]:
    return [one.at_s for one in trail(response)]


def reported(response: Response) -> tuple[str, str]:
    """The model in the body, and the provider that served."""
    last = response.chunks[-1]
    return last["model"], last["extra_fields"]["provider"]


@pytest.mark.parametrize("version", NEWEST)
def test_a_429_with_retry_after_is_retried_once_and_its_wait_is_not_honoured(version: ProfileName) -> None:
    response = run(
        """
        - when: {provider: bench}
          sequence: [{error: {name: rate_limited, retry_after: 2s}}, Better now.]
        """,
        version,
    )

    assert [(one.provider, one.status) for one in trail(response)] == [("bench", 429), ("bench", 200)]
    assert 0.4 <= starts(response)[1] <= 0.6
    assert (response.text, reported(response)) == ("Better now.", ("main", "bench"))


@pytest.mark.parametrize("version", NEWEST)
@pytest.mark.parametrize(("error", "status"), [("rate_limited", 429), ("unavailable", 503)])
def test_what_fails_for_ever_is_tried_three_times_and_then_falls_back(
    error: str, status: int, version: ProfileName
) -> None:
    response = run(f"- {{when: {{provider: bench}}, error: {error}}}", version)

    asked = [(one.provider, one.status, one.number, one.fallback) for one in trail(response)]
    assert asked == [("bench", status, number, 0) for number in range(3)] + [("backup", 200, 0, 1)]
    first, second, third, fallback = starts(response)
    assert first == 0
    assert 0.4 <= second <= 0.6  # measured: 0.44 and 0.5
    assert 0.8 <= third - second <= 1.2  # measured: 1.06 and 1.1
    assert fallback == third
    assert (response.text, reported(response)) == ("The backup answers.", ("spare", "backup"))
    usage = response.chunks[-1]["usage"]
    assert usage["completion_tokens"] == 4


@pytest.mark.parametrize("version", NEWEST)
def test_a_callers_fault_is_not_retried_and_falls_back_at_once(version: ProfileName) -> None:
    response = run("- {when: {provider: bench}, error: context_length}", version)

    assert [(one.provider, one.status) for one in trail(response)] == [("bench", 400), ("backup", 200)]
    assert starts(response) == [0, 0]
    assert response.text == "The backup answers."


@pytest.mark.parametrize("version", NEWEST)
def test_a_reset_before_headers_is_asked_again_at_once_and_spends_no_retry(version: ProfileName) -> None:
    once = run("- {when: {provider: bench}, sequence: [{upstream: reset}, Good.]}", version)

    assert [one.provider for one in trail(once)] == ["bench", "bench"]
    assert starts(once) == [0, 0.002]
    assert once.text == "Good."

    for_ever = run("- {when: {provider: bench}, upstream: reset}", version)

    assert [one.provider for one in trail(for_ever)] == ["bench"] * 4 + ["backup"]  # one at once, and both retries


def test_a_stream_that_is_cut_ends_with_one_error_and_no_fallback() -> None:
    response = run(
        f"""
        - when: {{provider: bench}}
          reply: {STORY}
          pace: {{chunk: word}}
          upstream: {{cut: {{after_chunks: 40}}}}
        """
    )

    *chunks, error, rest = response.body.decode().split("\n\n")
    told = json.loads(error.removeprefix("data: "))
    content = [json.loads(chunk.removeprefix("data: "))["choices"][0]["delta"].get("content") for chunk in chunks]
    assert rest == ""
    assert sum(map(bool, content)) == 40
    assert told["error"]["message"] == (
        "provider closed the stream before sending a completion marker (upstream connection ended mid-stream)"
    )
    assert [one.provider for one in trail(response)] == ["bench"]
    assert response.status == 200
