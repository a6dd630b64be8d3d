"""The load client: raw HTTP/1.1 over plain sockets, in a process of its own so that its CPU is not the server's.

`python -m bench.load` reads a `Job` as JSON from stdin and writes what it measured as JSON to stdout: a `ClosedLoop`
for each server, or one `PacedRun`. Requests are bytes made before; every answer is checked against the expected text.
"""

import gc
import json
import re
import selectors
import socket
import sys
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate, pairwise
from time import perf_counter
from typing import Literal

from bench.process_stat import Meter

RECEIVE_BYTES = 64 * 1024
STREAM_END = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"
CONTENT = b'"content":"'
CONTENT_EVENT = re.compile(rb'"content":"([^"\\]+)"[^\n]*\n\n')
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
SLICE_S = 0.1
WARMUP_S = 0.2
FINISH_GRACE_S = 20.0


@dataclass(frozen=True, slots=True)
class Job:
    """One measurement. A closed loop gives each server, in slices that alternate, `seconds` in all.

    A paced run has one server; `streams`, `ramp_s` and `interval_s` describe it.
    """

    kind: Literal["plain", "stream", "paced"]
    ports: Sequence[int]
    pids: Sequence[int]
    request: str
    expect: str
    connections: int = 1
    seconds: float = 1.5
    streams: int = 1000
    ramp_s: float = 1.0
    interval_s: float = 0.02


@dataclass(slots=True)
class ClosedLoop:
    """What a closed loop counted of one server after its warm-up; CPU is `None` where it can't be read."""

    answers: int = 0
    wrong: int = 0
    first_wrong: str = ""
    seconds: float = 0.0
    server_cpu_s: float | None = None
    others_share: float | None = None


@dataclass(slots=True)
class PacedRun:
    """What paced streams did: the drift of each whole one, the error of each gap, and how many were not right."""

    drifts_ms: list[float] = field(default_factory=list)
    gap_errors_ms: list[float] = field(default_factory=list)
    dropped: int = 0
    first_wrong: str = ""
    server_cpu_s: float | None = None
    others_share: float | None = None


class LoadError(Exception):
    """The server broke the connection of a closed loop, or did not answer at all."""


def plain_complete(data: bytes) -> bool:
    """Whether a response with a Content-Length is all there."""
    head_end = data.find(b"\r\n\r\n")
    length = LENGTH.search(data, 0, head_end + 2) if head_end > 0 else None
    return length is not None and len(data) >= head_end + 4 + int(length[1])


def stream_complete(data: bytes) -> bool:
    """Whether a chunked response is all there; JSON has no raw line ends, so no answer holds the terminator."""
    return data.endswith(STREAM_END)


def plain_right(data: bytes, expect: bytes) -> bool:
    """Whether a plain answer is a 200 that holds the expected text."""
    return data.startswith(b"HTTP/1.1 200") and expect in data


def stream_right(data: bytes, expect: bytes) -> bool:
    """Whether the contents of a stream join to the expected text (one without quotes), and `[DONE]` ends it."""
    if not data.startswith(b"HTTP/1.1 200") or DONE not in data[-64:]:
        return False
    return b"".join([part.partition(b'"')[0] for part in data.split(CONTENT)[1:]]) == expect


@dataclass(slots=True, eq=False)
class Connection:
    """One keep-alive connection and what it has received of the present answer."""

    sock: socket.socket
    received: bytes = b""
    reads: list[tuple[float, bytes]] = field(default_factory=list)


