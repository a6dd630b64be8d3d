"""The trail of attempts behind an answer out of the cache."""

from __future__ import annotations

import pytest

from tests.harness import ask_in, chat, session_with

KEY = {"x-bf-cache-key": "k"}
PACED = {"reply": "Hello there", "pace": {"ttft": "1s", "tokens_per_second": 1}}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_hit_is_one_attempt_that_takes_no_time(stream: bool) -> None:
    session = session_with(PACED)

    first, hit = [ask_in(session, chat(stream=stream), headers=KEY) for _ in range(2)]

    [asked] = first.exchange.outcome.trail
    [found] = hit.exchange.outcome.trail
    assert (asked.outcome, asked.took_s > 0, asked.stub is not None) == ("answer", True, True)
    assert (found.outcome, found.took_s, found.stub) == ("cached", 0.0, None)


def test_a_scripted_hit_names_its_stub() -> None:
    response = ask_in(session_with(PACED | {"cache": "hit"}), chat())

    [found] = response.exchange.outcome.trail
    assert (found.outcome, found.took_s, found.stub) == ("cached", 0.0, response.exchange.outcome.stub)
