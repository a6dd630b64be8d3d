"""A request that needs a live upstream is decided again when that has answered: as if nothing had happened in between."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.cassette.hearing import Break, StreamHearing
from mockbifrost.match.attempt import Attempt
from mockbifrost.playback.player import WHOLE, Played
from mockbifrost.provider.answer import Answer, Broken, Failure, Pending, RawAnswer
from mockbifrost.provider.connection import ConnectionFault
from mockbifrost.session.session import MOST_LIVE_BYTES, Exchange, Session
from mockbifrost.wire.profiles import ProfileName
from mockbifrost.wire.sse import DONE, encode_data
from tests.harness import PROFILE_NAMES, Response, begin, chat, open_session, read, stubs

NO_STUB = stubs("- {when: {user: never}, reply: never}")
HEAD = {"id": "chatcmpl-live", "object": "chat.completion.chunk", "created": 7, "model": "gpt-4o-2024-08-06"}


def live_session(scenario: str = NO_STUB, *, whole: bool = False, version: ProfileName = "2.2") -> Session:
    """A session whose server has an upstream: a provider, or with `whole` a gateway."""
    session = open_session(scenario, version=version)
    session.providers.upstream = Pending(whole)
    return session


def pending(exchange: Exchange) -> Attempt:
    """The attempt that somebody has to be asked for."""
    attempt = exchange.outcome.pending
    assert attempt is not None
    return attempt


def event(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> bytes:
    """One chunk of a provider's stream; without a delta it has no choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return encode_data(json.dumps({**HEAD, "choices": choices, **more}).encode())


USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
STREAM = (
    event({"role": "assistant", "content": ""}),
    event({"content": "Once "}),
    event({"content": "upon"}),
    event({}, "stop"),
    event(None, usage=USAGE),
    DONE,
)


def heard_of(exchange: Exchange, *events: bytes) -> StreamHearing:
    """A hearing of a stream from which these events have come."""
    hearing = StreamHearing({"x-request-id": "req-1"}, pending(exchange).draws)
    for number, data in enumerate(events):
        hearing.feed(data, number / 10)
    return hearing


def plain(text: str) -> Answer:
    """A plain answer of a provider."""
    session = live_session(stubs(f"- {{reply: {{content: {json.dumps(text)}}}}}"))
    exchange = begin(session, chat("x", stream=True))
    assert exchange.outcome.pending is None
    other = live_session()
    hearing = heard_of(begin(other, chat("x")), event({"role": "assistant", "content": text}), event({}, "stop"), DONE)
    said = hearing.said(None, 0.4)
    assert isinstance(said, Answer)
    return said


def told(session: Session, exchange: Exchange) -> Response:
    """The response, which has been sent whole."""
    found = read(exchange)
    session.finish(exchange, WHOLE)
    return found


def test_a_request_that_nothing_answers_is_pending_and_stands_in_the_journal_without_a_response() -> None:
    session = live_session()

    exchange = begin(session, chat("hi"))

    assert pending(exchange).provider == "openai"
    assert [entry.status for entry in session.journal] == [0]
    assert exchange.entry.error is None


def test_what_a_stub_answers_asks_nobody() -> None:
    session = live_session(stubs("- {reply: scripted}"))

    assert told(session, begin(session, chat("hi"))).text == "scripted"


def test_an_answer_of_the_upstream_is_the_gateways_answer() -> None:
    session = live_session()
    exchange = begin(session, chat("hi"))

    session.hear(exchange, plain("for real"))
    response = told(session, exchange)

    assert response.text == "for real"
    assert response.json()["extra_fields"]["provider"] == "openai"
    assert [entry.status for entry in session.journal] == [200]


