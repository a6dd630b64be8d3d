"""The simulated cache: who takes part, what makes two requests the same, what is found, how long, and what is said about it."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mockbifrost.gateway.cache import (
    MOST_BYTES,
    MOST_ENTRIES,
    NAMESPACE,
    Cache,
    Hit,
    Lookup,
    Wording,
    hit_debug,
    lookup_of,
    miss_debug,
    similarity,
)
from mockbifrost.gateway.configuration import CacheRules
from mockbifrost.match.conversation import Conversation
from mockbifrost.provider.answer import Answer, Draft
from mockbifrost.vocabulary.durations import header_seconds
from mockbifrost.wire.jsontypes import encode
from mockbifrost.wire.profiles import DOCUMENTED, PROFILES, V1_6, V2_2, Profile
from mockbifrost.wire.request import InvalidBody, parse_body, validate
from tests.harness import ask_in, chat, session_with
from tests.strategies import JSON, NAMES, TEXTS

DIRECT = CacheRules()
SEMANTIC = CacheRules(semantic=True)
KEY = {"x-bf-cache-key": "tests"}
FRANCE = "What is the capital of France?"


def body(*texts: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text} for text in texts or (FRANCE,)]
    return {"model": "openai/gpt-4o", "messages": messages} | more


def asks(request: Mapping[str, Any]) -> Conversation:
    return Conversation(validate(request), request)


def maybe(
    request: Mapping[str, Any],
    rules: CacheRules = DIRECT,
    headers: Mapping[str, str] = KEY,
    *,
    provider: str = "openai",
    model: str = "gpt-4o",
    quirks: frozenset[str] = frozenset(),
) -> Lookup | None:
    return lookup_of(rules, asks(request), headers, provider, model, quirks)


def look(
    request: Mapping[str, Any], rules: CacheRules = DIRECT, headers: Mapping[str, str] = KEY, **more: Any
) -> Lookup:
    found = maybe(request, rules, headers, **more)
    assert found is not None
    return found


def headed(**headers: str) -> dict[str, str]:
    return KEY | {f"x-bf-cache-{name.replace('_', '-')}": value for name, value in headers.items()}


def answer(id: str = "a") -> Answer:
    return Answer(Draft(), id, 0, "gpt-4o", "")


def stored(*lookups: Lookup, now_s: float = 0.0) -> Cache:
    cache = Cache()
    for number, lookup in enumerate(lookups):
        cache.store(lookup, answer(str(number)), 10, now_s)
    return cache


def hit(cache: Cache, lookup: Lookup, now_s: float = 0.0) -> Hit:
    found = cache.find(lookup, now_s)
    assert found is not None
    return found


# Who takes part


def test_without_a_cache_key_the_cache_has_no_part() -> None:
    assert maybe(body(), DIRECT, {}) is None
    assert maybe(body(), DIRECT, {"x-bf-cache-key": ""}) is None


def test_the_default_key_stands_in_for_a_missing_one_and_the_header_beats_it() -> None:
    rules = CacheRules(default_key="all")

    assert look(body(), rules, {}).key == look(body(), rules, {"x-bf-cache-key": ""}).key == "all"
    assert look(body(), rules).key == "tests"


def test_a_disabled_cache_has_no_part() -> None:
    assert maybe(body(), CacheRules(enabled=False, default_key="all")) is None


@pytest.mark.parametrize("threshold", [1, 3, 5])
def test_a_conversation_of_more_messages_than_the_threshold_is_passed_by(threshold: int) -> None:
    rules = CacheRules(conversation_history_threshold=threshold)

    assert maybe(body(*"a" * threshold), rules) is not None
    assert maybe(body(*"a" * (threshold + 1)), rules) is None


def test_excluded_system_messages_do_not_count_for_the_length() -> None:
    request = body("a", "b", "c")
    request["messages"].insert(0, {"role": "system", "content": "Be brief."})

    assert maybe(request) is None
    assert maybe(request, CacheRules(exclude_system_prompt=True)) is not None


def test_a_request_without_messages_can_be_cached() -> None:
    request = {"model": "openai/gpt-4o"}

    assert hit(stored(look(request, SEMANTIC)), look(request, SEMANTIC)).kind == "direct"
    assert look(request, SEMANTIC).wording is None


@pytest.mark.parametrize(
    ("rules", "wanted", "searches"),
    [
        (DIRECT, None, (True, False)),
        (DIRECT, "", (True, False)),
        (DIRECT, "direct", (True, False)),
        (DIRECT, "semantic", None),
        (DIRECT, "Direct", None),
        (DIRECT, "both", None),
        (SEMANTIC, None, (True, True)),
        (SEMANTIC, "", (True, True)),
        (SEMANTIC, "direct", (True, False)),
        (SEMANTIC, "semantic", (False, True)),
        (SEMANTIC, "direct, semantic", None),
    ],
)
def test_the_type_chooses_the_searches_and_one_that_cannot_be_had_skips_the_cache(
    rules: CacheRules, wanted: str | None, searches: tuple[bool, bool] | None
) -> None:
    found = maybe(body(), rules, KEY if wanted is None else headed(type=wanted))

    assert (found and (found.direct, found.wording is not None)) == searches


# The headers


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3s", 3.0),
        ("300ms", 0.3),
        ("1h2m3.5s", 3723.5),
        ("+2m", 120.0),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("2us", 2e-6),
        ("5ns", 5e-9),
        ("60", 60.0),
        ("+60", 60.0),
        ("007", 7.0),
    ],
)
def test_a_ttl_is_a_go_duration_or_whole_seconds(text: str, seconds: float) -> None:
    assert header_seconds(text) == pytest.approx(seconds)
    assert look(body(), headers=headed(ttl=text)).ttl_s == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0s",
        "0.1ns",
        "-3s",
        "-3",
        "1.5",
        "3 s",
        " 3s",
        "3S",
        "3d",
        "s",
        ".s",
        "soon",
        "1_0",
        "٣s",
        "9" * 19,
        "9" * 5000,
        "9" * 5000 + "h",
        "9" * 40 + "s",
    ],
)
def test_any_other_ttl_is_silently_the_default(text: str) -> None:
    assert header_seconds(text) is None
    assert look(body(), CacheRules(ttl_s=77.0), headed(ttl=text)).ttl_s == 77.0


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("0.5", 0.5),
        (".5", 0.5),
        ("5e-1", 0.5),
        ("0", 0.0),
        ("1", 1.0),
        ("1.5", 1.0),
        ("+7", 1.0),
        ("-0.1", 0.0),
        ("", 0.7),
        ("high", 0.7),
        ("0,5", 0.7),
        (" 0.5", 0.7),
        ("1_0", 0.7),
        ("٣", 0.7),
        ("nan", 0.7),
        ("inf", 0.7),
        ("1e999", 0.7),
    ],
)
def test_a_threshold_is_clamped_and_a_bad_one_is_passed_over(text: str, threshold: float) -> None:
    assert look(body(), CacheRules(threshold=0.7), headed(threshold=text)).threshold == threshold


def test_a_threshold_of_0_in_the_settings_is_the_default() -> None:
    assert look(body(), CacheRules(threshold=0.0)).threshold == 0.8


@pytest.mark.parametrize(
    ("text", "stores"), [("true", False), ("TRUE", True), ("false", True), ("1", True), ("", True)]
)
def test_only_the_word_true_keeps_an_answer_out(text: str, stores: bool) -> None:
    lookup = look(body(), headers=headed(no_store=text))
    cache = stored(lookup)

    assert lookup.stores == stores
    assert (cache.find(look(body()), 0.0) is not None) == stores


def test_no_store_is_served_what_is_there_and_reports_the_same_id() -> None:
    lookup = look(body(), headers=headed(no_store="true"))
    cache = stored(look(body()))

    assert hit(cache, lookup).id == lookup.id == look(body()).id


@given(st.dictionaries(st.sampled_from(["key", "ttl", "threshold", "type", "no-store"]), st.text(max_size=20)))
def test_no_header_is_too_strange(headers: dict[str, str]) -> None:
    found = maybe(body(), SEMANTIC, KEY | {f"x-bf-cache-{name}": text for name, text in headers.items()})

    assert found is None or (found.ttl_s > 0 and 0 <= found.threshold <= 1)


# What makes two requests the same


SPACE = st.text(" \t\n\r", max_size=3)
ASCII = st.text(st.characters(max_codepoint=126, min_codepoint=33), min_size=1, max_size=10)
CASED = st.sampled_from([str.upper, str.lower, str.swapcase, str.title])
TOOL = st.fixed_dictionaries(
    {
        "type": st.just("function"),
        "function": st.fixed_dictionaries({"name": NAMES}, optional={"description": TEXTS, "strict": st.booleans()}),
    }
)


def content_of(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    part = st.fixed_dictionaries({"type": st.just("text"), "text": texts}) | st.fixed_dictionaries(
        {"type": st.just("image_url"), "image_url": st.fixed_dictionaries({"url": ASCII, "detail": st.just("low")})}
    )
    return st.none() | texts | st.lists(part, max_size=3)


NUMBERED: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.floats(0, 2) | st.integers(0, 2),
    "top_p": st.floats(0, 1),
    "max_tokens": st.integers(1, 100),
    "stop": NAMES | st.lists(NAMES, min_size=1, max_size=3),
    "frequency_penalty": st.floats(-2, 2),
    "presence_penalty": st.floats(-2, 2),
    "seed": st.integers(0, 9),
    "tool_choice": st.sampled_from(["auto", "none", "required"]),
    "parallel_tool_calls": st.booleans(),
    "user": NAMES,
    "logit_bias": st.dictionaries(NAMES, st.floats(-100, 100), min_size=1, max_size=2),
    "logprobs": st.booleans(),
    "top_logprobs": st.integers(0, 5),
    "modalities": st.lists(st.sampled_from(["text", "audio"]), min_size=1, max_size=2, unique=True),
    "prompt_cache_key": NAMES,
    "reasoning_effort": st.sampled_from(["low", "high"]),
    "response_format": st.fixed_dictionaries({"type": NAMES}),
    "safety_identifier": NAMES,
    "service_tier": st.sampled_from(["auto", "flex"]),
    "store": st.booleans(),
    "verbosity": st.sampled_from(["low", "high"]),
    "extra_params": st.dictionaries(NAMES, JSON, min_size=1, max_size=2),
    "tools": st.lists(TOOL, min_size=1, max_size=3),
    "stream": st.booleans(),
}
"""The parameters that count, with values for them. Source: gateway-behaviour.md 2.3."""
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": content_of(TEXTS)}),
    max_size=3,
)
BODIES = st.fixed_dictionaries({"model": st.just("openai/gpt-4o"), "messages": MESSAGES}, optional=NUMBERED)


def reordered(value: Any) -> Any:
    """The same JSON with all keys the other way round."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(BODIES)
