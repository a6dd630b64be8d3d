"""Laws of a whole request: no scenario makes the gateway raise, and it changes nothing but what it says it counted.

Scenarios are generated: stubs of every behaviour, settings of every section, requests with every header of the gateway.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mockbifrost.playback.player import WHOLE, Played
from mockbifrost.playback.timeline import timeline_of
from mockbifrost.session.session import Session
from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS
from mockbifrost.vocabulary.gateway_errors import GATEWAY_ERRORS
from mockbifrost.vocabulary.quirks import QUIRKS
from mockbifrost.wire.profiles import ProfileName
from tests.harness import PROFILE_NAMES, begin, chat, read, session_with
from tests.strategies import PRICES

PROVIDERS = ("openai", "anthropic", "groq")
PLACES = st.fixed_dictionaries({}, optional={"after_chunks": st.integers(0, 4)})
FAULTS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["reset", "no_response", "empty", "html", "not_json", "truncated", "not_sse", "no_done"]),
    st.builds(lambda kind, place: {kind: place}, st.sampled_from(["cut", "stall", "malformed"]), PLACES),
    st.builds(lambda place: {"error_event": {"name": "overloaded", **place}}, PLACES),
    st.just({"slow": "40s"}),
)
ALONE = st.sampled_from(["reset", "no_response", "empty", "html", "not_json", "truncated", "not_sse"])
REPLIED = st.fixed_dictionaries(
    {"reply": st.sampled_from(["one two three", "", "{{ user }} {{ attempt }}"])},
    optional={
        "upstream": FAULTS,
        "cache": st.sampled_from(["hit", "miss", {"hit": "semantic", "similarity": 0.5}]),
        "pace": st.just({"ttft": "1s", "tokens_per_second": 10}),
    },
)
BEHAVIOURS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    REPLIED,
    st.just({"auto": True}),
    st.sampled_from(["unavailable", "rate_limited", "unauthorized"]).map(lambda name: {"error": name}),
    st.sampled_from(sorted(PROVIDER_ERRORS)).map(lambda name: {"error": name}),
    st.sampled_from(sorted(GATEWAY_ERRORS)).map(lambda name: {"gateway_error": name}),
    st.just({"raw": {"status": 418, "text": "tea"}}),
    ALONE.map(lambda fault: {"upstream": fault}),
)
WHENS = st.fixed_dictionaries(
    {},
    optional={
        "provider": st.sampled_from(PROVIDERS),
        "attempt": st.sampled_from([0, "1.."]),
        "fallback": st.sampled_from([0, 1]),
        "key": st.sampled_from(["main", "spare"]),
        "stream": st.booleans(),
    },
)


@st.composite
def stubs(draw: st.DrawFn) -> dict[str, Any]:
    """A stub of one behaviour, or of a sequence of them."""
    found: dict[str, Any] = {"when": draw(WHENS)}
    if draw(st.booleans()):
        found |= draw(BEHAVIOURS)
    else:
        found["sequence"] = draw(st.lists(BEHAVIOURS, min_size=1, max_size=4))
        found["on_end"] = draw(st.sampled_from(["miss", "pass", "repeat", "cycle"]))
    if draw(st.booleans()):
        found["per"] = draw(st.sampled_from(["call", "attempt"]))
    return found


KEYS = [{"name": "main", "weight": 3}, {"name": "spare", "models": ["*-mini", "gpt-4o"], "aliases": {"gpt-4o": "ours"}}]
RULES = st.fixed_dictionaries(
    {"max_retries": st.sampled_from([2, 1, 3, 0])},
    optional={
        "keys": st.sampled_from([KEYS, KEYS[:1], []]),
        "timeout": st.sampled_from(["500ms", "5s"]),
        "stream_idle_timeout": st.sampled_from(["50ms", "5s"]),
        "validate": st.booleans(),
    },
)
SELDOM = st.sampled_from([False] * 7 + [True])
LIMITED = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("team"),
        "active": SELDOM.map(lambda off: not off),
        "expires": st.sampled_from(["1h", "5s"]),
        "providers": st.dictionaries(st.sampled_from(PROVIDERS), st.sampled_from([["*"], ["gpt-4o"], []]), max_size=3),
        "budgets": st.sampled_from([[{"limit": 0}], [{"limit": 20, "resets": "10s"}]]),
        "rate_limit": st.sampled_from([{"requests": "2/10s"}, {"tokens": "20/10s", "requests": "3/1m"}]),
    },
)
GATEWAYS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "providers": st.fixed_dictionaries({"openai": RULES}, optional={"groq": RULES, "anthropic": RULES}),
        "fallbacks": st.just({"openai/*": ["groq/llama", "anthropic/claude"]}),
        "cache": st.fixed_dictionaries(
            {}, optional={"default_key": st.just("k"), "semantic": st.booleans(), "ttl": st.just("10s")}
        ),
        "require_virtual_key": SELDOM,
        "required_headers": SELDOM.map(lambda wanted: ["x-team"] if wanted else []),
        "virtual_keys": st.fixed_dictionaries({"sk-bf-a": LIMITED, "sk-bf-b": LIMITED}),
        "pricing": PRICES.map(lambda price: {"*/*": price, "openai/gpt-4o": price}),
        "cost": st.sampled_from(["computed", "from_provider", "none"]),
        "raw": st.fixed_dictionaries({}, optional={"request": st.booleans(), "response": st.booleans()}),
        "quirks": st.sets(st.sampled_from(sorted(QUIRKS)), max_size=4).map(sorted),
    },
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "x-bf-vk": st.sampled_from(["sk-bf-a", "sk-bf-b", "sk-bf-a", "sk-bf-c"]),
        "x-team": st.just("t"),
        "x-bf-cache-key": st.just("k"),
        "x-bf-cache-type": st.sampled_from(["direct", "semantic", "x"]),
        "x-bf-cache-no-store": st.just("true"),
        "x-bf-api-key": st.sampled_from(["main", "nobody"]),
        "x-bf-session-id": st.just("s"),
        "x-bf-session-ttl": st.sampled_from(["5s", "x"]),
        "x-bf-send-back-raw-response": st.sampled_from(["true", "false"]),
        "x-stainless-retry-count": st.sampled_from(["0", "1"]),
    },
)
BODIES = st.builds(
    chat,
    st.sampled_from(["a", "b"]),
    model=st.sampled_from(["gpt-4o"] * 6 + ["openai/gpt-4o-mini", "anthropic/claude", "openai/", "mistral/x", ""]),
    stream=st.booleans(),
    fallbacks=st.lists(st.sampled_from(["groq/llama", "anthropic/claude", "nobody/x", "plain"]), max_size=3),
    temperature=st.sampled_from([None, None, 1, 3]),
)
PLAYED = st.just(WHOLE) | st.builds(Played, st.just(value=True), st.integers(0, 3))
ASKED = st.lists(st.tuples(BODIES, HEADERS, PLAYED, st.sampled_from([0, 3, 20])), min_size=1, max_size=4)
SCENARIOS = st.lists(stubs(), max_size=4).flatmap(
    lambda found: st.sampled_from([[*found, {"reply": "one two three"}], [*found, {"auto": True}], found])
)


def kept(session: Session) -> Any:
    """All that a session remembers but its journal, in a form that can be compared."""
    state = session.gateway_state
    return deepcopy(
        (
            session.counters.counts,
            dict(session.gates),
            state.ledger.to_json(),
            sorted(state.cache._entries),
            {name: (window.begun_s, window.used) for name, window in state.limits._windows.items()},
            dict(state.sticky._known),
        )
    )


@settings(max_examples=300, deadline=None)
@given(SCENARIOS, GATEWAYS, ASKED, st.sampled_from(PROFILE_NAMES))
def test_whatever_is_scripted_and_asked_is_answered(
    scenario: list[dict[str, Any]],
    gateway: dict[str, Any],
    asked: list[tuple[dict[str, Any], dict[str, str], Played, int]],
    version: ProfileName,
) -> None:
    """A status, a body of the type that it says, a trail in order of time, an entry that can be shown; never an exception."""
    session = session_with(*scenario, version=version, gateway=gateway)
    for body, headers, played, seconds in asked:
        session.clock.advance(seconds)
        exchange = begin(session, body, headers=headers)
        session.finish(exchange, played)

        outcome = exchange.outcome
        response = read(exchange)
        assert 200 <= response.status < 600
        if outcome.raw:
            assert response.body == b"tea"
        elif response.header("content-type") == "application/json":
            assert isinstance(response.json(), dict) or "null_body_on_cache_hit" in gateway["quirks"]
        else:
            assert outcome.stream
            assert response.body.endswith(b"\n\n") or outcome.end == "hold"
        times = [one.at_s for one in outcome.trail]
        assert times == sorted(times)
        assert all(one.took_s >= 0 for one in outcome.trail)
        assert read(exchange, timeline_of(outcome, 1)).body == response.body
        assert json.dumps(exchange.entry.to_json())


@settings(max_examples=150, deadline=None)
@given(SCENARIOS, GATEWAYS, ASKED, st.sampled_from(PROFILE_NAMES))
def test_a_request_changes_what_it_counted_and_its_end_what_it_was_charged(
    scenario: list[dict[str, Any]],
    gateway: dict[str, Any],
    asked: list[tuple[dict[str, Any], dict[str, str], Played, int]],
    version: ProfileName,
) -> None:
    """Deciding counts uses of stubs and keys of sticky sessions, upwards by the attempts; the end alone charges and stores."""
    session = session_with(*scenario, version=version, gateway=gateway)
    for body, headers, played, seconds in asked:
        session.clock.advance(seconds)
        counts, gates, ledger, entries, windows, sticky = kept(session)

        exchange = begin(session, body, headers=headers)

        outcome = exchange.outcome
        decided = kept(session)
        assert decided[1:5] == (gates, ledger, entries, windows)
        assert all(decided[0][name] >= count for name, count in counts.items())
        served = [one.stub for one in outcome.trail if one.stub is not None]
        if not served:
            assert decided[0] == counts
        if outcome.pinned is None:
            assert decided[5] == sticky

        session.finish(exchange, played)

        ended = kept(session)
        assert ended[:2] == decided[:2]
        assert ended[5] == decided[5]
        if outcome.charge is None:
            assert ended[2:5] == (ledger, entries, windows)
        else:
            charge = exchange.entry.charge
            assert charge is not None
            before, after = ledger["total"], ended[2]["total"]
            assert after["requests"] == before["requests"] + 1
            assert after["total_tokens"] == before["total_tokens"] + charge.total_tokens
            assert min(charge.prompt_tokens, charge.completion_tokens, charge.total_tokens) >= 0
        if played.closed or outcome.stored is None:
            assert set(ended[3]) <= set(entries)


@settings(max_examples=100, deadline=None)
@given(SCENARIOS, GATEWAYS, ASKED, st.sampled_from(PROFILE_NAMES))
def test_deciding_twice_gives_the_same(
    scenario: list[dict[str, Any]],
    gateway: dict[str, Any],
    asked: list[tuple[dict[str, Any], dict[str, str], Played, int]],
    version: ProfileName,
) -> None:
    """Two sessions that are asked alike remember alike and answer alike: heads, bodies, trails, waits."""
    found = []
    for _session in range(2):
        session = session_with(*scenario, version=version, gateway=gateway)
        told = []
        for body, headers, played, seconds in asked:
            session.clock.advance(seconds)
            exchange = begin(session, body, headers=headers)
            session.finish(exchange, played)
            response = read(exchange)
            outcome = exchange.outcome
            told.append((response.status, response.headers, response.body, outcome.trail, outcome.waited_s))
        found.append((told, kept(session)))

    assert found[0] == found[1]
