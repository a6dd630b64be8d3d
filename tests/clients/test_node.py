"""What the clients for Node make of answers and failures. Source: clients.md 2 and 3.

The clients run in one process of Node (tests/clients/node/runner.mjs), which takes a task a line and answers in JSON.
The lane `node` of .ci/noxfile.py installs them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mockbifrost import Session
from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS
from tests.clients.gateway_story import ATTEMPTS, CACHED, COST, FREE, MODEL, PROVIDER, SHOWN, STORY, attempts, shown
from tests.clients.this_machine import is_setting
from tests.clients.waiting import wait_for

FOLDER = Path(__file__).with_name("node")
NODE = shutil.which("node")
OLDEST = 20
AT_ONCE = {"retry-after-ms": "1"}
USAGE = {
    "prompt_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 100},
    "completion_tokens": 30,
    "completion_tokens_details": {"reasoning_tokens": 20},
}

CLIENTS = ("openai", "ai-sdk", "ai-sdk-compatible", "langchain")
AI_SDKS = ("ai-sdk", "ai-sdk-compatible")
each_client = pytest.mark.parametrize("client", CLIENTS)
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])

Run = Callable[..., Any]


def missing() -> str:
    """Why these tests can't run here, or nothing."""
    if NODE is None:
        return "Node is not installed"
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.removeprefix("v").split(".")[0]) < OLDEST:
        return f"Node is {version.strip()}, and the clients need {OLDEST} or newer"
    if not (FOLDER / "node_modules").is_dir():
        return "the clients for Node are not installed: run nox's `tests(node)`"
    return ""


pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def process() -> Iterator[subprocess.Popen[str]]:
    """The runner, without the settings of this machine."""
    assert NODE is not None
    env = {name: value for name, value in os.environ.items() if not is_setting(name)}
    command = [NODE, str(FOLDER / "runner.mjs")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()  # it ends when its input does


@pytest.fixture
def answer_of(process: subprocess.Popen[str]) -> Run:
    """Runs a task of a client in a session: what came of it, `result` or `error`."""

    def run(client: str, task: str, session: Session, prompt: str = "hello", **asked: Any) -> Any:
        assert process.stdin is not None
        assert process.stdout is not None
        order = {"client": client, "task": task, "baseURL": session.base_url, "asked": {"prompt": prompt, **asked}}
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    return run


@pytest.fixture
def result_of(answer_of: Run) -> Run:
    """Runs a task that succeeds."""

    def run(client: str, task: str, session: Session, prompt: str = "hello", **asked: Any) -> Any:
        answer = answer_of(client, task, session, prompt, **asked)
        assert "result" in answer, answer
        return answer["result"]

    return run


@pytest.fixture
def error_of(answer_of: Run) -> Run:
    """Runs a task that fails."""

    def run(client: str, task: str, session: Session, prompt: str = "hello", **asked: Any) -> Any:
        answer = answer_of(client, task, session, prompt, **asked)
        assert "error" in answer, answer
        return answer["error"]

    return run


def requests_per_call(session: Session) -> list[int]:
    return [len(call.requests) for call in session.calls]


@each_client
@pytest.mark.parametrize("task", ["plain", "stream"])
def test_the_text_of_an_answer(mockbifrost: Session, result_of: Run, client: str, task: str) -> None:
    mockbifrost.when(user="hello", model="gpt-4o").reply("Hello from Bifrost, Grüße 👋🏽.")

    result = result_of(client, task, mockbifrost)

    assert (result["text"], result["finish"]) == ("Hello from Bifrost, Grüße 👋🏽.", "stop")
    assert task == "plain" or result["chunks"] > 3


@each_client
@both_ways
def test_tools_in_parallel_come_to_their_end(mockbifrost: Session, result_of: Run, client: str, stream: bool) -> None:
    calls = [{"lookup_order": {"order_id": "42"}}, {"lookup_order": {"order_id": "43"}}]
    mockbifrost.when(user="orders", tools="lookup_order").reply(tool_calls=calls)
    mockbifrost.when(tool_result=["lookup_order", "lookup_order"]).reply(
        "One {{ results[0].state }}, one {{ results[1].state }}."
    )

    result = result_of(client, "loop", mockbifrost, "Where are my orders?", stream=stream)

    assert result["text"] == "One shipped, one lost."
    assert [call.requests[0].body.get("stream", False) for call in mockbifrost.calls] == [stream, stream]


@each_client
@both_ways
def test_a_structured_answer_is_parsed(mockbifrost: Session, result_of: Run, client: str, stream: bool) -> None:
    mockbifrost.when(response_format="weather").reply('{"city": "Oslo", "celsius": -3}')

    assert result_of(client, "object", mockbifrost, stream=stream)["object"] == {"city": "Oslo", "celsius": -3}


@each_client
@pytest.mark.parametrize("task", ["plain", "stream"])
def test_tokens_are_counted(mockbifrost: Session, result_of: Run, client: str, task: str) -> None:
    mockbifrost.when(user="hello").reply("Hello.", usage=USAGE)

    usage = result_of(client, task, mockbifrost)["usage"]

    if client == "openai":
        assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (120, 30, 150)
        assert usage["prompt_tokens_details"]["cached_tokens"] == 100
    else:
        assert (usage["input"], usage["output"], usage["total"]) == (120, 30, 150)


@pytest.mark.parametrize("task", ["plain", "stream"])
@pytest.mark.parametrize("client", ["openai", "ai-sdk-compatible"])
def test_extra_fields_and_reasoning_are_kept(mockbifrost: Session, result_of: Run, client: str, task: str) -> None:
    """@ai-sdk/openai and langchain lose both, but for the body of a plain answer in @ai-sdk/openai."""
    mockbifrost.when(user="think").reply("42.", reasoning="Six times seven.")

    result = result_of(client, task, mockbifrost, "think")

    assert result["extra"]["provider"] == "openai"
    if (client, task) != ("openai", "stream"):  # there the reasoning is in the deltas, which the runner drops
        assert result["reasoning"] == "Six times seven."


def test_the_body_is_all_that_one_sdk_keeps_of_the_extra_fields(mockbifrost: Session, result_of: Run) -> None:
    mockbifrost.when(user="hello").reply("Hello.")

    result = result_of("ai-sdk", "plain", mockbifrost)

    assert "extra" not in result
    assert result["body"]["extra_fields"]["provider"] == "openai"


@pytest.mark.parametrize(
    ("client", "task", "cost"),
    [
        ("openai", "plain", 0.1),
        ("openai", "stream", 0.1),
        ("ai-sdk-compatible", "plain", 0.1),
        ("ai-sdk-compatible", "stream", 0.1),
        ("langchain", "plain", 0.1),
        pytest.param("langchain", "stream", 0.2, id="langchain-stream-doubled"),  # it sums what came with the finish
    ],
)
def test_a_cost_that_the_provider_reports_is_kept(
    mockbifrost: Session, result_of: Run, client: str, task: str, cost: float
) -> None:
    mockbifrost.when(user="hello").reply("Hello.", cost=0.1)

    usage = result_of(client, task, mockbifrost)["usage"]

    assert usage.get("raw", usage)["cost"] == {"total_cost": cost}


@pytest.mark.parametrize("task", ["plain", "stream"])
@pytest.mark.parametrize("client", ["openai", "ai-sdk-compatible"])
def test_cost_serving_provider_and_cache_hit_are_shown(
    mockbifrost: Session, result_of: Run, client: str, task: str
) -> None:
    mockbifrost.load(STORY)

    results = [result_of(client, task, mockbifrost, headers=CACHED) for _ in range(2)]

    assert {result["model"] for result in results} == {MODEL}
    usages = [result["usage"].get("raw", result["usage"]) for result in results]
    found = zip(usages, results, strict=True)
    assert [shown(usage["cost"], result["extra"]) for usage, result in found] == SHOWN
    assert attempts(mockbifrost) == ATTEMPTS


def test_ai_sdk_openai_shows_all_three_in_the_body_of_a_plain_answer(mockbifrost: Session, result_of: Run) -> None:
    mockbifrost.load(STORY)

    results = [result_of("ai-sdk", "plain", mockbifrost, headers=CACHED) for _ in range(2)]

    bodies = [result["body"] for result in results]
    assert [shown(body["usage"]["cost"], body["extra_fields"]) for body in bodies] == SHOWN
    assert ["cost" in result["usage"]["raw"] for result in results] == [False, False]  # only what it knows
    assert attempts(mockbifrost) == ATTEMPTS


def test_ai_sdk_openai_shows_all_three_in_the_raw_chunks_of_a_stream(mockbifrost: Session, result_of: Run) -> None:
    mockbifrost.load(STORY)

    chunks = [result_of("ai-sdk", "raw", mockbifrost, headers=CACHED) for _ in range(2)]

    assert [shown(chunk["usage"]["cost"], chunk["extra_fields"]) for chunk in chunks] == SHOWN
    assert attempts(mockbifrost) == ATTEMPTS


def test_without_the_raw_chunks_ai_sdk_openai_has_only_the_model_and_the_headers(
    mockbifrost: Session, result_of: Run
) -> None:
    mockbifrost.load(STORY)

    results = [result_of("ai-sdk", "stream", mockbifrost, headers=CACHED) for _ in range(2)]

    assert {(result["model"], result["server"]) for result in results} == {(MODEL, PROVIDER)}
    assert "cost" not in repr(results)
    assert "cache_hit" not in repr(results)
    assert attempts(mockbifrost) == ATTEMPTS


@pytest.mark.parametrize(("task", "times"), [("plain", 1), ("stream", 2)])
def test_langchain_has_the_model_and_a_cost_that_doubles_in_streams(
    mockbifrost: Session, result_of: Run, task: str, times: int
) -> None:
    """Who served shows in the model's name alone, a hit of the cache in the cost alone."""
    mockbifrost.load(STORY)

    results = [result_of("langchain", task, mockbifrost, headers=CACHED) for _ in range(2)]

    assert {result["model"] for result in results} == {MODEL}
    dollars = {name: times * amount for name, amount in COST.items()}
    assert [result["usage"]["raw"]["cost"] for result in results] == [dollars, FREE]
    for lost in (PROVIDER, "cache_hit"):
        assert lost not in repr(results)
    assert attempts(mockbifrost) == ATTEMPTS


def test_a_refusal_is_told_from_content(mockbifrost: Session, result_of: Run) -> None:
    mockbifrost.when(user="forbidden").reply(refusal="I can't help with that.")

    result = result_of("openai", "plain", mockbifrost, "forbidden")

    assert (result["text"], result["refusal"]) == (None, "I can't help with that.")


ERRORS = {
    "bad_request": "BadRequestError",
    "unauthorized": "AuthenticationError",
    "forbidden": "PermissionDeniedError",
    "model_not_found": "NotFoundError",
    "conflict": "ConflictError",
    "unprocessable": "UnprocessableEntityError",
    "rate_limited": "RateLimitError",
    "server_error": "InternalServerError",
    "overloaded": "InternalServerError",
}


@each_client
@pytest.mark.parametrize("task", ["plain", "stream"])
@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_raised_as_what_it_is(
    mockbifrost: Session, error_of: Run, client: str, task: str, name: str
) -> None:
    mockbifrost.when(user="hello").error(name, headers={**AT_ONCE, "x-should-retry": "false"})

    error = error_of(client, task, mockbifrost, maxRetries=0)

    known = PROVIDER_ERRORS[name]
    assert error["class"] == ("APICallError" if client in AI_SDKS else ERRORS[name])
    assert (error["status"], error.get("type"), error.get("code")) == (known.status, known.type, known.code)
    assert known.message.format(model="gpt-4o") in error["message"]


def test_retries_of_openai_are_one_call(mockbifrost: Session, error_of: Run) -> None:
    mockbifrost.when(user="hello").error("overloaded", headers=AT_ONCE)

    assert error_of("openai", "plain", mockbifrost)["status"] == 529
    assert requests_per_call(mockbifrost) == [3]


@pytest.mark.parametrize("client", AI_SDKS)
def test_retries_of_the_ai_sdk_are_calls_of_their_own(mockbifrost: Session, error_of: Run, client: str) -> None:
    """It does not say that it retries, and neither does langchain, whose waits take seconds whatever the headers say."""
    mockbifrost.when(user="hello").error("overloaded", headers=AT_ONCE)

    error = error_of(client, "plain", mockbifrost)

    assert (error["name"], error["status"], error["attempts"]) == ("AI_RetryError", 529, 3)
    assert requests_per_call(mockbifrost) == [1, 1, 1]


@each_client
@pytest.mark.parametrize("task", ["plain", "stream"])
def test_a_miss_is_one_request_and_says_what_came_near(
    unverified: Session, error_of: Run, client: str, task: str
) -> None:
    stub = unverified.when(user="refund").reply("Done.").name("refund")

    error = error_of(client, task, unverified, "Refnd, please")

    assert (error["status"], error["code"]) == (400, "no_match")
    assert f'nearest: "refund" ({stub.place})' in error["message"]
    assert requests_per_call(unverified) == [1]


def test_the_responses_api_is_answered_with_the_way_to_chat_completions(mockbifrost: Session, error_of: Run) -> None:
    error = error_of("ai-sdk", "responses", mockbifrost)

    assert error["status"] == 404
    assert "in the AI SDK use openai.chat('…')" in error["message"]


def test_the_models_of_the_providers_are_listed(mockbifrost: Session, result_of: Run) -> None:
    assert "anthropic/claude-sonnet-4-5" in result_of("openai", "models", mockbifrost)


def test_a_client_that_hangs_up_is_noted_in_the_journal(mockbifrost: Session, result_of: Run) -> None:
    mockbifrost.when(user="story").reply("word " * 500).pace(tokens_per_second=50, speed=1)

    result_of("openai", "leave", mockbifrost, "story")

    def look() -> int | None:
        found: int | None = mockbifrost.last.client_closed_at_chunk
        return found

    assert 1 <= wait_for(look) < 500
