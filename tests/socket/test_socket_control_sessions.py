"""Sessions over HTTP: made, fed with stubs, asked side by side, and ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mockbifrost import MockBifrost
from tests.socket.process import serving
from tests.socket.raw_http import PATH, Connection, Response, ask, chat_body
from tests.socket.test_socket_routes import refused

ROOT = "/__mockbifrost"
SESSIONS = f"{ROOT}/sessions"
SCENARIO = """
version: 1
seed: 3
gateway: {providers: {openai: {}, groq: {}}}
stubs:
  - {name: of the files, when: {user: hello}, reply: Files.}
  - {when: {user: words}, reply: {faker: {sentence: {}}}}
"""


@pytest.fixture
def port() -> Iterator[int]:
    with MockBifrost([SCENARIO]) as server:
        yield server.port


def post(port: int, path: str, value: Any = None, **options: Any) -> Response:
    body = value if isinstance(value, bytes) else b"" if value is None else json.dumps(value).encode()
    return ask(port, "POST", SESSIONS + path, body, **options)


def made(port: int, **wanted: Any) -> Any:
    response = post(port, "", wanted)
    assert (response.status, response.header("content-type")) == (201, "application/json")
    return response.json()


def feed(port: int, id: str, body: Any) -> list[dict[str, Any]]:
    response = post(port, f"/{id}/stubs", body.encode() if isinstance(body, str) else body)
    assert response.status == 201, response.body
    added: list[dict[str, Any]] = response.json()["added"]
    return added


def findings(response: Response) -> tuple[str, list[Any]]:
    """The message and the findings of a scenario that was refused."""
    body = response.json()
    assert (response.status, response.header("x-mockbifrost-error"), body["error"]["code"]) == (
        400,
        "bad_scenario",
        "bad_scenario",
    )
    return body["error"]["message"], body["findings"]


def stubs_of(port: int, id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(port, "GET", f"{SESSIONS}/{id}/stubs").json()["stubs"]
    return found


def chat(port: int, id: str, said: str = "hello", **more: Any) -> Response:
    return ask(port, "POST", f"/s/{id}{PATH}", chat_body(said, **more))


def test_a_session_is_made_and_says_how_to_get_there(port: int) -> None:
    assert made(port) == {
        "id": "t1",
        "requests": 0,
        "stubs": 2,
        "clock": {"mode": "fixed", "elapsed_s": 0.0},
        "gates": {},
        "base_url": "http://mock/s/t1/pydanticai/v1",
        "api_key": "mb-t1",
    }
    assert post(port, "").json()["id"] == "t2"
    assert made(port, id=None, seed=None, clock=None, version=None)["id"] == "t3"
    assert [session["id"] for session in ask(port, "GET", SESSIONS).json()] == ["t1", "t2", "t3"]


def test_the_base_url_is_the_one_under_which_the_server_was_reached(port: int) -> None:
    there = post(port, "", {"id": "a b/c".replace("/", "-")}, headers={"host": "mock.test:81"}).json()["base_url"]

    assert there == "http://mock.test:81/s/a%20b-c/pydanticai/v1"
    assert ask(port, "POST", "/s/a%20b-c" + PATH, chat_body("hello")).header("x-mockbifrost-session") == "a b-c"


def test_a_new_session_has_the_seed_clock_and_version_that_were_asked_for(port: int) -> None:
    made(port, id="one", seed=7, clock="flow", version="1.6")
    made(port, id="same seed", seed=7)
    made(port, id="files")

    said = [chat(port, id, "words").text for id in ("one", "same%20seed", "files")]
    assert said[0] == said[1] != said[2]
    assert ask(port, "GET", f"{SESSIONS}/one").json()["clock"]["mode"] == "flow"
    assert [ask(port, "POST", f"/s/{id}{PATH}", b"{").status for id in ("one", "files")] == [500, 400]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            {"sed": 3},
            """A session takes "id", "seed", "speed", "clock" and "version", not 'sed'; did you mean 'seed'?""",
        ),
        ({"tempo": 3}, """A session takes "id", "seed", "speed", "clock" and "version", not 'tempo'."""),
        ({"id": 7}, "id must be text, got the number 7; put it in quotes."),
        ({"id": ["x"]}, "id must be text, got a list."),
        ({"seed": "7"}, "seed must be a whole number, got the text '7'."),
        ({"seed": 1.5}, "seed must be a whole number, got the number 1.5."),
        ({"seed": True}, "seed must be a whole number, got true."),
        ({"speed": -1}, "speed must be a number from 0, got the number -1."),
        ({"speed": "fast"}, "speed must be a number from 0, got the text 'fast'."),
        ({"clock": "flows"}, "clock must be fixed, flow or real, got the text 'flows'; did you mean 'flow'?"),
        ({"clock": {}}, "clock must be fixed, flow or real, got a mapping."),
        ({"version": 2.2}, "version must be documented, 1.6 or 2.2, got the number 2.2; put it in quotes."),
        ({"version": "3"}, "version must be documented, 1.6 or 2.2, got the text '3'."),
        ([], "The body must be a JSON object."),
        (b"{", "The body is no JSON: unexpected end of data: line 1 column 2 (char 1)."),
    ],
    ids=str,
)
def test_a_session_that_can_not_be_is_refused(port: int, wanted: Any, message: str) -> None:
    assert refused(post(port, "", wanted), 400, "bad_request") == message
    assert ask(port, "GET", SESSIONS).json() == []


@pytest.mark.parametrize("id", ["", "a/b", "a\nb", "x" * 201])
def test_what_is_no_name_is_refused(port: int, id: str) -> None:
    message = refused(post(port, "", {"id": id}), 400, "bad_session")

    assert message == f"{id[:50]!r} is no name of a session: 1 to 200 printable characters without `/` are"


def test_a_name_in_use_is_refused(port: int) -> None:
    made(port, id="one")

    message = refused(post(port, "", {"id": "one"}), 409, "session_in_use")
    assert message == "session 'one' is in use already; leave out the id, and a new one is made"


def test_more_sessions_than_can_be_are_refused_until_one_ends(port: int) -> None:
    for _ in range(1_000):
        made(port)

    message = refused(post(port, ""), 409, "too_many_sessions")
    assert message == "There are 1000 sessions, and no more are made.\n  do: finish those that have done their work"
    assert ask(port, "DELETE", f"{SESSIONS}/t1").status == 200
    assert made(port)["id"] == "t1002"


def test_a_session_that_was_ended_answers_no_more(port: int) -> None:
    made(port, id="one")
    assert chat(port, "one").status == 200

    ended = ask(port, "DELETE", f"{SESSIONS}/one")

    assert (ended.status, ended.json()) == (200, {"id": "one", "finished": True})
    refused(chat(port, "one"), 400, "session_finished")
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/reset"), ("GET", "/stubs"), ("POST", "/stubs")):
        message = refused(ask(port, method, f"{SESSIONS}/one{path}"), 404, "unknown_session")
        assert message == "There is no session 'one'; there are: none yet."
    assert made(port, id="one")["requests"] == 0
    assert chat(port, "one").text == "Files."


def test_a_stream_under_way_ends_though_its_session_does(port: int) -> None:
    made(port, id="one")
    feed(port, "one", {"when": {"user": "story"}, "reply": "word " * 200})
    with Connection(port) as connection:
        connection.send_path(f"/s/one{PATH}", chat_body("story", stream=True))
        head = connection.head()
        ask(port, "DELETE", f"{SESSIONS}/one")
        chunks = []
        while chunk := connection.chunk():
            chunks.append(chunk)

    assert head.status == 200
    assert b"".join(chunks).endswith(b"data: [DONE]\n\n")


STUB = {"name": "mine", "when": {"user": "hello"}, "reply": "Mine \U0001f600."}


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        pytest.param(json.dumps(STUB), [1], id="a stub in JSON"),
        pytest.param("name: mine\nwhen: {user: hello}\nreply: Mine \U0001f600.\n", [1], id="a stub in YAML"),
        pytest.param(json.dumps([STUB, "Else."], indent=2), [2, 9], id="stubs in JSON"),
        pytest.param(
            "- name: mine\n  when: {user: hello}\n  reply: Mine \U0001f600.\n- Else.\n", [1, 4], id="stubs in YAML"
        ),
        pytest.param(json.dumps({"version": 1, "stubs": [STUB]}), [1], id="a scenario in JSON"),
        pytest.param(
            "version: 1\nsession: x\nstubs:\n- {name: mine, when: {user: hello}, reply: Mine \U0001f600.}\n",
            [4],
            id="a scenario in YAML",
        ),
    ],
)
@pytest.mark.parametrize("kind", [None, "application/json", "application/yaml", "text/plain"])
def test_stubs_are_added_whatever_the_content_type_says(
    port: int, body: str, lines: list[int], kind: str | None
) -> None:
    made(port, id="one")

    response = post(port, "/one/stubs", body.encode(), headers={"content-type": kind} if kind else {})

    assert response.status == 201
    added = response.json()["added"]
    assert [(stub["id"], stub["file"], stub["line"]) for stub in added] == [
        (f"loaded#1.{place}", "sent 1", line) for place, line in enumerate(lines)
    ]
    assert added[0] == {"id": "loaded#1.0", "name": "mine", "file": "sent 1", "line": lines[0], "used": 0, "added": True}  # fmt: skip
    assert chat(port, "one").text == "Mine \U0001f600."
    assert [stub.get("name") for stub in stubs_of(port, "one")][-2:] == ["of the files", None]
    assert chat(port, "default").text == "Files."


def test_the_stub_that_a_miss_proposes_can_be_sent(port: int) -> None:
    made(port, id="one")
    message = chat(port, "one", 'say "what"').json()["error"]["message"]
    feed(port, "one", message.partition("add this one:\n")[2])

    assert chat(port, "one", 'say "what"').text == "..."


def test_what_is_sent_later_comes_behind_what_was_sent_before(port: int) -> None:
    for number in (1, 2):
        (added,) = feed(port, "default", {"times": 1, "reply": f"Answer {number}."})
        assert (added["id"], added["file"]) == (f"loaded#{number}.0", f"sent {number}")

    assert [chat(port, "default").text for _ in range(3)] == ["Answer 1.", "Answer 2.", "Files."]
    assert [stub["used"] for stub in stubs_of(port, "default")] == [1, 1, 1, 0]


def test_settings_that_are_sent_override_the_servers_in_this_session(port: int) -> None:
    made(port, id="one")
    made(port, id="other")
    feed(port, "one", {"version": 1, "gateway": {"version": "1.6", "providers": {"mine": {}}}, "stubs": ["Yes."]})
    feed(port, "one", {"version": 1, "gateway": {"fallbacks": {"mine/small": ["mine/large"]}}})

    assert [ask(port, "POST", f"/s/{id}{PATH}", b"{").status for id in ("one", "other")] == [500, 400]
    providers = [chat(port, id, model="mine/small").json()["extra_fields"]["provider"] for id in ("one", "other")]
    assert providers == ["mine", "openai"]


def test_a_seed_of_a_session_beats_that_of_what_is_sent(port: int) -> None:
    body = {"version": 1, "seed": 5, "stubs": [{"when": {"user": "words"}, "reply": {"faker": {"sentence": {}}}}]}
    for id, seed in (("one", 7), ("other", None)):
        made(port, id=id, seed=seed)
        feed(port, id, body)
    made(port, id="files", seed=7)

    said = [chat(port, id, "words").text for id in ("one", "files", "other")]
    assert said[0] == said[1] != said[2]


def test_what_is_wrong_is_all_told_and_nothing_is_added(port: int) -> None:
    made(port, id="one")
    body = "version: 1\ngateway: {version: '1.6'}\nstubs:\n  - Fine.\n  - {when: {usr: x}, reply: x}\n  - {eror: x}\n"

    message, found = findings(post(port, "/one/stubs", body.encode()))

    assert message == (
        "sent 1:5:13: stubs[1].when.usr: unknown key 'usr'; did you mean 'user'?\n"
        "sent 1:6:6: stubs[2].eror: unknown key 'eror'; did you mean 'error'?"
    )
    assert found == [
        {
            "file": "sent 1",
            "line": 5,
            "column": 13,
            "key_path": "stubs[1].when.usr",
            "message": "unknown key 'usr'",
            "hint": "did you mean 'user'?",
        },
        {
            "file": "sent 1",
            "line": 6,
            "column": 6,
            "key_path": "stubs[2].eror",
            "message": "unknown key 'eror'",
            "hint": "did you mean 'error'?",
        },
    ]
    assert ask(port, "GET", f"{SESSIONS}/one").json()["stubs"] == 2
    assert ask(port, "POST", f"/s/one{PATH}", b"{").status == 400
    assert feed(port, "one", "- Yes.")[0]["file"] == "sent 1"


def test_what_is_wrong_is_said_as_check_says_it(port: int, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from mockbifrost.cli import main

    body = 'version: 1\nstubs:\n  - {when: {usr: x}, reply: yes}\n  - {eror: x, name: "a"}\n  - 7\n'
    file = tmp_path / "bad.yaml"
    file.write_text(body)
    checked = CliRunner().invoke(main, ["check", str(file)]).stderr.splitlines()[:-1]

    message, found = findings(post(port, "/default/stubs", body.encode()))
    assert message.splitlines() == [line.replace(str(file), "sent 1") for line in checked]
    assert len(found) == len(checked) == 4


def test_settings_that_nobody_has_configured_are_refused_with_their_place(port: int) -> None:
    body = {"version": 1, "gateway": {"fallbacks": {"groq/a": ["groqq/b"]}}, "stubs": ["Yes."]}

    _message, (finding,) = findings(post(port, "/default/stubs", body))

    assert (finding["line"], finding["column"]) == (1, json.dumps(body).index('"groq/a"') + 1)
    assert finding["hint"] == "did you mean 'groq'?"
    assert len(stubs_of(port, "default")) == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "sent 1: is empty; send a stub, a list of stubs or a scenario"),
        (b"hello", "sent 1:1:1: must be a stub, a list of stubs or a scenario, got the text 'hello'"),
        (b"\xff", "sent 1:1:1: is not UTF-8: the byte 0xff can't be read; save the file as UTF-8"),
    ],
    ids=["empty", "text", "bytes"],
)
def test_what_is_no_stub_is_refused(port: int, body: bytes, message: str) -> None:
    assert findings(post(port, "/default/stubs", body))[0] == message


def test_a_body_that_nests_too_deep_is_refused(port: int) -> None:
    for body in (b"[" * 100_000, b"[" * 500 + b"]" * 500):
        message, (finding,) = findings(post(port, "/default/stubs", body))
        assert finding["message"] == "more than 100 lists and mappings stand inside one another"
        assert message.endswith(finding["message"])


def test_a_body_of_stubs_is_bounded(port: int) -> None:
    refused(post(port, "/default/stubs", b" " * (33 << 20)), 413, "too_large")


def test_stubs_added_at_run_time_are_removed_and_those_of_the_files_stay(port: int) -> None:
    once = {"when": {"user": "hello"}, "times": 1, "reply": "Once."}
    feed(port, "default", [once, "Else."])
    assert [chat(port, "default").text for _ in range(2)] == ["Once.", "Else."]

    removed = [ask(port, "DELETE", f"{SESSIONS}/default/stubs") for _ in range(2)]

    assert [(response.status, response.json()) for response in removed] == [
        (200, {"removed": 2}),
        (200, {"removed": 0}),
    ]
    assert [stub["used"] for stub in stubs_of(port, "default")] == [0, 0]
    assert chat(port, "default").text == "Files."
    feed(port, "default", once)
    assert [chat(port, "default").text for _ in range(2)] == ["Once.", "Files."]


def test_sessions_with_contradicting_stubs_are_asked_side_by_side(port: int) -> None:
    """Made, fed, asked and ended by a thread each, all at once: nobody hears the answer of another."""

    def live(number: int) -> list[str]:
        id = made(port)["id"]
        with Connection(port) as connection:
            for turn in range(3):
                body = json.dumps({"when": {"user": "hello"}, "times": 1, "reply": f"Number {number}.{turn}."})
                connection.ask("POST", f"{SESSIONS}/{id}/stubs", body.encode())
            said = [
                connection.ask("POST", f"/s/{id}{PATH}", chat_body("hello", stream=bool(turn % 2))).text
                for turn in range(4)
            ]
            assert connection.ask("DELETE", f"{SESSIONS}/{id}/stubs").json() == {"removed": 3}
            said.append(connection.ask("POST", f"/s/{id}{PATH}", chat_body("hello")).text)
            assert connection.ask("DELETE", f"{SESSIONS}/{id}").status == 200
        refused(chat(port, id), 400, "session_finished")
        return said

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(live, range(24)))

    assert told == [[*(f"Number {number}.{turn}." for turn in range(3)), "Files.", "Files."] for number in range(24)]
    assert ask(port, "GET", SESSIONS).json() == []


ROUTES = [
    ("POST", ""),
    ("GET", "/default"),
    ("DELETE", "/default"),
    ("GET", "/default/stubs"),
    ("POST", "/default/stubs"),
    ("DELETE", "/default/stubs"),
    ("GET", "/default/ledger"),
]


def test_on_an_open_address_these_routes_want_the_token(tmp_path: Path) -> None:
    env = {"MOCKBIFROST_CONTROL_TOKEN": "s3cret"}
    right = {"authorization": "Bearer s3cret"}
    with serving(tmp_path, SCENARIO, "--host", "0.0.0.0", "--speed", "0", env=env) as process:
        for method, path in ROUTES:
            refused(ask(process.port, method, SESSIONS + path, b"{}"), 401, "unauthorized")
        refused(ask(process.port, "GET", f"{ROOT}/openapi.json"), 401, "unauthorized")
        assert ask(process.port, "GET", SESSIONS, headers=right).json() == []
        assert post(process.port, "", {"id": "one"}, headers=right).status == 201
        assert post(process.port, "/one/stubs", STUB, headers=right).status == 201
        assert ask(process.port, "GET", f"{ROOT}/openapi.json", headers=right).status == 200
        assert chat(process.port, "one").text == STUB["reply"]


def test_on_an_open_address_these_routes_are_off_without_a_token(tmp_path: Path) -> None:
    with serving(tmp_path, SCENARIO, "--host", "0.0.0.0", "--speed", "0") as process:
        for method, path in ROUTES:
            refused(ask(process.port, method, SESSIONS + path, b"{}"), 403, "control_off")
        assert chat(process.port, "default").text == "Files."
