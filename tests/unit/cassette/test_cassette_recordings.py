"""Recordings in a session: what was recorded comes back, as it was from a gateway, as a provider's answer from a provider."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.cassette.format import read_text
from mockbifrost.cassette.interaction import About, Interaction, Piece
from mockbifrost.cassette.keys import Ignore
from mockbifrost.cassette.recordings import Matching, Recordings
from mockbifrost.cassette.redact import Redactor
from mockbifrost.cassette.writing import HEAD, interaction_text
from mockbifrost.session.session import Session
from mockbifrost.session.verify import Checks, verify
from mockbifrost.wire.headers import HOP_BY_HOP
from tests.harness import (
    PROFILE_NAMES,
    Response,
    ask_in,
    cassette_of,
    chat,
    folded,
    open_session,
    provider_response,
    recorded,
    retry,
    session_with,
    stubs,
)
from tests.strategies import PACES, REPLIES, REQUESTS, TEXTS

NEVER = "- {when: {user: never asked}, reply: Never.}"
NOTHING = stubs(NEVER)
WILLING = stubs(NEVER, before="gateway: {providers: {openai: {validate: false}, anthropic: {validate: false}}}")


def playing(*interactions: Any, scenario: str = NOTHING, matching: Matching | None = None) -> Session:
    """A session with recordings, and no stub that answers."""
    return open_session(scenario, recordings=Recordings([cassette_of(*interactions)], matching or Matching()))


def completion(text: str | None = "Hello.", /, **more: Any) -> dict[str, Any]:
    """A plain answer of a provider."""
    message = {"role": "assistant", "content": text, "refusal": None, **more.pop("message", {})}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": more.pop("finish_reason", "stop")}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    head = {"id": "chatcmpl-9", "object": "chat.completion", "created": 7, "model": "gpt-4o-2024-08-06"}
    return {**head, "choices": [choice], "usage": usage, **more}


def failure(status: int, **headers: str) -> Any:
    error = {"message": "Busy.", "type": "server_error", "code": None}
    return provider_response({"error": error}, status, **headers)


def without_waits(pace: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in pace.items() if key == "chunk"}


def kept(response: Response) -> list[tuple[str, str]]:
    return [pair for pair in response.headers if pair[0] not in HOP_BY_HOP - {"content-type", "server"}]


@given(REPLIES, PACES, REQUESTS, st.sampled_from(PROFILE_NAMES))
def test_what_a_gateway_answered_is_played_byte_for_byte(
    reply: dict[str, Any], pace: dict[str, Any], body: dict[str, Any], version: Any
) -> None:
    first = ask_in(session_with({"reply": reply, "pace": without_waits(pace)}, version=version), body)
    session = playing(recorded(body, first, source="gateway"))

    again = ask_in(session, body)

    assert (again.status, again.body) == (first.status, first.body)
    assert kept(again) == kept(first)


@given(REPLIES, REQUESTS, st.booleans())
def test_a_recorded_stream_answers_a_plain_request_and_the_other_way_round(
    reply: dict[str, Any], body: dict[str, Any], stream: bool
) -> None:
    body, other = ({**body, "stream": flag} for flag in (stream, not stream))
    first = ask_in(session_with({"reply": {**reply, "fragments": "openai"}}), body)

    again = ask_in(playing(recorded(body, first, source="gateway"), scenario=WILLING), other)

    assert again.status == first.status == 200
    plain, streamed = (again, first) if stream else (first, again)
    for choice in plain.json()["choices"]:
        index, message = choice["index"], choice["message"]
        said = folded(streamed.deltas(index))
        content = message.get("content")
        if isinstance(content, str):
            assert (said.get("content") or "") == content
        assert said.get("refusal") == message.get("refusal")
        assert said.get("reasoning") == message.get("reasoning")
        calls = [(call["id"], call["name"], call["arguments"]) for call in said.get("tool_calls", [])]
        functions = [(one["id"], one["function"]) for one in message.get("tool_calls", [])]
        assert calls == [(id_, function["name"], function["arguments"]) for id_, function in functions]
        choices = [one for chunk in streamed.chunks for one in chunk["choices"] if one["index"] == index]
        assert choices[-1]["finish_reason"] == choice["finish_reason"]
    usage, last = plain.json()["usage"] or {}, streamed.chunks[-1]["usage"]
    for key in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert last.get(key, 0) == usage.get(key, 0)
    assert streamed.chunks[0]["id"] == plain.json()["id"]


@given(REQUESTS, REPLIES, st.sampled_from(["gateway", "provider"]))
def test_a_recording_is_found_by_its_own_request(body: dict[str, Any], reply: dict[str, Any], source: Any) -> None:
    first = ask_in(session_with({"reply": reply}, gateway={"raw": {"response": source == "provider"}}), body)
    session = playing(recorded(body, first, source=source), scenario=WILLING)

    again = ask_in(session, body)

    assert again.entry.error is None
    assert again.exchange.outcome.stub is not None
    assert again.exchange.outcome.stub.label == "test.yaml#1"


ONE_CHOICE = REQUESTS.filter(lambda body: body.get("n", 1) in (None, 1))
OPENAIS = REPLIES.filter(lambda reply: reply.get("annotations") != []).map(
    lambda reply: {**reply, "cost": None, "fragments": "openai", "latency": "0s"}
)
"""OpenAI says `annotations: []` where there are none, so a recording can't tell that somebody scripted it."""


