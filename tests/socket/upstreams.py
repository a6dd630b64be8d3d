"""Upstreams for tests, made of bytes: what each connection is sent is up to the test, and it waits for the test where it says so."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.socket.raw_http import DEADLINE_S

Headers = dict[str, str]


@dataclass(slots=True)
class Heard:
    """A request that came in."""

    path: str
    headers: Headers
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Line:
    """One connection, after a request has been read from it."""

    def __init__(self, connection: socket.socket, heard: Heard) -> None:
        self._connection = connection
        self.heard = heard

    def send(self, *parts: bytes) -> None:
        """Write bytes now."""
        for part in parts:
            self._connection.sendall(part)

    def head(self, status: int = 200, **headers: str) -> None:
        """Write status and headers."""
        lines = [
            f"HTTP/1.1 {status} Whatever",
            *[f"{name.replace('_', '-')}: {text}" for name, text in headers.items()],
        ]
        self.send("\r\n".join([*lines, "", ""]).encode())

    def stream(self) -> None:
        """Write the head of a stream of events."""
        self.head(content_type="text/event-stream", transfer_encoding="chunked")

    def chunk(self, data: bytes) -> None:
        """Write one chunk of the transfer coding; an empty one is the last."""
        self.send(b"%x\r\n" % len(data), data, b"\r\n")

    def plain(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Write a whole response."""
        self.head(status, content_length=str(len(body)), **{"content_type": "application/json", **headers})
        self.send(body)

    def reset(self) -> None:
        """Hang up as a crash does."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def gone(self) -> bool:
        """Wait until the other side has hung up."""
        try:
            return self._connection.recv(1) == b""
        except OSError:
            return True


Behaviour = Callable[[Line], object]


@dataclass(slots=True)
class Upstream:
    """A listening upstream: what it has heard so far, and its address."""

    port: int
    heard: list[Heard] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def _read(connection: socket.socket) -> Heard | None:
    raw = b""
    while b"\r\n\r\n" not in raw:
        more = connection.recv(65_536)
        if not more:
            return None
        raw += more
    head, _gap, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): text.strip() for name, _colon, text in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65_536)
    return Heard(first.split()[1], headers, body)


@contextmanager
def upstream(behaviour: Behaviour) -> Iterator[Upstream]:
    """An upstream that treats each request alike. Connections are kept while the behaviour returns without hanging up."""
    listener = socket.create_server(("127.0.0.1", 0))
    found = Upstream(listener.getsockname()[1])
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(DEADLINE_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                heard = _read(connection)
                if heard is not None:
                    found.heard.append(heard)
                    behaviour(Line(connection, heard))
            except OSError:
                pass  # the other side has left
            except BaseException as error:  # noqa: BLE001 - the test asks for it
                found.errors.append(error)

    def accept() -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
            threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield found
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(DEADLINE_S)
        for thread in threads:
            thread.join(DEADLINE_S)
    assert found.errors == []


COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 5,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Real."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6},
}
PLAIN = json.dumps(COMPLETION).encode()


def event(content: str | None = None, finish: str | None = None, **more: Any) -> bytes:
    """A chunk of a provider's stream, with a piece of text or a reason to end."""
    delta = {} if content is None else {"content": content}
    head = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "created": 5, "model": "gpt-4o-2024-08-06"}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps({**head, "choices": choices, **more}).encode() + b"\n\n"


STREAM = (event("Once "), event("upon "), event("a time."), event(finish="stop"), b"data: [DONE]\n\n")