def test_the_order_of_keys_is_no_matter(request: dict[str, Any]) -> None:
    assert look(reordered(request)) == look(request)


@given(st.lists(TOOL, min_size=1, max_size=4).flatmap(lambda tools: st.tuples(st.just(tools), st.permutations(tools))))
def test_the_order_of_tools_is_no_matter(tools: tuple[list[Any], list[Any]]) -> None:
    assert look(body(tools=tools[0])).id == look(body(tools=tools[1])).id


@pytest.mark.parametrize("name", ["stop", "modalities"])
def test_the_order_of_a_set_is_no_matter(name: str) -> None:
    assert look(body(**{name: ["a", "b"]})).id == look(body(**{name: ["b", "a"]})).id
    assert look(body(**{name: []})).id == look(body()).id
    assert look(body(**{name: ["a", "b"]})).id != look(body(**{name: ["a"]})).id


@given(st.lists(ASCII, min_size=1, max_size=3).map(" ".join), CASED, SPACE, SPACE, st.booleans())
def test_case_and_outer_white_space_are_no_matter(
    text: str, cased: Callable[[str], str], before: str, after: str, in_parts: bool
) -> None:
    def said(text: str) -> dict[str, Any]:
        content: Any = [{"type": "text", "text": text}] if in_parts else text
        return {"model": "x", "messages": [{"role": "user", "content": content}]}

    assert look(said(before + cased(text) + after)).id == look(said(text)).id


