"""Texts that match a regular expression, drawn from a seed: for the patterns of JSON Schemas."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from re import _constants as codes  # type: ignore[attr-defined] # the parsed form has no public name
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

from mockbifrost.scenario.schema_check import compiled_pattern

MOST_REPEATS: Final = 1024
MOST_PARTS: Final = 5_000
"""So many parts a text is made of at most."""
STRETCHED: Final = 8
"""From here on open repetitions are as long as they may get."""
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_MIXED: Final = _LETTERS + _LETTERS.upper() + "0123456789" + "!-_.#"
_FOREIGN: Final = "éßñøλж漢あ"
_PRINTABLE: Final = [chr(code) for code in range(32, 127)]
_CATEGORIES: Final[dict[Any, str]] = {
    codes.CATEGORY_DIGIT: "0123456789",
    codes.CATEGORY_WORD: _LETTERS + _LETTERS.upper() + "0123456789_",
    codes.CATEGORY_SPACE: " ",
}
_NEGATIVE: Final[dict[Any, Any]] = {
    codes.CATEGORY_NOT_DIGIT: codes.CATEGORY_DIGIT,
    codes.CATEGORY_NOT_WORD: codes.CATEGORY_WORD,
    codes.CATEGORY_NOT_SPACE: codes.CATEGORY_SPACE,
}


class _Cannot(Exception):
    """The pattern uses something that no text is drawn for."""


def matching(pattern: str, units: Iterator[float], stretch: int = 0) -> str | None:
    """A text in which the pattern is found; `stretch` makes open repetitions longer. None where none was found."""
    compiled = compiled_pattern(pattern)
    if compiled is None:
        return None
    try:
        text = _Drawing(units, stretch, among=_MIXED if "(?" in pattern else _LETTERS).of(_parsed(compiled.pattern))
        text.encode()
    except (re.error, _Cannot, RecursionError, UnicodeEncodeError):
        return None
    return text if compiled.search(text) else None


def _parsed(pattern: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return parser.parse(pattern)


class _Drawing:
    def __init__(self, units: Iterator[float], stretch: int, among: str) -> None:
        self._units = units
        self._stretch = stretch
        self._among = among
        self._parts = 0
        self._groups: dict[int, str] = {}
        self._draws = self._by_code()

    def _pick(self, among: Sequence[str]) -> str:
        if not among:
            raise _Cannot
        return among[int(next(self._units) * len(among))]

    def of(self, parsed: Any) -> str:
        return "".join([self._node(code, value) for code, value in parsed])

    def _node(self, code: Any, value: Any) -> str:
        self._parts += 1
        draw = self._draws.get(code)
        if draw is None or self._parts > MOST_PARTS:
            raise _Cannot
        return draw(value)

    def _by_code(self) -> dict[Any, Callable[[Any], str]]:
        """How each part of a pattern is drawn; whether anchors and assertions hold is seen when the whole text is tried."""
        nothing = dict.fromkeys((codes.AT, codes.ASSERT, codes.ASSERT_NOT), lambda _value: "")
        repeats = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
        return {
            codes.LITERAL: chr,
            codes.NOT_LITERAL: lambda value: self._pick([char for char in self._among if char != chr(value)]),
            codes.ANY: lambda _value: self._pick(self._among),
            codes.IN: lambda value: self._pick(_members(value)),
            codes.BRANCH: lambda value: self.of(value[1][int(next(self._units) * len(value[1]))]),
            codes.SUBPATTERN: self._group,
            codes.ATOMIC_GROUP: self.of,
            codes.GROUPREF: lambda value: self._groups.get(value, ""),
            **dict.fromkeys(repeats, lambda value: self._repeated(*value)),
            **nothing,
        }

    def _group(self, value: Any) -> str:
        text = self.of(value[3])
        if value[0] is not None:
            self._groups[value[0]] = text
        return text

    def _repeated(self, least: int, most: Any, inner: Any) -> str:
        if least > MOST_REPEATS:
            raise _Cannot
        top = least + 2 + self._stretch * 4
        if most is not codes.MAXREPEAT:
            top = min(top, int(most))
        count = least + int(next(self._units) * (top - least + 1)) if self._stretch < STRETCHED else top
        return "".join([self.of(inner) for _time in range(count)])


def _members(items: Sequence[Any]) -> list[str]:
    """The characters of a set."""
    negated = bool(items) and items[0][0] is codes.NEGATE
    found: list[str] = []
    for code, value in items[1:] if negated else items:
        if code is codes.LITERAL:
            found.append(chr(value))
        elif code is codes.RANGE:
            low, high = value
            found += [chr(char) for char in range(low, min(high, low + 255) + 1)]
        elif code is codes.CATEGORY and value in _CATEGORIES:
            found += _CATEGORIES[value]
        elif code is codes.CATEGORY and value in _NEGATIVE:
            found += [char for char in _PRINTABLE if char not in _CATEGORIES[_NEGATIVE[value]]]
    if not negated:
        return found
    for among in (_LETTERS + "0123456789 -_.ABCXYZ", _PRINTABLE, _FOREIGN):
        left = [char for char in among if char not in found]
        if left:
            return left
    return []
