"""What is compared: one ask of a provider, with the request it is made for."""

from __future__ import annotations

from collections.abc import Mapping

from mockbifrost.match.conversation import Conversation
from mockbifrost.seeds import Draws
from mockbifrost.values import value
from mockbifrost.wire.headers import virtual_key
from mockbifrost.wire.request import ChatRequest


@value
class Moment:
    """When and how often: what an attempt knows of its call and its session.

    `elapsed_s` is the session's clock plus the call's scripted waits so far; `request_index` counts the requests of the call.
    """

    elapsed_s: float
    created: int
    occurrence: int
    request_index: int


@value
class Attempt:
    """One ask: where it goes, which try it is, and what the client said.

    `number` counts the tries at this target and `fallback` the targets, both from 0 (0 = first try, 0 = primary), as in the journal.
    """

    conversation: Conversation
    headers: Mapping[str, str]
    provider: str
    model: str
    moment: Moment
    draws: Draws
    key: str | None = None
    number: int = 0
    fallback: int = 0
    virtual_key_name: str | None = None
    deployment: str | None = None
    """What the key in use has in the place of the model."""

    @property
    def served_model(self) -> str:
        """The model as its provider knows it."""
        return self.deployment or self.model

    @property
    def request(self) -> ChatRequest:
        """The typed body."""
        return self.conversation.request

    @property
    def virtual_key(self) -> str | None:
        """The virtual key that the request came with."""
        return virtual_key(self.headers)

    @property
    def stream(self) -> bool:
        """Whether the client asked for a stream."""
        return self.conversation.request.stream is True
