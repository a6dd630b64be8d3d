"""Which key of a provider a request goes with, through whole scenarios: weights, pins, sticky sessions, dead keys, aliases.

Source: gateway-behaviour.md 1.5 and 1.9, wire.md 3.5.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockbifrost.gateway.keys import MOST_STICKY, Pinned, Sticky
from mockbifrost.session.session import Session
from mockbifrost.wire.profiles import ProfileName
from tests.harness import PROFILE_NAMES, Response, ask_in, chat, session_with

NEWEST: tuple[ProfileName, ...] = ("documented", "2.2")
SAYS_KEY = {"name": "says", "reply": "Hello."}


def keyed(*keys: Mapping[str, Any] | str, provider: str = "openai", **more: Any) -> dict[str, Any]:
    """Settings of a gateway with these keys of one provider, a text being a name, and any others with one key."""
    named = [{"name": key} if isinstance(key, str) else key for key in keys]
    others: dict[str, Any] = {name: {} for name in ("openai", "groq", "azure")}
    return {"cost": "none", "providers": {**others, provider: {"keys": named, **more}}}


def keys_of(response: Response) -> list[str | None]:
    """The key of each attempt."""
    return [one.key for one in response.exchange.outcome.trail]


def used(session: Session, count: int, **headers: str) -> Counter[str | None]:
    """How often each key was used by so many different requests."""
    return Counter([keys_of(ask_in(session, chat(str(number)), headers=headers))[0] for number in range(count)])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.01, 0.3, 1.0, 2.5, 10.0]), min_size=2, max_size=4), st.integers(0, 1000))
def test_keys_are_used_by_their_weights(weights: Sequence[float], seed: int) -> None:
    """Within five standard deviations; all zero: each as likely as the other; zero beside others: never."""
    names = [f"key-{number}" for number in range(len(weights))]
    keys = [{"name": name, "weight": weight} for name, weight in zip(names, weights, strict=True)]
    count = 400

    found = used(session_with(SAYS_KEY, gateway=keyed(*keys), seed=seed), count)

    shares = [weight / sum(weights) if sum(weights) else 1 / len(weights) for weight in weights]
    for name, share in zip(names, shares, strict=True):
        spread = 5 * math.sqrt(count * share * (1 - share))
        assert abs(found[name] - count * share) <= spread


def test_the_same_request_goes_with_the_same_key_whatever_else_is_asked() -> None:
    settings_ = keyed("a", "b", "c")
    alone = [keys_of(ask_in(session_with(SAYS_KEY, gateway=settings_), chat(str(number)))) for number in range(30)]
    session = session_with(SAYS_KEY, gateway=settings_)
    together = [keys_of(ask_in(session, chat(str(number)))) for number in reversed(range(30))]

    assert together[::-1] == alone
    assert len({keys[0] for keys in alone}) == 3


@pytest.mark.parametrize("header", ["x-bf-api-key", "x-bf-api-key-id"])
def test_a_pin_holds_for_the_primary_by_name_and_id(header: str) -> None:
    session = session_with(SAYS_KEY, gateway=keyed({"name": "a", "weight": 100}, {"name": "b", "weight": 0}))

    assert used(session, 20, **{header: "b"}) == {"b": 20}
    assert used(session, 20) == {"a": 20}


def test_the_id_beats_the_name() -> None:
    session = session_with(SAYS_KEY, gateway=keyed("a", "b"))

    assert used(session, 10, **{"x-bf-api-key": "a", "x-bf-api-key-id": "b"}) == {"b": 10}


@pytest.mark.parametrize(("header", "what"), [("x-bf-api-key", "name"), ("x-bf-api-key-id", "id")])
@pytest.mark.parametrize("wanted", ["c", "for others"])
def test_a_pin_that_does_not_fit_fails_the_primary_and_not_the_fallback(header: str, what: str, wanted: str) -> None:
    settings_ = keyed("a", {"name": "for others", "models": ["gpt-5"]})
    session = session_with(SAYS_KEY, gateway=settings_)
    headers = {header: wanted}

    alone = ask_in(session, chat(), headers=headers)
    mended = ask_in(session, chat(fallbacks=["groq/llama"]), headers=headers)

    message = f'no supported key found with {what} "{wanted}" for provider: openai and model: gpt-4o'
    assert (alone.status, alone.error["message"]) == (400, message)
    assert (mended.status, keys_of(mended)[-1]) == (200, "groq-key-1")


def test_pinned_keys_are_not_rotated() -> None:
    """The one that was pinned is all there is: once it is dead, all keys are."""
    settings_ = keyed("a", "b", max_retries=1)
    session = session_with({"error": "unauthorized"}, gateway=settings_)

    assert keys_of(ask_in(session, chat(), headers={"x-bf-api-key": "b"}))[0] == "b"
    assert set(keys_of(ask_in(session, chat(), headers={"x-bf-api-key": "b"}))) == {"b"}
    assert set(keys_of(ask_in(session, chat()))) == {"a", "b"}


def stuck(session: Session, number: int, **headers: str) -> str | None:
    """The key of a request within a sticky session."""
    return keys_of(ask_in(session, chat(str(number)), headers={"x-bf-session-id": "s", **headers}))[0]


def test_a_sticky_session_keeps_its_key_for_an_hour_of_the_sessions_clock() -> None:
    session = session_with(SAYS_KEY, gateway=keyed("a", "b", "c", "d"))

    first = {stuck(session, number) for number in range(30)}
    session.clock.advance(3_599)
    still = {stuck(session, number) for number in range(30, 60)}
    others = used(session, 30)

    assert len(first) == 1
    assert still == first
    assert len(others) == 4


@pytest.mark.parametrize(("ttl", "seconds"), [("90s", 90), ("10", 10), ("garbage", 3600), ("0", 3600), ("-5s", 3600)])
def test_a_sticky_session_ends_when_its_time_is_up(ttl: str, seconds: int) -> None:
    """The time begins anew with each request; a header that says none is passed over."""
    names = [f"key-{number}" for number in range(16)]
    changed = 0
    for start in range(8):
        session = session_with(SAYS_KEY, gateway=keyed(*names), seed=start)
        headers = {"x-bf-session-ttl": ttl}
        key = stuck(session, start, **headers)
        session.clock.advance(seconds - 1)
        assert stuck(session, start + 1, **headers) == key
        session.clock.advance(seconds - 1)
        assert stuck(session, start + 2, **headers) == key
        session.clock.advance(seconds)
        changed += stuck(session, start + 3, **headers) != key
    assert changed > 4  # of 8, each with a chance of 1 in 16 to stay


def test_sticky_sessions_are_apart_by_name_and_provider_and_hold_for_the_primary_only() -> None:
    names = [f"key-{number}" for number in range(16)]
    settings_ = {
        "cost": "none",
        "providers": {name: {"keys": [{"name": key} for key in names]} for name in ("openai", "groq")},
    }
    session = session_with({"when": {"provider": "openai"}, "error": "unavailable"}, SAYS_KEY, gateway=settings_)

    asked = [
        keys_of(
            ask_in(session, chat(str(number), fallbacks=["groq/llama"]), headers={"x-bf-session-id": str(number % 8)})
        )
        for number in range(64)
    ]

    by_session = [{keys[0] for keys in asked[number::8]} for number in range(8)]
    assert all(len(keys) == 1 for keys in by_session)
    assert len(set.union(*by_session)) > 2
    assert len({keys[1] for keys in asked[::8]}) > 2


def test_sticky_sessions_are_bounded_in_number_and_the_latest_stay() -> None:
    sticky = Sticky()
    for number in range(MOST_STICKY + 1):
        sticky.pin(Pinned(f"s{number}", "openai", "a", 1.0))

    found = [sticky.find(f"s{number}", "openai", 0.0) for number in (0, 1, MOST_STICKY)]
    assert found == [None, "a", "a"]


def test_a_pin_beats_a_sticky_session_and_a_reset_forgets_it() -> None:
    session = session_with(SAYS_KEY, gateway=keyed("a", "b"))
    kept = stuck(session, 0)
    other = "a" if kept == "b" else "b"

    assert stuck(session, 1, **{"x-bf-api-key": other}) == other
    session.reset()
    assert {stuck(session_with(SAYS_KEY, gateway=keyed("a", "b"), seed=seed), 0) for seed in range(9)} == {"a", "b"}
    assert session.gateway_state.sticky.find("s", "openai", 0) is None


def by_key(**outcomes: Any) -> list[dict[str, Any]]:
    """A stub for each key."""
    return [{"when": {"key": {"equals": key}}, **outcome} for key, outcome in outcomes.items()]


DEAD, BUSY, FINE = {"error": "unauthorized"}, {"error": "rate_limited"}, {"reply": "Hello."}


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_a_dead_key_is_passed_over_at_once(version: ProfileName) -> None:
    """Since 2.0 without a retry; in 1.6 it spends one. Source: gateway-behaviour.md 1.5."""
    settings_ = keyed({"name": "a", "weight": 9999}, {"name": "b", "weight": 0.01})
    for retries, answered in ((0, version != "1.6"), (1, True)):
        settings_["providers"]["openai"]["max_retries"] = retries
        response = ask_in(session_with(*by_key(a=DEAD, b=FINE), version=version, gateway=settings_), chat())

        assert keys_of(response) == (["a", "b"] if answered else ["a"])
        assert response.status == (200 if answered else 401)
        assert response.exchange.outcome.waited_s == 0


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_all_keys_dead_have_an_error_of_their_own(version: ProfileName, stream: bool) -> None:
    response = ask_in(
        session_with(DEAD, version=version, gateway=keyed("a", "b", "c", max_retries=3)), chat(stream=stream)
    )

    if version == "1.6":  # it knows no such error
        assert (response.status, response.error["code"]) == (401, "invalid_api_key")
        assert sorted(map(str, keys_of(response))) == ["a", "b", "c"]
        return
    assert response.status == 502
    assert response.json().get("type", response.error.get("type")) == "upstream_credentials_exhausted"
    assert response.error["message"] == "all configured keys returned permanent per-key errors (401/402/403)"
    assert sorted(map(str, keys_of(response))) == ["a", "b", "c"]


@pytest.mark.parametrize("version", NEWEST)
def test_all_keys_dead_fall_back(version: ProfileName) -> None:
    session = session_with({"when": {"provider": "openai"}, **DEAD}, FINE, version=version, gateway=keyed("a", "b"))

    response = ask_in(session, chat(fallbacks=["groq/llama"]))

    assert (response.status, keys_of(response)[-1]) == (200, "groq-key-1")


def test_the_only_key_is_told_as_the_provider_said_it() -> None:
    response = ask_in(session_with(DEAD, gateway=keyed("a")), chat())

    assert (response.status, response.error["code"], keys_of(response)) == (401, "invalid_api_key", ["a"])


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_a_rate_limit_takes_another_key_and_waits_for_it(version: ProfileName) -> None:
    settings_ = keyed({"name": "a", "weight": 9999}, {"name": "b", "weight": 0.01}, max_retries=1)

    response = ask_in(session_with(*by_key(a=BUSY, b=FINE), version=version, gateway=settings_), chat())

    assert (response.text, keys_of(response)) == ("Hello.", ["a", "b"])
    assert 0.4 <= response.exchange.outcome.waited_s <= 0.6
    if version == "2.2":
        assert response.header("x-bifrost-routing-info-key") == "b"


def test_a_stub_sees_the_try_and_the_key() -> None:
    """`when.attempt` counts the tries at one target, each target from 0."""
    stubs = [
        {"when": {"provider": "openai", "attempt": "0..1"}, "error": "unavailable"},
        {"when": {"provider": "openai", "attempt": 2}, "error": "bad_request"},
        {
            "when": {"provider": "groq", "attempt": 0, "fallback": 1, "key": {"equals": "groq-key-1"}},
            "reply": "Mended.",
        },
    ]

    response = ask_in(session_with(*stubs, gateway=keyed("a", max_retries=5)), chat(fallbacks=["groq/llama"]))

    assert response.text == "Mended."
    assert [(one.number, one.status) for one in response.exchange.outcome.trail] == [
        (0, 503),
        (1, 503),
        (2, 400),
        (0, 200),
    ]


ALIASED = keyed({"name": "main", "aliases": {"gpt-4o": "our-gpt"}}, provider="azure")


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_an_alias_is_told_everywhere(version: ProfileName, stream: bool) -> None:
    response = ask_in(session_with(FINE, version=version, gateway=ALIASED), chat(model="azure/gpt-4o", stream=stream))

    fields = (response.chunks[-1] if stream else response.json())["extra_fields"]
    if version == "documented":
        assert (fields["model_requested"], fields["model_deployment"]) == ("gpt-4o", "our-gpt")
    else:
        assert (fields["original_model_requested"], fields["resolved_model_used"]) == ("gpt-4o", "our-gpt")
        assert fields["routing_info"]["resolved_key_alias"] == {"model_id": "our-gpt"}
    assert response.header("x-bifrost-original-model") == "gpt-4o"
    assert response.header("x-bifrost-resolved-model") == "our-gpt"
    assert response.header("x-bifrost-routing-info-alias-model-id") == ("our-gpt" if version == "2.2" else None)


def test_a_model_without_an_alias_has_none_of_it() -> None:
    fields = ask_in(session_with(FINE, gateway=ALIASED), chat(model="azure/gpt-5")).json()["extra_fields"]

    assert fields["model_requested"] == "gpt-5"
    assert "model_deployment" not in fields


@pytest.mark.parametrize("model", ["gpt-4o", "azure/gpt-4o", "our-gpt", "azure/our-gpt", "our-*"])
def test_a_stub_may_name_the_model_or_its_deployment(model: str) -> None:
    stubs: list[dict[str, Any]] = [{"when": {"model": model}, "reply": "fits"}, {"reply": "does not"}]

    assert ask_in(session_with(*stubs, gateway=ALIASED), chat(model="azure/gpt-4o")).text == "fits"
    assert ask_in(session_with(*stubs, gateway=ALIASED), chat(model="azure/gpt-5")).text == "does not"


def test_each_key_has_aliases_of_its_own() -> None:
    """A rotation to another key is a change of the deployment."""
    keys = [
        {"name": "a", "weight": 9999, "aliases": {"gpt-4o": "at-a"}},
        {"name": "b", "weight": 0.01, "aliases": {"gpt-4o": "at-b"}},
    ]
    stubs = [{"when": {"model": "at-a"}, **DEAD}, {"when": {"model": "at-b"}, **FINE}]

    response = ask_in(session_with(*stubs, gateway=keyed(*keys, provider="azure")), chat(model="azure/gpt-4o"))

    assert keys_of(response) == ["a", "b"]
    assert response.json()["extra_fields"]["model_deployment"] == "at-b"


def test_a_key_is_used_for_its_models_only() -> None:
    keys = [{"name": "small", "models": ["*-mini"]}, {"name": "large", "models": ["gpt-4o", "gpt-5"]}]
    session = session_with(SAYS_KEY, gateway=keyed(*keys))

    found = {model: keys_of(ask_in(session, chat(model=model)))[0] for model in ("gpt-4o-mini", "gpt-4o", "gpt-5")}

    assert found == {"gpt-4o-mini": "small", "gpt-4o": "large", "gpt-5": "large"}


REQUESTS_ = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.booleans(),
        st.fixed_dictionaries(
            {},
            optional={
                "x-bf-cache-key": st.sampled_from(["k", "l"]),
                "x-bf-session-id": st.sampled_from(["s", "t"]),
                "x-bf-vk": st.sampled_from(["sk-bf-a", "sk-bf-b"]),
            },
        ),
    ),
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(REQUESTS_, st.integers(0, 100), st.sampled_from(PROFILE_NAMES))
def test_two_sessions_that_are_asked_alike_answer_alike(
    requests: list[tuple[str, bool, dict[str, str]]], seed: int, version: ProfileName
) -> None:
    """Bytes, heads, trails, ledgers: with keys, retries, fallbacks, a cache and limits at work."""
    gateway = {
        **keyed("a", "b", "c", max_retries=2),
        "virtual_keys": {"sk-bf-a": {"name": "a", "rate_limit": {"requests": "2/1m"}}, "sk-bf-b": {}},
    }
    stubs = [
        {"when": {"provider": "openai"}, "active": {"probability": 0.5}, "error": "rate_limited"},
        {"pace": {"ttft": "1s", "jitter": 0.5}, "reply": {"faker": {"sentence": {}}}},
    ]
    found = []
    for _session in range(2):
        session = session_with(*stubs, version=version, gateway=gateway, seed=seed)
        responses = [
            ask_in(session, chat(user, stream=stream, fallbacks=["groq/llama"]), headers=headers)
            for user, stream, headers in requests
        ]
        found.append(
            (
                [(response.status, response.headers, response.body) for response in responses],
                [response.exchange.outcome.trail for response in responses],
                json.dumps(session.gateway_state.ledger.to_json()),
            )
        )

    assert found[0] == found[1]
