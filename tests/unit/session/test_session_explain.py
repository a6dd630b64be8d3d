"""Explaining a request: who would answer, and why the others would not, without counting anything."""

import json
from typing import Any

from mockbifrost.cassette.recordings import Recordings
from mockbifrost.session.explain import explain
from mockbifrost.wire.headers import RequestHeaders
from tests.harness import ask_in, cassette_of, chat, open_session, provider_response, stubs


def text(scenario: str, body: dict[str, Any], **headers: str) -> str:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return explain(open_session(scenario), json.dumps(body).encode(), RequestHeaders(raw)).text()


SCENARIO = stubs(
    """
    - {name: gold, when: {headers: {x-tier: gold}}, reply: a}
    - {name: later, when: {user: refund}, active: {from: 10s}, reply: b}
    - {name: mine, when: {user: refund, key: openai-key-1}, reply: c}
    - {name: rest, reply: d}
    """
)


def test_it_names_who_answers_and_why_the_others_do_not() -> None:
    assert text(SCENARIO, chat("refund me")) == (
        'Answered by "mine" (test.yaml:5).\n'
        '  "gold" (test.yaml:3): 1 of 1 fields differ\n'
        "    headers.x-tier  wanted contains 'gold'  got no such header\n"
        '  "later" (test.yaml:4): matches but is not active now: clock at 0s, active from 10s\n'
        '  "rest" (test.yaml:6): matches but comes later'
    )


def test_headers_count() -> None:
    assert text(SCENARIO, chat("refund me"), x_tier="gold").startswith('Answered by "gold" (test.yaml:3).')


def test_nobody_may_answer() -> None:
    assert text(stubs("- {when: {turn: 2}, reply: a}"), chat()) == (
        "Nothing answers this request.\n  test.yaml:3: 1 of 1 fields differ\n    turn  wanted 2  got 0"
    )


def test_a_provider_may_refuse_before() -> None:
    found = text(stubs("- reply: a"), chat(n=0)).splitlines()[0]

    assert found == (
        "The provider refuses this request before any stub is asked: "
        "Invalid 'n': integer below minimum value. Expected a value >= 1, but got 0 instead."
    )


def test_it_counts_nothing() -> None:
    session = open_session(stubs("- {times: 1, reply: a}"))

    for _again in range(3):
        assert explain(session, json.dumps(chat()).encode()).answers is not None

    assert session.counters.counts == {}
    assert len(session.journal) == 0
    assert ask_in(session, chat()).text == "a"
    assert explain(session, json.dumps(chat()).encode()).text() == (
        "Nothing answers this request.\n  test.yaml:3: matches but was used 1 of 1 times"
    )


def test_a_recording_answers_what_no_stub_does() -> None:
    recordings = Recordings([cassette_of((chat("hello"), provider_response({"choices": []})))])
    session = open_session("version: 1", recordings=recordings)

    found = explain(session, json.dumps(chat("hello")).encode())

    assert found.answered
    assert found.text() == 'Answered by the recording "test.yaml#1" (cassettes/test.yaml).'
    assert explain(session, json.dumps(chat("hello")).encode()).answered  # nothing was counted


def test_what_no_recording_answers_is_told_what_differs() -> None:
    recordings = Recordings([cassette_of((chat("hello"), provider_response({"choices": []})))])

    found = explain(open_session("version: 1", recordings=recordings), json.dumps(chat("hallo")).encode())

    assert not found.answered
    assert "messages[0].content  wanted 'hello'  got 'hallo'" in found.text()