@given(ASCII, ASCII, st.text(" \t", min_size=2, max_size=4))
def test_inner_white_space_is_a_matter(first: str, second: str, space: str) -> None:
    assert look(body(f"{first}{space}{second}")).id != look(body(f"{first} {second}")).id


UNNAMED = [
    "fallbacks", "metadata", "n", "top_k", "audio", "prediction", "web_search_options", "stream_options", "reasoning_max_tokens",
    "reasoning_display", "prompt_cache_retention", "prompt_cache_options", "prompt_cache_isolation_key", "speed", "previous_response_id",
    "model",
]  # fmt: skip
OF_UNNAMED: dict[str, Any] = {
    "fallbacks": ["anthropic/claude"], "n": 2, "top_k": 3, "stream_options": {"include_usage": True}, "reasoning_max_tokens": 9,
    "reasoning_display": "x", "prompt_cache_retention": "24h", "prompt_cache_isolation_key": "x", "model": "gpt-5",
}  # fmt: skip


@pytest.mark.parametrize("name", UNNAMED)
def test_a_parameter_that_is_not_named_is_no_matter(name: str) -> None:
    assert look(body() | {name: OF_UNNAMED.get(name, {"x": 1})}).id == look(body()).id


@given(
    BODIES, st.dictionaries(NAMES.map("x_".__add__), JSON, max_size=3), st.dictionaries(NAMES.map("x-".__add__), TEXTS)
)
def test_unknown_keys_and_other_headers_are_no_matter(
    request: dict[str, Any], unknown: dict[str, Any], headers: dict[str, str]
) -> None:
    messages = [message | unknown for message in request["messages"]]

    assert look(request | unknown | {"messages": messages}, headers=headers | KEY).id == look(request).id


@given(st.data())
def test_a_parameter_that_is_named_is_a_matter(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(NUMBERED)))
    value = data.draw(NUMBERED[name])
    other = data.draw(NUMBERED[name])
    lookup = look(body(**{name: value}))

    absent = name == "stream" and value is False
    assert (lookup.id == look(body()).id) == absent
    assert (lookup.family == look(body()).family) == absent
    if meaning(name, value) != meaning(name, other):
        assert lookup.id != look(body(**{name: other})).id


def meaning(name: str, value: Any) -> Any:
    """What is left of a value where order and spelling are no matter."""
    if name == "stop" and isinstance(value, str):
        return [value]
    if name == "tools":
        return sorted([json.dumps(tool, sort_keys=True) for tool in value])
    return sorted(value) if isinstance(value, list) else value


def test_both_names_of_the_limit_are_one_and_the_newer_wins() -> None:
    assert look(body(max_completion_tokens=5)).id == look(body(max_tokens=5)).id
    assert look(body(max_completion_tokens=5, max_tokens=6)).id == look(body(max_tokens=5)).id


def test_both_forms_of_the_reasoning_settings_are_one() -> None:
    assert look(body(reasoning={"effort": "low"})).id == look(body(reasoning_effort="low")).id
    assert look(body(reasoning={"max_tokens": 9}, reasoning_effort="low")).id == look(body(reasoning_effort="low")).id
    assert look(body(reasoning={"enabled": False})).id not in (look(body()).id, look(body(reasoning={})).id)


@pytest.mark.parametrize(
    "change",
    [
        {"role": "system"},
        {"name": "ann"},
        {"tool_call_id": "c1"},
        {"refusal": "no"},
        {"tool_calls": []},
        {"tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"tool_calls": [{"id": "c1", "type": "function"}]},
        {"content": None},
        {"content": [{"type": "text", "text": FRANCE}]},
        {"content": [{"type": "text", "text": FRANCE}, {"type": "image_url", "image_url": {"url": "a"}}]},
        {"content": [{"type": "text", "text": FRANCE}, {"type": "image_url", "image_url": {"url": "b"}}]},
    ],
    ids=str,
)
def test_a_message_is_hashed_whole(change: dict[str, Any]) -> None:
    request = body()
    request["messages"] = [request["messages"][0] | change]

    assert look(request).id != look(body()).id


def test_images_are_among_the_parameters_and_other_parts_are_not() -> None:
    def shown(part: dict[str, Any]) -> str:
        return look({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, part]}]}).family[1]

    urls = [shown({"type": "image_url", "image_url": {"url": url}}) for url in ("a", "b", "")]
    plain = shown({"type": "text", "text": "y"})

    assert len({*urls, plain}) == 3
    assert urls[2] == plain == shown({"type": "image_url", "image_url": "a"}) == shown({"type": "file", "file": {}})


