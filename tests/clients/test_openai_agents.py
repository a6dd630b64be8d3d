"""What openai-agents makes of answers and failures. Source: clients.md 2 and 3."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from mockbifrost import Session
from tests.clients.gateway_story import ATTEMPTS, CACHED, COST, FREE, MODEL, PROVIDER, STORY, attempts

agents: Any = pytest.importorskip("agents", reason="openai-agents is not installed")

pytestmark = pytest.mark.anyio

AT_ONCE = {"retry-after-ms": "1"}


class Weather(BaseModel):
    """A structured output."""

    city: str
    celsius: int


def order(order_id: str) -> dict[str, str]:
    """The state of an order."""
    return {"id": order_id, "state": "shipped" if order_id == "42" else "lost"}


@pytest.fixture(autouse=True)
def no_tracing() -> None:
    """Traces would be sent to OpenAI."""
    agents.set_tracing_disabled(True)


@pytest.fixture
async def model(mockbifrost: Session) -> AsyncIterator[Any]:
    async with AsyncOpenAI(base_url=mockbifrost.base_url, api_key="k") as client:
        yield agents.OpenAIChatCompletionsModel("gpt-4o", client)


@pytest.fixture
async def unverified_model(unverified: Session) -> AsyncIterator[Any]:
    async with AsyncOpenAI(base_url=unverified.base_url, api_key="k") as client:
        yield agents.OpenAIChatCompletionsModel("gpt-4o", client)


def agent(model: Any, **settings: Any) -> Any:
    return agents.Agent(name="assistant", model=model, **settings)


def requests_per_call(session: Session) -> list[int]:
    return [len(call.requests) for call in session.calls]


async def test_a_run_ends_with_the_answer(mockbifrost: Session, model: Any) -> None:
    mockbifrost.when(user="hello", system="terse").reply("Hello from Bifrost.")

    result = await agents.Runner.run(agent(model, instructions="Be terse."), "hello")

    assert result.final_output == "Hello from Bifrost."


async def test_a_streamed_run_has_the_text_bit_by_bit(mockbifrost: Session, model: Any) -> None:
    mockbifrost.when(user="hello").reply("Hello from Bifrost.")

    run = agents.Runner.run_streamed(agent(model), "hello")
    raw = [event.data async for event in run.stream_events() if event.type == "raw_response_event"]

    deltas = [event.delta for event in raw if event.type == "response.output_text.delta"]
    assert "".join(deltas) == run.final_output == "Hello from Bifrost."
    assert deltas[-3:] == [" from", " Bifrost", "."]


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_tools_in_parallel_come_to_their_end(mockbifrost: Session, model: Any, streamed: bool) -> None:
    calls = [{"order": {"order_id": "42"}}, {"order": {"order_id": "43"}}]
    mockbifrost.when(user="orders", tools="order").reply(tool_calls=calls)
    results = [{"name": "order", "text": "shipped"}, {"name": "order", "text": "lost"}]
    mockbifrost.when(tool_result=results).reply("One shipped, one lost.")
    assistant = agent(model, tools=[agents.function_tool(order)])

    if streamed:
        result = agents.Runner.run_streamed(assistant, "Where are my orders?")
        names = [event.name async for event in result.stream_events() if event.type == "run_item_stream_event"]
        assert names == ["tool_called"] * 2 + ["tool_output"] * 2 + ["message_output_created"]
    else:
        result = await agents.Runner.run(assistant, "Where are my orders?")

    assert result.final_output == "One shipped, one lost."
    assert requests_per_call(mockbifrost) == [1, 1]


async def test_a_handoff_is_a_tool_and_changes_the_agent(mockbifrost: Session, model: Any) -> None:
    mockbifrost.when(user="bill", tools="transfer_to_billing").reply(tool_calls=["transfer_to_billing"])
    mockbifrost.when(tool_result="transfer_to_billing", tools=[]).reply("Billing here.")
    billing = agents.Agent(name="billing", model=model)

    result = await agents.Runner.run(agent(model, handoffs=[billing]), "My bill is wrong.")

    assert (result.final_output, result.last_agent.name) == ("Billing here.", "billing")


async def test_a_structured_output_is_parsed(mockbifrost: Session, model: Any) -> None:
    mockbifrost.when(response_format="final_output").reply('{"city": "Oslo", "celsius": -3}')

    result = await agents.Runner.run(agent(model, output_type=Weather), "weather")

    assert result.final_output == Weather(city="Oslo", celsius=-3)


async def test_a_structured_output_that_is_wrong_ends_the_run(mockbifrost: Session, model: Any) -> None:
    """openai-agents does not ask again."""
    mockbifrost.when(response_format="final_output").reply('{"city": "Oslo"}')

    with pytest.raises(agents.ModelBehaviorError, match="Invalid JSON when parsing model output"):
        await agents.Runner.run(agent(model, output_type=Weather), "weather")

    assert requests_per_call(mockbifrost) == [1]


async def test_usage_and_reasoning_are_kept_and_extra_fields_are_lost(mockbifrost: Session, model: Any) -> None:
    usage = {
        "prompt_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 100},
        "completion_tokens": 30,
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    mockbifrost.when(user="think").reply("42.", reasoning="Six times seven.", usage=usage)

    result = await agents.Runner.run(agent(model), "think")

    used = result.context_wrapper.usage
    assert (used.requests, used.input_tokens, used.output_tokens, used.total_tokens) == (1, 120, 30, 150)
    assert (used.input_tokens_details.cached_tokens, used.output_tokens_details.reasoning_tokens) == (100, 20)
    [response] = result.raw_responses
    assert response.output[0].content[0].text == "Six times seven."
    assert "extra_fields" not in repr(response)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_the_cost_is_in_the_raw_usage_and_who_served_is_nowhere(
    mockbifrost: Session, model: Any, streamed: bool
) -> None:
    """The raw usage is kept when asked for. A hit of the cache shows in the cost alone."""
    mockbifrost.load(STORY)
    settings = agents.ModelSettings(extra_headers=CACHED, preserve_raw_usage=True, include_usage=True)
    assistant = agent(model, model_settings=settings)

    async def told() -> Any:
        if not streamed:
            return (await agents.Runner.run(assistant, "hello")).raw_responses[0]
        run = agents.Runner.run_streamed(assistant, "hello")
        async for _event in run.stream_events():
            pass
        return run.raw_responses[0]

    responses = [await told(), await told()]

    assert [response.raw_usage["cost"] for response in responses] == [COST, FREE]
    assert attempts(mockbifrost) == ATTEMPTS
    for lost in (PROVIDER, MODEL, "cache_hit"):
        assert lost not in repr(responses)


async def test_a_refusal_ends_the_run(mockbifrost: Session, model: Any) -> None:
    mockbifrost.when(user="forbidden").reply(refusal="I can't help with that.")

    with pytest.raises(agents.ModelRefusalError, match="I can't help with that"):
        await agents.Runner.run(agent(model), "forbidden")


@pytest.mark.parametrize(
    ("name", "raised", "requests"),
    [
        ("context_length", openai.BadRequestError, 1),
        ("unauthorized", openai.AuthenticationError, 1),
        ("model_not_found", openai.NotFoundError, 1),
        ("rate_limited", openai.RateLimitError, 3),
        ("overloaded", openai.InternalServerError, 3),
    ],
)
async def test_an_error_is_that_of_openai(
    mockbifrost: Session, model: Any, name: str, raised: type[openai.APIStatusError], requests: int
) -> None:
    mockbifrost.when(user="hello").error(name, headers=AT_ONCE)

    with pytest.raises(raised):
        await agents.Runner.run(agent(model), "hello")

    assert requests_per_call(mockbifrost) == [requests]


async def test_a_loop_without_end_is_stopped(mockbifrost: Session, model: Any) -> None:
    mockbifrost.when(tools="order").reply(tool_calls=[{"order": {"order_id": "42"}}])

    with pytest.raises(agents.MaxTurnsExceeded):
        await agents.Runner.run(agent(model, tools=[agents.function_tool(order)]), "Where?", max_turns=4)

    assert requests_per_call(mockbifrost) == [1] * 4


async def test_a_miss_is_one_request_and_says_what_came_near(unverified: Session, unverified_model: Any) -> None:
    unverified.when(user="refund").reply("Done.").name("refund")

    with pytest.raises(openai.BadRequestError, match='nearest: "refund"'):
        await agents.Runner.run(agent(unverified_model), "Refnd, please")

    assert requests_per_call(unverified) == [1]
