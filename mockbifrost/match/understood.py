"""Requests that were understood before: a client's retries, and tests and loads that ask the same again, are parsed once."""

from __future__ import annotations

from typing import Final

from mockbifrost.match.conversation import Conversation
from mockbifrost.values import value
from mockbifrost.wire.request import fingerprint, parse_body, validate

MOST_BODIES: Final = 512
MOST_BYTES: Final = 1_000_000
LARGEST: Final = 100_000
"""A larger body is not kept."""


@value
class Understood:
    """A body that was parsed and checked, and what identifies it."""

    conversation: Conversation
    fingerprint: bytes
    stream: bool


class Reader:
    """Understands bodies, and remembers the latest; bounded in number and bytes. Nothing in what it gives is ever changed."""

    def __init__(self) -> None:
        self._known: dict[bytes, Understood] = {}
        self._bytes = 0

    def read(self, body: bytes) -> Understood:
        """The request. Raises InvalidBody."""
        known = self._known.get(body)
        if known is None:
            parsed = parse_body(body)
            request = validate(parsed)
            known = Understood(Conversation(request, parsed), fingerprint(parsed), request.stream is True)
            if len(body) <= LARGEST:
                self._keep(body, known)
        return known

    def _keep(self, body: bytes, understood: Understood) -> None:
        if len(self._known) >= MOST_BODIES or self._bytes + len(body) > MOST_BYTES:
            self._known.clear()
            self._bytes = 0
        self._known[body] = understood
        self._bytes += len(body)
