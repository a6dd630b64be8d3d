"""A response as frames with the real time of each write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mockbifrost.gateway.outcome import End, Outcome
from mockbifrost.values import value
from mockbifrost.wire.headers import RawHeaders
from mockbifrost.wire.mold import Mold

NO_BODY: Final = (204, 304)
"""Statuses whose responses have neither a body nor a length."""


@value
class Frame:
    """Bytes that are due `at_s` real seconds after the request was read. `content`: a chunk as clients count them."""

    at_s: float
    mold: Mold
    content: bool


@value
class Timeline:
    """What is written and when. No frames: `body` is all there is, and due at once; else `values` fill the frames' holes."""

    status: int
    headers: RawHeaders
    body: bytes
    frames: Sequence[Frame] = ()
    values: Sequence[bytes] = ()
    end: End = "clean"
    length: int | None = None
    """Bytes of the body, where they are told ahead."""
    joined: bool = True
    """Whether frames that are due at once go out in one write; else each is a write of its own."""


def timeline_of(outcome: Outcome, speed: float) -> Timeline:
    """The outcome at a speed: 0 waits for nothing, 1 as written, 2 twice as fast. A stub's own speed beats the server's."""
    if outcome.speed is not None:
        speed = outcome.speed
    if outcome.raw:
        return _written_out(outcome, speed)
    cast = outcome.cast
    if outcome.end != "hold" and (not speed or (cast.immediate and not outcome.waited_s)):
        body = cast.whole.fill(outcome.values)
        length = None if outcome.stream else len(body)
        return Timeline(outcome.status, outcome.headers, body, end=outcome.end, length=length)
    length = None if outcome.stream else len(cast.whole.fill(outcome.values))
    frames = _frames(outcome, speed)
    return Timeline(outcome.status, outcome.headers, b"", frames, outcome.values, outcome.end, length)


def _frames(outcome: Outcome, speed: float) -> list[Frame]:
    cast, waited_s = outcome.cast, outcome.waited_s
    scale = 1 / speed if speed else 0.0
    return [
        Frame((at_s + waited_s) * scale, mold, content)
        for at_s, mold, content in zip(cast.times_s, cast.frames, cast.content, strict=True)
    ]


def _written_out(outcome: Outcome, speed: float) -> Timeline:
    """An answer in a script's own words: each piece is one write, and a length that it states stays, a wrong one too."""
    frames = _frames(outcome, speed)
    if outcome.status in NO_BODY:
        frames = [Frame(frames[-1].at_s, Mold((b"",), ()), content=False)]
    sizes = [len(frame.mold.fill(())) for frame in frames]
    # Its chunks are cut where it is written, so a transfer coding of its own would be a second one.
    headers = [pair for pair in outcome.headers if pair[0] != b"transfer-encoding"]
    end = outcome.end
    length = sizes[0] if end == "clean" and len(frames) == 1 else None
    stated = [text for name, text in headers if name == b"content-length"]
    if stated == [b"%d" % sum(sizes)] and end == "clean":
        headers = [pair for pair in headers if pair[0] != b"content-length"]
        length = sum(sizes)
    elif stated:
        end, length = "close", None  # bytes that no server would send go out as they are, and then it hangs up
    if len(frames) == 1 and not frames[0].at_s:
        return Timeline(outcome.status, headers, frames[0].mold.fill(()), end=end, length=length)
    return Timeline(outcome.status, headers, b"", frames, (), end, length, joined=False)
