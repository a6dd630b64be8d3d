"""HTTP/1.1 and its corners: connections that are reused, pipelined, old, or offered another protocol; answers written out."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from mockbifrost import MockBifrost, Session
from tests.socket.raw_http import PATH, Connection, ask, chat_body, chat_request, request_bytes


def path_of(session: Session) -> str:
    return f"/s/{session.id}{PATH}"


def test_a_connection_is_used_again(server: MockBifrost, session: Session) -> None:
    with Connection(server.port) as connection:
        answers = [
            connection.ask("POST", path_of(session), chat_body("hello", stream=number % 2 == 0)) for number in range(20)
        ]
        others = [connection.ask("GET", path) for path in ("/health", "/nowhere", "/__mockbifrost/ready", "/v1/models")]

    assert {answer.text for answer in answers} == {"Hello to you."}
    assert [other.status for other in others] == [200, 404, 200, 200]
    assert len(session.requests) == 20


def test_pipelined_requests_are_answered_in_order(server: MockBifrost, session: Session) -> None:
    session.when(user="number").echo()
    with Connection(server.port) as connection:
        connection.send(
            b"".join(
                [
                    request_bytes("POST", path_of(session), chat_body(f"number {number}", stream=number % 3 == 0))
                    for number in range(10)
                ]
            )
        )
        texts = [connection.response().text for _ in range(10)]

    assert texts == [f"number {number}" for number in range(10)]


def test_a_request_may_come_byte_by_byte(server: MockBifrost, session: Session) -> None:
    with Connection(server.port) as connection:
        for byte in request_bytes("POST", path_of(session), chat_body("hello")):
            connection.send(bytes([byte]))

        assert connection.response().text == "Hello to you."


def test_a_body_may_be_chunked(server: MockBifrost, session: Session) -> None:
    body = chat_body("hello")
    pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
    chunked = b"".join([b"%x;note=x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]) + b"0\r\ntrailer: x\r\n\r\n"
    with Connection(server.port) as connection:
        connection.send(request_bytes("POST", path_of(session), headers={"transfer-encoding": "chunked"}) + chunked)
        connection.send(request_bytes("GET", "/health"))

        assert connection.response().text == "Hello to you."
        assert connection.response("GET").status == 200


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(server: MockBifrost, session: Session) -> None:
    body = chat_body("hello")
    headers = {"expect": "100-continue", "content-length": str(len(body))}
    with Connection(server.port) as connection:
        connection.send(request_bytes("POST", path_of(session), headers=headers))
        assert connection.head().status == 100
        connection.send(body)

        assert connection.response().text == "Hello to you."


def test_who_asks_in_vain_is_not_told_to_go_on(server: MockBifrost) -> None:
    headers = {"expect": "100-continue", "content-length": "1000000"}
    with Connection(server.port) as connection:
        connection.send(request_bytes("POST", "/nowhere", headers=headers))

        assert connection.response().status == 404


def test_a_refusal_does_not_need_the_body_to_be_read(server: MockBifrost, session: Session) -> None:
    with Connection(server.port) as connection:
        refused = connection.ask("POST", "/nowhere", b"x" * 1_000_000)
        answer = connection.ask("POST", path_of(session), chat_body("hello"))

    assert (refused.status, answer.text) == (404, "Hello to you.")


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("paced", [False, True], ids=["undelayed", "paced"])
def test_an_old_client_gets_no_chunks(server: MockBifrost, session: Session, stream: bool, paced: bool) -> None:
    session.when(user="old").pace(tokens_per_second=1_000_000, ttft="1ms", speed=1 if paced else 0).reply("As ever.")
    response = ask(server.port, "POST", path_of(session), chat_body("old", stream=stream), version="1.0")

    assert response.header("transfer-encoding") is None
    assert response.header("connection") == "close"
    assert response.text == "As ever."


def test_a_client_may_ask_to_close(server: MockBifrost, session: Session) -> None:
    with Connection(server.port) as connection:
        headers = {"connection": "close"}
        response = connection.ask("POST", path_of(session), chat_body("hello", stream=True), headers=headers)

        assert (response.text, connection.rest()) == ("Hello to you.", b"")
    assert response.header("connection") == "close"


UPGRADES = [
    {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABkAAQAAP__"},
    {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": "eA=="},
    {"connection": "keep-alive, Upgrade", "upgrade": "TLS/1.2"},
]


@pytest.mark.parametrize("offer", UPGRADES, ids=["h2c", "websocket", "tls"])
def test_an_offer_of_another_protocol_is_declined(server: MockBifrost, session: Session, offer: dict[str, str]) -> None:
    """Java's client offers h2c with its first request, body and all."""
    request = request_bytes("POST", path_of(session), chat_body("hello"), headers=offer)
    end_of_head = request.index(b"\r\n\r\n") + 4
    with Connection(server.port) as connection:
        connection.send(request)
        texts = [connection.response().text]
        connection.send(request + request)
        texts += [connection.response().text, connection.response().text]
        for piece in (request[:10], request[10:end_of_head], request[end_of_head:-3], request[-3:]):
            connection.send(piece)
        texts.append(connection.response().text)
        health = connection.ask("GET", "/health", headers=offer)
        plain = connection.ask("POST", path_of(session), chat_body("hello"))

    assert texts == ["Hello to you."] * 4
    assert (health.status, plain.text) == (200, "Hello to you.")


