"""A refusal by one of the gateway's own rules, before it is put into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Denied:
    """`name` of the error in `GATEWAY_ERRORS`, and what fills its placeholders; `message` where it differs from the table's."""

    name: str
    fills: Mapping[str, str] = field(default_factory=dict)
    message: str | None = None
