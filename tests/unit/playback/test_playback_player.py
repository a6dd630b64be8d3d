"""The player writes each frame in time, and stops when nobody listens. Time is virtual: nothing sleeps."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from mockbifrost.playback.player import GONE, WHOLE, Played, play
from mockbifrost.playback.timeline import Frame, Timeline
from mockbifrost.wire.mold import Mold
from tests.virtual_time import run


@dataclass(slots=True)
class Client:
    """What reads the response. It hangs up at `leaves_s`, and reads nothing between `full_s` and `reads_s`."""

    leaves_s: float = 1e9
    full_s: float = 1e9
    reads_s: float = 1e9
    writes: list[tuple[float, bytes, bool]] = field(default_factory=list)
    listener: Callable[[], None] | None = None

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def gone(self) -> bool:
        return self.now >= self.leaves_s

    @property
    def full(self) -> bool:
        return self.full_s <= self.now < self.reads_s

    async def drained(self) -> None:
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        loop.call_at(min(self.reads_s, self.leaves_s), _wake, waiter)
        await waiter

    def write(self, data: bytes, *, last: bool) -> None:
        assert not self.gone, "nobody reads what is written to a client that left"
        self.writes.append((round(self.now, 6), data, last))

    def on_leaving(self, call: Callable[[], None] | None) -> None:
        self.listener = call
        if call is not None:
            asyncio.get_running_loop().call_at(self.leaves_s, lambda: self.listener and self.listener())


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


def timeline(*times: float, content: bool = True, joined: bool = True) -> Timeline:
    frames = [Frame(at_s, Mold((b"%d " % number,), ()), content) for number, at_s in enumerate(times)]
    return Timeline(200, [], b"", frames, joined=joined)


def played(script: Timeline, client: Client, *, late_s: float = 0.0) -> Played:
    async def go() -> Played:
        loop = asyncio.get_running_loop()
        started = loop.time()
        if late_s:
            waiter = loop.create_future()
            loop.call_later(late_s, waiter.set_result, None)
            await waiter
        return await play(script, client, started)

    return run(go())


def test_each_frame_is_written_when_its_time_has_come() -> None:
    client = Client()

    found = played(timeline(0, 0.5, 2), client)

    assert found == Played(closed=False, chunks=3)
    assert client.writes == [(0.0, b"0 ", False), (0.5, b"1 ", False), (2.0, b"2 ", True)]


def test_what_is_due_at_once_goes_out_in_one_write() -> None:
    client = Client()

    played(timeline(0, 0, 1, 1, 1), client)

    assert client.writes == [(0.0, b"0 1 ", False), (1.0, b"2 3 4 ", True)]


def test_unless_each_piece_is_to_be_a_write_of_its_own() -> None:
    client = Client()

    played(timeline(0, 0, 1, 1, joined=False), client)

    assert client.writes == [(0.0, b"0 ", False), (0.0, b"1 ", False), (1.0, b"2 ", False), (1.0, b"3 ", True)]


def test_deadlines_count_from_the_start_so_lateness_never_adds_up() -> None:
    """Begun a second late: what was missed comes at once, the rest in time."""
    client = Client()

    played(timeline(0, 0.5, 2), client, late_s=1)

    assert client.writes == [(1.0, b"0 1 ", False), (2.0, b"2 ", True)]


def test_a_body_without_frames_is_one_write() -> None:
    client = Client()

    assert played(Timeline(200, [], b"all"), client) is WHOLE
    assert client.writes == [(0.0, b"all", True)]


def test_values_fill_the_holes_of_frames() -> None:
    client = Client()
    frame = Frame(1, Mold((b"<", b">"), (0,)), content=True)

    played(Timeline(200, [], b"", [frame], [b"x"]), client)

    assert client.writes == [(1.0, b"<x>", True)]


@pytest.mark.parametrize(
    ("leaves_s", "chunks", "writes"), [(0.2, 1, 1), (0.7, 2, 2), (5.0, 3, 3)], ids=["soon", "later", "at the end"]
)
def test_a_client_that_leaves_ends_the_work_at_once(leaves_s: float, chunks: int, writes: int) -> None:
    client = Client(leaves_s)

    found = played(timeline(0, 0.5, 2), client)

    assert found == Played(closed=writes < 3, chunks=chunks)
    assert len(client.writes) == writes


def test_only_chunks_with_content_are_counted() -> None:
    assert played(timeline(0, 1, 2, content=False), Client(1.5)) == Played(closed=True, chunks=0)


def test_a_client_that_left_before_the_first_byte_gets_nothing() -> None:
    client = Client(leaves_s=0)

    assert played(timeline(0, 1), client) is GONE
    assert client.writes == []


def test_a_client_that_reads_slowly_is_waited_for() -> None:
    """What came due meanwhile goes out in one write when it reads again."""
    client = Client(full_s=0, reads_s=3)

    assert played(timeline(0, 1, 2, 4), client) == Played(chunks=4)
    assert client.writes == [(3.0, b"0 1 2 ", False), (4.0, b"3 ", True)]


def test_a_client_that_stops_reading_on_the_way_is_waited_for() -> None:
    client = Client(full_s=1, reads_s=3)

    played(timeline(0, 1, 2, 4), client)

    assert client.writes == [(0.0, b"0 ", False), (1.0, b"1 ", False), (3.0, b"2 ", False), (4.0, b"3 ", True)]


def test_a_client_that_leaves_while_it_is_waited_for_gets_no_more() -> None:
    client = Client(leaves_s=2, full_s=1)

    assert played(timeline(0, 1, 3), client) == Played(closed=True, chunks=2)
    assert len(client.writes) == 2


def test_nobody_listens_for_a_leaving_when_all_is_written() -> None:
    client = Client(leaves_s=10)

    played(timeline(0, 1), client)

    assert client.listener is None


def test_a_player_that_is_cancelled_leaves_no_timer_behind() -> None:
    client = Client()

    async def go() -> None:
        task = asyncio.ensure_future(play(timeline(0, 100), client, 0.0))
        loop = asyncio.get_running_loop()
        loop.call_at(1, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        waiter = loop.create_future()
        loop.call_at(200, waiter.set_result, None)
        await waiter

    coroutine: Coroutine[Any, Any, None] = go()
    run(coroutine)
    assert client.writes == [(0.0, b"0 ", False)]
