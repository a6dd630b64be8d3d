"""A thousand generated requests through litellm. Source of the table: clients.md 2 and 3."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import strategies as st
from openai import OpenAI

from mockbifrost import Session
from tests.clients.generated import (
    FAULTS,
    FAULTY_BODIES,
    TIMEOUT_S,
    Allowed,
    Case,
    Plan,
    Seen,
    broke_off,
    headers_for,
    plans,
    prove,
    quiet_server,
    requests,
)
from tests.clients.litellm_here import QUIET, litellm

pytestmark = QUIET


def in_parts(seen: Seen) -> bool:
    """Whether the provider answered with content parts; the gateway joins those of the first choice only."""
    return "'type': 'text'" in repr(seen.case.behaviour)


ALLOWED = (
    Allowed("litellm.BadRequestError", (400, 422), "litellm maps openai's by status"),
    Allowed("litellm.ContextWindowExceededError", (400,), "it maps code and message too"),
    Allowed("litellm.AuthenticationError", (401,), "as 400"),
    Allowed("litellm.NotFoundError", (404,), "as 400"),
    Allowed("litellm.Timeout", (408, 504), "as 400, when its retries are spent"),
    Allowed("litellm.RateLimitError", (429,), "as 400, when its retries are spent"),
    Allowed("litellm.InternalServerError", (500,), "as 400, when its retries are spent"),
    Allowed("litellm.BadGatewayError", (502,), "as 400, when its retries are spent"),
    Allowed("litellm.ServiceUnavailableError", (503,), "as 400, when its retries are spent"),
    Allowed("litellm.APIError", (402, 403, 409, 413, 499, 529), "the statuses without a class of their own"),
    Allowed("litellm.InternalServerError", (200,), "content as a list of parts", in_parts),
    Allowed("litellm.MidStreamFallbackError", (200,), "an error in the middle of a stream", broke_off),
)


PARTS: Final = Plan(
    "parts",
    st.just({"reply": {"choices": [{"content": "a"}, {"content": [{"type": "text", "text": "b"}]}]}}),
    6,
    fault={"n": 2},
)
"""What draws of choices come to only now and then."""


def test_a_thousand_requests_raise_what_is_known(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litellm, "suppress_debug_info", True)

    with (
        quiet_server(capfd, " - LiteLLM:WARNING: ") as server,
        OpenAI(base_url=server.base_url, api_key="k", max_retries=0) as client,
    ):

        def ask(session: Session, case: Case) -> None:
            answer = litellm.completion(
                **{**case.request, "model": "openai/gpt-4o"},
                extra_body=dict(case.fault),  # else litellm mends some of them
                client=client,
                stream=case.stream,
                extra_headers=headers_for(session),
                max_retries=0,
                allowed_openai_params=["reasoning_effort"],  # it knows that gpt-4o does not reason
                timeout=TIMEOUT_S,
            )
            if case.stream:
                for _chunk in answer:
                    pass

        prove(server, ALLOWED, (*plans({**FAULTS, **FAULTY_BODIES}), PARTS), requests(), ask)
