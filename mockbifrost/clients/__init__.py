"""Ready-made clients of a session. A client's library is imported when one is made, and must be installed by then."""

from __future__ import annotations

from mockbifrost.clients import langchain, openai, pydantic_ai

__all__ = ["langchain", "openai", "pydantic_ai"]
