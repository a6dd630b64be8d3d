"""Every field of the gateway's page about the endpoint is sent by a shipped scenario or a case below, plain and streamed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mockbifrost import MockBifrost
from tests.harness import ask_in, chat, session_with
from tests.test_scenarios import CASES, FOLDER, Desk, play

PAGE = Path(__file__).resolve().parents[2] / "shared" / "reference" / "endpoint-page.txt"
FIELDS = re.findall(
    r"\S+",
    """
    id created model object service_tier system_fingerprint
    choices[].index choices[].finish_reason choices[].text
    choices[].log_probs.content[].bytes[] choices[].log_probs.content[].logprob choices[].log_probs.content[].token
    choices[].log_probs.content[].top_logprobs[].bytes[] choices[].log_probs.content[].top_logprobs[].logprob
    choices[].log_probs.content[].top_logprobs[].token
    choices[].log_probs.refusal[].bytes[] choices[].log_probs.refusal[].logprob choices[].log_probs.refusal[].token
    choices[].log_probs.text_offset[] choices[].log_probs.token_logprobs[] choices[].log_probs.tokens[]
    choices[].log_probs.top_logprobs[]
    choices[].message.name choices[].message.content choices[].message.tool_call_id choices[].message.refusal
    choices[].message.audio.id choices[].message.audio.data choices[].message.audio.expires_at
    choices[].message.audio.transcript choices[].message.reasoning
    choices[].message.reasoning_details[].id choices[].message.reasoning_details[].index
    choices[].message.reasoning_details[].summary choices[].message.reasoning_details[].text
    choices[].message.reasoning_details[].signature choices[].message.reasoning_details[].data
    choices[].message.annotations[].type choices[].message.annotations[].url_citation.start_index
    choices[].message.annotations[].url_citation.end_index choices[].message.annotations[].url_citation.title
    choices[].message.annotations[].url_citation.url choices[].message.annotations[].url_citation.sources
    choices[].message.annotations[].url_citation.type
    choices[].message.tool_calls[].function.name choices[].message.tool_calls[].function.arguments
    choices[].message.tool_calls[].index choices[].message.tool_calls[].type choices[].message.tool_calls[].id
    choices[].delta.role choices[].delta.content choices[].delta.refusal
    choices[].delta.audio.id choices[].delta.audio.data choices[].delta.audio.expires_at choices[].delta.audio.transcript
    choices[].delta.reasoning
    choices[].delta.reasoning_details[].id choices[].delta.reasoning_details[].index
    choices[].delta.reasoning_details[].summary choices[].delta.reasoning_details[].text
    choices[].delta.reasoning_details[].signature choices[].delta.reasoning_details[].data
    choices[].delta.tool_calls[].function.name choices[].delta.tool_calls[].function.arguments
    choices[].delta.tool_calls[].index choices[].delta.tool_calls[].type choices[].delta.tool_calls[].id
    usage.prompt_tokens usage.prompt_tokens_details.text_tokens usage.prompt_tokens_details.audio_tokens
    usage.prompt_tokens_details.image_tokens usage.prompt_tokens_details.cached_read_tokens
    usage.prompt_tokens_details.cached_write_tokens
    usage.completion_tokens usage.completion_tokens_details.text_tokens
    usage.completion_tokens_details.accepted_prediction_tokens usage.completion_tokens_details.audio_tokens
    usage.completion_tokens_details.citation_tokens usage.completion_tokens_details.num_search_queries
    usage.completion_tokens_details.reasoning_tokens usage.completion_tokens_details.image_tokens
    usage.completion_tokens_details.rejected_prediction_tokens usage.total_tokens
    usage.cost.input_tokens_cost usage.cost.output_tokens_cost usage.cost.reasoning_tokens_cost
    usage.cost.citation_tokens_cost usage.cost.search_queries_cost usage.cost.request_cost usage.cost.total_cost
    extra_fields.request_type extra_fields.model_requested extra_fields.model_deployment extra_fields.latency
    extra_fields.chunk_index extra_fields.raw_request extra_fields.raw_response
    extra_fields.cache_debug.cache_hit extra_fields.cache_debug.cache_id extra_fields.cache_debug.hit_type
    extra_fields.cache_debug.requested_provider extra_fields.cache_debug.requested_model
    extra_fields.cache_debug.provider_used extra_fields.cache_debug.model_used extra_fields.cache_debug.input_tokens
    extra_fields.cache_debug.threshold extra_fields.cache_debug.similarity
    search_results[].title search_results[].url search_results[].date search_results[].last_updated
    search_results[].snippet search_results[].source
    videos[].url videos[].thumbnail_url videos[].thumbnail_width videos[].thumbnail_height videos[].duration
    citations[]
    """,
)
"""The fields of the page's example."""
ONLY_PLAIN = ("choices[].message", "choices[].text")
"""Parts that no chunk has: a text completion's choice is none of the chat endpoint's, and comes here only by `body`."""
ONLY_STREAMED = ("choices[].delta",)


