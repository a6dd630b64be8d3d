"""Settings of the gateway that change nothing, or that nobody can tell apart. Only what is certain is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mockbifrost.gateway.configuration import allowed
from mockbifrost.vocabulary.node import Problem, shortened
from mockbifrost.vocabulary.settings import GatewaySettings

Path = tuple[str | int, ...]
Found = Iterator[tuple[Path, Problem]]
"""What is wrong, each with its path inside the settings."""


def without_effect(written: GatewaySettings, whole: GatewaySettings) -> Found:
    """What one file says in vain; `whole` is what all files of its session say together."""
    if written.cache.similar and not whole.cache.semantic:
        problem = Problem("has no effect: only the same request is found", "write `semantic: true`, or remove it")
        yield ("cache", "similar"), problem
    yield from _aliases(written)
    yield from _globs(written, whole)
    yield from _names(written, whole)


def _aliases(written: GatewaySettings) -> Found:
    """Aliases of models that their key is never used for."""
    for name, provider in (written.providers or {}).items():
        for number, key in enumerate(provider.keys or ()):
            for model in key.aliases:
                if not allowed(model, key.models):
                    text = f"is never used: `models` keeps this key from {shortened(model)!r}"
                    problem = Problem(text, "add the model to `models`, or remove the alias")
                    yield ("providers", name, "keys", number, "aliases", model), problem


def _globs(written: GatewaySettings, whole: GatewaySettings) -> Found:
    """Globs that another one leaves nothing to, and those where only a name makes sense."""
    sections = (("fallbacks", written.fallbacks, whole.fallbacks), ("pricing", written.pricing, whole.pricing))
    for section, own, models in sections:
        for model, taker in _behind_another(tuple(models)):
            if model in own:
                text = f"is never used: {taker!r} stands before it and fits whatever this one fits"
                yield (section, model), Problem(text, "move this one up")
    for model, others in written.fallbacks.items():
        for number, other in enumerate(others):
            if "*" in other:
                problem = Problem(f"{other!r} is asked for by just this name", "name a model: a fallback is no glob")
                yield ("fallbacks", model, number), problem


def _behind_another(models: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each glob behind one that ends with its only star, as most do, and fits all that it fits; with that one."""
    takers: list[str] = []
    for model in models:
        if "*" not in model:
            continue
        taker = next((one for one in takers if model.startswith(one[:-1])), None)
        if taker is not None:
            yield model, taker
        elif not set("*?[") & set(model[:-1]):
            takers.append(model)


def _names(written: GatewaySettings, whole: GatewaySettings) -> Found:
    """Virtual keys with the name of another one."""
    known: dict[str, str] = {}
    for value, key in (whole.virtual_keys or {}).items():
        name = key.name or value
        if known.setdefault(name, value) != value and value in (written.virtual_keys or {}):
            text = f"the name {shortened(name)!r} is that of another virtual key, too"
            hint = "give it a name of its own: the journal and the ledger go by it"
            yield ("virtual_keys", value, "name"), Problem(text, hint)
