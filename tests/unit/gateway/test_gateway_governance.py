"""Virtual keys: who may ask, what each may spend, and in which words the gateway says no. Source: gateway-behaviour.md 4."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.gateway.configuration import Gateway, Limit, VirtualKey, unnamed
from mockbifrost.gateway.configure import gateway_of
from mockbifrost.gateway.denied import Denied
from mockbifrost.gateway.governance import Limits, admitted, target_denied
from mockbifrost.vocabulary.gateway_errors import gateway_error
from mockbifrost.vocabulary.settings import GatewaySettings
from mockbifrost.wire.headers import RequestHeaders
from mockbifrost.wire.profiles import DOCUMENTED, ProfileName

KEY = VirtualKey("sk-bf-a", "team-a")
MINUTE = Limit(10, 60.0, "1m")
HOUR = Limit(1000, 3600.0, "1h")


def gateway(**settings: Any) -> Gateway:
    return replace(Gateway(DOCUMENTED, {}), **settings)


def said(denied: Denied | VirtualKey | None, version: ProfileName = "documented") -> str:
    """The whole message, from what the refusal itself fills in."""
    assert isinstance(denied, Denied)
    return gateway_error(denied.name, version).message.format_map(denied.fills)


# ---- the request's own checks


def required(missing: tuple[str, ...], key: str | None, known: frozenset[str] | None, must: bool) -> str | None:
    """The rules of 4.3 word by word: the name of the refusal."""
    if missing:
        return "missing_required_headers"
    if key is not None and known is not None and key not in known:
        return "virtual_key_not_found"
    if key is None and must:
        return "virtual_key_required"
    return None


@given(
    wanted=st.lists(st.sampled_from(["x-tenant-id", "x-team", "x-env"]), unique=True),
    sent=st.sets(st.sampled_from(["x-tenant-id", "x-team", "x-env"])),
    key=st.none() | st.sampled_from(["sk-bf-a", "sk-bf-b", "plain"]),
    known=st.none() | st.frozensets(st.sampled_from(["sk-bf-a", "plain"])),
    must=st.booleans(),
)
def test_a_request_is_admitted_by_the_rules_in_their_order(
    wanted: list[str], sent: set[str], key: str | None, known: frozenset[str] | None, must: bool
) -> None:
    keys = None if known is None else {value: VirtualKey(value, f"name of {value}") for value in known}
    headers = dict.fromkeys(sent, "") | ({} if key is None else {"x-bf-vk": key})
    missing = tuple([name for name in wanted if name not in sent])

    found = admitted(gateway(required_headers=tuple(wanted), virtual_keys=keys, require_virtual_key=must), headers)

    name = required(missing, key, known, must)
    if name is not None:
        assert isinstance(found, Denied)
        assert (found.name, found.scope) == (name, "request")
        assert found.fills == ({"headers": ", ".join(missing)} if missing else {})
    elif key is None:
        assert found is None
    elif keys is None:
        assert found == VirtualKey(key, unnamed(key))
    else:
        assert found is keys[key]


def test_all_missing_headers_are_named_as_configured() -> None:
    settings = GatewaySettings.model_validate({"required_headers": ["X-Tenant-Id", "x-b", "X-Team"]})

    found = admitted(gateway_of(settings), RequestHeaders([(b"x-b", b"1")]))

    assert said(found) == "missing required headers: x-tenant-id, x-team"


@pytest.mark.parametrize(
    ("settings", "headers", "message"),
    [
        pytest.param(
            {"require_virtual_key": True},
            {"authorization": "Bearer dummy-key"},
            "virtual key is required. Provide a virtual key via the x-bf-vk header.",
            id="a dummy key is none",
        ),
        pytest.param(
            {"require_virtual_key": True},
            {"authorization": "Bearer mb-test"},
            "virtual key is required. Provide a virtual key via the x-bf-vk header.",
            id="the key of a session is none",
        ),
        pytest.param(
            {"virtual_keys": {"sk-bf-a": KEY}},
            {"authorization": "Bearer sk-bf-b"},
            "virtual key not found. The provided virtual key does not exist or has been revoked.",
            id="checked even when not mandatory",
        ),
        pytest.param(
            {"virtual_keys": {"sk-bf-a": KEY}},
            {"x-api-key": "SK-BF-A"},
            "virtual key not found. The provided virtual key does not exist or has been revoked.",
            id="another case is another key",
        ),
    ],
)
def test_a_request_is_refused_in_the_gateways_words(
    settings: Mapping[str, Any], headers: Mapping[str, str], message: str
) -> None:
    assert said(admitted(gateway(**settings), headers)) == message


def test_an_inactive_key_is_admitted_and_refused_at_its_target() -> None:
    """Global limits come in between. It still ends the request."""
    key = replace(KEY, active=False)

    assert admitted(gateway(virtual_keys={key.value: key}), {"x-bf-vk": key.value}) is key
    denied = target_denied(key, Limits(), "openai", "gpt-4o", 0.0)
    assert denied == Denied("virtual_key_inactive")
    assert denied.scope == "request"


# ---- one target's checks, against a model that remembers everything


@dataclass(frozen=True, slots=True)
class Charge:
    at_s: float
    tokens: int
    dollars: float


def used(history: list[tuple[float, float]], limit: Limit, now_s: float) -> float:
    """What counts now: all charges, cut into windows from their first use on."""
    windows: list[list[tuple[float, float]]] = []
    for at_s, amount in history:
        if amount == 0:
            continue
        if not windows or at_s >= windows[-1][0][0] + limit.resets_s:
            windows.append([])
        windows[-1].append((at_s, amount))
    if not windows or now_s >= windows[-1][0][0] + limit.resets_s:
        return 0
    total = 0.0
    for _at_s, amount in windows[-1]:
        total += amount
    return total


def refusals(key: VirtualKey, charges: list[Charge], provider: str, model: str, now_s: float) -> Iterator[str]:
    """Every reason to refuse, as messages, in the order of 4.3."""
    if not key.active:
        yield "virtual key is inactive"
    if key.expires_s is not None and now_s >= key.expires_s:
        yield "virtual key has expired"
    if key.providers is not None:
        models = key.providers.get(provider)
        if models is None:
            yield f"Provider '{provider}' is not allowed for virtual key 'team-a'"
        elif not any(model == glob or (glob.endswith("*") and model.startswith(glob[:-1])) for glob in models):
            yield f"Model '{model}' is not allowed for this virtual key"
    yield from overdrawn(key, charges, now_s)


def overdrawn(key: VirtualKey, charges: list[Charge], now_s: float) -> Iterator[str]:
    """The limits that are reached, rates before budgets."""
    broken = []
    for limit, kind, history in (
        (key.tokens, "token", [(charge.at_s, float(charge.tokens)) for charge in charges]),
        (key.requests, "request", [(charge.at_s, 1.0) for charge in charges]),
    ):
        if limit is not None and (count := used(history, limit, now_s)) >= limit.limit:
            broken.append(f"{kind} limit exceeded ({int(count)}/{int(limit.limit)}, resets every {limit.resets})")
    if broken:
        yield f"Rate limit exceeded: rate limit violated for vk_model_config * : [{', '.join(broken)}]"
    for budget in key.budgets:
        spent = used([(charge.at_s, charge.dollars) for charge in charges], budget, now_s)
        if spent >= budget.limit:
            yield f"Budget exceeded: vk_model_config * budget exceeded: {spent:.4f} >= {budget.limit:.4f} dollars"


RESETS = st.sampled_from([(30.0, "30s"), (60.0, "1m"), (90.0, "1m30s")])
RATES = st.builds(lambda most, resets: Limit(most, *resets), st.integers(1, 4), RESETS)
TOKENS = st.builds(lambda most, resets: Limit(most, *resets), st.integers(1, 40), RESETS)
BUDGETS = st.builds(lambda most, resets: Limit(most, *resets), st.sampled_from([0.0, 0.1, 0.25, 1.0]), RESETS)
MODELS = st.lists(st.sampled_from(["*", "gpt-4o", "gpt-4o*", "claude"]), max_size=2).map(tuple)
KEYS = st.builds(
    VirtualKey,
    st.just("sk-bf-a"),
    st.just("team-a"),
    st.sampled_from([True, True, True, False]),
    st.none() | st.sampled_from([0.0, 50.0, 200.0]),
    st.none() | st.dictionaries(st.sampled_from(["openai", "groq"]), MODELS),
    st.lists(BUDGETS, max_size=2).map(tuple),
    st.none() | RATES,
    st.none() | TOKENS,
)
SPENDERS = st.builds(replace, KEYS, active=st.just(True), expires_s=st.none(), providers=st.none())
"""Keys that only their limits can stop."""
STEPS = st.one_of(
    st.sampled_from([0.0, 0.5, 29.5, 30.0, 45.0, 60.0, 90.0]),
    st.tuples(st.integers(0, 20), st.sampled_from([0.0, 0.05, 0.1, 0.7])),
    st.sampled_from([("openai", "gpt-4o"), ("openai", "gpt-4o-mini"), ("groq", "gpt-4o")]),
)
"""Seconds that pass; a charge of tokens and dollars; a target to ask."""


@given(key=KEYS | SPENDERS, steps=st.lists(STEPS, max_size=40))
def test_targets_are_refused_as_a_model_that_remembers_everything_says(key: VirtualKey, steps: list[Any]) -> None:
    limits, charges, now_s = Limits(), list[Charge](), 0.0
    for step in (*steps, ("openai", "gpt-4o"), ("groq", "x")):
        if isinstance(step, float):
            now_s += step
        elif isinstance(step[0], int):
            charges.append(Charge(now_s, *step))
            limits.charge(key, tokens=step[0], dollars=step[1], now_s=now_s)
        else:
            provider, model = step
            denied = target_denied(key, limits, provider, model, now_s)
            wanted = next(refusals(key, charges, provider, model, now_s), None)
            assert (None if denied is None else said(denied)) == wanted


@given(key=KEYS, charges=st.lists(st.tuples(st.integers(0, 9), st.floats(0, 9)), max_size=5), at_s=st.floats(0, 500))
def test_a_check_changes_nothing(key: VirtualKey, charges: list[tuple[int, float]], at_s: float) -> None:
    limits = Limits()
    for tokens, dollars in charges:
        limits.charge(key, tokens=tokens, dollars=dollars, now_s=0.0)
    before = copy.deepcopy(limits._windows)

    first = target_denied(key, limits, "openai", "gpt-4o", at_s)

    assert target_denied(key, limits, "openai", "gpt-4o", at_s) == first
    assert limits._windows == before


@given(key=SPENDERS, tokens=st.integers(0, 100), dollars=st.floats(0, 100), late_s=st.floats(0, 1e9))
def test_after_the_longest_reset_a_key_may_ask_as_at_first(
    key: VirtualKey, tokens: int, dollars: float, late_s: float
) -> None:
    """Whenever the window began."""
    limits = Limits()
    first = target_denied(key, limits, "openai", "gpt-4o", 0.0)
    limits.charge(key, tokens=tokens, dollars=dollars, now_s=late_s)
    rates = [limit for limit in (key.tokens, key.requests) if limit is not None]
    longest_s = max([limit.resets_s for limit in (*rates, *key.budgets)], default=0.0)

    assert target_denied(key, limits, "openai", "gpt-4o", late_s + longest_s) == first


def test_many_small_steps_of_the_clock_are_one_long_one() -> None:
    """Sums of floats make no window longer: ten times 0.1 is a little less than 1."""
    key, limits = replace(KEY, requests=Limit(1, 1.0, "1s"), expires_s=1.0), Limits()
    limits.charge(key, tokens=0, dollars=0.0, now_s=0.0)
    now_s = 0.0
    for _step in range(10):
        now_s += 0.1

    assert now_s < 1.0
    assert limits.requests(key, now_s) == 0
    assert target_denied(key, limits, "openai", "gpt-4o", now_s) == Denied("virtual_key_expired")


def test_one_call_may_overshoot_and_the_next_is_refused_until_the_reset() -> None:
    key, limits = replace(KEY, budgets=(Limit(100.0, 86_400.0, "1d"),)), Limits()

    limits.charge(key, tokens=1, dollars=99.9999, now_s=10.0)
    assert target_denied(key, limits, "openai", "gpt-4o", 10.0) is None
    limits.charge(key, tokens=1, dollars=5.5001, now_s=20.0)

    denied = target_denied(key, limits, "openai", "gpt-4o", 20.0)
    assert denied is not None
    assert denied.scope == "target"
    assert said(denied) == "Budget exceeded: vk_model_config * budget exceeded: 105.5000 >= 100.0000 dollars"
    assert target_denied(key, limits, "openai", "gpt-4o", 86_409.9) == denied
    assert target_denied(key, limits, "openai", "gpt-4o", 86_410.0) is None


def test_reaching_a_limit_is_enough() -> None:
    key, limits = replace(KEY, requests=Limit(2, 60.0, "1m")), Limits()

    limits.charge(key, tokens=0, dollars=0.0, now_s=0.0)
    assert target_denied(key, limits, "openai", "gpt-4o", 0.0) is None
    limits.charge(key, tokens=0, dollars=0.0, now_s=0.0)
    assert target_denied(key, limits, "openai", "gpt-4o", 0.0) is not None


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    key: VirtualKey
    name: str
    newer: str
    older: str


BOTH = replace(KEY, requests=MINUTE, tokens=HOUR, budgets=(Limit(1.0, 60.0, "1m"),))
LIMITED = "rate limit violated for vk_model_config * : "
CASES = (
    Case(
        "inactive before all else",
        replace(BOTH, active=False, expires_s=0.0, providers={}),
        "virtual_key_inactive",
        "virtual key is inactive",
        "Virtual key is inactive",
    ),
    Case(
        "then expired",
        replace(BOTH, expires_s=5.0, providers={}),
        "virtual_key_expired",
        "virtual key has expired",
        "Virtual key has expired",
    ),
    Case(
        "then the provider",
        replace(BOTH, providers={"groq": ("*",)}),
        "provider_blocked",
        "Provider 'openai' is not allowed for virtual key 'team-a'",
        "Provider 'openai' is not allowed for this virtual key",
    ),
    Case(
        "no provider at all",
        replace(BOTH, providers={}),
        "provider_blocked",
        "Provider 'openai' is not allowed for virtual key 'team-a'",
        "Provider 'openai' is not allowed for this virtual key",
    ),
    Case(
        "then the model",
        replace(BOTH, providers={"openai": ("gpt-4o-mini", "o?")}),
        "model_blocked",
        "Model 'gpt-4o' is not allowed for this virtual key",
        "Model 'gpt-4o' is not allowed for this virtual key",
    ),
    Case(
        "no model at all",
        replace(BOTH, providers={"openai": ()}),
        "model_blocked",
        "Model 'gpt-4o' is not allowed for this virtual key",
        "Model 'gpt-4o' is not allowed for this virtual key",
    ),
    Case(
        "then both rates",
        replace(BOTH, providers={"openai": ("*",)}),
        "rate_limited",
        f"Rate limit exceeded: {LIMITED}[token limit exceeded (1500/1000, resets every 1h), "
        "request limit exceeded (10/10, resets every 1m)]",
        f"Rate limit check failed: {LIMITED}[token limit exceeded (1500/1000, resets every 1h), "
        "request limit exceeded (10/10, resets every 1m)]",
    ),
    Case(
        "tokens alone",
        replace(BOTH, requests=None),
        "token_limited",
        f"Rate limit exceeded: {LIMITED}[token limit exceeded (1500/1000, resets every 1h)]",
        f"Rate limit check failed: {LIMITED}[token limit exceeded (1500/1000, resets every 1h)]",
    ),
    Case(
        "requests alone",
        replace(BOTH, tokens=None, providers={"openai": ("gpt-*",)}),
        "request_limited",
        f"Rate limit exceeded: {LIMITED}[request limit exceeded (10/10, resets every 1m)]",
        f"Rate limit check failed: {LIMITED}[request limit exceeded (10/10, resets every 1m)]",
    ),
    Case(
        "then the budgets in order",
        replace(KEY, requests=HOUR, budgets=(Limit(9.0, 60.0, "1m"), Limit(2.0, 9.0, "9s"), Limit(1.0, 9.0, "9s"))),
        "budget_exceeded",
        "Budget exceeded: vk_model_config * budget exceeded: 2.5000 >= 2.0000 dollars",
        "Budget exceeded: vk_model_config * budget exceeded: 2.5000 >= 2.0000 dollars",
    ),
    Case(
        "nothing may be spent",
        replace(KEY, value="sk-bf-new", budgets=(Limit(0.0, 60.0, "1m"),)),
        "budget_exceeded",
        "Budget exceeded: vk_model_config * budget exceeded: 0.0000 >= 0.0000 dollars",
        "Budget exceeded: vk_model_config * budget exceeded: 0.0000 >= 0.0000 dollars",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_target_is_refused_in_the_order_and_the_words_of_the_gateway(case: Case) -> None:
    limits = Limits()
    spender = replace(case.key, value=KEY.value)
    for _call in range(10):
        limits.charge(spender, tokens=150, dollars=0.25, now_s=5.0)

    denied = target_denied(case.key, limits, "openai", "gpt-4o", 5.0)

    assert denied is not None
    assert (denied.name, said(denied, "2.2"), said(denied, "1.6")) == (case.name, case.newer, case.older)
    assert said(denied) == case.newer


@pytest.mark.parametrize("models", [("*",), ("gpt-4o",), ("x", "gpt-*"), ("gpt-4[a-z]",)])
def test_globs_allow_models(models: tuple[str, ...]) -> None:
    key = replace(KEY, providers={"openai": models})

    assert target_denied(key, Limits(), "openai", "gpt-4o", 0.0) is None


@pytest.mark.parametrize(("expires_s", "denied"), [(59.9, True), (60.0, True), (60.1, False), (-1.0, True)])
def test_a_key_has_expired_from_the_moment_on_that_is_written(expires_s: float, denied: bool) -> None:
    found = target_denied(replace(KEY, expires_s=expires_s), Limits(), "openai", "gpt-4o", 60.0)

    assert (found == Denied("virtual_key_expired")) is denied


def test_a_window_begins_with_its_first_use_each_limit_apart() -> None:
    key, limits = replace(KEY, requests=MINUTE, tokens=HOUR, budgets=(Limit(9.0, 60.0, "1m"),)), Limits()

    limits.charge(key, tokens=0, dollars=0.0, now_s=0.0)
    limits.charge(key, tokens=7, dollars=2.0, now_s=50.0)

    assert (limits.requests(key, 59.0), limits.tokens(key, 59.0), limits.dollars(key, 59.0)) == (2, 7, (2.0,))
    assert (limits.requests(key, 60.0), limits.tokens(key, 60.0), limits.dollars(key, 60.0)) == (0, 7, (2.0,))
    assert (limits.requests(key, 110.0), limits.tokens(key, 110.0), limits.dollars(key, 110.0)) == (0, 7, (0.0,))


def test_keys_and_budgets_are_charged_apart() -> None:
    one = replace(KEY, budgets=(Limit(9.0, 60.0, "1m"), Limit(9.0, 120.0, "2m")))
    other, limits = replace(one, value="sk-bf-b"), Limits()

    limits.charge(one, tokens=0, dollars=1.0, now_s=0.0)
    limits.charge(one, tokens=0, dollars=2.0, now_s=60.0)

    assert (limits.dollars(one, 60.0), limits.dollars(other, 60.0)) == ((2.0, 3.0), (0.0, 0.0))


def test_a_raised_limit_keeps_what_was_used() -> None:
    """Settings may be laid over while a session runs."""
    limits = Limits()
    limits.charge(replace(KEY, requests=Limit(1, 60.0, "1m")), tokens=0, dollars=0.0, now_s=0.0)

    raised = replace(KEY, requests=Limit(2, 60.0, "1m"))
    assert (target_denied(raised, limits, "openai", "gpt-4o", 1.0), limits.requests(raised, 1.0)) == (None, 1)
    assert limits.requests(KEY, 1.0) == 0


@given(values=st.lists(st.text(min_size=1, max_size=8), max_size=30))
def test_nothing_is_kept_of_keys_that_clients_make_up(values: list[str]) -> None:
    limits = Limits()
    for value in values:
        key = admitted(gateway(), {"x-bf-vk": value})
        assert isinstance(key, VirtualKey)
        limits.charge(key, tokens=5, dollars=1.0, now_s=0.0)
        assert target_denied(key, limits, "openai", "gpt-4o", 0.0) is None

    assert not limits._windows