@given(OPENAIS, ONE_CHOICE)
def test_what_a_provider_answered_becomes_what_the_gateway_made_of_it(
    reply: dict[str, Any], body: dict[str, Any]
) -> None:
    """The same reply, once scripted behind the gateway, once recorded from its provider: the client can't tell."""
    body = {**body, "model": "openai/gpt-4o", "fallbacks": []}
    expected = ask_in(session_with({"reply": reply}), body)
    told = ask_in(session_with({"reply": reply}, gateway={"raw": {"response": True}}), body)
    session = playing(recorded({**body, "model": "gpt-4o"}, told, source="provider"), scenario=WILLING)

    again = ask_in(session, body)

    assert again.status == 200
    if body.get("stream"):
        assert [_words(chunk) for chunk in again.chunks] == [_words(chunk) for chunk in expected.chunks]
    else:
        assert _words(again.json()) == _words(expected.json())


def _words(body: dict[str, Any]) -> dict[str, Any]:
    """An answer without what OpenAI always says and a script may leave out: zeros among the details of the usage."""
    usage = body.get("usage") or {}
    counts = {key: item for key, item in usage.items() if not key.endswith("_details") and key != "cost"}
    return {**body, "usage": counts}


def test_recordings_of_one_request_come_in_their_order() -> None:
    rows = [(chat("hi"), provider_response(completion(text))) for text in ("one", "two")]
    session = playing(*rows)

    assert [ask_in(session, chat("hi")).text for _ in range(2)] == ["one", "two"]
    assert ask_in(session, chat("hi")).error["type"] == "mockbifrost_no_match"


def test_the_last_recording_may_come_again() -> None:
    session = playing((chat("hi"), provider_response(completion("one"))), matching=Matching(on_end="repeat"))

    assert [ask_in(session, chat("hi")).text for _ in range(3)] == ["one", "one", "one"]


def test_other_requests_in_between_change_no_order() -> None:
    rows = [(chat(user), provider_response(completion(f"{user} {number}"))) for number in (1, 2) for user in ("a", "b")]
    session = playing(*rows)

    assert [ask_in(session, chat(user)).text for user in "baab"] == ["b 1", "a 1", "a 2", "b 2"]


def test_a_retry_of_a_call_gets_its_answer_again() -> None:
    rows = [(chat("hi"), provider_response(completion(text))) for text in ("one", "two")]
    session = playing(*rows)

    texts = [ask_in(session, chat("hi"), headers=retry(count)).text for count in (0, 1)]

    assert texts == ["one", "one"]
    assert ask_in(session, chat("hi"), headers=retry(0)).text == "two"


def test_streams_and_plain_answers_are_counted_apart() -> None:
    body = chat("hi", stream=True)
    stream = recorded(body, ask_in(session_with("streamed"), body), source="provider")
    session = playing((chat("hi"), provider_response(completion("plain"))), stream)

    assert ask_in(session, body).text == "streamed"
    assert ask_in(session, chat("hi")).text == "plain"


