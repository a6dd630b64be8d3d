"""Writes each frame when its time has come. Deadlines count from the start, so lateness never adds up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from mockbifrost.playback.timeline import Timeline
from mockbifrost.values import value


class Sink(Protocol):
    """Where a response goes: a connection that has been told status and headers."""

    @property
    def gone(self) -> bool:
        """Whether the client has hung up."""
        ...

    @property
    def full(self) -> bool:
        """Whether the client reads too slowly to be sent more now."""
        ...

    async def drained(self) -> None:
        """Wait until it is no longer full, or gone."""
        ...

    def write(self, data: bytes, *, last: bool) -> None:
        """Write now; with the first bytes go status and headers, with the last ones the end of the response."""
        ...

    def on_leaving(self, call: Callable[[], None] | None) -> None:
        """Call this when the client hangs up; None: no longer."""
        ...


@value
class Played:
    """What became of a response: whether the client left before its end, and how many chunks with content it was sent."""

    closed: bool = False
    chunks: int = 0


WHOLE = Played()
GONE = Played(closed=True)


async def play(timeline: Timeline, sink: Sink, started: float) -> Played:
    """Write the whole response; `started` is the loop's time at which the request had been read."""
    if sink.full:
        await sink.drained()
    if sink.gone:
        return GONE
    if not timeline.frames:
        sink.write(timeline.body, last=True)
        return WHOLE
    steps = _Steps(timeline, sink, started)
    sink.on_leaving(steps.leave)
    try:
        steps.step()
        return await steps.done
    finally:
        sink.on_leaving(None)
        steps.stop()


class _Steps:
    """The frames of one response, one timer after the other."""

    def __init__(self, timeline: Timeline, sink: Sink, started: float) -> None:
        self._timeline = timeline
        self._sink = sink
        self._started = started
        self._loop = asyncio.get_running_loop()
        self._position = 0
        self._chunks = 0
        self._timer: asyncio.Handle | None = None
        self._draining: asyncio.Task[None] | None = None
        self.done: asyncio.Future[Played] = self._loop.create_future()

    def step(self) -> None:
        """Write what is due, and come again when the next frame is."""
        timeline = self._timeline
        frames = timeline.frames
        now = self._loop.time() - self._started
        position = self._position
        due: list[bytes] = []
        while position < len(frames) and frames[position].at_s <= now and (timeline.joined or not due):
            due.append(frames[position].mold.fill(timeline.values))  # what is due at once goes out in one write
            self._chunks += frames[position].content
            position += 1
        self._position = position
        last = position == len(frames)
        held = last and timeline.end == "hold"
        if due:
            data = due[0] if len(due) == 1 else b"".join(due)
            if data or not held:
                self._sink.write(data, last=last and not held)
        if held:
            return  # until the client leaves
        if last:
            self._end(Played(False, self._chunks))
        elif self._sink.full:
            self._draining = self._loop.create_task(self._drained())
        elif frames[position].at_s <= now:
            self._timer = self._loop.call_soon(self.step)
        else:
            self._timer = self._loop.call_at(self._started + frames[position].at_s, self.step)

    async def _drained(self) -> None:
        await self._sink.drained()
        if not self.done.done():
            self.step()

    def leave(self) -> None:
        """The client has hung up: nothing more is written."""
        self._end(Played(True, self._chunks))
        self.stop()

    def _end(self, played: Played) -> None:
        if not self.done.done():
            self.done.set_result(played)

    def stop(self) -> None:
        """Wait for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._draining is not None:
            self._draining.cancel()
