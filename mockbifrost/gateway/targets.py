"""Where a request goes: provider and model, and the fallbacks after them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import Final

from mockbifrost.gateway.configuration import Gateway
from mockbifrost.values import value
from mockbifrost.vocabulary.providers import KNOWN_PROVIDERS

DEFAULT_PROVIDER: Final = "openai"
"""Who serves a model without a prefix on this route. Source: gateway-behaviour.md 5."""
_OWN_NAMES: Final = frozenset(KNOWN_PROVIDERS)


@value
class Target:
    """One provider to ask, and the model as it is named there, without a prefix."""

    provider: str
    model: str


def parse_model(text: str, configured: Collection[str]) -> Target:
    """Split at the first `/`, only where what stands before it names a provider; else the whole text is the model's name.

    The gateway's own names count whether they are configured or not.
    """
    prefix, slash, rest = text.partition("/")
    if slash and (prefix in configured or prefix in _OWN_NAMES):
        return Target(prefix, rest)
    return Target(DEFAULT_PROVIDER if text and DEFAULT_PROVIDER in configured else "", text)


def fallbacks_of(wanted: Sequence[str] | None, primary: Target, gateway: Gateway) -> tuple[Target, ...]:
    """The fallbacks of a request, else those of the settings for its model (exact names first, then globs).

    One that names no configured provider and a model is skipped. Source: gateway-behaviour.md 1.1.
    """
    texts: Sequence[str] = wanted or ()
    if not texts and gateway.fallbacks:
        asked = f"{primary.provider}/{primary.model}"
        globs = [others for model, others in gateway.fallbacks.items() if fnmatchcase(asked, model)]
        texts = gateway.fallbacks.get(asked, globs[0] if globs else ())
    found: list[Target] = []
    for text in texts:
        prefix, slash, rest = text.partition("/")
        if slash and rest and prefix in gateway.providers:
            found.append(Target(prefix, rest))
    return tuple(found)
