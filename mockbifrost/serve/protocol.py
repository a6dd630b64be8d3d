"""uvicorn's protocol with a handle on the connection: for what ASGI can't say, and for answers that go out in one piece.

A whole answer is one write here instead of two messages whose headers are checked one by one; that halves what a request costs.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from mockbifrost.playback.player import Message
from mockbifrost.playback.timeline import NO_BODY
from mockbifrost.serve.intake import IntakeProtocol

CONNECTION: Final = "mockbifrost.connection"
_STATUS_LINES: Final[dict[int, bytes]] = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus
}

_CLOSE: Final = b"connection: close\r\n"
Headers = list[tuple[bytes, bytes]]


class ConnectionProtocol(IntakeProtocol):
    """Puts a handle on the connection into the scope of each request."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.scope["extensions"] = {CONNECTION: cycle}  # type: ignore[dict-item] # an extension of our own, not a mapping
        super()._start_asgi_task(cycle, app)


def status_line(status: int) -> bytes:
    """The first line of a response."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def connection_of(scope: Message) -> RequestResponseCycle | None:
    """The handle on the connection; None under another server."""
    extensions = scope.get("extensions")
    return extensions.get(CONNECTION) if extensions else None


def answer_whole(cycle: RequestResponseCycle, status: int, headers: Headers, body: bytes, *, chunked: bool) -> bool:
    """Write a whole response at once and end the request as uvicorn would. False: not now, the client reads too slowly or has gone."""
    if cycle.flow.write_paused or cycle.disconnected or cycle.response_started:
        return False
    chunked = chunked and cycle.scope["http_version"] != "1.0"  # HTTP/1.0 knows no chunks
    parts = [status_line(status)]
    for name, value in (*cycle.default_headers, *headers):
        if name != b"connection":
            parts += (name, b": ", value, b"\r\n")
        elif value == b"close":
            cycle.keep_alive = False
    parts.append(b"connection: keep-alive\r\n" if cycle.keep_alive and chunked else b"" if cycle.keep_alive else _CLOSE)
    if status in NO_BODY:
        parts.append(b"\r\n")
    elif chunked:
        parts += (b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(body), body, b"\r\n0\r\n\r\n")
    else:
        parts += (b"content-length: %d\r\n\r\n" % len(body), body)
    cycle.response_started = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(b"".join(parts))
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


class CloseDelimited:
    """Sends a response without a length and without chunks: it ends where the connection does."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._transport: asyncio.Transport = cycle.transport

    async def send(self, message: Message) -> None:
        """As an ASGI server's send."""
        if message["type"] == "http.response.start":
            lines = [status_line(message["status"])]
            lines += [b"%s: %s\r\n" % pair for pair in message["headers"] if pair[0] != b"connection"]
            self._transport.write(b"".join([*lines, b"connection: close\r\n\r\n"]))
            return
        self._transport.write(message.get("body", b""))
        if not message.get("more_body"):
            self._transport.close()
