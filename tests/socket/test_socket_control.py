"""The control API, as a program in another language would use it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mockbifrost import MockBifrost, __version__
from tests.socket.process import serving
from tests.socket.raw_http import PATH, Response, ask, chat_body
from tests.socket.test_socket_routes import refused

ROOT = "/__mockbifrost"
SCENARIO = """
version: 1
stubs:
  - {name: gated, when: {user: hello}, active: {gate: door}, reply: Open.}
  - {name: late, when: {user: hello}, active: {from: 10s}, reply: Late.}
  - {name: once, when: {user: hello}, times: 1, reply: Once.}
  - {name: busy, when: {user: busy}, error: overloaded}
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[MockBifrost]:
    with MockBifrost([SCENARIO]) as server:
        yield server


@pytest.fixture
def port(shared: MockBifrost) -> Iterator[int]:
    """The port of a server that has no sessions yet."""
    yield shared.port
    running = shared._running().sessions
    shared.run(running._sessions.clear)


def chat(port: int, said: str = "hello", **more: Any) -> Response:
    return ask(port, "POST", f"/s/one{PATH}", chat_body(said, **more))


def get(port: int, path: str, **options: Any) -> Any:
    response = ask(port, "GET", ROOT + path, **options)
    assert (response.status, response.header("content-type")) == (200, "application/json")
    return response.json()


def post(port: int, path: str, value: Any) -> Response:
    return ask(port, "POST", ROOT + path, json.dumps(value).encode())


def numbers(port: int, query: str) -> list[int]:
    return [entry["n"] for entry in get(port, f"/sessions/one/journal?{query}")["entries"]]


def test_ready_and_version(port: int) -> None:
    assert get(port, "/ready") == {"status": "ready", "sessions": []}
    assert get(port, "/version") == {"version": __version__}


def test_sessions_are_listed_with_what_they_hold(port: int) -> None:
    chat(port)

    (session,) = get(port, "/sessions")
    assert session == {
        "id": "one",
        "requests": 1,
        "stubs": 4,
        "clock": {"mode": "fixed", "elapsed_s": 0.0},
        "gates": {},
        "base_url": "http://mock/s/one/pydanticai/v1",
        "api_key": "mb-one",
    }
    assert get(port, "/sessions/one") == session


def test_the_default_session_is_always_there(port: int) -> None:
    assert get(port, "/sessions/default")["requests"] == 0


@pytest.mark.parametrize("path", ["", "/journal", "/journal/1"])
def test_an_unknown_session_is_told_from_the_known_ones(port: int, path: str) -> None:
    chat(port)

    message = refused(ask(port, "GET", f"{ROOT}/sessions/two{path}"), 404, "unknown_session")
    assert message == "There is no session 'two'; there are: one."


def test_of_many_sessions_only_some_are_named(port: int) -> None:
    for number in range(12):
        ask(port, "POST", f"/s/n{number}{PATH}", chat_body("hello"))

    message = refused(ask(port, "GET", f"{ROOT}/sessions/two"), 404, "unknown_session")
    assert message.endswith("there are: n0, n1, n2, n3, n4, n5, n6, n7, n8, n9 and 2 more.")


def test_an_entry_says_what_came_in_and_what_went_out(port: int) -> None:
    ask(port, "POST", f"/s/one{PATH}", chat_body("hello"), headers={"authorization": "Bearer sk-verysecret123"})

    entry = get(port, "/sessions/one/journal/1")
    assert entry["request"]["headers"]["authorization"] == "[redacted]"
    assert entry["request"]["method"] == "POST"
    assert entry["request"]["path"] == f"/s/one{PATH}"
    assert entry["request"]["body"] == json.loads(chat_body("hello"))
    assert (entry["n"], entry["session"], entry["call"], entry["at_s"]) == (1, "one", 1, 0.0)
    assert entry["stub"] == {"name": "once", "file": "scenario 1", "line": 6}
    assert entry["response"]["status"] == 200
    assert entry["response"]["body"]["choices"][0]["message"]["content"] == "Once."
    (step,) = entry["trail"]
    assert (step["provider"], step["model"], step["outcome"], step["status"]) == ("openai", "gpt-4o", "answer", 200)
    assert "error" not in entry


def test_an_entry_of_a_miss_names_the_near_misses(port: int) -> None:
    chat(port, "Hello")

    entry = get(port, "/sessions/one/journal/1")
    assert entry["error"] == "no_match"
    assert entry["near_misses"][0]["mismatches"][0]["field"] == "user"


def test_an_entry_of_a_stream_has_its_text(port: int) -> None:
    chat(port, stream=True)

    response = get(port, "/sessions/one/journal/1")["response"]
    assert response["chunks"] == 2
    assert response["text"].endswith("data: [DONE]\n\n")


