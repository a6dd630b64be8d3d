"""The cache in whole scenarios: a miss, then the stored answer, chunk by chunk; when not; and what a script says of it.

Source: gateway-behaviour.md 2.2 to 2.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockbifrost.playback.player import Played
from mockbifrost.playback.timeline import timeline_of
from mockbifrost.session.session import Session
from mockbifrost.wire.profiles import ProfileName
from tests.harness import PROFILE_NAMES, Response, ask_in, begin, chat, session_with
from tests.strategies import PACES, PATIENT, REPLIES, REQUESTS

KEY = {"x-bf-cache-key": "k"}
DRAWN = {"reply": {"faker": {"sentence": {}}}, "pace": {"ttft": "1s", "tokens_per_second": 10}}
FREE: Mapping[str, Any] = {"cost": "none"}
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
PROFILES = pytest.mark.parametrize("version", PROFILE_NAMES)


def bodies_of(response: Response) -> list[Any]:
    """The body, or all chunks."""
    return response.chunks if response.exchange.outcome.stream else [response.json()]


def debug_of(response: Response) -> Any:
    """`cache_debug`, which only the last chunk has."""
    *on_the_way, last = bodies_of(response)
    assert not any("cache_debug" in body["extra_fields"] for body in on_the_way)
    return last["extra_fields"].get("cache_debug")


def hit(response: Response) -> str | None:
    """The kind of the hit; `miss`; None where the cache had no part."""
    debug = debug_of(response)
    return None if debug is None else debug.get("hit_type", "miss")


def without_debug(response: Response) -> list[Any]:
    found = bodies_of(response)
    found[-1]["extra_fields"].pop("cache_debug", None)
    return found


@settings(max_examples=60, deadline=None)
@given(REQUESTS, REPLIES, PACES, st.booleans(), st.sampled_from(PROFILE_NAMES))
def test_a_hit_is_the_miss_again(
    request: dict[str, Any], reply: dict[str, Any], pace: dict[str, Any], stream: bool, version: ProfileName
) -> None:
    """Ids, words, usage, chunk by chunk, all but the cache's object the same; nothing is waited for; the provider is not asked."""
    cache = {"conversation_history_threshold": 100}
    session = session_with({"reply": reply, "pace": pace}, version=version, gateway={**PATIENT, **FREE, "cache": cache})
    body = {**request, "stream": stream}

    miss, again = [ask_in(session, body, headers=KEY) for _time in range(2)]

    assert (hit(miss), hit(again)) == ("miss", "direct")
    assert without_debug(again) == without_debug(miss)
    outcome = again.exchange.outcome
    assert set(outcome.cast.times_s) == {0.0}
    assert outcome.waited_s == 0
    assert [(one.outcome, one.took_s) for one in outcome.trail] == [("cached", 0.0)]
    assert list(session.counters.counts.values()) == [1] * len(session.counters.counts)


@STREAMS
@PROFILES
def test_what_the_cache_says(version: ProfileName, stream: bool) -> None:
    """The id is a UUIDv5, the same for both; the keys are in the order of the captures."""
    session = session_with(DRAWN, version=version, gateway=FREE)

    miss, again = [debug_of(ask_in(session, chat(stream=stream), headers=KEY)) for _time in range(2)]

    assert list(miss) == ["cache_hit", "cache_id"]
    assert UUID(miss["cache_id"]).version == 5
    latency = {"cache_hit_latency": 0} if version == "2.2" else {}
    assert list(again.items()) == list(
        {
            "cache_hit": True,
            "cache_id": miss["cache_id"],
            "hit_type": "direct",
            "requested_provider": "openai",
            "requested_model": "gpt-4o",
            **latency,
        }.items()
    )


@STREAMS
@PROFILES
def test_what_the_cache_says_of_a_semantic_hit(version: ProfileName, stream: bool) -> None:
    similar = [["refund please", "I want my money back", 0.93]]
    session = session_with(DRAWN, version=version, gateway={**FREE, "cache": {"semantic": True, "similar": similar}})

    miss, again = [
        ask_in(session, chat(user, stream=stream), headers=KEY) for user in ("refund please", "I want my money back")
    ]

    embedding = {"provider_used": "openai", "model_used": "text-embedding-3-small"}
    assert {key: debug_of(miss)[key] for key in embedding} == embedding
    found = debug_of(again)
    assert list(found)[:5] == ["cache_hit", "cache_id", "hit_type", "requested_provider", "requested_model"]
    assert list(found)[5:10] == ["provider_used", "model_used", "input_tokens", "threshold", "similarity"]
    assert list(found)[10:] == (["cache_hit_latency"] if version == "2.2" else [])
    assert (found["hit_type"], found["threshold"], found["similarity"]) == ("semantic", 0.8, 0.93)
    assert found["cache_id"] == debug_of(miss)["cache_id"]  # the entry's
    assert without_debug(again) == without_debug(miss)


@STREAMS
def test_without_a_cache_key_nothing_happens(stream: bool) -> None:
    session = session_with(DRAWN, gateway=FREE)

    assert [hit(ask_in(session, chat(stream=stream))) for _time in range(2)] == [None, None]
    assert len(session.gateway_state.cache) == 0


