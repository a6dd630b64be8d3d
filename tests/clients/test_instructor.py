"""What instructor makes of answers and failures. Source: clients.md 2 and 3."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from mockbifrost import Session
from tests.clients.gateway_story import ATTEMPTS, CACHED, MODEL, SHOWN, STORY, attempts, shown

instructor: Any = pytest.importorskip("instructor", reason="instructor is not installed")
GivenUp: Any = pytest.importorskip("instructor.core").InstructorRetryException

AT_ONCE = {"retry-after-ms": "1"}
RIGHT, WRONG = {"city": "Oslo", "celsius": -3}, {"city": "Oslo"}
OSLO = '{"city": "Oslo", "celsius": -3}'


class Weather(BaseModel):
    """A structured answer."""

    city: str
    celsius: int


def chat(client: OpenAI | AsyncOpenAI, **settings: Any) -> Any:
    return instructor.from_openai(client, **settings).chat.completions


def question(**parameters: Any) -> dict[str, Any]:
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "weather"}], "response_model": Weather}
    return asked | parameters


@pytest.fixture
def client(mockbifrost: Session) -> Iterator[OpenAI]:
    with OpenAI(base_url=mockbifrost.base_url, api_key="k") as client:
        yield client


@pytest.fixture
async def async_client(mockbifrost: Session) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=mockbifrost.base_url, api_key="k") as client:
        yield client


def requests_per_call(session: Session) -> list[int]:
    return [len(call.requests) for call in session.calls]


def test_a_tool_brings_the_answer(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(tools="Weather").reply(tool_calls=[{"Weather": RIGHT}])

    assert chat(client).create(**question()).model_dump() == RIGHT


@pytest.mark.anyio
async def test_the_async_client_gets_the_same(mockbifrost: Session, async_client: AsyncOpenAI) -> None:
    mockbifrost.when(tools="Weather").reply(tool_calls=[{"Weather": RIGHT}])

    answer = await chat(async_client).create(**question())
    assert answer.model_dump() == RIGHT


@pytest.mark.parametrize(
    ("mode", "when"),
    [
        ("JSON", {"response_format": "json_object"}),
        ("JSON_SCHEMA", {"response_format": "Weather"}),
        ("MD_JSON", {"system": "json_schema"}),
    ],
)
def test_other_modes_take_it_from_the_text(
    mockbifrost: Session, client: OpenAI, mode: str, when: dict[str, Any]
) -> None:
    mockbifrost.when(**when, tools=[]).reply(OSLO)

    assert chat(client, mode=instructor.Mode[mode]).create(**question()).model_dump() == RIGHT


def test_a_partial_answer_grows_with_the_stream(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(tools="PartialWeather", stream=True).reply(tool_calls=[{"PartialWeather": RIGHT}])

    answers = [(answer.city, answer.celsius) for answer in chat(client).create_partial(**question())]

    assert answers[0] == (None, None)
    assert ("Oslo", None) in answers
    assert answers[-1] == ("Oslo", -3)


def test_a_stream_of_several_objects(mockbifrost: Session, client: OpenAI) -> None:
    tasks = [RIGHT, {"city": "Rome", "celsius": 21}]
    mockbifrost.when(tools="IterableWeather", stream=True).reply(tool_calls=[{"IterableWeather": {"tasks": tasks}}])

    answers = list(chat(client).create_iterable(**question()))

    assert [answer.model_dump() for answer in answers] == tasks


def test_the_completion_has_usage_cost_serving_provider_and_cache_hit(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.load(STORY)

    found = [chat(client).create_with_completion(**question(extra_headers=CACHED)) for _ in range(2)]

    assert [answer.model_dump() for answer, _ in found] == [RIGHT, RIGHT]
    for _, completion in found:
        assert (completion.usage.prompt_tokens, completion.usage.total_tokens, completion.model) == (120, 150, MODEL)
    assert [shown(completion.usage.cost, completion.extra_fields) for _, completion in found] == SHOWN
    assert attempts(mockbifrost) == ATTEMPTS


def test_a_cost_that_the_provider_reports_goes_through(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(tools="Weather").reply(tool_calls=[{"Weather": RIGHT}], cost=0.1)

    _answer, completion = chat(client).create_with_completion(**question())

    assert completion.usage.cost == {"total_cost": 0.1}


def test_an_answer_that_is_not_valid_makes_a_new_call(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(turn=0).reply(tool_calls=[{"Weather": WRONG}])
    mockbifrost.when(turn=1, tool_result={"name": "Weather", "text": "Field required"}).reply(
        tool_calls=[{"Weather": RIGHT}]
    )

    assert chat(client).create(**question()).model_dump() == RIGHT
    assert requests_per_call(mockbifrost) == [1, 1]


def test_an_answer_that_never_becomes_valid_is_given_up(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(tools="Weather").reply(tool_calls=[{"Weather": WRONG}])

    with pytest.raises(GivenUp, match="celsius"):
        chat(client).create(**question(max_retries=2))

    assert requests_per_call(mockbifrost) == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "raised", "requests"),
    [
        ("context_length", openai.BadRequestError, 1),
        ("unauthorized", openai.AuthenticationError, 1),
        ("rate_limited", openai.RateLimitError, 3),
        ("overloaded", openai.InternalServerError, 3),
    ],
)
def test_an_error_of_openai_is_the_cause_of_instructors(
    mockbifrost: Session, client: OpenAI, name: str, raised: type[openai.APIStatusError], requests: int
) -> None:
    mockbifrost.when(tools="Weather").error(name, headers=AT_ONCE)

    with pytest.raises(GivenUp) as caught:
        chat(client).create(**question())

    assert type(caught.value.__cause__) is raised
    assert requests_per_call(mockbifrost) == [requests]


def test_a_miss_is_one_request_and_says_what_came_near(unverified: Session) -> None:
    unverified.when(tools="Forecast").reply("…").name("forecast")

    with (
        OpenAI(base_url=unverified.base_url, api_key="k") as client,
        pytest.raises(GivenUp, match='nearest: "forecast"'),
    ):
        chat(client).create(**question())

    assert requests_per_call(unverified) == [1]