def test_system_messages_are_left_out_on_request_and_those_of_developers_are_not() -> None:
    def said(role: str, text: str, rules: CacheRules) -> str:
        request = body()
        request["messages"].insert(0, {"role": role, "content": text})
        return look(request, rules).id

    left_out = CacheRules(exclude_system_prompt=True)
    assert said("system", "a", left_out) == said("system", "b", left_out) == look(body()).id
    assert said("system", "a", DIRECT) != said("system", "b", DIRECT)
    assert said("developer", "a", left_out) != said("developer", "b", left_out)


def test_one_conversation_is_hashed_once_for_each_way_to_hash_it() -> None:
    request = body()
    request["messages"].insert(0, {"role": "system", "content": "Be brief."})
    conversation = asks(request)
    left_out = CacheRules(exclude_system_prompt=True)

    both = [lookup_of(rules, conversation, KEY, "openai", "gpt-4o") for rules in (DIRECT, left_out, DIRECT)]

    assert both == [look(request), look(request, left_out), look(request)]


@given(BODIES)
def test_ids_are_uuids_of_version_5_and_the_same_again(request: dict[str, Any]) -> None:
    lookup = look(request)

    assert UUID(lookup.id).version == 5
    assert lookup == look(copy.deepcopy(request))


def test_the_id_of_a_request_does_not_change_between_releases() -> None:
    """Tests may say it in an assertion, or in a clearing route."""
    assert look(body()).id == "2564873c-c6db-5347-8ae8-65d16cce4450"
    assert str(NAMESPACE) == "b1f3c2d4-e5a6-7890-abcd-ef1234567890"


@dataclass(frozen=True, slots=True)
class Target:
    id: str
    rules: CacheRules
    shares_provider: bool
    shares_model: bool


TARGETS = [
    Target("both", DIRECT, False, False),
    Target("no model", CacheRules(by_model=False), False, True),
    Target("no provider", CacheRules(by_provider=False), True, False),
    Target("neither", CacheRules(by_model=False, by_provider=False), True, True),
]


@pytest.mark.parametrize("case", TARGETS, ids=lambda case: case.id)
def test_providers_and_models_share_entries_only_where_the_settings_say_so(case: Target) -> None:
    cache = stored(look(body(), case.rules))

    assert (cache.find(look(body(), case.rules, provider="azure"), 0.0) is not None) == case.shares_provider
    assert (cache.find(look(body(), case.rules, model="gpt-5"), 0.0) is not None) == case.shares_model
    if case.shares_provider:
        found = hit(cache, look(body(), case.rules, provider="azure"))
        assert (found.provider, found.model) == ("openai", "gpt-4o")


@pytest.mark.parametrize(
    "place",
    [
        lambda deep: {"response_format": deep},
        lambda deep: {"extra_params": deep},
        lambda deep: {"tools": [{"function": {"name": "f"}, "x": deep}]},
        lambda deep: {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "y": deep}]}]},
        lambda deep: {"messages": [{"role": "user", "audio": deep}]},
    ],
    ids=["response_format", "extra_params", "tool", "part", "message"],
)
def test_the_deepest_body_that_is_taken_can_be_hashed(place: Callable[[Any], dict[str, Any]]) -> None:
    deep: Any = {}
    deepest = None
    while deepest is None:
        try:
            parse_body(encode(place({"x": deep})))
        except InvalidBody:
            deepest = place(deep)
        deep = {"x": deep}

    assert look(deepest, SEMANTIC).id


# What is found


@given(BODIES, st.sampled_from([DIRECT, SEMANTIC]), st.floats(0, 1e9), st.floats(0, 1))
def test_what_is_stored_is_found_until_its_time_is_up(
    request: dict[str, Any], rules: CacheRules, now_s: float, part: float
) -> None:
    lookup = look(request, rules)
    cache = stored(lookup, now_s=now_s)
    gone_s = math.floor(now_s + lookup.ttl_s) + 1

    assert hit(cache, lookup, now_s + part * lookup.ttl_s) == Hit("direct", lookup.id, answer("0"), "openai", "gpt-4o")
    assert cache.find(lookup, gone_s - 0.001) is not None
    assert cache.find(lookup, gone_s) is None


def test_the_time_to_live_is_counted_in_whole_seconds() -> None:
    lookup = look(body(), headers=headed(ttl="3s"))
    cache = stored(lookup, now_s=10.9)

    assert cache.find(lookup, 13.999) is not None
    assert cache.find(lookup, 14.0) is None


def test_parts_of_seconds_add_up_before_they_are_cut_off() -> None:
    lookup = look(body(), headers=headed(ttl="600ms"))

    assert stored(lookup, now_s=10.6).find(lookup, 11.9) is not None
    assert stored(lookup, now_s=10.3).find(lookup, 11.0) is None


@given(BODIES, BODIES)
def test_different_keys_and_streams_never_hit(first: dict[str, Any], second: dict[str, Any]) -> None:
    cache = stored(look(first, SEMANTIC))

    assert cache.find(look(first, SEMANTIC, {"x-bf-cache-key": "other"}), 0.0) is None
    assert cache.find(look(first, SEMANTIC, provider="azure"), 0.0) is None
    assert cache.find(look(first, SEMANTIC, model="gpt-5"), 0.0) is None
    assert cache.find(look(second | {"stream": not first.get("stream", False)}, SEMANTIC), 0.0) is None


