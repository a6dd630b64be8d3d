"""Clients of openai-python, 2 and 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mockbifrost.clients.needed import needed

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    from mockbifrost.api import Session

RETRIES = 2
"""As often as these clients ask again by themselves."""


def client(
    session: Session,
    *,
    api_key: str | None = None,
    max_retries: int = RETRIES,
    timeout: float | None = None,
    default_headers: Mapping[str, str] | None = None,
) -> OpenAI:
    """A client of the session; `api_key` is a virtual key where the test wants one. It takes no proxies from the environment.

    `timeout` is in seconds; None: the client's own. Raises UsageError where openai is not installed.
    """
    with needed("clients.openai.client", "openai", "openai"):
        import openai
    return openai.OpenAI(
        base_url=session.base_url,
        api_key=session.api_key if api_key is None else api_key,
        max_retries=max_retries,
        timeout=openai.NOT_GIVEN if timeout is None else timeout,
        default_headers=default_headers,
        http_client=openai.DefaultHttpxClient(trust_env=False),
    )


def async_client(
    session: Session,
    *,
    api_key: str | None = None,
    max_retries: int = RETRIES,
    timeout: float | None = None,
    default_headers: Mapping[str, str] | None = None,
) -> AsyncOpenAI:
    """A client of the session for async code. Each has connections of its own, so that one event loop's are never used in another one."""
    with needed("clients.openai.async_client", "openai", "openai"):
        import openai
    return openai.AsyncOpenAI(
        base_url=session.base_url,
        api_key=session.api_key if api_key is None else api_key,
        max_retries=max_retries,
        timeout=openai.NOT_GIVEN if timeout is None else timeout,
        default_headers=default_headers,
        http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
    )
