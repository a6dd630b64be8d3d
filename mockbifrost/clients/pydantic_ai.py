"""Models and providers of pydantic-ai."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mockbifrost.clients.needed import needed
from mockbifrost.clients.openai import RETRIES, async_client

if TYPE_CHECKING:
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
    from pydantic_ai.providers.openai import OpenAIProvider

    from mockbifrost.api import Session

_PACKAGE = "pydantic-ai-slim[openai]"


def provider(
    session: Session,
    *,
    api_key: str | None = None,
    max_retries: int = RETRIES,
    timeout: float | None = None,
    default_headers: Mapping[str, str] | None = None,
) -> OpenAIProvider:
    """A provider that reaches the session; `api_key` is a virtual key where the test wants one, `timeout` is in seconds.

    Its connections are its own: pydantic-ai's are shared by all event loops of a process. Raises UsageError where pydantic-ai is not
    installed.
    """
    with needed("clients.pydantic_ai.provider", _PACKAGE, "pydantic_ai"):
        from pydantic_ai.providers.openai import OpenAIProvider
    client = async_client(
        session, api_key=api_key, max_retries=max_retries, timeout=timeout, default_headers=default_headers
    )
    return OpenAIProvider(openai_client=client)


def model(
    session: Session,
    name: str,
    *,
    api_key: str | None = None,
    max_retries: int = RETRIES,
    timeout: float | None = None,
    default_headers: Mapping[str, str] | None = None,
    settings: OpenAIChatModelSettings | None = None,
) -> OpenAIChatModel:
    """A model for `Agent(…)`: `gpt-4o`, or with the gateway's provider before it, `anthropic/claude-sonnet-4-5`."""
    with needed("clients.pydantic_ai.model", _PACKAGE, "pydantic_ai"):
        from pydantic_ai.models.openai import OpenAIChatModel
    reached = provider(
        session, api_key=api_key, max_retries=max_retries, timeout=timeout, default_headers=default_headers
    )
    return OpenAIChatModel(name, provider=reached, settings=settings)
