"""The endpoint: one request in, one response out, one journal entry."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from mockbifrost.playback.player import Message, Played, Receive, Send, play
from mockbifrost.playback.timeline import Timeline, timeline_of
from mockbifrost.serve.body import BodyRefused, ClientGone, read_body
from mockbifrost.serve.protocol import CloseDelimited
from mockbifrost.session.session import Exchange, Received, Session
from mockbifrost.wire.headers import header_value

LOG: Final = logging.getLogger("mockbifrost")


class ChatEndpoint:
    """Answers POST …/chat/completions inside a session."""

    def __init__(self, *, speed: float, mock_headers: bool, most_body_bytes: int) -> None:
        self._speed = speed
        self._mock_headers = mock_headers
        self._most = most_body_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send, session: Session) -> None:
        """Read, decide, play, note."""
        headers = scope["headers"]
        try:
            body = await read_body(receive, headers, self._most)
            received = Received(scope["method"], scope["path"], headers, body)
            exchange = session.ask(received)
        except BodyRefused as error:
            exchange = session.broken(
                Received(scope["method"], scope["path"], headers, b""), error.kind, error.message, error.status
            )
            exchange.outcome.headers.append((b"connection", b"close"))
        except ClientGone:
            return
        started = asyncio.get_running_loop().time()
        if exchange.outcome.broken is not None:
            LOG.warning("%s", exchange.outcome.message)
        timeline = timeline_of(exchange.outcome, self._speed)
        self._mark(timeline, exchange, session)
        played = Played(closed=True)
        try:
            played = await self._play(timeline, scope, receive, send, started)
        finally:
            session.finish(exchange, played)

    async def _play(self, timeline: Timeline, scope: Message, receive: Receive, send: Send, started: float) -> Played:
        if timeline.end == "clean":
            return await play(timeline, send, receive, started)
        closing = CloseDelimited(scope)
        played = await play(timeline, closing.send, receive, started)
        while (await receive())["type"] != "http.disconnect":
            pass
        return played

    def _mark(self, timeline: Timeline, exchange: Exchange, session: Session) -> None:
        """Add what no simulated part has: who answered, and the length."""
        headers = timeline.headers
        if self._mock_headers:
            headers.append((b"x-mockbifrost-session", header_value(session.id)))
            headers.append((b"x-mockbifrost-call", b"%d" % exchange.call.number))
            stub = exchange.outcome.stub
            if stub is not None:
                headers.append((b"x-mockbifrost-stub", header_value(stub.label)))
        if timeline.sized:
            length = len(timeline.body) if not timeline.frames else sum([len(frame.data) for frame in timeline.frames])
            headers.append((b"content-length", b"%d" % length))
