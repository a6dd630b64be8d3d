"""What comes in before it is a request: bytes that are no HTTP, and offers of another protocol, which are declined."""

from __future__ import annotations

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from mockbifrost.serve.replies import refusal

_FRAMING = (b"content-length", b"transfer-encoding")


class IntakeProtocol(HttpToolsProtocol):
    """uvicorn's protocol, but bytes that are no HTTP get a JSON error, and a request with an `Upgrade` keeps its body.

    The parser takes what follows an `Upgrade` for another protocol, while a server that declines the offer answers as if
    it had not been made (RFC 9110, 7.8). Java's client offers h2c with every first request.
    """

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline()
            rest = data[offer.args[0] :]
            if rest:
                self.data_received(rest)
        except httptools.HttpParserError:
            self.send_400_response("The request can't be read: it is no HTTP/1.1.")

    def _decline(self) -> None:
        """Go on with a new parser that stands where the old one does: behind the same head, but without the offer."""
        framing = [b"%s: %s\r\n" % pair for pair in self.headers if pair[0] in _FRAMING]
        resumed = _Resumed(self)
        self.parser = httptools.HttpRequestParser(resumed)
        if framing:
            self.cycle.more_body = True
            self.cycle.message_event.clear()
            self.parser.feed_data(b"".join([b"POST / HTTP/1.1\r\n", *framing, b"\r\n"]))
        resumed.head_is_known = False

    def send_400_response(self, msg: str) -> None:
        """Refuse what can't be read, and hang up; what was asked before it is answered first."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                cycle.keep_alive = False
                return
            cycle.disconnected = True
            cycle.message_event.set()
        begun = cycle is not None and cycle.response_started and not cycle.response_complete
        if not begun and not self.pipeline:
            self.transport.write(self._refusal(msg))
        self.transport.close()

    def _refusal(self, message: str) -> bytes:
        reply = refusal(400, "bad_http", message)
        head = [*self.server_state.default_headers, *reply.headers, (b"content-length", b"%d" % len(reply.body))]
        lines = [
            b"HTTP/1.1 400 Bad Request\r\n",
            *[b"%s: %s\r\n" % pair for pair in head],
            b"connection: close\r\n\r\n",
        ]
        return b"".join([*lines, reply.body])


class _Resumed:
    """What a parser tells a protocol that knows the head of the first request already."""

    def __init__(self, protocol: IntakeProtocol) -> None:
        self._protocol = protocol
        self.head_is_known = True
        self.on_body = protocol.on_body
        self.on_message_complete = protocol.on_message_complete

    def on_message_begin(self) -> None:
        if not self.head_is_known:
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self.head_is_known:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.head_is_known:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self.head_is_known:
            self._protocol.on_headers_complete()