@dataclass(frozen=True, slots=True)
class Sends:
    """A reply with fields that no shipped scenario has, or a gateway that adds them; all `asked` are sent, in order."""

    id: str
    reply: Mapping[str, Any]
    gateway: Mapping[str, Any] = field(default_factory=dict)
    asked: Sequence[Mapping[str, Any]] = (chat(logprobs=True),)
    headers: Mapping[str, str] = field(default_factory=dict)


def counts(**details: int) -> dict[str, Any]:
    return {"prompt_tokens": 100, "completion_tokens": 100, "completion_tokens_details": details}


PRICE = {"input": 1, "output": 2, "reasoning": 3, "citation": 4, "search": 0.5, "request": 0.25}
ENTRY = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}
REPLIES = (
    Sends("further keys of the message", {"content": "Hi", "message": {"name": "desk", "tool_call_id": "call_1"}}),
    Sends(
        "log probabilities of a refusal and of completions",
        {
            "refusal": "Hi",
            "logprobs": {
                "refusal": [ENTRY],
                "text_offset": [0],
                "token_logprobs": [-0.1],
                "tokens": ["Hi"],
                "top_logprobs": [{"Hi": -0.1}],
            },
        },
    ),
    Sends(
        "details of reasoning",
        {
            "content": "Hi",
            "reasoning": "Hm.",
            "reasoning_details": [
                {"index": 0, "id": "rs_1", "type": "reasoning.summary", "summary": "S"},
                {"index": 1, "type": "reasoning.text", "text": "Hm.", "signature": "c2ln"},
                {"index": 2, "type": "reasoning.encrypted", "data": "ZGF0YQ=="},
            ],
        },
    ),
    Sends(
        "sources of an annotation",
        {
            "content": "Hi",
            "annotations": [
                {
                    "type": "url_citation",
                    "url_citation": {
                        "start_index": 0,
                        "end_index": 2,
                        "title": "T",
                        "type": "page",
                        "sources": {"a": 1},
                    },
                }
            ],
        },
    ),
    Sends(
        "details of the usage",
        {
            "content": "Hi",
            "service_tier": "flex",
            "usage": {
                "prompt_tokens": 15,
                "prompt_tokens_details": {
                    "text_tokens": 1,
                    "audio_tokens": 2,
                    "image_tokens": 3,
                    "cached_read_tokens": 4,
                    "cached_write_tokens": 5,
                },
                "completion_tokens": 36,
                "completion_tokens_details": {
                    "text_tokens": 1,
                    "accepted_prediction_tokens": 2,
                    "audio_tokens": 3,
                    "citation_tokens": 4,
                    "num_search_queries": 5,
                    "reasoning_tokens": 6,
                    "image_tokens": 7,
                    "rejected_prediction_tokens": 8,
                },
            },
        },
    ),
    Sends(
        "all of what a search finds",
        {
            "content": "Hi",
            "search_results": [
                {"title": "T", "url": "u", "date": "d", "last_updated": "l", "snippet": "s", "source": "web"},
            ],
            "videos": [
                {"url": "u", "thumbnail_url": "t", "thumbnail_width": 1, "thumbnail_height": 2, "duration": 3},
            ],
        },
    ),
    Sends(
        "all parts of a cost",
        {"content": "Hi", "usage": counts(reasoning_tokens=10, citation_tokens=20, num_search_queries=3)},
        {
            "pricing": {
                "openai/gpt-4o": PRICE,
            },
        },
    ),
    Sends(
        "a semantic hit",
        {"content": "Hi"},
        {"cache": {"semantic": True, "similar": [["refund please", "I want my money back", 0.93]]}},
        [chat("refund please"), chat("I want my money back")],
        {"x-bf-cache-key": "k"},
    ),
    Sends(
        "what went to the provider and came back",
        {"content": "Hi"},
        {"raw": {"request": True, "response": True}},
        [chat(model="anthropic/claude-sonnet-4-5")],
    ),
    Sends(
        "a deployment",
        {"content": "Hi"},
        {"providers": {"azure": {"keys": [{"name": "main", "aliases": {"gpt-4o": "our-gpt"}}]}}},
        [chat(model="azure/gpt-4o")],
    ),
    Sends("the text of a completion", {"content": "Hi", "body": {"choices": [{"text": "Hi"}]}}),
)