def test_an_answer_stored_again_replaces_the_older_one() -> None:
    lookup = look(body())
    cache = stored(lookup, lookup)

    assert hit(cache, lookup).answer.id == "1"
    assert (len(cache), cache.held_bytes) == (1, 10)


def test_what_has_expired_goes_before_what_is_older() -> None:
    cache = Cache(most_entries=2)
    old, short, new = (
        look(body(text), headers=headed(ttl=ttl)) for text, ttl in (("a", "1h"), ("b", "1s"), ("c", "1h"))
    )
    for lookup, now_s in ((old, 0.0), (short, 0.0), (new, 5.0)):
        cache.store(lookup, answer(), 1, now_s)

    assert [cache.find(lookup, 5.0) is not None for lookup in (old, short, new)] == [True, False, True]


def test_what_has_expired_goes_each_time_that_something_is_stored() -> None:
    cache = Cache()
    held = []
    for now_s, ttl in [(0.0, "1s"), (0.0, "2s"), (0.0, "100s"), (2.0, "200s"), (50.0, "200s"), (101.0, "1s")]:
        cache.store(look(body(f"{now_s} {ttl}"), headers=headed(ttl=ttl)), answer(), 1, now_s)
        held.append(len(cache))

    assert held == [1, 2, 3, 3, 3, 3]


def test_the_oldest_goes_where_room_is_needed() -> None:
    cache = Cache(most_entries=3, most_bytes=100)
    lookups = [look(body(text)) for text in "abcde"]
    for lookup in lookups[:4]:
        cache.store(lookup, answer(), 10, 0.0)
    assert [cache.find(lookup, 0.0) is not None for lookup in lookups] == [False, True, True, True, False]

    cache.store(lookups[4], answer(), 85, 0.0)

    assert [cache.find(lookup, 0.0) is not None for lookup in lookups] == [False, False, False, True, True]
    assert cache.held_bytes == 95


def test_an_answer_larger_than_all_of_the_store_is_not_kept() -> None:
    cache = stored(look(body("a")))

    cache.store(look(body("b")), answer(), MOST_BYTES + 1, 0.0)

    assert cache.find(look(body("b")), 0.0) is None
    assert cache.find(look(body("a")), 0.0) is not None


def test_the_words_of_semantic_entries_count_for_the_size() -> None:
    cache = Cache(most_bytes=1_000)
    for number in range(20):
        cache.store(look(body(f"{number} a b c"), SEMANTIC), answer(), 1, 0.0)

    assert 0 < len(cache) < 5
    assert cache.held_bytes <= 1_000


def test_a_session_keeps_a_thousand_entries() -> None:
    cache = Cache()
    lookup = look(body())
    for number in range(MOST_ENTRIES + 5):
        cache.store(replace(lookup, id=str(number)), answer(), 1, 0.0)

    assert len(cache) == MOST_ENTRIES == 1_000
    assert cache.find(replace(lookup, id="4"), 0.0) is None
    assert cache.find(replace(lookup, id="5"), 0.0) is not None


def test_entries_are_cleared_by_id_and_by_key() -> None:
    mine, other, theirs = look(body("a")), look(body("b")), look(body("a"), headers={"x-bf-cache-key": "theirs"})
    cache = stored(mine, other, theirs)

    assert [cache.clear(mine.id), cache.clear(mine.id), cache.clear("nothing")] == [True, False, False]
    assert [cache.find(lookup, 0.0) is not None for lookup in (mine, other, theirs)] == [False, True, True]
    assert [cache.clear_key("tests"), cache.clear_key("tests"), cache.clear_key("nothing")] == [1, 0, 0]
    assert [cache.find(lookup, 0.0) is not None for lookup in (mine, other, theirs)] == [False, False, True]


# Semantic hits


PAIRS = (("Refund please", " I want my MONEY back ", 0.93), ("refund please", "cancel", 0.4))


def scripted(*pairs: tuple[str, str, float]) -> CacheRules:
    return CacheRules(semantic=True, similar=pairs or PAIRS)


@pytest.mark.parametrize(("asked", "kept"), [("refund  please ", "x"), ("REFUND PLEASE", "i want my money back")])
def test_a_scripted_pair_is_compared_as_texts_are_hashed(asked: str, kept: str) -> None:
    found = stored(look(body("I want my money back"), scripted())).find(look(body(asked), scripted()), 0.0)

    assert (found and found.similarity) == (0.93 if kept != "x" else None)


def test_a_scripted_pair_works_in_either_order() -> None:
    texts = ("refund please", "i want my money back")
    for asked, kept in (texts, texts[::-1]):
        found = hit(stored(look(body(kept), scripted())), look(body(asked), scripted()))

        assert (found.kind, found.id, found.similarity) == ("semantic", look(body(kept)).id, 0.93)


def test_a_scripted_pair_below_the_threshold_is_a_miss_until_the_header_lowers_it() -> None:
    cache = stored(look(body("cancel"), scripted()))

    assert cache.find(look(body("refund please"), scripted()), 0.0) is None
    assert hit(cache, look(body("refund please"), scripted(), headed(threshold="0.4"))).similarity == 0.4


def test_of_two_numbers_for_a_pair_the_first_counts() -> None:
    rules = scripted(("a", "b", 0.9), ("b", "a", 0.1))

    assert hit(stored(look(body("a"), rules)), look(body("b"), rules)).similarity == 0.9