def test_a_chunked_body_survives_an_offer(server: MockBifrost, session: Session) -> None:
    headers = {**UPGRADES[0], "transfer-encoding": "chunked"}
    body = chat_body("hello")
    with Connection(server.port) as connection:
        connection.send(request_bytes("POST", path_of(session), headers=headers))
        connection.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

        assert connection.response().text == "Hello to you."


GARBAGE = {
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "words": b"hello there\r\n\r\n",
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "method": b"BREW /pot HTTP/1.1\r\nhost: x\r\n\r\n",
    "bytes in the path": b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
    "negative length": b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    "two lengths": b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "length and chunks": b"POST /x HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad chunk": b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "header without a colon": b"GET /health HTTP/1.1\r\nhost\r\n\r\n",
    "space before the colon": b"GET /health HTTP/1.1\r\nhost : x\r\n\r\n",
    "NUL in a header": b"GET /health HTTP/1.1\r\nx: a\0b\r\n\r\n",
    "folded header": b"GET /health HTTP/1.1\r\n x: 1\r\n\r\n",
    "connect": b"CONNECT example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_no_http_gets_an_error_and_a_goodbye(server: MockBifrost, name: str) -> None:
    with Connection(server.port) as connection:
        connection.send(GARBAGE[name])
        response = connection.response("GET")
        assert connection.rest() == b""

    assert (response.status, response.header("connection")) == (400, "close")
    assert response.json()["error"]["code"] == "bad_http"
    assert ask(server.port, "GET", "/health").status == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accept", "text/html"),
        ("content-type", "text/plain"),
        ("content-type", "multipart/form-data; boundary=x"),
        ("x-long", "x" * 50_000),
        ("x-latin", "\xe9\xff"),
        ("x-request-id", "\xe9 <>&\t"),
        ("x-stainless-retry-count", "-1"),
        ("x-stainless-retry-count", "9" * 5000),
        ("x-stainless-retry-count", "\xb2"),
        ("x-bf-vk", ""),
        ("authorization", "Basic \xff"),
        ("cookie", "a=b"),
        ("host", ""),
        ("origin", "http://localhost:\xff"),
        ("accept-encoding", "gzip;q=0"),
        ("te", "trailers"),
    ],
)
def test_odd_headers_do_not_matter(server: MockBifrost, session: Session, name: str, value: str) -> None:
    response = ask(server.port, "POST", path_of(session), chat_body("hello"), headers={name: value})

    assert response.text == "Hello to you."
    assert session.last.number == 1


def test_many_headers_do_not_matter(server: MockBifrost, session: Session) -> None:
    headers = {f"x-{number}": "x" for number in range(500)}

    assert ask(server.port, "POST", path_of(session), chat_body("hello"), headers=headers).text == "Hello to you."


@pytest.mark.parametrize("version", ["2.2"])
def test_the_clients_request_id_comes_back_clean(version: str) -> None:
    with MockBifrost("version: 1\nstubs: [hi]\n", version=version) as server:  # type: ignore[arg-type]
        headers = {"x-request-id": "id \xe9"}
        response = ask(server.port, "POST", PATH, chat_body("hello"), headers=headers)

    assert response.header("x-request-id") == "id \xe9"


