"""A thousand generated requests through openai-python 2 and 3, sync and async."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from mockbifrost import Session
from tests.clients.generated import (
    FAULTS,
    FAULTY_BODIES,
    OPENAI_STATUSES,
    TIMEOUT_S,
    Case,
    headers_for,
    plans,
    prove,
    quiet_server,
    requests,
)


def arguments(session: Session, case: Case) -> dict[str, Any]:
    return {**case.request, **case.fault, "stream": case.stream, "extra_headers": headers_for(session)}


def test_a_thousand_requests_raise_what_is_known(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        quiet_server(capfd) as server,
        asyncio.Runner() as runner,
        OpenAI(base_url=server.base_url, api_key="k", max_retries=0, timeout=TIMEOUT_S) as client,
    ):
        async_client = AsyncOpenAI(base_url=server.base_url, api_key="k", max_retries=0, timeout=TIMEOUT_S)

        def ask(session: Session, case: Case) -> None:
            answer = client.chat.completions.create(**arguments(session, case))
            if case.stream:
                for chunk in answer:
                    chunk.model_dump_json()

        async def ask_async(session: Session, case: Case) -> None:
            answer = await async_client.chat.completions.create(**arguments(session, case))
            if case.stream:
                async for chunk in answer:
                    chunk.model_dump_json()

        prove(
            server,
            OPENAI_STATUSES,
            plans({**FAULTS, **FAULTY_BODIES}),
            requests(),
            ask,
            lambda session, case: runner.run(ask_async(session, case)),
        )
        runner.run(async_client.close())
