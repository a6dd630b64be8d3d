"""One asking of an upstream, for one client or for several that asked the same: what came so far, and each further piece."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Final

from mockbifrost.cassette.hearing import Break
from mockbifrost.cassette.interaction import Piece, RecordedResponse
from mockbifrost.serve.upstream import Incoming, Patience, Posted, Upstream, UpstreamBroke

_DONE: Final = re.compile(rb"(?:\A|[\r\n])data: ?\[DONE\](?:\n\n|\r\r|\r\n\r\n)[\r\n]*\Z")
_TAIL_BYTES: Final = 32
DRAIN_S: Final = 1.0
"""Seconds: so long is waited for the end of a body that is complete already, so that its connection ends as it should."""
UNHEARD: Final = "is no longer listened to"
"""What broke it where nothing did but us."""


class Fetch:
    """Begun when it is made; ended when nothing more comes. `finished` is called once, when all has come, before anybody hears of it.

    Times count in seconds from the asking. When the last client leaves it is cancelled, unless the answer is complete.
    """

    def __init__(
        self, upstream: Upstream, request: Posted, patience: Patience, finished: Callable[[Fetch], None] | None = None
    ) -> None:
        self.request = request
        self.incoming: Incoming | None = None
        self.pieces: list[tuple[float, bytes]] = []
        self.broke: Break | None = None
        self.complete = False
        """Whether the answer has come to its end: a clean one, or its `[DONE]`."""
        self.ended = False
        self.given_up = False
        """Whether it is being cancelled, so that nobody else should join."""
        self.took_s = 0.0
        self._finished = finished
        self._users = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._tail = b""
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._task = self._loop.create_task(self._run(upstream, request, patience))

    def now_s(self) -> float:
        """Seconds since it was asked."""
        return self._loop.time() - self._started

    async def _run(self, upstream: Upstream, request: Posted, patience: Patience) -> None:
        try:
            self.incoming = await upstream.ask(request, patience)
            self._wake()
            await self._read(self.incoming)
            self.complete = True
        except UpstreamBroke as error:
            self.broke = error.at(self.now_s())
        except asyncio.CancelledError:
            self.broke = Break("closed", UNHEARD, self.now_s())
            raise
        finally:
            if self.broke is None and not self.complete:
                self.broke = Break("reset", "could not be understood", self.now_s())
            self.ended = True
            try:
                self._finish()
            finally:
                self._wake()

    async def _read(self, incoming: Incoming) -> None:
        try:
            async for data in incoming.pieces():
                self.pieces.append((self.now_s(), data))
                if incoming.is_stream and not self.complete:
                    self._tail = (self._tail + data)[-_TAIL_BYTES:]
                    if _DONE.search(self._tail):
                        self.complete = True
                        self._finish()
                self._wake()
        finally:
            await incoming.close()

    def _finish(self) -> None:
        finished, self._finished = self._finished, None
        self.took_s = self.took_s or self.now_s()
        if finished is not None:
            finished(self)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def _changed(self) -> None:
        one = self._loop.create_future()
        self._waiting.append(one)
        await one

    async def begun(self) -> Incoming | None:
        """The response, once it has begun; None: it never did, and `broke` says why."""
        while self.incoming is None and not self.ended:
            await self._changed()
        return self.incoming

    async def follow(self) -> AsyncIterator[tuple[float, bytes]]:
        """All pieces from the first one, each as soon as it has come."""
        position = 0
        while True:
            while position < len(self.pieces):
                yield self.pieces[position]
                position += 1
            if self.ended:
                return
            await self._changed()

    async def end(self) -> None:
        """Wait until nothing more comes."""
        while not self.ended:
            await self._changed()

    def join(self) -> None:
        """One more client listens."""
        self._users += 1

    def leave(self) -> None:
        """One client less; after the last one nobody waits for more than the end of what is complete."""
        self._users -= 1
        if self._users or self.ended:
            return
        if self.complete:
            self._loop.call_later(DRAIN_S, self._task.cancel)
        else:
            self.given_up = True
            self._task.cancel()

    async def stop(self) -> None:
        """Cancel it, whoever listens."""
        self._task.cancel()
        await asyncio.wait([self._task])

    def response(self) -> RecordedResponse:
        """What came, as it is recorded: without what the body was compressed with."""
        incoming = self.incoming
        assert incoming is not None  # it has begun
        pieces = tuple([Piece(round(at_s * 1000), len(data)) for at_s, data in self.pieces])
        body = b"".join([data for _at_s, data in self.pieces])
        headers = tuple([pair for pair in incoming.headers if pair[0] not in ("content-encoding", "transfer-encoding")])
        if incoming.length is None:
            headers = tuple([pair for pair in headers if pair[0] != "content-length"])
        return RecordedResponse(incoming.status, incoming.reason, headers, body, pieces)
