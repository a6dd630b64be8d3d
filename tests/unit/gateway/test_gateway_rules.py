"""Any list of provider outcomes: the attempts and the answer obey the rules. The oracle is a naive model, written from the rules.

Source: gateway-behaviour.md 1.2, 1.3 and 1.5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockbifrost.gateway.outcome import Trace
from mockbifrost.wire.profiles import ProfileName
from tests.harness import PROFILE_NAMES, ask, chat

OUTCOMES: Mapping[str, Any] = {
    "ok": {"reply": "Good."},
    "500": {"error": "server_error"},
    "502": {"error": "bad_gateway"},
    "503": {"error": "unavailable"},
    "504": {"error": "gateway_timeout"},
    "529": {"error": "overloaded"},
    "429": {"error": "rate_limited"},
    "quota": {"error": "insufficient_quota"},
    "401": {"error": "unauthorized"},
    "402": {"error": {"status": 402, "message": "Pay first."}},
    "403": {"error": "forbidden"},
    "gone": {"error": "model_not_found"},
    "404": {"error": {"status": 404, "message": "Nothing here."}},
    "400": {"error": "bad_request"},
    "409": {"error": "conflict"},
    "worded": {"error": {"status": 409, "message": "Too many requests at once."}},
    "refused": {"gateway_error": "budget_exceeded"},
}
STATUS = {"ok": 200, "quota": 429, "gone": 404, "worded": 409, "refused": 402}
PROVIDERS = ("openai", "anthropic", "mistral")
LONGEST = 12
"""More tries than any of the settings below allow at one target."""


@dataclass(frozen=True)
class Rules:
    """The settings of one provider."""

    keys: int = 1
    max_retries: int = 0


@dataclass
class Model:
    """The rules, as naive as can be: what is asked in which order, and the status that the client sees."""

    newest: bool
    outcomes: Mapping[str, Sequence[str]]
    rules: Mapping[str, Rules]
    asked: list[tuple[int, str]] = field(default_factory=list)

    def run(self, providers: Sequence[str]) -> int:
        """The status of the answer."""
        statuses: list[int] = []
        for fallback, provider in enumerate(providers):
            status = self.one(fallback, provider)
            if status == 200:
                return 200
            statuses.append(status)
        return statuses[0]

    def one(self, fallback: int, provider: str) -> int:
        """The status that one target ends with."""
        rules = self.rules[provider]
        left, alive = rules.max_retries, rules.keys
        for outcome in self.outcomes[provider]:
            self.asked.append((fallback, outcome))
            status = int(STATUS.get(outcome, 0) or outcome)
            if outcome in ("ok", "refused"):
                return status
            dead_key = status in (401, 402, 403) or (outcome == "quota" and self.newest)
            if dead_key or (outcome == "gone" and self.newest):
                alive -= 1
                if self.newest and alive:
                    continue
                if self.newest:
                    alone = rules.keys == 1 and rules.max_retries == 0
                    return status if alone or outcome == "gone" else 502
                if not left or not alive:
                    return status
                left -= 1
                continue
            again = status in (500, 502, 503, 504, 429) or outcome == "worded" or (status == 529 and self.newest)
            if not again or not left:
                return status
            left -= 1
        raise AssertionError("the outcomes are as many as tries are possible")


def scenario(outcomes: Mapping[str, Sequence[str]], rules: Mapping[str, Rules]) -> str:
    """Each provider with its keys and retries, and one sequence of what it does."""
    providers = {
        name: {
            "max_retries": one.max_retries,
            "keys": [{"name": f"{name}-{number}"} for number in range(one.keys)],
        }
        for name, one in rules.items()
    }
    stubs = [
        {"name": name, "when": {"provider": name}, "per": "attempt", "sequence": [OUTCOMES[one] for one in row]}
        for name, row in outcomes.items()
    ]
    return json.dumps({"version": 1, "gateway": {"providers": providers, "cost": "none"}, "stubs": stubs})


RULES = st.builds(Rules, st.integers(1, 3), st.integers(0, 3))
ROW = st.lists(st.sampled_from(sorted(OUTCOMES)), min_size=LONGEST, max_size=LONGEST)
FAILING = st.lists(st.sampled_from(sorted(set(OUTCOMES) - {"ok", "refused"})), min_size=LONGEST, max_size=LONGEST)


@settings(deadline=None, max_examples=150)
@given(
    rows=st.tuples(ROW | FAILING, ROW | FAILING, ROW),
    rules=st.tuples(RULES, RULES, RULES),
    fallbacks=st.integers(0, 2),
    version=st.sampled_from(PROFILE_NAMES),
    stream=st.booleans(),
)
def test_attempts_and_answer_obey_the_rules(
    rows: tuple[Sequence[str], ...],
    rules: tuple[Rules, ...],
    fallbacks: int,
    version: ProfileName,
    stream: bool,
) -> None:
    outcomes = dict(zip(PROVIDERS, rows, strict=True))
    configured = dict(zip(PROVIDERS, rules, strict=True))
    targets = PROVIDERS[: fallbacks + 1]
    model = Model(version != "1.6", outcomes, configured)
    status = model.run(targets)

    body = chat(model="openai/gpt-4o", stream=stream, fallbacks=[f"{name}/some-model" for name in targets[1:]])
    response = ask(scenario(outcomes, configured), body, version=version)

    trail = response.exchange.outcome.trail
    assert [(one.fallback, one.status) for one in trail] == [
        (fallback, int(STATUS.get(outcome, 0) or outcome)) for fallback, outcome in model.asked
    ]
    assert response.status == status
    check_keys(trail, configured, version)
    check_waits(trail, dead_spend=version == "1.6")
    if status != 200:
        assert response.json()["extra_fields"]["provider"] == "openai"  # the primary's error


def check_keys(trail: Sequence[Trace], rules: Mapping[str, Rules], version: ProfileName) -> None:
    """A dead key is not used again; a rate limit takes a key that has not been used while there is one; the rest keeps it."""
    for target in {one.fallback for one in trail}:
        row = [one for one in trail if one.fallback == target]
        dead: set[str | None] = set()
        for before, after in pairwise(row):
            if after.number != before.number + 1:
                raise AssertionError("tries are counted from 0")
            if before.status in (401, 402, 403):
                dead.add(before.key)
            assert after.key not in dead
            if before.status in (500, 502, 503, 504):
                assert after.key == before.key
            elif before.status == 429 and rules[before.provider].keys > 1 + len(dead):
                assert after.key != before.key


def check_waits(trail: Sequence[Trace], *, dead_spend: bool) -> None:
    """Retries wait 0.5, 1, 2, 4, 5 s, a fifth more or less and never more than 5 s; after a dead key nothing is waited.

    `dead_spend`: a dead key spends a retry, as it did before 2.0.
    """
    spent: dict[int, int] = {}
    for before, after in pairwise(trail):
        wait_s = after.at_s - before.at_s - before.took_s
        if after.fallback != before.fallback:
            assert wait_s == 0
            continue
        count = spent.get(after.fallback, 0)
        if wait_s:
            base = min(0.5 * 2.0**count, 5.0)
            assert base * 0.8 - 1e-9 <= wait_s <= min(base * 1.2, 5.0) + 1e-9
        else:
            assert before.status in (401, 402, 403, 404, 429)
        if wait_s or dead_spend:
            spent[after.fallback] = count + 1


@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("outcome", sorted(set(OUTCOMES) - {"ok"}))
def test_one_key_and_no_retries_hand_the_error_on(outcome: str, version: ProfileName) -> None:
    """Whatever happens, the client of an unconfigured gateway sees what the provider said, after one attempt."""
    response = ask(scenario({"openai": [outcome]}, {"openai": Rules()}), chat(), version=version)

    assert response.status == int(STATUS.get(outcome, 0) or outcome)
    assert len(response.exchange.outcome.trail) == 1
