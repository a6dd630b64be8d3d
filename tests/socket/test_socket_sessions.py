"""Which session a request belongs to, and that sessions know nothing of one another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mockbifrost import MockBifrost, UsageError
from tests.socket.process import serving
from tests.socket.raw_http import PATH, Response, ask, chat_body
from tests.socket.test_socket_routes import refused

COUNTED = """
version: 1
stubs:
  - {name: once, when: {user: hello}, times: 1, reply: First.}
  - {when: {user: hello}, reply: Later.}
"""


def session_of(response: Response) -> str | None:
    return response.header("x-mockbifrost-session")


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        pytest.param(PATH, {}, "default", id="nothing"),
        pytest.param(f"/s/by-path{PATH}", {}, "by-path", id="path"),
        pytest.param(PATH, {"x-mockbifrost-session": "by-header"}, "by-header", id="header"),
        pytest.param(PATH, {"authorization": "Bearer mb-by-key"}, "by-key", id="key"),
        pytest.param(PATH, {"authorization": "bearer mb-by-key"}, "by-key", id="key, small letters"),
        pytest.param(PATH, {"x-api-key": "mb-by-key"}, "by-key", id="x-api-key"),
        pytest.param(PATH, {"api-key": "mb-by-key"}, "by-key", id="api-key"),
        pytest.param(PATH, {"authorization": "Bearer sk-mb-no"}, "default", id="another key"),
        pytest.param(PATH, {"authorization": "Bearer mb-"}, "default", id="a key without a name"),
        pytest.param(PATH, {"x-mockbifrost-session": ""}, "default", id="an empty header"),
        pytest.param(
            PATH,
            {"authorization": "Bearer mb-by-key", "x-mockbifrost-session": "by-header"},
            "by-header",
            id="header beats key",
        ),
        pytest.param(
            f"/s/by-path{PATH}",
            {"authorization": "Bearer mb-by-key", "x-mockbifrost-session": "by-header"},
            "by-path",
            id="path beats both",
        ),
        pytest.param(f"/s/100%2541{PATH}", {}, "100%41", id="percent, decoded once"),
        pytest.param(f"/s/with%20space{PATH}", {}, "with space", id="space"),
        pytest.param(f"/s/s{PATH}", {}, "s", id="named like the prefix"),
    ],
)
def test_the_session_is_chosen_by(server: MockBifrost, path: str, headers: dict[str, str], expected: str) -> None:
    assert session_of(ask(server.port, "POST", path, chat_body("hello"), headers=headers)) == expected


def test_a_name_beyond_ascii_is_the_same_in_path_and_header(server: MockBifrost) -> None:
    in_path = ask(server.port, "POST", f"/s/t%C3%ABst-%E4%BD%A0{PATH}", chat_body("hello"))
    name = "tëst-你".encode().decode("latin-1")
    in_header = ask(server.port, "POST", PATH, chat_body("hello"), headers={"x-mockbifrost-session": name})

    assert in_path.header("x-mockbifrost-call") == "1"
    assert in_header.header("x-mockbifrost-call") == "2"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("", "''", id="empty"),
        pytest.param("x" * 201, repr("x" * 50), id="too long"),
        pytest.param("%00", r"'\x00'", id="NUL"),
        pytest.param("%0d%0ax-injected:1", r"'\r\nx-injected:1'", id="line end"),
    ],
)
def test_what_is_no_name_is_refused(server: MockBifrost, name: str, shown: str) -> None:
    response = ask(server.port, "POST", f"/s/{name}{PATH}", chat_body("hello"))

    expected = f"{shown} is no name of a session: 1 to 200 printable characters without `/` are"
    assert refused(response, 400, "bad_session") == expected


def test_sessions_count_alone() -> None:
    with MockBifrost(COUNTED) as server:
        said = [ask(server.port, "POST", f"/s/{id}{PATH}", chat_body("hello")).text for id in "aabbab"]
        calls = [
            ask(server.port, "POST", f"/s/{id}{PATH}", chat_body("hello")).header("x-mockbifrost-call") for id in "ab"
        ]

    assert said == ["First.", "Later.", "First.", "Later.", "Later.", "Later."]
    assert calls == ["4", "4"]


def test_sessions_keep_journals_of_their_own() -> None:
    with MockBifrost([COUNTED]) as server:
        for id in "aab":
            ask(server.port, "POST", f"/s/{id}{PATH}", chat_body("hello"))
        journals = {id: ask(server.port, "GET", f"/__mockbifrost/sessions/{id}/journal").json() for id in "ab"}

    assert {id: [entry["n"] for entry in journal["entries"]] for id, journal in journals.items()} == {
        "a": [1, 2],
        "b": [1],
    }
    assert {entry["session"] for entry in journals["a"]["entries"]} == {"a"}


def test_the_same_request_gets_the_same_answer_in_each_session() -> None:
    with MockBifrost([COUNTED]) as server:
        bodies = {ask(server.port, "POST", f"/s/{id}{PATH}", chat_body("hello")).body for id in "abc"}

    assert len(bodies) == 1


def test_stubs_of_one_session_are_not_seen_by_another(server: MockBifrost) -> None:
    with server.session() as one, server.session(verify=False) as other:
        one.when(user="only here").reply("Yes.")
        mine = ask(server.port, "POST", f"/s/{one.id}{PATH}", chat_body("only here"))
        theirs = ask(server.port, "POST", f"/s/{other.id}{PATH}", chat_body("only here"))

    assert (mine.status, theirs.status) == (200, 400)
    assert theirs.header("x-mockbifrost-error") == "no_match"


def test_a_finished_session_answers_no_more(server: MockBifrost) -> None:
    with server.session() as session:
        path = f"/s/{session.id}"
        assert ask(server.port, "POST", path + PATH, chat_body("hello")).status == 200
    chat = ask(server.port, "POST", path + PATH, chat_body("hello"))
    models = ask(server.port, "GET", path + "/v1/models")
    by_key = ask(server.port, "POST", PATH, chat_body("hello"), headers={"authorization": f"Bearer {session.api_key}"})

    for response in (chat, models, by_key):
        assert refused(response, 400, "session_finished") == (
            f"Session {session.id!r} is finished: this request came too late and was answered by nothing.\n"
            "  do: end all calls before the test ends, or use the session of the running test"
        )
    assert ask(server.port, "GET", f"/__mockbifrost/sessions/{session.id}").status == 404


def test_finished_sessions_are_remembered_up_to_a_bound(server: MockBifrost) -> None:
    for number in range(1_001):
        server.open_session(f"gone-{number}").finish()
    remembered = ask(server.port, "POST", f"/s/gone-1{PATH}", chat_body("hello"))
    forgotten = ask(server.port, "POST", f"/s/gone-0{PATH}", chat_body("hello"))

    refused(remembered, 400, "session_finished")
    assert forgotten.text == "Hello to you."


def test_a_finished_name_can_be_opened_again(server: MockBifrost) -> None:
    with server.session("again") as first:
        ask(server.port, "POST", f"/s/{first.id}{PATH}", chat_body("hello"))
    with server.session("again") as second:
        assert second.requests == ()
        assert ask(server.port, "POST", f"/s/again{PATH}", chat_body("hello")).status == 200


def test_a_name_in_use_is_refused(server: MockBifrost) -> None:
    with server.session("taken"), pytest.raises(UsageError, match="session 'taken' is in use already"):
        server.open_session("taken")


OWN = """
version: 1
session: refund
gateway: {version: "1.6"}
stubs:
  - {when: {user: hello}, reply: From the desk.}