def test_a_key_of_the_settings_holds_for_requests_without_one() -> None:
    session = session_with(DRAWN, gateway={**FREE, "cache": {"default_key": "k"}})

    assert [hit(ask_in(session, chat())) for _time in range(2)] == ["miss", "direct"]
    assert hit(ask_in(session, chat(), headers=KEY)) == "direct"
    assert hit(ask_in(session, chat(), headers={"x-bf-cache-key": "other"})) == "miss"


def test_a_disabled_cache_has_no_part() -> None:
    session = session_with(DRAWN, gateway={**FREE, "cache": {"enabled": False, "default_key": "k"}})

    assert [hit(ask_in(session, chat(), headers=KEY)) for _time in range(2)] == [None, None]


@pytest.mark.parametrize(("seconds", "found"), [(299.9, "direct"), (300.9, "direct"), (301, "miss")])
@STREAMS
def test_an_entry_lives_by_the_sessions_clock(seconds: float, found: str, stream: bool) -> None:
    """Five minutes, to the end of the second in which they are up."""
    session = session_with("Hi", gateway=FREE)
    ask_in(session, chat(stream=stream), headers=KEY)

    session.clock.advance(seconds)

    assert hit(ask_in(session, chat(stream=stream), headers=KEY)) == found


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [("10s", 10), ("10", 10), ("1m30s", 90), ("garbage", 300), ("0s", 300), ("-5", 300)],
)
def test_a_request_says_how_long_its_answer_is_kept(ttl: str, seconds: int) -> None:
    headers = {**KEY, "x-bf-cache-ttl": ttl}
    session = session_with("Hi", gateway=FREE)
    ask_in(session, chat(), headers=headers)

    session.clock.advance(seconds)
    assert hit(ask_in(session, chat(), headers={**KEY, "x-bf-cache-no-store": "true"})) == "direct"
    session.clock.advance(1)
    assert hit(ask_in(session, chat(), headers=KEY)) == "miss"