def raw(server: MockBifrost, **keys: Any) -> tuple[bytes, bytes]:
    """Head and body of an answer that is written out, as they cross the socket, without our own headers and the date."""
    with server.session() as session, Connection(server.port) as connection:
        session.when().name("raw").raw(**keys)
        connection.send(request_bytes("POST", path_of(session), chat_body("x"), headers={"connection": "close"}))
        head, _empty, body = connection.rest().partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith((b"x-mockbifrost", b"date"))]
    return b"\n".join(lines), body


@pytest.mark.parametrize(
    ("keys", "head", "body"),
    [
        pytest.param(
            {"text": "abc"},
            b"HTTP/1.1 200 OK\ncontent-type: text/plain; charset=utf-8\nconnection: close\ncontent-length: 3",
            b"abc",
            id="text",
        ),
        pytest.param({}, b"HTTP/1.1 200 OK\nconnection: close\ncontent-length: 0", b"", id="nothing"),
        pytest.param(
            {"text": "abcde", "split": 2, "headers": {"content-type": "a/b"}},
            b"HTTP/1.1 200 OK\ncontent-type: a/b\nconnection: close\ntransfer-encoding: chunked",
            b"2\r\nab\r\n2\r\ncd\r\n1\r\ne\r\n0\r\n\r\n",
            id="split",
        ),
        pytest.param(
            {"events": [{"data": "x"}, {"comment": "y"}], "done": True, "headers": {"content-type": "a/b"}},
            b"HTTP/1.1 200 OK\ncontent-type: a/b\nconnection: close\ntransfer-encoding: chunked",
            b"9\r\ndata: x\n\n\r\n5\r\n: y\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n",
            id="each event a write",
        ),
        pytest.param(
            {"events": [{"data": "x"}, {"data": "y"}], "one_write": True, "headers": {"content-type": "a/b"}},
            b"HTTP/1.1 200 OK\ncontent-type: a/b\nconnection: close\ncontent-length: 18",
            b"data: x\n\ndata: y\n\n",
            id="one write",
        ),
        pytest.param(
            {"text": "abc", "end": "close", "status": 599, "headers": {"content-type": "a/b"}},
            b"HTTP/1.1 599 \ncontent-type: a/b\nconnection: close",
            b"abc",
            id="ends with the connection",
        ),
        pytest.param(
            {"text": "abc", "headers": {"Content-Length": "3", "content-type": "a/b"}},
            b"HTTP/1.1 200 OK\ncontent-type: a/b\nconnection: close\ncontent-length: 3",
            b"abc",
            id="its own length",
        ),
        pytest.param(
            {"text": "abc", "headers": {"Content-Length": "9", "content-type": "a/b"}},
            b"HTTP/1.1 200 OK\ncontent-length: 9\ncontent-type: a/b\nconnection: close",
            b"abc",
            id="a length that is wrong",
        ),
        pytest.param(
            {"text": "abc", "headers": {"Transfer-Encoding": "chunked", "content-type": "a/b"}, "split": 3},
            b"HTTP/1.1 200 OK\ncontent-type: a/b\nconnection: close\ncontent-length: 3",
            b"abc",
            id="a coding of its own",
        ),
        pytest.param(
            {"text": "abc", "status": 204, "split": 1, "headers": {"content-type": "a/b"}},
            b"HTTP/1.1 204 No Content\ncontent-type: a/b\nconnection: close",
            b"",
            id="no body",
        ),
    ],
)
def test_an_answer_is_written_out(server: MockBifrost, keys: dict[str, Any], head: bytes, body: bytes) -> None:
    assert raw(server, **keys) == (head, body)


def test_an_answer_that_ends_with_the_connection_ends_it(server: MockBifrost, session: Session) -> None:
    session.when(user="x").raw(text="abc", end="close")
    with Connection(server.port) as connection:
        connection.send_chat("x", session)
        response = connection.response()
        connection.send(chat_request("hello"))

        assert (response.body, response.header("connection")) == (b"abc", "close")
    assert len(session.requests) == 1


def test_requests_leave_nothing_for_the_collector() -> None:
    """What only the garbage collector finds costs a server under load more than the requests themselves do."""
    with MockBifrost("version: 1\nstubs: [Hello to you.]\n") as server, Connection(server.port) as connection:
        for stream in (False, True):
            connection.chat("hello", stream=stream)
            gc.collect()
            gc.disable()
            try:
                for _ in range(200):
                    connection.chat("hello", stream=stream)
                found = gc.collect()
            finally:
                gc.enable()
            assert found < 100
