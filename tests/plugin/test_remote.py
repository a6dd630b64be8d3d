"""A server elsewhere, held from here: what is sent along, what its errors become, and many processes at one server."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mockbifrost import (
    MockBifrost,
    RemoteBifrost,
    ScenarioError,
    Session,
    SessionFinishedError,
    UsageError,
    VerificationError,
    connect,
)
from mockbifrost.api.remote import RemoteLink
from mockbifrost.errors import CassetteError
from tests.inside import port_of
from tests.plugin.saying import say
from tests.socket.process import ROOT, environment, serving
from tests.socket.raw_http import PATH, ask

CASSETTES = ROOT / "cassettes"


@pytest.fixture(scope="module")
def running() -> Iterator[MockBifrost]:
    with MockBifrost() as server:
        yield server


@pytest.fixture
def remote(running: MockBifrost) -> Iterator[RemoteBifrost]:
    with connect(running.url) as server:
        yield server


@pytest.fixture
def mock(remote: RemoteBifrost) -> Iterator[Session]:
    with remote.session(verify=False) as session:
        yield session


def asked(cassette: Path) -> bytes:
    """What the first interaction of a cassette asks."""
    import yaml

    body = yaml.safe_load(cassette.read_text(encoding="utf-8"))["interactions"][0]["request"]["body"]
    return body.encode() if isinstance(body, str) else bytes(body)


def replay(mock: Session, cassette: Path, **more: Any) -> int:
    """The status of the answer to what was recorded, with more in its body."""
    body = json.dumps({**json.loads(asked(cassette)), **more}).encode()
    return ask(port_of(mock), "POST", f"/s/{mock.id}{PATH}", body).status


@pytest.mark.parametrize("end", ["", "/", "/pydanticai/v1", "/pydanticai/v1/"])
def test_the_address_may_be_the_base_url_of_clients(running: MockBifrost, end: str) -> None:
    with connect(running.url + end) as remote:
        assert (remote.url, remote.base_url, remote.port) == (running.url, running.base_url, running.port)
        with remote.session() as mock:
            assert mock.base_url == f"{running.url}/s/{mock.id}/pydanticai/v1"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8080",
        "",
        "ftp://host",
        "http://",
        "http://user:pw@host",
        "http://host:x",
        "http://h?a=b",
        "http://[1",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError, match=r"; give it as http://HOST:PORT$|: give it as http://HOST:PORT$"):
        connect(url)


def test_an_address_where_nothing_listens() -> None:
    with MockBifrost() as server:
        url = server.url

    with pytest.raises(UsageError) as error:
        connect(url)
    assert str(error.value).startswith(f"the server at {url} can't be reached: ")
    assert str(error.value).endswith("; start it with `mockbifrost serve`, or give the address where it runs")


class Another(BaseHTTPRequestHandler):
    """A server that is none of ours."""

    def do_GET(self) -> None:
        body = {"/a": b"<html>", "/b": b"[]", "/c": b"{}", "/d": b'{"error": "no"}'}[self.path[:2]]
        self.send_response(404 if self.path.startswith("/d") else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is to be seen."""


@pytest.mark.parametrize("path", ["/a", "/b", "/c", "/d"])
def test_an_address_where_something_else_listens(path: str) -> None:
    other = HTTPServer(("127.0.0.1", 0), Another)
    thread = threading.Thread(target=other.serve_forever)
    thread.start()
    try:
        with pytest.raises(UsageError, match=r" is no mockbifrost: it answers GET /__mockbifrost/version with "):
            connect(f"http://127.0.0.1:{other.server_port}{path}")
    finally:
        other.shutdown()
        thread.join()
        other.server_close()