@pytest.mark.parametrize(
    ("value", "second"), [("true", "miss"), ("TRUE", "direct"), ("false", "direct"), ("1", "direct")]
)
@STREAMS
def test_what_must_not_be_stored_is_not(value: str, second: str, stream: bool) -> None:
    """The cache is still asked, and says so; a stored answer is still served."""
    session = session_with("Hi", gateway=FREE)
    headers = {**KEY, "x-bf-cache-no-store": value}

    first, again = [ask_in(session, chat(stream=stream), headers=headers) for _time in range(2)]

    assert (hit(first), hit(again)) == ("miss", second)
    assert debug_of(first)["cache_id"] == debug_of(again)["cache_id"]
    ask_in(session, chat(stream=stream), headers=KEY)
    assert hit(ask_in(session, chat(stream=stream), headers=headers)) == "direct"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param({}, {"x-bf-cache-key": "other"}, id="key"),
        pytest.param({"stream": True}, {}, id="stream"),
        pytest.param({"model": "gpt-5"}, {}, id="model"),
        pytest.param({"model": "groq/gpt-4o"}, {}, id="provider"),
        pytest.param({"temperature": 0.5}, {}, id="parameter"),
        pytest.param({"tools": [{"type": "function", "function": {"name": "f"}}]}, {}, id="tools"),
    ],
)
def test_what_differs_does_not_share_an_answer(body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    session = session_with("Hi", gateway=FREE)
    ask_in(session, chat(), headers=KEY)

    assert hit(ask_in(session, chat(**body), headers={**KEY, **headers})) == "miss"
    assert hit(ask_in(session, chat(), headers=KEY)) == "direct"


def test_what_does_not_matter_shares_an_answer() -> None:
    """Case and the ends of what is said, fallbacks, other headers, the virtual key."""
    session = session_with("Hi", gateway=FREE)
    ask_in(session, chat("Hello There"), headers=KEY)

    asked = chat("  hello there ", fallbacks=["groq/x"], user=None)
    assert hit(ask_in(session, asked, headers={**KEY, "x-bf-vk": "sk-bf-a", "x-note": "n"})) == "direct"


@pytest.mark.parametrize(("messages", "found"), [(3, ["miss", "direct"]), (4, [None, None])])
def test_a_long_conversation_is_not_cached(messages: int, found: list[str | None]) -> None:
    session = session_with("Hi", gateway=FREE)
    said = [{"role": "user", "content": str(number)} for number in range(messages)]

    assert [hit(ask_in(session, chat(messages=said), headers=KEY)) for _time in range(2)] == found


@pytest.mark.parametrize("failing", [{"error": "overloaded"}, {"gateway_error": "queue_full"}, {"upstream": "reset"}])
@STREAMS
def test_errors_are_never_stored(failing: Mapping[str, Any], stream: bool) -> None:
    session = session_with({**failing, "times": 1, "per": "attempt"}, "Hi", gateway=FREE)
    body = chat(stream=stream)

    first = ask_in(session, body, headers=KEY)
    if first.status == 200:  # the transport's own second try
        assert failing == {"upstream": "reset"}
        return

    assert "cache_debug" not in first.json()["extra_fields"]
    assert len(session.gateway_state.cache) == 0
    assert [hit(ask_in(session, body, headers=KEY)) for _time in range(2)] == ["miss", "direct"]


def test_raw_answers_and_misses_of_the_mock_have_no_cache() -> None:
    session = session_with({"when": {"user": "raw"}, "raw": {"json": {"a": 1}}}, gateway=FREE)

    raw, missed = [ask_in(session, chat(user), headers=KEY) for user in ("raw", "else")]

    assert (raw.body, missed.status) == (b'{"a":1}', 400)
    assert len(session.gateway_state.cache) == 0


def test_what_was_not_sent_to_its_end_is_not_stored() -> None:
    session = session_with("one two three", gateway=FREE)
    ask_in(session, chat(stream=True), headers=KEY, played=Played(closed=True, chunks=2))

    assert hit(ask_in(session, chat(stream=True), headers=KEY)) == "miss"


def test_an_answer_is_found_once_it_has_been_sent_and_not_before() -> None:
    """As the gateway writes after the answer: a request that comes meanwhile misses."""
    session = session_with("Hi", gateway=FREE)
    first = begin(session, chat(), headers=KEY)

    assert hit(ask_in(session, chat(), headers=KEY)) == "miss"
    session.clock.advance(1000)
    session.finish(first, Played())
    assert hit(ask_in(session, chat(), headers=KEY)) == "direct"


def test_a_hit_is_served_at_once_whatever_the_stub_s_own_speed_is() -> None:
    session = session_with({**DRAWN, "pace": {"ttft": "1s", "speed": 1}}, gateway=FREE)
    miss = begin(session, chat(stream=True), headers=KEY)
    session.finish(miss, Played())
    again = begin(session, chat(stream=True), headers=KEY)

    assert timeline_of(miss.outcome, 0).frames[0].at_s == 1
    assert timeline_of(again.outcome, 1).frames == ()


SCRIPTED = {"reply": "Stored.", "pace": {"ttft": "2s"}}


@STREAMS
@PROFILES
@pytest.mark.parametrize("headers", [{}, KEY], ids=["without a key", "with a key"])
def test_a_script_says_that_it_is_a_hit(version: ProfileName, headers: Mapping[str, str], stream: bool) -> None:
    """Its own reply is the stored answer, with a key or without, whatever the settings are; nothing is stored."""
    for settings_ in ({}, {"cache": {"enabled": False}}, {"cache": {"conversation_history_threshold": 1}}):
        session = session_with({**SCRIPTED, "cache": "hit"}, version=version, gateway={**FREE, **settings_})

        response = ask_in(session, chat(stream=stream), headers=headers)

        assert (response.text, hit(response)) == ("Stored.", "direct")
        assert list(debug_of(response))[:5] == [
            "cache_hit",
            "cache_id",
            "hit_type",
            "requested_provider",
            "requested_model",
        ]
        assert set(response.exchange.outcome.cast.times_s) == {0.0}
        assert session.gateway_state.ledger.total().cached == 1
        assert len(session.gateway_state.cache) == 0


@STREAMS
def test_a_script_says_that_it_is_a_miss(stream: bool) -> None:
    """Although it was answered before; nothing is stored, so that the next stub is not answered from it."""
    session = session_with({**SCRIPTED, "cache": "miss"}, gateway=FREE)

    for _time in range(2):
        response = ask_in(session, chat(stream=stream), headers=KEY)
        assert (response.text, hit(response)) == ("Stored.", "miss")
        assert max(response.exchange.outcome.cast.times_s) == 2
    assert hit(ask_in(session, chat(stream=stream))) == "miss"
    assert len(session.gateway_state.cache) == 0


def test_a_script_says_how_near_a_semantic_hit_is() -> None:
    session = session_with({**SCRIPTED, "cache": {"hit": "semantic", "similarity": 0.87}}, gateway=FREE)

    found = debug_of(ask_in(session, chat()))

    assert (found["hit_type"], found["similarity"]) == ("semantic", 0.87)
    assert found["threshold"] == 0.8
    assert found["input_tokens"] > 0


def test_a_scripted_hit_counts_its_stub() -> None:
    session = session_with({**SCRIPTED, "cache": "hit", "times": 1}, "Fresh.", gateway=FREE)

    assert [ask_in(session, chat(str(number))).text for number in range(2)] == ["Stored.", "Fresh."]


def entries(session: Session) -> int:
    return len(session.gateway_state.cache)


def test_a_reset_forgets_what_was_stored_and_sessions_share_nothing() -> None:
    one, other = [session_with("Hi", gateway=FREE) for _session in range(2)]
    ask_in(one, chat(), headers=KEY)

    assert (entries(one), entries(other)) == (1, 0)
    assert hit(ask_in(other, chat(), headers=KEY)) == "miss"
    one.reset()
    assert hit(ask_in(one, chat(), headers=KEY)) == "miss"
