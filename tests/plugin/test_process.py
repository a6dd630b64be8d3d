"""A server in a process of its own: started, asked, stopped, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mockbifrost import MockBifrostProcess, ServerStartError, SessionFinishedError, UsageError
from mockbifrost.api import process as module
from mockbifrost.serve.upstream_settings import UpstreamSettings
from tests.plugin.saying import say
from tests.socket.process import environment
from tests.socket.raw_http import PATH, ask, chat_body, until

FILES = "version: 1\nseed: 3\nstubs: [{name: of the files, when: {user: hello}, reply: Files.}]\n"


def is_gone(pid: int) -> bool:
    """Whether nothing runs any more under this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"


def test_it_serves_and_is_gone_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "more.yaml"
    file.write_text("version: 1\nstubs: [{when: {user: more}, reply: More.}]\n", encoding="utf-8")
    with MockBifrostProcess([FILES, file]) as server:
        pid = server.pid
        assert pid != os.getpid()
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert ask(server.port, "POST", PATH, chat_body("hello")).text == "Files."
        with server.session(verify=False) as mock:
            mock.when(user="mine").reply("Mine.")
            assert [say(mock, said).text for said in ("hello", "more", "mine")] == ["Files.", "More.", "Mine."]
            assert mock.clock.mode == "fixed"
            say(mock, "unheard of")
            assert mock.last.error == "no_match"
            until(lambda: "'unheard of'" in server.output, "the server's complaint is read")
        left = server.open_session()

    assert is_gone(pid)
    server.stop()
    with pytest.raises(UsageError, match="this MockBifrostProcess is not running"):
        server.url  # noqa: B018
    with pytest.raises(SessionFinishedError):
        left.requests  # noqa: B018


def test_without_scenarios_nothing_is_answered_that_no_stub_answers() -> None:
    with MockBifrostProcess() as server, server.session(verify=False) as mock:
        assert say(mock).json()["error"]["code"] == "no_match"


def test_it_can_be_started_again() -> None:
    server = MockBifrostProcess(FILES)
    with server:
        first = server.pid
        with pytest.raises(UsageError, match="is running already"):
            server.start()
        assert server.pid == first
    with server:
        assert server.pid != first
        assert ask(server.port, "POST", PATH, chat_body("hello")).status == 200


def test_what_keeps_it_from_starting_is_told() -> None:
    with MockBifrostProcess() as server, pytest.raises(ServerStartError) as error:
        MockBifrostProcess(port=server.port).start()
    assert str(error.value).startswith(
        f"The server's process ended with 2:\nPort {server_port(error)} of 127.0.0.1 is taken"
    )

    with pytest.raises(ServerStartError, match=r"ended with 1:\n.*:2:10: stubs\[0\]\.rply: unknown key 'rply'"):
        MockBifrostProcess("version: 1\nstubs: [{rply: 1}]\n").start()


def server_port(error: pytest.ExceptionInfo[ServerStartError]) -> str:
    """The port that a message names."""
    return str(error.value).partition("Port ")[2].partition(" ")[0]


def test_silence_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Something that looks like Python but never says anything."""
    silent = tmp_path / "python"
    silent.write_text('#!/bin/sh\necho $$ > "$0.pid"\nexec sleep 600\n', encoding="utf-8")
    silent.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(silent))
    monkeypatch.setattr(module, "START_TIMEOUT_S", 0.5)
    monkeypatch.setattr(module, "STOP_TIMEOUT_S", 0.1)

    with pytest.raises(ServerStartError, match=r"did not say within 0\.5 s that it serves"):
        MockBifrostProcess().start()
    pid = int(Path(f"{silent}.pid").read_text(encoding="utf-8"))
    assert is_gone(pid)


def test_its_settings_are_those_that_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOCKBIFROST_LENIENT", "1")
    monkeypatch.setenv("MOCKBIFROST_SPEED", "7")
    with MockBifrostProcess(
        FILES,
        host="localhost",
        seed=7,
        clock="flow",
        version="1.6",
        mock_headers=False,
        exact=True,
        ignore=["user", "/x/"],
    ) as server:
        answer = ask(server.port, "POST", PATH, chat_body("hello"))
        with server.session(verify=False) as mock:
            assert mock.clock.mode == "flow"
            assert say(mock, "unheard of").status == 400
            assert ask(server.port, "POST", f"/s/{mock.id}{PATH}", b"{").status == 500
    with MockBifrostProcess(FILES, seed=3, lenient=True) as other:
        assert other.port
        assert ask(other.port, "POST", PATH, chat_body("unheard of")).status == 200
        said = ask(other.port, "POST", PATH, chat_body("hello"))

    assert answer.header("x-mockbifrost-session") is None
    assert said.header("x-mockbifrost-session") == "default"
    assert answer.json()["id"] != said.json()["id"]


def test_its_upstream_is_asked_and_recorded(tmp_path: Path) -> None:
    tape = tmp_path / "tape.yaml"
    with MockBifrostProcess(FILES) as upstream:
        settings = UpstreamSettings(f"{upstream.base_url}/chat/completions", "gateway", timeout_s=20.0)
        with MockBifrostProcess(upstream=settings, record_mode="once", cassette=tape) as server:
            assert ask(server.port, "POST", PATH, chat_body("hello")).text == "Files."
    with MockBifrostProcess(tape) as player:
        assert ask(player.port, "POST", PATH, chat_body("hello")).text == "Files."


def test_on_an_open_address_sessions_want_a_token() -> None:
    with MockBifrostProcess(FILES, host="0.0.0.0", token="s3cret") as server, server.session() as mock:
        assert say(mock).text == "Files."


PARENT = """
import os, signal, sys
from mockbifrost import MockBifrostProcess

server = MockBifrostProcess().start()
print(server.pid, flush=True)
if sys.argv[1] == "dies":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("how", ["ends", "dies"])
def test_it_never_outlives_who_started_it(how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARENT, how], capture_output=True, text=True, timeout=60, env=environment()
    )

    assert (done.returncode, done.stderr) == (0 if how == "ends" else -signal.SIGKILL, "")
    until(lambda: is_gone(int(done.stdout)), "the server's process ends")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_does_not_stop_it() -> None:
    with MockBifrostProcess(FILES) as server:
        child = os.fork()
        if not child:
            try:
                server.stop()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert ask(server.port, "POST", PATH, chat_body("hello")).status == 200
