"""Asks an upstream what a cassette recorded, one request after the other, and compares."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mockbifrost.cassette.drift import Drifted, drift
from mockbifrost.cassette.interaction import Interaction
from mockbifrost.serve.fetch import Fetch
from mockbifrost.serve.upstream import Patience, Upstream, posted
from mockbifrost.serve.upstream_settings import UpstreamSettings


async def ask_again(
    interactions: Sequence[Interaction], settings: UpstreamSettings, told: Callable[[Interaction], None]
) -> list[tuple[Interaction, tuple[Drifted, ...]]]:
    """Each interaction with what has changed in its answer; `told` is called before each is asked.

    An upstream that can't be asked, or breaks off, is a difference like any other.
    """
    upstream = Upstream(settings)
    found: list[tuple[Interaction, tuple[Drifted, ...]]] = []
    try:
        for interaction in interactions:
            told(interaction)
            found.append((interaction, await _compared(upstream, interaction)))
    finally:
        await upstream.close()
    return found


async def _compared(upstream: Upstream, interaction: Interaction) -> tuple[Drifted, ...]:
    settings = upstream.settings
    headers = [
        (name.encode("latin-1", "replace"), text.encode("latin-1", "replace"))
        for name, text in interaction.request.headers
    ]
    request = posted(settings, headers, interaction.request.body)
    fetch = Fetch(upstream, request, Patience(settings.timeout_s, settings.timeout_s))
    fetch.join()
    await fetch.end()
    if fetch.broke is not None:
        said = f"no answer: {settings.origin} {fetch.broke.cause}"
        return (Drifted("body", "", "error", "an answer", said),)
    return drift(interaction, fetch.response())
