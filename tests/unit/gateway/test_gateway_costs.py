"""What answers cost, who pays for them and until when: `usage.cost`, budgets, limits and the ledger, through whole scenarios.

Source: gateway-behaviour.md 3 and 4.3, wire.md 0.1 and 3.4.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockbifrost.playback.player import WHOLE, Played
from mockbifrost.session.session import Session
from mockbifrost.wire.profiles import ProfileName
from tests.harness import PROFILE_NAMES, Response, ask_in, begin, chat, session_with
from tests.strategies import COUNTS, PRICES, REPLIES, REQUESTS

PROFILES = pytest.mark.parametrize("version", PROFILE_NAMES)
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
DOLLAR = {"input": 1_000_000, "output": 1_000_000}
"""A dollar for each token."""
KEY = {"x-bf-vk": "sk-bf-a"}
CACHED = {"x-bf-cache-key": "k"}
ONE_AND_TWO = {"content": "Hi", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
MANY = {
    "prompt_tokens": 100,
    "prompt_tokens_details": {"cached_tokens": 10},
    "completion_tokens": 50,
    "completion_tokens_details": {"reasoning_tokens": 8, "citation_tokens": 4, "num_search_queries": 2},
}
PRICE = {
    "input": 1_000_000,
    "output": 2_000_000,
    "cache_read": 500_000,
    "reasoning": 3_000_000,
    "citation": 4_000_000,
    "search": 0.5,
    "request": 0.25,
}


def priced(price: Mapping[str, Any] = DOLLAR, model: str = "openai/gpt-4o", **more: Any) -> dict[str, Any]:
    """Settings of a gateway that knows one price."""
    return {"pricing": {model: price, "openai/text-embedding-3-small": {}}, **more}


def cost_of(response: Response) -> Any:
    """`usage.cost`, which of a stream only the last chunk has; `absent` without one."""
    if not response.exchange.outcome.stream:
        return response.json()["usage"].get("cost", "absent")
    *on_the_way, last = response.chunks
    assert all(chunk["usage"] is None for chunk in on_the_way)
    return last["usage"].get("cost", "absent")


def charged(session: Session) -> float:
    return session.gateway_state.ledger.total().cost


FLAT = {
    "input_tokens_cost": 95.0,
    "output_tokens_cost": 76.0,
    "reasoning_tokens_cost": 24.0,
    "citation_tokens_cost": 16.0,
    "search_queries_cost": 1.0,
    "request_cost": 0.25,
    "total_cost": 212.25,
}
NESTED = {
    "input_cost": 95.25,
    "input_cost_details": {"text_cost": 90.0, "cached_read_cost": 5.0, "request_cost": 0.25},
    "output_cost": 117.0,
    "output_cost_details": {
        "text_cost": 76.0,
        "reasoning_cost": 24.0,
        "citation_cost": 16.0,
        "search_queries_cost": 1.0,
    },
    "total_cost": 212.25,
}
SHAPES: Mapping[ProfileName, Any] = {"documented": FLAT, "1.6": "absent", "2.2": NESTED}


@STREAMS
@PROFILES
def test_a_cost_is_computed_in_the_shape_of_the_profile(version: ProfileName, stream: bool) -> None:
    """1.6 says nothing of it, and charges it all the same."""
    session = session_with({"reply": {"content": "Hi", "usage": MANY}}, version=version, gateway=priced(PRICE))

    response = ask_in(session, chat(stream=stream))

    assert cost_of(response) == SHAPES[version]
    assert charged(session) == 212.25


@settings(max_examples=80, deadline=None)
@given(REQUESTS, REPLIES, PRICES, st.sampled_from(["documented", "2.2"]), st.booleans())
def test_the_total_is_the_sum_of_the_parts(
    request: dict[str, Any], reply: dict[str, Any], price: dict[str, Any], version: ProfileName, stream: bool
) -> None:
    """And what is charged; plain and streamed alike. A reported cost is handed on as it is, but for a 0."""
    gateway = {"pricing": {"openai/*": price, "anthropic/*": price}}
    session = session_with({"reply": reply}, version=version, gateway=gateway)

    cost: Any = (
        cost_of(ask_in(session, {**request, "stream": stream})) if reply.get("usage", "") is not None else "absent"
    )

    if reply.get("cost", "none") is None or cost == "absent":
        assert cost == "absent"
    elif reply.get("cost", 0) != 0:  # a reported 0 yields to what is computed
        reported = reply["cost"]
        assert cost == (reported if isinstance(reported, dict) else {"total_cost": reported})
        assert charged(session) == pytest.approx(cost.get("total_cost", 0.0))
    else:
        parts = [amount for key, amount in cost.items() if key != "total_cost" and not isinstance(amount, dict)]
        assert cost["total_cost"] == pytest.approx(sum(parts))
        assert cost["total_cost"] == pytest.approx(charged(session))
        for side in ("input", "output"):
            if f"{side}_cost" in cost:
                assert cost[f"{side}_cost"] == pytest.approx(sum(cost[f"{side}_cost_details"].values()))
        assert all(amount > 0 for amount in parts)


@STREAMS
@PROFILES
@pytest.mark.parametrize(
    ("reported", "shown"),
    [
        (0.5, {"total_cost": 0.5}),
        ({"total_cost": 0.5, "request_cost": 0.25, "x": "y"}, None),
        ({"request_cost": 1}, None),
    ],
)
def test_what_a_provider_reports_beats_what_is_computed(
    reported: Any, shown: Any, version: ProfileName, stream: bool
) -> None:
    session = session_with({"reply": {**ONE_AND_TWO, "cost": reported}}, version=version, gateway=priced())

    response = ask_in(session, chat(stream=stream))

    assert cost_of(response) == (shown or reported)
    assert charged(session) == (shown or reported).get("total_cost", 0)


@STREAMS
@PROFILES
@pytest.mark.parametrize("mode", ["computed", "from_provider", "none"])
def test_the_settings_say_what_is_shown_and_not_what_is_charged(mode: str, version: ProfileName, stream: bool) -> None:
    stubs = ({"when": {"user": "report"}, "reply": {**ONE_AND_TWO, "cost": 0.5}}, {"reply": ONE_AND_TWO})
    session = session_with(*stubs, version=version, gateway=priced(cost=mode))

    computed, reported = [cost_of(ask_in(session, chat(user, stream=stream))) for user in ("compute", "report")]

    assert (computed != "absent") == (mode == "computed")
    assert (reported != "absent") == (mode != "none")
    assert charged(session) == 3.5


@STREAMS
@PROFILES
def test_a_script_leaves_the_cost_out_and_it_is_charged(version: ProfileName, stream: bool) -> None:
    session = session_with({"reply": {**ONE_AND_TWO, "cost": None}}, version=version, gateway=priced())

    assert cost_of(ask_in(session, chat(stream=stream))) == "absent"
    assert charged(session) == 3


@STREAMS
@PROFILES
def test_an_unknown_model_costs_nothing_and_nothing_is_said(version: ProfileName, stream: bool) -> None:
    session = session_with({"reply": ONE_AND_TWO}, version=version, gateway=priced())

    assert cost_of(ask_in(session, chat(model="gpt-nobody-knows", stream=stream))) == "absent"
    assert charged(session) == 0


@STREAMS
def test_the_model_that_answers_has_a_price_where_the_one_that_was_asked_has_none(stream: bool) -> None:
    gateway = priced(model="openai/gpt-nobody-knows-2026")
    session = session_with({"reply": {**ONE_AND_TWO, "model": "gpt-nobody-knows-2026"}}, gateway=gateway)

    assert cost_of(ask_in(session, chat(model="gpt-nobody-knows", stream=stream)))["total_cost"] == 3


@STREAMS
def test_a_provider_that_sent_no_usage_is_charged_nothing(stream: bool) -> None:
    session = session_with({"reply": {"content": "Hi", "usage": None}}, gateway=priced())

    response = ask_in(session, chat(stream=stream))

    usage = (response.chunks[-1] if stream else response.json())["usage"]
    assert "cost" not in (usage or {})
    assert charged(session) == 0


@STREAMS
@PROFILES
@pytest.mark.parametrize("semantic", [False, True], ids=["direct", "semantic"])
def test_a_hit_costs_nothing_and_says_the_tokens(version: ProfileName, stream: bool, semantic: bool) -> None:
    kind = {"x-bf-cache-type": "semantic" if semantic else "direct"}
    session = session_with({"reply": ONE_AND_TWO}, version=version, gateway=priced(cache={"semantic": semantic}))
    ask_in(session, chat(stream=stream), headers=CACHED)

    again = ask_in(session, chat(stream=stream), headers={**CACHED, **kind})

    assert cost_of(again) == ("absent" if version == "1.6" else {"total_cost": 0})
    usage = (again.chunks[-1] if stream else again.json())["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (1, 2)
    total = session.gateway_state.ledger.total()
    assert (total.requests, total.cached, total.cost, total.total_tokens) == (2, 1, 3, 3)


def test_a_fallback_is_charged_at_its_own_price_and_the_primary_not_at_all() -> None:
    stubs = ({"when": {"provider": "openai"}, "error": "unavailable"}, {"reply": ONE_AND_TWO})
    session = session_with(*stubs, gateway={"pricing": {"openai/gpt-4o": DOLLAR, "groq/llama": {"input": 5_000_000}}})

    response = ask_in(session, chat(fallbacks=["groq/llama"]))

    assert cost_of(response) == {"input_tokens_cost": 5, "total_cost": 5}
    assert [(row.provider, row.model, row.cost) for row in session.gateway_state.ledger.rows()] == [
        ("groq", "llama", 5)
    ]


def spends(budgets: Sequence[Mapping[str, Any]] = (), limits: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Settings in which a virtual key has limits; an answer costs three dollars and has three tokens."""
    key = {"name": "team", "budgets": list(budgets)}
    return priced(virtual_keys={"sk-bf-a": key | ({"rate_limit": limits} if limits else {})})


