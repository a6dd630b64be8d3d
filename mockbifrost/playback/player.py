"""Writes each frame when its time has come. Deadlines count from the start, so lateness never adds up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mockbifrost.playback.timeline import Timeline
from mockbifrost.values import value

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]


@value
class Played:
    """What became of a response: whether the client stayed, and how many chunks with content it was sent."""

    closed: bool = False
    chunks: int = 0


WHOLE = Played()


class _Leaving:
    """Knows when the client hangs up, and wakes whoever waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receive: Receive) -> None:
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None
        self._task = loop.create_task(self._watch(receive))
        self.gone = False

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def until(self, deadline: float) -> None:
        """Wait until the loop's time is `deadline` or the client has gone."""
        if self.gone:
            return
        waiter = self._waiter = self._loop.create_future()
        handle = self._loop.call_at(deadline, _wake, waiter)
        try:
            await waiter
        finally:
            handle.cancel()
            self._waiter = None

    async def stop(self) -> None:
        """Watch no longer."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def play(timeline: Timeline, send: Send, receive: Receive, started: float) -> Played:
    """Send the whole response; `started` is the loop's time at which the request had been read."""
    if not timeline.frames:
        await send({"type": "http.response.start", "status": timeline.status, "headers": timeline.headers})
        await send({"type": "http.response.body", "body": timeline.body})
        return WHOLE
    loop = asyncio.get_running_loop()
    leaving = _Leaving(loop, receive)
    try:
        return await _paced(timeline, send, leaving, loop, started)
    finally:
        await leaving.stop()


async def _paced(
    timeline: Timeline, send: Send, leaving: _Leaving, loop: asyncio.AbstractEventLoop, started: float
) -> Played:
    frames = timeline.frames
    position, chunks, begun, joined = 0, 0, False, timeline.joined
    while position < len(frames):
        deadline = started + frames[position].at_s
        if deadline > loop.time():
            await leaving.until(deadline)
        if leaving.gone:
            return Played(True, chunks)
        now = max(loop.time(), deadline) - started
        due = position
        while due < len(frames) and frames[due].at_s <= now and (joined or due == position):
            chunks += frames[due].content
            due += 1
        data = (
            frames[position].data if due == position + 1 else b"".join([frame.data for frame in frames[position:due]])
        )
        position = due
        if not begun:
            begun = True
            await send({"type": "http.response.start", "status": timeline.status, "headers": timeline.headers})
        await send({"type": "http.response.body", "body": data, "more_body": position < len(frames)})
    return Played(leaving.gone and position < len(frames), chunks)
