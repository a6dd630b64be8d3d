"""Who has asked for how much: sums that are right for any charges, in bounded memory."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.gateway.ledger import MOST_CHARACTERS, MOST_ROWS, REST, Ledger, Row
from mockbifrost.wire.jsontypes import encode

COUNTS = st.integers(0, 1_000_000)


@dataclass(frozen=True, slots=True)
class Charge:
    names: tuple[str, str, str]
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost: float
    cached: bool

    def give(self, ledger: Ledger) -> None:
        ledger.charge(
            *self.names,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            total_tokens=self.total_tokens,
            cost=self.cost,
            cached=self.cached,
        )


NAMES = st.tuples(
    st.sampled_from(["", "team-a", "team-b"]), st.sampled_from(["openai", "groq"]), st.sampled_from(["a", "b", REST])
)
CHARGES = st.builds(Charge, NAMES, COUNTS, COUNTS, COUNTS, st.floats(0, 10), st.booleans())


def summed(names: tuple[str, str, str], charges: list[Charge]) -> Row:
    """One row, from all its charges at once; dollars in their order."""
    cost = 0.0
    for charge in charges:
        cost += charge.cost
    return Row(
        *names,
        len(charges),
        len([charge for charge in charges if charge.cached]),
        sum(charge.prompt_tokens for charge in charges),
        sum(charge.completion_tokens for charge in charges),
        sum(charge.total_tokens for charge in charges),
        cost,
    )


@given(charges=st.lists(CHARGES, max_size=30))
def test_each_row_and_the_total_are_the_sums_of_their_charges(charges: list[Charge]) -> None:
    ledger = Ledger()
    grouped: dict[tuple[str, str, str], list[Charge]] = defaultdict(list)
    for charge in charges:
        charge.give(ledger)
        grouped[charge.names].append(charge)

    assert ledger.rows() == [summed(names, grouped[names]) for names in sorted(grouped)]
    assert ledger.total() == summed(("", "", ""), charges)


def test_the_json_has_rows_by_name_and_their_total() -> None:
    ledger = Ledger()
    ledger.charge("team-a", "openai", "gpt-4o", prompt_tokens=5, completion_tokens=3, total_tokens=8, cost=0.1)
    ledger.charge("", "openai", "gpt-4o")
    ledger.charge("team-a", "openai", "gpt-4o", prompt_tokens=1, completion_tokens=1, total_tokens=3, cost=0.2)
    ledger.charge("team-a", "anthropic", "claude", cached=True)

    def row(key: str, provider: str, model: str, *sums: float) -> dict[str, Any]:
        return {"virtual_key": key, "provider": provider, "model": model, **named(*sums)}

    def named(*sums: float) -> dict[str, float]:
        names = ("requests", "cached", "prompt_tokens", "completion_tokens", "total_tokens", "cost")
        return dict(zip(names, sums, strict=True))

    assert ledger.to_json() == {
        "rows": [
            row("", "openai", "gpt-4o", 1, 0, 0, 0, 0, 0.0),
            row("team-a", "anthropic", "claude", 1, 1, 0, 0, 0, 0.0),
            row("team-a", "openai", "gpt-4o", 2, 0, 6, 4, 11, 0.1 + 0.2),
        ],
        "total": named(4, 1, 6, 4, 11, 0.1 + 0.2),
    }
    assert b'"cost":0.30000000000000004' in encode(ledger.to_json())


def test_an_empty_ledger_has_a_total_too() -> None:
    total = {"requests": 0, "cached": 0, "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "cost": 0.0}

    assert Ledger().to_json() == {"rows": [], "total": total}


def test_what_was_read_does_not_change() -> None:
    ledger = Ledger()
    ledger.charge("", "openai", "a", cost=1.0)
    rows, total = ledger.rows(), ledger.total()

    ledger.charge("", "openai", "a", cost=1.0)

    assert (rows[0].cost, total.cost) == (1.0, 1.0)
    assert ledger.rows()[0].cost == ledger.total().cost == 2.0


def test_models_beyond_the_bound_are_counted_together_for_each_virtual_key() -> None:
    ledger = Ledger()
    for number in range(MOST_ROWS):
        ledger.charge("team-a", "openai", f"model {number}", cost=1.0)
    for number in range(7):
        ledger.charge("team-a", "openai", f"further {number}", cost=1.0)
        ledger.charge("team-b", "groq", f"further {number}", cost=1.0)
        ledger.charge("", "groq", f"further {number}", cost=1.0)
    ledger.charge("team-a", "openai", "model 3", cost=1.0)

    rows = {(row.virtual_key, row.provider, row.model): row.requests for row in ledger.rows()}
    assert len(rows) == MOST_ROWS + 3
    assert rows["team-a", "openai", "model 3"] == 2
    assert rows["team-a", REST, REST] == rows["team-b", REST, REST] == rows["", REST, REST] == 7
    assert ledger.total() == Row("", "", "", MOST_ROWS + 22, cost=MOST_ROWS + 22.0)


def test_virtual_keys_beyond_the_bound_are_counted_together() -> None:
    ledger = Ledger()
    for number in range(3 * MOST_ROWS):
        ledger.charge(f"key {number}", "openai", "a", total_tokens=1)
        ledger.charge(f"key {number % 10}", "openai", f"b {number}", total_tokens=1)
    ledger.charge("", "openai", "a", total_tokens=1)

    rows = {(row.virtual_key, row.provider, row.model): row.requests for row in ledger.rows()}
    assert len(rows) <= 2 * MOST_ROWS + 2
    assert len({virtual_key for virtual_key, _provider, _model in rows}) == MOST_ROWS + 2
    assert rows[REST, REST, REST] == 2 * MOST_ROWS
    assert rows["", REST, REST] == rows[f"key {MOST_ROWS - 1}", REST, REST] == 1
    assert sum(rows.values()) == ledger.total().total_tokens == 6 * MOST_ROWS + 1


def test_a_long_name_is_cut() -> None:
    ledger = Ledger()
    fits = "m" * MOST_CHARACTERS
    ledger.charge("k" * 100_000, "openai", "m" * 100_000)
    ledger.charge("", "openai", fits)

    without, within = ledger.rows()
    assert without.model == fits
    assert within.model == fits[:-1] + REST
    assert within.virtual_key == "k" * (MOST_CHARACTERS - 1) + REST