def statuses(session: Session, count: int, **more: Any) -> list[int]:
    return [ask_in(session, chat(str(number), **more), headers=KEY).status for number in range(count)]


@STREAMS
@PROFILES
def test_one_call_overshoots_a_budget_and_the_next_is_refused(version: ProfileName, stream: bool) -> None:
    session = session_with({"reply": ONE_AND_TWO}, version=version, gateway=spends([{"limit": 4, "resets": "1h"}]))

    assert statuses(session, 3, stream=stream) == [200, 200, 402]
    refused = ask_in(session, chat(stream=stream), headers=KEY)
    assert refused.json()["type"] == "budget_exceeded"
    assert "6.0000 >= 4.0000 dollars" in refused.error["message"]
    assert refused.error["message"].startswith("Budget exceeded: ")


def test_a_budget_is_whole_again_when_its_time_has_passed() -> None:
    """From the first charge on, by the session's clock."""
    session = session_with({"reply": ONE_AND_TWO}, gateway=spends([{"limit": 3, "resets": "1h"}]))
    session.clock.advance(100)

    assert statuses(session, 2) == [200, 402]
    session.clock.advance(3_599)
    assert statuses(session, 1) == [402]
    session.clock.advance(1)
    assert statuses(session, 2) == [200, 402]


def test_every_budget_must_hold() -> None:
    budgets = [{"limit": 100, "resets": "1d"}, {"limit": 6, "resets": "1m"}]
    session = session_with({"reply": ONE_AND_TWO}, gateway=spends(budgets))

    assert statuses(session, 3) == [200, 200, 402]


