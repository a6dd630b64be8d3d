"""Whatever valid request is sent: `auto` answers as the OpenAPI files say, with arguments that satisfy their schemas, the same twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mockbifrost.wire.profiles import ProfileName
from tests.golden.openapi import ROOT, violations
from tests.harness import PROFILE_NAMES, ask_in, folded, session_with
from tests.schemas import PARAMETERS
from tests.strategies import NAMES, REQUESTS

pytestmark = pytest.mark.skipif(
    not ROOT.is_dir(), reason="the OpenAPI files lie only beside the project's own checkout"
)


@st.composite
def tool_requests(draw: st.DrawFn) -> dict[str, Any]:
    """Requests with tools that have parameters, choices among them, and answers in a format."""
    found = dict(draw(REQUESTS))
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    found.pop("tools", None)
    found.pop("parallel_tool_calls", None)
    if names:
        found["tools"] = [
            {"type": "function", "function": {"name": name, "parameters": draw(PARAMETERS)}} for name in names
        ]
        named = [{"type": "function", "function": {"name": name}} for name in names]
        allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": named[:1]}}
        choice = draw(st.sampled_from([None, "auto", "none", "required", allowed, *named]))
        found |= {"tool_choice": choice} if choice is not None else {}
        found["parallel_tool_calls"] = draw(st.booleans())
    if draw(st.booleans()):
        schema = {"name": "answer", "schema": draw(PARAMETERS)}
        found["response_format"] = {"type": "json_schema", "json_schema": schema}
    return found


@settings(max_examples=40)
@given(tool_requests(), st.sampled_from(PROFILE_NAMES))
def test_auto_answers_whatever_is_asked_as_documented(request: dict[str, Any], version: ProfileName) -> None:
    plain, again = [ask_in(session_with({"auto": True}, version=version), request) for _time in range(2)]
    streamed, resumed = [
        ask_in(session_with({"auto": True}, version=version), {**request, "stream": True}) for _time in range(2)
    ]

    assert (plain.status, streamed.status) == (200, 200), plain.body
    assert (plain.body, streamed.body) == (again.body, resumed.body)
    body = plain.json()
    assert violations("answer", body) == []
    assert [line for chunk in streamed.chunks for line in violations("chunk", chunk)] == []
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in request.get("tools", ())}
    for choice in body["choices"]:
        message, said = choice["message"], folded(streamed.deltas(choice["index"]))
        calls = [call["function"] for call in message.get("tool_calls", ())]
        assert [(call["name"], call["arguments"]) for call in calls] == [
            (call["name"], call["arguments"]) for call in said.get("tool_calls", ())
        ]
        assert (message["content"] or "", message.get("reasoning")) == (said.get("content", ""), said.get("reasoning"))
        for call in calls:
            errors = Draft202012Validator(schemas[call["name"]]).iter_errors(json.loads(call["arguments"]))
            assert [error.message for error in errors] == []
        if not calls and "response_format" in request and choice["finish_reason"] == "stop" and not request.get("stop"):
            schema = request["response_format"]["json_schema"]["schema"]
            assert Draft202012Validator(schema).is_valid(json.loads(message["content"]))
