"""A thousand generated questions through instructor. Source of the table: clients.md 2 and 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import openai
import pytest
from hypothesis import strategies as st
from openai import OpenAI

from mockbifrost import Session
from tests.clients.generated import (
    FAULTS,
    FAULTY_BODIES,
    OPENAI_STATUSES,
    TIMEOUT_S,
    Allowed,
    Case,
    Seen,
    Stop,
    Trip,
    headers_for,
    plans,
    prove,
    quiet_server,
    requests,
)

instructor: Any = pytest.importorskip("instructor", reason="instructor is not installed")


GivenUp: Any = pytest.importorskip("instructor.core").InstructorRetryException


MODES: Final = ("TOOLS", "JSON", "JSON_SCHEMA", "MD_JSON")
MODELS: Final[Mapping[str, Any]] = {"model": Trip, "small": Stop}


def limited(request: Mapping[str, Any]) -> bool:
    """Whether an answer may be cut."""
    return bool(request.keys() & {"max_tokens", "stop"})


def unlike_what_was_asked(seen: Seen) -> bool:
    """Whether the answer is scripted, is cut, or was asked for in words alone, which `auto` does not read."""
    asked = seen.case.request
    return seen.case.kind != "auto" or limited(asked["request"]) or asked["mode"] == "MD_JSON"


def cut(seen: Seen) -> bool:
    """Whether the answer ends at a limit."""
    return "'length'" in repr(seen.case.behaviour) or limited(seen.case.request["request"])


GIVEN_UP: Final = "instructor.InstructorRetryException"
ALLOWED: tuple[Allowed, ...] = (
    *OPENAI_STATUSES,  # the causes of GIVEN_UP
    Allowed(GIVEN_UP, (200,), "an answer that is no value of the model", unlike_what_was_asked),
    Allowed("instructor.IncompleteOutputException", (200,), "not in clients.md: an answer that ends at a limit", cut),
)


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    """A request without tools of its own, and how instructor makes it one for a model."""
    request = dict(draw(requests()))
    for key in ("tools", "tool_choice", "parallel_tool_calls", "n"):
        request.pop(key, None)
    how = {"mode": draw(st.sampled_from(MODES)), "response_model": draw(st.sampled_from(sorted(MODELS)))}
    return {"request": request, **how}


def test_a_thousand_questions_raise_what_is_known(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        quiet_server(capfd) as server,
        OpenAI(base_url=server.base_url, api_key="k", max_retries=0, timeout=TIMEOUT_S) as client,
    ):
        clients = {mode: instructor.from_openai(client, mode=getattr(instructor.Mode, mode)) for mode in MODES}

        def ask(session: Session, case: Case) -> None:
            asked = case.request
            parameters = {
                **asked["request"],
                "response_model": MODELS[asked["response_model"]],
                "max_retries": 1,
                "extra_headers": headers_for(session),
                "extra_body": dict(case.fault),
            }
            completions = clients[asked["mode"]].chat.completions
            try:
                if case.stream:
                    for partial in completions.create_partial(**parameters):
                        partial.model_dump_json()
                else:
                    completions.create(**parameters).model_dump_json()
            except GivenUp as error:
                if isinstance(error.__cause__, openai.APIError):
                    raise error.__cause__ from None
                raise

        prove(server, ALLOWED, plans({**FAULTS, **FAULTY_BODIES}), questions(), ask)
