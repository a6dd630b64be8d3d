"""Where secrets stand in a text: in the text itself, and in what it says when the escapes of JSON or of an address are undone."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from mockbifrost.values import value
from mockbifrost.wire.redact import SHAPES, SHORT

PLACEHOLDER: Final = re.compile(r"\[redacted(?::[a-z-]+(?::[0-9a-f]{8})?)?\]")
_MORE: Final = {
    "private-key": r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY-----"
    r"(?:(?:[^-]|-(?!----(?:BEGIN|END) ))*+-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY-----|[A-Za-z0-9+/=\s\\]*)",
    "virtual-key": r"\bsk-bf-[A-Za-z0-9_\-]{8,}",
    "anthropic-key": r"\bsk-ant-[A-Za-z0-9_\-]{8,}",
    "stripe-key": r"\b(?:[sr]k|pk)_(?:live|test)_[A-Za-z0-9]{10,}|\bwhsec_[A-Za-z0-9]{16,}",
    "gitlab-token": r"\bgl(?:pat|dt|rt|ptt)-[A-Za-z0-9_\-]{16,}",
    "aws-key": r"\bA(?:KIA|SIA)[A-Z0-9]{16}",
    "slack-token": r"\bxox[a-z]-[A-Za-z0-9\-]{10,}|\bxapp-[A-Za-z0-9\-]{10,}",
}
"""What is looked for in files beside what the journal looks for, or more widely."""
_BEARER: Final = r"(?<=\b[Bb]earer )(?=[^\s\"'\\]*[0-9])[A-Za-z0-9._~+/\-]{10,}=*"
KINDS: Final = tuple(
    {**_MORE, **{kind: shape for kind, shape in SHAPES.items() if kind not in _MORE}, "bearer": _BEARER}.items()
)
SIGNS: Final[Mapping[str, tuple[str, ...]]] = {
    "private-key": ("-----BEGIN ",),
    "virtual-key": ("sk-bf-",),
    "anthropic-key": ("sk-ant-",),
    "stripe-key": ("k_live_", "k_test_", "whsec_"),
    "gitlab-token": ("glpat-", "gldt-", "glrt-", "glptt-"),
    "aws-key": ("AKIA", "ASIA"),
    "slack-token": ("xox", "xapp-"),
    "openai-key": ("sk-",),
    "public-key": ("pk-",),
    "groq-key": ("gsk_",),
    "xai-key": ("xai-",),
    "google-key": ("AIza",),
    "github-token": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    "huggingface-token": ("hf_",),
    "jwt": ("eyJ",),
    "bearer": ("earer ",),
}
"""What every secret of a kind holds, or stands behind: to find such a text takes far less time than to look for the secret."""
_SIGNS: Final = tuple([SIGNS[kind] for kind, _shape in KINDS])
_IN_QUERY: Final = re.compile(
    r"[?&](?:password|passwd|pwd|secret|client[-_]secret|api[-_]?key|subscription-key|key|token|access[-_]token|refresh[-_]token"
    r"|auth|sig|signature|x-amz-(?:signature|credential|security-token))=([^&#\s\"'\\<>]+)",
    re.IGNORECASE,
)
_ESCAPED_SIGN: Final = "\\u00"
"""Where this stands, a sign may be written otherwise."""
_JSON_ESCAPE: Final = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_PERCENT: Final = re.compile(r"%([0-9a-fA-F]{2})")
_LETTERS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_DEEPEST: Final = 5
"""How often JSON may stand in a text of JSON: a tool's arguments in a body that a tool returned are three deep."""


@value
class Span:
    """A secret at a place of a text. What is put there tells nothing of it; it tells it from other secrets where nobody could guess it."""

    start: int
    end: int
    kind: str
    secret: str

    @property
    def placeholder(self) -> str:
        """What is put in its place: always the same for the same secret."""
        if self.kind in ("pattern", "query"):
            return f"[redacted:{self.kind}]"
        return f"[redacted:{self.kind}:{blake2b(self.secret.encode('utf-8', 'replace'), digest_size=4).hexdigest()}]"


