"""A thousand runs of generated agents of pydantic-ai. Source of the table: clients.md 2 and 3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Mapping
from typing import Any, Final

import pytest
from hypothesis import strategies as st
from openai import AsyncOpenAI
from pydantic_ai import (
    Agent,
    AgentStreamEvent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeOutput,
    PromptedOutput,
    RunContext,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from mockbifrost import Session
from tests.clients.generated import (
    FAULTS,
    FAULTY_BODIES,
    TIMEOUT_S,
    Allowed,
    Case,
    Seen,
    Stop,
    Trip,
    broke_off,
    headers_for,
    plans,
    prove,
    quiet_server,
)
from tests.strategies import IDS, NAMES, OBJECTS, TEXTS


def lookup_order(order_id: str) -> str:
    """A tool with one argument."""
    return f"{order_id} was shipped"


def weather(city: str, days: list[int], detail: dict[str, float] | None = None) -> dict[str, Any]:
    """A tool with nested arguments."""
    return {"city": city, "days": days, "detail": detail}


def book(trip: Trip) -> Trip:
    """A tool whose argument is a model."""
    return trip


TOOLS: Final[tuple[Callable[..., Any], ...]] = (lookup_order, weather, book)
OUTPUTS: Final[Mapping[str, Any]] = {
    "text": str,
    "model": Trip,
    "model or text": [Trip, str],
    "models": [Trip, Stop],
    "number": int,
    "native": NativeOutput(Trip),
    "prompted": PromptedOutput(Trip),
}


def filtered(seen: Seen) -> bool:
    """Whether the provider refused, or said that a filter cut in."""
    return any(word in repr(seen.case.behaviour) for word in ("'refusal'", "'content_filter'"))


def cut(seen: Seen) -> bool:
    """Whether the answer ends too early: at a limit or a stop sequence of the request, or as it is scripted."""
    settings = seen.case.request["settings"]
    return bool(settings.keys() & {"max_tokens", "stop_sequences"}) or "'length'" in repr(seen.case.behaviour)


def odd(seen: Seen) -> bool:
    """Whether the answer is cut, or is scripted and need not be what the agent asked for."""
    return cut(seen) or seen.case.kind != "auto"


REJECTED: Final = "by status; 403 is 401's, 422 is 400's"
ALLOWED = (
    Allowed("pydantic_ai.ModelRequestRejectedError", (400, 422), REJECTED),
    Allowed("pydantic_ai.ModelContextWindowExceededError", (400,), "by the code, or by the words where it got lost"),
    Allowed("pydantic_ai.ModelAuthenticationError", (401, 403), REJECTED),
    Allowed("pydantic_ai.ModelQuotaExceededError", (402, 429), "429 with the code insufficient_quota, and 402"),
    Allowed("pydantic_ai.ModelNotFoundError", (404,), REJECTED),
    Allowed("pydantic_ai.ModelHTTPError", (408, 409, 413, 499), "all other statuses"),
    Allowed("pydantic_ai.ModelRateLimitError", (429,), "by status, when the retries are spent"),
    Allowed("pydantic_ai.ModelServerError", (500, 502, 504), "by status, when the retries are spent"),
    Allowed("pydantic_ai.ModelOverloadedError", (503, 529), "by status, when the retries are spent"),
    Allowed("pydantic_ai.ModelUnavailableError", (503,), "ModelOverloadedError's parent, where no word is of overload"),
    Allowed("pydantic_ai.ModelServerError", (200,), "an error in a stream has the class of its type", broke_off),
    Allowed("pydantic_ai.ContentFilterError", (200,), "a refusal", filtered),
    Allowed("pydantic_ai.UnexpectedModelBehavior", (200,), "an answer that stays empty or wrong when asked again", odd),
    Allowed("pydantic_ai.OutputTokenLimitExceeded", (200,), "an UnexpectedModelBehavior of an answer cut short", cut),
)


@st.composite
def histories(draw: st.DrawFn) -> list[ModelMessage]:
    """What has been said before: questions with answers, tool calls with their results."""
    found: list[ModelMessage] = []
    for _round in range(draw(st.integers(0, 2))):
        found.append(ModelRequest([UserPromptPart(draw(TEXTS))]))
        if draw(st.booleans()):
            name, id = draw(NAMES), draw(IDS)
            found.append(ModelResponse([ToolCallPart(name, draw(OBJECTS), id)]))
            found.append(ModelRequest([ToolReturnPart(name, draw(TEXTS), id)]))
        found.append(ModelResponse([TextPart(draw(TEXTS))]))
    return found


RUNS: Final = st.fixed_dictionaries(
    {
        "prompt": TEXTS,
        "history": histories(),
        "output": st.sampled_from(sorted(OUTPUTS)),
        "tools": st.integers(0, 2 ** len(TOOLS) - 1),
        "settings": st.fixed_dictionaries(
            {},
            optional={
                "temperature": st.floats(0, 2),
                "top_p": st.floats(0, 1),
                "max_tokens": st.integers(1, 1_000),
                "seed": st.integers(0, 1000),
                "stop_sequences": st.lists(TEXTS, max_size=2),
                "openai_reasoning_effort": st.sampled_from(["none", "low", "high"]),
                "openai_logprobs": st.just(value=True),
                "logit_bias": st.just({"1": 3}),
                "openai_include_unmapped_response_data": st.booleans(),
            },
        ),
    }
)


async def read_all(context: RunContext[None], events: AsyncIterable[AgentStreamEvent]) -> None:
    async for _event in events:
        pass


def test_a_thousand_runs_raise_what_is_known(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_server(capfd) as server, asyncio.Runner() as runner:
        client = AsyncOpenAI(base_url=server.base_url, api_key="k", max_retries=0, timeout=TIMEOUT_S)
        model = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))
        agents: dict[tuple[str, int], Agent[None, Any]] = {}

        def agent(output: str, tools: int) -> Agent[None, Any]:
            """Agents are made once: that takes longer than a run."""
            if (output, tools) not in agents:
                chosen = [tool for number, tool in enumerate(TOOLS) if tools >> number & 1]
                agents[output, tools] = Agent(model, output_type=OUTPUTS[output], tools=chosen)
            return agents[output, tools]

        async def run(session: Session, case: Case) -> None:
            asked = case.request
            settings: Any = {**asked["settings"], "extra_headers": headers_for(session), "extra_body": dict(case.fault)}
            await agent(asked["output"], asked["tools"]).run(
                asked["prompt"],
                message_history=asked["history"],
                model_settings=settings,
                event_stream_handler=read_all if case.stream else None,
            )

        prove(
            server,
            ALLOWED,
            plans({**FAULTS, **FAULTY_BODIES}),
            RUNS,
            lambda session, case: runner.run(run(session, case)),
        )
        runner.run(client.close())
