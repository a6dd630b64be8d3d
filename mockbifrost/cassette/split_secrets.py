"""Secrets that no event of a stream holds alone: the text of one field is joined over the events, and looked through."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from mockbifrost.cassette.secret_spans import Span, spans, unescaped
from mockbifrost.values import value

_DATA: Final = re.compile(r"^data:[ ]?(?=[{\[])([^\r\n]*)", re.MULTILINE)
_LITERAL: Final = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"')
_APART: Final = frozenset({"id", "name", "role", "type"})
"""Keys of a delta that are told whole."""
_Path = tuple[str | int, ...]


@value
class _Fragment:
    """What one event adds to a field, where it stands in the stream and in the text of the field."""

    start: int
    raw: str
    text: str
    offset: int


@value
class Cut:
    """A part of a stream that belongs to a secret, and what is put there: the placeholder at its first part, nothing at the others."""

    start: int
    end: int
    replacement: str
    span: Span


def cuts(stream: str, patterns: Sequence[re.Pattern[str]]) -> list[Cut]:
    """All parts of the secrets in a stream's deltas, in their order. The places count characters of the stream."""
    fields: dict[_Path, list[_Fragment]] = {}
    for event in _DATA.finditer(stream):
        for path, start, raw in _deltas(event[1]):
            fragments = fields.setdefault(path, [])
            offset = fragments[-1].offset + len(fragments[-1].text) if fragments else 0
            fragments.append(_Fragment(event.start(1) + start, raw, unescaped(raw).text, offset))
    found: list[Cut] = []
    for fragments in fields.values():
        for span in spans("".join([fragment.text for fragment in fragments]), patterns):
            found += _cuts(span, fragments)
    return sorted(found, key=lambda cut: cut.start)


def _cuts(span: Span, fragments: list[_Fragment]) -> Iterator[Cut]:
    replacement = span.placeholder
    for fragment in fragments:
        start = max(span.start - fragment.offset, 0)
        end = min(span.end - fragment.offset, len(fragment.text))
        if start < end:
            first, last = unescaped(fragment.raw).origin(start, end)
            yield Cut(fragment.start + first, fragment.start + last, replacement, span)
            replacement = ""


def _deltas(payload: str) -> Iterator[tuple[_Path, int, str]]:
    """The texts below `delta` in the data of an event: the path, where the text begins, the text as it is written."""
    try:
        found = orjson.loads(payload)
    except ValueError:
        return
    # A document names its texts in the order in which it has them, keys too; unless a key comes twice.
    texts: list[_Path | None] = []
    _put_texts(found, (), False, texts)
    literals = list(_LITERAL.finditer(payload))
    if len(texts) != len(literals):
        return
    for path, literal in zip(texts, literals, strict=True):
        if path is not None:
            yield path, literal.start(1), literal[1]


def _put_texts(found: Any, path: _Path, below: bool, texts: list[_Path | None]) -> None:
    """For each text of a document what it is called: its path below a `delta`, None for a key and what is of no interest.

    An item of a list goes by its `index`, where it has one.
    """
    if isinstance(found, str):
        texts.append(path if below and path[-1] not in _APART else None)
    elif isinstance(found, dict):
        for key, inner in found.items():
            texts.append(None)
            if isinstance(inner, (str, dict, list)):
                _put_texts(inner, (*path, key), below or key == "delta", texts)
    elif isinstance(found, list):
        for at, inner in enumerate(found):
            index = inner.get("index") if isinstance(inner, dict) else None
            _put_texts(inner, (*path, index if isinstance(index, int) else at), below, texts)
