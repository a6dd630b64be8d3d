"""What a test in another language does with its session: puts stubs, sends files, asks why, and has it verified."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mockbifrost import MockBifrost, Session, VerificationError
from tests.socket.process import serving
from tests.socket.raw_http import PATH, Response, ask, chat_body
from tests.socket.test_socket_routes import refused

SESSIONS = "/__mockbifrost/sessions"
FILES = """version: 1
stubs:
  - {name: of the files, when: {user: greet}, reply: Files.}
"""
CASSETTE = (Path(__file__).resolve().parents[2] / "cassettes/plain.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def server() -> Iterator[MockBifrost]:
    with MockBifrost([FILES]) as running:
        yield running


@pytest.fixture
def mock(server: MockBifrost) -> Iterator[Session]:
    with server.session(verify=False) as session:
        yield session


def do(server: MockBifrost, mock: Session, method: str, path: str, body: Any = None, **options: Any) -> Response:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return ask(server.port, method, f"{SESSIONS}/{mock.id}{path}", raw, **options)


def done(server: MockBifrost, mock: Session, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    response = do(server, mock, method, path, body)
    assert response.status == status, response.body
    return response.json()


def say(server: MockBifrost, mock: Session, said: str, **more: Any) -> Response:
    headers = more.pop("headers", None)
    return ask(server.port, "POST", f"/s/{mock.id}{PATH}", chat_body(said, **more), headers=headers)


def findings(response: Response, kind: str) -> tuple[str, list[Mapping[str, Any]]]:
    body = response.json()
    assert (response.status, body["error"]["code"]) == (400, kind)
    return body["error"]["message"], body["findings"]


def test_a_stub_is_put_and_put_again_into_its_place(server: MockBifrost, mock: Session) -> None:
    first = done(server, mock, "PUT", "/stubs/mine", {"when": {"user": "hello"}, "reply": "First."})
    done(server, mock, "PUT", "/stubs/other", {"when": {"user": "hello"}, "reply": "Other."})
    before = say(server, mock, "hello").text
    again = done(server, mock, "PUT", "/stubs/mine", {"when": {"user": "hello"}, "reply": "Again.", "times": 2})

    assert first == {"id": "mine", "file": "sent 1", "line": 1, "used": 0, "added": True}
    assert again["used"] == 1
    assert [before, *[say(server, mock, "hello").text for _ in range(2)]] == ["First.", "Again.", "Other."]


def test_a_stub_may_be_put_in_yaml(server: MockBifrost, mock: Session) -> None:
    stub = done(server, mock, "PUT", "/stubs/mine", b"# a remark\nname: greeting\nwhen: {user: hi}\nreply: Hi.\n")

    assert (stub["name"], stub["file"], stub["line"]) == ("greeting", "sent 1", 2)
    assert say(server, mock, "hi").text == "Hi."


def test_a_stub_stands_where_the_code_says(server: MockBifrost, mock: Session) -> None:
    place = f"?file={quote('tests/a test.ts')}&line=17"
    stub = done(server, mock, "PUT", f"/stubs/own%231{place}", {"when": {"user": "hi"}, "reply": "Hi."})
    wrong = do(server, mock, "PUT", f"/stubs/own%232{place}", {"when": {"usr": "hi"}, "reply": "Hi."})

    assert (stub["id"], stub["file"], stub["line"]) == ("own#1", "tests/a test.ts", 17)
    assert say(server, mock, "hi").header("x-mockbifrost-stub") == "tests/a test.ts:17"
    message, (finding,) = findings(wrong, "bad_scenario")
    assert message == "tests/a test.ts:17:1: when.usr: unknown key 'usr'; did you mean 'user'?"
    assert (finding["file"], finding["line"], finding["key_path"]) == ("tests/a test.ts", 17, "when.usr")
    assert len(mock.stubs) == 2


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/stubs/mine", ["Yes."] * 2, "One stub is put here; POST a list of stubs or a scenario to …/stubs."),
        ("/stubs/mine", {"version": 1, "gateway": {}, "stubs": ["Yes."]}, "One stub is put here; POST "),
        ("/stubs/mine?line=3", {"reply": "x"}, "`line` belongs to `file`: give both, or neither."),
        ("/stubs/mine?file=a&line=x", {"reply": "x"}, "line must be the number of a line, not 'x'."),
        ("/stubs/mine?file=a&line=0", {"reply": "x"}, "line must be the number of a line, not '0'."),
        ("/stubs/mine?file=a", b"reply: x", "The body is no JSON: "),
        ("/stubs/mine?fil=a", {"reply": "x"}, "There is no parameter 'fil'; there are file, line and defaults."),
        ("/stubs/my%20stub", {"reply": "x"}, "'my stub' is no id of a stub: 1 to 200 printable characters without "),
        (f"/stubs/{'x' * 201}", {"reply": "x"}, f"{'x' * 50!r} is no id of a stub"),
    ],
)
def test_what_can_not_be_put(server: MockBifrost, mock: Session, path: str, body: Any, message: str) -> None:
    assert refused(do(server, mock, "PUT", path, body), 400, "bad_request").startswith(message)
    assert len(mock.stubs) == 1


def test_a_files_stub_keeps_its_place(server: MockBifrost, mock: Session) -> None:
    id = quote(mock.stubs[0].id, safe="")

    message = refused(do(server, mock, "PUT", f"/stubs/{id}", {"reply": "x"}), 409, "stub_of_a_file")
    assert message == "Stub 'scenario 1#0' is a file's; put another one in front of it, under another id."


def test_files_are_used_though_they_lie_elsewhere(server: MockBifrost, mock: Session) -> None:
    files = [
        {
            "name": "a.yaml",
            "text": "version: 1\ngateway: {providers: {mine: {}}}\nstubs: [{when: {user: a}, reply: A.}]\n",
        },
        {"name": "b.yaml", "text": "version: 1\nstubs:\n  - {when: {user: b}, reply: B.}\n", "use": "scenario"},
        {"name": "test.ts", "text": "version: 1\nstubs:\n\n  - {when: {user: c}, reply: C.}\n", "line": 12},
        {"name": "plain.yaml", "text": CASSETTE, "use": "cassette"},
    ]
    found = done(server, mock, "POST", "/files", {"files": files}, 201)

    assert [(stub["file"], stub["line"]) for stub in found["added"]] == [("a.yaml", 3), ("b.yaml", 3), ("test.ts", 12)]
    assert found["recordings"] == 1
    assert [say(server, mock, said, model="mine/x").text for said in "abc"] == ["A.", "B.", "C."]


def test_of_wrong_files_nothing_is_used(server: MockBifrost, mock: Session) -> None:
    good = {"name": "a.yaml", "text": "version: 1\nstubs: [Yes.]\n"}
    wrong = {"name": "test.ts", "text": "version: 1\nstubs:\n  - {rply: x}\n", "line": 12}
    tape = {"name": "tape.yaml", "text": "interactions: 7\n", "use": "cassette"}

    message, found = findings(do(server, mock, "POST", "/files", {"files": [good, wrong, tape]}), "bad_scenario")
    assert message == "test.ts:12:1: stubs[0].rply: unknown key 'rply'; did you mean 'reply'?"
    assert len(found) == 1
    message, found = findings(do(server, mock, "POST", "/files", {"files": [good, tape]}), "bad_cassette")
    assert (
        message
        == "tape.yaml: interactions: `interactions` must be a list, got the number 7; begin each with `- request:`"
    )
    assert found[0]["file"] == "tape.yaml"
    assert len(mock.stubs) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, 'Files are sent as {"files": [{"name": "refund.yaml", "text": "…"}]}.'),
        ({"files": 1}, "Files are sent as "),
        ({"files": [], "exat": True}, "Files are not sent with 'exat'; did you mean 'exact'?"),
        ({"files": [], "exact": 1}, "exact must be true or false, got the number 1."),
        ({"files": [], "on_end": "x"}, "on_end must be repeat or miss, got the text 'x'."),
        ({"files": [], "ignore": "x"}, "ignore must be a list of texts, got the text 'x'."),
        ({"files": [], "ignore": ["/(/"]}, "'/(/' can't be ignored: it is no regular expression"),
        ({"files": ["x"]}, "files[0] must be an object with a name and a text, got the text 'x'."),
        ({"files": [{"name": "a"}]}, "files[0].text must be the text of the file, got nothing (null)."),
        ({"files": [{"text": "a"}]}, "files[0].name must be what messages call the file, got nothing (null)."),
        ({"files": [{"name": "a", "text": "a", "usr": "x"}]}, "files[0] has no key 'usr'; did you mean 'use'?"),
        ({"files": [{"name": "a", "text": "a", "use": "x"}]}, "use must be scenario, cassette or replay, got the text"),
        ({"files": [{"name": "a", "text": "a", "line": -1}]}, "files[0].line must be the number of a line, got "),
    ],
)  # fmt: skip
def test_what_is_no_list_of_files(server: MockBifrost, mock: Session, body: Any, message: str) -> None:
    assert refused(do(server, mock, "POST", "/files", body), 400, "bad_request").startswith(message)


def test_a_cassette_is_played(server: MockBifrost, mock: Session) -> None:
    before = say(server, mock, "Write a haiku about tests.").status
    found = done(server, mock, "POST", "/cassettes?file=haiku.yaml", CASSETTE.encode(), 201)
    asked = json.dumps(body_of(CASSETTE)).encode()
    after = ask(server.port, "POST", f"/s/{mock.id}{PATH}", asked)

    assert (before, after.status, found) == (400, 200, {"added": [], "recordings": 1})
    assert str(after.header("x-mockbifrost-stub")).startswith("haiku.yaml")


def body_of(cassette: str) -> Any:
    """What the first interaction of a cassette asks."""
    import yaml

    body = yaml.safe_load(cassette)["interactions"][0]["request"]["body"]
    return body if isinstance(body, dict) else json.loads(body)


def test_a_cassette_that_is_none_is_refused(server: MockBifrost, mock: Session) -> None:
    message, _found = findings(do(server, mock, "POST", "/cassettes?file=a.yaml", b"[1]"), "bad_cassette")
    assert message.startswith("a.yaml: ")
    refused(do(server, mock, "POST", "/cassettes", b"\xff"), 400, "bad_request")


def test_recordings_are_matched_as_their_sender_says(server: MockBifrost, mock: Session) -> None:
    tape = {"name": "plain.yaml", "text": CASSETTE, "use": "cassette"}
    asked = {**body_of(CASSETTE), "user": "someone"}
    done(server, mock, "POST", "/files", {"files": [tape]}, 201)
    before = ask(server.port, "POST", f"/s/{mock.id}{PATH}", json.dumps(asked).encode()).status
    done(server, mock, "POST", "/files", {"files": [tape], "ignore": ["user"], "on_end": "miss", "exact": True}, 201)
    after = [ask(server.port, "POST", f"/s/{mock.id}{PATH}", json.dumps(asked).encode()).status for _ in range(2)]

    assert (before, after) == (400, [200, 400])


def test_a_stub_replays_a_cassette_that_was_sent(server: MockBifrost, mock: Session) -> None:
    stub = {"when": {"user": "hi"}, "replay": "nowhere/tape.yaml"}
    place = "?file=%2Ftests%2Ftest.ts&line=3"
    missing, _ = findings(do(server, mock, "PUT", f"/stubs/mine{place}", stub), "bad_scenario")
    tape = {"name": "/tests/nowhere/tape.yaml", "text": CASSETTE, "use": "replay"}
    found = done(server, mock, "POST", "/files", {"files": [tape]}, 201)
    stub["replay"] = {"cassette": "nowhere/tape.yaml", "interaction": 1}
    done(server, mock, "PUT", f"/stubs/mine{place}", stub)

    assert "/tests/nowhere/tape.yaml" in missing
    assert found == {"added": [], "recordings": 0}
    assert say(server, mock, "hi").status == 200
    assert say(server, mock, "who knows").status == 400


def test_calls_hold_the_clients_retries(server: MockBifrost, mock: Session) -> None:
    mock.when(user="status").error("overloaded").times(1)
    mock.when(user="status").reply("Fine.")
    for retry in ("0", "1", "0"):
        say(server, mock, "status", headers={"x-stainless-retry-count": retry, "authorization": "Bearer sk-secret1234"})

    first, second = done(server, mock, "GET", "/calls")["calls"]
    assert (first["call"], first["status"], [one["n"] for one in first["requests"]]) == (1, 200, [1, 2])
    assert (second["call"], second["status"], [one["n"] for one in second["requests"]]) == (2, 200, [3])
    assert first["requests"][0]["request"]["headers"]["authorization"] == "[redacted]"


def test_verify_says_what_a_failed_test_would(server: MockBifrost, mock: Session) -> None:
    assert done(server, mock, "POST", "/verify") == {"problems": [], "remarks": ["Not used: of the files."]}
    mock.when(user="never").reply("x").name("never")
    assert done(server, mock, "POST", "/verify", {"own": []})["problems"] == []
    say(server, mock, "unheard of")

    found = do(server, mock, "POST", "/verify", {"own": [mock.stubs[0].id]})
    with pytest.raises(VerificationError) as error:
        mock.verify()
    body = found.json()
    assert (found.status, body["error"]["code"], body["error"]["message"]) == (409, "not_verified", str(error.value))
    assert len(body["problems"]) == 2


def test_a_stub_that_is_not_there_can_not_have_been_used(server: MockBifrost, mock: Session) -> None:
    mock.when(user="never").reply("x")
    id = mock.stubs[0].id
    mock.clear_stubs()

    message = refused(do(server, mock, "POST", "/verify", {"own": [id]}), 404, "unknown_stub")
    assert message.startswith(f"There is no stub {id!r} in session {mock.id!r}: was it removed?")


@pytest.mark.parametrize("body", [{"own": "x"}, {"own": [1]}, {"owned": []}])
def test_what_can_not_be_verified(server: MockBifrost, mock: Session, body: Any) -> None:
    refused(do(server, mock, "POST", "/verify", body), 400, "bad_request")


def test_a_request_is_explained_and_nothing_counted(server: MockBifrost, mock: Session) -> None:
    mock.when(user="greet", model="gpt-9*").reply("Nine.").name("nine").times(1)
    found = done(server, mock, "POST", "/explain", chat_body("greet"))
    nine = done(server, mock, "POST", "/explain", chat_body("greet", model="gpt-9"))
    nobody = done(server, mock, "POST", "/explain", chat_body("what?"))

    assert (found["answers"]["name"], found["others"][0]["stub"]["name"]) == ("of the files", "nine")
    assert found["others"][0]["mismatches"] == [{"field": "model", "want": "'gpt-9*'", "got": "'gpt-4o'"}]
    assert found["text"].startswith('Answered by "of the files"')
    assert (nine["answers"]["name"], nine["answers"]["used"]) == ("nine", 0)
    assert ("answers" in nobody, len(nobody["others"])) == (False, 2)
    assert [stub.used for stub in mock.stubs] == [0, 0]
    assert mock.requests == ()


def test_a_recording_that_answers_is_named(server: MockBifrost, mock: Session) -> None:
    done(server, mock, "POST", "/cassettes?file=tapes/haiku.yaml", CASSETTE.encode(), 201)
    found = done(server, mock, "POST", "/explain", body_of(CASSETTE))

    assert ("answers" in found, found["plays"]["file"]) == (False, "tapes/haiku.yaml")
    assert found["plays"]["name"] in found["text"]


def test_an_explanation_goes_by_the_headers_of_the_request(server: MockBifrost, mock: Session) -> None:
    mock.when(headers={"x-tenant": "acme"}).reply("Acme.").name("acme")
    path = f"{SESSIONS}/{mock.id}/explain"

    found = ask(server.port, "POST", path, chat_body("greet"), headers={"x-tenant": "acme"}).json()
    assert found["answers"]["name"] == "acme"


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"messages": 1}'])
def test_what_can_not_be_explained(server: MockBifrost, mock: Session, body: bytes) -> None:
    message = refused(do(server, mock, "POST", "/explain", body), 400, "bad_request")
    assert message.startswith("This is no request that can be understood: ")


def test_a_gate_may_have_any_name(server: MockBifrost, mock: Session) -> None:
    for name in ("a/b", "ü ?#%2F", "x" * 300):
        done(server, mock, "POST", f"/gates/{quote(name, safe='')}", {"state": "open"})
        assert done(server, mock, "GET", "")["gates"][name] is True


def test_a_clock_takes_seconds_as_a_number(server: MockBifrost, mock: Session) -> None:
    done(server, mock, "POST", "/clock", {"advance": 90})
    done(server, mock, "POST", "/clock", {"advance": 1e-3})

    assert mock.clock.elapsed_s == 90.001


def test_metrics_count_what_was_answered() -> None:
    scenario = "version: 1\nstubs: [{when: {user: hello}, reply: Hi.}, {when: {user: busy}, error: overloaded}]\n"
    with MockBifrost(scenario) as server:
        for said in ("hello", "hello", "busy", "unheard of"):
            ask(server.port, "POST", PATH, chat_body(said))
        found = ask(server.port, "GET", "/__mockbifrost/metrics")

    lines = found.body.decode().splitlines()
    assert found.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    assert 'mockbifrost_requests_total{status="200"} 2' in lines
    assert 'mockbifrost_requests_total{status="529"} 1' in lines
    assert 'mockbifrost_unanswered_total{error="no_match"} 1' in lines
    assert "mockbifrost_sessions 1" in lines
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(samples['mockbifrost_tokens_total{kind="prompt"}']) > 0
    assert float(samples["mockbifrost_dollars_total"]) > 0
    assert [line for line in lines if line.startswith("# TYPE")] == [
        "# TYPE mockbifrost_requests_total counter",
        "# TYPE mockbifrost_unanswered_total counter",
        "# TYPE mockbifrost_tokens_total counter",
        "# TYPE mockbifrost_dollars_total counter",
        "# TYPE mockbifrost_sessions gauge",
    ]


def test_on_an_open_address_all_of_it_wants_the_token(tmp_path: Path) -> None:
    with serving(tmp_path, FILES, "--host", "0.0.0.0", env={"MOCKBIFROST_CONTROL_TOKEN": "s3cret"}) as process:
        for method, path in (
            ("PUT", "/sessions/default/stubs/x"),
            ("POST", "/sessions/default/files"),
            ("POST", "/sessions/default/cassettes"),
            ("POST", "/sessions/default/verify"),
            ("POST", "/sessions/default/explain"),
            ("GET", "/sessions/default/calls"),
            ("GET", "/events"),
            ("GET", "/metrics"),
        ):
            refused(ask(process.port, method, "/__mockbifrost" + path), 401, "unauthorized")
