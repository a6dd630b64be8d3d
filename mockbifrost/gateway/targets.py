"""Where a request goes: provider and model, and the fallbacks after them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from mockbifrost.values import value

DEFAULT_PROVIDER: Final = "openai"
"""Who serves a model without a prefix on this route. Source: gateway-behaviour.md 5."""


@value
class Target:
    """One provider to ask, and the model as it is named there, without a prefix."""

    provider: str
    model: str


def parse_model(text: str, known: Collection[str]) -> Target:
    """Split at the first `/`, only where what stands before it is a known provider; else the whole text is the model's name."""
    prefix, slash, rest = text.partition("/")
    if slash and prefix in known:
        return Target(prefix, rest)
    return Target(DEFAULT_PROVIDER if text and DEFAULT_PROVIDER in known else "", text)


def parse_fallbacks(texts: Collection[str], known: Collection[str]) -> tuple[Target, ...]:
    """The fallbacks of a request. One that names no known provider and a model is dropped. Source: gateway-behaviour.md 1.1."""
    found: list[Target] = []
    for text in texts:
        prefix, slash, rest = text.partition("/")
        if slash and rest and prefix in known:
            found.append(Target(prefix, rest))
    return tuple(found)


def default_key(provider: str) -> str:
    """The name of the one key that a provider has where none is configured."""
    return f"{provider}-key-1"
