"""A response as bytes with the real time of each write."""

from __future__ import annotations

from typing import Final, Literal

from mockbifrost.gateway.outcome import Outcome
from mockbifrost.values import value
from mockbifrost.wire.headers import RawHeaders

NO_BODY: Final = (204, 304)
"""Statuses whose responses have neither a body nor a length."""


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
    joined: bool = True
    """Whether frames that are due at once go out in one write; else each is a write of its own."""

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body) if not self.frames else sum([len(frame.data) for frame in self.frames])


def timeline_of(outcome: Outcome, speed: float) -> Timeline:
    """The outcome at a speed: 0 waits for nothing, 1 as written, 2 twice as fast. A stub's own speed beats the server's."""
    if outcome.speed is not None:
        speed = outcome.speed
    cast = outcome.cast
    if outcome.raw:
        return _written_out(outcome, speed)
    if not speed or (cast.immediate and not outcome.waited_s):
        body = cast.whole.fill(outcome.values)
        return Timeline(outcome.status, outcome.headers, body, (), outcome.end, not outcome.stream)
    return Timeline(outcome.status, outcome.headers, b"", _frames(outcome, speed), outcome.end, not outcome.stream)


def _frames(outcome: Outcome, speed: float) -> tuple[Frame, ...]:
    cast, values, waited_s = outcome.cast, outcome.values, outcome.waited_s
    return tuple(
        [
            Frame((at_s + waited_s) / speed if speed else 0.0, mold.fill(values), content)
            for at_s, mold, content in zip(cast.times_s, cast.frames, cast.content, strict=True)
        ]
    )


def _written_out(outcome: Outcome, speed: float) -> Timeline:
    """An answer in the words of a script: each piece is one write, and a length that it states stays as it is, a wrong one too."""
    frames = _frames(outcome, speed)
    if outcome.status in NO_BODY:
        frames = (Frame(frames[-1].at_s, b"", content=False),)
    headers = [
        pair for pair in outcome.headers if pair[0] != b"transfer-encoding"
    ]  # its chunks are cut where it is written
    end, sized = outcome.end, outcome.end == "clean" and len(frames) == 1
    stated = [text for name, text in headers if name == b"content-length"]
    if stated == [b"%d" % sum([len(frame.data) for frame in frames])] and end == "clean":
        headers = [pair for pair in headers if pair[0] != b"content-length"]
        sized = True
    elif stated:
        end, sized = "close", False  # bytes that no server would send go out as they are, and then it hangs up
    if len(frames) == 1 and not frames[0].at_s:
        return Timeline(outcome.status, headers, frames[0].data, (), end, sized)
    return Timeline(outcome.status, headers, b"", frames, end, sized, joined=False)
