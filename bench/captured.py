"""What mockbifrost sends, taken down so that the bare app can send the same bytes."""

import json
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from bench import load, scenarios
from bench.servers import BenchError

EVENT = re.compile(rb"data: [^\n]*\n\n")
CONTENT_TYPE = re.compile(rb"\r\ncontent-type: *([^\r]+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Captured:
    """A body as it was received, and its content type."""

    content_type: str
    body: bytes


def capture(port: int, *, stream: bool) -> Captured:
    """What the server sends for the first stub; `BenchError` when that is not the expected answer."""
    data = ask(port, scenarios.request_bytes(scenarios.prompt("first"), stream=stream))
    right = load.stream_right if stream else load.plain_right
    if not right(data, scenarios.ANSWER.encode()):
        raise BenchError(f"not the expected answer:\n{data[:2000].decode(errors='replace')}")
    head, _, body = data.partition(b"\r\n\r\n")
    content_type = CONTENT_TYPE.search(head + b"\r\n")
    return Captured(content_type[1].decode() if content_type else "", dechunked(body) if stream else body)


def ask(port: int, request: bytes) -> bytes:
    """One whole response over a new connection, or as much of it as came."""
    data = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(request)
        while not (load.plain_complete(data) or load.stream_complete(data)):
            part = sock.recv(load.RECEIVE_BYTES)
            if not part:
                break
            data += part
    return data


def dechunked(data: bytes) -> bytes:
    """The body that was sent in chunked encoding."""
    parts: list[bytes] = []
    while data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        parts.append(rest[:length])
        data = rest[length + 2 :]
    return b"".join(parts)


def paced_writes(body: bytes, ttft_s: float, interval_s: float) -> list[tuple[float, str]]:
    """A captured stream as one write per content chunk, `interval_s` apart; what has no content rides along."""
    writes: list[tuple[float, str]] = []
    ahead = ""
    for event in EVENT.findall(body):
        text = event.decode()
        if load.CONTENT_EVENT.search(event):
            writes.append((ttft_s + len(writes) * interval_s, ahead + text))
            ahead = ""
        elif writes:
            writes[-1] = (writes[-1][0], writes[-1][1] + text)
        else:
            ahead += text
    return writes


def write_answer(path: Path, captured: Captured, writes: list[tuple[float, str]] | None = None) -> Path:
    """Write the file from which the bare app answers; one write of the whole body unless told."""
    sent = writes or [(0.0, captured.body.decode())]
    path.write_text(json.dumps({"content_type": captured.content_type, "writes": sent}), encoding="utf-8")
    return path
