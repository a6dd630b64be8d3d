"""What the embedding of a semantic look-up costs: on a miss and a semantic hit, never on a direct one. Source: gateway-behaviour.md 2.7."""

from __future__ import annotations

from typing import Any

import pytest

from mockbifrost.session.session import Session
from mockbifrost.wire.profiles import ProfileName
from tests.harness import ask_in, chat, open_session, stubs

SETTINGS = """
gateway:
  cache: {semantic: true, similar: [[refund please, give me my money back, 0.95]]}
  pricing:
    openai/gpt-4o: {input: 1000000, output: 0}
    openai/text-embedding-3-small: {input: 10}
"""
KEYED = {"x-bf-cache-key": "k"}


def opened(version: ProfileName) -> Session:
    return open_session(stubs("- reply: {content: Done., usage: {prompt_tokens: 2}}", before=SETTINGS), version=version)


def cost(session: Session, said: str) -> tuple[str, Any]:
    """What the cache says of a request, and what it cost."""
    body = ask_in(session, chat(said), headers=KEYED).json()
    debug = body["extra_fields"]["cache_debug"]
    return debug.get("hit_type", "miss"), body["usage"]["cost"]


def test_the_newest_release_tells_it_apart() -> None:
    session = opened("2.2")

    kind, told = cost(session, "refund please")
    more = told["additional_cost"]
    assert (kind, list(told)[-3:]) == ("miss", ["additional_cost", "additional_cost_details", "total_cost"])
    assert 0 < more < 0.001
    assert told["additional_cost_details"] == {"semantic_cache_cost": more}
    assert told["total_cost"] == told["input_cost"] + more == 2 + more

    assert cost(session, "refund please") == ("direct", {"total_cost": 0})
    kind, told = cost(session, "give me my money back")
    assert (kind, told["total_cost"]) == ("semantic", told["additional_cost"])
    assert told["total_cost"] > 0


@pytest.mark.parametrize("version", ["documented", "2.2"])
def test_the_ledger_has_it_in_any_case(version: ProfileName) -> None:
    session = opened(version)
    cost(session, "refund please")
    (row,) = session.gateway_state.ledger.rows()
    assert 2 < row.cost < 2.001

    cost(session, "refund please")
    (direct,) = session.gateway_state.ledger.rows()
    assert direct.cost == row.cost
    cost(session, "give me my money back")
    (semantic,) = session.gateway_state.ledger.rows()
    assert row.cost < semantic.cost < 2.002
