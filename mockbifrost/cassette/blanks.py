"""Requests out of which a pattern of somebody's own took something before they were written down: any text fits there.

Whoever plays a cassette need not know the patterns that it was recorded with; they may be secrets themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from mockbifrost.cassette.keys import Key, digest_of

BLANK: Final = "[redacted:pattern]"
"""What stands where a pattern found something. It tells nothing of what it was."""
T = TypeVar("T")
_Path = tuple[str | int, ...]
_Texts = tuple[Sequence[str], ...]
"""For each place what stands around its blanks."""


class Blanks(Generic[T]):
    """Finds what was recorded for a request by all but the texts with blanks. Those that differ in these alone are looked at one by one."""

    def __init__(self) -> None:
        self._places: dict[tuple[_Path, ...], dict[Key, list[tuple[_Texts, T]]]] = {}

    def __bool__(self) -> bool:
        return bool(self._places)

    def add(self, body: Mapping[str, Any], key: Key, found: T) -> None:
        """Something for a normalised body with blanks; `key` says what else it is found by."""
        places = tuple(_places(body, ()))
        if places:
            rows = self._places.setdefault(places, {}).setdefault(_without(body, places, key), [])
            rows.append((tuple([_at(body, place).split(BLANK) for place in places]), found))

    def find(self, body: Mapping[str, Any], key: Key) -> Iterator[T]:
        """What was added for a body that has any text in the place of each blank."""
        for places, rows in self._places.items():
            came = [_at(body, place) for place in places]
            if not all(isinstance(text, str) for text in came):
                continue
            for texts, found in rows.get(_without(body, places, key), ()):
                if all(map(_fits, texts, came)):
                    yield found


def _places(item: Any, path: _Path) -> Iterator[_Path]:
    if isinstance(item, str):
        if BLANK in item:
            yield path
    elif isinstance(item, Mapping):
        for name in sorted(item):
            yield from _places(item[name], (*path, name))
    elif isinstance(item, list):
        for at, inner in enumerate(item):
            yield from _places(inner, (*path, at))


def _at(item: Any, path: _Path) -> Any:
    """What stands at a place; None where nothing does."""
    for step in path:
        if isinstance(item, Mapping):
            item = item.get(step)
        elif isinstance(item, list) and isinstance(step, int) and step < len(item):
            item = item[step]
        else:
            return None
    return item


def _without(body: Mapping[str, Any], places: tuple[_Path, ...], key: Key) -> Key:
    """The key of a body without the texts at these places."""
    found: Any = body
    for place in places:
        found = _blanked(found, place)
    return Key(digest_of(found), key.model, key.fallbacks)


def _blanked(item: Any, path: _Path) -> Any:
    if not path:
        return BLANK
    step, rest = path[0], path[1:]
    if isinstance(item, Mapping):
        return {**item, step: _blanked(item[step], rest)}
    return [_blanked(inner, rest) if at == step else inner for at, inner in enumerate(item)]


def _fits(around: Sequence[str], came: str) -> bool:
    """Whether a text is the recorded one with something in the place of each blank."""
    first, *between, last = around
    if not (came.startswith(first) and came.endswith(last)):
        return False
    at = len(first)
    for part in between:  # as early as possible leaves the most for the rest
        at = came.find(part, at + 1)
        if at < 0:
            return False
        at += len(part)
    return len(came) > at + len(last)
