"""What is wrong with cassettes that can be played all the same, on their own and beside the scenarios that they are served with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Literal

from mockbifrost.cassette.interaction import Cassette, Interaction
from mockbifrost.cassette.redact import Redactor
from mockbifrost.cassette.review import review_cassette
from mockbifrost.errors import Finding
from mockbifrost.scenario.loaded import LoadedScenario
from mockbifrost.session.assembly import assemble
from mockbifrost.session.explain import explain
from mockbifrost.session.registry import DEFAULT, Sessions
from mockbifrost.wire.request import InvalidBody

MOST_SECRETS: Final = 10
"""Of more secrets in a file the rest is only counted."""


def review_cassettes(
    cassettes: Sequence[Cassette], scenarios: Sequence[LoadedScenario], now: datetime, redactor: Redactor
) -> list[Finding]:
    """Secrets, age, repetitions, recordings that nothing plays. The scenarios must be usable."""
    found: list[Finding] = []
    for cassette in cassettes:
        found += cassette.warnings
        found += review_cassette(cassette, now=now)
        found += _secrets(cassette, redactor)
    return [*found, *_hidden(cassettes, scenarios)] if scenarios else found


def _secrets(cassette: Cassette, redactor: Redactor) -> list[Finding]:
    rows = [
        _finding(
            interaction, f"holds what looks like a secret: {secret.kind} in the {secret.where} ({secret.hint})", "error"
        )
        for interaction in cassette.interactions
        for secret in redactor.secrets_in(interaction)
    ]
    hint = "withdraw the key, and take it out with `mockbifrost convert --to mockbifrost`"
    told = [replace(row, hint=hint) for row in rows[:MOST_SECRETS]]
    if len(rows) > MOST_SECRETS:
        more = f"and {len(rows) - MOST_SECRETS} more places of this file hold what looks like a secret"
        told.append(Finding(cassette.file, 0, 0, "", more, hint))
    return told


def _hidden(cassettes: Sequence[Cassette], scenarios: Sequence[LoadedScenario]) -> Iterator[Finding]:
    """Recordings whose request a stub answers, so that they are never played."""
    assembly = assemble(scenarios)
    session = Sessions(assembly.common, assembly.named).find(DEFAULT)
    assert session is not None  # there always is one
    for cassette in cassettes:
        for interaction in cassette.interactions:
            if not interaction.request.is_chat:
                continue
            try:
                stub = explain(session, interaction.request.body).answers
            except InvalidBody:
                continue
            if stub is not None and not stub.replays:
                text = f"is never played: stub {stub.ref.label!r} ({stub.ref.place}) answers its request"
                yield replace(
                    _finding(interaction, text, "warning"),
                    hint="narrow the `when` of the stub, or remove the recording",
                )


def _finding(interaction: Interaction, message: str, severity: Literal["error", "warning"]) -> Finding:
    column = 1 if interaction.line else 0
    return Finding(
        interaction.file, interaction.line, column, "", f"interaction {interaction.number} {message}", severity=severity
    )