def test_a_scripted_pair_is_about_the_last_user_text_where_all_else_is_the_same() -> None:
    def said(text: str, *, system: str = "Be brief.", after: str = "") -> dict[str, Any]:
        request = body(text)
        request["messages"].insert(0, {"role": "system", "content": system})
        if after:
            request["messages"].append({"role": "assistant", "content": after})
        return request

    cache = stored(look(said("I want my money back"), scripted()))

    assert hit(cache, look(said("refund please"), scripted())).similarity == 0.93
    assert cache.find(look(said("refund please", system="Be kind."), scripted()), 0.0) is None
    assert cache.find(look(said("refund please", after="Well"), scripted()), 0.0) is None


def test_scripted_pairs_do_nothing_for_a_cache_that_is_not_semantic() -> None:
    rules = CacheRules(similar=PAIRS)

    assert stored(look(body("I want my money back"), rules)).find(look(body("refund please"), rules), 0.0) is None


WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "é", "x1", "?!"]), max_size=6).map(" ".join)


def likeness(first: str, second: str, rules: CacheRules = SEMANTIC) -> float:
    """The similarity of two texts, each with another behind it, so that there is one in any case."""
    kept = look(body(second, "end"), rules).wording
    assert kept is not None
    return similarity(look(body(first, "end"), rules), kept)


@given(WORDS, WORDS)
def test_similarity_is_symmetric_within_0_and_1_and_1_for_the_same(first: str, second: str) -> None:
    assert 0 <= likeness(first, second) == likeness(second, first) <= 1
    assert likeness(first, first) == likeness(first.upper(), f"  {first}\n") == 1


@given(st.sets(st.sampled_from("abcdefgh")), st.sets(st.sampled_from("abcdefgh")))
def test_the_overlap_is_the_words_in_both_of_those_in_either(first: set[str], second: set[str]) -> None:
    both, either = first & second | {"end"}, first | second | {"end"}

    assert likeness(" ".join(first), " ".join(second)) == round(len(both) / len(either), 4)


def test_signs_alone_are_like_themselves_only() -> None:
    cache = stored(look(body("???"), SEMANTIC))

    assert hit(cache, look(body("???"), SEMANTIC, headed(type="semantic"))).similarity == 1.0
    assert cache.find(look(body("!!!"), SEMANTIC), 0.0) is None


def test_the_text_of_parts_is_compared_like_other_text() -> None:
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": "the capital of France?"}]
    cache = stored(look(body(), SEMANTIC))

    assert hit(cache, look({"messages": [{"role": "user", "content": parts}]}, SEMANTIC)).similarity == 1.0


def test_without_any_text_no_semantic_search_is_made() -> None:
    image = [{"type": "image_url", "image_url": {"url": "a"}}]

    assert look({"messages": [{"role": "user", "content": image}]}, SEMANTIC).wording is None
    assert look(body("  "), SEMANTIC).wording is None


def test_a_conversation_without_a_user_is_compared_too() -> None:
    request = {"messages": [{"role": "system", "content": "Greet."}]}
    cache = stored(look(request, SEMANTIC))

    assert hit(cache, look(request, SEMANTIC, headed(type="semantic"))).similarity == 1.0


def test_the_nearest_is_found_and_of_equals_the_oldest() -> None:
    rules = scripted(("x", "far", 0.81), ("x", "near", 0.9), ("x", "as near", 0.9))
    far, near, as_near = (look(body(text), rules) for text in ("far", "near", "as near"))
    asked = look(body("x"), rules)

    assert hit(stored(far, near, as_near), asked).id == near.id
    assert hit(stored(as_near, far, near), asked).id == as_near.id
    assert hit(stored(near, as_near, near), asked).id == as_near.id, "what is stored again is new"


def test_a_direct_hit_goes_before_any_semantic_one() -> None:
    rules = scripted(("a", "b", 1.0), ("a", "a", 0.1))

    assert hit(stored(look(body("b"), rules), look(body("a"), rules)), look(body("a"), rules)).kind == "direct"


def test_what_has_expired_is_no_candidate() -> None:
    rules = scripted(("x", "near", 0.99), ("x", "far", 0.9))
    near, far = look(body("near"), rules, headed(ttl="1s")), look(body("far"), rules)

    assert hit(stored(near, far), look(body("x"), rules), 10.0).id == far.id


def test_candidates_share_key_parameters_provider_model_and_stream() -> None:
    cache = stored(look(body("I want my money back"), scripted()))
    ask = "refund please"

    assert hit(cache, look(body(ask), scripted())).kind == "semantic"
    for other in (
        look(body(ask), scripted(), {"x-bf-cache-key": "other"}),
        look(body(ask, temperature=1.0), scripted()),
        look(body(ask, stream=True), scripted()),
        look(body(ask), scripted(), provider="azure"),
        look(body(ask), scripted(), model="gpt-5"),
    ):
        assert cache.find(other, 0.0) is None


def test_semantic_searches_cross_models_and_providers_where_the_settings_say_so() -> None:
    rules = replace(scripted(), by_model=False, by_provider=False)
    cache = stored(look(body("I want my money back"), rules))

    assert hit(cache, look(body("refund please"), rules, provider="azure", model="gpt-5")).kind == "semantic"


def test_an_entry_of_the_type_direct_is_found_by_id_only() -> None:
    cache = stored(look(body(), SEMANTIC, headed(type="direct")))

    assert hit(cache, look(body(), SEMANTIC)).kind == "direct"
    assert cache.find(look(body(), SEMANTIC, headed(type="semantic")), 0.0) is None