"""


def test_a_file_with_a_session_lives_in_it_alone() -> None:
    with MockBifrost([COUNTED, OWN]) as server:
        inside = ask(server.port, "POST", f"/s/refund{PATH}", chat_body("hello"))
        outside = ask(server.port, "POST", PATH, chat_body("hello"))
        bad_inside, bad_outside = (ask(server.port, "POST", path + PATH, b"{") for path in ("/s/refund", ""))
        ready = ask(server.port, "GET", "/__mockbifrost/ready").json()

    assert (inside.text, outside.text) == ("From the desk.", "First.")
    assert (bad_inside.status, bad_outside.status) == (500, 400)
    assert ready == {"status": "ready", "sessions": ["refund"]}


def test_a_session_of_a_file_can_be_opened_by_a_test() -> None:
    with MockBifrost([COUNTED, OWN]) as server:
        with server.session("refund") as session:
            assert ask(server.port, "POST", f"/s/refund{PATH}", chat_body("hello")).text == "From the desk."
            assert len(session.requests) == 1
        finished = ask(server.port, "POST", f"/s/refund{PATH}", chat_body("hello"))
        shown = ask(server.port, "GET", "/__mockbifrost/sessions/refund")

    refused(finished, 400, "session_finished")
    assert shown.status == 404


def test_the_session_is_named_in_the_headers_unless_told(tmp_path: Path) -> None:
    with serving(tmp_path, COUNTED, "--no-mock-headers", "--speed", "0") as process:
        answer = ask(process.port, "POST", f"/s/quiet{PATH}", chat_body("hello"))
        miss = ask(process.port, "POST", f"/s/quiet{PATH}", chat_body("unheard of"))

    assert [name for name, _ in answer.headers if name.startswith("x-mockbifrost")] == []
    assert [name for name, _ in miss.headers if name.startswith("x-mockbifrost")] == ["x-mockbifrost-error"]
    assert json.loads(miss.body)["error"]["code"] == "no_match"
