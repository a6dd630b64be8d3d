"""Reads the body of a request: whole, bounded, decompressed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

from mockbifrost.playback.player import Receive

_WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class BodyRefused(Exception):
    """A body that is not read: too large, or badly compressed. Source: wire.md 2.1."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


class ClientGone(Exception):
    """The client hung up before its request was complete."""


def _too_large(most: int) -> BodyRefused:
    return BodyRefused(413, "too_large", f"decompressed request body exceeds max allowed size of {most} bytes")


async def read_body(receive: Receive, headers: Iterable[tuple[bytes, bytes]], most: int) -> bytes:
    """The body. Raises BodyRefused and ClientGone."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        parts, size = [body], len(body)
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            parts.append(part)
            size += len(part)
            if size > most:
                raise _too_large(most)
        body = b"".join(parts)
    if len(body) > most:
        raise _too_large(most)
    for name, value in headers:
        if name == b"content-encoding":
            return _decompressed(body, value.decode("latin-1").strip().lower(), most)
    return body


def _decompressed(body: bytes, encoding: str, most: int) -> bytes:
    if encoding in ("", "identity"):
        return body
    bits = _WINDOW_BITS.get(encoding)
    if bits is None:
        raise BodyRefused(
            400,
            "encoding",
            f"invalid compressed request body: {encoding!r} is not supported here; gzip and deflate are",
        )
    decompressor = zlib.decompressobj(bits)
    try:
        found = decompressor.decompress(body, most + 1)
        if len(found) > most or decompressor.unconsumed_tail:
            raise _too_large(most)
        return found + decompressor.flush()
    except zlib.error as error:
        raise BodyRefused(400, "encoding", f"invalid compressed request body: {error}") from None