def test_a_failure_is_retried_and_a_fallback_follows() -> None:
    retries = "gateway: {providers: {openai: {max_retries: 1}, anthropic: {}}}"
    session = live_session(stubs("- {when: {user: never}, reply: never}", before=retries))
    exchange = begin(session, chat("hi", fallbacks=["anthropic/claude-sonnet-4"]))
    asked: list[tuple[str, int, int]] = []

    for _try in range(2):
        attempt = pending(exchange)
        asked.append((attempt.provider, attempt.number, attempt.fallback))
        session.hear(exchange, Failure(503, "busy"))
    attempt = pending(exchange)
    asked.append((attempt.provider, attempt.number, attempt.fallback))
    session.hear(exchange, plain("from the second"))

    assert asked == [("openai", 0, 0), ("openai", 1, 0), ("anthropic", 0, 1)]
    assert told(session, exchange).text == "from the second"
    assert [trace.status for trace in exchange.entry.outcome.trail] == [503, 503, 200]  # type: ignore[union-attr]


def test_a_stub_that_forwards_counts_one_use_however_often_it_is_decided() -> None:
    session = live_session(stubs("- {name: once, times: 1, forward: true}\n- {reply: then scripted}"))
    first = begin(session, chat("hi"))
    second = begin(session, chat("hi"))

    session.hear(first, plain("live"))

    assert told(session, first).text == "live"
    assert told(session, second).text == "then scripted"
    assert [state.used for state in session.stub_states()] == [1, 1]


def test_later_decisions_see_counters_as_they_were_at_the_first() -> None:
    fallbacks = {"fallbacks": ["anthropic/claude-sonnet-4"]}
    session = live_session(
        stubs("- {when: {provider: openai}, forward: true}\n- {when: {provider: anthropic}, sequence: [one, two]}")
    )
    first = begin(session, chat("hi", **fallbacks))
    second = begin(session, chat("hi", **fallbacks))

    session.hear(second, Failure(400, "no"))
    session.hear(first, Failure(400, "no"))

    assert [told(session, one).text for one in (first, second)] == ["one", "one"]
    assert session.counters.counts[next(key for key in session.counters.counts if "#1" in key)] == 2


def test_an_answer_is_charged_and_cached_once_it_was_sent() -> None:
    cache = "gateway: {cache: {enabled: true, default_key: all}}"
    session = live_session(stubs("- {when: {user: never}, reply: never}", before=cache))
    exchange = begin(session, chat("hi"))
    session.hear(exchange, plain("kept"))
    told(session, exchange)

    again = begin(session, chat("hi"))

    assert again.outcome.pending is None
    assert told(session, again).text == "kept"
    assert [row.requests for row in session.gateway_state.ledger.rows()] == [2]


def test_what_was_cached_since_does_not_change_an_answer_that_was_asked_for() -> None:
    cache = "gateway: {cache: {enabled: true, default_key: all}}"
    session = live_session(stubs("- {when: {user: never}, reply: never}", before=cache))
    slow, fast = begin(session, chat("hi")), begin(session, chat("hi"))
    session.hear(fast, plain("fast"))
    told(session, fast)

    session.hear(slow, plain("slow"))

    assert told(session, slow).text == "slow"


def test_a_reset_forgets_what_a_pending_request_would_count() -> None:
    session = live_session(stubs("- {when: {provider: openai}, forward: true}\n- {reply: two}"))
    exchange = begin(session, chat("hi", fallbacks=["anthropic/claude-sonnet-4"]))

    session.reset()
    session.hear(exchange, Failure(500, "no"))

    assert told(session, exchange).text == "two"
    assert session.counters.counts == {}


def test_a_gateways_answer_is_the_answer_as_it_is() -> None:
    session = live_session(whole=True)
    exchange = begin(session, chat("hi", model="nobody/none", fallbacks=["openai/gpt-4o"]))
    assert exchange.outcome.whole

    session.hear(exchange, RawAnswer(418, (("x-tea", "yes"),), ((0.0, b"short"), (0.1, b" and stout"))))
    response = told(session, exchange)

    assert (response.status, response.body) == (418, b"short and stout")
    assert response.header("x-tea") == "yes"


