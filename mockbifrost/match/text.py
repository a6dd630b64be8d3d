"""The matcher of one text, with the words that explain it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import translate

Fits = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class TextMatcher:
    """A predicate over text that can say what it wants.

    `contains` is a text that must occur for the matcher to hold (case-sensitive), or None: what the index goes by. `relaxed` holds for
    texts that differ only in case or white space: what a near miss is told by.
    """

    wants: str
    fits: Fits
    contains: str | None = None
    relaxed: Fits | None = None
    example: str | None = None


def _squeezed(text: str) -> str:
    return " ".join(text.casefold().split())


def contains(text: str, *, ignore_case: bool = False) -> TextMatcher:
    """The text occurs somewhere."""
    wants = f"contains {text!r}"
    squeezed = _squeezed(text)
    if ignore_case:
        folded = text.casefold()
        return TextMatcher(
            wants + ", any case",
            lambda got: folded in got.casefold(),
            None,
            lambda got: squeezed in _squeezed(got),
            text,
        )
    return TextMatcher(wants, lambda got: text in got, text or None, lambda got: squeezed in _squeezed(got), text)


def equals(text: str, *, ignore_case: bool = False) -> TextMatcher:
    """The whole text is this one."""
    wants = f"equals {text!r}"
    squeezed = _squeezed(text)
    if ignore_case:
        folded = text.casefold()
        return TextMatcher(
            wants + ", any case",
            lambda got: folded == got.casefold(),
            None,
            lambda got: squeezed == _squeezed(got),
            text,
        )
    return TextMatcher(wants, lambda got: text == got, text or None, lambda got: squeezed == _squeezed(got), text)


def starts_with(text: str, *, ignore_case: bool = False) -> TextMatcher:
    """The text begins so."""
    if ignore_case:
        folded = text.casefold()
        return TextMatcher(
            f"starts with {text!r}, any case", lambda got: got.casefold().startswith(folded), example=text
        )
    return TextMatcher(
        f"starts with {text!r}",
        lambda got: got.startswith(text),
        text or None,
        lambda got: _squeezed(got).startswith(_squeezed(text)),
        text,
    )


def ends_with(text: str, *, ignore_case: bool = False) -> TextMatcher:
    """The text ends so."""
    if ignore_case:
        folded = text.casefold()
        return TextMatcher(f"ends with {text!r}, any case", lambda got: got.casefold().endswith(folded), example=text)
    return TextMatcher(
        f"ends with {text!r}",
        lambda got: got.endswith(text),
        text or None,
        lambda got: _squeezed(got).endswith(_squeezed(text)),
        text,
    )


def regex(pattern: str, flags: str = "", *, ignore_case: bool = False) -> TextMatcher:
    """The pattern is found somewhere; flags are among `i`, `m` and `s`."""
    bits = re.IGNORECASE if ignore_case else 0
    for flag in flags:
        bits |= {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}[flag]
    compiled = re.compile(pattern, bits)
    return TextMatcher(f"matches /{pattern}/{flags}", lambda got: compiled.search(got) is not None)


def glob(pattern: str, *, ignore_case: bool = False) -> TextMatcher:
    """The whole text fits the pattern of `*`, `?` and `[…]`."""
    compiled = re.compile(translate(pattern), re.IGNORECASE if ignore_case else 0)
    return TextMatcher(f"fits the glob {pattern!r}", lambda got: compiled.match(got) is not None)


def negated(inner: TextMatcher) -> TextMatcher:
    """Holds where the other does not."""
    return TextMatcher(f"not ({inner.wants})", lambda got: not inner.fits(got))


def any_of(inner: Sequence[TextMatcher]) -> TextMatcher:
    """Holds where one of them does."""
    fits = [matcher.fits for matcher in inner]
    return TextMatcher(
        "any of (" + "; ".join([matcher.wants for matcher in inner]) + ")", lambda got: any(fit(got) for fit in fits)
    )


def all_of(inner: Sequence[TextMatcher]) -> TextMatcher:
    """Holds where all of them do."""
    if len(inner) == 1:
        return inner[0]
    fits = [matcher.fits for matcher in inner]
    literal = next((matcher.contains for matcher in inner if matcher.contains), None)
    return TextMatcher(
        " and ".join([matcher.wants for matcher in inner]), lambda got: all(fit(got) for fit in fits), literal
    )