def test_exact_recordings_answer_only_their_own_kind() -> None:
    session = playing((chat("hi"), provider_response(completion())), matching=Matching(exact=True))

    response = ask_in(session, chat("hi", stream=True))

    assert response.status == 400
    why = "matches but was asked without a stream, and recordings must fit exactly (`exact`)"
    assert f'nearest: "test.yaml#1" (cassettes/test.yaml) {why}' in response.error["message"]
    assert ask_in(session, chat("hi")).status == 200


def test_stubs_go_before_recordings() -> None:
    scenario = stubs("- {when: {user: hi}, reply: scripted}")

    assert (
        ask_in(playing((chat("hi"), provider_response(completion())), scenario=scenario), chat("hi")).text == "scripted"
    )


def test_a_recorded_failure_is_retried_as_the_gateway_retries() -> None:
    scenario = stubs(NEVER, before="gateway: {providers: {openai: {max_retries: 1}}}")
    rows = [(chat("hi"), failure(503)), (chat("hi"), provider_response(completion("Here.")))]

    response = ask_in(playing(*rows, scenario=scenario), chat("hi", model="openai/gpt-4o"))

    assert response.text == "Here."
    assert [(trace.number, trace.outcome, trace.status) for trace in response.exchange.outcome.trail] == [
        (0, "error", 503),
        (1, "answer", 200),
    ]


def test_a_recorded_failure_falls_back_to_a_recorded_answer() -> None:
    rows = [
        (chat("hi"), failure(500)),
        (chat("hi", model="claude-x"), provider_response(completion("Fallback."))),
    ]

    response = ask_in(playing(*rows), chat("hi", model="openai/gpt-4o", fallbacks=["anthropic/claude-x"]))

    assert response.text == "Fallback."
    assert response.json()["extra_fields"]["provider"] == "anthropic"


def test_the_simulated_cache_keeps_what_a_recorded_provider_said() -> None:
    session = playing((chat("hi"), provider_response(completion("Kept."))))

    answers = [ask_in(session, chat("hi"), headers={"x-bf-cache-key": "k"}) for _ in range(2)]

    assert [answer.text for answer in answers] == ["Kept.", "Kept."]
    assert answers[1].json()["extra_fields"]["cache_debug"]["cache_hit"] is True


def test_the_simulated_gateway_prices_what_a_recorded_provider_said() -> None:
    scenario = stubs(NEVER, before="gateway: {pricing: {openai/gpt-4o: {input: 1, output: 10}}}")
    session = playing((chat("hi"), provider_response(completion())), scenario=scenario)

    usage = ask_in(session, chat("hi", model="openai/gpt-4o")).json()["usage"]

    assert usage["cost"]["total_cost"] == pytest.approx((3 * 1 + 2 * 10) / 1e6)


def test_headers_of_a_recorded_provider_are_handed_on() -> None:
    told = provider_response(completion(), x_ratelimit_remaining_requests="9", content_encoding="gzip")

    response = ask_in(playing((chat("hi"), told)), chat("hi"))

    assert response.header("x-ratelimit-remaining-requests") == "9"
    assert response.header("content-encoding") is None


@pytest.mark.parametrize(("source", "end_s"), [("gateway", 0.1), ("provider", 0.09)])
def test_what_comes_in_pieces_comes_at_the_times_at_which_it_was_recorded(source: Any, end_s: float) -> None:
    body = chat("hi", stream=True)
    scripted = session_with(
        {"reply": "a b", "pace": {"chunk": "word"}}, gateway={"raw": {"response": source == "provider"}}
    )
    times_ms = [10, 20, 50, 90, 100]
    session = playing(recorded(body, ask_in(scripted, body), source=source, times_ms=times_ms))

    cast = ask_in(session, body).exchange.outcome.cast

    assert cast.times_s[:3] == (0.01, 0.02, 0.05)
    assert cast.times_s[-1] in (end_s, 0.1)


def test_borders_that_no_longer_fit_the_body_are_an_event_each() -> None:
    body = chat("hi", stream=True)
    first = ask_in(session_with("a b"), body)
    interaction = recorded(body, first, source="gateway", times_ms=[10, 20, 50, 90, 100])
    session = playing(with_body(interaction, first.body.replace(b'"content":"a"', b'"content":"another"')))

    response = ask_in(session, body)

    assert folded([chunk["choices"][0]["delta"] for chunk in response.chunks])["content"] == "another b"
    assert [frame.literals[0].count(b"data:") for frame in response.exchange.outcome.cast.frames] == [1] * 5
    assert response.exchange.outcome.cast.times_s == (0.01, 0.02, 0.05, 0.09, 0.1)


