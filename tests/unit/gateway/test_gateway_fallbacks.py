"""Fallbacks of a request: who is asked, whose answer and whose error comes back."""

import pytest

from mockbifrost.playback.timeline import timeline_of
from tests.harness import PROFILE_NAMES, Response, ask, ask_in, chat, open_session, retry, stubs

FALLBACKS = ["anthropic/claude", "groq/llama"]
TRAIL = stubs(
    """
    - {name: o, when: {provider: openai}, pace: {ttft: 200ms}, error: {status: 503, message: primary}}
    - {name: a, when: {provider: anthropic}, pace: {ttft: 300ms}, error: {status: 429, message: second}}
    - {name: g, when: {provider: groq}, pace: {ttft: 100ms}, reply: third}
    """
)
ALL_FAIL = TRAIL.replace("reply: third", "error: {status: 400, message: third}")


def trail(response: Response) -> list[tuple[str, str, int, str, int]]:
    return [
        (trace.provider, trace.model, trace.fallback, trace.outcome, trace.status)
        for trace in response.exchange.outcome.trail
    ]


def test_targets_are_asked_in_turn_until_one_answers() -> None:
    response = ask(TRAIL, chat(fallbacks=FALLBACKS))

    assert response.text == "third"
    assert trail(response) == [
        ("openai", "gpt-4o", 0, "error", 503),
        ("anthropic", "claude", 1, "error", 429),
        ("groq", "llama", 2, "answer", 200),
    ]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_an_answer_from_the_cache_is_one_line_of_the_trail_and_took_no_time(stream: bool) -> None:
    """The cache is asked for each target: the primary fails again, the fallback need not be asked."""
    session = open_session(TRAIL)
    request = chat(fallbacks=FALLBACKS[1:], stream=stream)
    headers = {"x-bf-cache-key": "k"}

    first, second = ask_in(session, request, headers=headers), ask_in(session, request, headers=headers)

    assert trail(first) == [("openai", "gpt-4o", 0, "error", 503), ("groq", "llama", 1, "answer", 200)]
    assert trail(second) == [("openai", "gpt-4o", 0, "error", 503), ("groq", "llama", 1, "cached", 200)]
    assert [response.exchange.outcome.trail[-1].took_s for response in (first, second)] == [0.1, 0.0]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_the_answer_is_that_of_the_one_who_served(version: str, stream: bool) -> None:
    scenario = TRAIL.replace("version: 1\n", f'version: 1\ngateway: {{version: "{version}"}}\n')

    response = ask(scenario, chat(fallbacks=FALLBACKS, stream=stream))

    body = response.chunks[0] if stream else response.json()
    assert body["model"] == "llama"
    assert body["extra_fields"]["provider"] == "groq"
    assert response.header("x-bifrost-provider") == "groq"
    assert response.header("x-bifrost-fallback-index") == "2"


def test_2_2_says_that_it_is_a_fallback_and_for_whom() -> None:
    body = ask(TRAIL, chat(fallbacks=FALLBACKS), version="2.2").json()

    assert body["extra_fields"]["routing_info"] == {
        "provider": "groq",
        "model": "llama",
        "key": "groq-key-1",
        "is_fallback": True,
        "primary_provider": "openai",
        "primary_model": "gpt-4o",
    }


def test_where_all_fail_the_primarys_error_comes_back() -> None:
    response = ask(ALL_FAIL, chat(fallbacks=FALLBACKS), version="2.2")

    assert (response.status, response.error["message"]) == (503, "primary")
    assert response.json()["extra_fields"]["provider"] == "openai"
    assert response.header("x-bifrost-fallback-index") is None
    assert len(response.exchange.outcome.trail) == 3


def test_an_error_tells_its_own_time_and_comes_when_all_have_failed() -> None:
    """`latency` is the primary's; the response waits for every attempt."""
    response = ask(ALL_FAIL, chat(fallbacks=FALLBACKS), version="2.2")

    assert response.json()["extra_fields"]["latency"] == 200
    (frame,) = timeline_of(response.exchange.outcome, 1).frames
    assert frame.at_s == pytest.approx(0.6)


def test_an_answer_waits_for_those_who_failed_and_tells_its_own_time() -> None:
    response = ask(TRAIL, chat(fallbacks=FALLBACKS), version="2.2")

    assert response.json()["extra_fields"]["latency"] == 100
    (frame,) = timeline_of(response.exchange.outcome, 1).frames
    assert frame.at_s == pytest.approx(0.6)


def test_a_later_attempt_comes_later_on_the_clock() -> None:
    response = ask(TRAIL, chat(fallbacks=FALLBACKS))

    traces = response.exchange.outcome.trail
    assert [trace.at_s for trace in traces] == pytest.approx([0.0, 0.2, 0.5])
    assert [trace.took_s for trace in traces] == pytest.approx([0.2, 0.3, 0.1])