def test_the_type_semantic_finds_even_the_same_by_likeness() -> None:
    found = hit(stored(look(body(), SEMANTIC)), look(body(), SEMANTIC, headed(type="semantic")))

    assert (found.kind, found.similarity, found.threshold) == ("semantic", 1.0, 0.8)


# What is said about it


MISS = {"cache_hit": False, "cache_id": look(body()).id}
HIT = {
    "cache_hit": True,
    "cache_id": look(body()).id,
    "hit_type": "direct",
    "requested_provider": "openai",
    "requested_model": "gpt-4o",
}
EMBEDDED = {"provider_used": "openai", "model_used": "text-embedding-3-small", "input_tokens": 9}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_a_miss_says_where_the_answer_will_be_found(profile: Profile) -> None:
    assert miss_debug(profile, look(body())) == MISS
    assert list(miss_debug(profile, look(body(), SEMANTIC)).items()) == list((MISS | EMBEDDED).items())
    assert miss_debug(profile, look(body(), SEMANTIC, headed(type="direct"))) == MISS


@pytest.mark.parametrize(
    ("profile", "latency"),
    [(DOCUMENTED, {}), (V1_6, {}), (V2_2, {"cache_hit_latency": 0})],
    ids=lambda value: str(value)[:20],
)
def test_a_direct_hit_says_what_was_asked_for_and_2_2_how_long_it_took(
    profile: Profile, latency: dict[str, int]
) -> None:
    for rules in (DIRECT, SEMANTIC):
        lookup = look(body(), rules, headed(threshold="0.1"))

        assert list(hit_debug(profile, lookup, hit(stored(lookup), lookup)).items()) == list((HIT | latency).items())


@pytest.mark.parametrize(
    ("profile", "latency"),
    [(DOCUMENTED, {}), (V1_6, {}), (V2_2, {"cache_hit_latency": 0})],
    ids=lambda value: str(value)[:20],
)
def test_a_semantic_hit_says_how_alike_they_are_too(profile: Profile, latency: dict[str, int]) -> None:
    lookup = look(body(), scripted((FRANCE, "x", 0.876543)), headed(threshold="0.5"))
    found = hit(stored(look(body("x"), SEMANTIC)), lookup)
    said = (
        HIT
        | {"cache_id": look(body("x")).id, "hit_type": "semantic"}
        | EMBEDDED
        | {"threshold": 0.5, "similarity": 0.876543}
    )

    assert list(hit_debug(profile, lookup, found).items()) == list((said | latency).items())


def test_a_hit_by_script_says_the_threshold_that_is_in_force() -> None:
    stub = {"reply": "x", "cache": {"hit": "semantic", "similarity": 0.93}}
    response = ask_in(
        session_with(stub, gateway={"cache": {"threshold": 0.7}}), chat(), headers={"x-bf-cache-threshold": "0.6"}
    )
    plain = ask_in(session_with({"reply": "x", "cache": "hit"}), chat())

    said, direct = [one.json()["extra_fields"]["cache_debug"] for one in (response, plain)]
    assert (said["threshold"], said["similarity"]) == (0.6, 0.93)
    assert not {"threshold", "similarity"} & direct.keys()


def test_a_hit_on_another_models_entry_says_what_this_request_asked_for() -> None:
    rules = CacheRules(by_model=False, by_provider=False)
    lookup = look(body(), rules, provider="azure", model="gpt-5")
    said = hit_debug(V2_2, lookup, hit(stored(look(body(), rules)), lookup))

    assert (said["requested_provider"], said["requested_model"]) == ("azure", "gpt-5")


CAPTURED_MISS = '{"cache_hit":false,"cache_id":"ID"}'
CAPTURED_HIT = (
    '{"cache_hit":true,"cache_id":"ID","hit_type":"direct","requested_provider":"openai","requested_model":"gpt-4o-mini",'
    '"cache_hit_latency":0}'
)
"""Source: captures 2.2.3-plain-cache-miss.http and 2.2.3-plain-cache-hit.http, but for the ids."""


def test_the_captures_of_2_2_3_come_out() -> None:
    lookup = look(body(), model="gpt-4o-mini")
    found = [miss_debug(V2_2, lookup), hit_debug(V2_2, lookup, hit(stored(lookup), lookup))]

    assert [encode(said).decode().replace(lookup.id, "ID") for said in found] == [CAPTURED_MISS, CAPTURED_HIT]


# Quirks


def test_with_cache_never_hits_there_are_no_direct_hits() -> None:
    quirks = frozenset({"cache_never_hits"})
    lookup = look(body(), quirks=quirks)

    assert stored(lookup).find(lookup, 0.0) is None
    assert hit(stored(look(body(), SEMANTIC)), look(body(), SEMANTIC, quirks=quirks)).kind == "semantic"


@pytest.mark.parametrize("header", ["x-bf-api-key", "x-bf-api-key-id"])
def test_with_pinned_key_breaks_semantic_cache_a_pin_means_no_semantic_hit(header: str) -> None:
    quirks = frozenset({"pinned_key_breaks_semantic_cache"})
    cache = stored(look(body("I want my money back"), scripted()))

    def ask(text: str, **more: Any) -> Lookup:
        return look(body(text), scripted(), **more)

    pinned = KEY | {header: "main"}
    assert cache.find(ask("refund please", headers=pinned, quirks=quirks), 0.0) is None
    assert miss_debug(V2_2, ask(FRANCE, headers=pinned, quirks=quirks)) == MISS
    assert cache.find(ask("I want my money back", headers=pinned, quirks=quirks), 0.0) is not None
    for kept in (
        ask("refund please", headers=pinned),
        ask("refund please", quirks=quirks),
        ask("refund please", headers=KEY | {header: ""}, quirks=quirks),
    ):
        assert hit(cache, kept).kind == "semantic"


