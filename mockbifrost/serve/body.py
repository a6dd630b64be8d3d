"""Reads the body of a request: whole, bounded, decompressed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

from mockbifrost.serve.asgi import Message, Receive

_WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
DISCARDED: Final = 8
"""A body that is too large is read to its end, up to so many times the limit, so that the client gets to read why."""


class BodyRefused(Exception):
    """A body that is not read. `own`: the gateway would take it, this server can't. Source: wire.md 2.1."""

    def __init__(self, status: int, kind: str, message: str, *, own: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.own = own


class ClientGone(Exception):
    """The client hung up before its request was complete."""


async def read_body(receive: Receive, headers: Iterable[tuple[bytes, bytes]], most: int) -> bytes:
    """The body. Raises BodyRefused and ClientGone."""
    message = await _next(receive)
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        body = await _rest(receive, body, most)
    if len(body) > most:
        text = f"The body is larger than {most} bytes, the most that is read here.\n  do: send a smaller one"
        raise BodyRefused(413, "too_large", text, own=True)
    if body:
        for name, value in headers:
            if name == b"content-encoding":
                return _decompressed(body, value.decode("latin-1").strip().lower(), most)
    return body


async def _next(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


async def _rest(receive: Receive, begin: bytes, most: int) -> bytes:
    """The whole body; of one that is too large, enough to see that it is."""
    parts, size, more = [begin], len(begin), True
    while more and size <= DISCARDED * most:
        message = await _next(receive)
        part = message.get("body", b"")
        size += len(part)
        if size - len(part) <= most:
            parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _decompressed(body: bytes, encoding: str, most: int) -> bytes:
    if encoding in ("", "identity"):
        return body
    bits = _WINDOW_BITS.get(encoding)
    if bits is None:
        text = (
            f"The content encoding {encoding[:50]!r} is not known here.\n  do: send gzip, deflate, or the body as it is"
        )
        raise BodyRefused(400, "encoding", text, own=True)
    decompressor = zlib.decompressobj(bits)
    try:
        found = decompressor.decompress(body, most + 1)
    except zlib.error as error:
        raise _badly_compressed(str(error)) from None
    if len(found) > most:
        raise BodyRefused(413, "too_large", f"decompressed request body exceeds max allowed size of {most} bytes")
    if not decompressor.eof:
        raise _badly_compressed("unexpected EOF")
    if decompressor.unused_data:
        raise _badly_compressed("there is more after its end")
    return found


def _badly_compressed(why: str) -> BodyRefused:
    return BodyRefused(400, "encoding", f"invalid compressed request body: {why}")
