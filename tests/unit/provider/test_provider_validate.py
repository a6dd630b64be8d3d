"""What a provider refuses: OpenAI's words, whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given

from mockbifrost.provider.validate import refusal_of
from mockbifrost.wire.request import validate
from tests.harness import ask, ask_in, chat, open_session, stubs
from tests.strategies import REQUESTS


def with_call(**changes: Any) -> dict[str, Any]:
    """A conversation whose one call has been changed; a key that is None is left out."""
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}} | changes
    kept = {key: value for key, value in call.items() if value is not None}
    return {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [kept]}, result("1")]}


def offering(parameters: Any, *, strict: bool | None = None) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": {"name": "f", "parameters": parameters, "strict": strict}}]}


def answering(schema: Any, *, strict: bool | None = None) -> dict[str, Any]:
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "f", "schema": schema, "strict": strict}}
    }


def choosing(**choice: Any) -> dict[str, Any]:
    custom = {"type": "custom", "custom": {"name": "shout"}}
    return {"tools": [TOOL, custom], "tool_choice": choice}


USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "look"}}


def calling(*ids: str) -> dict[str, Any]:
    calls = [{"id": id, "type": "function", "function": {"name": "look", "arguments": "{}"}} for id in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(id: str | None) -> dict[str, Any]:
    return {"role": "tool", "content": "x"} | ({} if id is None else {"tool_call_id": id})


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    more: Mapping[str, Any]
    message: str
    param: str | None
    code: str | None = None


SIX_ROLES = "'system', 'assistant', 'user', 'function', 'tool', and 'developer'"
ORPHAN = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
PATTERN = "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
INCOMPLETE_CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("id", {"id": None}),
    ("type", {"type": None}),
    ("function", {"function": None}),
    ("function.name", {"function": {"arguments": "{}"}}),
)
CASES = (
    Case(
        "no messages",
        {"messages": None},
        "Missing required parameter: 'messages'.",
        "messages",
        "missing_required_parameter",
    ),
    Case(
        "empty messages",
        {"messages": []},
        "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
        "messages",
        "empty_array",
    ),
    Case(
        "temperature",
        {"temperature": 2.5},
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 2.5 instead.",
        "temperature",
        "decimal_above_max_value",
    ),
    Case(
        "top_p",
        {"top_p": -1},
        "Invalid 'top_p': decimal below minimum value. Expected a value >= 0, but got -1 instead.",
        "top_p",
        "decimal_below_min_value",
    ),
    Case(
        "frequency_penalty",
        {"frequency_penalty": -2.1},
        "Invalid 'frequency_penalty': decimal below minimum value. Expected a value >= -2, but got -2.1 instead.",
        "frequency_penalty",
        "decimal_below_min_value",
    ),
    Case(
        "presence_penalty",
        {"presence_penalty": 3},
        "Invalid 'presence_penalty': decimal above maximum value. Expected a value <= 2, but got 3 instead.",
        "presence_penalty",
        "decimal_above_max_value",
    ),
    Case(
        "too many choices",
        {"n": 10_000_000},
        "Invalid 'n': integer above maximum value. Expected a value <= 128, but got 10000000 instead.",
        "n",
        "integer_above_max_value",
    ),
    Case(
        "no choices",
        {"n": 0},
        "Invalid 'n': integer below minimum value. Expected a value >= 1, but got 0 instead.",
        "n",
        "integer_below_min_value",
    ),
    Case(
        "max_tokens",
        {"max_tokens": 0},
        "Invalid 'max_tokens': integer below minimum value. Expected a value >= 1, but got 0 instead.",
        "max_tokens",
        "integer_below_min_value",
    ),
    Case(
        "top_logprobs",
        {"logprobs": True, "top_logprobs": 21},
        "Invalid 'top_logprobs': integer above maximum value. Expected a value <= 20, but got 21 instead.",
        "top_logprobs",
        "integer_above_max_value",
    ),
    Case(
        "top_logprobs alone",
        {"top_logprobs": 2},
        "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
        "top_logprobs",
    ),
    Case(
        "logit_bias",
        {"logit_bias": {"5": 101}},
        "Invalid value for 'logit_bias': '5' has the bias 101; a bias must be between -100 and 100.",
        "logit_bias",
    ),
    Case(
        "stop",
        {"stop": list("abcde")},
        "Invalid 'stop': array too long. Expected an array with maximum length 4, "
        "but got an array with length 5 instead.",
        "stop",
        "array_above_max_length",
    ),
    Case(
        "reasoning_effort",
        {"reasoning_effort": "much"},
        "Invalid value: 'much'. Supported values are: 'none', 'minimal', 'low', 'medium', 'high', and 'xhigh'.",
        "reasoning_effort",
        "invalid_value",
    ),
    Case(
        "stream_options",
        {"stream_options": {"include_usage": True}},
        "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        "stream_options",
    ),
    Case(
        "no role",
        {"messages": [USER, {"content": "x"}]},
        "Missing required parameter: 'messages[1].role'.",
        "messages[1].role",
        "missing_required_parameter",
    ),
    Case(
        "a role",
        {"messages": [{"role": "bot", "content": "x"}]},
        f"Invalid value: 'bot'. Supported values are: {SIX_ROLES}.",
        "messages[0].role",
        "invalid_value",
    ),
    Case(
        "no content",
        {"messages": [{"role": "user", "content": None}]},
        "Invalid value for 'content': expected a string, got null.",
        "messages.[0].content",
    ),
    Case(
        "a result without an id",
        {"messages": [calling("1"), result(None)]},
        "Missing parameter 'tool_call_id': messages with role 'tool' must have a 'tool_call_id'.",
        "messages.[1].tool_call_id",
    ),
    Case("a result without a call", {"messages": [USER, result("1")]}, ORPHAN, "messages.[1].role"),
    Case("a result twice", {"messages": [calling("1"), result("1"), result("1")]}, ORPHAN, "messages.[2].role"),
    Case(
        "a call without a result",
        {"messages": [USER, calling("1", "2"), result("2"), USER]},
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        "The following tool_call_ids did not have response messages: 1",
        "messages.[2].role",
    ),
    Case(
        "calls at the end",
        {"messages": [USER, calling("1", "2")]},
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        "The following tool_call_ids did not have response messages: 1, 2",
        "messages.[2].role",
    ),
    Case(
        "no tools",
        {"tools": []},
        "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.",
        "tools",
        "empty_array",
    ),
    Case(
        "too many tools",
        {"tools": [TOOL] * 129},
        "Invalid 'tools': array too long. Expected an array with maximum length "
        "128, but got an array with length 129 instead.",
        "tools",
        "array_above_max_length",
    ),
    Case(
        "a tool without a function",
        {"tools": [{"type": "function"}]},
        "Missing required parameter: 'tools[0].function'.",
        "tools[0].function",
        "missing_required_parameter",
    ),
    Case(
        "the name of a tool",
        {"tools": [TOOL, {"type": "function", "function": {"name": "a b"}}]},
        f"Invalid 'tools[1].function.name': {PATTERN}",
        "tools[1].function.name",
        "invalid_value",
    ),
    Case(
        "the parameters of a tool",
        {"tools": [{"type": "function", "function": {"name": "a", "parameters": {"x": 1}}}]},
        "Invalid schema for function 'a': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'.",
        "tools[0].function.parameters",
        "invalid_function_parameters",
    ),
    Case(
        "parallel_tool_calls",
        {"parallel_tool_calls": True},
        "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are specified.",
        "parallel_tool_calls",
    ),
    Case(
        "tool_choice without tools",
        {"tool_choice": "auto"},
        "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
        "tool_choice",
    ),
    Case(
        "tool_choice",
        {"tools": [TOOL], "tool_choice": "some"},
        "Invalid value: 'some'. Supported values are: 'none', 'auto', and 'required'.",
        "tool_choice",
        "invalid_value",
    ),
    Case(
        "tool_choice of another tool",
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "other"}}},
        "Invalid value for 'tool_choice': no function named 'other' was specified in the 'tools' parameter.",
        "tool_choice",
    ),
    Case(
        "response_format",
        {"response_format": {"type": "xml"}},
        "Invalid value: 'xml'. Supported values are: 'text', 'json_object', and 'json_schema'.",
        "response_format.type",
        "invalid_value",
    ),
    Case(
        "json_object",
        {"response_format": {"type": "json_object"}},
        "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
        "messages",
    ),
    Case(
        "json_schema",
        {"response_format": {"type": "json_schema"}},
        "Missing required parameter: 'response_format.json_schema'.",
        "response_format.json_schema",
        "missing_required_parameter",
    ),
    Case(
        "json_schema without a name",
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        "Missing required parameter: 'response_format.json_schema.name'.",
        "response_format.json_schema.name",
        "missing_required_parameter",
    ),
    Case(
        "the name of a schema",
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a b"}}},
        f"Invalid 'response_format.json_schema.name': {PATTERN}",
        "response_format.json_schema.name",
        "invalid_value",
    ),
    Case(
        "nested reasoning effort",
        {"reasoning": {"effort": "much"}},
        "Invalid value: 'much'. Supported values are: 'none', 'minimal', 'low', 'medium', 'high', and 'xhigh'.",
        "reasoning_effort",
        "invalid_value",
    ),
    Case(
        "no calls",
        {"messages": [{"role": "assistant", "content": "x", "tool_calls": []}]},
        "Invalid 'messages[0].tool_calls': empty array. "
        "Expected an array with minimum length 1, but got an empty array instead.",
        "messages[0].tool_calls",
        "empty_array",
    ),
    *[
        Case(
            f"a call without its {place}",
            with_call(**changes),
            f"Missing required parameter: 'messages[1].tool_calls[0].{place}'.",
            f"messages[1].tool_calls[0].{place}",
            "missing_required_parameter",
        )
        for place, changes in INCOMPLETE_CALLS
    ],
    Case(
        "a result without content",
        {"messages": [calling("1"), {"role": "tool", "tool_call_id": "1", "content": None}]},
        "Invalid value for 'content': expected a string, got null.",
        "messages.[1].content",
    ),
    Case(
        "a tool with a long name",
        {"tools": [{"type": "function", "function": {"name": "a" * 65}}]},
        "Invalid 'tools[0].function.name': string too long. Expected a string with maximum length 64, "
        "but got a string with length 65 instead.",
        "tools[0].function.name",
        "string_above_max_length",
    ),
    Case(
        "a tool without a name",
        {"tools": [{"type": "function", "function": {"name": ""}}]},
        "Invalid 'tools[0].function.name': empty string. Expected a string with minimum length 1, "
        "but got an empty string instead.",
        "tools[0].function.name",
        "empty_string",
    ),
    *[
        Case(
            f"schema {number}: {problem[:30]}",
            offering(schema, strict=strict),
            f"Invalid schema for function 'f': {problem}",
            "tools[0].function.parameters",
            "invalid_function_parameters",
        )
        for number, (schema, strict, problem) in enumerate(
            (
                ({"type": "array"}, None, "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'."),
                (
                    {"type": "object", "properties": {"a": {"type": "strin"}}},
                    None,
                    "'strin' is not valid under any of the given schemas.",
                ),
                (
                    {"type": "object", "properties": {"a": {"type": []}}},
                    None,
                    "[] is not valid under any of the given schemas.",
                ),
                ({"type": "object", "properties": []}, None, "[] is not of type 'object'."),
                ({"type": "object", "properties": {"a": "text"}}, None, "'text' is not of type 'object', 'boolean'."),
                ({"type": "object", "required": None}, None, "None is not of type 'array'."),
                ({"type": "object", "required": [1]}, None, "1 is not of type 'string'."),
                ({"type": "object", "properties": {"a": {"minLength": True}}}, None, "True is not of type 'integer'."),
                ({"type": "object", "anyOf": []}, None, "[] should be non-empty."),
                (
                    {"type": "object", "properties": {"a": {"anyOf": [{"type": "array"}]}}},
                    None,
                    "In context=('properties', 'a', 'anyOf', '0'), array schema missing items.",
                ),
                (
                    {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "array"}}}},
                    None,
                    "In context=('properties', 'a', 'items'), array schema missing items.",
                ),
                (
                    {"type": "object", "properties": {}},
                    True,
                    "In context=(), 'additionalProperties' is required to be supplied and to be false.",
                ),
                (
                    {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
                    True,
                    "In context=(), 'required' is required to be supplied and to be an array including every key "
                    "in properties. Missing 'a'.",
                ),
                (
                    {"type": "object", "required": ["b"], "additionalProperties": False},
                    True,
                    "In context=(), 'required' is required to be supplied and to be an array including every key "
                    "in properties. Extra required key 'b' supplied.",
                ),
                (
                    {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False},
                    True,
                    "In context=('properties', 'a'), schema must have a 'type' key.",
                ),
                (
                    {"type": "object", "oneOf": [{}], "additionalProperties": False},
                    True,
                    "In context=(), 'oneOf' is not permitted.",
                ),
            )
        )
    ],
    Case(
        "the schema of an answer",
        answering({"type": "array", "items": {}}),
        "Invalid schema for response_format 'f': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'.",
        "response_format",
    ),
    Case(
        "the strict schema of an answer",
        answering({"type": "object"}, strict=True),
        "Invalid schema for response_format 'f': In context=(), 'additionalProperties' is required to be supplied and "
        "to be false.",
        "response_format",
    ),
    Case(
        "tool_choice of a kind",
        choosing(type="some"),
        "Invalid value: 'some'. Supported values are: 'function', 'allowed_tools', and 'custom'.",
        "tool_choice.type",
        "invalid_value",
    ),
    Case(
        "tool_choice of a custom tool",
        choosing(type="custom", custom={"name": "look"}),
        "Invalid value for 'tool_choice': no custom tool named 'look' was specified in the 'tools' parameter.",
        "tool_choice",
    ),
    Case(
        "tool_choice of another allowed tool",
        choosing(
            type="allowed_tools",
            allowed_tools={"mode": "auto", "tools": [{"type": "function", "function": {"name": "x"}}]},
        ),
        "Invalid value for 'tool_choice': no function named 'x' was specified in the 'tools' parameter.",
        "tool_choice",
    ),
    *[
        Case(
            f"tool_choice without {place}",
            choosing(**choice),
            f"Missing required parameter: 'tool_choice.{place}'.",
            f"tool_choice.{place}",
            "missing_required_parameter",
        )
        for place, choice in (
            ("function", {"type": "function"}),
            ("function.name", {"type": "function", "function": {}}),
            ("custom", {"type": "custom"}),
            ("allowed_tools", {"type": "allowed_tools"}),
            ("allowed_tools.tools", {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}),
            ("allowed_tools.tools[0].function", {"type": "allowed_tools", "allowed_tools": {"tools": [5]}}),
        )
    ],
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_bad_request_is_refused_in_openais_words(case: Case) -> None:
    response = ask(stubs("- reply: x"), {**chat(), **case.more})

    assert (response.status, response.json()["is_bifrost_error"]) == (400, False)
    wanted = {"type": "invalid_request_error", "code": case.code, "message": case.message, "param": case.param}
    assert response.error == {key: value for key, value in wanted.items() if value is not None}


GOOD: tuple[Mapping[str, Any], ...] = (
    {"temperature": 0, "top_p": 1, "frequency_penalty": -2, "presence_penalty": 2, "n": 128, "max_tokens": 1},
    {"logprobs": True, "top_logprobs": 20, "logit_bias": {"1": -100, "2": 100}, "stop": list("abcd"), "seed": -1},
    {"stop": "one", "reasoning_effort": "none", "stream": True, "stream_options": {"include_usage": True}},
    {"messages": [USER, calling("1", "2"), result("2"), result("1"), {"role": "assistant", "content": "ok"}, USER]},
    {"messages": [{"role": "assistant", "content": None, "refusal": "no"}, USER]},
    {"messages": [{"role": "assistant", "content": None, "audio": {"id": "a"}}, USER]},
    {"messages": [{"role": "function", "name": "f", "content": "x"}]},
    {
        "tools": [TOOL] * 128,
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": False,
    },
    {"tools": [{"type": "custom", "custom": {"name": "x"}}], "tool_choice": "required"},
    {"tool_choice": "none"},
    {"messages": [{"role": "user", "content": "as JSON"}], "response_format": {"type": "json_object"}},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "A-1_b"}}},
    {"response_format": {"type": "text"}},
    # pydantic-ai, the OpenAI SDK, langchain, litellm, the AI SDK:
    {"messages": [{"role": "developer", "content": "x"}, {"role": "user", "content": [{"type": "text", "text": "y"}]}]},
    {"messages": [USER, {**calling("1"), "content": ""}, result("1")]},
    {"messages": [USER, {"role": "assistant", "tool_calls": calling("1")["tool_calls"]}, result("1"), USER]},
    {"messages": [USER, {"role": "assistant", "content": "", "tool_calls": None, "refusal": None}, USER]},
    {"messages": [USER, {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}}]},
    {
        "messages": [
            USER,
            calling("1"),
            {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "x"}]},
        ]
    },
    {"messages": [USER, calling("1"), {"role": "tool", "tool_call_id": "1", "content": "", "name": "look"}]},
    {"messages": [USER, calling("1"), result("1"), calling("1"), result("1")]},
    with_call(type="custom", function=None, custom={"name": "shout", "input": "x"}),
    with_call(index=0, function={"name": "look", "arguments": "not JSON"}),
    {"reasoning": {"effort": "high"}, "max_completion_tokens": 1, "verbosity": "low", "store": False, "metadata": {}},
    {"stream": True, "modalities": ["text"], "service_tier": "auto", "parallel_tool_calls": None, "tools": None},
    offering(None),
    offering({}),
    offering({"type": "object", "properties": {}}, strict=False),
    offering('{"type": "object"}'),
    offering({"$ref": "#/$defs/N", "$defs": {"N": {"type": "object", "properties": {"n": {"$ref": "#/$defs/N"}}}}}),
    offering(
        {
            "type": "object",
            "properties": {"a": {"type": ["string", "null"]}, "b": True, "c": {"type": "array", "items": {}}},
        }
    ),
    offering(
        {"type": "object", "properties": {"p": {"type": "array", "prefixItems": [{"type": "integer"}], "maxItems": 1}}}
    ),
    offering(
        {
            "type": "object",
            "properties": {
                "a": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "b": {"$ref": "#/$defs/B"},
                "c": {"enum": [1]},
            },
            "required": ["a", "b", "c"],
            "additionalProperties": False,
            "$defs": {"B": {"type": "object", "properties": {}, "additionalProperties": False}},
        },
        strict=True,
    ),
    answering({"type": "object", "properties": {"a": {"type": "string"}}}),
    answering({"type": "object", "properties": {}, "required": [], "additionalProperties": False}, strict=True),
    *[{"tools": [TOOL], "tool_choice": choice} for choice in ("auto", "none", "required")],
    *[choosing(type=kind) for kind in ("auto", "none", "required", "any")],
    choosing(type="custom", custom={"name": "shout"}),
    choosing(
        type="allowed_tools",
        allowed_tools={
            "mode": "required",
            "tools": [
                {"type": "function", "function": {"name": "look"}},
                {"type": "custom", "custom": {"name": "shout"}},
            ],
        },
    ),
)


@pytest.mark.parametrize("more", GOOD)
def test_a_request_at_the_bounds_is_answered(more: Mapping[str, Any]) -> None:
    assert refusal_of(validate({**chat(), **more})) is None


@given(REQUESTS)
def test_a_good_request_is_never_refused(body: dict[str, Any]) -> None:
    assert refusal_of(validate(body)) is None


def test_a_refusal_spends_no_stub_and_is_no_miss() -> None:
    session = open_session(stubs("- {reply: once, times: 1}"))

    refused = ask_in(session, chat(n=0))

    assert (refused.status, refused.entry.error) == (400, None)
    assert ask_in(session, chat()).text == "once"


def test_a_refusal_falls_back_and_the_primarys_is_returned() -> None:
    response = ask(stubs("- reply: x"), chat(n=0, fallbacks=["groq/llama"]))

    assert response.status == 400
    assert [trace.provider for trace in response.exchange.outcome.trail] == ["openai", "groq"]
    assert response.json()["extra_fields"]["provider"] == "openai"


LAX = "gateway: {providers: {openai: {validate: false}}}"


@pytest.mark.parametrize("more", [{"messages": None}, {"messages": []}, {"n": 0}, {"temperature": 9}, {"tools": []}])
def test_a_provider_that_does_not_validate_answers_whatever_comes(more: Mapping[str, Any]) -> None:
    assert ask(stubs("- reply: x", before=LAX), {**chat(), **more}).text == "x"


def test_but_never_more_choices_than_there_can_be() -> None:
    """Else one request could keep the server busy for ever."""
    body = ask(stubs("- reply: x", before=LAX), chat(n=2**62)).json()

    assert len(body["choices"]) == 128


def test_a_provider_that_does_not_validate_answers_whatever_is_asked() -> None:
    off = "gateway: {providers: {openai: {validate: false}, groq: {}}}"
    scenario = stubs("- reply: x", before=off)

    assert ask(scenario, chat(n=0)).text == "x"
    assert ask(scenario, chat(n=0, model="groq/llama")).status == 400


def test_a_fallback_that_does_not_validate_answers_what_the_primary_refused() -> None:
    off = "gateway: {providers: {openai: {}, groq: {validate: false}}}"
    response = ask(stubs("- reply: x", before=off), chat(temperature=3, fallbacks=["groq/llama"]))

    assert (response.status, response.text) == (200, "x")


def test_a_refusal_of_a_stream_is_no_stream() -> None:
    response = ask(stubs("- reply: x"), chat(n=0, stream=True))

    assert (response.status, response.error["param"]) == (400, "n")