@pytest.mark.parametrize(
    ("limits", "served", "type", "told"),
    [
        ({"requests": "2/1m"}, 2, "request_limited", "[request limit exceeded (2/2, resets every 1m)]"),
        ({"tokens": "4/1m"}, 2, "token_limited", "[token limit exceeded (6/4, resets every 1m)]"),
        (
            {"tokens": "4/1m", "requests": "2/1h"},
            2,
            "rate_limited",
            "[token limit exceeded (6/4, resets every 1m), request limit exceeded (2/2, resets every 1h)]",
        ),
    ],
)
def test_limits_of_tokens_and_requests(limits: Mapping[str, str], served: int, type: str, told: str) -> None:
    session = session_with({"reply": ONE_AND_TWO}, gateway=spends(limits=limits))

    assert statuses(session, served + 1) == [200] * served + [429]
    refused = ask_in(session, chat(), headers=KEY)
    assert refused.json()["type"] == type
    assert refused.error["message"].startswith("Rate limit exceeded: ")
    assert refused.error["message"].endswith(told)
    assert refused.header("retry-after") is None
    session.clock.advance(3_600)
    assert statuses(session, 1) == [200]


@pytest.mark.parametrize("limits", [{"requests": "1/1m"}, {"tokens": "1/1m"}])
def test_what_failed_and_what_the_cache_served_uses_no_limit(limits: Mapping[str, str]) -> None:
    stubs = ({"when": {"user": "fail"}, "error": "unavailable"}, {"reply": ONE_AND_TWO})
    session = session_with(*stubs, gateway=spends(limits=limits))
    without_key = ask_in(session, chat(), headers=CACHED)  # stored for all

    found = [
        ask_in(session, chat(user), headers={**KEY, **CACHED}).status for user in ("fail", "hi", "hi", "new", "more")
    ]

    assert without_key.status == 200
    assert found == [503, 200, 200, 200, 429]


