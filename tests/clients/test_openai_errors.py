"""What openai-python 2 and 3 raise, how often they ask, and what a miss looks like. Source: clients.md 3."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from mockbifrost import MockBifrost, Session
from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS
from tests.clients.waiting import wait_for

OLD = openai.VERSION.startswith("2.")
AT_ONCE = {"retry-after-ms": "1"}
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]


@pytest.fixture
def client(mockbifrost: Session) -> Iterator[OpenAI]:
    with OpenAI(base_url=mockbifrost.base_url, api_key="k") as client:
        yield client


@pytest.fixture
async def async_client(mockbifrost: Session) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=mockbifrost.base_url, api_key="k") as client:
        yield client


@pytest.fixture
def unverified_client(unverified: Session) -> Iterator[OpenAI]:
    with OpenAI(base_url=unverified.base_url, api_key="k") as client:
        yield client


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client would have waited before each retry; it does not wait."""
    found: list[float] = []
    monkeypatch.setattr("time.sleep", found.append)
    return found


def ask(client: OpenAI, text: str = "hello", **parameters: Any) -> ChatCompletion:
    answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}], **parameters)
    assert isinstance(answer, ChatCompletion)
    return answer


def failure_of(client: OpenAI, text: str = "hello", **parameters: Any) -> openai.APIStatusError:
    """What asking raises."""
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, text, **parameters)
    return caught.value


def message_of(error: openai.APIError) -> str:
    """The message in the body; `str(error)` has it escaped in openai 2."""
    assert isinstance(error.body, dict)
    message = error.body["message"]
    assert isinstance(message, str)
    return message


def requests_per_call(session: Session) -> list[int]:
    return [len(call.requests) for call in session.calls]


# Providers' errors by name


@dataclass(frozen=True)
class Case:
    """An error by its name, and what a user of the client sees of it."""

    id: str
    raised: type[openai.APIStatusError]
    status: int
    type: str | None
    code: str | None = None
    requests: int = 1


CASES = (
    Case("bad_request", openai.BadRequestError, 400, "invalid_request_error"),
    Case("context_length", openai.BadRequestError, 400, "invalid_request_error", "context_length_exceeded"),
    Case("content_filter", openai.BadRequestError, 400, "invalid_request_error", "content_policy_violation"),
    Case("unauthorized", openai.AuthenticationError, 401, "invalid_request_error", "invalid_api_key"),
    Case("forbidden", openai.PermissionDeniedError, 403, "invalid_request_error"),
    Case("model_not_found", openai.NotFoundError, 404, "invalid_request_error", "model_not_found"),
    Case("request_timeout", openai.APIStatusError, 408, "timeout", requests=3),
    Case("conflict", openai.ConflictError, 409, "invalid_request_error", requests=3),
    Case("too_large", openai.APIStatusError, 413, "invalid_request_error"),
    Case("unprocessable", openai.UnprocessableEntityError, 422, "invalid_request_error"),
    Case("rate_limited", openai.RateLimitError, 429, "requests", "rate_limit_exceeded", 3),
    Case("insufficient_quota", openai.RateLimitError, 429, "insufficient_quota", "insufficient_quota", 3),
    Case("server_error", openai.InternalServerError, 500, "server_error", requests=3),
    Case("bad_gateway", openai.InternalServerError, 502, "cf_bad_gateway", "502", 3),
    Case("unavailable", openai.InternalServerError, 503, "server_error", requests=3),
    Case("gateway_timeout", openai.InternalServerError, 504, "cf_gateway_timeout", "504", 3),
    Case("overloaded", openai.InternalServerError, 529, "overloaded_error", requests=3),
)
each_error = pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])


def test_every_error_that_has_a_name_is_tried() -> None:
    assert [case.id for case in CASES] == list(PROVIDER_ERRORS)


