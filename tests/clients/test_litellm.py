"""What litellm makes of answers and failures. Source: clients.md 2 and 3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from openai import OpenAI
from pydantic import BaseModel

from mockbifrost import Session
from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS
from tests.clients.gateway_story import ATTEMPTS, CACHED, COST, FREE, MODEL, PROVIDER, SHOWN, STORY, attempts, shown
from tests.clients.litellm_here import QUIET, litellm

pytestmark = QUIET

AT_ONCE = {"retry-after-ms": "1"}
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
LOOKUP = {
    "type": "function",
    "function": {
        "name": "lookup_order",
        "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
    },
}


class Weather(BaseModel):
    """A structured answer."""

    city: str
    celsius: int


@pytest.fixture(autouse=True)
def own_clients() -> Iterator[None]:
    """The clients that litellm keeps for later are closed."""
    yield
    kept = litellm.in_memory_llm_clients_cache
    for client in list(kept.cache_dict.values()):
        if isinstance(client, OpenAI):
            client.close()
    kept.flush_cache()


def ask(session: Session, text: str, **parameters: Any) -> Any:
    messages = [{"role": "user", "content": text}]
    where = {"model": "openai/gpt-4o", "api_base": session.base_url, "api_key": "k", "messages": messages}
    return litellm.completion(**(where | parameters))


def requests_per_call(session: Session) -> list[int]:
    return [len(call.requests) for call in session.calls]


def test_an_answer_has_what_openais_has(mockbifrost: Session) -> None:
    mockbifrost.when(user="hello", model="gpt-4o").reply("Hello from Bifrost.", id="chatcmpl-1")

    answer = ask(mockbifrost, "hello")

    assert (answer.id, answer.model, answer.choices[0].finish_reason) == ("chatcmpl-1", "gpt-4o", "stop")
    assert answer.choices[0].message.content == "Hello from Bifrost."


def test_the_chunks_of_a_stream_add_up_to_the_answer(mockbifrost: Session) -> None:
    mockbifrost.when(user="hello").reply("Hello from Bifrost.")

    chunks = list(ask(mockbifrost, "hello", **STREAMED))

    whole = litellm.stream_chunk_builder(chunks)
    assert whole.choices[0].message.content == "Hello from Bifrost."
    plain = ask(mockbifrost, "hello")
    assert (whole.id, whole.usage.total_tokens) == (plain.id, plain.usage.total_tokens)


def test_a_tool_loop_ends(mockbifrost: Session) -> None:
    calls = [{"lookup_order": {"order_id": "42"}}, {"lookup_order": {"order_id": "43"}}]
    mockbifrost.when(user="orders", tools="lookup_order").reply(tool_calls=calls)
    mockbifrost.when(tool_result=["lookup_order", "lookup_order"]).reply("{{ results[0] }}, {{ results[1] }}.")
    messages: list[Any] = [{"role": "user", "content": "Where are my orders?"}]

    message = ask(mockbifrost, "", messages=messages, tools=[LOOKUP]).choices[0].message
    arguments = [json.loads(call.function.arguments) for call in message.tool_calls]
    assert arguments == [{"order_id": "42"}, {"order_id": "43"}]
    messages.append(message)
    for call, state in zip(message.tool_calls, ("shipped", "lost"), strict=True):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": state})

    answer = ask(mockbifrost, "", messages=messages, tools=[LOOKUP])

    assert answer.choices[0].message.content == "shipped, lost."
    assert requests_per_call(mockbifrost) == [1, 1]


def test_streamed_tool_calls_add_up(mockbifrost: Session) -> None:
    calls = [{"lookup_order": {"order_id": "42"}}, {"lookup_order": {"order_id": "43"}}]
    mockbifrost.when(user="orders").reply(tool_calls=calls)

    whole = litellm.stream_chunk_builder(list(ask(mockbifrost, "orders", tools=[LOOKUP], stream=True)))

    joined = [json.loads(call.function.arguments) for call in whole.choices[0].message.tool_calls]
    assert joined == [{"order_id": "42"}, {"order_id": "43"}]


def test_a_model_of_pydantic_is_a_response_format(mockbifrost: Session) -> None:
    mockbifrost.when(response_format="Weather").reply('{"city": "Oslo", "celsius": -3}')

    text = ask(mockbifrost, "weather", response_format=Weather).choices[0].message.content

    assert Weather.model_validate_json(text) == Weather(city="Oslo", celsius=-3)


def test_usage_and_a_cost_that_the_provider_reports_are_kept(mockbifrost: Session) -> None:
    usage = {
        "prompt_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 100},
        "completion_tokens": 30,
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    mockbifrost.when(user="hello").reply("Hello.", usage=usage, cost=0.1)

    answer = ask(mockbifrost, "hello")

    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (120, 30)
    assert answer.usage.prompt_tokens_details.cached_tokens == 100
    assert answer.usage.completion_tokens_details.reasoning_tokens == 20
    assert answer.usage.cost == {"total_cost": 0.1}


def test_cost_serving_provider_and_cache_hit_are_shown(mockbifrost: Session) -> None:
    """The cost is the gateway's object, although litellm declares a number; its total is litellm's own cost, too."""
    mockbifrost.load(STORY)

    answers = [ask(mockbifrost, "hello", extra_headers=CACHED) for _ in range(2)]

    assert {answer.model for answer in answers} == {MODEL}
    assert [shown(answer.usage.cost, answer.extra_fields) for answer in answers] == SHOWN
    assert [answer._hidden_params["response_cost"] for answer in answers] == [COST["total_cost"], 0]
    assert attempts(mockbifrost) == ATTEMPTS


def test_the_chunks_of_a_stream_show_the_same_but_for_the_parts_of_the_cost(mockbifrost: Session) -> None:
    """litellm puts the total in the place of the parts, in a chunk that it makes itself and that has no extra fields."""
    mockbifrost.load(STORY)

    streams = [list(ask(mockbifrost, "hello", extra_headers=CACHED, **STREAMED)) for _ in range(2)]

    assert {chunk.extra_fields["provider"] for chunks in streams for chunk in chunks[:-1]} == {PROVIDER}
    assert [chunks[-2].extra_fields["cache_debug"]["cache_hit"] for chunks in streams] == [False, True]
    assert [chunks[-1].usage.cost for chunks in streams] == [COST["total_cost"], FREE]
    assert attempts(mockbifrost) == ATTEMPTS


def test_reasoning_and_refusals_have_fields_of_litellms_own(mockbifrost: Session) -> None:
    mockbifrost.when(user="think").reply("42.", reasoning="Six times seven.")
    mockbifrost.when(user="forbidden").reply(refusal="I can't help with that.")

    thought = ask(mockbifrost, "think").choices[0].message
    refused = ask(mockbifrost, "forbidden").choices[0].message

    assert (thought.content, thought.reasoning_content) == ("42.", "Six times seven.")
    assert refused.refusal == "I can't help with that."


@dataclass(frozen=True)
class Case:
    """An error by its name, litellm's exception, and how often it asks."""

    id: str
    raised: str
    requests: int = 1


