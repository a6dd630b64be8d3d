"""The models listing, in OpenAI's form: what the configured providers offer. Source: gateway-behaviour.md 5, wire.md 9."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from mockbifrost.clock import EPOCH_S
from mockbifrost.gateway.configuration import Gateway, allowed
from mockbifrost.gateway.denied import Denied
from mockbifrost.gateway.governance import admitted
from mockbifrost.gateway.refusals import denied_error
from mockbifrost.gateway.targets import Target
from mockbifrost.wire.envelope import WireError
from mockbifrost.wire.headers import RequestHeaders
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


def listing(gateway: Gateway, headers: RequestHeaders, provider: str | None = None) -> JsonObject | WireError:
    """What a client may ask: with a virtual key only what that allows. `provider`: of this one alone.

    A refusal where the virtual key is none, or does not allow the provider. Source: gateway-behaviour.md 4.3.
    """
    key = admitted(gateway, headers)
    name = gateway.profile.name
    if isinstance(key, Denied):
        return denied_error(key, name, Target(provider or "", ""))
    rights = key.providers if key is not None else None
    if provider is not None and rights is not None and provider not in rights:
        fills = {"virtual_key": key.name} if key is not None else {}
        return denied_error(Denied("provider_blocked", fills), name, Target(provider, ""))
    offered = {
        one: rules.models
        for one, rules in gateway.providers.items()
        if provider in (None, one) and (rights is None or one in rights)
    }
    return models_json(offered, rights)


def models_json(
    providers: Mapping[str, Iterable[str]], rights: Mapping[str, tuple[str, ...]] | None = None
) -> JsonObject:
    """The list; `providers` maps each name to its models, `*` for whatever it has; `rights` to those (globs) that may be asked."""
    rows: list[Json] = []
    for provider, models in providers.items():
        names: dict[str, None] = {}
        for model in models:
            if model == "*":
                names.update(dict.fromkeys(_OFFERED.get(provider, ())))
            elif "*" not in model and "?" not in model:
                names[model] = None
        rows += [
            {"id": f"{provider}/{name}", "object": "model", "owned_by": provider, "created": EPOCH_S}
            for name in names
            if rights is None or allowed(name, rights[provider])
        ]
    return {"object": "list", "data": rows}
