"""The paces that have a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class NamedPace:
    """Seconds to the first content, tokens per second after it (None: at once), how far waits vary, how text is cut."""

    name: str
    ttft_s: float
    tokens_per_second: float | None
    jitter: float
    chunk: Literal["token", "word", "char", "whole"]


PACES: Final[Mapping[str, NamedPace]] = MappingProxyType(
    {
        pace.name: pace
        for pace in (
            NamedPace("instant", 0.0, None, 0.0, "token"),
            NamedPace("typing", 0.35, 40.0, 0.2, "token"),  # a hosted model on a good day
            NamedPace("slow", 2.0, 8.0, 0.3, "token"),  # a busy one: slow enough to watch
        )
    }
)