def test_a_window_opens_between_two_attempts_of_one_request() -> None:
    """Inside a call time is the clock plus the waits so far."""
    scenario = stubs(
        """
        - {when: {provider: openai}, pace: {ttft: 5s}, error: overloaded}
        - {active: {from: 5s}, reply: late}
        - {when: {provider: groq}, reply: early}
        """
    )

    assert ask(scenario, chat(fallbacks=["groq/llama"])).text == "late"
    assert ask(scenario, chat(model="groq/llama")).text == "early"


def test_without_fallbacks_the_error_comes_back() -> None:
    assert ask(TRAIL, chat()).status == 503
    assert ask(TRAIL, chat(fallbacks=[])).status == 503


def test_fallbacks_that_name_nobody_are_dropped() -> None:
    response = ask(TRAIL, chat(fallbacks=["nobody/x", "groq/llama"]))

    assert trail(response)[1:] == [("groq", "llama", 1, "answer", 200)]


def test_a_fallback_may_be_the_same_provider_with_another_model() -> None:
    scenario = stubs("- {when: {model: gpt-4o}, error: model_not_found}\n- reply: '{{ model }}'")

    assert ask(scenario, chat(fallbacks=["openai/gpt-4o-mini"])).text == "gpt-4o-mini"


def test_when_knows_which_fallback_it_is() -> None:
    scenario = stubs("- {when: {fallback: 2}, reply: third}\n- error: overloaded")

    assert ask(scenario, chat(fallbacks=FALLBACKS)).text == "third"


def test_an_attempt_that_no_stub_answers_is_a_miss_for_the_request() -> None:
    """Never a failure that falls back, and never hidden by the primary's error."""
    scenario = stubs("- {when: {provider: openai}, error: overloaded}\n- {when: {provider: groq}, reply: x}")

    response = ask(scenario, chat(fallbacks=FALLBACKS))

    assert (response.status, response.entry.error) == (400, "no_match")
    assert trail(response)[-1] == ("anthropic", "claude", 1, "miss", 400)


def test_a_gateway_error_of_a_target_fails_that_target() -> None:
    scenario = stubs("- {when: {provider: openai}, gateway_error: budget_exceeded}\n- reply: ok")

    assert ask(scenario, chat(fallbacks=FALLBACKS)).text == "ok"
    assert ask(scenario, chat()).status == 402


def test_a_gateway_error_of_the_request_ends_it() -> None:
    scenario = stubs("- {when: {provider: openai}, gateway_error: virtual_key_expired}\n- reply: ok")

    response = ask(scenario, chat(fallbacks=FALLBACKS))

    assert response.status == 403
    assert trail(response) == [("openai", "gpt-4o", 0, "refusal", 403)]


def test_a_gateway_error_of_the_request_met_later_fails_only_its_target() -> None:
    scenario = stubs(
        """
        - {when: {provider: openai}, error: overloaded}
        - {when: {provider: anthropic}, gateway_error: queue_full}
        - {when: {provider: groq}, reply: ok}
        """
    )

    assert ask(scenario, chat(fallbacks=FALLBACKS)).text == "ok"
    assert ask(scenario, chat(fallbacks=FALLBACKS[:1])).status == 529


def test_a_written_gateway_error_ends_the_request() -> None:
    scenario = stubs("- {when: {provider: openai}, gateway_error: {message: No., status: 403}}\n- reply: ok")

    assert ask(scenario, chat(fallbacks=FALLBACKS)).error == {"message": "No."}


def test_raw_at_a_later_attempt_ends_the_request() -> None:
    scenario = stubs("- {when: {provider: openai}, error: overloaded}\n- raw: {status: 503, text: gone}\n- reply: ok")

    response = ask(scenario, chat(fallbacks=FALLBACKS))

    assert (response.status, response.body) == (503, b"gone")
    assert [row[3] for row in trail(response)] == ["error", "raw"]


def test_a_failure_that_fell_back_is_spent_by_the_attempt() -> None:
    """The client saw a good answer; the next call finds the primary mended."""
    session = open_session(
        stubs("- {when: {provider: openai}, times: 1, error: overloaded}\n- reply: '{{ provider }}'")
    )

    assert ask_in(session, chat(fallbacks=FALLBACKS)).text == "anthropic"
    assert ask_in(session, chat(fallbacks=FALLBACKS)).text == "openai"


def test_a_retry_of_a_call_that_a_fallback_answered_gets_the_same_from_the_fallback() -> None:
    scenario = stubs("- {when: {provider: openai}, error: overloaded}\n- sequence: [one, two]")
    session = open_session(scenario)

    first = ask_in(session, chat(fallbacks=FALLBACKS), headers=retry(0))
    again = ask_in(session, chat(fallbacks=FALLBACKS), headers=retry(1))

    assert (first.text, again.text) == ("one", "one")
    assert first.body == again.body