def test_the_journal_is_filtered(port: int) -> None:
    chat(port)
    chat(port, "nobody knows")
    chat(port, "busy", model="anthropic/claude-sonnet-4-5")
    chat(port, "busy")

    assert numbers(port, "") == [1, 2, 3, 4]
    assert numbers(port, "matched=true") == [1, 3, 4]
    assert numbers(port, "matched=No") == [2]
    assert numbers(port, "status=529") == [3, 4]
    assert numbers(port, "since=2") == [3, 4]
    assert numbers(port, "since=999999999999999999") == []
    assert numbers(port, "model=anthropic/*") == [3]
    assert numbers(port, "model=gpt-4o") == [1, 2, 4]
    assert numbers(port, "model=gpt-4o&status=529&since=1&matched=1") == [4]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("since=x", "since must be the number of an entry, not 'x'."),
        ("since=%C2%B2", "since must be the number of an entry, not '²'."),
        ("since=" + "9" * 5000, "since must be the number of an entry, not '" + "9" * 50 + "'."),
        ("status=ok", "status must be a status, not 'ok'."),
        ("matched=maybe", "matched must be true or false, not 'maybe'."),
        ("modle=gpt", "The journal has no filter 'modle'; it has matched, model, status, since."),
    ],
    ids=["word", "superscript", "huge", "status", "matched", "misspelt"],
)
def test_a_filter_that_can_not_be_is_refused(port: int, query: str, message: str) -> None:
    chat(port)

    response = ask(port, "GET", f"{ROOT}/sessions/one/journal?{query}")
    assert refused(response, 400, "bad_request") == message


@pytest.mark.parametrize("number", ["0", "2", "-1", "x", "9" * 5000, "%C2%B2"])
def test_an_entry_that_is_not_there(port: int, number: str) -> None:
    chat(port)

    refused(ask(port, "GET", f"{ROOT}/sessions/one/journal/{number}"), 404, "unknown_entry")


def test_the_journal_as_lines(port: int) -> None:
    chat(port)
    chat(port, "busy")

    path = f"{ROOT}/sessions/one/journal"
    response = ask(port, "GET", path, headers={"accept": "application/x-ndjson, */*"})
    assert response.header("content-type") == "application/x-ndjson"
    assert [json.loads(line) for line in response.body.splitlines()] == get(port, "/sessions/one/journal")["entries"]


def test_a_reset_forgets_what_was_counted(port: int) -> None:
    assert [chat(port).status, chat(port).status] == [200, 400]
    post(port, "/sessions/one/gates/door", {"state": "open"})
    post(port, "/sessions/one/clock", {"advance": "1m"})

    response = post(port, "/sessions/one/reset", None)

    assert response.json()["gates"] == {}
    assert response.json()["clock"] == {"mode": "fixed", "elapsed_s": 0.0}
    assert numbers(port, "") == []
    assert chat(port).text == "Once."
    assert numbers(port, "") == [3]


def test_a_gate_opens_and_closes(port: int) -> None:
    said = [chat(port).text]
    for state in ("open", "close"):
        assert post(port, "/sessions/one/gates/door", {"state": state}).json()["gates"] == {"door": state == "open"}
        said.append(chat(port).text if state == "open" else str(chat(port).header("x-mockbifrost-error")))

    assert said == ["Once.", "Open.", "no_match"]


@pytest.mark.parametrize(
    "value", [None, {}, {"state": "ajar"}, {"state": "open", "for": "5m"}, {"state": ["open"]}, []]
)
def test_a_gate_takes_nothing_else(port: int, value: Any) -> None:
    chat(port)

    response = post(port, "/sessions/one/gates/door", value)
    assert refused(response, 400, "bad_request") in (
        'A gate takes {"state": "open"} or {"state": "close"}.',
        "The body must be a JSON object.",
    )


def test_the_clock_moves_when_told(port: int) -> None:
    assert chat(port).text == "Once."
    response = post(port, "/sessions/one/clock", {"advance": "1m30s"})

    assert response.json()["clock"] == {"mode": "fixed", "elapsed_s": 90.0}
    assert chat(port).text == "Late."
    assert get(port, "/sessions/one/journal/2")["at_s"] == 90.0