@each_error
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_an_error_is_raised_as_what_it_is(
    mockbifrost: Session, client: OpenAI, waits: list[float], case: Case, stream: bool
) -> None:
    mockbifrost.when(user="hello").error(case.id)

    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=stream)

    error = caught.value
    assert (type(error), error.status_code, error.type, error.code) == (case.raised, case.status, case.type, case.code)
    assert message_of(error) == PROVIDER_ERRORS[case.id].message.format(model="gpt-4o")
    assert message_of(error) in str(error)
    assert requests_per_call(mockbifrost) == [case.requests]
    assert len(waits) == case.requests - 1


@each_error
@pytest.mark.anyio
async def test_the_async_client_raises_the_same(mockbifrost: Session, async_client: AsyncOpenAI, case: Case) -> None:
    mockbifrost.when(user="hello").error(case.id, headers=AT_ONCE)

    with pytest.raises(case.raised) as caught:
        await async_client.chat.completions.create(model="gpt-4o", messages=HELLO)

    assert (caught.value.status_code, caught.value.type, caught.value.code) == (case.status, case.type, case.code)
    assert requests_per_call(mockbifrost) == [case.requests]


@dataclass(frozen=True)
class Refused:
    """A refusal of the gateway by its name."""

    id: str
    raised: type[openai.APIStatusError]
    status: int
    type: str | None = None


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.id)
        for case in (
            Refused("virtual_key_required", openai.AuthenticationError, 401),
            Refused("virtual_key_expired", openai.PermissionDeniedError, 403),
            Refused("budget_exceeded", openai.APIStatusError, 402),
            Refused("request_limited", openai.RateLimitError, 429),
            Refused("no_keys", openai.BadRequestError, 400),
            Refused("request_cancelled", openai.APIStatusError, 499, "request_cancelled"),
            Refused("internal", openai.InternalServerError, 500),
            Refused("connection_failed", openai.InternalServerError, 502, "provider_connection_failed"),
            Refused("queue_full", openai.InternalServerError, 503, "request_dropped"),
            Refused("provider_timeout", openai.InternalServerError, 504, "request_timed_out"),
        )
    ],
)
def test_a_refusal_of_the_gateway_is_raised_by_its_status(mockbifrost: Session, client: OpenAI, case: Refused) -> None:
    """The exception's `type` is the one inside `error`; that of the envelope it does not show."""
    mockbifrost.when(user="hello").gateway_error(case.id)

    error = failure_of(client.with_options(max_retries=0))

    assert (type(error), error.status_code, error.type) == (case.raised, case.status, case.type)


def test_the_whole_envelope_is_in_the_response(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="hello").gateway_error("budget_exceeded")

    error = failure_of(client)

    assert error.response.json()["type"] == "budget_exceeded"
    assert error.response.json()["extra_fields"]["provider"] == "openai"
    assert error.response.headers["x-bifrost-provider"] == "openai"


def test_an_error_of_ones_own_making_keeps_its_words(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="hello").error(
        status=418, type="teapot", code="short_and_stout", message="I'm a {{ model }}.", param="messages[0]"
    )

    error = failure_of(client)

    assert (error.status_code, error.type, error.code, error.param) == (418, "teapot", "short_and_stout", "messages[0]")
    assert message_of(error) == "I'm a gpt-4o."


# Retries


@dataclass(frozen=True)
class Retried:
    """Headers on an error, how often the client asks, and how long it waits in between."""

    id: str
    headers: dict[str, str]
    waits: list[float]
    status: int = 500


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.id)
        for case in (
            Retried("milliseconds are obeyed", {"retry-after-ms": "1200"}, [1.2, 1.2]),
            Retried("seconds are obeyed", {"retry-after": "3"}, [3.0, 3.0]),
            Retried("a fraction of a second is obeyed", {"retry-after": "0.25"}, [0.25, 0.25], 429),
            Retried("milliseconds go first", {"retry-after-ms": "10", "retry-after": "3"}, [0.01, 0.01], 429),
            Retried("an hour is too long to wait", {"retry-after": "3600"}, []),
            Retried("a server error that says no", {"x-should-retry": "false"}, []),
            Retried("a bad request that says yes", {"x-should-retry": "true", "retry-after-ms": "5"}, [0.005] * 2, 400),
        )
    ],
)
def test_headers_steer_the_retries(mockbifrost: Session, client: OpenAI, waits: list[float], case: Retried) -> None:
    mockbifrost.when(user="hello").error(status=case.status, headers=case.headers)

    assert failure_of(client).status_code == case.status
    assert waits == case.waits
    assert requests_per_call(mockbifrost) == [1 + len(case.waits)]


