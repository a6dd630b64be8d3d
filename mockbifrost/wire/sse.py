"""Server-sent events as the gateway frames them: `data:` lines only, an empty line, and `[DONE]` at the end. Source: wire.md 4.2."""

from __future__ import annotations

import re
from typing import Final

DONE: Final = b"data: [DONE]\n\n"
_LINE_END: Final = re.compile(r"\r\n|\r|\n")  # not str.splitlines: that also cuts at U+2028, which is legal inside JSON


def encode_data(payload: bytes) -> bytes:
    """One event with a payload of a single line, as JSON is."""
    return b"data: " + payload + b"\n\n"


def encode_event(
    data: str | None, *, event: str | None = None, id: str | None = None, comment: str | None = None, eol: str = "\n"
) -> bytes:
    """One event with any fields, in wire form. Source: HTML standard 9.2."""
    lines: list[str] = []
    if comment is not None:
        lines += [f": {line}" for line in _LINE_END.split(comment)]
    if event is not None:
        lines.append(f"event: {event}")
    if id is not None:
        lines.append(f"id: {id}")
    if data is not None:
        lines += [f"data: {line}" for line in _LINE_END.split(data)]
    return "".join([line + eol for line in lines] + [eol]).encode("utf-8", "surrogatepass")
