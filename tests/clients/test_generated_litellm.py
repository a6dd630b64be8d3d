"""A thousand generated requests through litellm. Source of the table: clients.md 2 and 3."""

from __future__ import annotations

import os
from typing import Any

import pytest

from mockbifrost import Session
from tests.clients.generated import (
    FAULTS,
    FAULTY_BODIES,
    TIMEOUT_S,
    Allowed,
    Case,
    Seen,
    broke_off,
    headers_for,
    plans,
    prove,
    quiet_server,
    requests,
)

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches prices from GitHub while it is imported
litellm: Any = pytest.importorskip("litellm", reason="litellm is not installed")

pytestmark = [  # what litellm does on its first call
    pytest.mark.filterwarnings("ignore:There is no current event loop:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning"),
]

ALLOWED: tuple[Allowed, ...] = ()


def test_a_thousand_requests_raise_what_is_known(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litellm, "suppress_debug_info", True)  # noqa: FBT003
    from openai import OpenAI

    with quiet_server(capfd) as server, OpenAI(base_url=server.base_url, api_key="k", max_retries=0) as client:

        def ask(session: Session, case: Case) -> None:
            body = {**case.request, **case.fault}
            answer = litellm.completion(
                **{**body, "model": "openai/gpt-4o"},
                client=client,
                stream=case.stream,
                extra_headers=headers_for(session),
                max_retries=0,
                timeout=TIMEOUT_S,
            )
            if case.stream:
                for chunk in answer:
                    chunk.model_dump_json()
            else:
                answer.model_dump_json()

        prove(server, ALLOWED, plans({**FAULTS, **FAULTY_BODIES}), requests(), ask)
