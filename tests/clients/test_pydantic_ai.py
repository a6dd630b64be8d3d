"""What agents of pydantic-ai make of answers and failures. Source: clients.md 2 and 3."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import anyio
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel, Field
from pydantic_ai import (
    Agent,
    AgentRunResultEvent,
    FallbackExceptionGroup,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelAPIError,
    ModelAuthenticationError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelOverloadedError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelResponse,
    ModelRetry,
    ModelServerError,
    ModelTimeoutError,
    ModelUnavailableError,
    NativeOutput,
    PartDeltaEvent,
    PromptedOutput,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ToolReturnPart,
    UnexpectedModelBehavior,
)
from pydantic_ai.exceptions import ContentFilterError
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
from pydantic_ai.output import OutputSpec
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from mockbifrost import Session
from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS
from tests.clients.gateway_story import ATTEMPTS, CACHED, MODEL, SHOWN, STORY, attempts, shown
from tests.clients.waiting import wait_for

pytestmark = pytest.mark.anyio

AT_ONCE = {"retry-after-ms": "1"}
UNMAPPED = OpenAIChatModelSettings(openai_include_unmapped_response_data=True)


class Weather(BaseModel):
    """A structured output."""

    city: str
    celsius: int


def lookup_order(order_id: str) -> dict[str, str]:
    """A tool that is always right."""
    return {"id": order_id, "state": "shipped" if order_id == "42" else "lost"}


@pytest.fixture
async def client(mockbifrost: Session) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=mockbifrost.base_url, api_key="sk-bf-test") as client:
        yield client


@pytest.fixture
def model(client: AsyncOpenAI) -> OpenAIChatModel:
    return OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))


@pytest.fixture
async def unverified_model(unverified: Session) -> AsyncIterator[OpenAIChatModel]:
    async with AsyncOpenAI(base_url=unverified.base_url, api_key="k") as client:
        yield OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))


def requests_per_call(session: Session) -> list[int]:
    return [len(call.requests) for call in session.calls]


def unmapped(response: ModelResponse) -> Any:
    assert response.provider_details is not None
    return response.provider_details["unmapped"]


# Tools


async def test_an_agent_with_a_tool_comes_to_its_end(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(user="order 42", tools="lookup_order").reply(tool_calls=[{"lookup_order": {"order_id": "42"}}])
    mockbifrost.when(tool_result="lookup_order").reply("It is {{ tool.lookup_order.state }}.")
    agent = Agent(model, tools=[lookup_order])

    result = await agent.run("Where is order 42?")

    assert result.output == "It is shipped."
    assert (result.usage.requests, result.usage.tool_calls) == (2, 1)
    assert requests_per_call(mockbifrost) == [1, 1]


async def test_tools_called_in_parallel_are_all_answered(mockbifrost: Session, model: OpenAIChatModel) -> None:
    calls = [{"lookup_order": {"order_id": "42"}}, {"lookup_order": {"order_id": "43"}}]
    mockbifrost.when(user="orders").reply(tool_calls=calls)
    results = [{"name": "lookup_order", "text": "shipped"}, {"name": "lookup_order", "text": "lost"}]
    mockbifrost.when(tool_result=results).reply("One {{ results[0].state }}, one {{ results[1].state }}.")
    agent = Agent(model, tools=[lookup_order])

    result = await agent.run("Where are my orders?")

    assert result.output == "One shipped, one lost."
    assert result.usage.tool_calls == 2


async def test_a_tool_that_asks_again_is_asked_again(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(turn=0).reply(tool_calls=[{"guess": {"number": 1}}])
    mockbifrost.when(turn=1, tool_result={"name": "guess", "text": "higher"}).reply(
        tool_calls=[{"guess": {"number": 7}}]
    )
    mockbifrost.when(turn=2).reply("It was {{ tool.guess }}.")
    agent = Agent(model)

    @agent.tool_plain
    def guess(number: int) -> int:
        if number < 7:
            raise ModelRetry("higher")
        return number

    assert (await agent.run("Guess!")).output == "It was 7."
    assert requests_per_call(mockbifrost) == [1, 1, 1]


async def test_arguments_that_are_no_json_are_sent_back(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(turn=0).reply(tool_calls=[{"name": "lookup_order", "arguments": '{"order_id": "4'}])
    mockbifrost.when(turn=1, tool_result={"name": "lookup_order", "text": "json_invalid"}).reply("I gave up.")
    agent = Agent(model, tools=[lookup_order])

    assert (await agent.run("Where is order 42?")).output == "I gave up."


async def test_agents_that_run_at_once_do_not_disturb_each_other(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(user="order").reply(tool_calls=[{"lookup_order": {"order_id": "{{ user }}"}}])
    mockbifrost.when(tool_result="lookup_order").reply("{{ task }} is {{ tool.lookup_order.state }}.")
    agent = Agent(model, tools=[lookup_order])
    outputs: dict[int, str] = {}

    async def run(number: int) -> None:
        outputs[number] = (await agent.run(f"order {number}")).output

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(run, number)

    assert outputs == {number: f"order {number} is lost." for number in range(20)}
    assert requests_per_call(mockbifrost) == [1] * 40


# Structured output


async def test_output_through_a_tool(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(tools="final_result").reply(tool_calls=[{"final_result": {"city": "Oslo", "celsius": -3}}])

    assert (await Agent(model, output_type=Weather).run("weather")).output == Weather(city="Oslo", celsius=-3)


async def test_output_in_the_models_own_format(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(response_format="Weather", tools=[]).reply('{"city": "Oslo", "celsius": -3}')
    agent = Agent(model, output_type=NativeOutput(Weather))

    assert (await agent.run("weather")).output == Weather(city="Oslo", celsius=-3)


async def test_output_that_is_asked_for_in_the_prompt(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(response_format="json_object", system="JSON object").reply('{"city": "Oslo", "celsius": -3}')
    agent = Agent(model, output_type=PromptedOutput(Weather))

    assert (await agent.run("weather")).output == Weather(city="Oslo", celsius=-3)


WRONG, RIGHT = '{"city": "Oslo"}', '{"city": "Oslo", "celsius": -3}'


@pytest.mark.parametrize(
    ("output_type", "steps"),
    [
        pytest.param(
            Weather,
            [{"reply": {"tool_calls": [{"name": "final_result", "arguments": text}]}} for text in (WRONG, RIGHT)],
            id="through a tool",
        ),
        pytest.param(NativeOutput(Weather), [WRONG, RIGHT], id="native"),
        pytest.param(PromptedOutput(Weather), [WRONG, RIGHT], id="prompted"),
    ],
)
async def test_output_that_is_not_valid_makes_a_new_call(
    mockbifrost: Session, model: OpenAIChatModel, output_type: OutputSpec[Weather], steps: list[Any]
) -> None:
    """The second request is no retry of the first: its conversation is longer, and it counts as a call of its own."""
    mockbifrost.when(task={"any": ["weather", "validation"]}).sequence(*steps)

    result = await Agent(model, output_type=output_type).run("weather")

    assert result.output == Weather(city="Oslo", celsius=-3)
    assert requests_per_call(mockbifrost) == [1, 1]
    assert [request.retry for request in mockbifrost.requests] == [0, 0]


async def test_output_that_never_becomes_valid_ends_the_run(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(response_format="Weather").reply(WRONG)

    with pytest.raises(UnexpectedModelBehavior, match="Exceeded maximum output retries"):
        await Agent(model, output_type=NativeOutput(Weather)).run("weather")

    assert requests_per_call(mockbifrost) == [1, 1]


async def test_an_answer_without_text_is_asked_for_again(mockbifrost: Session, model: OpenAIChatModel) -> None:
    """The question for text comes as a system message behind the user's, so the stub looks at `task`."""
    mockbifrost.when(task="hello", last={"role": "user"}).reply("")
    mockbifrost.when(task="hello", last={"role": "system"}).reply("Hello.")

    assert (await Agent(model).run("hello")).output == "Hello."
    assert requests_per_call(mockbifrost) == [1, 1]