def test_a_limit_is_that_of_its_key_alone() -> None:
    keys = {f"sk-bf-{name}": {"name": name, "rate_limit": {"requests": "1/1m"}} for name in "ab"}
    session = session_with({"reply": ONE_AND_TWO}, gateway={"virtual_keys": keys})

    found = [ask_in(session, chat(), headers={"x-bf-vk": f"sk-bf-{name}"}).status for name in "aabb"]

    assert found == [200, 429, 200, 429]


def test_charges_come_after_the_answer() -> None:
    """Two requests at a time both pass."""
    session = session_with({"reply": ONE_AND_TWO}, gateway=spends(limits={"requests": "1/1m"}))

    exchanges = [begin(session, chat(str(number)), headers=KEY) for number in range(2)]
    for exchange in exchanges:
        session.finish(exchange, WHOLE)

    assert [exchange.outcome.status for exchange in exchanges] == [200, 200]
    assert statuses(session, 1) == [429]


def test_the_ledger_has_a_row_for_each_virtual_key_and_model() -> None:
    keys = {"sk-bf-a": {"name": "team-a"}, "sk-bf-b": {"name": "team-b"}}
    session = session_with({"reply": ONE_AND_TWO}, gateway=priced(virtual_keys=keys))
    for key, model in (
        ("sk-bf-a", "gpt-4o"),
        ("sk-bf-a", "gpt-4o"),
        ("sk-bf-a", "groq/x"),
        ("sk-bf-b", "gpt-4o"),
        ("", "gpt-4o"),
    ):
        ask_in(session, chat(model=model), headers={"x-bf-vk": key} if key else {})

    found = session.gateway_state.ledger.to_json()

    assert [json.loads(json.dumps(row)) for row in found["rows"]] == [  # type: ignore[union-attr]
        row("", "openai", "gpt-4o", 1, 3.0),
        row("team-a", "groq", "x", 1, 0.0),
        row("team-a", "openai", "gpt-4o", 2, 6.0),
        row("team-b", "openai", "gpt-4o", 1, 3.0),
    ]


def row(virtual_key: str, provider: str, model: str, requests: int, cost: float) -> dict[str, Any]:
    return {
        "virtual_key": virtual_key,
        "provider": provider,
        "model": model,
        "requests": requests,
        "cached": 0,
        "prompt_tokens": requests,
        "completion_tokens": 2 * requests,
        "total_tokens": 3 * requests,
        "cost": cost,
    }


