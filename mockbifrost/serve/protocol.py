"""uvicorn's protocol with a handle on the connection, and the responses that are written on it.

A response is written straight onto the transport: ASGI can't end a body with the connection, and its messages, whose headers are checked
one by one, cost as much as everything else that a request needs.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from mockbifrost.playback.timeline import NO_BODY, Timeline
from mockbifrost.serve.asgi import Message
from mockbifrost.serve.intake import IntakeProtocol

CONNECTION: Final = "mockbifrost.connection"
_STATUS_LINES: Final[dict[int, bytes]] = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus
}


class ConnectionProtocol(IntakeProtocol):
    """Puts a handle on the connection into the scope of each request, and tells when the client hangs up."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.on_leaving: Callable[[], None] | None = None

    def on_headers_complete(self) -> None:
        """A request begins; its task runs only when this has returned."""
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.scope["extensions"] = {CONNECTION: (self, self.cycle)}  # type: ignore[dict-item] # of our own

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has hung up, or was hung up on."""
        super().connection_lost(exc)
        if self.on_leaving is not None:
            self.on_leaving()


class Responder:
    """One response on its way; a `Sink` of the player. Framed by its length, in chunks, or by the end of the connection."""

    __slots__ = ("_cycle", "_framing", "_http_1_0", "_protocol", "_timeline")

    def __init__(self, scope: Message, timeline: Timeline | None = None) -> None:
        self._protocol: ConnectionProtocol
        self._cycle: RequestResponseCycle
        # Taken out, for the cycle holds the scope: left in, each request would be garbage that only the collector finds.
        self._protocol, self._cycle = scope.pop("extensions")[CONNECTION]
        self._http_1_0 = scope["http_version"] == "1.0"
        if timeline is not None:
            self.begin(timeline)

    def begin(self, timeline: Timeline) -> None:
        """Say what is sent, where that was not known when it was made: its status, its headers and its framing."""
        self._timeline = timeline
        if timeline.end == "close":
            self._framing = "close"
        elif timeline.length is not None or timeline.status in NO_BODY:
            self._framing = "length"
        else:
            self._framing = "close" if self._http_1_0 else "chunks"  # HTTP/1.0 knows no chunks

    @property
    def begun(self) -> bool:
        """Whether anything has been written."""
        return self._cycle.response_started

    @property
    def gone(self) -> bool:
        """Whether the client has hung up."""
        return self._cycle.disconnected or self._cycle.transport.is_closing()

    @property
    def full(self) -> bool:
        """Whether the client reads too slowly to be sent more now."""
        return self._cycle.flow.write_paused

    async def drained(self) -> None:
        """Wait until it is no longer full, or gone."""
        await self._cycle.flow.drain()

    def on_leaving(self, call: Callable[[], None] | None) -> None:
        """Call this when the client hangs up; None: no longer."""
        self._protocol.on_leaving = call

    def write(self, data: bytes, *, last: bool) -> None:
        """Write now; with the first bytes go status and headers, with the last ones the end of the response."""
        cycle = self._cycle
        parts: list[bytes] = []
        if not cycle.response_started:
            cycle.response_started = True
            cycle.waiting_for_100_continue = False
            self._head(parts)
        if self._framing != "chunks":
            parts.append(data)
        else:
            if data:
                parts += (b"%x\r\n" % len(data), data, b"\r\n")
            if last:
                parts.append(b"0\r\n\r\n")
        cycle.transport.write(b"".join(parts) if len(parts) > 1 else parts[0])
        if last:
            cycle.response_complete = True
            cycle.message_event.set()
            if not cycle.keep_alive:
                cycle.transport.close()
            cycle.on_response()

    def cut(self) -> None:
        """Hang up in the middle: what was written arrives, and then the connection ends before the response does."""
        cycle = self._cycle
        cycle.response_started = cycle.response_complete = True
        cycle.keep_alive = False
        cycle.message_event.set()
        cycle.transport.close()

    def _head(self, parts: list[bytes]) -> None:
        cycle, timeline = self._cycle, self._timeline
        parts.append(_STATUS_LINES.get(timeline.status) or b"HTTP/1.1 %d \r\n" % timeline.status)
        keeps = cycle.keep_alive and self._framing != "close"
        for name, value in (*cycle.default_headers, *timeline.headers):
            if name != b"connection":
                parts += (name, b": ", value, b"\r\n")
            elif value == b"close":
                keeps = False
        cycle.keep_alive = keeps
        if not keeps:
            parts.append(b"connection: close\r\n")
        elif self._framing == "chunks":
            parts.append(b"connection: keep-alive\r\n")
        if self._framing == "chunks":
            parts.append(b"transfer-encoding: chunked\r\n\r\n")
        elif self._framing == "length" and timeline.status not in NO_BODY:
            parts.append(b"content-length: %d\r\n\r\n" % (timeline.length or 0))
        else:
            parts.append(b"\r\n")