def test_retry_after_is_a_key_of_errors(mockbifrost: Session, client: OpenAI, waits: list[float]) -> None:
    mockbifrost.when(user="hello").error("rate_limited", retry_after="2s")

    failure_of(client)

    assert waits == [2.0, 2.0]


def test_without_a_header_the_client_backs_off_by_itself(
    mockbifrost: Session, client: OpenAI, waits: list[float]
) -> None:
    mockbifrost.when(user="hello").error("overloaded")

    failure_of(client)

    first, second = waits
    assert 0.375 <= first <= 0.5
    assert 0.75 <= second <= 1.0
    assert [request.retry for request in mockbifrost.requests] == [0, 1, 2]


def test_two_failures_and_an_answer_are_one_call(mockbifrost: Session, client: OpenAI, waits: list[float]) -> None:
    mockbifrost.when(user="status").error("overloaded").times(2)
    mockbifrost.when(user="status").reply("All systems go.")

    assert ask(client, "status?").choices[0].message.content == "All systems go."
    assert requests_per_call(mockbifrost) == [3]
    assert mockbifrost.calls[0].status == 200


def test_retries_get_past_what_fails_and_leave_the_next_answer_to_the_next_call(
    mockbifrost: Session, client: OpenAI, waits: list[float]
) -> None:
    mockbifrost.when(user="hello").sequence({"error": "rate_limited"}, "First.", {"error": "server_error"}, "Second.")

    answers = [ask(client).choices[0].message.content for _call in range(2)]

    assert answers == ["First.", "Second."]
    assert requests_per_call(mockbifrost) == [2, 2]


def test_a_retry_of_an_answer_that_was_lost_gets_it_again(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="hello").sequence("First.", "Second.")
    retry = {"x-stainless-retry-count": "1"}  # what the client sends after a connection that broke

    answers = [ask(client, extra_headers=headers).choices[0].message.content for headers in ({}, retry, {})]

    assert answers == ["First.", "First.", "Second."]
    assert requests_per_call(mockbifrost) == [2, 1]


def test_calls_that_time_out_are_retried_and_noted_as_hang_ups(
    mockbifrost: Session, client: OpenAI, waits: list[float]
) -> None:
    mockbifrost.when(user="hello").reply("Too late.").pace(ttft="1h", speed=1)

    with pytest.raises(openai.APITimeoutError):
        ask(client, timeout=openai.Timeout(10, read=0.05))

    assert requests_per_call(mockbifrost) == [3]
    wait_for(lambda: not any(request.open for request in mockbifrost.requests))
    assert all(request.client_closed_at_chunk is not None for request in mockbifrost.requests)


# Nothing answers


def test_a_miss_is_one_request_and_says_what_came_near(unverified: Session, unverified_client: OpenAI) -> None:
    stub = unverified.when(user="refund", tools="lookup_order").reply("Done.").name("refund")

    error = failure_of(unverified_client, "Refnd, please")

    assert type(error) is openai.BadRequestError
    assert (error.type, error.code) == ("mockbifrost_no_match", "no_match")
    text = message_of(error)
    assert text.startswith("No stub answers this request (model \"gpt-4o\", plain, turn 0, user: 'Refnd, please').\n")
    assert f'nearest: "refund" ({stub.place}), 2 of 2 fields differ:' in text
    assert "wanted contains 'refund'" in text
    assert 'do: mend the nearest stub, or add this one:\n    - when: {user: "Refnd, please"}' in text
    assert str(error) == f"Error code: 400 - {error.response.json() if OLD else text}"
    assert error.response.headers["x-should-retry"] == "false"
    assert requests_per_call(unverified) == [1]


