"""Bad input over a real socket, to a server in a process of its own: an answer each time, and nothing on stderr but sentences."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.socket.process import Process, serving
from tests.socket.raw_http import PATH, Connection, ask, chat, chat_body, request_bytes
from tests.strategies import REQUESTS

SCENARIO = """
version: 1
stubs:
  - {when: {user: hello}, reply: "Hello."}
"""
MEGABYTE = 1 << 20
LIMIT = 32 * MEGABYTE


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serving(tmp_path_factory.mktemp("bad"), SCENARIO, "--speed", "0") as running:
        yield running
        assert "Traceback" not in running.stderr()
        assert "Exception" not in running.stderr()


@pytest.fixture(autouse=True)
def _still_serving(process: Process) -> Iterator[None]:
    yield
    assert chat(process.port, "hello").text == "Hello."


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 400, id="empty"),
        pytest.param(b"[" * MEGABYTE, 400, id="1 MB of brackets"),
        pytest.param(b'{"a":' * (MEGABYTE // 5), 400, id="1 MB of braces"),
        pytest.param(b'{"model":"gpt-4o","messages":' + b"[" * MEGABYTE + b"]" * MEGABYTE + b"}", 400, id="closed"),
        pytest.param(b"\x00" * MEGABYTE, 400, id="1 MB of NUL"),
        pytest.param(b"\xff" * MEGABYTE, 400, id="1 MB of no UTF-8"),
        pytest.param(b"9" * MEGABYTE, 400, id="1 MB of digits"),
        pytest.param(b'{"model":"gpt-4o","seed":' + b"9" * MEGABYTE + b"}", 400, id="a number of a million digits"),
        pytest.param(b'"' + b"\\" * MEGABYTE + b'"', 400, id="1 MB of backslashes"),
        pytest.param(b'{"model":"' + b"x" * MEGABYTE + b'"}', 400, id="a model of 1 MB"),
        pytest.param(b"{" + b",".join(b'"%d":1' % n for n in range(100_000)) + b"}", 400, id="100,000 keys"),
        pytest.param(chat_body("x" * 10 * MEGABYTE), 400, id="a prompt of 10 MB"),
        pytest.param(chat_body("hello", n=10**9), 400, id="a billion choices"),
        pytest.param(b" " * LIMIT + b"{}", 413, id="over the limit"),
        pytest.param(b" " * LIMIT * 3, 413, id="far over the limit"),
    ],
)
def test_a_large_or_deep_body(process: Process, body: bytes, status: int) -> None:
    response = ask(process.port, "POST", PATH, body)

    assert response.status == status
    assert response.json()["error"]["message"]


def test_a_body_as_large_as_the_limit_is_read(process: Process) -> None:
    body = chat_body("hello").ljust(LIMIT)

    assert ask(process.port, "POST", PATH, body).text == "Hello."


def test_chunks_over_the_limit(process: Process) -> None:
    chunk = b"%x\r\n%s\r\n" % (MEGABYTE, b" " * MEGABYTE)
    with Connection(process.port) as connection:
        connection.send(request_bytes("POST", PATH, headers={"transfer-encoding": "chunked"}))
        for _ in range(40):
            connection.send(chunk)
        connection.send(b"0\r\n\r\n")

        assert connection.response().status == 413


def test_chunks_without_an_end(process: Process) -> None:
    """It is read on for a while, so that an honest client hears why; then the server hangs up."""
    chunk = b"%x\r\n%s\r\n" % (8 * MEGABYTE, b" " * 8 * MEGABYTE)
    with Connection(process.port) as connection, suppress(ConnectionError):
        connection.send(request_bytes("POST", PATH, headers={"transfer-encoding": "chunked"}))
        for _ in range(200):
            connection.send(chunk)
        pytest.fail("1.6 GB were read")


def test_a_bomb(process: Process) -> None:
    body = gzip.compress(b" " * LIMIT * 8)
    response = ask(process.port, "POST", PATH, body, headers={"content-encoding": "gzip"})

    assert response.status == 413
    assert response.json()["error"] == {
        "message": f"decompressed request body exceeds max allowed size of {LIMIT} bytes"
    }


def test_a_body_that_is_shorter_than_it_says(process: Process) -> None:
    with Connection(process.port) as connection:
        connection.send(request_bytes("POST", PATH, b"{}", headers={"content-length": "100"}))


def test_a_body_that_is_longer_than_it_says(process: Process) -> None:
    body = chat_body("hello")
    with Connection(process.port) as connection:
        connection.send(
            request_bytes("POST", PATH, body + b"garbage\r\n\r\n", headers={"content-length": str(len(body))})
        )

        assert connection.response().text == "Hello."
        assert connection.rest() == b""


def test_many_at_once(process: Process) -> None:
    bodies = [b"{", b"", chat_body("hello"), b"[" * MEGABYTE, chat_body("unheard of"), gzip.compress(b"x")] * 20

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda body: ask(process.port, "POST", PATH, body).status, bodies))

    assert statuses == [400, 400, 200, 400, 400, 400] * 20


SMALL = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SMALL
@given(body=st.binary(max_size=200) | REQUESTS.map(lambda body: json.dumps(body).encode()), cut=st.integers(0, 300))
def test_any_body(process: Process, body: bytes, cut: int) -> None:
    response = ask(process.port, "POST", PATH, body[:cut])

    assert response.status in (200, 400)
    assert response.json()["object" if response.status == 200 else "error"]


@SMALL
@given(said=st.binary(max_size=200))
def test_any_bytes(process: Process, said: bytes) -> None:
    health = request_bytes("GET", "/health", headers={"connection": "close"})
    with Connection(process.port) as connection:
        # One write: what comes after the server has hung up is met by a reset.
        connection.send(said + b"\r\n\r\n" + health)

        assert connection.rest().startswith(b"HTTP/1.1 ")
