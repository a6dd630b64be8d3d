"""A response as bytes with the real time of each write."""

from __future__ import annotations

from typing import Literal

from mockbifrost.gateway.outcome import Outcome
from mockbifrost.values import value
from mockbifrost.wire.headers import RawHeaders


@value
class Frame:
    """Bytes that are due `at_s` real seconds after the request was read. `content`: a chunk as clients count them."""

    at_s: float
    data: bytes
    content: bool


@value
class Timeline:
    """What is written and when. No frames: `body` is all there is, and due at once."""

    status: int
    headers: RawHeaders
    body: bytes
    frames: tuple[Frame, ...] = ()
    end: Literal["clean", "close"] = "clean"
    sized: bool = True
    """Whether the length of the body is told ahead."""

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body) if not self.frames else sum([len(frame.data) for frame in self.frames])


def timeline_of(outcome: Outcome, speed: float) -> Timeline:
    """The outcome at a speed: 0 waits for nothing, 1 as written, 2 twice as fast. A stub's own speed beats the server's."""
    if outcome.speed is not None:
        speed = outcome.speed
    cast = outcome.cast
    sized = not outcome.stream and (not outcome.raw or (outcome.end == "clean" and len(cast.frames) == 1))
    if not speed or (cast.immediate and not outcome.waited_s):
        return Timeline(outcome.status, outcome.headers, cast.whole.fill(outcome.values), (), outcome.end, sized)
    values = outcome.values
    frames = tuple(
        [
            Frame((at_s + outcome.waited_s) / speed, mold.fill(values), content)
            for at_s, mold, content in zip(cast.times_s, cast.frames, cast.content, strict=True)
        ]
    )
    return Timeline(outcome.status, outcome.headers, b"", frames, outcome.end, sized)
