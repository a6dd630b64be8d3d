"""What comes of a conversion."""

from __future__ import annotations

from dataclasses import dataclass

from mockbifrost.errors import Finding


@dataclass(frozen=True, slots=True)
class Converted:
    """The text of a file, and a warning for all that found no place in it."""

    text: str
    findings: tuple[Finding, ...] = ()
