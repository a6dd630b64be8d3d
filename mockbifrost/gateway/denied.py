"""A refusal by one of the gateway's own rules, before it is put into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from mockbifrost.values import value
from mockbifrost.vocabulary.gateway_errors import GATEWAY_ERRORS, Scope


@value
class Denied:
    """`name` of the error in `GATEWAY_ERRORS`, and what fills its placeholders; `message` where it differs from the table's."""

    name: str
    fills: Mapping[str, str] = field(default_factory=dict)
    message: str | None = None

    @property
    def scope(self) -> Scope:
        """Whether it ends the request, or fails a target and fallbacks follow."""
        return GATEWAY_ERRORS[self.name].scope
