"""What ChatOpenAI of langchain makes of answers and failures. Source: clients.md 2 and 3."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models import base
from pydantic import BaseModel

from mockbifrost import Session
from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS
from tests.clients.gateway_story import ATTEMPTS, CACHED, COST, FREE, MODEL, PROVIDER, STORY, attempts

AT_ONCE = {"retry-after-ms": "1"}
USAGE = {
    "prompt_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 100},
    "completion_tokens": 30,
    "completion_tokens_details": {"reasoning_tokens": 20},
}


class Weather(BaseModel):
    """A structured answer."""

    city: str
    celsius: int


@tool
def lookup_order(order_id: str) -> dict[str, str]:
    """The state of an order."""
    return {"id": order_id, "state": "shipped" if order_id == "42" else "lost"}


def made(**settings: Any) -> ChatOpenAI:
    return ChatOpenAI(**settings)  # mypy does not know the aliases of its fields


def chat(session: Session, **settings: Any) -> ChatOpenAI:
    return made(model="gpt-4o", base_url=session.base_url, api_key="sk-bf-test", **settings)


@pytest.fixture
def model(mockbifrost: Session) -> Iterator[ChatOpenAI]:
    model = chat(mockbifrost)
    yield model
    model.root_client.close()


@pytest.fixture
async def async_model(mockbifrost: Session) -> AsyncIterator[ChatOpenAI]:
    model = chat(mockbifrost)
    yield model
    await model.root_async_client.close()


def requests_per_call(session: Session) -> list[int]:
    return [len(call.requests) for call in session.calls]


# Plain, streamed, many


def test_an_answer_becomes_a_message(mockbifrost: Session, model: ChatOpenAI) -> None:
    mockbifrost.when(user="hello").reply("Hello from Bifrost.", id="chatcmpl-1")

    message = model.invoke("hello")

    assert (message.content, message.tool_calls) == ("Hello from Bifrost.", [])
    assert message.response_metadata["id"] == "chatcmpl-1"
    assert message.response_metadata["model_name"] == "gpt-4o"
    assert message.response_metadata["finish_reason"] == "stop"


def test_the_chunks_of_a_stream_add_up_to_the_answer(mockbifrost: Session, model: ChatOpenAI) -> None:
    mockbifrost.when(user="hello").reply("Hello from Bifrost.")

    chunks = list(model.stream("hello"))

    assert [chunk.content for chunk in chunks if chunk.content] == ["Hello", " from", " Bifrost", "."]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert whole.usage_metadata == model.invoke("hello").usage_metadata
    assert whole.response_metadata["finish_reason"] == "stop"


@pytest.mark.anyio
async def test_async_calls_get_the_same(mockbifrost: Session, async_model: ChatOpenAI) -> None:
    mockbifrost.when(user="hello").reply("Hello from Bifrost.")

    message = await async_model.ainvoke("hello")
    chunks = [chunk async for chunk in async_model.astream("hello")]

    assert message.content == "".join([str(chunk.content) for chunk in chunks]) == "Hello from Bifrost."


def test_a_batch_is_answered_in_its_order(mockbifrost: Session, model: ChatOpenAI) -> None:
    mockbifrost.when(user="question").reply("The answer to {{ user }}.")

    messages = model.batch([f"question {number}" for number in range(20)])

    assert [message.content for message in messages] == [f"The answer to question {number}." for number in range(20)]
    assert requests_per_call(mockbifrost) == [1] * 20


@pytest.mark.anyio
async def test_an_async_batch_is_answered_in_its_order(mockbifrost: Session, async_model: ChatOpenAI) -> None:
    mockbifrost.when(user="question").reply("The answer to {{ user }}.")

    messages = await async_model.abatch([f"question {number}" for number in range(20)])

    assert [message.content for message in messages] == [f"The answer to question {number}." for number in range(20)]


def test_the_environment_is_enough(monkeypatch: pytest.MonkeyPatch, mockbifrost: Session) -> None:
    mockbifrost.when(user="hello").reply("Hello.")
    monkeypatch.setenv("OPENAI_BASE_URL", mockbifrost.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "k")

    model = made(model="gpt-4o")
    assert model.invoke("hello").content == "Hello."
    model.root_client.close()


# Tools and structured output


def test_a_tool_loop_ends(mockbifrost: Session, model: ChatOpenAI) -> None:
    calls = [{"lookup_order": {"order_id": "42"}}, {"lookup_order": {"order_id": "43"}}]
    mockbifrost.when(user="orders", tools="lookup_order").reply(tool_calls=calls)
    mockbifrost.when(tool_result=["lookup_order", "lookup_order"]).reply(
        "One {{ results[0].state }}, one {{ results[1].state }}."
    )
    bound = model.bind_tools([lookup_order])
    messages: list[BaseMessage] = [HumanMessage("Where are my orders?")]

    answer = bound.invoke(messages)
    assert [call["args"] for call in answer.tool_calls] == [{"order_id": "42"}, {"order_id": "43"}]
    messages += [answer, *[lookup_order.invoke(call) for call in answer.tool_calls]]
    assert isinstance(messages[-1], ToolMessage)

    assert bound.invoke(messages).content == "One shipped, one lost."
    assert requests_per_call(mockbifrost) == [1, 1]


def test_streamed_tool_calls_add_up(mockbifrost: Session, model: ChatOpenAI) -> None:
    calls = [{"lookup_order": {"order_id": "42"}}, {"lookup_order": {"order_id": "43"}}]
    mockbifrost.when(user="orders").reply(tool_calls=calls)

    chunks = list(model.bind_tools([lookup_order]).stream("orders"))

    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk  # type: ignore[assignment]  # a sum of chunks is a chunk
    assert isinstance(whole, AIMessage)
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [
        ("lookup_order", {"order_id": "42"}),
        ("lookup_order", {"order_id": "43"}),
    ]


def test_arguments_that_are_no_json_are_set_apart(mockbifrost: Session, model: ChatOpenAI) -> None:
    mockbifrost.when(user="order").reply(tool_calls=[{"name": "lookup_order", "arguments": '{"order_id": "4'}])

    message = model.bind_tools([lookup_order]).invoke("order")

    assert message.tool_calls == []
    assert [call["args"] for call in message.invalid_tool_calls] == ['{"order_id": "4']


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")  # langchain dumps what openai has parsed
@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_a_structured_answer_is_parsed(mockbifrost: Session, model: ChatOpenAI, method: Any) -> None:
    if method == "function_calling":
        mockbifrost.when(tools="Weather").reply(tool_calls=[{"Weather": {"city": "Oslo", "celsius": -3}}])
    else:
        name = {"json_schema": "Weather", "json_mode": "json_object"}[method]
        mockbifrost.when(response_format=name).reply('{"city": "Oslo", "celsius": -3}')

    structured = model.with_structured_output(Weather, method=method)

    assert structured.invoke("The weather, as JSON.") == Weather(city="Oslo", celsius=-3)
    assert list(structured.stream("The weather, as JSON."))[-1] == Weather(city="Oslo", celsius=-3)


def test_a_structured_answer_that_is_wrong_is_kept_beside_its_error(mockbifrost: Session, model: ChatOpenAI) -> None:
    mockbifrost.when(tools="Weather").reply(tool_calls=[{"Weather": {"city": "Oslo"}}])

    found: Any = model.with_structured_output(Weather, method="function_calling", include_raw=True).invoke("weather")

    assert found["raw"].tool_calls[0]["args"] == {"city": "Oslo"}
    assert found["parsed"] is None
    assert "celsius" in str(found["parsing_error"])


# What else an answer holds


def test_usage_is_there_in_both_of_langchains_forms(mockbifrost: Session, model: ChatOpenAI) -> None:
    """A cost that the provider reports is in `token_usage`; streams lose it."""
    mockbifrost.when(user="hello").reply("Hello.", usage=USAGE, cost=0.1)

    message = model.invoke("hello")
    last = [chunk for chunk in model.stream("hello") if chunk.usage_metadata][-1]

    for usage in (message.usage_metadata, last.usage_metadata):
        assert usage == {
            "input_tokens": 120,
            "output_tokens": 30,
            "total_tokens": 150,
            "input_token_details": {"cache_read": 100},
            "output_token_details": {"reasoning": 20},
        }
    token_usage = message.response_metadata["token_usage"]
    assert (token_usage["prompt_tokens"], token_usage["completion_tokens"]) == (120, 30)
    assert token_usage["cost"] == {"total_cost": 0.1}
    assert "token_usage" not in last.response_metadata


def test_the_cost_and_who_served_are_metadata_and_a_cache_hit_shows_in_the_cost_alone(mockbifrost: Session) -> None:
    """Who served stands in a header, and in the name of the model. `extra_fields` are lost."""
    mockbifrost.load(STORY)
    model = chat(mockbifrost, default_headers=CACHED, include_response_headers=True)

    found = [model.invoke("hello").response_metadata for _ in range(2)]

    assert [metadata["token_usage"]["cost"] for metadata in found] == [COST, FREE]
    assert {(metadata["model_name"], metadata["headers"]["x-bifrost-provider"]) for metadata in found} == {
        (MODEL, PROVIDER)
    }
    assert attempts(mockbifrost) == ATTEMPTS
    assert "cache_hit" not in repr(found)
    model.root_client.close()


def test_a_stream_has_the_model_and_the_header_of_who_served_and_loses_the_cost(mockbifrost: Session) -> None:
    """So nothing tells a hit of the cache from a miss."""
    mockbifrost.load(STORY)
    model = chat(mockbifrost, default_headers=CACHED, include_response_headers=True)

    streams = [list(model.stream("hello")) for _ in range(2)]

    for first, *middle, last in streams:
        assert first.response_metadata["headers"]["x-bifrost-provider"] == PROVIDER
        assert MODEL in {chunk.response_metadata.get("model_name") for chunk in (*middle, last)}
    assert attempts(mockbifrost) == ATTEMPTS
    assert "cost" not in repr(streams)
    assert "cache_hit" not in repr(streams)
    model.root_client.close()


def test_log_probabilities_are_metadata(mockbifrost: Session, model: ChatOpenAI) -> None:
    mockbifrost.when(user="hello").reply("Hello from Bifrost.")

    message = model.bind(logprobs=True).invoke("hello")

    tokens = [entry["token"] for entry in message.response_metadata["logprobs"]["content"]]
    assert "".join(tokens) == "Hello from Bifrost."


def test_a_refusal_is_an_additional_keyword(mockbifrost: Session, model: ChatOpenAI) -> None:
    mockbifrost.when(user="forbidden").reply(refusal="I can't help with that.")

    message = model.invoke("forbidden")

    assert (message.content, message.additional_kwargs["refusal"]) == ("", "I can't help with that.")


def test_reasoning_and_extra_fields_are_lost(mockbifrost: Session, model: ChatOpenAI) -> None:
    """langchain keeps neither: `reasoning` and `extra_fields` are nowhere in the message."""
    mockbifrost.when(user="think").reply("42.", reasoning="Six times seven.")

    shown = repr(model.invoke("think")) + "".join([repr(chunk) for chunk in model.stream("think")])

    assert "42." in shown
    assert "Six times" not in shown
    assert "extra_fields" not in shown


# Failures


@dataclass(frozen=True)
class Case:
    """An error by its name, the exception, and how often langchain asks."""

    id: str
    raised: type[openai.APIStatusError]
    requests: int = 1


CASES = (
    Case("bad_request", base.OpenAIInvalidRequestError),
    # langchain looks for the code in the text, where openai 3 no longer has it: so no OpenAIContextOverflowError
    Case("context_length", base.OpenAIInvalidRequestError),
    Case("content_filter", base.OpenAIInvalidRequestError),
    Case("unauthorized", base.OpenAIAuthenticationError),
    Case("forbidden", base.OpenAIPermissionDeniedError),
    Case("model_not_found", base.OpenAIModelNotFoundError),
    Case("request_timeout", openai.APIStatusError, 3),
    Case("conflict", openai.ConflictError, 3),
    Case("too_large", openai.APIStatusError),
    Case("unprocessable", openai.UnprocessableEntityError),
    Case("rate_limited", base.OpenAIRateLimitError, 3),
    Case("insufficient_quota", base.OpenAIRateLimitError, 3),
    Case("server_error", base.OpenAIAPIError, 3),
    Case("bad_gateway", base.OpenAIAPIError, 3),
    Case("unavailable", base.OpenAIAPIError, 3),
    Case("gateway_timeout", base.OpenAIAPIError, 3),
    Case("overloaded", base.OpenAIAPIError, 3),
)


def test_every_error_that_has_a_name_is_tried() -> None:
    assert [case.id for case in CASES] == list(PROVIDER_ERRORS)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_an_error_is_raised_as_langchains_own(
    mockbifrost: Session, model: ChatOpenAI, case: Case, stream: bool
) -> None:
    mockbifrost.when(user="hello").error(case.id, headers=AT_ONCE)

    with pytest.raises(case.raised) as caught:
        list(model.stream("hello")) if stream else model.invoke("hello")

    assert type(caught.value) is case.raised
    assert caught.value.status_code == PROVIDER_ERRORS[case.id].status
    assert caught.value.code == PROVIDER_ERRORS[case.id].code
    assert requests_per_call(mockbifrost) == [case.requests]


def test_a_failure_that_passes_is_one_call(mockbifrost: Session, model: ChatOpenAI) -> None:
    mockbifrost.when(user="status").error("overloaded", headers=AT_ONCE).times(2)
    mockbifrost.when(user="status").reply("All systems go.")

    assert model.invoke("status").content == "All systems go."
    assert requests_per_call(mockbifrost) == [3]


def test_retries_of_langchain_itself_are_calls_of_their_own(mockbifrost: Session) -> None:
    """`with_retry` asks anew: the count in x-stainless-retry-count starts over, so nothing tells it from a new call."""
    mockbifrost.when(user="status").error("overloaded").times(1)
    mockbifrost.when(user="status").reply("All systems go.")
    model = chat(mockbifrost, max_retries=0)

    message = model.with_retry(wait_exponential_jitter=False, stop_after_attempt=2).invoke("status")

    assert message.content == "All systems go."
    assert requests_per_call(mockbifrost) == [1, 1]
    model.root_client.close()


def test_another_model_takes_over(mockbifrost: Session, model: ChatOpenAI) -> None:
    mockbifrost.when(model="gpt-4o").error("forbidden")
    mockbifrost.when(model="gpt-4o-mini").reply("Hello from the small one.")

    small = model.model_copy(update={"model_name": "gpt-4o-mini"})

    assert model.with_fallbacks([small]).invoke("hello").content == "Hello from the small one."


def test_a_miss_is_one_request_and_says_what_came_near(unverified: Session) -> None:
    stub = unverified.when(user="refund").reply("Done.").name("refund")
    model = chat(unverified)

    with pytest.raises(base.OpenAIInvalidRequestError) as caught:
        model.invoke("Refnd, please")

    text = str(caught.value)
    assert text.startswith('Error code: 400 - No stub answers this request (model "gpt-4o", plain, turn 0, user: \'Ref')
    assert f'nearest: "refund" ({stub.place}), 1 of 1 fields differ:' in text
    assert requests_per_call(unverified) == [1]
    model.root_client.close()


def test_a_sequence_that_has_ended_says_so(unverified: Session) -> None:
    unverified.when(user="hello").sequence("Only once.")
    model = chat(unverified)

    model.invoke("hello")
    with pytest.raises(base.OpenAIInvalidRequestError, match="has no more steps: all 1 were used"):
        model.invoke("hello")

    assert requests_per_call(unverified) == [1, 1]
    model.root_client.close()
