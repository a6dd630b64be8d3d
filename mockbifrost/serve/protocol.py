"""uvicorn's protocol with a handle on the transport: what ASGI can't say, such as a body that ends with the connection."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mockbifrost.playback.player import Message

TRANSPORT: Final = "mockbifrost.transport"


class TransportProtocol(HttpToolsProtocol):
    """Puts the connection's transport into the scope of each request."""

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"transport": self.transport}}


class CloseDelimited:
    """Sends a response without a length and without chunks: it ends where the connection does."""

    def __init__(self, scope: Message) -> None:
        extensions: dict[str, Any] = scope.get("extensions") or {}
        self._transport: asyncio.Transport = extensions[TRANSPORT]["transport"]

    async def send(self, message: Message) -> None:
        """As an ASGI server's send."""
        if message["type"] == "http.response.start":
            self._transport.write(_head(message["status"], message["headers"]))
            return
        self._transport.write(message.get("body", b""))
        if not message.get("more_body"):
            self._transport.close()


def _head(status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    lines = [b"HTTP/1.1 %d %s\r\n" % (status, phrase.encode())]
    lines += [b"%s: %s\r\n" % (name, value) for name, value in headers if name != b"connection"]
    return b"".join([*lines, b"connection: close\r\n\r\n"])
