"""A provider as upstream: the gateway is simulated around it, and its stream is told chunk by chunk as it comes."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mockbifrost import MockBifrost
from mockbifrost.serve.upstream_settings import upstream_of
from tests.socket.raw_http import DEADLINE_S, Connection, Response, chat, chat_body, until
from tests.socket.upstreams import COMPLETION, PLAIN, STREAM, Behaviour, Line, event, upstream

PATH = "/pydanticai/v1/chat/completions"
QUICK = "version: 1\ngateway: {providers: {openai: {SETTINGS}, anthropic: {}}}\n"


@contextmanager
def in_front_of(address: str, settings: str = "", key: str | None = None, **options: Any) -> Iterator[MockBifrost]:
    """A server whose upstream is a provider; `settings` are those of the provider in the gateway."""
    scenario = options.pop("scenario", QUICK).replace("SETTINGS", settings)
    with MockBifrost([scenario], upstream=upstream_of(address, "provider", key=key), **options) as server:
        yield server


def asked(behaviour: Behaviour, settings: str = "", **body: Any) -> tuple[Response, list[Any]]:
    """The response through the simulated gateway, and the bodies that the provider was sent."""
    with upstream(behaviour) as other, in_front_of(other.url, settings) as server:
        response = chat(server.port, "hi", **body)
        return response, [heard.json() for heard in other.heard]


def streams(*parts: bytes, ends: bool = True) -> Behaviour:
    """A stream of these parts."""

    def behave(line: Line) -> None:
        line.stream()
        for part in parts:
            line.chunk(part)
        if ends:
            line.chunk(b"")

    return behave


def one_after_the_other(*behaviours: Behaviour) -> Behaviour:
    """The first for the first request, and so on; the last for all that follow."""
    left = list(behaviours)
    lock = threading.Lock()

    def behave(line: Line) -> object:
        with lock:
            current = left.pop(0) if len(left) > 1 else left[0]
        return current(line)

    return behave


def test_a_plain_answer_becomes_the_gateways() -> None:
    response, bodies = asked(lambda line: line.plain(PLAIN, x_request_id="req-7"), max_tokens=5, fallbacks=["x/y"])
    body = response.json()

    assert body["choices"][0]["message"]["content"] == "Real."
    assert body["id"] == "chatcmpl-1"
    assert body["extra_fields"]["provider"] == "openai"
    assert body["usage"]["total_tokens"] == 6
    assert response.header("x-request-id") == "req-7"
    assert bodies == [{"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 5}]


def test_headers_for_the_gateway_do_not_reach_a_provider() -> None:
    with upstream(lambda line: line.plain(PLAIN)) as other, in_front_of(other.url, key="sk-mine") as server:
        chat(server.port, "hi", headers={"x-bf-cache-key": "k", "authorization": "Bearer sk-bf-team", "x-other": "1"})

    heard = other.heard[0]
    assert heard.path == "/v1/chat/completions"
    assert heard.headers["authorization"] == "Bearer sk-mine"
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["x-other"] == "1"
    assert not [name for name in heard.headers if name.startswith("x-bf-")]


def test_a_streams_chunk_is_told_before_the_provider_sends_the_next() -> None:
    read = threading.Semaphore(0)

    def behave(line: Line) -> None:
        line.stream()
        for part in STREAM:
            line.chunk(part)
            assert read.acquire(timeout=DEADLINE_S)
        line.chunk(b"")

    with upstream(behave) as other, in_front_of(other.url) as server, Connection(server.port) as client:
        client.send_path(PATH, chat_body("hi", stream=True))
        client.head()
        said = []
        for _part in STREAM[:3]:
            chunk = client.chunk()
            said.append(json.loads(chunk.removeprefix(b"data: "))["choices"][0]["delta"]["content"])
            read.release()
        read.release()  # why it ends is told in the chunk that the gateway makes
        rest = client.chunk()
        read.release()
        assert client.chunk() == b""

    assert said == ["Once ", "upon ", "a time."]
    assert rest.endswith(b"data: [DONE]\n\n")
    assert json.loads(rest.partition(b"\n\n")[0].removeprefix(b"data: "))["choices"][0]["finish_reason"] == "stop"


def test_a_failure_is_retried_as_the_gateway_does() -> None:
    fails = one_after_the_other(
        lambda line: line.plain(b'{"error": {"message": "busy"}}', 503), lambda line: line.plain(PLAIN)
    )
    response, bodies = asked(fails, "max_retries: 2")

    assert response.text == "Real."
    assert len(bodies) == 2


def test_the_wait_between_two_tries_is_waited_once(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def skip_to(at_s: float) -> None:
        waited.append(round(at_s - asyncio.get_running_loop().time(), -2))

    monkeypatch.setattr("mockbifrost.serve.live.sleep_until", skip_to)
    fails = one_after_the_other(lambda line: line.plain(b"{}", 503), lambda line: line.plain(PLAIN))
    backoff = "max_retries: 1, retry_backoff: {initial: 1000s, max: 1000s}"
    with upstream(fails) as other, in_front_of(other.url, backoff, speed=1.0) as server:
        assert chat(server.port, "hi").text == "Real."  # and not after another thousand seconds

    assert waited[0] == 0
    assert 800 <= waited[1] <= 1000


def test_where_the_provider_fails_its_error_is_the_gateways() -> None:
    body = b'{"error": {"message": "no such thing", "type": "invalid_request_error", "code": "bad"}}'
    response, bodies = asked(lambda line: line.plain(body, 404))

    assert response.status == 404
    assert response.json()["error"]["message"] == "no such thing"
    assert response.json()["extra_fields"]["provider"] == "openai"
    assert len(bodies) == 1


def test_a_fallback_is_asked_at_the_same_upstream() -> None:
    fails = one_after_the_other(
        lambda line: line.plain(b'{"error": {"message": "busy"}}', 500), lambda line: line.plain(PLAIN)
    )
    response, bodies = asked(fails, fallbacks=["anthropic/claude-sonnet-4"])

    assert response.json()["extra_fields"]["provider"] == "anthropic"
    assert [body["model"] for body in bodies] == ["gpt-4o", "claude-sonnet-4"]


def test_a_stub_may_be_the_fallback_of_a_live_provider() -> None:
    scenario = 'version: 1\nstubs:\n  - {when: {provider: anthropic}, reply: "Scripted."}\n'
    with (
        upstream(lambda line: line.plain(b"{}", 500)) as other,
        in_front_of(other.url, scenario=scenario, speed=1.0) as server,
    ):
        assert chat(server.port, "hi", fallbacks=["anthropic/claude-sonnet-4"]).text == "Scripted."


@pytest.mark.parametrize(
    ("behave", "stream", "status", "message"),
    [
        (lambda line: line.reset(), False, 502, "failed to execute HTTP request to provider API"),
        (lambda line: line.send(b"garbage\r\n\r\n"), True, 502, "failed to execute HTTP request to provider API"),
        (lambda line: line.head(content_length="9"), False, 502, "failed to execute HTTP request to provider API"),
        (lambda line: line.plain(b"no json"), False, 502, "failed to unmarshal response from provider API"),
        (lambda line: line.plain(PLAIN), True, 500, "provider returned non-SSE response for streaming request"),
        (streams(*STREAM), False, 502, "failed to unmarshal response from provider API"),
        (streams(ends=False), True, 500, "provider closed the stream before sending a completion marker"),
    ],
    ids=["reset", "garbage", "cut", "no json", "no stream", "a stream", "an empty stream"],
)
def test_what_is_no_answer_is_told_as_the_gateway_does(
    behave: Behaviour, stream: bool, status: int, message: str
) -> None:
    with upstream(behave) as other, in_front_of(other.url, version="2.2") as server:
        response = chat(server.port, "hi", stream=stream)

    assert response.status == status
    assert response.json()["error"]["message"].startswith(message)


def test_why_a_provider_could_not_be_asked_stands_in_the_error() -> None:
    with upstream(lambda line: None) as other:
        pass
    with in_front_of(other.url) as server, server.session() as session:
        response = chat(server.port, "hi", path=f"/s/{session.id}{PATH}")
        tries = [trace.number for trace in session.last.trail]

    assert response.json()["error"]["error"] == "refused the connection"
    assert tries == [0, 1]  # a connection that is reset is tried once more at once


def test_a_silent_provider_is_a_timeout_of_the_gateway() -> None:
    done = threading.Event()
    with upstream(lambda line: done.wait(DEADLINE_S)) as other:
        with in_front_of(other.url, "timeout: 0.05s") as server:
            response = chat(server.port, "hi")
        done.set()

    assert response.status == 504
    assert response.json()["error"]["type"] == "request_timed_out"


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (
            lambda line, _done: line.reset(),
            "Error reading stream: broke the connection off in the middle of its answer",
        ),
        (lambda line, _done: None, "provider closed the stream before sending a completion marker"),
        (lambda line, done: done.wait(DEADLINE_S), "stream idle timeout: no data received"),
        (lambda line, _done: line.chunk(b"data: no json\n\n"), "failed to unmarshal response"),
        (lambda line, _done: line.chunk(b'data: {"error": {"message": "late trouble"}}\n\n'), "late trouble"),
    ],
    ids=["reset", "closed", "silent", "no json", "an error"],
)
def test_a_stream_that_breaks_off_ends_with_an_error(end: Callable[[Line, threading.Event], object], said: str) -> None:
    read, done = threading.Event(), threading.Event()

    def behave(line: Line) -> None:
        line.stream()
        line.chunk(STREAM[0])
        assert read.wait(DEADLINE_S)
        end(line, done)

    with upstream(behave) as other:
        settings = "stream_idle_timeout: 0.3s"
        with in_front_of(other.url, settings, version="2.2") as server, Connection(server.port) as client:
            client.send_path(PATH, chat_body("hi", stream=True))
            client.head()
            first = client.chunk()
            read.set()
            last = client.chunk()
            assert client.chunk() == b""
        done.set()

    assert b"Once " in first
    assert json.loads(last.removeprefix(b"data: "))["error"]["message"].startswith(said)
    assert len(other.heard) == 1


def test_an_answer_is_cached_and_charged() -> None:
    scenario = "version: 1\ngateway: {cache: {enabled: true, default_key: all}}\n"
    with (
        upstream(lambda line: line.plain(PLAIN)) as other,
        in_front_of(other.url, scenario=scenario) as server,
        server.session() as session,
    ):
        path = f"/s/{session.id}{PATH}"
        first = chat(server.port, "hi", path=path)
        until(lambda: session.requests[0].usage is not None, "the first is charged")
        second = chat(server.port, "hi", path=path)
        (row,) = session.ledger

    assert (first.text, second.text) == ("Real.", "Real.")
    assert len(other.heard) == 1
    assert (row.requests, row.cached, row.total_tokens) == (2, 1, 6)


def test_a_client_that_leaves_ends_the_asking_and_is_charged_for_what_came() -> None:
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
        assert session.last.usage is not None


def test_a_client_that_leaves_before_the_answer_ends_the_asking() -> None:
    began, noticed = threading.Event(), threading.Event()

    def behave(line: Line) -> None:
        began.set()
        if line.gone():
            noticed.set()

    with upstream(behave) as other, in_front_of(other.url) as server, server.session(verify=False) as session:
        with Connection(server.port) as client:
            client.send_chat("hi", session)
            assert began.wait(DEADLINE_S)
        assert noticed.wait(DEADLINE_S)
        until(lambda: not session.last.open, "the journal says that it left")
        assert session.last.status == 0


def test_a_quirk_that_needs_the_whole_stream_waits_for_it() -> None:
    calls = [
        {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "one", "arguments": "{}"}}]},
        {"tool_calls": [{"index": 1, "id": "b", "type": "function", "function": {"name": "two", "arguments": "{}"}}]},
    ]
    parts = [event(choices=[{"index": 0, "delta": call, "finish_reason": None}]) for call in calls]
    scenario = "version: 1\ngateway: {quirks: [fused_tool_names]}\n"
    with (
        upstream(streams(*parts, event(finish="tool_calls"), b"data: [DONE]\n\n")) as other,
        in_front_of(other.url, scenario=scenario) as server,
    ):
        response = chat(server.port, "hi", stream=True)

    assert b'"name":"onetwo"' in response.body


def test_usage_and_cost_are_those_of_the_answer() -> None:
    usage = event(choices=[], usage=COMPLETION["usage"])
    parts = (*STREAM[:-1], usage, STREAM[-1])
    response, _bodies = asked(streams(*parts), stream=True)

    assert response.text == "Once upon a time."
    assert response.events()[-1]["usage"]["total_tokens"] == 6