def test_the_journal_keeps_the_beginning_of_a_large_answer() -> None:
    session = live_session(whole=True)
    exchange = begin(session, chat("hi"))
    piece = b"x" * (MOST_LIVE_BYTES // 2)

    session.hear(exchange, RawAnswer(200, (), ((0.0, piece), (0.1, piece), (0.2, piece))))
    session.finish(exchange, WHOLE)

    assert len(exchange.entry.response_text()) == MOST_LIVE_BYTES


def test_one_large_piece_is_cut_in_the_journal() -> None:
    session = live_session(whole=True)
    exchange = begin(session, chat("hi"))

    session.hear(exchange, RawAnswer(200, (), ((0.0, b"x" * (MOST_LIVE_BYTES + 1)),)))
    session.finish(exchange, WHOLE)

    assert len(exchange.entry.response_text()) == MOST_LIVE_BYTES


@pytest.mark.parametrize(("error", "status"), [("request_failed", 502), ("provider_timeout", 504)])
def test_a_gateway_that_cant_be_asked_is_told_as_a_gateway_would_and_marked_as_the_mocks_own(
    error: str, status: int
) -> None:
    session = live_session(whole=True)
    exchange = begin(session, chat("hi"))

    session.hear(exchange, Broken("upstream", "The upstream http://up:1 refused the connection.", error))
    response = told(session, exchange)

    assert response.status == status
    assert response.error["message"].endswith(". The upstream http://up:1 refused the connection.")
    assert response.header("x-mockbifrost-error") == "upstream"
    assert exchange.entry.error == "upstream"


def test_a_real_cause_stands_in_the_gateways_error() -> None:
    session = live_session()
    exchange = begin(session, chat("hi"))
    fault = ConnectionFault("reset", cause="dial tcp: refused")

    session.hear(exchange, fault)
    session.hear(exchange, fault)  # the transport asks once more

    assert told(session, exchange).error["error"] == "dial tcp: refused"


def sent_live(session: Session, exchange: Exchange, pieces: Sequence[bytes], broke: Break | None = None) -> bytes:
    """What a client is sent of a stream that comes in these pieces: frame by frame, then the rest."""
    hearing = StreamHearing({"x-request-id": "req-1"}, pending(exchange).draws)
    sent: list[bytes] = []
    telling = None
    for number, data in enumerate(pieces):
        new = hearing.feed(data, number / 10)
        if telling is not None:
            sent += [frame for frame, _content in telling.more(new)]
        elif new:
            session.hear(exchange, hearing.so_far())
            if exchange.outcome.telling is not None and exchange.outcome.cast.size:
                telling = exchange.outcome.telling
                sent += [mold.fill(exchange.outcome.values) for mold in exchange.outcome.cast.frames]
    head = list(exchange.outcome.headers)
    session.hear(exchange, hearing.said(broke, len(pieces) / 10))
    outcome = exchange.outcome
    if telling is not None:
        assert [pair for pair in outcome.headers if pair not in head] == []
        rest = b"".join([mold.fill(outcome.values) for mold in outcome.cast.frames[len(sent) :]])
        return b"".join(sent) + rest
    return outcome.cast.whole.fill(outcome.values)


DELTAS = st.lists(
    st.one_of(
        st.builds(lambda text: {"content": text}, st.text(max_size=5)),
        st.builds(lambda text: {"reasoning": text}, st.text(max_size=5)),
        st.builds(lambda text: {"refusal": text}, st.text(max_size=5)),
        st.just({"role": "assistant", "content": ""}),
        st.just(
            {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]}
        ),
        st.just({"tool_calls": [{"index": 1, "function": {"name": "g", "arguments": "{"}}]}),
        st.builds(lambda text: {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}, st.text(max_size=5)),
        st.just({}),
    ),
    max_size=6,
)
BREAKS = st.sampled_from([None, Break("reset", "reset", 1.0), Break("closed", "EOF", 1.0), Break("silent", "", 1.0)])
TAILS = st.sampled_from(
    [
        (event({}, "stop"), event(None, usage=USAGE), DONE),
        (event({}, "stop"), DONE),
        (event({}, "stop"),),
        (DONE,),
        (),
        (encode_data(b'{"error": {"message": "late", "code": 503}}'),),
        (encode_data(b"no json"),),
        (b"data: {half",),
    ]
)


