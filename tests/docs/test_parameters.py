"""docs/parameters.md has a row for every parameter of the request, and each row is true."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import NoneType
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from mockbifrost.wire.request import ChatRequest
from tests.docs.reader import ROOT
from tests.harness import Response, ask, chat, stubs

OTHERS = "any other"
AUTO = stubs("- auto: true")
SCRIPTED = stubs("- reply: Hello there, how are you?")
TOOL = {"type": "function", "function": {"name": "look"}}
JSON_FORMAT = {"type": "json_object"}


@dataclass(frozen=True, slots=True)
class Row:
    parameter: str
    accepted: str
    refused: str
    auto: str
    scripted: str


def rows() -> dict[str, Row]:
    lines = (ROOT / "docs/parameters.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    return {row[0].strip("`"): Row(*row) for row in cells[1:]}


ROWS = rows()
ACCEPTED: dict[object, str] = {str: "text", bool: "true or false", int: "whole number", float: "number", NoneType: ""}
GOOD: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "bye"}],
    "stream": True,
    "fallbacks": ["groq/llama"],
    "max_tokens": 3,
    "max_completion_tokens": 3,
    "temperature": 0.5,
    "top_p": 0.5,
    "top_k": 5,
    "frequency_penalty": 1,
    "presence_penalty": 1,
    "logit_bias": {"5": 1},
    "logprobs": True,
    "top_logprobs": 2,
    "n": 2,
    "seed": 5,
    "stop": ["there", "answer"],
    "service_tier": "flex",
    "response_format": JSON_FORMAT,
    "tools": [TOOL],
    "tool_choice": "none",
    "parallel_tool_calls": False,
    "store": True,
    "reasoning_effort": "low",
    "reasoning": {"effort": "low"},
    "reasoning_max_tokens": 100,
    "modalities": ["text"],
    "stream_options": {"include_usage": True},
}
"""A value of each parameter; of those left out, any text or object does."""
BESIDE: dict[str, dict[str, Any]] = {
    "top_logprobs": {"logprobs": True},
    "tool_choice": {"tools": [TOOL]},
    "parallel_tool_calls": {"tools": [TOOL, {"type": "function", "function": {"name": "see"}}]},
    "stream_options": {"stream": True},
    "max_completion_tokens": {"max_tokens": 5},
    "response_format": {"messages": [{"role": "user", "content": "as JSON"}]},
}
"""What a parameter needs beside it to be taken, or to show what it does."""
BAD: dict[str, Any] = {
    "messages": [],
    "max_tokens": 0,
    "max_completion_tokens": 0,
    "temperature": 3,
    "top_p": 2,
    "frequency_penalty": 3,
    "presence_penalty": -3,
    "logit_bias": {"5": 101},
    "top_logprobs": 21,
    "n": 0,
    "stop": list("abcde"),
    "response_format": {"type": "xml"},
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning_effort": "much",
    "reasoning": {"effort": "much"},
    "stream_options": {"include_usage": True},
}
ELSEWHERE = {"stream", "stream_options", "fallbacks"}
"""Parameters that have tests of their own below."""
NOTHING = "\N{EN DASH}"


def kind_of(annotation: Any) -> str:
    """A type in the words of the page."""
    if get_origin(annotation) is list:
        (item,) = get_args(annotation)
        return f"list of {kind_of(item)}s"
    if get_origin(annotation) is dict:
        return "object of numbers" if get_args(annotation)[1] is not Any else "object"
    if get_origin(annotation) is not None and float in get_args(annotation):
        return "number"
    if get_args(annotation):
        return " or ".join(filter(None, map(kind_of, get_args(annotation))))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "object"
    return ACCEPTED[annotation]


def value_for(name: str) -> Any:
    return GOOD.get(name, {"a": 1} if ROWS[name].accepted == "object" else "some")


def with_and_without(scenario: str, name: str) -> tuple[Response, Response]:
    """What is answered to a request without the parameter, and with it."""
    body = {**chat(), **BESIDE.get(name, {})}
    key = "some_key" if name == OTHERS else name
    return ask(scenario, body), ask(scenario, {**body, key: value_for(name)})


def said(response: Response) -> Any:
    """What a plain answer or a stream says, without what is drawn from the fingerprint."""
    assert response.status == 200, response.body
    if response.exchange.outcome.stream:
        return response.text, response.chunks[-1]["choices"][0]["finish_reason"]
    body = response.json()
    return body["choices"], body.get("service_tier"), body["model"]


def test_every_parameter_has_a_row_in_the_order_of_the_model() -> None:
    assert list(ROWS) == [*ChatRequest.model_fields, OTHERS]


@pytest.mark.parametrize("name", ChatRequest.model_fields)
def test_a_parameter_is_accepted_as_its_row_says(name: str) -> None:
    assert kind_of(ChatRequest.model_fields[name].annotation) == ROWS[name].accepted


def test_a_wrong_type_is_the_gateways_to_refuse() -> None:
    for name in ChatRequest.model_fields:
        response = ask(SCRIPTED, {**chat(), name: "5" if ROWS[name].accepted in ("number", "whole number") else 5})

        assert (response.status >= 400, response.error["message"]) == (True, "Invalid JSON"), name


@pytest.mark.parametrize("name", ROWS)
def test_a_provider_refuses_what_the_row_says_and_nothing_else(name: str) -> None:
    assert (name in BAD) == (not ROWS[name].refused.startswith(NOTHING))
    if name in BAD:
        beside = BESIDE.get(name, {}) if name == "top_logprobs" else {}
        response = ask(SCRIPTED, {**chat(), **beside, name: BAD[name]})

        assert (response.status, response.error["type"]) == (400, "invalid_request_error")
        assert response.json()["is_bifrost_error"] is False


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.scripted.startswith("none")])
def test_a_scripted_reply_is_not_altered(name: str) -> None:
    without, given = with_and_without(SCRIPTED, name)

    assert said(given) == said(without)


@pytest.mark.parametrize(
    "name", [name for name, row in ROWS.items() if not row.scripted.startswith("none") and name not in ELSEWHERE]
)
def test_the_answer_around_a_scripted_reply_is_altered(name: str) -> None:
    without, given = with_and_without(SCRIPTED, name)

    assert given.body != without.body
    assert given.text == without.text


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.auto == "words"])
def test_auto_only_says_other_words(name: str) -> None:
    without, given = with_and_without(AUTO, name)
    texts = [response.text for response in (without, given)]

    assert texts[0] != texts[1]
    assert [text.startswith("An answer to “hi”. ") for text in texts] == [True, True]
    shapes = [json.dumps(said(response)).replace(json.dumps(response.text), "") for response in (without, given)]
    assert shapes[0] == shapes[1]


def shape(response: Response) -> Any:
    """What kind of answer it is."""
    body = response.json()
    choices = [
        (
            choice["finish_reason"],
            sorted(choice["message"]),
            str(choice["message"]["content"])[:22],
            len(choice["message"].get("tool_calls", ())),
            [len(entry["top_logprobs"]) for entry in (choice.get("logprobs") or {}).get("content", ())][:1],
        )
        for choice in body["choices"]
    ]
    return choices, body.get("service_tier"), body["model"]


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.auto != "words" and name not in ELSEWHERE])
def test_auto_heeds_it(name: str) -> None:
    """More than other words comes of it; that it is what the row says, the tests of `auto` show."""
    without, given = with_and_without(AUTO, name)

    assert shape(given) != shape(without)


@pytest.mark.parametrize("scenario", [AUTO, SCRIPTED], ids=["auto", "scripted"])
def test_how_it_is_sent_alters_no_word(scenario: str) -> None:
    without, streamed = with_and_without(scenario, "stream")
    plainly, with_options = with_and_without(scenario, "stream_options")

    assert streamed.text == without.text
    assert plainly.body == with_options.body == streamed.body


@pytest.mark.parametrize("scenario", [AUTO, SCRIPTED], ids=["auto", "scripted"])
def test_fallbacks_are_asked_where_the_primary_refuses(scenario: str) -> None:
    response = ask(scenario, chat(n=0, fallbacks=["groq/llama"]))

    assert [trace.provider for trace in response.exchange.outcome.trail] == ["openai", "groq"]
