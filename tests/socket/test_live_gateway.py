"""A gateway as upstream: its bytes go through untouched as they come, and what becomes of it is told as a gateway would."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request
from werkzeug import Response as WerkzeugResponse

from mockbifrost import MockBifrost, VerificationError
from mockbifrost.serve.upstream_settings import UpstreamSettings, upstream_of
from tests.socket.raw_http import DEADLINE_S, Connection, Response, chat, chat_body, until
from tests.socket.upstreams import PLAIN, STREAM, Line, Upstream, upstream

PATH = "/pydanticai/v1/chat/completions"


@contextmanager
def in_front_of(
    address: str, *, timeout_s: float = 60.0, key: str | None = None, **options: Any
) -> Iterator[MockBifrost]:
    """A server whose upstream is a gateway."""
    settings = upstream_of(address, "gateway", timeout_s=timeout_s, key=key)
    with MockBifrost(upstream=settings, **options) as server:
        yield server


def asked(behaviour: Callable[[Line], None], **body: Any) -> tuple[Response, Upstream]:
    """The response to one request, through a server in front of such an upstream."""
    with upstream(behaviour) as other, in_front_of(other.url) as server:
        return chat(server.port, "hi", **body), other


def test_a_plain_answer_goes_through_as_it_is() -> None:
    response, other = asked(lambda line: line.plain(PLAIN, x_bifrost_provider="openai", keep_alive="timeout=5"))

    assert response.status == 200
    assert response.body == PLAIN
    assert response.header("content-length") == str(len(PLAIN))
    assert response.header("x-bifrost-provider") == "openai"
    assert response.header("keep-alive") is None
    assert other.heard[0].path == PATH
    assert other.heard[0].body == chat_body("hi")


def test_an_error_goes_through_as_it_is() -> None:
    response, _other = asked(lambda line: line.plain(b'{"error": {"message": "slow down"}}', 429, retry_after="7"))

    assert (response.status, response.header("retry-after")) == (429, "7")
    assert response.body == b'{"error": {"message": "slow down"}}'


def test_headers_of_the_client_go_through_but_for_those_of_the_connection_and_ours() -> None:
    sent = {
        "authorization": "Bearer mb-test",
        "x-bf-vk": "sk-bf-team",
        "x-mockbifrost-session": "default",
        "accept-encoding": "gzip",
        "x-custom": "kept",
        "connection": "x-hop",
        "x-hop": "dropped",
        "te": "trailers",
    }
    _response, other = asked(lambda line: line.plain(PLAIN), headers=sent)

    heard = other.heard[0].headers
    assert heard["x-bf-vk"] == "sk-bf-team"
    assert heard["x-custom"] == "kept"
    assert heard["accept-encoding"] == "identity"
    assert heard["host"] == f"127.0.0.1:{other.port}"
    assert not {"authorization", "x-mockbifrost-session", "x-hop", "te"} & heard.keys()


def test_a_key_of_the_operator_takes_the_place_of_the_clients() -> None:
    with upstream(lambda line: line.plain(PLAIN)) as other, in_front_of(other.url, key="sk-mine") as server:
        chat(server.port, "hi", headers={"authorization": "Bearer sk-theirs", "x-api-key": "sk-theirs"})

    assert other.heard[0].headers["authorization"] == "Bearer sk-mine"
    assert "x-api-key" not in other.heard[0].headers


def test_without_a_key_the_clients_own_goes_through() -> None:
    _response, other = asked(lambda line: line.plain(PLAIN), headers={"authorization": "Bearer sk-theirs"})

    assert other.heard[0].headers["authorization"] == "Bearer sk-theirs"


def test_the_client_has_a_chunk_before_the_upstream_sends_the_next() -> None:
    read = threading.Semaphore(0)

    def behave(line: Line) -> None:
        line.stream()
        for part in STREAM:
            line.chunk(part)
            assert read.acquire(timeout=DEADLINE_S)
        line.chunk(b"")

    with upstream(behave) as other, in_front_of(other.url) as server, Connection(server.port) as client:
        client.send(b"")
        client.send_path(PATH, chat_body("hi", stream=True))
        head = client.head()
        chunks = []
        for _part in STREAM:
            chunks.append(client.chunk())
            read.release()

        assert head.header("transfer-encoding") == "chunked"
        assert chunks == list(STREAM)
        assert client.chunk() == b""


def test_a_generator_of_a_real_server_streams_through(httpserver: HTTPServer) -> None:
    read = threading.Semaphore(0)

    def behave(_request: Request) -> WerkzeugResponse:
        def parts() -> Iterator[bytes]:
            for part in STREAM:
                yield part
                assert read.acquire(timeout=DEADLINE_S)

        return WerkzeugResponse(parts(), content_type="text/event-stream")

    httpserver.expect_request(PATH).respond_with_handler(behave)
    with in_front_of(httpserver.url_for("")) as server, Connection(server.port) as client:
        client.send_path(PATH, chat_body("hi", stream=True))
        client.head()
        got = b""
        for number, _part in enumerate(STREAM):
            while len(got) < len(b"".join(STREAM[: number + 1])):
                got += client.chunk()
            read.release()

    assert got == b"".join(STREAM)


def _zstd(data: bytes) -> bytes:
    from backports import zstd

    return bytes(zstd.compress(data))


def _brotli(data: bytes) -> bytes:
    import brotli  # type: ignore[import-untyped]

    return bytes(brotli.compress(data))


@pytest.mark.parametrize(
    ("name", "encode"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", _brotli), ("zstd", _zstd)],
    ids=["gzip", "deflate", "br", "zstd"],
)
def test_compressed_answers_are_opened(httpserver: HTTPServer, name: str, encode: Callable[[bytes], bytes]) -> None:
    httpserver.expect_request(PATH).respond_with_data(
        encode(PLAIN), headers={"content-encoding": name}, content_type="application/json"
    )
    with in_front_of(httpserver.url_for("")) as server:
        response = chat(server.port, "hi")

    assert response.body == PLAIN
    assert response.header("content-encoding") is None


def test_a_compressed_stream_is_opened_chunk_by_chunk() -> None:
    read = threading.Semaphore(0)

    def behave(line: Line) -> None:
        packer = zlib.compressobj(wbits=31)
        line.head(content_type="text/event-stream", content_encoding="gzip", transfer_encoding="chunked")
        for part in STREAM:
            line.chunk(packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH))
            assert read.acquire(timeout=DEADLINE_S)
        line.chunk(packer.flush())
        line.chunk(b"")

    with upstream(behave) as other, in_front_of(other.url) as server, Connection(server.port) as client:
        client.send_path(PATH, chat_body("hi", stream=True))
        client.head()
        for part in STREAM:
            assert client.chunk() == part
            read.release()


def test_a_redirect_on_the_same_origin_is_followed() -> None:
    def behave(line: Line) -> None:
        if line.heard.path == PATH:
            line.head(307, location="/elsewhere", content_length="0", connection="close")
        else:
            line.plain(line.heard.body)

    response, other = asked(behave)

    assert response.body == chat_body("hi")
    assert [heard.path for heard in other.heard] == [PATH, "/elsewhere"]


@pytest.mark.parametrize(
    ("status", "location", "said"),
    [
        (307, "http://127.0.0.2:1/x", "redirects (307) elsewhere, which is not followed"),
        (302, "/x", "redirects (302) elsewhere, which is not followed"),
        (308, PATH, "redirects more than 3 times"),
    ],
    ids=["another host", "another method", "a circle"],
)
def test_other_redirects_are_not(status: int, location: str, said: str) -> None:
    response, other = asked(lambda line: line.head(status, location=location, content_length="0", connection="close"))

    assert response.status == 502
    assert response.json()["error"]["message"] == (
        f"failed to execute HTTP request to provider API. The upstream {other.url} {said}."
    )


def test_an_upstream_that_refuses_is_told_as_a_gateway_would_and_fails_the_test() -> None:
    with upstream(lambda line: None) as other:
        pass
    with in_front_of(other.url) as server, server.session(verify=False) as session:
        response = chat(server.port, "hi", path=f"/s/{session.id}{PATH}")
        with pytest.raises(VerificationError, match="refused the connection"):
            session.verify()

    assert response.status == 502
    body = response.json()
    assert body["is_bifrost_error"] is True
    assert body["error"]["type"] == "provider_connection_failed"
    assert body["error"]["message"].endswith(f"The upstream {other.url} refused the connection.")
    assert response.header("x-mockbifrost-error") == "upstream"
    assert response.header("x-should-retry") == "false"


def test_a_name_that_is_not_known_is_told() -> None:
    with in_front_of("http://nowhere.invalid") as server:
        response = chat(server.port, "hi")

    assert response.status == 502
    assert response.json()["error"]["message"].endswith(
        "The upstream http://nowhere.invalid can't be found: its name is not known."
    )


def test_tls_on_a_plain_port_is_told() -> None:
    with upstream(lambda line: None) as plain:
        pass
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _address = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                connection.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        with in_front_of(f"https://127.0.0.1:{listener.getsockname()[1]}") as server:
            response = chat(server.port, "hi")
        thread.join(DEADLINE_S)

    assert plain.heard == []
    assert "can't be reached by TLS" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (lambda line: None, "closed the connection before it answered"),
        (lambda line: line.reset(), "broke the connection off before it answered"),
        (lambda line: line.send(b"SSH-2.0-OpenSSH\r\n\r\n"), "sent something that is no HTTP"),
        (lambda line: line.head(content_length="9"), "closed the connection in the middle of its answer"),
        (lambda line: line.plain(b"abc", content_encoding="gzip"), "sent a body that can't be decompressed"),
    ],
    ids=["closes", "resets", "garbage", "head only", "not gzip"],
)
def test_what_goes_wrong_before_the_first_byte_is_told(behave: Callable[[Line], None], said: str) -> None:
    response, other = asked(behave)

    assert response.status == 502
    assert f"The upstream {other.url} {said}" in response.json()["error"]["message"]


def test_a_silent_upstream_is_a_timeout() -> None:
    done = threading.Event()
    with upstream(lambda line: done.wait(DEADLINE_S)) as other:
        with in_front_of(other.url, timeout_s=0.05) as server:
            response = chat(server.port, "hi")
        done.set()

    assert response.status == 504
    assert response.json()["error"]["type"] == "request_timed_out"
    assert response.json()["error"]["message"].endswith(f"The upstream {other.url} sent nothing for 0.05 s.")


@pytest.mark.parametrize("ending", ["closes", "resets", "falls silent"])
def test_a_stream_that_breaks_off_is_cut_for_the_client_too(ending: str) -> None:
    read, done = threading.Event(), threading.Event()

    def behave(line: Line) -> None:
        line.stream()
        line.chunk(STREAM[0])
        assert read.wait(DEADLINE_S)
        if ending == "resets":
            line.reset()
        elif ending == "falls silent":
            done.wait(DEADLINE_S)

    with upstream(behave) as other, in_front_of(other.url, timeout_s=0.2) as server:
        with server.session(verify=False) as session, Connection(server.port) as client:
            client.send_chat("hi", session, stream=True)
            client.head()
            first = client.chunk()
            read.set()
            rest = client.rest()
            until(lambda: session.last.error == "upstream", "the journal says that the upstream broke")
            with pytest.raises(VerificationError, match="The upstream "):
                session.verify()
        done.set()

    assert first == STREAM[0]
    assert rest == b""  # no last chunk of the transfer coding


def test_a_plain_answer_that_breaks_off_is_cut() -> None:
    def behave(line: Line) -> None:
        line.head(content_length="100", content_type="application/json")
        line.send(b'{"id": ')

    with upstream(behave) as other, in_front_of(other.url) as server, Connection(server.port) as client:
        client.send_path(PATH, chat_body("hi"))
        assert client.head().header("content-length") == "100"
        assert client.rest() == b'{"id": '


def test_a_response_is_cut_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockbifrost.serve.upstream.MOST_BYTES", 100_000)

    def behave(line: Line) -> None:
        line.stream()
        for _time in range(30):
            line.chunk(b": padding\n" * 1000)
        line.chunk(b"")

    with upstream(behave) as other, in_front_of(other.url) as server, Connection(server.port) as client:
        client.send_path(PATH, chat_body("hi", stream=True))
        client.head()
        size = len(client.rest())

    assert 0 < size < 150_000


def test_a_client_that_leaves_ends_the_asking() -> None:
    noticed = threading.Event()

    def behave(line: Line) -> None:
        line.stream()
        line.chunk(STREAM[0])
        if line.gone():
            noticed.set()

    with upstream(behave) as other, in_front_of(other.url) as server, server.session(verify=False) as session:
        with Connection(server.port) as client:
            client.send_chat("hi", session, stream=True)
            client.head()
            client.chunk()
        assert noticed.wait(DEADLINE_S)
        until(lambda: session.last.client_closed_at_chunk == 1, "the journal says that it left")
        assert session.last.text == STREAM[0].decode()


def test_the_journal_has_one_entry_with_all_that_was_sent() -> None:
    def behave(line: Line) -> None:
        line.stream()
        for part in STREAM:
            line.chunk(part)
        line.chunk(b"")

    with upstream(behave) as other, in_front_of(other.url) as server, server.session() as session:
        response = chat(server.port, "hi", stream=True, path=f"/s/{session.id}{PATH}")
        until(lambda: not session.last.open, "the response has ended")
        (entry,) = session.requests

    assert response.body == b"".join(STREAM)
    assert entry.text == b"".join(STREAM).decode()
    assert [trace.outcome for trace in entry.trail] == ["raw"]


def test_what_a_stub_answers_is_not_asked() -> None:
    scenario = 'version: 1\nstubs:\n  - {when: {user: hi}, reply: "Scripted."}\n'
    with upstream(lambda line: line.plain(PLAIN)) as other, in_front_of(other.url, scenarios=[scenario]) as server:
        assert chat(server.port, "hi").text == "Scripted."
        assert chat(server.port, "another word").body == PLAIN

    assert len(other.heard) == 1


def test_a_stub_may_forward() -> None:
    scenario = 'version: 1\nstubs:\n  - {name: onward, when: {user: hi}, forward: true}\n  - {reply: "Scripted."}\n'
    with upstream(lambda line: line.plain(PLAIN)) as other, in_front_of(other.url, scenarios=[scenario]) as server:
        response = chat(server.port, "hi")
        assert chat(server.port, "another word").text == "Scripted."

    assert response.body == PLAIN
    assert response.header("x-mockbifrost-stub") == "onward"


def test_an_upstream_of_our_own_is_passed_on_byte_for_byte() -> None:
    scenario = 'version: 1\nstubs:\n  - {reply: "Once upon a time there was a gateway."}\n'
    with MockBifrost([scenario], version="2.2") as other, in_front_of(other.url) as server:
        for body in ({}, {"stream": True}):
            direct = chat(other.port, "hi", path=f"/s/a{PATH}", **body)
            through = chat(server.port, "hi", **body)
            assert through.body == direct.body


def test_http_1_0_clients_are_answered_until_the_connection_closes() -> None:
    def behave(line: Line) -> None:
        line.stream()
        for part in STREAM:
            line.chunk(part)
        line.chunk(b"")

    from tests.socket.raw_http import request_bytes

    with upstream(behave) as other, in_front_of(other.url) as server, Connection(server.port) as client:
        client.send(request_bytes("POST", PATH, chat_body("hi", stream=True), version="1.0"))
        assert client.head().header("transfer-encoding") is None
        assert client.rest() == b"".join(STREAM)


def test_settings_know_where_an_upstream_is() -> None:
    assert UpstreamSettings("http://127.0.0.1:1/x", "gateway").loopback
    assert not UpstreamSettings("https://api.openai.com/v1/x", "provider").loopback
