"""A response as bytes with the real time of each write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mockbifrost.gateway.outcome import Outcome
from mockbifrost.wire.headers import RawHeaders


@dataclass(frozen=True, slots=True)
class Frame:
    """Bytes that are due `at_s` real seconds after the request was read. `content`: a chunk as clients count them."""

    at_s: float
    data: bytes
    content: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is written and when. No frames: `body` is all there is, and due at once."""

    status: int
    headers: RawHeaders
    body: bytes
    frames: tuple[Frame, ...] = ()
    end: Literal["clean", "close"] = "clean"
    sized: bool = True
    """Whether the length of the body is told ahead."""


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
