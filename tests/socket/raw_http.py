"""A client made of bytes: what it sends and reads is what crosses the socket, nothing added, every wait bounded."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from mockbifrost import Session

DEADLINE_S = 20.0
PATH = "/pydanticai/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Response:
    """A response as it was read; `chunks` are those of the transfer coding, empty where there was none."""

    version: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    chunks: tuple[bytes, ...] = ()

    def header(self, name: str) -> str | None:
        """The value of the one header of that name, in lower case; None where there is none."""
        found = [value for key, value in self.headers if key == name]
        assert len(found) < 2, f"{name} is sent {len(found)} times: {found}"
        return found[0] if found else None

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """What the assistant says: in a plain answer, or in the chunks of a stream."""
        if self.header("content-type") != "text/event-stream":
            return str(self.json()["choices"][0]["message"]["content"])
        deltas = [choice["delta"] for event in self.events() for choice in event["choices"]]
        return "".join([delta.get("content") or "" for delta in deltas])

    def events(self) -> list[Any]:
        """The chunks of a stream; it must end with `[DONE]`."""
        *events, done, rest = self.body.split(b"\n\n")
        assert (done, rest) == (b"data: [DONE]", b"")
        return [json.loads(event.removeprefix(b"data: ")) for event in events]


class Connection:
    """One TCP connection to the server on this machine."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Write bytes."""
        self.socket.sendall(data)

    def ask(self, method: str, path: str, body: bytes = b"", **options: Any) -> Response:
        """One request and its response, on this connection."""
        self.send(request_bytes(method, path, body, **options))
        return self.response(method)

    def chat(self, said: str, **body: Any) -> Response:
        """Say something to the model."""
        headers = body.pop("headers", None)
        path = body.pop("path", PATH)
        return self.ask("POST", path, chat_body(said, **body), headers=headers)

    def send_path(self, path: str, body: bytes) -> None:
        """Send a request to a path, and wait for nothing."""
        self.send(request_bytes("POST", path, body))

    def send_chat(self, said: str, session: Session, **body: Any) -> None:
        """Say something to the model of a session, and wait for nothing."""
        self.send_path(f"/s/{session.id}{PATH}", chat_body(said, **body))

    def head(self) -> Response:
        """Status and headers of the next response."""
        line = self._line().decode("latin-1")
        version, status, *_phrase = line.split(" ", 2)
        headers: list[tuple[str, str]] = []
        while raw := self._line():
            name, _colon, value = raw.decode("latin-1").partition(":")
            headers.append((name.lower(), value.strip()))
        return Response(version, int(status), tuple(headers))

    def response(self, method: str = "POST") -> Response:
        """The next response, whole."""
        head = self.head()
        body, chunks = b"", []
        if method == "HEAD" or head.status in (204, 304) or head.status < 200:
            pass
        elif head.header("transfer-encoding") == "chunked":
            while chunk := self.chunk():
                chunks.append(chunk)
            body = b"".join(chunks)
        elif (length := head.header("content-length")) is not None:
            body = self._exactly(int(length))
        else:
            body = self.rest()
        return Response(head.version, head.status, head.headers, body, tuple(chunks))

    def chunk(self) -> bytes:
        """The next chunk of the transfer coding; empty for the last one."""
        size = int(self._line(), 16)
        data = self._exactly(size)
        assert self._line() == b""
        return data

    def some(self) -> bytes:
        """What has come, at least one byte; empty where the server has closed."""
        return self._file.read1(65_536)

    def rest(self) -> bytes:
        """All that comes until the server closes."""
        return self._file.read()

    def _line(self) -> bytes:
        line = self._file.readline()
        assert line.endswith(b"\r\n"), f"the connection ended inside a head: {line!r}"
        return line[:-2]

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        assert len(data) == size, f"the connection ended after {len(data)} of {size} bytes"
        return data


def request_bytes(
    method: str, path: str, body: bytes = b"", *, headers: Mapping[str, str] | None = None, version: str = "1.1"
) -> bytes:
    """A request; it has a Host and, with a body, a length unless the headers say otherwise."""
    named = {"host": "mock", **(headers or {})}
    if body and not {"content-length", "transfer-encoding"} & named.keys():
        named["content-length"] = str(len(body))
    lines = [f"{method} {path} HTTP/{version}", *[f"{name}: {value}" for name, value in named.items()], "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def chat_body(said: str, **more: Any) -> bytes:
    """The body of a chat request."""
    messages = [{"role": "user", "content": said}]
    return json.dumps({"model": "gpt-4o", "messages": messages, **more}).encode()


def chat_request(said: str, **more: Any) -> bytes:
    """The bytes of a chat request."""
    return request_bytes("POST", PATH, chat_body(said, **more))


def ask(port: int, method: str, path: str, body: bytes = b"", **options: Any) -> Response:
    """One request on a connection of its own."""
    with Connection(port) as connection:
        return connection.ask(method, path, body, **options)


def chat(port: int, said: str, **body: Any) -> Response:
    """Say something to the model, on a connection of its own."""
    with Connection(port) as connection:
        return connection.chat(said, **body)


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds; fail where it never does."""
    deadline = time.monotonic() + DEADLINE_S
    tick = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, f"waited {DEADLINE_S} s in vain: {what}"
        tick.wait(0.01)