def connect(port: int) -> Connection:
    """Open a connection to the server under test."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(None)  # a timeout costs a poll() per read; the caller bounds this process as a whole
    return Connection(sock)


class Side:
    """One server of a closed loop: each of its connections asks again as soon as its answer is complete."""

    def __init__(self, job: Job, port: int) -> None:
        self._request = job.request.encode()
        self._expect = job.expect.encode()
        self._complete = stream_complete if job.kind == "stream" else plain_complete
        self._right = stream_right if job.kind == "stream" else plain_right
        self._connections = [connect(port) for _ in range(job.connections)]
        self._selector = selectors.DefaultSelector()
        for connection in self._connections:
            self._selector.register(connection.sock, selectors.EVENT_READ, connection)
        self.counted = ClosedLoop()

    def close(self) -> None:
        """Close all connections."""
        self._selector.close()
        for connection in self._connections:
            connection.sock.close()

    def turn(self, seconds: float) -> None:
        """Ask for so long, then wait for the last answers."""
        begun = perf_counter()
        until = begun + seconds
        for connection in self._connections:
            connection.sock.sendall(self._request)
        if len(self._connections) == 1:
            self._alone(self._connections[0], until)
        else:
            self._together(until)
        self.counted.seconds += perf_counter() - begun

    def _alone(self, connection: Connection, until: float) -> None:
        """One connection is read without a selector, as a blocking client reads."""
        while not self._ended(connection, perf_counter() < until):
            pass

    def _together(self, until: float) -> None:
        asking = len(self._connections)
        while asking:
            ready = self._selector.select(5)
            if not ready:
                raise LoadError("no answer within 5 s")
            again = perf_counter() < until
            for key, _ in ready:
                asking -= self._ended(key.data, again)

    def _ended(self, connection: Connection, again: bool) -> bool:
        """Read once; whether the answer is complete and, since the time is up, no other was asked for."""
        data = connection.sock.recv(RECEIVE_BYTES)
        if not data:
            raise LoadError(f"the server closed a connection after {connection.received[:300]!r}")
        if connection.received:
            data = connection.received + data
        if not self._complete(data):
            connection.received = data
            return False
        connection.received = b""
        if again:
            connection.sock.sendall(self._request)
        self.counted.answers += 1
        if not self._right(data, self._expect):
            self.counted.wrong += 1
            self.counted.first_wrong = self.counted.first_wrong or data[:600].decode(errors="replace")
        return not again


def closed_loops(job: Job) -> list[ClosedLoop]:
    """Load the servers in turn, a tenth of a second each, so that what disturbs the machine disturbs all alike."""
    sides = [Side(job, port) for port in job.ports]
    try:
        for side in sides:
            side.turn(WARMUP_S)
            side.counted = ClosedLoop()
        meter = Meter(job.pids)
        for number in range(max(1, round(job.seconds / SLICE_S))):
            for side in sides[::-1] if number % 2 else sides:
                side.turn(SLICE_S)
        others = meter.others_share()
        for side, used_s in zip(sides, meter.servers_s(), strict=True):
            side.counted.server_cpu_s, side.counted.others_share = used_s, others
    finally:
        for side in sides:
            side.close()
    return [side.counted for side in sides]


class PacedStreams:
    """Many streams at once, begun evenly over the ramp.

    Each read is stamped when it is taken from the socket, and judged when all streams have ended.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._request = job.request.encode()
        self._connections = [connect(job.ports[0]) for _ in range(job.streams)]
        self._open = 0

    def run(self) -> PacedRun:
        """Play all streams to their end, or to the deadline that bounds them."""
        meter = Meter(self._job.pids)
        try:
            self._play()
        finally:
            for connection in self._connections:
                connection.sock.close()
        run = PacedRun(server_cpu_s=meter.servers_s()[0], others_share=meter.others_share())
        for connection in self._connections:
            judge(connection.reads, self._job, run)
        return run

    def _play(self) -> None:
        waiting = list(reversed(self._connections))
        step_s = self._job.ramp_s / len(waiting)
        begun = perf_counter()
        give_up = begun + self._job.ramp_s + FINISH_GRACE_S
        with selectors.DefaultSelector() as selector:
            while (waiting or self._open) and perf_counter() < give_up:
                while waiting and perf_counter() >= begun + (len(self._connections) - len(waiting)) * step_s:
                    self._begin(selector, waiting.pop())
                for key, _ in selector.select(step_s / 2 if waiting else 0.5):
                    self._read(selector, key.data)

    def _begin(self, selector: selectors.BaseSelector, connection: Connection) -> None:
        connection.sock.sendall(self._request)
        selector.register(connection.sock, selectors.EVENT_READ, connection)
        self._open += 1

    def _read(self, selector: selectors.BaseSelector, connection: Connection) -> None:
        at_s = perf_counter()
        data = receive(connection.sock)
        connection.reads.append((at_s, data))
        if not data or data.endswith(STREAM_END):
            selector.unregister(connection.sock)
            self._open -= 1


def receive(sock: socket.socket) -> bytes:
    """What has come; nothing, too, when the server has reset the connection."""
    try:
        return sock.recv(RECEIVE_BYTES)
    except ConnectionError:
        return b""


def arrivals(reads: list[tuple[float, bytes]]) -> list[float]:
    """When each event with content was there in full."""
    data = b"".join(part for _, part in reads)
    ends = list(accumulate(len(part) for _, part in reads))
    return [reads[bisect_left(ends, event.end())][0] for event in CONTENT_EVENT.finditer(data)]


def judge(reads: list[tuple[float, bytes]], job: Job, run: PacedRun) -> None:
    """Add one stream to `run`: its drift and the error of its gaps, or one more that was dropped."""
    data = b"".join(part for _, part in reads)
    times = arrivals(reads)
    if not (stream_complete(data) and stream_right(data, job.expect.encode()) and len(times) > 1):
        run.dropped += 1
        run.first_wrong = run.first_wrong or data[:600].decode(errors="replace")
        return
    gaps = [after - before for before, after in pairwise(times)]
    run.drifts_ms.append((times[-1] - times[0] - len(gaps) * job.interval_s) * 1000)
    run.gap_errors_ms.extend(abs(gap - job.interval_s) * 1000 for gap in gaps)


def perform(job: Job) -> list[ClosedLoop] | list[PacedRun]:
    """Run one job in this process."""
    gc.disable()  # a collection would look like a pause of the server
    return [PacedStreams(job).run()] if job.kind == "paced" else closed_loops(job)


def main() -> None:
    """Read a job from stdin, write what was measured to stdout."""
    json.dump([asdict(result) for result in perform(Job(**json.load(sys.stdin)))], sys.stdout)


if __name__ == "__main__":
    main()