USAGES = st.none() | st.fixed_dictionaries(
    {"prompt_tokens": COUNTS, "completion_tokens": COUNTS}, optional={"total_tokens": COUNTS}
)
OUTCOMES = st.one_of(
    USAGES.map(lambda usage: {"reply": {"content": "one two three", "usage": usage}}),
    st.just({"reply": "one two three four five"}),
    st.sampled_from(["unavailable", "rate_limited", "unauthorized", "bad_request"]).map(lambda name: {"error": name}),
    st.just({"gateway_error": "queue_full"}),
    st.just({"upstream": "no_response"}),
    st.just({"reply": "one two three", "upstream": {"cut": {"at": "usage"}}}),
)
ASKED = st.lists(
    st.tuples(OUTCOMES, st.booleans(), st.sampled_from(["", "a", "b"]), st.booleans()), min_size=1, max_size=8
)


@settings(max_examples=80, deadline=None)
@given(ASKED, st.sampled_from(PROFILE_NAMES))
def test_the_ledger_is_the_sum_of_what_answers_say(
    asked: list[tuple[dict[str, Any], bool, str, bool]], version: ProfileName
) -> None:
    """Of whatever outcomes: the usage of the answers that came to their end, hits aside, by virtual key."""
    keys = {f"sk-bf-{name}": {"name": name} for name in "ab"}
    stubs = [{"when": {"user": {"equals": str(number)}}, **outcome} for number, (outcome, *_rest) in enumerate(asked)]
    session = session_with(
        *stubs,
        {"reply": "The fallback."},
        version=version,
        gateway={**priced(), "virtual_keys": keys, "cache": {"default_key": "k"}},
    )
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for number, (_outcome, stream, key, again) in enumerate(asked):
        headers = {"x-bf-vk": f"sk-bf-{key}"} if key else {}
        for _time in range(1 + again):
            response = ask_in(session, chat(str(number), stream=stream), headers=headers)
            if response.status != 200 or response.exchange.outcome.end == "hold":
                continue
            count(counted[key], response)

    ledger = session.gateway_state.ledger
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for one in ledger.rows():
        sums = (one.requests, one.prompt_tokens, one.completion_tokens, one.total_tokens)
        found[one.virtual_key] = [before + more for before, more in zip(found[one.virtual_key], sums, strict=True)]
    assert found == counted
    total = ledger.total()
    assert [total.requests, total.prompt_tokens, total.completion_tokens, total.total_tokens] == [
        sum(column) for column in zip([0] * 4, *counted.values(), strict=True)
    ]


def count(sums: list[int], response: Response) -> None:
    body = response.chunks[-1] if response.exchange.outcome.stream else response.json()
    sums[0] += 1
    debug = body["extra_fields"].get("cache_debug")
    if debug is not None and debug["cache_hit"]:
        return
    usage = body["usage"] or {}
    for place, name in enumerate(("prompt_tokens", "completion_tokens", "total_tokens"), 1):
        sums[place] += usage.get(name, 0)


@settings(max_examples=60, deadline=None)
@given(COUNTS, COUNTS, COUNTS, st.integers(0, 3))
def test_of_what_was_sent_in_part_no_more_is_charged_than_of_the_whole(
    prompt: int, completion: int, total: int, chunks: int
) -> None:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    found = []
    for played in (Played(closed=True, chunks=chunks), WHOLE):
        session = session_with({"reply": {"content": "one two three", "usage": usage}}, gateway=priced())
        ask_in(session, chat(stream=True), played=played)
        found.append(session.gateway_state.ledger.total())
    part, whole = found

    assert part.prompt_tokens == whole.prompt_tokens
    assert part.completion_tokens == round(whole.completion_tokens * chunks / 3)
    unsent = whole.completion_tokens - part.completion_tokens
    assert part.total_tokens == max(0, whole.total_tokens - unsent)
    assert part.cost == pytest.approx(prompt + completion * chunks / 3)
