"""Requests that have come in, as matchers see them: what fits a request now fits it in the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from mockbifrost.gateway.targets import DEFAULT_PROVIDER, parse_model
from mockbifrost.match.attempt import Attempt, Moment
from mockbifrost.match.conversation import Conversation
from mockbifrost.match.expectation import Expectation, Mismatch
from mockbifrost.seeds import Draws
from mockbifrost.session.journal import Entry
from mockbifrost.wire.redact import redact_text
from mockbifrost.wire.request import InvalidBody, parse_body, validate

NEVER: Final = Moment(0.0, 0, 0, 0)
SAID: Final = 60
"""So many characters of what a request says are shown in a line about it."""


class Tried(Protocol):
    """What is known of an attempt afterwards."""

    @property
    def provider(self) -> str:
        """Who was asked."""
        ...

    @property
    def model(self) -> str:
        """For what."""
        ...

    @property
    def key(self) -> str | None:
        """With which key."""
        ...

    @property
    def number(self) -> int:
        """Which try at this target, from 0."""
        ...

    @property
    def fallback(self) -> int:
        """Which target, from 0."""
        ...


def conversation_of(body: object) -> Conversation | None:
    """The body of a request, understood; None where it can't be."""
    if not isinstance(body, Mapping):
        return None
    try:
        return Conversation(validate(body), body)
    except InvalidBody:
        return None


def attempts_of(
    conversation: Conversation, headers: Mapping[str, str], trail: Sequence[Tried], virtual_key_name: str | None
) -> list[Attempt]:
    """The attempts of a request; where nobody was asked, the one that would have been made first."""

    def attempt(provider: str, model: str, key: str | None = None, number: int = 0, fallback: int = 0) -> Attempt:
        draws = Draws(0, b"", provider=provider)
        return Attempt(
            conversation, headers, provider, model, NEVER, draws, key, number, fallback, virtual_key_name, None
        )

    if not trail:
        target = parse_model(conversation.request.model, (DEFAULT_PROVIDER,))
        return [attempt(target.provider, target.model)]
    return [attempt(one.provider, one.model, one.key, one.number, one.fallback) for one in trail]


def differences(expectation: Expectation, attempts: Sequence[Attempt]) -> tuple[Mismatch, ...]:
    """What differs at the attempt that comes nearest; empty: one fits."""
    return min([expectation.mismatches(one) for one in attempts], key=len)


def entry_differences(expectation: Expectation, entry: Entry) -> tuple[Mismatch, ...] | None:
    """What differs in a request of the journal; None where its body can't be understood."""
    conversation = conversation_of(entry.body)
    if conversation is None:
        return None
    outcome = entry.outcome
    trail = outcome.trail if outcome is not None else ()
    name = outcome.virtual_key.name if outcome is not None and outcome.virtual_key is not None else None
    return differences(expectation, attempts_of(conversation, entry.headers, trail, name))


def said(conversation: Conversation | None) -> str:
    """The last message of a request in a few words, without secrets: `user 'Refund, please'`."""
    if conversation is None:
        return "a body that can't be understood"
    last = conversation.last
    if last is None:
        return "no messages"
    calls = [call.function.name or "?" for call in last.tool_calls or () if call.function is not None]
    if calls:
        return f"{last.role} calls {', '.join(calls)}"
    text = redact_text(last.text() or "")
    return f"{last.role} {text!r}" if len(text) <= SAID else f"{last.role} {text[:SAID]!r}…"


def said_in(body: bytes) -> str:
    """The same of a body that nobody has read yet."""
    try:
        return said(conversation_of(parse_body(body)))
    except InvalidBody:
        return said(None)