def paths_of(value: Any, path: str = "") -> Iterator[str]:
    """Every field that a JSON value has, down to its leaves; what is null is not sent. Entries of lists share a path."""
    if isinstance(value, Mapping):
        if path:
            yield path
        for key, inner in value.items():
            yield from paths_of(inner, f"{path}.{key}".strip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from paths_of(inner, f"{path}[]")
    elif value is not None:
        yield path


def leaves_of(value: Any, path: str = "") -> Iterator[str]:
    """The fields of an example that hold no others."""
    inner = value.items() if isinstance(value, Mapping) else ()
    if isinstance(value, list):
        yield from leaves_of(value[0], f"{path}[]")
    elif inner:
        for key, one in inner:
            yield from leaves_of(one, f"{path}.{key}".strip("."))
    else:
        yield path


def is_within(path: str, parts: tuple[str, ...]) -> bool:
    return any(path == part or path.startswith((f"{part}.", f"{part}[")) for part in parts)


def sent_by(bodies: list[str]) -> set[str]:
    """The fields of all chunks or answers."""
    found: set[str] = set()
    for body in bodies:
        for text in re.findall(r"^data: (\{.*\})$", body, re.MULTILINE) or [body]:
            found |= set(paths_of(json.loads(text)))
    return found


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "streamed"])
def sent(request: pytest.FixtureRequest) -> tuple[bool, set[str]]:
    """Whether streams, and all fields that were sent: by the shipped scenarios, and by the replies above."""
    stream: bool = request.param
    bodies: list[str] = []

    def keep(response: httpx2.Response) -> None:
        response.read()
        completion = response.url.path.endswith("/chat/completions") and response.status_code == 200
        if completion and "raw" not in response.headers.get("x-mockbifrost-stub", ""):
            bodies.append(response.text)

    hooks = {"response": [keep]}
    with MockBifrost(scenarios=[FOLDER]) as server, httpx2.Client(trust_env=False, event_hooks=hooks) as client:
        for case in CASES:
            with server.session(verify=False) as session:
                play(case, Desk(server, client, session, case.session), stream=stream)
    for one in REPLIES:
        session_of_one = session_with({"reply": one.reply}, gateway=one.gateway)
        for body in one.asked:
            response = ask_in(session_of_one, {**body, "stream": stream}, headers=one.headers)
            assert response.status == 200
            bodies.append(response.body.decode())
    return stream, sent_by(bodies)


def test_every_field_of_the_page_is_sent(sent: tuple[bool, set[str]]) -> None:
    stream, found = sent
    elsewhere = ONLY_PLAIN if stream else ONLY_STREAMED
    wanted = {path for path in FIELDS if not is_within(path, elsewhere)}

    assert sorted(wanted - found) == []


@pytest.mark.skipif(not PAGE.is_file(), reason="the page lies only beside the project's own checkout")
def test_the_fields_are_those_of_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    example, _end = json.JSONDecoder().raw_decode(text[text.index("{") :])

    assert set(leaves_of(example)) ^ set(FIELDS) == set()
