"""A tool-calling agent is recorded once in front of an upstream, and plays offline ever after, plain and streamed."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pydantic_ai")

from openai import AsyncOpenAI
from pydantic_ai import Agent, RunContext
from pydantic_ai.messages import AgentStreamEvent, ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from mockbifrost import MockBifrost
from mockbifrost.cassette.format import read_cassette

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
TASK = "I want a refund for order 42."
ANSWER = "I refunded 19.9 euros for order 42."
CALLED = [("lookup_order", {"order_id": "42"}), ("refund_order", {"order_id": "42", "amount": 19.9})]


@dataclass(frozen=True, slots=True)
class Result:
    """What an agent came to: its last words, the tools it called with their arguments, and the tokens it used."""

    output: str
    called: list[tuple[str, dict[str, Any]]]
    tokens: int


def made(client: AsyncOpenAI) -> Agent[None, str]:
    """An agent with two tools."""
    provider = OpenAIProvider(openai_client=client)
    agent = Agent(OpenAIChatModel("openai/gpt-4o", provider=provider))

    @agent.tool_plain
    def lookup_order(order_id: str) -> dict[str, Any]:
        return {"id": order_id, "total": 19.9, "state": "delivered"}

    @agent.tool_plain
    def refund_order(order_id: str, amount: float) -> str:
        return "refunded"

    return agent


def called_in(messages: list[ModelMessage]) -> list[tuple[str, dict[str, Any]]]:
    parts = [part for message in messages if isinstance(message, ModelResponse) for part in message.parts]
    return [(part.tool_name, part.args_as_dict()) for part in parts if isinstance(part, ToolCallPart)]


async def plain(agent: Agent[None, str], task: str = TASK) -> Result:
    result = await agent.run(task)
    return Result(result.output, called_in(result.all_messages()), result.usage.total_tokens)


async def streamed(agent: Agent[None, str]) -> Result:
    async def listen(context: RunContext[None], events: AsyncIterable[AgentStreamEvent]) -> None:
        async for _event in events:
            pass

    result = await agent.run(TASK, event_stream_handler=listen)  # asks for streams, where somebody listens
    return Result(result.output, called_in(result.all_messages()), result.usage.total_tokens)


Way = Callable[[Agent[None, str]], Coroutine[Any, Any, Result]]
WAYS = {"plain": plain, "streamed": streamed}


async def performed(base_url: str, way: Way) -> Result:
    """One run of the agent against a server."""
    async with AsyncOpenAI(base_url=base_url, api_key="sk-bf-demo", max_retries=0) as client:
        return await way(made(client))


@pytest.fixture(scope="module")
def upstream() -> Iterator[MockBifrost]:
    """What stands for the real gateway."""
    with MockBifrost(SCENARIOS, version="2.2", mock_headers=False) as server:
        yield server


async def recorded(upstream: MockBifrost, cassette: Path, way: Way) -> Result:
    """Record one run of the agent."""
    with MockBifrost(upstream=upstream.base_url, cassette=cassette, record_mode="all") as server:
        return await performed(server.base_url, way)


@pytest.mark.parametrize("again", WAYS)
@pytest.mark.parametrize("first", WAYS)
@pytest.mark.anyio
async def test_what_was_recorded_plays_offline_with_the_same_result(
    first: str, again: str, upstream: MockBifrost, tmp_path: Path
) -> None:
    cassette = tmp_path / "refund.yaml"
    live = await recorded(upstream, cassette, WAYS[first])
    assert (live.output, live.called) == (ANSWER, CALLED)
    assert len(read_cassette(cassette).interactions) == 3

    with MockBifrost(cassette) as server, server.session() as session:
        offline = await performed(session.base_url, WAYS[again])

    assert offline == live


@pytest.mark.anyio
async def test_recording_again_changes_no_line_of_what_is_still_said(upstream: MockBifrost, tmp_path: Path) -> None:
    cassette = tmp_path / "refund.yaml"
    await recorded(upstream, cassette, streamed)
    before = cassette.read_text(encoding="utf-8")

    await recorded(upstream, cassette, streamed)
    assert cassette.read_text(encoding="utf-8") == before

    changed = before.replace('"content":"I"', '"content":"We"').replace('"content":" refunded"', '"content":" kept"')
    assert changed != before
    cassette.write_text(changed, encoding="utf-8")
    await recorded(upstream, cassette, streamed)
    after = cassette.read_text(encoding="utf-8")
    ends = [text.split("- request:") for text in (before, after)]
    assert ends[1][:-1] == ends[0][:-1]  # only the interaction that said something else was written anew
    assert '"content":" kept"' not in after


@pytest.mark.anyio
async def test_a_conversation_that_was_not_recorded_is_not_answered(upstream: MockBifrost, tmp_path: Path) -> None:
    cassette = tmp_path / "refund.yaml"
    await recorded(upstream, cassette, plain)

    with MockBifrost(cassette) as server, server.session(verify=False) as session:
        with pytest.raises(Exception, match="No recording answers this request"):
            await performed(session.base_url, lambda agent: plain(agent, TASK.replace("42", "43")))

        assert session.last.near_misses[0].stub.name == "refund.yaml#1"