def test_a_sequence_that_has_ended_says_so_once(unverified: Session, unverified_client: OpenAI) -> None:
    stub = unverified.when(user="hello").sequence("Only once.").name("once")

    ask(unverified_client)
    error = failure_of(unverified_client)

    assert error.code == "sequence_exhausted"
    assert message_of(error) == (
        f"The sequence of stub 'once' ({stub.place}) has no more steps: all 1 were used, and another request came.\n"
        "  nearest: step 1 of 1 was the last\n"
        "  do: add a step, or say what comes after the last one with `on_end: repeat`, `cycle` or `pass`"
    )
    assert requests_per_call(unverified) == [1, 1]


def test_a_template_that_fails_says_so_once(unverified: Session, unverified_client: OpenAI) -> None:
    unverified.when(user="hello").reply("{{ tool.lookup.state }}")

    error = failure_of(unverified_client)

    assert error.code == "template"
    assert requests_per_call(unverified) == [1]


# Addresses and sessions


def test_a_header_chooses_the_session(mockbifrost_server: MockBifrost, mockbifrost: Session) -> None:
    mockbifrost.when(user="hello").reply("From the session.")

    headers = {"x-mockbifrost-session": mockbifrost.id}
    with OpenAI(base_url=mockbifrost_server.base_url, api_key="k", default_headers=headers) as client:
        assert ask(client).choices[0].message.content == "From the session."


def test_an_api_key_chooses_the_session(mockbifrost_server: MockBifrost, mockbifrost: Session) -> None:
    mockbifrost.when(user="hello").reply("From the session.")

    with OpenAI(base_url=mockbifrost_server.base_url, api_key=mockbifrost.api_key) as client:
        assert ask(client).choices[0].message.content == "From the session."


def test_the_environment_is_enough(monkeypatch: pytest.MonkeyPatch, mockbifrost: Session) -> None:
    mockbifrost.when(user="hello").reply("From the session.")
    monkeypatch.setenv("OPENAI_BASE_URL", mockbifrost.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "k")

    with OpenAI() as client:
        assert ask(client).choices[0].message.content == "From the session."


@pytest.mark.parametrize("path", ["/pydanticai", "/v1", "/openai", "/openai/v1", "/langchain/v1", "/litellm"])
def test_the_aliases_of_the_endpoint_answer_alike(mockbifrost: Session, path: str) -> None:
    mockbifrost.when(user="hello").reply("Hello.")

    with OpenAI(base_url=mockbifrost.url + path, api_key="k") as client:
        assert ask(client).choices[0].message.content == "Hello."


def test_a_session_that_is_finished_answers_nothing(mockbifrost_server: MockBifrost) -> None:
    with mockbifrost_server.session() as session:
        base_url = session.base_url

    with OpenAI(base_url=base_url, api_key="k") as client:
        error = failure_of(client)

    assert (type(error), error.code) == (openai.BadRequestError, "session_finished")
    assert message_of(error) == (
        f"Session {session.id!r} is finished: this request came too late and was answered by nothing.\n"
        "  do: end all calls before the test ends, or use the session of the running test"
    )


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("", " The base URL lacks its path: set it to http://HOST:PORT/pydanticai/v1."),
        (
            "/pydanticai/v1/v1",
            " The path has /v1 twice: the base URL of a client ends with /pydanticai/v1, and it adds no second /v1.",
        ),
        (
            "/elsewhere",
            " The endpoint is POST /pydanticai/v1/chat/completions;"
            " also here: GET /pydanticai/v1/models, GET /health, /__mockbifrost/ready.",
        ),
    ],
)
def test_a_wrong_base_url_is_answered_with_the_right_one(mockbifrost: Session, path: str, hint: str) -> None:
    with OpenAI(base_url=mockbifrost.url + path, api_key="k") as client:
        error = failure_of(client)

    assert type(error) is openai.NotFoundError
    where = f"/s/{mockbifrost.id}{path}/chat/completions"
    assert message_of(error) == f"Route not found: POST {where}.{hint}"