# Any sequence, against a list that is scanned


@dataclass(frozen=True, slots=True)
class Kept:
    lookup: Lookup
    answer: Answer
    size: int
    last_s: int


@dataclass(slots=True)
class Scanned:
    """The rules again, without any index: a list, oldest first."""

    most_entries: int
    most_bytes: int
    kept: list[Kept] = field(default_factory=list)

    def find(self, lookup: Lookup, now_s: float) -> tuple[str, str, Answer, float | None] | None:
        alive = [one for one in self.kept if math.floor(now_s) <= one.last_s]
        for one in alive:
            if lookup.direct and one.lookup.id == lookup.id:
                return "direct", one.lookup.id, one.answer, None
        if lookup.wording is None:
            return None
        scored = [
            (score, one)
            for one in alive
            if one.lookup.wording is not None
            and one.lookup.family == lookup.family
            and (score := self.score(lookup, one.lookup.wording)) >= lookup.threshold
        ]
        if not scored:
            return None
        score, best = max(scored, key=lambda pair: pair[0])
        return "semantic", best.lookup.id, best.answer, score

    def score(self, lookup: Lookup, other: Wording) -> float:
        assert lookup.wording is not None
        one = lookup.wording
        if {one.prompt, other.prompt} == {"a b", "e f"} and one.rest == other.rest:
            return 0.9
        return 1.0 if one == other else round(len(one.words & other.words) / len(one.words | other.words), 4)

    def store(self, lookup: Lookup, answer: Answer, size: int, now_s: float) -> None:
        if not lookup.stores:
            return
        self.kept = [one for one in self.kept if math.floor(now_s) <= one.last_s]
        if lookup.wording is not None:
            size += sum(100 + len(word) for word in lookup.wording.words)
        if size > self.most_bytes:
            return
        self.kept = [one for one in self.kept if one.lookup.id != lookup.id]
        while len(self.kept) + 1 > self.most_entries or sum(one.size for one in self.kept) + size > self.most_bytes:
            del self.kept[0]
        self.kept.append(Kept(lookup, answer, size, math.floor(now_s + lookup.ttl_s)))

    def clear(self, drop: Callable[[Lookup], bool]) -> int:
        before = len(self.kept)
        self.kept = [one for one in self.kept if not drop(one.lookup)]
        return before - len(self.kept)


TEXT_OF = st.sampled_from(["a b", "a b c", "a b c d", "b a", "e f", "e"])
LOOKUPS = st.builds(
    lambda text, key, kind, ttl, threshold, more, stores: look(
        body(text, **more),
        CacheRules(semantic=True, similar=(("A b", "e F", 0.9),)),
        {
            "x-bf-cache-key": key,
            "x-bf-cache-type": kind,
            "x-bf-cache-ttl": ttl,
            "x-bf-cache-threshold": threshold,
            "x-bf-cache-no-store": stores,
        },
    ),
    TEXT_OF,
    st.sampled_from(["one", "two"]),
    st.sampled_from(["", "direct", "semantic"]),
    st.sampled_from(["1s", "2500ms", "20s", "1h"]),
    st.sampled_from(["0", "0.5", "0.75", "0.9", "1"]),
    st.sampled_from([{}, {"stream": True}]),
    st.sampled_from(["", "", "", "true"]),
)


class CacheMachine(RuleBasedStateMachine):
    """Looks, stores and clears in any order; the clock may also be set back."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = Cache(most_entries=4, most_bytes=2_000)
        self.scanned = Scanned(most_entries=4, most_bytes=2_000)
        self.now_s = 0.0
        self.answers = 0

    @rule(by_s=st.floats(-3, 12) | st.sampled_from([0.5, 1, 3]))
    def time_passes(self, by_s: float) -> None:
        self.now_s = max(0.0, self.now_s + by_s)

    @rule(lookup=LOOKUPS)
    def find(self, lookup: Lookup) -> None:
        before = copy.deepcopy(vars(self.cache))
        found = self.cache.find(lookup, self.now_s)

        said = found and (found.kind, found.id, found.answer, found.similarity)
        assert said == self.scanned.find(lookup, self.now_s)
        assert vars(self.cache) == before

    @rule(lookup=LOOKUPS, size=st.integers(0, 700) | st.just(2_001))
    def store(self, lookup: Lookup, size: int) -> None:
        self.answers += 1
        for store in (self.cache, self.scanned):
            store.store(lookup, answer(str(self.answers)), size, self.now_s)

    @rule(lookup=LOOKUPS)
    def clear(self, lookup: Lookup) -> None:
        assert self.cache.clear(lookup.id) == (self.scanned.clear(lambda one: one.id == lookup.id) == 1)

    @rule(key=st.sampled_from(["one", "two", "three"]))
    def clear_key(self, key: str) -> None:
        assert self.cache.clear_key(key) == self.scanned.clear(lambda one: one.key == key)

    @invariant()
    def is_bounded_and_counts_right(self) -> None:
        assert len(self.cache) == len(self.scanned.kept) <= 4
        assert self.cache.held_bytes == sum(one.size for one in self.scanned.kept) <= 2_000
        families = self.cache._families.values()
        assert all(families)
        assert sum(map(len, families)) == len(self.cache)


CacheMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=30)
TestCacheAgainstAScannedList = CacheMachine.TestCase