@given(
    deltas=DELTAS,
    tail=TAILS,
    broke=BREAKS,
    cuts=st.lists(st.integers(0, 2000), max_size=6),
    version=st.sampled_from(PROFILE_NAMES),
)
def test_frames_sent_live_and_the_rest_are_those_of_the_same_answer_decided_at_once(
    deltas: list[dict[str, Any]], tail: tuple[bytes, ...], broke: Break | None, cuts: list[int], version: ProfileName
) -> None:
    whole = b"".join([event(delta) for delta in deltas] + list(tail))
    places = sorted({min(cut, len(whole)) for cut in cuts} | {0, len(whole)})
    pieces = [whole[start:end] for start, end in pairwise(places)]
    session = live_session(version=version)
    exchange = begin(session, chat("hi", stream=True))
    at_once = live_session(version=version)
    other = begin(at_once, chat("hi", stream=True))

    live = sent_live(session, exchange, pieces, broke)
    hearing = StreamHearing({"x-request-id": "req-1"}, pending(other).draws)
    for number, data in enumerate(pieces):
        hearing.feed(data, number / 10)
    at_once.hear(other, hearing.said(broke, len(pieces) / 10))

    assert live == other.outcome.cast.whole.fill(other.outcome.values)
    assert exchange.outcome.trail == other.outcome.trail


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_the_first_frame_is_there_when_the_first_chunk_has_come(version: ProfileName) -> None:
    session = live_session(version=version)
    exchange = begin(session, chat("hi", stream=True))

    session.hear(exchange, heard_of(exchange, *STREAM[:2]).so_far())

    assert b"Once " in exchange.outcome.cast.whole.fill(exchange.outcome.values)
    assert b"DONE" not in exchange.outcome.cast.whole.fill(exchange.outcome.values)
    assert exchange.outcome.telling is not None
    assert exchange.entry.outcome is not None
    assert exchange.entry.outcome.telling is None


def test_a_stream_that_breaks_after_its_role_is_not_asked_again() -> None:
    session = live_session()
    exchange = begin(session, chat("hi", stream=True))
    hearing = heard_of(exchange, STREAM[0])

    session.hear(exchange, hearing.so_far())
    assert exchange.outcome.cast.size
    session.hear(exchange, hearing.said(Break("reset", "", 0.1), 0.1))

    assert exchange.outcome.pending is None
    assert b"Error reading stream" in exchange.outcome.cast.whole.fill(exchange.outcome.values)


def test_a_stream_that_is_cut_before_it_says_why_it_ends_is_no_good_one() -> None:
    session = live_session()
    exchange = begin(session, chat("hi", stream=True))

    session.hear(exchange, heard_of(exchange, *STREAM[:3]).said(Break("closed", "EOF", 0.3), 0.3))

    assert b"[DONE]" not in exchange.outcome.cast.whole.fill(exchange.outcome.values)


def test_of_a_stream_whose_client_leaves_the_part_that_came_is_charged() -> None:
    session = live_session()
    exchange = begin(session, chat("hi", stream=True))
    hearing = heard_of(exchange, *STREAM[:2])
    session.hear(exchange, hearing.so_far())

    session.finish(exchange, Played(closed=True, chunks=1))

    assert exchange.entry.charge is not None
    assert exchange.entry.to_json()["client_closed_at_chunk"] == 1


def test_names_and_ids_stay_as_they_were_when_the_first_chunk_was_told() -> None:
    session = live_session()
    exchange = begin(session, chat("hi", stream=True))
    hearing = heard_of(exchange, event({"content": "a"}))
    first = hearing.so_far()

    hearing.feed(event({"content": "b"}, system_fingerprint="fp", service_tier="flex"), 1.0)
    last = hearing.said(None, 1.0)

    assert isinstance(last, Answer)
    assert (last.system_fingerprint, last.draft.service_tier) == (first.system_fingerprint, None)
    assert replace(last, draft=first.draft, fault=None, open=True) == first