def test_proxies_of_the_environment_are_left_alone(running: MockBifrost, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    with connect(running.url) as remote:
        assert remote.version


def test_a_session_that_is_in_use_is_refused(remote: RemoteBifrost) -> None:
    with remote.session("taken"), pytest.raises(UsageError) as error:
        remote.open_session("taken")
    assert str(error.value) == "session 'taken' is in use already; leave out the id, and a new one is made"


def test_a_session_that_the_server_has_finished(running: MockBifrost, mock: Session) -> None:
    mock.when(user="hello").reply("x")
    running.run(lambda: running._running().sessions.finish(mock.id))

    for use in (lambda: mock.requests, mock.verify, lambda: mock.when().reply("x"), mock.reset, lambda: mock.stubs):
        with pytest.raises(
            SessionFinishedError, match=f"has no such session any more: There is no session '{mock.id}'"
        ):
            use()
    mock.finish()


def test_a_session_of_a_server_that_has_gone() -> None:
    with MockBifrost() as server:
        remote = connect(server.url)
        mock = remote.open_session()

    with pytest.raises(UsageError, match="can't be reached"):
        mock.requests  # noqa: B018
    remote.close()
    with pytest.raises(SessionFinishedError):
        mock.requests  # noqa: B018


def test_closing_ends_the_sessions_that_are_open_and_no_others(running: MockBifrost) -> None:
    remote = connect(running.url)
    mine, ended = remote.open_session(), remote.open_session()
    ended.finish()
    with running.session() as other:
        remote.close()
        remote.close()
        left = running.run(lambda: [one.id for one in running._running().sessions])
        assert other.id in left
        assert not {mine.id, ended.id} & set(left)
        assert say(mine).json()["error"]["code"] == "session_finished"


def test_verification_fails_with_the_same_text(running: MockBifrost, mock: Session) -> None:
    mock.when(user="never").reply("x")
    say(mock, "unheard of")

    with pytest.raises(VerificationError) as error:
        mock.verify()
    assert f"{__file__}:" in str(error.value)
    assert "was never used" in str(error.value)
    assert "'unheard of'" in str(error.value)


def test_keys_of_requests_are_not_seen_from_afar(mock: Session) -> None:
    mock.when().reply("Yes.")
    say(mock, headers={"authorization": "Bearer sk-secret1234"})

    assert mock.last.headers["authorization"] == "[redacted]"
    assert (mock.last.status, mock.last.response and mock.last.response.body["object"]) == (200, "chat.completion")


def test_a_cassette_of_this_side_is_played(mock: Session) -> None:
    before = replay(mock, CASSETTES / "plain.yaml")
    mock.load(CASSETTES / "plain.yaml")

    assert (before, replay(mock, CASSETTES / "plain.yaml")) == (400, 200)
    assert mock.last.stub is not None
    assert mock.last.stub.file == str(CASSETTES / "plain.yaml")


def test_recordings_are_found_as_the_server_was_told() -> None:
    cassette = CASSETTES / "plain.yaml"
    with MockBifrost(ignore=["user"]) as server, connect(server.url) as remote, remote.session(verify=False) as mock:
        mock.load(cassette)

        assert [replay(mock, cassette, user="someone"), replay(mock, cassette, model="another")] == [200, 400]


def test_a_cassette_that_is_none(mock: Session, tmp_path: Path) -> None:
    file = tmp_path / "tape.yaml"
    file.write_text("version: 1\ninteractions: 7\n", encoding="utf-8")

    with pytest.raises(CassetteError) as error:
        mock.load(file)
    assert error.value.findings[0].source == str(file)
    assert str(error.value).startswith(f"{file}: interactions: `interactions` must be a list")


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A cassette that the server does not have: it is gone when it is played."""
    return Path(shutil.copy(CASSETTES / "plain.yaml", tmp_path / "tape.yaml"))


def test_a_stub_replays_a_cassette_of_this_side(mock: Session, tape: Path) -> None:
    stub = mock.when(user="hi").replay(tape, 1)
    tape.unlink()
    stub.times(1)

    assert [say(mock, "hi").status for _ in range(2)] == [200, 400]
    with pytest.raises(ScenarioError, match=r"nowhere\.yaml: can't be read: no such file"):
        mock.when(user="hi").replay(tape.with_name("nowhere.yaml"))


def test_a_scenarios_stubs_replay_cassettes_of_this_side(mock: Session, tape: Path) -> None:
    scenario = tape.with_name("refund.yaml")
    scenario.write_text(
        "version: 1\nstubs:\n"
        "  - {when: {user: hi}, sequence: [{replay: {cassette: tape.yaml, interaction: 1}}, {reply: Then.}]}\n"
        "  - {when: {user: bye}, replay: {cassette: tape.yaml, interaction: 1}}\n",
        encoding="utf-8",
    )
    mock.load(scenario)
    mock.load({"version": 1, "stubs": [{"when": {"user": "abs"}, "replay": {"cassette": str(tape), "interaction": 1}}]})
    tape.unlink()
    scenario.unlink()

    assert [say(mock, said).status for said in ("hi", "bye", "abs")] == [200, 200, 200]
    assert say(mock, "hi").text == "Then."


def test_a_word_of_replay_that_names_no_file_is_sent_as_it_is(mock: Session) -> None:
    mock.load({"version": 1, "stubs": [{"when": {"user": "hi"}, "reply": {"body": {"replay": "nothing", "a": [1]}}}]})

    assert say(mock, "hi").status == 200


def test_what_is_too_large_to_send_is_refused(mock: Session, tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text("version: 1\nstubs: []\n" + "# much\n" * 5_000_000, encoding="utf-8")

    with pytest.raises(UsageError, match=r"^The body is larger than "):
        mock.load(file)


@pytest.mark.parametrize("text", ["version: 1\nstubs: ['\ud800']\n"])
def test_a_text_that_is_none(mock: Session, text: str) -> None:
    with pytest.raises(ScenarioError):
        mock.load(text)


def test_a_folder_is_loaded_whole_or_not_at_all(mock: Session, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 1\nstubs: [Yes.]\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_bytes(b"\xff")
    with pytest.raises(ScenarioError, match=r"b\.yaml:1:1: is not UTF-8"):
        mock.load(tmp_path)
    assert list(mock.stubs) == []
    shutil.copy(CASSETTES / "plain.yaml", tmp_path / "b.yaml")
    mock.load(tmp_path)

    assert [stub.file for stub in mock.stubs] == [str(tmp_path / "a.yaml")]


def test_values_of_python_arrive_as_they_are_here(mock: Session) -> None:
    class Text(str):
        __slots__ = ()

    mock.when(user=Text("hi")).reply(message={Text("a"): (1, 2.5, Text("é\U0001f600"))}, content="x")

    assert say(mock, "hi").json()["choices"][0]["message"]["a"] == [1, 2.5, "é\U0001f600"]


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", float("nan"), 2**70, "\ud800"])
def test_what_no_stub_can_hold_is_refused_at_its_line(mock: Session, value: Any) -> None:
    with pytest.raises(ScenarioError) as error:
        mock.when(user="hi").reply(message={"a": value})
    assert error.value.findings[0].source == __file__
    assert list(mock.stubs) == []


TOKEN = "s3cret"


def test_on_an_open_address_the_token_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = "version: 1\nstubs: []\n"
    with serving(tmp_path, scenario, "--host", "0.0.0.0", env={"MOCKBIFROST_CONTROL_TOKEN": TOKEN}) as process:
        url = f"http://127.0.0.1:{process.port}"
        for token in (None, "wrong"):
            with connect(url, token) as remote, pytest.raises(UsageError, match=r"wants `Authorization: Bearer"):
                remote.open_session()
        with connect(url, TOKEN) as remote, remote.session() as mock:
            mock.when(user="hi").reply("Hi.")
            assert say(mock, "hi").text == "Hi."
        monkeypatch.setenv("MOCKBIFROST_CONTROL_TOKEN", TOKEN)
        with connect(url) as remote, remote.session():
            pass


def _in_a_fork(mock: Session, parents: Any, answers: Any) -> None:
    answers.put((len(mock.requests), [stub.used for stub in mock.stubs], client_of(mock) is parents))


def client_of(mock: Session) -> Any:
    """What holds the connections."""
    link = mock._reached
    assert isinstance(link, RemoteLink)
    return link._control._client


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_has_connections_of_its_own(remote: RemoteBifrost, mock: Session) -> None:
    mock.when(user="hi").reply("Hi.")
    say(mock, "hi")
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_in_a_fork, args=(mock, client_of(mock), answers))
    child.start()
    found = answers.get(timeout=20)
    child.join(20)

    assert (found, child.exitcode) == ((1, [1], False), 0)
    assert len(mock.requests) == 1


WORKER = """
import sys
from openai_free import chat
from mockbifrost import connect

url, name = sys.argv[1:]
with connect(url) as server:
    for turn in range(10):
        with server.session() as mock:
            mock.when(user="the same prompt").reply(f"{name} {turn}").times(3)
            said = [chat(mock.base_url, "the same prompt") for _ in range(3)]
            assert said == [f"{name} {turn}"] * 3, said
            assert [request.session for request in mock.requests] == [mock.id] * 3
            print(mock.id)
"""
CHAT = """
import json
from urllib.request import ProxyHandler, Request, build_opener

def chat(base_url, said):
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": said}]}).encode()
    request = Request(base_url + "/chat/completions", body, {"content-type": "application/json"})
    with build_opener(ProxyHandler({})).open(request, timeout=20) as answer:
        return json.load(answer)["choices"][0]["message"]["content"]
"""


def test_four_processes_share_a_server_and_no_session(running: MockBifrost, tmp_path: Path) -> None:
    (tmp_path / "openai_free.py").write_text(CHAT, encoding="utf-8")
    (tmp_path / "worker.py").write_text(WORKER, encoding="utf-8")
    workers = [
        subprocess.Popen(
            [sys.executable, str(tmp_path / "worker.py"), running.url, f"worker {number}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for number in range(4)
    ]
    done = [(worker.communicate(timeout=60), worker.returncode) for worker in workers]

    assert [(errors, code) for (_output, errors), code in done] == [("", 0)] * 4
    ids = [id for (output, _errors), _code in done for id in output.split()]
    assert len(ids) == len(set(ids)) == 40
    assert json.loads(ask(running.port, "GET", "/__mockbifrost/sessions").body) == []
