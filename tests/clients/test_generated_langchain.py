"""A thousand generated requests through langchain-openai. Source of the table: clients.md 2 and 3."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from mockbifrost import Session
from tests.clients.generated import (
    FAULTS,
    FAULTY_BODIES,
    TIMEOUT_S,
    Allowed,
    Case,
    broke_off,
    headers_for,
    plans,
    prove,
    quiet_server,
    requests,
)

langchain_openai: Any = pytest.importorskip("langchain_openai", reason="langchain-openai is not installed")

ALLOWED = (
    Allowed("langchain_openai.OpenAIInvalidRequestError", (400,), "classes of its own, each openai's too"),
    Allowed("langchain_openai.OpenAIAuthenticationError", (401,), "as 400"),
    Allowed("langchain_openai.OpenAIPermissionDeniedError", (403,), "as 400"),
    Allowed("langchain_openai.OpenAIModelNotFoundError", (404,), "as 400"),
    Allowed("langchain_openai.OpenAIRateLimitError", (429,), "as 400, when the retries are spent"),
    Allowed("langchain_openai.OpenAIAPIError", (500, 502, 503, 504, 529), "as 400, when the retries are spent"),
    Allowed("openai.ConflictError", (409,), "openai's own, for what langchain has no class of its own"),
    Allowed("openai.UnprocessableEntityError", (422,), "as 409"),
    Allowed("openai.APIStatusError", (402, 408, 413, 499), "as 409"),
    Allowed("openai.APIError", (200,), "an error in the middle of a stream, after the text before it", broke_off),
)


def expressible(request: Mapping[str, Any]) -> dict[str, Any]:
    """The request with tool calls whose arguments are JSON: langchain reads them before it sends them."""
    messages = [dict(message) for message in request["messages"]]
    for message in messages:
        if "tool_calls" in message:
            message["tool_calls"] = [
                {
                    **call,
                    "function": {**call["function"], "arguments": json.dumps({"x": call["function"]["arguments"]})},
                }
                for call in message["tool_calls"]
            ]
    return {**request, "messages": messages}


def test_a_thousand_requests_raise_what_is_known(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_server(capfd) as server:
        model = langchain_openai.ChatOpenAI(
            model="gpt-4o", base_url=server.base_url, api_key="k", max_retries=0, timeout=TIMEOUT_S, stream_usage=True
        )

        def ask(session: Session, case: Case) -> None:
            parameters = {**case.request, **case.fault, "extra_headers": headers_for(session)}
            messages = parameters.pop("messages")
            if case.stream:
                for chunk in model.stream(messages, **parameters):
                    chunk.model_dump_json()
            else:
                model.invoke(messages, **parameters).model_dump_json()

        prove(server, ALLOWED, plans({**FAULTS, **FAULTY_BODIES}), requests().map(expressible), ask)