def spans(text: str, patterns: Sequence[re.Pattern[str]] = (), *, address: bool = False) -> list[Span]:
    """The secrets of a text, in their order, none inside another; placeholders are none. In an address `%20` is a blank.

    What stands beside a secret may become one when that is gone, so whoever replaces them asks again.
    """
    if not (patterns or address or _ESCAPED_SIGN in text or _kinds_in(text) or _IN_QUERY.search(text)):
        return []
    found: list[Span] = []
    view: _View | None = _View(text)
    for _level in range(_DEEPEST):
        if view is None:
            break
        for span in _plain(view.text, patterns):
            start, end = view.origin(span.start, span.end)
            found.append(Span(start, end, span.kind, span.secret))
        view = view.undone(_JSON_ESCAPE) or (view.undone(_PERCENT) if address else None)
    return _merged(found)


def _plain(text: str, patterns: Sequence[re.Pattern[str]]) -> Iterator[Span]:
    """The secrets of a text as it stands, between the placeholders in it."""
    at = 0
    kinds = _kinds_in(text)
    shape = _shape_of(kinds)
    for stop, after in [*[found.span() for found in PLACEHOLDER.finditer(text)], (len(text), len(text))]:
        for found in shape.finditer(text, at, stop) if kinds else ():
            if len(found[0]) > SHORT:
                kind = KINDS[int((found.lastgroup or "k0")[1:])][0]
                yield Span(*found.span(), kind, found[0])
        for found in _IN_QUERY.finditer(text, at, stop):
            yield Span(*found.span(1), "query", found[1])
        for pattern in patterns:
            for found in pattern.finditer(text, at, stop):
                if found[0]:
                    yield Span(*found.span(), "pattern", found[0])
        at = after


def _kinds_in(text: str) -> tuple[int, ...]:
    """The kinds of which a text may hold secrets."""
    return tuple([at for at, signs in enumerate(_SIGNS) if any(sign in text for sign in signs)])


@lru_cache(maxsize=256)
def _shape_of(kinds: tuple[int, ...]) -> re.Pattern[str]:
    """What secrets of these kinds look like. The first kind that fits counts, as where all are looked for."""
    return re.compile("|".join([f"(?P<k{at}>{KINDS[at][1]})" for at in kinds]), re.ASCII)


def _merged(found: list[Span]) -> list[Span]:
    """Without overlaps: what overlaps becomes one, called by its longest part."""
    merged: list[Span] = []
    for span in sorted(found, key=lambda it: (it.start, -it.end)):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            longer = span if span.end - span.start > last.end - last.start else last
            merged[-1] = Span(last.start, max(last.end, span.end), longer.kind, longer.secret)
        else:
            merged.append(span)
    return merged


class _View:
    """A text with escapes undone, that knows where each of its characters stood."""

    def __init__(
        self, text: str, heres: Sequence[int] = (0,), theres: Sequence[int] = (0,), below: _View | None = None
    ):
        self.text = text
        self._heres, self._theres, self._below = heres, theres, below

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The place that a part has in the text that everything began with."""
        if self._below is None:
            return start, end
        return self._below.origin(self._there(start), self._there(end))

    def _there(self, place: int) -> int:
        at = bisect_right(self._heres, place) - 1
        return self._theres[at] + place - self._heres[at]

    def undone(self, escape: re.Pattern[str]) -> _View | None:
        """The text with one level of escapes less; None where there are none."""
        parts: list[str] = []
        heres, theres = [0], [0]
        at = size = 0
        for found in escape.finditer(self.text):
            parts += (self.text[at : found.start()], _character(found))
            size += found.start() - at
            at = found.end()
            heres += (size, size + 1)
            theres += (found.start(), at)
            size += 1
        if not parts:
            return None
        parts.append(self.text[at:])
        return _View("".join(parts), heres, theres, self)


def unescaped(text: str) -> _View:
    """What a text of JSON says, between its quotes."""
    return _View(text).undone(_JSON_ESCAPE) or _View(text)


def _character(found: re.Match[str]) -> str:
    if found[1]:
        return chr(int(found[1], 16))
    return _LETTERS.get(found[2], found[2])
