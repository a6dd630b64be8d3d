"""Chat models of LangChain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mockbifrost.clients.needed import needed
from mockbifrost.clients.openai import RETRIES

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

    from mockbifrost.api import Session


def chat_model(
    session: Session,
    model: str,
    *,
    api_key: str | None = None,
    max_retries: int = RETRIES,
    timeout: float | None = None,
    default_headers: Mapping[str, str] | None = None,
    temperature: float | None = None,
) -> ChatOpenAI:
    """A chat model of the session; `api_key` is a virtual key where the test wants one, `timeout` is in seconds.

    Streams have their usage. It takes no proxies from the environment. Raises UsageError where langchain-openai is not installed.
    """
    with needed("clients.langchain.chat_model", "langchain-openai", "langchain_openai"):
        import openai
        from langchain_openai import ChatOpenAI
        from pydantic import SecretStr
    return ChatOpenAI(
        model_name=model,
        openai_api_base=session.base_url,
        openai_api_key=SecretStr(session.api_key if api_key is None else api_key),
        max_retries=max_retries,
        request_timeout=timeout,
        default_headers=default_headers,
        temperature=temperature,
        stream_usage=True,
        http_client=openai.DefaultHttpxClient(trust_env=False),
        http_async_client=openai.DefaultAsyncHttpxClient(trust_env=False),
    )
