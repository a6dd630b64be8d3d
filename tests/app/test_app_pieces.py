"""TCP may cut a request anywhere: the answers are the same."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.app.in_process import PATH, App

SCENARIO = "version: 1\nstubs: [{reply: 'You said {{ user }}.'}]\n"
BODY = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "né🙂"}]}).encode()
LENGTH = b"content-length: %d\r\n" % len(BODY)
CHUNKED = b"transfer-encoding: chunked\r\n"
CHUNKS = b"5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (BODY[:5], len(BODY) - 5, BODY[5:])
OFFER = b"connection: upgrade\r\nupgrade: h2c\r\n"


def request(*headers: bytes, body: bytes = BODY) -> bytes:
    return b"".join([f"POST {PATH} HTTP/1.1\r\nhost: x\r\n".encode(), *headers, b"\r\n", body])


REQUESTS = {
    "a length": request(LENGTH),
    "chunks": request(CHUNKED, body=CHUNKS),
    "an offer": request(OFFER, LENGTH),
    "an offer and chunks": request(CHUNKED, OFFER, body=CHUNKS),
    "asks before it sends": request(b"expect: 100-continue\r\n", LENGTH),
    "an offer without a body": b"GET /health HTTP/1.1\r\n" + OFFER + b"\r\n",
}


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    running = App(SCENARIO)
    yield running
    running.close()


def said(app: App, pieces: list[bytes], methods: list[str]) -> list[str]:
    app.sessions._sessions.clear()
    answers = [answer.json() for answer in app.talk(pieces, methods)]
    return [answer["choices"][0]["message"]["content"] if "choices" in answer else str(answer) for answer in answers]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.sampled_from(sorted(REQUESTS)), min_size=1, max_size=3),
    cuts=st.lists(st.integers(0, 900), max_size=8),
)
def test_requests_may_be_cut_anywhere(app: App, names: list[str], cuts: list[int]) -> None:
    whole = b"".join([REQUESTS[name] for name in names])
    borders = [0, *sorted({cut for cut in cuts if cut < len(whole)}), len(whole)]
    pieces = [whole[start:end] for start, end in itertools.pairwise(borders) if start < end]
    methods = [REQUESTS[name].split(b" ", 1)[0].decode() for name in names]

    expected = ["{'status': 'ok'}" if method == "GET" else "You said né🙂." for method in methods]
    assert said(app, pieces, methods) == expected


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_may_come_byte_by_byte(app: App, name: str) -> None:
    whole = REQUESTS[name]
    method = whole.split(b" ", 1)[0].decode()

    assert said(app, [bytes([byte]) for byte in whole], [method]) == said(app, [whole], [method])
