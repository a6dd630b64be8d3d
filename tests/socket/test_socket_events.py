"""The journal, live: server-sent events of the control API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mockbifrost import MockBifrost, Session
from mockbifrost.serve.watch import MOST_LISTENERS, MOST_WAITING, MOST_WAITING_BYTES, Listener
from mockbifrost.session.journal import Entry
from tests.socket.raw_http import PATH, Connection, ask, chat_body, until
from tests.socket.test_socket_routes import refused

EVENTS = "/__mockbifrost/events"


@pytest.fixture
def server() -> Iterator[MockBifrost]:
    with MockBifrost("version: 1\nstubs: [{when: {user: hello}, reply: Hello there.}]\n") as running:
        yield running


def say(server: MockBifrost, session: str, said: str = "hello", **more: Any) -> None:
    ask(
        server.port,
        "POST",
        f"/s/{session}{PATH}",
        chat_body(said, **more),
        headers={"authorization": "Bearer sk-secret99"},
    )


@contextmanager
def listening(server: MockBifrost, query: str = "") -> Iterator[Connection]:
    """A client that listens; it is heard of once its first line has come."""
    with Connection(server.port) as connection:
        connection.send(f"GET {EVENTS}{query} HTTP/1.1\r\nhost: mock\r\n\r\n".encode())
        head = connection.head()
        assert (head.status, head.header("content-type")) == (200, "text/event-stream; charset=utf-8")
        assert connection.chunk() == b": the journal, live\n\n"
        yield connection


def event(connection: Connection) -> tuple[str, Any]:
    name, data = connection.chunk().decode().removesuffix("\n\n").split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def listeners(server: MockBifrost) -> int:
    return server.run(lambda: len(server._running().watch.listeners))


def test_each_request_that_has_ended_is_an_event(server: MockBifrost) -> None:
    with listening(server) as first, listening(server) as second:
        say(server, "one")
        say(server, "two", "unheard of", stream=True)
        for connection in (first, second):
            name, entry = event(connection)
            assert (name, entry["session"], entry["response"]["status"], "open" in entry) == (
                "entry",
                "one",
                200,
                False,
            )
            assert entry["request"]["headers"]["authorization"] == "[redacted]"
            assert entry["usage"]["total_tokens"] > 0
            name, entry = event(connection)
            assert (name, entry["session"], entry["error"]) == ("entry", "two", "no_match")


def test_a_listener_may_want_one_session_alone(server: MockBifrost) -> None:
    with listening(server, "?session=two") as connection:
        for session in ("one", "two", "one", "two"):
            say(server, session)
        found = [event(connection)[1] for _ in range(2)]

    assert [(entry["session"], entry["n"]) for entry in found] == [("two", 1), ("two", 2)]


def test_a_response_that_its_client_left_is_an_event(server: MockBifrost) -> None:
    mock: Session
    with server.session(verify=False) as mock, listening(server) as listener:
        mock.when(user="slow").reply(chunks=["a", "b", "c"]).pace(speed=1, ttft="1h")
        with Connection(server.port) as client:
            client.send_chat("slow", mock, stream=True)
            until(lambda: len(mock.requests) == 1, "the request arrives")
        assert event(listener)[1]["client_closed_at_chunk"] == 0


def test_who_leaves_is_forgotten(server: MockBifrost) -> None:
    with listening(server), listening(server):
        assert listeners(server) == 2
    until(lambda: listeners(server) == 0, "the listeners are forgotten")
    say(server, "one")


def test_there_are_only_so_many_listeners(server: MockBifrost) -> None:
    connections = []
    try:
        for _ in range(MOST_LISTENERS):
            connection = Connection(server.port)
            connections.append(connection)
            connection.send(f"GET {EVENTS} HTTP/1.1\r\nhost: mock\r\n\r\n".encode())
            assert connection.head().status == 200
            connection.chunk()
        message = refused(ask(server.port, "GET", EVENTS), 409, "too_many_listeners")
    finally:
        for connection in connections:
            connection.close()
    assert message == f"{MOST_LISTENERS} clients listen to events already; let one of them leave."
    until(lambda: listeners(server) == 0, "the listeners are forgotten")
    with listening(server):
        assert listeners(server) == 1


def test_a_server_stops_though_somebody_listens(server: MockBifrost) -> None:
    with listening(server) as connection:
        server.stop()
        connection.rest()


def entry_of(number: int, size: int) -> Entry:
    return Entry(number, "one", number, None, 0.0, "POST", PATH, (), b"{}", size=size)


@pytest.mark.parametrize(
    ("sent", "size", "kept"),
    [(MOST_WAITING, 10, MOST_WAITING), (MOST_WAITING + 7, 10, MOST_WAITING), (5, MOST_WAITING_BYTES // 2, 2)],
)
def test_who_reads_too_slowly_is_told_what_was_lost(sent: int, size: int, kept: int) -> None:
    import asyncio

    async def hear() -> list[tuple[str, Any]]:
        listener = Listener(None)
        for number in range(sent):
            listener.hear(entry_of(number + 1, size))
        heard: list[tuple[str, Any]] = []
        async for raw in listener.events():
            if raw.startswith(b"event: "):
                name, data = raw.decode().removesuffix("\n\n").split("\n")
                heard.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
            if heard and heard[-1][1].get("n") == sent:
                break
        return heard

    heard = asyncio.run(asyncio.wait_for(hear(), 20))
    lost = sent - kept
    assert [said for name, said in heard if name == "left_out"] == ([{"count": lost}] if lost else [])
    assert [said["n"] for name, said in heard if name == "entry"] == list(range(lost + 1, sent + 1))
