"""What stubs are called that nobody named."""

from __future__ import annotations

from typing import Final

from mockbifrost.convert.conditions import excerpt

LONGEST: Final = 50


class Names:
    """Gives each stub of a file a name of its own."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def unique(self, name: str) -> str:
        """The name, with a number behind it where it was given before."""
        number, found = 1, name
        while found in self._given:
            number += 1
            found = f"{name} ({number})"
        self._given.add(found)
        return found


def short_name(text: object) -> str | None:
    """The beginning of a text as a name; None for what has no text to begin with."""
    line = excerpt(text) if isinstance(text, str) else None
    return line if line is None or len(line) <= LONGEST else f"{line[: LONGEST - 1].rstrip()}…"
