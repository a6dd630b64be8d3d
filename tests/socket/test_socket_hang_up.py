"""Clients that leave: the work stops, the journal says so, and nobody else notices."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from mockbifrost import MockBifrost, Session
from tests.socket.raw_http import PATH, Connection, chat_body, request_bytes, until

SLOW = """
version: 1
stubs:
  - {when: {user: trickle}, pace: {tokens_per_second: 0.001, chunk: word}, reply: "one two three"}
  - {when: {user: late}, pace: {ttft: 1h}, reply: "at last"}
  - {when: {user: failing}, pace: {ttft: 1h}, error: overloaded}
  - {when: {user: raw}, raw: {events: [{data: begun}, {sleep: 1h}, {data: over}], end: close}}
  - {when: {user: hello}, times: 1, reply: "Hello."}
  - {when: {user: hello}, reply: "Hello again."}
"""


@pytest.fixture(scope="module")
def slow() -> Iterator[MockBifrost]:
    """A server that waits as it is written."""
    with MockBifrost(SLOW, speed=1) as server:
        yield server


@pytest.fixture
def here(slow: MockBifrost) -> Iterator[Session]:
    with slow.session(verify=False) as session:
        yield session


def running(server: MockBifrost) -> int:
    """How many requests the server is working on."""
    listener = server._running()._listener
    assert listener is not None
    return server.run(lambda: len(listener.server_state.tasks))


def reset(connection: Connection) -> None:
    """Hang up as a process that dies does: with a reset."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def left(session: Session) -> int | None:
    """The number of chunks that the last client had when it left; None: it has not left."""
    return session.last.client_closed_at_chunk


@pytest.mark.parametrize("leave", [Connection.close, reset], ids=["closes", "resets"])
def test_leaving_a_stream_stops_it_and_is_noted(slow: MockBifrost, here: Session, leave: object) -> None:
    connection = Connection(slow.port)
    connection.send_chat("trickle", here, stream=True)
    connection.head()
    assert b'"content":"one"' in connection.chunk()
    assert (left(here), running(slow)) == (None, 1)
    leave(connection)  # type: ignore[operator]

    until(lambda: left(here) == 1, "the journal notes after how many chunks the client left")
    until(lambda: running(slow) == 0, "the server works on it no longer")


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize("said", ["late", "failing"])
def test_leaving_before_the_answer_is_noted(slow: MockBifrost, here: Session, said: str, stream: bool) -> None:
    connection = Connection(slow.port)
    connection.send_chat(said, here, stream=stream)
    until(lambda: len(here.requests) == 1, "the request has come in")
    assert left(here) is None
    connection.close()

    until(lambda: left(here) == 0, "the journal notes that the client left before the first chunk")
    until(lambda: running(slow) == 0, "the server works on it no longer")


def test_leaving_an_answer_that_ends_with_the_connection(slow: MockBifrost, here: Session) -> None:
    connection = Connection(slow.port)
    connection.send_chat("raw", here)
    connection.head()
    assert connection.some() == b"data: begun\n\n"
    connection.close()

    until(lambda: left(here) == 1, "the journal notes after how many writes the client left")
    until(lambda: running(slow) == 0, "the server works on it no longer")


def test_who_stays_is_not_noted_as_leaving(slow: MockBifrost, here: Session) -> None:
    for stream in (False, True):
        with Connection(slow.port) as connection:
            connection.send_chat("hello", here, stream=stream)
            connection.response()

    until(lambda: running(slow) == 0, "both answers have been played")
    assert [request.client_closed_at_chunk for request in here.requests] == [None, None]


def test_a_call_that_was_left_can_be_asked_again(slow: MockBifrost, here: Session) -> None:
    """A hang-up ends the request badly: the client's retry joins the call and gets its answer."""
    retries = [{"x-stainless-retry-count": str(count)} for count in (0, 1)]
    connection = Connection(slow.port)
    path = f"/s/{here.id}{PATH}"
    connection.send(request_bytes("POST", path, chat_body("trickle", stream=True), headers=retries[0]))
    connection.head()
    connection.close()
    until(lambda: left(here) is not None, "the first request is over")
    with Connection(slow.port) as again:
        again.send(request_bytes("POST", path, chat_body("trickle", stream=True), headers=retries[1]))
        assert again.head().header("x-mockbifrost-call") == "1"

    (call,) = here.calls
    assert [entry.retry for entry in call.requests] == [0, 1]


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(lambda whole: whole[:10], id="in the request line"),
        pytest.param(lambda whole: whole[: whole.index(b"host")], id="before the headers"),
        pytest.param(lambda whole: whole[: whole.index(b"\r\n\r\n") + 4], id="after the head"),
        pytest.param(lambda whole: whole[:-5], id="in the body"),
        pytest.param(lambda whole: b"", id="before a word"),
    ],
)
@pytest.mark.parametrize("leave", [Connection.close, reset], ids=["closes", "resets"])
def test_half_a_request_is_no_request(slow: MockBifrost, here: Session, cut: object, leave: object) -> None:
    whole = request_bytes("POST", f"/s/{here.id}{PATH}", chat_body("hello"))
    connection = Connection(slow.port)
    connection.send(cut(whole))  # type: ignore[operator]
    leave(connection)  # type: ignore[operator]

    with Connection(slow.port) as other:
        assert other.chat("hello", path=f"/s/{here.id}{PATH}").text == "Hello."
    until(lambda: running(slow) == 0, "the server waits for the rest no longer")
    assert len(here.requests) == 1


def test_half_a_chunked_body_is_no_request(slow: MockBifrost, here: Session) -> None:
    head = request_bytes("POST", f"/s/{here.id}{PATH}", headers={"transfer-encoding": "chunked"})
    connection = Connection(slow.port)
    connection.send(head + b'5\r\n{"mod')
    connection.close()

    until(lambda: running(slow) == 0, "the server waits for the rest no longer")
    assert here.requests == ()


def test_a_client_that_says_it_is_done_gets_its_answer(slow: MockBifrost, here: Session) -> None:
    """`nc` closes its half of the connection after the request, and reads on."""
    with Connection(slow.port) as connection:
        connection.send_chat("hello", here)
        connection.socket.shutdown(socket.SHUT_WR)

        assert connection.response().text == "Hello."


def test_those_who_leave_disturb_nobody(slow: MockBifrost, here: Session) -> None:
    leaving = [Connection(slow.port) for _ in range(30)]
    for connection in leaving:
        connection.send_chat("trickle", here, stream=True)
    with Connection(slow.port) as staying:
        staying.send_chat("trickle", here, stream=True)
        staying.head()
        for connection in leaving:
            reset(connection)
        assert b'"content":"one"' in staying.chunk()
        until(lambda: running(slow) == 1, "only who stays is still answered")
        with Connection(slow.port) as other:
            other.send_chat("hello", here)
            assert other.response().text == "Hello."
