"""Server-sent events as the gateway frames them: `data:` lines only, an empty line, and `[DONE]` at the end. Source: wire.md 4.2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

DONE: Final = b"data: [DONE]\n\n"
DONE_DATA: Final = "[DONE]"
_LINE_END: Final = re.compile(r"\r\n|\r|\n")  # not str.splitlines: that also cuts at U+2028, which is legal inside JSON
_LINE_END_BYTES: Final = re.compile(rb"\r\n|\r|\n")


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


@dataclass(frozen=True, slots=True)
class Event:
    """One event as a client hears it; `end` counts the bytes up to and with the line that completed it."""

    data: str
    event: str = ""
    end: int = 0


class Decoder:
    """Takes the bytes of a stream as they come and gives its events; comments and events without data are none.

    Source: HTML standard 9.2.6.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._read = 0
        self._data: list[bytes] = []
        self._event = b""

    @property
    def pending(self) -> bool:
        """Whether an event has begun that is not complete."""
        return bool(self._rest.strip() or self._data)

    def feed(self, data: bytes) -> list[Event]:
        """The events that are complete with these bytes."""
        found: list[Event] = []
        text = self._rest + data
        start = 0
        for end in _LINE_END_BYTES.finditer(text):
            if end.group() == b"\r" and end.end() == len(text):
                break  # half of a CRLF, perhaps
            line = text[start : end.start()]
            self._read += end.end() - start
            start = end.end()
            event = self._line(line)
            if event is not None:
                found.append(event)
        self._rest = text[start:]
        return found

    def _line(self, line: bytes) -> Event | None:
        if not line:
            event = Event(
                b"\n".join(self._data).decode("utf-8", "replace"), self._event.decode("utf-8", "replace"), self._read
            )
            complete = bool(self._data)
            self._data, self._event = [], b""
            return event if complete else None
        name, _colon, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value
        return None
