"""Bodies that came compressed, decoded; with a bound on what comes out."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Final, Protocol

from mockbifrost.errors import MockBifrostError

LARGEST_DECODED_BYTES: Final = 64 * 1024 * 1024
_GZIP: Final = zlib.MAX_WBITS | 16
_ENCODINGS: Final = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd"})


class UndecodableError(MockBifrostError):
    """A body that can't be decoded; the text says why, to stand after the name of the body."""


class _Decoder(Protocol):
    """What the decoders of zlib and zstd have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /, max_length: int = ...) -> bytes: ...


def decoded(raw: bytes, content_encoding: str) -> bytes:
    """The body itself. One that is not compressed, whatever its header says, comes back as it is, and so does one of an unknown encoding.

    Raises UndecodableError for bytes that are neither, and for more than 64 MB.
    """
    for encoding in reversed([name.strip().lower() for name in content_encoding.split(",")]):
        if encoding in _ENCODINGS and raw:
            raw = _decoded(raw, encoding)
    return raw


def _decoded(raw: bytes, encoding: str) -> bytes:
    try:
        if encoding == "br":
            return _brotli(raw)
        if encoding == "zstd":
            return _zstd(raw)
        if encoding == "deflate":
            return _deflate(raw)
        return _members(raw, lambda: zlib.decompressobj(_GZIP))
    except UndecodableError:
        if encoding != "br" and _looks_compressed(raw):
            raise
        if _is_text(raw):  # whoever wrote the file had decoded it and kept the header
            return raw
        raise


def _deflate(raw: bytes) -> bytes:
    try:
        return _members(raw, zlib.decompressobj)
    except UndecodableError:
        if raw[0] & 0x0F == 8 and int.from_bytes(raw[:2], "big") % 31 == 0:
            raise
        return _members(raw, lambda: zlib.decompressobj(-zlib.MAX_WBITS))  # without the header, as some servers send it


def _zstd(raw: bytes) -> bytes:
    try:
        zstd = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    except ImportError:
        raise UndecodableError("is compressed with zstd, which needs a package: pip install backports.zstd") from None
    try:
        return _members(raw, zstd.ZstdDecompressor)
    except zstd.ZstdError as error:
        raise UndecodableError(f"is no zstd: {error}") from None


def _brotli(raw: bytes) -> bytes:
    try:
        brotli = import_module("brotli")
    except ImportError:
        raise UndecodableError("is compressed with br, which needs a package: pip install brotli") from None
    decoder = brotli.Decompressor()
    parts, size, data = [], 0, raw
    try:
        while not decoder.is_finished():
            part = decoder.process(data, output_buffer_limit=_PART_BYTES)
            if not part and decoder.can_accept_more_data():
                raise UndecodableError("is cut: its br ends early")
            parts.append(part)
            size = _bounded(size + len(part))
            data = b""
    except brotli.error as error:
        raise UndecodableError(f"is no br: {error}") from None
    return b"".join(parts)


_PART_BYTES: Final = 1024 * 1024


def _members(raw: bytes, make: Callable[[], _Decoder]) -> bytes:
    """All members of a compressed body: gzip and zstd may have several, one after the other."""
    parts, size, rest = [], 0, raw
    while rest:
        decoder = make()
        try:
            part = decoder.decompress(rest, LARGEST_DECODED_BYTES - size + 1)
        except zlib.error as error:
            raise UndecodableError(f"is not what its content-encoding says: {error}") from None
        size = _bounded(size + len(part))
        if not decoder.eof:
            raise UndecodableError("is cut: it ends before its content-encoding does")
        parts.append(part)
        rest = decoder.unused_data
    return b"".join(parts)


def _bounded(size: int) -> int:
    if size > LARGEST_DECODED_BYTES:
        raise UndecodableError("is larger than 64 MB when it is decoded")
    return size


def _looks_compressed(raw: bytes) -> bool:
    return raw.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd"))


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
