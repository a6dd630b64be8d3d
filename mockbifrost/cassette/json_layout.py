"""JSON shown indented in a file, and given back as the bytes that it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

_NEWLINE: Final = "+newline"


def _compact(found: Any) -> bytes:
    return orjson.dumps(found)


def _spaced(found: Any) -> bytes:
    return json.dumps(found).encode()


def _go(found: Any) -> bytes:
    text = orjson.dumps(found).replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
    return text.replace("\u2028".encode(), b"\\u2028").replace("\u2029".encode(), b"\\u2029")


_WRITERS: Final[Mapping[str, Callable[[Any], bytes]]] = {"indented": _compact, "spaced": _spaced, "go": _go}
"""How a body was written before it was indented: without blanks, as `json.dumps` does, as Go's encoder does."""
LAYOUTS: Final = tuple([name + tail for name in _WRITERS for tail in ("", _NEWLINE)])


def indented(raw: bytes) -> tuple[bytes, str | None]:
    """A JSON body as it is shown, and the name of the layout that gives it back; None where it is shown as it is."""
    if raw[:1] not in (b"{", b"["):
        return raw, None
    try:
        found = orjson.loads(raw)
        tail = _NEWLINE if raw.endswith(b"\n") else ""
        bare = raw[:-1] if tail else raw
        for name, write in _WRITERS.items():
            if write(found) == bare:
                shown = orjson.dumps(found, option=orjson.OPT_INDENT_2)
                return (raw, None) if shown == bare else (shown, name + tail)
    except ValueError:  # no JSON, or deeper than a writer goes
        pass
    return raw, None


def restored(shown: bytes, layout: str) -> bytes:
    """The bytes that a body was before it was indented. Raises ValueError for what is no JSON."""
    name, plus, _newline = layout.partition("+")
    return _WRITERS[name](orjson.loads(shown)) + (b"\n" if plus else b"")


def compact(found: Any) -> bytes:
    """A JSON value without blanks. Raises ValueError or TypeError for what JSON can't hold."""
    try:
        return orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # a whole number of more than 64 bits
        return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