@pytest.mark.parametrize("borders", ["as many as events", "fewer"])
def test_a_stream_that_was_edited_in_its_file_takes_as_long_as_it_took(borders: str) -> None:
    body = chat("hi", stream=True)
    first = ask_in(session_with("a b"), body)
    interaction = recorded(body, first, source="gateway", times_ms=[10, 20, 50, 90, 110])
    if borders == "fewer":
        pieces = interaction.response.pieces
        joined = (Piece(10, pieces[0].size + pieces[1].size), *pieces[2:])
        interaction = replace(interaction, response=replace(interaction.response, pieces=joined))
    edited = interaction_text(interaction).replace('"content":"a"', '"content":"another"')
    session = open_session(NOTHING, recordings=Recordings([read_text((HEAD + edited).encode(), "a.yaml")]))

    times = ask_in(session, body).exchange.outcome.cast.times_s

    assert len(times) == 5
    assert (times[0], times[-1]) == (0.01, 0.11)
    assert (times[1:4] == (0.02, 0.05, 0.09)) is (borders == "as many as events")


def with_body(interaction: Interaction, body: bytes) -> Interaction:
    """The same, edited by hand."""
    return replace(interaction, response=replace(interaction.response, body=body))


def test_what_is_ignored_does_not_keep_a_recording_from_being_found() -> None:
    ignore = Matching(Ignore(["metadata"]))
    session = playing((chat("hi", metadata={"run": "1"}), provider_response(completion("Found."))), matching=ignore)

    assert ask_in(session, chat("hi", metadata={"run": "2"})).text == "Found."


def test_what_was_redacted_is_redacted_in_a_request_before_it_is_looked_up() -> None:
    session = playing(
        (chat("my key is [redacted]"), provider_response(completion("Found."))),
        matching=Matching(redact=lambda body: body.replace(b"sk-123", b"[redacted]")),
    )

    assert ask_in(session, chat("my key is sk-123")).text == "Found."


@pytest.mark.parametrize("source", ["gateway", "provider"])
def test_where_a_pattern_took_something_out_any_text_fits(source: Any) -> None:
    blank = "[redacted:pattern]"
    body = chat(f"{blank} and {blank}: hi", user=blank, seed=1)
    settings = {"raw": {"response": source == "provider"}}
    one = recorded(body, ask_in(session_with({"reply": "Found."}, gateway=settings), body), source=source)
    session = playing(one, matching=Matching(on_end="repeat"))

    def found(text: str, user: str = "me", seed: int = 1) -> int:
        return ask_in(session, chat(text, user=user, seed=seed)).status

    assert found("ACME-1 and ACME-2: hi") == found("a and and b: hi") == found(f"{blank} and {blank}: hi", blank) == 200
    assert (
        found("ACME-1 and : hi") == found("ACME-1 or ACME-2: hi") == found(" and b: hi") == found("a and b: hi!") == 400
    )
    assert found("ACME-1 and ACME-2: hi", user="") == found("ACME-1 and ACME-2: hi", seed=2) == 400


@given(st.lists(st.tuples(st.from_regex("ACME-[0-9]{1,3}", fullmatch=True), TEXTS), min_size=1), TEXTS)
def test_what_was_recorded_with_a_pattern_is_found_without_it(secrets: list[tuple[str, str]], first: str) -> None:
    body = chat(first + "".join([secret + text for secret, text in secrets]))
    whole = cassette_of((body, provider_response(completion("Found.")))).interactions[0]
    clean, _counts = Redactor(["ACME-[0-9]+"]).redacted(whole)

    assert b"[redacted:pattern]" in clean.request.body
    assert ask_in(playing(clean), body).status == 200


SAID = st.lists(
    TEXTS
    | st.sampled_from(
        [
            "sk-proj-abcdefghijklmnop1234", "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMe", "Bearer abcdef1234567890", "key",
            "?token=", "&key=", "https://me:word@host/", "\\u0073k-", '"', "\\", "[redacted", "[redacted:pattern]", "]",
        ]
    ),
    min_size=1,
    max_size=5,
).map("".join)  # fmt: skip