class Leg(BaseModel):
    """A part of a trip."""

    city: str
    nights: int = Field(ge=1, le=14)
    arrival: date


class Trip(BaseModel):
    """An output with other models in it."""

    legs: list[Leg] = Field(min_length=1, max_length=3)
    mood: Literal["calm", "busy"]
    budget: float | None


@pytest.mark.parametrize("output_type", [Trip, NativeOutput(Trip)], ids=["through a tool", "native"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_an_agent_with_three_tools_and_a_nested_output_needs_no_script(
    mockbifrost: Session, model: OpenAIChatModel, output_type: OutputSpec[Trip], stream: bool
) -> None:
    mockbifrost.when().auto()
    called: list[str] = []
    agent = Agent(model, output_type=output_type)

    @agent.tool_plain
    def find_city(country: str) -> str:
        called.append("find_city")
        return f"the capital of {country}"

    @agent.tool_plain
    def check_weather(city: str, day: date) -> int:
        called.append("check_weather")
        return 20

    @agent.tool_plain
    def book(leg: Leg, travellers: int = Field(ge=1)) -> bool:
        called.append("book")
        return True

    if stream:
        async with agent.run_stream("Plan a trip.") as run:
            trip = await run.get_output()
    else:
        trip = (await agent.run("Plan a trip.")).output

    assert isinstance(trip, Trip)
    assert sorted(called) == ["book", "check_weather", "find_city"]


# Streams


async def test_a_streamed_run_has_the_text_bit_by_bit(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(user="hello").reply("Hello from Bifrost.")

    async with Agent(model).run_stream("hello") as stream:
        deltas = [delta async for delta in stream.stream_text(delta=True, debounce_by=None)]

    assert deltas == ["Hello", " from", " Bifrost", "."]
    assert await stream.get_output() == "Hello from Bifrost."
    assert stream.usage == (await Agent(model).run("hello")).usage


async def test_a_streamed_run_goes_through_its_tools(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(user="order 42").reply(tool_calls=[{"lookup_order": {"order_id": "42"}}])
    mockbifrost.when(tool_result="lookup_order").reply("It is {{ tool.lookup_order.state }}.")

    async with Agent(model, tools=[lookup_order]).run_stream("order 42") as stream:
        output = await stream.get_output()

    assert output == "It is shipped."
    assert stream.usage.requests == 2
    assert [request.body["stream"] for request in mockbifrost.requests] == [True, True]


async def test_a_structured_stream_is_valid_at_its_end(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(tools="final_result").reply(tool_calls=[{"final_result": {"city": "Oslo", "celsius": -3}}])

    async with Agent(model, output_type=Weather).run_stream("weather") as stream:
        outputs = [output async for output in stream.stream_output(debounce_by=None)]

    assert outputs[-1] == Weather(city="Oslo", celsius=-3)


async def test_the_events_of_a_run_tell_the_whole_loop(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(user="order 42").reply(tool_calls=[{"lookup_order": {"order_id": "42"}}])
    mockbifrost.when(tool_result="lookup_order").reply("It is {{ tool.lookup_order.state }}.")

    async with Agent(model, tools=[lookup_order]).run_stream_events("order 42") as handle:
        events = [event async for event in handle]

    [called] = [event for event in events if isinstance(event, FunctionToolCallEvent)]
    [returned] = [event for event in events if isinstance(event, FunctionToolResultEvent)]
    assert (called.part.tool_name, called.part.args) == ("lookup_order", '{"order_id":"42"}')
    assert isinstance(returned.part, ToolReturnPart)
    assert returned.part.content == {"id": "42", "state": "shipped"}
    assert isinstance(events[-1], AgentRunResultEvent)
    assert events[-1].result.output == "It is shipped."
    texts = [
        event.delta.content_delta
        for event in events
        if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta)
    ]
    assert texts == [" is", " shipped", "."]


async def test_the_nodes_of_a_run_are_two_questions_and_two_answers(
    mockbifrost: Session, model: OpenAIChatModel
) -> None:
    mockbifrost.when(user="order 42").reply(tool_calls=[{"lookup_order": {"order_id": "42"}}])
    mockbifrost.when(tool_result="lookup_order").reply("It is {{ tool.lookup_order.state }}.")

    async with Agent(model, tools=[lookup_order]).iter("order 42") as run:
        nodes = [type(node).__name__ async for node in run]

    assert nodes == ["UserPromptNode", "ModelRequestNode", "CallToolsNode", "ModelRequestNode", "CallToolsNode", "End"]


async def test_a_run_that_is_cancelled_is_noted_as_a_hang_up(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(user="story").reply("word " * 500).pace(tokens_per_second=50, speed=1)

    with anyio.CancelScope() as scope:
        async with Agent(model).run_stream("story") as stream:
            async for _text in stream.stream_text(delta=True, debounce_by=None):
                scope.cancel()

    def look() -> int | None:
        found: int | None = mockbifrost.last.client_closed_at_chunk
        return found

    assert 1 <= await anyio.to_thread.run_sync(lambda: wait_for(look)) < 500


# What else an answer holds


async def test_usage_and_its_details_are_summed_over_the_run(mockbifrost: Session, model: OpenAIChatModel) -> None:
    usage = {
        "prompt_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 100},
        "completion_tokens": 30,
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    mockbifrost.when(turn=0).reply(tool_calls=[{"lookup_order": {"order_id": "42"}}], usage=usage)
    mockbifrost.when(turn=1).reply("Done.", usage=usage)

    used = (await Agent(model, tools=[lookup_order]).run("order 42")).usage

    assert (used.input_tokens, used.output_tokens, used.requests) == (240, 60, 2)
    assert (used.cache_read_tokens, used.details["reasoning_tokens"]) == (200, 40)


async def test_reasoning_becomes_a_thinking_part_and_goes_back(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(turn=0).reply(reasoning="I must look.", tool_calls=[{"lookup_order": {"order_id": "42"}}])
    mockbifrost.when(turn=1).reply("Done.", reasoning="All is known.")

    agent = Agent(model, tools=[lookup_order])
    result = await agent.run("order 42")
    async with agent.run_stream("order 42") as stream:
        await stream.get_output()

    for messages in (result.all_messages(), stream.all_messages()):
        parts = [part for message in messages if isinstance(message, ModelResponse) for part in message.parts]
        assert [part.content for part in parts if isinstance(part, ThinkingPart)] == ["I must look.", "All is known."]
        assert [part.content for part in parts if isinstance(part, TextPart)] == ["Done."]
    assert mockbifrost.last.body["messages"][1]["reasoning"] == "I must look."


async def test_fields_without_a_home_are_kept_when_asked_for(mockbifrost: Session, model: OpenAIChatModel) -> None:
    """By default they are gone; `usage.cost` is gone in any case."""
    mockbifrost.when(user="hello").reply("Hello.", citations=["https://example.com/a"])

    without = await Agent(model).run("hello")
    result = await Agent(model, model_settings=UNMAPPED).run("hello")
    async with Agent(model, model_settings=UNMAPPED).run_stream("hello") as stream:
        await stream.get_output()

    assert "unmapped" not in (without.response.provider_details or {})
    assert unmapped(result.response)["response"]["extra_fields"]["provider"] == "openai"
    assert unmapped(result.response)["response"]["citations"] == ["https://example.com/a"]
    chunks = unmapped(stream.response)["chunks"]
    assert [chunk["response"]["extra_fields"]["chunk_index"] for chunk in chunks] == list(range(len(chunks)))
    assert chunks[-1]["response"]["citations"] == ["https://example.com/a"]


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
async def test_serving_provider_and_cache_hit_are_unmapped_and_the_cost_is_gone(
    mockbifrost: Session, model: OpenAIChatModel, streamed: bool
) -> None:
    """`.cost()` is a price of pydantic-ai's own, and there is none for what it takes for a model of openai."""
    mockbifrost.load(STORY)
    settings = OpenAIChatModelSettings(openai_include_unmapped_response_data=True, extra_headers=CACHED)
    agent = Agent(model, model_settings=settings)

    async def told() -> ModelResponse:
        if not streamed:
            return (await agent.run("hello")).response
        async with agent.run_stream("hello") as stream:
            await stream.get_output()
        return stream.response

    responses = [await told(), await told()]

    assert {response.model_name for response in responses} == {MODEL}
    found = [unmapped(response)["chunks"][-1] if streamed else unmapped(response) for response in responses]
    assert [shown(None, one["response"]["extra_fields"]) for one in found] == [(None, *rest) for _, *rest in SHOWN]
    assert attempts(mockbifrost) == ATTEMPTS
    assert "total_cost" not in repr(responses)
    with pytest.raises(LookupError):
        responses[0].cost()


async def test_log_probabilities_are_details_of_the_provider(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(user="hello").reply("Hello from Bifrost.")
    settings = OpenAIChatModelSettings(openai_logprobs=True, openai_top_logprobs=1)

    response = (await Agent(model, model_settings=settings).run("hello")).response

    assert response.provider_details is not None
    tokens = [entry["token"] for entry in response.provider_details["logprobs"]]
    assert "".join(tokens) == "Hello from Bifrost."


async def test_a_conversation_is_told_by_its_turns(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(turn=0, system="terse").reply("Yes?")
    mockbifrost.when(turn=1, messages=["hello", {"role": "assistant", "text": "Yes?"}, "bye"]).reply("Bye.")
    agent = Agent(model, instructions="Be terse.")

    first = await agent.run("hello")
    second = await agent.run("bye", message_history=first.all_messages())

    assert (first.output, second.output) == ("Yes?", "Bye.")


# Failures


@dataclass(frozen=True)
class Case:
    """An error by its name, the category that pydantic-ai puts it into, and how often it asks."""

    id: str
    category: type[ModelAPIError]
    requests: int = 1


CASES = (
    Case("bad_request", ModelRequestRejectedError),
    Case("context_length", ModelContextWindowExceededError),
    Case("content_filter", ModelRequestRejectedError),
    Case("unauthorized", ModelAuthenticationError),
    Case("forbidden", ModelAuthenticationError),
    Case("model_not_found", ModelNotFoundError),
    Case("request_timeout", ModelHTTPError, 3),
    Case("conflict", ModelHTTPError, 3),
    Case("too_large", ModelHTTPError),
    Case("unprocessable", ModelRequestRejectedError),
    Case("rate_limited", ModelRateLimitError, 3),
    Case("insufficient_quota", ModelQuotaExceededError, 3),
    Case("server_error", ModelServerError, 3),
    Case("bad_gateway", ModelServerError, 3),
    Case("unavailable", ModelOverloadedError, 3),
    Case("gateway_timeout", ModelServerError, 3),
    Case("overloaded", ModelOverloadedError, 3),
)


def test_every_error_that_has_a_name_is_tried() -> None:
    assert [case.id for case in CASES] == list(PROVIDER_ERRORS)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_an_error_falls_into_its_category(
    mockbifrost: Session, model: OpenAIChatModel, case: Case, stream: bool
) -> None:
    mockbifrost.when(user="hello").error(case.id, headers=AT_ONCE)
    run = run_streamed if stream else run_plain

    with pytest.raises(ModelHTTPError) as caught:
        await run(Agent(model), "hello")

    error = caught.value
    assert error.status_code == PROVIDER_ERRORS[case.id].status
    assert isinstance(error, case.category)
    assert type(error).__name__ == case.category.__name__  # no narrower one
    assert isinstance(error.body, dict)
    assert error.body["message"] == PROVIDER_ERRORS[case.id].message.format(model="gpt-4o")
    assert requests_per_call(mockbifrost) == [case.requests]


async def run_plain(agent: Agent[object, str], prompt: str) -> str:
    return (await agent.run(prompt)).output


async def run_streamed(agent: Agent[object, str], prompt: str) -> str:
    async with agent.run_stream(prompt) as stream:
        return await stream.get_output()


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("virtual_key_required", ModelAuthenticationError),
        ("budget_exceeded", ModelQuotaExceededError),
        ("model_blocked", ModelAuthenticationError),
        ("request_limited", ModelRateLimitError),
        ("queue_full", ModelUnavailableError),
        ("provider_timeout", ModelServerError),
    ],
)
async def test_a_refusal_of_the_gateway_falls_into_a_category_too(
    mockbifrost: Session, model: OpenAIChatModel, name: str, category: type[ModelAPIError]
) -> None:
    mockbifrost.when(user="hello").gateway_error(name)

    with pytest.raises(category):
        await Agent(model, model_settings=OpenAIChatModelSettings(max_retries=0)).run("hello")

    assert requests_per_call(mockbifrost) == [1]


async def test_a_refusal_of_the_model_is_a_content_filter(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(user="forbidden").reply(refusal="I can't help with that.")

    with pytest.raises(ContentFilterError, match=r"Refusal: .I can't help with that\."):
        await Agent(model).run("forbidden")


async def test_a_provider_that_takes_too_long_is_a_timeout(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(user="hello").reply("Too late.").pace(ttft="1h", speed=1)

    with pytest.raises(ModelTimeoutError):
        await Agent(model, model_settings=OpenAIChatModelSettings(timeout=0.2, max_retries=0)).run("hello")


async def test_an_error_in_a_stream_keeps_its_status(mockbifrost: Session, model: OpenAIChatModel) -> None:
    choice = {"index": 0, "delta": {"role": "assistant", "content": "Hello"}, "finish_reason": None}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "choices": [choice]}
    fault = {"error": {"message": "upstream died mid-stream", "type": "overloaded_error", "code": 503}}
    mockbifrost.when(user="hello").raw(
        headers={"content-type": "text/event-stream"}, events=[{"data": chunk}, {"data": fault}]
    )
    received: list[str] = []

    async def read() -> None:
        async with Agent(model).run_stream("hello") as stream:
            received.extend([text async for text in keep(stream.stream_text(delta=True, debounce_by=None), received)])

    with pytest.raises(ModelOverloadedError) as caught:
        await read()

    assert received == ["Hello"]
    assert getattr(caught.value, "status_code", None) == 503


async def keep(texts: AsyncIterator[str], into: list[str]) -> AsyncIterator[str]:
    async for text in texts:
        into.append(text)
        yield text


async def test_a_miss_is_one_request_and_reads_well(unverified: Session, unverified_model: OpenAIChatModel) -> None:
    stub = unverified.when(user="refund", tools="lookup_order").reply("Done.").name("refund")

    with pytest.raises(ModelRequestRejectedError) as caught:
        await Agent(unverified_model, tools=[lookup_order]).run("Refnd, please")

    assert isinstance(caught.value, ModelHTTPError)
    assert isinstance(caught.value.body, dict)
    text = caught.value.body["message"]
    assert text.startswith("No stub answers this request (model \"gpt-4o\", plain, turn 0, user: 'Refnd, please').\n")
    assert f'nearest: "refund" ({stub.place}), 1 of 2 fields differ:' in text
    assert "No stub answers this request" in str(caught.value)
    assert requests_per_call(unverified) == [1]


async def test_a_miss_of_the_question_for_text_shows_the_stub_that_would_answer_it(
    unverified: Session, unverified_model: OpenAIChatModel
) -> None:
    unverified.when(user="hello").reply("")

    with pytest.raises(ModelRequestRejectedError) as caught:
        await Agent(unverified_model).run("hello")

    assert isinstance(caught.value, ModelHTTPError)
    assert isinstance(caught.value.body, dict)
    assert '- when: {task: "hello"}' in caught.value.body["message"]


async def test_a_sequence_that_has_ended_says_so(unverified: Session, unverified_model: OpenAIChatModel) -> None:
    unverified.when(user="hello").sequence("Only once.")
    agent = Agent(unverified_model)

    await agent.run("hello")
    with pytest.raises(ModelRequestRejectedError, match="has no more steps: all 1 were used"):
        await agent.run("hello")

    assert requests_per_call(unverified) == [1, 1]


async def test_a_failure_that_passes_is_one_call(mockbifrost: Session, model: OpenAIChatModel) -> None:
    mockbifrost.when(user="status").error("overloaded", headers=AT_ONCE).times(2)
    mockbifrost.when(user="status").reply("All systems go.")

    assert (await Agent(model).run("status")).output == "All systems go."
    assert requests_per_call(mockbifrost) == [3]


async def test_another_model_takes_over(mockbifrost: Session, model: OpenAIChatModel, client: AsyncOpenAI) -> None:
    mockbifrost.when(model="gpt-4o").error("overloaded", headers=AT_ONCE)
    mockbifrost.when(model="gpt-4o-mini").reply("Hello from the small one.")
    small = OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(openai_client=client))

    result = await Agent(FallbackModel(model, small)).run("hello")

    assert (result.output, result.response.model_name) == ("Hello from the small one.", "gpt-4o-mini")
    assert requests_per_call(mockbifrost) == [3, 1]


async def test_no_model_takes_over_when_all_fail(
    mockbifrost: Session, model: OpenAIChatModel, client: AsyncOpenAI
) -> None:
    mockbifrost.when(model="gpt-4o").error("forbidden")
    mockbifrost.when(model="gpt-4o-mini").error("model_not_found")
    small = OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(openai_client=client))

    with pytest.raises(FallbackExceptionGroup) as caught:
        await Agent(FallbackModel(model, small)).run("hello")

    first, second = caught.value.exceptions
    assert isinstance(first, ModelAuthenticationError)
    assert isinstance(second, ModelNotFoundError)


# Ways to point an agent here


async def test_the_environment_and_a_name_are_enough(monkeypatch: pytest.MonkeyPatch, mockbifrost: Session) -> None:
    mockbifrost.when(user="hello").reply("Hello.")
    monkeypatch.setenv("OPENAI_BASE_URL", mockbifrost.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "k")

    async with Agent("openai-chat:gpt-4o") as agent:  # closes the client that the agent made itself
        assert (await agent.run("hello")).output == "Hello."


async def test_the_name_that_means_the_responses_api_is_answered_with_the_right_one(
    monkeypatch: pytest.MonkeyPatch, mockbifrost: Session
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", mockbifrost.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "k")

    async with Agent("openai:gpt-4o") as agent:
        with pytest.raises(ModelNotFoundError, match="use the model name 'openai-chat:…' or OpenAIChatModel"):
            await agent.run("hello")


async def test_a_model_with_the_name_of_its_provider(mockbifrost: Session) -> None:
    mockbifrost.when(provider="anthropic", model="claude-sonnet-4-5").reply("Hello from Claude.")
    provider = OpenAICompatibleProvider("bifrost", base_url=mockbifrost.base_url, api_key="sk-bf-test")

    async with Agent(OpenAIChatModel("anthropic/claude-sonnet-4-5", provider=provider)) as agent:
        assert (await agent.run("hello")).output == "Hello from Claude."
