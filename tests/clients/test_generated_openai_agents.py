"""A thousand runs of generated agents of openai-agents. Source of the table: clients.md 2 and 3."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Literal

import pytest
from hypothesis import strategies as st
from openai import AsyncOpenAI
from pydantic import BaseModel, Field

from mockbifrost import Session
from tests.clients.generated import (
    FAULTS,
    FAULTY_BODIES,
    OPENAI_STATUSES,
    TIMEOUT_S,
    Allowed,
    Case,
    Seen,
    Stop,
    headers_for,
    plans,
    prove,
    quiet_server,
)
from tests.strategies import TEXTS

agents: Any = pytest.importorskip("agents", reason="openai-agents is not installed")


class Trip(BaseModel):
    """A nested output."""

    kind: Literal["business", "leisure"]
    stops: list[Stop] = Field(min_length=1, max_length=4)
    price: float | None


def lookup_order(order_id: str) -> str:
    """A tool with one argument."""
    return f"{order_id} was shipped"


def weather(city: str, days: list[int]) -> dict[str, Any]:
    """A tool with nested arguments."""
    return {"city": city, "days": days}


def book(trip: Trip) -> str:
    """A tool whose argument is a model."""
    return trip.model_dump_json()


TOOLS: Final = (lookup_order, weather, book)
OUTPUTS: Final[Mapping[str, Any]] = {"text": None, "model": Trip, "number": int, "models": list[Stop]}


def refused(seen: Seen) -> bool:
    """Whether the provider refused, or said that a filter cut in."""
    return any(word in repr(seen.case.behaviour) for word in ("'refusal'", "'content_filter'"))


def unlike_what_was_asked(seen: Seen) -> bool:
    """Whether the answer is scripted and need not fit the agent, or `auto`'s is cut at a limit."""
    return seen.case.kind != "auto" or "max_tokens" in seen.case.request["settings"]


ALLOWED = (
    *OPENAI_STATUSES,
    Allowed("agents.ModelRefusalError", (200,), "a refusal", refused),
    Allowed(
        "agents.ModelBehaviorError",
        (200,),
        "not in clients.md: the answer calls a tool that the agent has not, or is no JSON of its output type",
        unlike_what_was_asked,
    ),
)

RUNS: Final = st.fixed_dictionaries(
    {
        "input": TEXTS
        | st.lists(
            st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": TEXTS}),
            min_size=1,
            max_size=4,
        ),
        "output": st.sampled_from(sorted(OUTPUTS)),
        "tools": st.integers(0, 2 ** len(TOOLS) - 1),
        "settings": st.fixed_dictionaries(
            {},
            optional={
                "temperature": st.floats(0, 2),
                "top_p": st.floats(0, 1),
                "max_tokens": st.integers(1, 1_000),
                "frequency_penalty": st.floats(-2, 2),
                "top_logprobs": st.integers(0, 20),
                "tool_choice": st.sampled_from(["auto", "required", "none"]),
                "include_usage": st.booleans(),
                "store": st.booleans(),
            },
        ),
    }
)


def test_a_thousand_runs_raise_what_is_known(capfd: pytest.CaptureFixture[str]) -> None:
    agents.set_tracing_disabled(True)
    with quiet_server(capfd) as server, asyncio.Runner() as runner:
        client = AsyncOpenAI(base_url=server.base_url, api_key="k", max_retries=0, timeout=TIMEOUT_S)
        model = agents.OpenAIChatCompletionsModel("gpt-4o", client)
        tools = [agents.function_tool(tool) for tool in TOOLS]

        async def run(session: Session, case: Case) -> None:
            asked = case.request
            chosen = [tool for number, tool in enumerate(tools) if asked["tools"] >> number & 1]
            settings = dict(asked["settings"])
            if not chosen:
                settings.pop("tool_choice", None)
            agent = agents.Agent(
                name="assistant",
                model=model,
                tools=chosen,
                output_type=OUTPUTS[asked["output"]],
                model_settings=agents.ModelSettings(
                    **settings, extra_headers=headers_for(session), extra_body=dict(case.fault)
                ),
            )
            if case.stream:
                async for _event in agents.Runner.run_streamed(agent, asked["input"]).stream_events():
                    pass
            else:
                await agents.Runner.run(agent, asked["input"])

        prove(
            server,
            ALLOWED,
            plans({**FAULTS, **FAULTY_BODIES}, lacks=("audio",)),  # openai-agents: “Audio is not currently supported”
            RUNS,
            lambda session, case: runner.run(run(session, case)),
        )
        runner.run(client.close())
