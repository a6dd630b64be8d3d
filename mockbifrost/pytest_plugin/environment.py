"""The variables by which clients and child processes find a session."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import pytest

    from mockbifrost.api import Session

_HERE: Final = ("127.0.0.1", "localhost", "::1")
_ELSEWHERE: Final = (
    "OPENAI_ORG_ID",  # openai, openai-node, langchain: whose bill it is
    "OPENAI_ORGANIZATION",  # langchain, litellm
    "OPENAI_PROJECT_ID",
    "OPENAI_CUSTOM_HEADERS",
    "OPENAI_PROXY",  # langchain
    "OPENAI_API_TYPE",  # langchain, litellm: `azure` builds other paths
    "OPENAI_API_VERSION",
)
"""Variables of a real account: they would go out with each request, or lead elsewhere."""


def point(session: Session, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Set the variables, and take away those that lead elsewhere; the patch puts back what was there. What was set, by name.

    `OPENAI_BASE_URL` is read by openai, pydantic-ai, LangChain, LiteLLM and the clients for Node, `OPENAI_API_BASE` by LangChain,
    LiteLLM and older clients. Source: clients.md 4. Proxies stay for all other hosts.
    """
    hosts = dict.fromkeys([*_HERE, urlsplit(session.url).hostname or ""])
    told = {
        "OPENAI_BASE_URL": session.base_url,
        "OPENAI_API_BASE": session.base_url,
        "OPENAI_API_KEY": session.api_key,
        "MOCKBIFROST_URL": session.url,
        "OPENAI_AGENTS_DISABLE_TRACING": "1",  # else traces go to OpenAI, with the key above
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else litellm fetches prices while it is imported
    }
    for name in ("NO_PROXY", "no_proxy"):
        told[name] = _with(os.environ.get(name, ""), [host for host in hosts if host])
    for name in _ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    for name, text in told.items():
        monkeypatch.setenv(name, text)
    return told


def _with(listed: str, hosts: list[str]) -> str:
    """Hosts without a proxy: those listed, and ours."""
    before = [host.strip() for host in listed.split(",") if host.strip()]
    return ",".join([*before, *[host for host in hosts if host not in before and "*" not in before]])