def test_the_clock_changes_its_mode(port: int) -> None:
    chat(port)

    assert post(port, "/sessions/one/clock", {"mode": "flow"}).json()["clock"]["mode"] == "flow"
    assert post(port, "/sessions/one/clock", {"mode": "real"}).json()["clock"]["mode"] == "real"
    assert post(port, "/sessions/one/clock", {"mode": "fixed", "advance": 0}).json()["clock"]["mode"] == "fixed"


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"advance": -1},
        {"advance": "-5m"},
        {"advance": "soon"},
        {"advance": True},
        {"advance": 1e308},
        {"advance": ["5m"]},
        {"mode": "fast"},
        {"mode": ["fixed"]},
        {"mode": "flow", "advance": "soon"},
        {"advance": "5m", "by": 3},
        [],
        "5m",
    ],
    ids=str,
)
def test_a_clock_takes_nothing_else(port: int, value: Any) -> None:
    chat(port)

    refused(post(port, "/sessions/one/clock", value), 400, "bad_request")
    assert get(port, "/sessions/one")["clock"] == {"mode": "fixed", "elapsed_s": 0.0}


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b"\x00"], ids=["cut", "bytes", "nested", "NUL"])
def test_what_is_no_json_is_refused(port: int, body: bytes) -> None:
    chat(port)

    message = refused(ask(port, "POST", f"{ROOT}/sessions/one/clock", body), 400, "bad_request")
    assert message.startswith("The body is no JSON: ")


def test_a_body_of_the_control_api_is_bounded(port: int) -> None:
    chat(port)

    refused(ask(port, "POST", f"{ROOT}/sessions/one/clock", b" " * (33 << 20)), 413, "too_large")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/ready", "GET"),
        ("PUT", "/sessions/one", "GET and DELETE"),
        ("PATCH", "/sessions/one/stubs", "GET, POST and DELETE"),
        ("PROPFIND", "/sessions/one/journal", "GET"),
        ("GET", "/sessions/one/reset", "POST"),
        ("PUT", "/sessions/one/clock", "POST"),
        ("OPTIONS", "/sessions/one/gates/door", "POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(port: int, method: str, path: str, allowed: str) -> None:
    chat(port)

    message = refused(ask(port, method, ROOT + path), 405, "wrong_method")
    assert message == f"{method} {ROOT}{path} is not possible: this path takes {allowed} only."


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/sessions/", "/sessions/one/", "more", "/sessions/one/clock/x"])
def test_an_unknown_path_is_told_what_there_is(port: int, path: str) -> None:
    message = refused(ask(port, "GET", ROOT + path), 404, "unknown_path")

    assert message.startswith(f"The control API has no {ROOT}{path}; it has ready, version, sessions")


def test_a_journal_can_be_read_whatever_came_in(port: int) -> None:
    bodies = [b"", b"\x00\xff", b"{", b'{"a":' * 900 + b"1" + b"}" * 900, b"[" * 1_000_000, chat_body("x", y=10**30)]
    bodies += [
        b'{"model":"gpt-4o","messages":[],"x":' + b"[" * depth + b"]" * depth + b"}" for depth in range(240, 260)
    ]
    for body in bodies:
        ask(port, "POST", f"/s/one{PATH}", body)

    assert numbers(port, "") == list(range(1, len(bodies) + 1))


TOKEN = {"MOCKBIFROST_CONTROL_TOKEN": "s3cret"}
OPEN_TO_ALL = ("--host", "0.0.0.0", "--speed", "0")


def test_on_an_open_address_the_control_api_is_off_without_a_token(tmp_path: Path) -> None:
    with serving(tmp_path, SCENARIO, *OPEN_TO_ALL) as process:
        chat_status = chat(process.port).status
        ready = [ask(process.port, "GET", ROOT + path).status for path in ("/ready", "/version")]
        message = refused(ask(process.port, "GET", f"{ROOT}/sessions"), 403, "control_off")

    assert (chat_status, ready) == (200, [200, 200])
    assert message == (
        "The control API is off on an address that is not loopback. Set MOCKBIFROST_CONTROL_TOKEN to turn it on."
    )


def test_on_an_open_address_the_control_api_wants_its_token(tmp_path: Path) -> None:
    right, wrong = ({"authorization": f"Bearer {token}"} for token in ("s3cret", "secret"))
    with serving(tmp_path, SCENARIO, *OPEN_TO_ALL, env=TOKEN) as process:
        assert get(process.port, "/sessions", headers=right) == []
        for headers in ({}, wrong, {"authorization": "s3cret"}, {"authorization": "Bearer s\xe9cret"}):
            refused(ask(process.port, "GET", f"{ROOT}/sessions", headers=headers), 401, "unauthorized")
        refused(ask(process.port, "POST", f"{ROOT}/sessions/default/reset"), 401, "unauthorized")
        assert get(process.port, "/ready")["status"] == "ready"


def test_on_loopback_no_token_is_wanted(tmp_path: Path) -> None:
    with serving(tmp_path, SCENARIO, "--speed", "0", env=TOKEN) as process:
        assert get(process.port, "/sessions") == []
