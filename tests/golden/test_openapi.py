"""Answers, chunks and errors are what the gateway's OpenAPI files promise, in every profile."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS
from mockbifrost.vocabulary.gateway_errors import GATEWAY_ERRORS
from mockbifrost.wire.profiles import ProfileName
from tests.golden.openapi import ROOT, violations
from tests.harness import PROFILE_NAMES, Response, ask_in, chat, session_with
from tests.strategies import PACES, PATIENT, PRICES, REPLIES, REQUESTS

pytestmark = pytest.mark.skipif(
    not ROOT.is_dir(), reason="the OpenAPI files lie only beside the project's own checkout"
)


def found_in(response: Response) -> list[str]:
    """All violations of one response."""
    if response.exchange.outcome.stream:
        return [line for chunk in response.chunks for line in violations("chunk", chunk)]
    return violations("error" if response.status >= 400 else "answer", response.json())


@dataclass(frozen=True, slots=True)
class Case:
    """A reply; the last of `times` answers to one request is looked at."""

    id: str
    reply: Any
    request: Mapping[str, Any] = field(default_factory=dict)
    gateway: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1


CACHED = {"x-bf-cache-key": "k"}
NEARLY = {"cache": {"semantic": True, "threshold": 0.5}}
RAW = {"raw": {"request": True, "response": True}}
ALIASED = {"providers": {"azure": {"keys": [{"name": "main", "aliases": {"gpt-4o": "our-gpt"}}]}}}
PRICE = {"input": 1, "output": 2, "cache_read": 0.5, "reasoning": 3, "citation": 4, "search": 0.5, "request": 0.25}
MANY = {
    "prompt_tokens": 100,
    "prompt_tokens_details": {"cached_tokens": 10},
    "completion_tokens": 100,
    "completion_tokens_details": {"reasoning_tokens": 10, "citation_tokens": 20, "num_search_queries": 3},
}
CASES = (
    Case("text", "Hello."),
    Case("nothing", {"content": None}),
    Case("empty text", ""),
    Case("parts", {"content": ["one", "two"]}),
    Case("tool calls", {"tool_calls": [{"a": {"x": 1}}, {"name": "b", "arguments": "{", "id": "c"}]}),
    Case("refusal", {"refusal": "No."}),
    Case("reasoning", {"content": "So.", "reasoning": "Hm."}),
    Case(
        "details", {"content": "So.", "reasoning_details": [{"index": 0, "type": "reasoning.summary", "summary": "S"}]}
    ),
    Case("annotations", {"content": "So.", "annotations": [{"type": "url_citation", "url_citation": {"title": "T"}}]}),
    Case("audio", {"audio": {"id": "a", "data": "AA==", "expires_at": 1, "transcript": "Hi"}}),
    Case("drawn logprobs", "Hello there.", {"logprobs": True, "top_logprobs": 3}),
    Case("refused logprobs", {"refusal": "No way."}, {"logprobs": True}),
    Case("choices", {"choices": [{"content": "A"}, {"tool_calls": [{"b": {}}]}]}, {"n": 3}),
    Case("no usage", {"content": "A", "usage": None}),
    Case("usage", {"content": "A", "usage": {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1}}}),
    Case("lists", {"content": "A", "citations": ["c"], "search_results": [{"title": "T"}], "videos": [{"url": "u"}]}),
    Case("chunks", {"chunks": [{"role": "assistant", "content": "A"}, {"finish_reason": "length"}]}),
    Case("faker", {"faker": {"sentence": {}}}),
    Case("all parts of a cost", {"content": "A", "usage": MANY}, gateway={"pricing": {"openai/gpt-4o": PRICE}}),
    Case("a reported cost", {"content": "A", "cost": 0.25}),
    Case("no cost", {"content": "A", "cost": None}),
    Case("a miss", "A", headers=CACHED),
    Case("a direct hit", "A", headers=CACHED, times=2),
    Case("a semantic miss", "A", gateway={"cache": {"semantic": True}}, headers=CACHED),
    Case("a semantic hit", "A", gateway=NEARLY, headers={**CACHED, "x-bf-cache-type": "semantic"}, times=2),
    Case("a raw answer of OpenAI", "A", gateway=RAW),
    Case("a raw answer in the gateway's", "A", {"model": "anthropic/claude-sonnet-4-5"}, gateway=RAW),
    Case("raw calls", {"tool_calls": [{"a": {}}]}, {"model": "anthropic/claude-sonnet-4-5"}, gateway=RAW),
    Case("a deployment", "A", {"model": "azure/gpt-4o"}, gateway=ALIASED),
    Case("headers of the provider", {"content": "A", "headers": {"openai-processing-ms": "5"}}),
)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_an_answer_is_as_documented(case: Case, version: ProfileName, stream: bool) -> None:
    session = session_with({"reply": case.reply}, version=version, gateway=case.gateway)
    body = chat(**{**case.request, "stream": stream})

    responses = [ask_in(session, body, headers=case.headers) for _time in range(case.times)]

    for response in responses:
        assert response.status == 200
        assert found_in(response) == []


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "x-bf-cache-key": st.just("k"),
        "x-bf-cache-type": st.sampled_from(["direct", "semantic"]),
        "x-bf-send-back-raw-request": st.just("true"),
        "x-bf-send-back-raw-response": st.just("true"),
        "x-bf-vk": st.just("sk-bf-a"),
    },
)


@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("name", PROVIDER_ERRORS)
def test_a_provider_error_is_as_documented(name: str, version: ProfileName) -> None:
    response = ask_in(session_with({"error": name}, version=version), chat())

    assert response.status == PROVIDER_ERRORS[name].status
    assert found_in(response) == []


@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("name", GATEWAY_ERRORS)
def test_a_gateway_error_is_as_documented(name: str, version: ProfileName) -> None:
    response = ask_in(session_with({"gateway_error": name}, version=version), chat())

    assert response.status >= 400
    assert found_in(response) == []


@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("body", [b"{", b"[]", b"", b'{"model": "gpt-4o"}', b'{"model": 1}'])
def test_the_answer_to_a_bad_request_is_as_documented(body: bytes, version: ProfileName) -> None:
    response = ask_in(session_with("Hello.", version=version), body)

    assert response.status >= 400
    assert found_in(response) == []


@given(REQUESTS, REPLIES, PACES, PRICES, HEADERS, st.booleans(), st.sampled_from(PROFILE_NAMES))
def test_whatever_is_asked_and_replied_is_as_documented(
    request: dict[str, Any],
    reply: dict[str, Any],
    pace: dict[str, Any],
    price: dict[str, Any],
    headers: dict[str, str],
    stream: bool,
    version: ProfileName,
) -> None:
    """No violation for any request that the documents allow and any reply that a scenario can write, from the cache too."""
    assert violations("request", request) == []

    gateway = {**PATIENT, "pricing": {"openai/*": price}, "cache": {"semantic": True, "threshold": 0.1}}
    session = session_with({"reply": reply, "pace": pace}, version=version, gateway=gateway)
    # OpenAI's own body goes out as it is, and a provider that reports its cost says a number.
    own = "x-bf-send-back-raw-response" in headers and isinstance(reply.get("cost"), float)
    for _time in range(2):
        response = ask_in(session, {**request, "stream": stream}, headers=headers)

        assert response.status == 200
        assert [one for one in found_in(response) if not (own and one.startswith("$.usage.cost: "))] == []


def test_a_violation_is_found() -> None:
    """The check itself: a wrong type anywhere is named by its place."""
    body = ask_in(session_with("Hello."), chat()).json()
    body["choices"][0]["message"]["content"] = 5
    body["usage"] |= {"total_tokens": "many", "cost": {"total_cost": "much"}}
    body["extra_fields"] |= {"raw_request": 5, "raw_response": [], "cache_debug": {"similarity": "near"}}

    assert sorted([line.partition(":")[0] for line in violations("answer", body)]) == [
        "$.choices[0].message.content",
        "$.extra_fields.cache_debug.similarity",
        "$.extra_fields.raw_request",
        "$.extra_fields.raw_response",
        "$.usage.cost.total_cost",
        "$.usage.total_tokens",
    ]
