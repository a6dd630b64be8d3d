"""The endpoint: one request in, one response out, one journal entry."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from mockbifrost.playback.player import GONE, play
from mockbifrost.playback.timeline import Timeline, timeline_of
from mockbifrost.serve.asgi import Message, Receive
from mockbifrost.serve.body import BodyRefused, ClientGone, read_body
from mockbifrost.serve.protocol import Responder
from mockbifrost.serve.watch import Watch
from mockbifrost.session.session import Exchange, Received, Session
from mockbifrost.wire.headers import header_value

if TYPE_CHECKING:
    from mockbifrost.serve.live import Live

LOG: Final = logging.getLogger("mockbifrost")


class ChatEndpoint:
    """Answers POST …/chat/completions inside a session."""

    def __init__(
        self, *, speed: float, mock_headers: bool, most_body_bytes: int, watch: Watch, live: Live | None = None
    ) -> None:
        self._speed = speed
        self._mock_headers = mock_headers
        self._most = most_body_bytes
        self._live = live
        self._watch = watch

    async def __call__(self, scope: Message, receive: Receive, session: Session) -> None:
        """Read, decide, play, note."""
        headers = scope["headers"]
        try:
            body = await read_body(receive, headers, self._most)
            received = Received(scope["method"], scope["path"], headers, body)
            exchange = session.ask(received)
        except BodyRefused as error:
            received = Received(scope["method"], scope["path"], headers, b"")
            exchange = session.unread(received, error.status, error.message, error.kind if error.own else None)
        except ClientGone:
            return
        started = asyncio.get_running_loop().time()
        if exchange.outcome.pending is not None:
            await self._answer_live(scope, exchange, received, session, started)
            return
        if exchange.outcome.broken is not None:
            LOG.warning("%s", exchange.outcome.message)
        timeline = timeline_of(exchange.outcome, self._speed if session.speed is None else session.speed)
        if self._mock_headers:
            self._mark(timeline, exchange, session)
        played = GONE
        try:
            played = await play(timeline, Responder(scope, timeline), started)
        finally:
            session.finish(exchange, played)
            self._watch.ended(exchange.entry)

    async def _answer_live(
        self, scope: Message, exchange: Exchange, received: Received, session: Session, started: float
    ) -> None:
        """Let the upstream answer."""
        live = self._live
        assert live is not None  # nothing is pending where there is no upstream

        def mark(timeline: Timeline) -> None:
            if self._mock_headers:
                self._mark(timeline, exchange, session)

        played = GONE
        try:
            played = await live.answer(exchange, received, session, Responder(scope), mark, started)
        finally:
            session.finish(exchange, played)
            self._watch.ended(exchange.entry)

    def _mark(self, timeline: Timeline, exchange: Exchange, session: Session) -> None:
        """Say who answered: a mock never passes for the real thing."""
        headers = timeline.headers
        headers.append((b"x-mockbifrost-session", header_value(session.id)))
        headers.append((b"x-mockbifrost-call", b"%d" % exchange.call.number))
        stub = exchange.outcome.stub
        if stub is not None:
            headers.append((b"x-mockbifrost-stub", header_value(stub.label)))
