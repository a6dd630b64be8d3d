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
from tests.strategies import PACES, PATIENT, REPLIES, REQUESTS

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
    id: str
    reply: Any
    request: Mapping[str, Any] = field(default_factory=dict)


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
)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_an_answer_is_as_documented(case: Case, version: ProfileName, stream: bool) -> None:
    session = session_with({"reply": case.reply}, version=version)

    response = ask_in(session, chat(**{**case.request, "stream": stream}))

    assert response.status == 200
    assert found_in(response) == []


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


@given(REQUESTS, REPLIES, PACES, st.booleans(), st.sampled_from(PROFILE_NAMES))
def test_whatever_is_asked_and_replied_is_as_documented(
    request: dict[str, Any], reply: dict[str, Any], pace: dict[str, Any], stream: bool, version: ProfileName
) -> None:
    """No violation for any request that the documents allow and any reply that a scenario can write."""
    assert violations("request", request) == []

    session = session_with({"reply": reply, "pace": pace}, version=version, gateway=PATIENT)
    response = ask_in(session, {**request, "stream": stream})

    assert response.status == 200
    assert found_in(response) == []


def test_a_violation_is_found() -> None:
    """The check itself: a wrong type anywhere is named by its place."""
    body = ask_in(session_with("Hello."), chat()).json()
    body["choices"][0]["message"]["content"] = 5
    body["usage"]["total_tokens"] = "many"

    assert [line.partition(":")[0] for line in violations("answer", body)] == [
        "$.choices[0].message.content",
        "$.usage.total_tokens",
    ]
