"""The whole server but its socket: bytes go into uvicorn's protocol, and come out at a pretended transport."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from mockbifrost.scenario.load import load_text
from mockbifrost.serve.protocol import ConnectionProtocol
from mockbifrost.serve.server import Server
from mockbifrost.serve.settings import ServerSettings
from mockbifrost.session.assembly import assemble
from mockbifrost.wire.profiles import ProfileName

PATH = "/pydanticai/v1/chat/completions"
DEADLINE_S = 20.0
ROUNDS = 20
Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was written for one request."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of the one header of that name."""
        found = [value.decode("latin-1") for key, value in self.headers if key == name.encode()]
        assert len(found) < 2, found
        return found[0] if found else None

    def json(self) -> Any:
        """The body as JSON; a key that is there twice, or NaN, is an error."""
        return json.loads(self.body, object_pairs_hook=_once, parse_constant=_never)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    assert len(found) == len(pairs), f"a key is there twice: {[key for key, _ in pairs]}"
    return found


def _never(constant: str) -> Any:
    raise AssertionError(f"{constant} is no JSON")


class App:
    """A server of one scenario; it waits for nothing."""

    def __init__(
        self,
        scenario: str,
        *,
        version: ProfileName | None = None,
        most_body_bytes: int = 32 << 20,
        most_sessions: int = 50,
    ) -> None:
        settings = ServerSettings(
            port=0, most_body_bytes=most_body_bytes, most_sessions=most_sessions, speed=0, clock="fixed"
        )
        server = Server(assemble([load_text(scenario, "app.yaml")], version=version), settings)
        server.close()  # nobody connects
        self.sessions = server.sessions
        self._config = Config(server.app, http=ConnectionProtocol, ws="none", lifespan="off", log_config=None)
        self._config.load()
        self._runner = asyncio.Runner()

    def close(self) -> None:
        """End its event loop."""
        self._runner.close()

    def chat(self, body: bytes | Mapping[str, Any], **options: Any) -> Answer:
        """A request to the endpoint."""
        return self.ask("POST", PATH, body if isinstance(body, bytes) else json.dumps(body).encode(), **options)

    def ask(self, method: str, path: str, body: bytes = b"", *, headers: Headers = (), pieces: int = 1) -> Answer:
        """One request and its response; the body comes in so many pieces."""
        lines = [f"{method} {path} HTTP/1.1\r\nhost: mock\r\n".encode("latin-1")]
        lines += [b"%s: %s\r\n" % pair for pair in headers]
        lines += [b"content-length: %d\r\n" % len(body) if body else b"", b"\r\n"]
        size = max(1, -(-len(body) // pieces))
        (answer,) = self.talk([b"".join(lines), *[body[at : at + size] for at in range(0, len(body), size)]], [method])
        return answer

    def talk(self, said: list[bytes], methods: list[str]) -> list[Answer]:
        """What is said on one connection, piece by piece, and the response to each request."""
        return answers_of(self.hear(said), methods)

    def hear(self, said: list[bytes]) -> bytes:
        """What the server writes on a connection on which this is said, piece by piece, before the client hangs up."""
        return self._runner.run(asyncio.wait_for(self._talk(said), DEADLINE_S))

    async def _talk(self, said: list[bytes]) -> bytes:
        state = ServerState()
        protocol = ConnectionProtocol(self._config, state, {}, asyncio.get_running_loop())
        transport = _Transport(protocol)
        protocol.connection_made(transport)
        for piece in said:
            if transport.is_closing():
                break
            protocol.data_received(piece)
            await _run_dry(state)
        await _run_dry(state)
        transport.close()
        if state.tasks:
            await asyncio.wait(set(state.tasks))
        return b"".join(transport.written)


async def _run_dry(state: ServerState) -> None:
    """Let the server work until it is done, or waits for more. It never waits for time, so some rounds are enough."""
    for _ in range(ROUNDS):
        if not state.tasks:
            return
        await asyncio.wait(set(state.tasks), timeout=0)


class _Transport(asyncio.Transport):
    """Remembers what is written to it."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._protocol = protocol
        self._closing = False
        self.written: list[bytes] = []

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 8080)}.get(name, default)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        """All that is sent has been read already."""

    def resume_reading(self) -> None:
        """As above."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self._closing, f"written after the connection was closed: {bytes(data)!r}"
        self.written.append(bytes(data))


def answers_of(written: bytes, methods: list[str]) -> list[Answer]:
    """The responses in what a server wrote, each whole and each legal HTTP."""
    answers: list[Answer] = []
    for method in methods:
        written = written.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        head, _, rest = written.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 "), f"no response: {written[:200]!r}"
        headers = [line.partition(b": ")[::2] for line in head.split(b"\r\n")[1:]]
        names = [name for name, _ in headers]
        status = int(head[9:12])
        for name, value in headers:
            assert re.fullmatch(rb"[!#$%&'*+.^_`|~0-9a-z-]+", name), f"a header that is none: {name!r}"
            assert not set(value) & set(b"\r\n\0"), f"{name!r} holds {value!r}"
        if method == "HEAD" or status in (204, 304):
            body = b""
        elif b"content-length" in names:
            assert b"transfer-encoding" not in names
            length = int(dict(headers)[b"content-length"])
            assert len(rest) >= length, f"the body ends after {len(rest)} of {length} bytes"
            body, rest = rest[:length], rest[length:]
        else:
            body, rest = _unchunked(rest)
        answers.append(Answer(status, tuple(headers), body))
        written = rest
        if dict(headers).get(b"connection") == b"close":
            break
    assert not written, f"more than was asked for: {written[:200]!r}"
    return answers


def _unchunked(rest: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body, end, rest = body + rest[:length], rest[length : length + 2], rest[length + 2 :]
        assert end == b"\r\n", f"a chunk ends with {end!r}"
        if not length:
            return body, rest
