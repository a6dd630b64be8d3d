"""What openai-python 2 and 3 make of answers. Source: clients.md 2."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import anyio
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessage,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageParam,
    ChatCompletionToolParam,
)
from pydantic import BaseModel

from mockbifrost import Session
from mockbifrost.api.words import Chunk, Fragments
from tests.clients.gateway_story import ATTEMPTS, CACHED, FREE, MODEL, SHOWN, STORY, attempts, shown
from tests.clients.waiting import wait_for

LOOKUP: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "lookup_order",
        "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
    },
}
AT_ONCE = {"retry-after-ms": "1"}
UNICODE = (
    'naïve Ωμέγα 日本語 עברית 👩‍👩‍👧‍👦 e\u0301 \u2028 \u2029 \x00 \x1f \x7f \\ " </script> & \ufeff \U0010ffff end'
)
MEGABYTE = "All work and no play makes Jack a dull boy. 0123456789\n" * 20_000


class Weather(BaseModel):
    """A structured answer."""

    city: str
    celsius: int


class LookupOrder(BaseModel):
    """The arguments of a tool."""

    order_id: str


@pytest.fixture
def client(mockbifrost: Session) -> Iterator[OpenAI]:
    with OpenAI(base_url=mockbifrost.base_url, api_key="sk-bf-test") as client:
        yield client


@pytest.fixture
async def async_client(mockbifrost: Session) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=mockbifrost.base_url, api_key="sk-bf-test") as client:
        yield client


def said(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


def ask(client: OpenAI, text: str, **parameters: Any) -> ChatCompletion:
    answer = client.chat.completions.create(model="gpt-4o", messages=said(text), **parameters)
    assert isinstance(answer, ChatCompletion)
    return answer


def ask_streamed(client: OpenAI, text: str, **parameters: Any) -> list[ChatCompletionChunk]:
    with client.chat.completions.create(model="gpt-4o", messages=said(text), stream=True, **parameters) as stream:
        return list(stream)


def texts_of(chunks: Iterable[ChatCompletionChunk]) -> dict[int, str]:
    """What each choice says, by its index."""
    found: dict[int, str] = defaultdict(str)
    for chunk in chunks:
        for choice in chunk.choices:
            found[choice.index] += choice.delta.content or ""
    return found


def calls_of(message: ChatCompletionMessage) -> list[ChatCompletionMessageFunctionToolCall]:
    """The calls of functions."""
    return [call for call in message.tool_calls or () if call.type == "function"]


def extra(model: BaseModel | None, name: str) -> Any:
    """A field that the client's types don't know."""
    assert model is not None
    return (model.model_extra or {})[name]


def extras_of_deltas(chunks: Iterable[ChatCompletionChunk], name: str) -> list[Any]:
    """A field that the client's types don't know, of all deltas that have it."""
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    return [extra(delta, name) for delta in deltas if name in (delta.model_extra or {})]


# Plain and streamed, sync and async


def test_a_plain_answer_has_what_the_types_declare(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="hello").reply("Hello from Bifrost.", id="chatcmpl-1", system_fingerprint="fp_1")

    answer = ask(client, "hello")

    assert (answer.id, answer.object, answer.created) == ("chatcmpl-1", "chat.completion", 1767225600)
    assert (answer.model, answer.system_fingerprint) == ("gpt-4o", "fp_1")
    (choice,) = answer.choices
    assert (choice.index, choice.finish_reason, choice.logprobs) == (0, "stop", None)
    assert (choice.message.role, choice.message.content) == ("assistant", "Hello from Bifrost.")
    assert (choice.message.tool_calls, choice.message.refusal) == (None, None)


def test_a_stream_has_the_words_the_id_and_the_usage_of_the_plain_answer(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="story").reply(faker={"paragraphs": 3})

    plain = ask(client, "a story")
    chunks = ask_streamed(client, "a story")

    rest = len(chunks) - 1
    assert texts_of(chunks) == {0: plain.choices[0].message.content}
    assert {chunk.id for chunk in chunks} == {plain.id}
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * rest + ["stop"]
    assert [chunk.usage for chunk in chunks] == [None] * rest + [plain.usage]


@pytest.mark.anyio
async def test_the_async_client_gets_the_same(mockbifrost: Session, async_client: AsyncOpenAI) -> None:
    mockbifrost.when(user="hello").reply("Hello from Bifrost.")

    answer = await async_client.chat.completions.create(model="gpt-4o", messages=said("hello"))
    stream = await async_client.chat.completions.create(model="gpt-4o", messages=said("hello"), stream=True)
    chunks = [chunk async for chunk in stream]

    assert answer.choices[0].message.content == "Hello from Bifrost."
    assert texts_of(chunks) == {0: "Hello from Bifrost."}
    assert (chunks[-1].choices[0].finish_reason, chunks[-1].usage) == ("stop", answer.usage)


@pytest.mark.anyio
async def test_requests_in_parallel_get_the_answers_to_their_own_questions(
    mockbifrost: Session, async_client: AsyncOpenAI
) -> None:
    mockbifrost.when(user="question").reply("The answer to {{ user }}.")
    answers: dict[int, str | None] = {}

    async def put(number: int) -> None:
        answer = await async_client.chat.completions.create(model="gpt-4o", messages=said(f"question {number}"))
        answers[number] = answer.choices[0].message.content

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(put, number)

    assert answers == {number: f"The answer to question {number}." for number in range(50)}
    assert len(mockbifrost.calls) == 50


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(UNICODE, id="unicode"),
        pytest.param("\n\ndata: [DONE]\n\n", id="looks like the end of a stream"),
        pytest.param(" ", id="a space"),
    ],
)
def test_any_text_arrives_unchanged_both_ways(mockbifrost: Session, client: OpenAI, text: str) -> None:
    mockbifrost.when(user={"equals": text}).reply(text)

    assert ask(client, text).choices[0].message.content == text
    assert texts_of(ask_streamed(client, text)) == {0: text}


@pytest.mark.parametrize("chunk", ["whole", 4096])
def test_a_megabyte_goes_in_and_comes_out(mockbifrost: Session, client: OpenAI, chunk: Chunk) -> None:
    mockbifrost.when(user={"equals": MEGABYTE}).reply(MEGABYTE).pace(chunk=chunk)

    assert ask(client, MEGABYTE).choices[0].message.content == MEGABYTE
    assert texts_of(ask_streamed(client, MEGABYTE)) == {0: MEGABYTE}


@pytest.mark.parametrize("chunk", ["token", "word", "char", "whole", 7])
def test_a_text_is_the_same_however_it_is_cut(mockbifrost: Session, client: OpenAI, chunk: Chunk) -> None:
    mockbifrost.when(user="cut").reply(UNICODE).pace(chunk=chunk)

    assert texts_of(ask_streamed(client, "cut")) == {0: UNICODE}


def test_each_of_n_choices_has_its_own_index(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(n=2).reply(choices=[{"content": "Heads."}, {"content": "Tails.", "finish_reason": "length"}])

    plain = ask(client, "toss", n=2)
    chunks = ask_streamed(client, "toss", n=2)

    assert [(choice.index, choice.message.content) for choice in plain.choices] == [(0, "Heads."), (1, "Tails.")]
    assert texts_of(chunks) == {0: "Heads.", 1: "Tails."}
    reasons = {c.index: c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason}
    assert reasons == {0: "stop", 1: "length"}


# Tools


def test_a_tool_loop_ends_after_two_turns(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="order 42", tools="lookup_order").reply(tool_calls=[{"lookup_order": {"order_id": "42"}}])
    mockbifrost.when(tool_result="lookup_order").reply("Order {{ tool.lookup_order.id }} is {{ results[0].state }}.")
    messages = said("Where is order 42?")

    first = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[LOOKUP]).choices[0]
    assert first.finish_reason == "tool_calls"
    assert first.message.content is None
    [call] = calls_of(first.message)
    assert (call.function.name, json.loads(call.function.arguments)) == ("lookup_order", {"order_id": "42"})
    messages.append(first.message.to_dict())  # type: ignore[arg-type]  # as OpenAI's own examples do
    messages.append({"role": "tool", "tool_call_id": call.id, "content": '{"id": 42, "state": "shipped"}'})
    second = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[LOOKUP]).choices[0]

    assert (second.finish_reason, second.message.content) == ("stop", "Order 42 is shipped.")
    assert [call.status for call in mockbifrost.calls] == [200, 200]


@pytest.mark.parametrize("fragments", ["openai", "one_chunk", "per_char", "split_escape", "interleaved"])
def test_streamed_tool_calls_in_parallel_are_joined_by_index(
    mockbifrost: Session, client: OpenAI, fragments: Fragments
) -> None:
    calls = [{"lookup_order": {"order_id": 'é "42"'}}, {"lookup_order": {"order_id": "43"}}]
    mockbifrost.when(user="orders").reply(tool_calls=calls, fragments=fragments)

    with client.chat.completions.stream(model="gpt-4o", messages=said("orders"), tools=[LOOKUP]) as stream:
        message = stream.get_final_completion().choices[0].message

    plain = ask(client, "orders", tools=[LOOKUP]).choices[0].message
    assert [call.function.parsed_arguments for call in message.tool_calls or ()] == [
        None,
        None,
    ]  # the tool is not strict
    joined = [json.loads(call.function.arguments) for call in message.tool_calls or ()]
    assert joined == [{"order_id": 'é "42"'}, {"order_id": "43"}]
    ids = [call.id for call in message.tool_calls or ()]
    assert ids == [call.id for call in plain.tool_calls or ()]
    assert len(set(ids)) == 2


def test_results_of_parallel_calls_are_told_apart(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(tool_result=[{"id": "call_a", "text": "rain"}, {"id": "call_b", "text": "sun"}]).reply(
        "{{ results[0] }} and {{ results[1] }}"
    )
    function = {"name": "weather", "arguments": "{}"}
    messages: list[Any] = [
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "tool_calls": [{"id": id, "type": "function", "function": function} for id in ("call_a", "call_b")],
        },
        {"role": "tool", "tool_call_id": "call_a", "content": "rain"},
        {"role": "tool", "tool_call_id": "call_b", "content": "sun"},
    ]

    answer = client.chat.completions.create(model="gpt-4o", messages=messages)

    assert answer.choices[0].message.content == "rain and sun"


def test_arguments_of_a_strict_tool_are_parsed(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(tools="LookupOrder").reply(tool_calls=[{"LookupOrder": {"order_id": "42"}}])
    tool = openai.pydantic_function_tool(LookupOrder)

    plain = client.chat.completions.parse(model="gpt-4o", messages=said("42"), tools=[tool])
    with client.chat.completions.stream(model="gpt-4o", messages=said("42"), tools=[tool]) as stream:
        done = [event.parsed_arguments for event in stream if event.type == "tool_calls.function.arguments.done"]

    [call] = plain.choices[0].message.tool_calls or []
    assert call.function.parsed_arguments == LookupOrder(order_id="42")
    assert done == [LookupOrder(order_id="42")]


# Structured output, refusals, endings


def test_a_structured_answer_is_parsed(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(response_format="Weather").reply('{"city": "Oslo", "celsius": -3}')

    answer = client.chat.completions.parse(model="gpt-4o", messages=said("weather"), response_format=Weather)

    assert answer.choices[0].message.parsed == Weather(city="Oslo", celsius=-3)


def test_the_stream_helper_parses_along_the_way(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(response_format="Weather").reply('{"city": "Oslo", "celsius": -3}')

    with client.chat.completions.stream(model="gpt-4o", messages=said("weather"), response_format=Weather) as stream:
        events = list(stream)
        final = stream.get_final_completion()

    deltas = [event.delta for event in events if event.type == "content.delta"]
    (done,) = [event for event in events if event.type == "content.done"]
    assert "".join(deltas) == done.content == '{"city": "Oslo", "celsius": -3}'
    assert done.parsed == final.choices[0].message.parsed == Weather(city="Oslo", celsius=-3)
    assert (final.choices[0].finish_reason, final.choices[0].message.role) == ("stop", "assistant")


@pytest.mark.anyio
async def test_the_async_stream_helper_parses_too(mockbifrost: Session, async_client: AsyncOpenAI) -> None:
    mockbifrost.when(response_format="Weather").reply('{"city": "Oslo", "celsius": -3}')

    async with async_client.chat.completions.stream(
        model="gpt-4o", messages=said("weather"), response_format=Weather
    ) as stream:
        final = await stream.get_final_completion()

    assert final.choices[0].message.parsed == Weather(city="Oslo", celsius=-3)


def test_json_mode_is_a_response_format_by_name(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(response_format="json_object").reply("{}")

    assert ask(client, "json", response_format={"type": "json_object"}).choices[0].message.content == "{}"


def test_a_refusal_is_told_from_content(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="forbidden").reply(refusal="I can't help with that.")

    plain = client.chat.completions.parse(model="gpt-4o", messages=said("forbidden"), response_format=Weather)
    with client.chat.completions.stream(model="gpt-4o", messages=said("forbidden"), response_format=Weather) as stream:
        refused = [event.refusal for event in stream if event.type == "refusal.done"]
        streamed = stream.get_final_completion()

    message, joined = plain.choices[0].message, streamed.choices[0].message
    assert (message.refusal, message.content, message.parsed) == ("I can't help with that.", None, None)
    assert (joined.refusal, joined.content, joined.parsed) == ("I can't help with that.", "", None)
    assert refused == ["I can't help with that."]


@pytest.mark.parametrize(
    ("finish_reason", "raised"),
    [("length", openai.LengthFinishReasonError), ("content_filter", openai.ContentFilterFinishReasonError)],
)
def test_the_parsing_helpers_refuse_what_ended_early(
    mockbifrost: Session, client: OpenAI, finish_reason: str, raised: type[Exception]
) -> None:
    mockbifrost.when(user="weather").reply('{"city": "Os', finish_reason=finish_reason)

    with pytest.raises(raised):
        client.chat.completions.parse(model="gpt-4o", messages=said("weather"), response_format=Weather)
    with (
        client.chat.completions.stream(model="gpt-4o", messages=said("weather"), response_format=Weather) as stream,
        pytest.raises(raised),
    ):
        stream.until_done()
    assert ask(client, "weather").choices[0].finish_reason == finish_reason


# What the gateway adds, and what providers add


def test_reasoning_is_a_field_beside_the_content(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="think").reply("42.", reasoning="Six times seven.")

    message = ask(client, "think").choices[0].message
    chunks = ask_streamed(client, "think")

    details = [{"index": 0, "type": "reasoning.text", "text": "Six times seven."}]
    assert (message.content, extra(message, "reasoning")) == ("42.", "Six times seven.")
    assert extra(message, "reasoning_details") == details
    assert "".join(extras_of_deltas(chunks, "reasoning")) == "Six times seven."
    assert texts_of(chunks) == {0: "42."}


def test_extra_fields_ride_on_answers_and_on_every_chunk(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="hello").reply("Hello from Bifrost.", latency="120ms")

    fields = extra(ask(client, "hello"), "extra_fields")
    on_chunks = [extra(chunk, "extra_fields") for chunk in ask_streamed(client, "hello")]

    assert fields == {
        "request_type": "chat_completion",
        "provider": "openai",
        "model_requested": "gpt-4o",
        "latency": 120,
        "chunk_index": 0,
    }
    assert {field["request_type"] for field in on_chunks} == {"chat_completion_stream"}
    assert [field["chunk_index"] for field in on_chunks] == list(range(len(on_chunks)))


def test_a_fallback_shows_in_the_model_and_in_extra_fields(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(provider="openai").error("overloaded")
    mockbifrost.when(provider="anthropic").reply("Hello from Claude.")
    fallbacks = {"fallbacks": ["anthropic/claude-sonnet-4-5"]}

    answer = ask(client, "hello", extra_body=fallbacks)
    chunks = ask_streamed(client, "hello", extra_body=fallbacks)

    assert (answer.model, answer.choices[0].message.content) == ("claude-sonnet-4-5", "Hello from Claude.")
    assert {extra(model, "extra_fields")["provider"] for model in (answer, *chunks)} == {"anthropic"}
    assert [len(call.requests) for call in mockbifrost.calls] == [1, 1]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_cost_serving_provider_and_cache_hit_are_shown(mockbifrost: Session, client: OpenAI, stream: bool) -> None:
    """They ride on the answer, and on the last chunk of a stream."""
    mockbifrost.load(STORY)

    def told() -> ChatCompletion | ChatCompletionChunk:
        if stream:
            return ask_streamed(client, "hello", extra_headers=CACHED)[-1]
        return ask(client, "hello", extra_headers=CACHED)

    answers = [told(), told()]

    assert {answer.model for answer in answers} == {MODEL}
    assert [shown(extra(answer.usage, "cost"), extra(answer, "extra_fields")) for answer in answers] == SHOWN
    assert attempts(mockbifrost) == ATTEMPTS


def test_a_hit_of_the_cache_can_be_scripted_without_asking_before(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.load({"version": 1, "stubs": [{"reply": "Hello.", "cache": "hit"}]})

    answer = ask(client, "hello")

    assert shown(extra(answer.usage, "cost"), extra(answer, "extra_fields")) == (FREE, "openai", True)


@pytest.mark.parametrize(
    ("failures", "retries", "seen"),
    [
        (1, 0, [["openai error", "openai answer"]]),
        (3, 1, [["openai error", "openai error"], ["openai error", "openai answer"]]),
    ],
    ids=["within the gateway's", "beyond the gateway's"],
)
def test_a_client_counts_its_own_retries_and_not_those_of_the_gateway(
    mockbifrost: Session, client: OpenAI, failures: int, retries: int, seen: list[list[str]]
) -> None:
    mockbifrost.load({"version": 1, "gateway": {"providers": {"openai": {"max_retries": 1}}}, "stubs": []})
    mockbifrost.when(user="status").error("overloaded", headers=AT_ONCE).times(failures)
    mockbifrost.when(user="status").reply("All systems go.")

    response = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=said("status"))

    assert response.parse().choices[0].message.content == "All systems go."
    assert response.retries_taken == retries
    [call] = mockbifrost.calls
    assert [request.retry for request in call.requests] == list(range(retries + 1))
    assert attempts(mockbifrost) == seen


def test_usage_is_counted_and_may_be_scripted_with_its_details(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="scripted").reply(
        "Ok.",
        usage={
            "prompt_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 100},
            "completion_tokens": 30,
            "completion_tokens_details": {"reasoning_tokens": 20},
        },
    )
    mockbifrost.when(user="counted").reply("Ok.")

    for usage in (ask(client, "scripted").usage, ask_streamed(client, "scripted")[-1].usage):
        assert usage is not None
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (120, 30, 150)
        assert usage.prompt_tokens_details is not None
        assert usage.prompt_tokens_details.cached_tokens == 100
        assert extra(usage.prompt_tokens_details, "cached_read_tokens") == 100
        assert usage.completion_tokens_details is not None
        assert usage.completion_tokens_details.reasoning_tokens == 20
    counted = ask(client, "counted").usage
    assert counted is not None
    assert counted.prompt_tokens > counted.completion_tokens > 0
    assert counted.total_tokens == counted.prompt_tokens + counted.completion_tokens


def test_log_probabilities_add_up_to_the_text(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="hello").reply("Hello from Bifrost.")

    answer = ask(client, "hello", logprobs=True, top_logprobs=2)

    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert "".join([entry.token for entry in logprobs.content]) == "Hello from Bifrost."
    assert [len(entry.top_logprobs) for entry in logprobs.content] == [2] * len(logprobs.content)
    assert extra(answer.choices[0], "log_probs") == logprobs.to_dict()


def test_streamed_log_probabilities_are_those_of_the_plain_answer(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="hello").reply("Hello from Bifrost.")

    plain = ask(client, "hello", logprobs=True).choices[0].logprobs
    streamed = [choice.logprobs for chunk in ask_streamed(client, "hello", logprobs=True) for choice in chunk.choices]

    assert plain is not None
    assert [entry for logprobs in streamed if logprobs for entry in logprobs.content or ()] == plain.content


def test_what_a_searching_provider_found_rides_on_the_answer_and_the_last_chunk(
    mockbifrost: Session, client: OpenAI
) -> None:
    citations, results = ["https://example.com/a"], [{"title": "A", "url": "https://example.com/a"}]
    mockbifrost.when(user="search").reply("Found.", citations=citations, search_results=results)

    for model in (ask(client, "search"), ask_streamed(client, "search")[-1]):
        assert (extra(model, "citations"), extra(model, "search_results")) == (citations, results)


def test_headers_say_who_answered(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="hello").reply("Hello.", headers={"x-ratelimit-remaining-requests": "99"}).name("greeting")

    headers = client.chat.completions.with_raw_response.create(model="openai/gpt-4o", messages=said("hello")).headers

    assert headers["x-bifrost-provider"] == "openai"
    assert headers["x-bifrost-resolved-model"] == "gpt-4o"
    assert headers["x-ratelimit-remaining-requests"] == "99"
    assert headers["x-mockbifrost-session"] == mockbifrost.id
    assert headers["x-mockbifrost-stub"] == "greeting"


def test_the_models_of_the_providers_are_listed(client: OpenAI) -> None:
    models = {model.id: model.owned_by for model in client.models.list()}

    assert models["openai/gpt-4o"] == "openai"
    assert models["anthropic/claude-sonnet-4-5"] == "anthropic"


# Hanging up


def closed_at(session: Session) -> int:
    """The chunk at which the client of the last request hung up; waits until the server has noticed."""

    def look() -> int | None:
        found: int | None = session.last.client_closed_at_chunk
        return found

    return wait_for(look)


def test_a_client_that_hangs_up_is_noted_in_the_journal(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="story").reply("word " * 500).pace(tokens_per_second=50, speed=1)

    with client.chat.completions.create(model="gpt-4o", messages=said("story"), stream=True) as stream:
        received = 0
        while received < 3:
            received += bool(next(stream).choices[0].delta.content)

    assert 3 <= closed_at(mockbifrost) < 500


@pytest.mark.anyio
async def test_an_async_client_that_is_cancelled_is_noted_too(mockbifrost: Session, async_client: AsyncOpenAI) -> None:
    mockbifrost.when(user="story").reply("word " * 500).pace(tokens_per_second=50, speed=1)

    with anyio.CancelScope() as scope:
        stream = await async_client.chat.completions.create(model="gpt-4o", messages=said("story"), stream=True)
        async with stream:
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    scope.cancel()

    assert 1 <= await anyio.to_thread.run_sync(closed_at, mockbifrost) < 500


def test_a_client_that_reads_to_the_end_is_not(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="hello").reply("Hello from Bifrost.").pace(tokens_per_second=1000, speed=1)

    ask_streamed(client, "hello")
    wait_for(lambda: not mockbifrost.last.open)

    assert mockbifrost.last.client_closed_at_chunk is None