@st.composite
def conversations(draw: st.DrawFn) -> dict[str, Any]:
    """Requests with secrets in all that is said, in arguments of tools too, and with what looks like a part of one."""
    call = {"name": "f", "arguments": json.dumps({"k": draw(SAID)}, ensure_ascii=draw(st.booleans()))}
    messages = [
        {"role": "user", "content": draw(SAID)},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": call}]},
        {"role": "tool", "tool_call_id": "call_1", "content": json.dumps({"got": draw(SAID)})},
    ]
    return chat("", messages=messages[: draw(st.sampled_from([1, 3]))], user=draw(SAID))


@given(conversations(), st.sampled_from(["gateway", "provider"]), st.booleans(), st.sampled_from([(), ("k[a-z]y",)]))
def test_a_recording_is_found_by_its_own_request_whatever_was_taken_out_of_it(
    body: dict[str, Any], source: Any, escaped: bool, patterns: tuple[str, ...]
) -> None:
    (one,) = cassette_of((body, provider_response(completion("Found.")))).interactions
    asked = replace(one.request, body=json.dumps(body, ensure_ascii=escaped).encode())
    clean, _counts = Redactor(patterns).redacted(replace(one, request=asked, about=About(source=source)))
    kept = read_text((HEAD + interaction_text(clean)).encode(), "a.yaml")
    matching = Matching(redact=Redactor().redacted_body)

    response = ask_in(open_session(WILLING, recordings=Recordings([kept], matching)), body)

    assert response.entry.message is None
    assert response.exchange.outcome.stub is not None


def test_interactions_of_other_endpoints_are_not_played() -> None:
    (interaction,) = cassette_of((chat("hi"), provider_response(completion()))).interactions
    other = replace(interaction, request=replace(interaction.request, uri="https://provider.test/v1/embeddings"))

    assert ask_in(playing(other), chat("hi")).status == 400


def test_a_miss_says_what_differs_from_the_nearest_recording() -> None:
    session = playing(
        (chat("Tell me a story."), provider_response(completion())),
        (chat("Where is my order 41?", temperature=0.5), provider_response(completion())),
        scenario="version: 1",
    )

    response = ask_in(session, chat("Where is my order 42?", temperature=0.7))

    assert response.header("x-mockbifrost-error") == "no_match"
    assert response.error["message"].splitlines()[:4] == [
        "No recording answers this request (model \"gpt-4o\", plain, turn 0, user: 'Where is my order 42?').",
        '  nearest: "test.yaml#2" (cassettes/test.yaml), 2 of 3 fields differ:',
        "    messages[0].content  wanted 'Where is my order 41?'  got 'Where is my order 42?'",
        "    temperature  wanted 0.5  got 0.7",
    ]
    assert response.entry.near_misses[0].label == '"test.yaml#2" (cassettes/test.yaml)'


def test_long_texts_are_shown_where_they_part() -> None:
    text = "word " * 100
    session = playing((chat(text + "old end"), provider_response(completion())))

    message = ask_in(session, chat(text + "new end")).error["message"]

    assert "wanted '…ord word word word word old end'  got '…ord word word word word new end'" in message
    assert "(from character 476)" in message


def test_a_miss_of_what_was_played_says_so() -> None:
    session = playing((chat("hi"), provider_response(completion())))
    ask_in(session, chat("hi"))

    assert "matches but was played already" in ask_in(session, chat("hi")).error["message"]


def test_a_miss_shows_no_key() -> None:
    key = "sk-proj-abcdefghijklmnopqrstuvwx"
    session = playing((chat("hi"), provider_response(completion())), scenario="version: 1")

    misses = ask_in(session, chat(f"hi {key}", user=key)).entry.near_misses

    assert misses[0].mismatches
    assert not any(key in str(mismatch) for miss in misses for mismatch in miss.mismatches)


def test_verifying_lists_what_was_not_played() -> None:
    session = playing((chat("a"), provider_response(completion())), (chat("b"), provider_response(completion())))
    ask_in(session, chat("b"))

    assert "Not played: test.yaml#1." in verify(session).remarks
    assert verify(session, checks=Checks(unplayed=True)).problems == (
        "1 recording was not played: test.yaml#1.\n"
        "  do: remove what the test does not ask for any more, or record it again, or check why it was not asked for",
    )