def test_the_responses_api_is_answered_with_the_way_to_chat_completions(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.create(model="gpt-4o", input="hello")

    assert message_of(caught.value).endswith(
        ". This server speaks chat completions, not the Responses API. In pydantic-ai use the model name"
        " 'openai-chat:…' or OpenAIChatModel; in the AI SDK use openai.chat('…'); with an OpenAI SDK call"
        " client.chat.completions.create(…)."
    )


# Bytes that are written out


def chunk_of(content: str) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": None}
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def streamed(client: OpenAI) -> Iterator[str]:
    with client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True) as stream:
        for chunk in stream:
            yield chunk.choices[0].delta.content or ""


def test_an_error_in_a_stream_is_raised_after_the_text_before_it(mockbifrost: Session, client: OpenAI) -> None:
    """The exception has no status: the SDK knows none once a stream has begun."""
    fault = {"message": "upstream died mid-stream", "type": "server_error", "code": 503}
    events = [{"data": chunk_of("Hello")}, {"data": {"error": fault}}]
    mockbifrost.when(user="hello").raw(headers={"content-type": "text/event-stream"}, events=events)

    stream = streamed(client)
    assert next(stream) == "Hello"
    with pytest.raises(openai.APIError) as caught:
        next(stream)

    assert type(caught.value) is openai.APIError
    assert (caught.value.message, caught.value.body) == ("upstream died mid-stream", fault)
    assert requests_per_call(mockbifrost) == [1]


@pytest.mark.parametrize(
    "framing",
    [
        pytest.param({"eol": "crlf"}, id="lines end in CR LF"),
        pytest.param({"eol": "cr"}, id="lines end in CR"),
        pytest.param({"split": 1}, id="byte by byte"),
        pytest.param({"one_write": True}, id="all at once"),
        pytest.param({"end": "close"}, id="ended by closing the connection"),
    ],
)
def test_a_stream_reads_the_same_however_it_is_framed(
    mockbifrost: Session, client: OpenAI, framing: dict[str, Any]
) -> None:
    events: list[dict[str, object]] = [
        {"comment": "keep-alive"},
        {"data": chunk_of("Grüße, ")},
        {"data": chunk_of("日本")},
    ]
    headers = {"content-type": "text/event-stream"}
    mockbifrost.when(user="hello").raw(headers=headers, events=events, done=True, **framing)

    assert list(streamed(client)) == ["Grüße, ", "日本"]


def test_a_page_instead_of_an_answer_is_handed_on_as_text(mockbifrost: Session, client: OpenAI) -> None:
    """The client raises nothing: it takes what is no JSON for the answer."""
    mockbifrost.when(user="hello").raw(status=200, headers={"content-type": "text/html"}, text="<html>Log in</html>")

    answer: Any = client.chat.completions.create(model="gpt-4o", messages=HELLO)

    assert answer == "<html>Log in</html>"


def test_an_error_with_status_200_is_an_answer_without_choices(mockbifrost: Session, client: OpenAI) -> None:
    """The client raises nothing here either."""
    mockbifrost.when(user="hello").raw(json={"error": {"message": "no"}})

    assert ask(client).choices is None


def test_a_redirect_is_followed(mockbifrost: Session, client: OpenAI) -> None:
    there = f"/s/{mockbifrost.id}/v1/chat/completions"
    mockbifrost.when(user="hello").raw(status=307, headers={"location": there}, text="").times(1)
    mockbifrost.when(user="hello").reply("Moved.")

    assert ask(client).choices[0].message.content == "Moved."
    assert [request.path for request in mockbifrost.requests][1] == there
