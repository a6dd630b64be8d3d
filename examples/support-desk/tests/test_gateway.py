"""What the gateway does between the desk and its providers: fallbacks, timeouts, costs, budgets."""

import pytest
from mockbifrost import Session
from openai import OpenAI

from support_desk.drafts import APOLOGY, BudgetSpent, draft

TICKET = "My parcel is late."
PRICES = {"openai/gpt-4o": {"input": 2.50, "output": 10.00}}  # dollars for a million tokens


def test_another_provider_steps_in(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.configure(fallbacks={"openai/gpt-4o": ["anthropic/claude-sonnet-4-5"]})
    mockbifrost.when(provider="openai").error("unavailable")
    mockbifrost.when(provider="anthropic").reply("It comes tomorrow.")

    assert draft(client, TICKET).provider == "anthropic"
    assert [attempt.status for attempt in mockbifrost.last.trail] == [503, 200]


def test_the_gateway_gives_up_on_a_slow_provider(mockbifrost: Session, client: OpenAI) -> None:
    # Time is scripted: twenty seconds pass for the gateway, and none for the test.
    mockbifrost.configure(providers={"openai": {"timeout": "10s"}})
    mockbifrost.when().reply("Too late.").upstream(slow="20s")

    assert draft(client.with_options(max_retries=0), TICKET).text == APOLOGY
    assert mockbifrost.last.status == 504
    assert mockbifrost.last.trail[0].took_s == 10.0


def test_the_desk_itself_gives_up_on_a_slow_gateway(mockbifrost: Session, client: OpenAI) -> None:
    # Here the wait is real, but the client's patience is two hundred milliseconds.
    mockbifrost.when().reply("Too late.").pace(ttft="1m", speed=1)

    assert draft(client.with_options(max_retries=0, timeout=0.2), TICKET).text == APOLOGY


def test_a_draft_knows_what_it_cost(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.configure(pricing=PRICES)
    mockbifrost.when().reply("It comes tomorrow.", usage={"prompt_tokens": 1000, "completion_tokens": 100})

    assert draft(client, TICKET).dollars == pytest.approx(0.0035)


def test_a_team_can_spend_its_budget_and_no_more(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.configure(
        pricing=PRICES,
        virtual_keys={"sk-bf-desk": {"name": "desk", "budgets": [{"limit": 0.005, "resets": "1d"}]}},
    )
    mockbifrost.when().reply("It comes tomorrow.", usage={"prompt_tokens": 1000, "completion_tokens": 100})
    desk = client.with_options(api_key="sk-bf-desk")

    draft(desk, TICKET)
    draft(desk, TICKET)  # begins within the budget, and ends beyond it
    with pytest.raises(BudgetSpent):
        draft(desk, TICKET)

    mockbifrost.clock.advance("1d")  # a day later it is full again
    draft(desk, TICKET)
    assert mockbifrost.ledger[0].cost == pytest.approx(0.0105)