CASES = (
    Case("bad_request", "BadRequestError"),
    Case("context_length", "ContextWindowExceededError"),
    Case("content_filter", "BadRequestError"),
    Case("unauthorized", "AuthenticationError"),
    Case("forbidden", "APIError"),
    Case("model_not_found", "NotFoundError"),
    Case("request_timeout", "Timeout", 3),
    Case("conflict", "APIError", 3),
    Case("too_large", "APIError"),
    Case("unprocessable", "BadRequestError"),
    Case("rate_limited", "RateLimitError", 3),
    Case("insufficient_quota", "RateLimitError", 3),
    Case("server_error", "InternalServerError", 3),
    Case("bad_gateway", "BadGatewayError", 3),
    Case("unavailable", "ServiceUnavailableError", 3),
    Case("gateway_timeout", "Timeout", 3),
    Case("overloaded", "APIError", 3),
)


def test_every_error_that_has_a_name_is_tried() -> None:
    assert [case.id for case in CASES] == list(PROVIDER_ERRORS)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
def test_an_error_becomes_litellms_own(mockbifrost: Session, case: Case) -> None:
    mockbifrost.when(user="hello").error(case.id, headers=AT_ONCE)

    with pytest.raises(getattr(litellm, case.raised)) as caught:
        ask(mockbifrost, "hello")

    assert type(caught.value).__name__ == case.raised
    assert caught.value.status_code == PROVIDER_ERRORS[case.id].status
    assert requests_per_call(mockbifrost) == [case.requests]


def test_a_failure_that_passes_is_one_call(mockbifrost: Session) -> None:
    mockbifrost.when(user="status").error("overloaded", headers=AT_ONCE).times(2)
    mockbifrost.when(user="status").reply("All systems go.")

    assert ask(mockbifrost, "status").choices[0].message.content == "All systems go."
    assert requests_per_call(mockbifrost) == [3]


def test_a_miss_is_one_request_and_says_what_came_near(unverified: Session) -> None:
    unverified.when(user="refund").reply("Done.").name("refund")

    with pytest.raises(litellm.BadRequestError, match='nearest: "refund"'):
        ask(unverified, "Refnd, please")

    assert requests_per_call(unverified) == [1]
