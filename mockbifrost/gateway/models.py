"""The models listing, in OpenAI's form: what the configured providers offer. Source: gateway-behaviour.md 5, wire.md 9."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from mockbifrost.clock import EPOCH_S
from mockbifrost.wire.jsontypes import Json, JsonObject

_OFFERED: Final[Mapping[str, tuple[str, ...]]] = {
    "openai": ("gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini", "gpt-5", "gpt-5-mini", "o4-mini"),
    "anthropic": ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"),
    "gemini": ("gemini-2.5-pro", "gemini-2.5-flash"),
    "mistral": ("mistral-large-latest", "mistral-small-latest"),
    "groq": ("llama-3.3-70b-versatile",),
    "deepseek": ("deepseek-chat", "deepseek-reasoner"),
    "perplexity": ("sonar", "sonar-pro"),
    "xai": ("grok-4",),
    "cohere": ("command-a-03-2025",),
}
"""What stands for "every model" of a provider."""


def models_json(providers: Mapping[str, Iterable[str]]) -> JsonObject:
    """The list; `providers` maps each name to its models, `*` for whatever it has."""
    rows: list[Json] = []
    for provider, models in providers.items():
        names: dict[str, None] = {}
        for model in models:
            if model == "*":
                names.update(dict.fromkeys(_OFFERED.get(provider, ())))
            elif "*" not in model and "?" not in model:
                names[model] = None
        rows += [
            {"id": f"{provider}/{name}", "object": "model", "owned_by": provider, "created": EPOCH_S} for name in names
        ]
    return {"object": "list", "data": rows}
