"""`mockbifrost record` and `serve --upstream` as processes: what they print, refuse, and leave behind when they are killed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mockbifrost import MockBifrost
from mockbifrost.cassette.format import read_cassette
from tests.socket.process import COMMAND, environment, run, serving
from tests.socket.raw_http import DEADLINE_S, chat

SCENARIO = 'version: 1\nstubs:\n  - {when: {user: bad}, error: {status: 500}}\n  - {reply: "Once upon a time."}\n'


@pytest.fixture(scope="module")
def other() -> Iterator[MockBifrost]:
    """A gateway to record."""
    with MockBifrost([SCENARIO]) as server:
        yield server


@dataclass(frozen=True, slots=True)
class Recording:
    """A running `mockbifrost record`."""

    process: subprocess.Popen[str]
    port: int

    def end(self) -> tuple[int, list[str]]:
        """Stop it as Ctrl-C does; its exit code, and all that it has printed since it began to listen."""
        self.process.terminate()
        said, _none = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, said.splitlines()


@contextmanager
def recording(*options: str | Path, **env: str) -> Iterator[Recording]:
    """`mockbifrost record` on a free port."""
    command = [*COMMAND, "record", *map(str, options)]
    settings = environment(MOCKBIFROST_PORT="0", **env)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=settings)
    try:
        assert process.stdout is not None
        port = 0
        for line in process.stdout:
            if "journal" in line:
                port = int(line.split("127.0.0.1:")[1].split("/")[0])
                break
        assert port, "it did not start"
        yield Recording(process, port)
    finally:
        process.kill()
        process.communicate()


def test_each_interaction_is_a_line_and_the_end_sums_up(other: MockBifrost, tmp_path: Path) -> None:
    file = tmp_path / "demo.yaml"
    with recording("--upstream", other.url, "--cassette", file) as running:
        chat(running.port, "hi", model="openai/gpt-4o")
        chat(
            running.port, "hi", model="openai/gpt-4o", stream=True, headers={"authorization": "Bearer sk-" + "a1" * 20}
        )
        chat(running.port, "bad")
        code, said = running.end()

    first, second, third, *summary = said
    assert code == 0
    assert first.startswith("#1 POST openai/gpt-4o plain 200, ")
    assert second.startswith("#2 POST openai/gpt-4o stream 200, ")
    assert second.endswith(" s")
    assert third.startswith("POST gpt-4o plain 500, ")
    assert third.endswith(" (quarantined)")
    assert summary[0] == f"2 recorded into {file}"
    assert summary[1] == f"1 ended badly and went to {tmp_path / 'demo.errors.yaml'}"
    assert summary[2].startswith("redacted: ")
    assert "header authorization" in summary[2]
    assert len(read_cassette(file).interactions) == 2


def test_what_was_finished_survives_being_killed(other: MockBifrost, tmp_path: Path) -> None:
    file = tmp_path / "demo.yaml"
    with recording("--upstream", other.url, "--cassette", file) as running:
        for number in range(12):
            chat(running.port, f"question {number}", stream=number % 2 == 0)
        running.process.kill()
        running.process.wait(DEADLINE_S)

    assert len(read_cassette(file).interactions) == 12


def test_options_may_stand_in_the_environment(other: MockBifrost, tmp_path: Path) -> None:
    file = tmp_path / "demo.yaml"
    with recording(MOCKBIFROST_UPSTREAM=other.url, MOCKBIFROST_CASSETTE=str(file)) as running:
        chat(running.port, "hi")

    assert len(read_cassette(file).interactions) == 1


def test_a_file_that_holds_something_is_only_played_in_mode_once(other: MockBifrost, tmp_path: Path) -> None:
    file = tmp_path / "demo.yaml"
    options = ("--upstream", other.url, "--cassette", file, "--record-mode", "once")
    with recording(*options) as running:
        chat(running.port, "hi")
        running.end()
    with recording(*options) as running:
        assert chat(running.port, "hi").text == "Once upon a time."
        assert chat(running.port, "something new").header("x-mockbifrost-error") == "no_match"


def test_serve_forwards_what_no_stub_answers(other: MockBifrost, tmp_path: Path) -> None:
    own = 'version: 1\nstubs:\n  - {when: {user: hello}, reply: "Mine."}\n'
    file = tmp_path / "new.yaml"
    options = ("--upstream", other.url, "--record-mode", "new_episodes", "--cassette", str(file))
    with serving(tmp_path, own, *options) as server:
        assert chat(server.port, "hello").text == "Mine."
        assert chat(server.port, "what else").text == "Once upon a time."
        assert server.end() == 0

    assert len(read_cassette(file).interactions) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--upstream", "http://u:p@host", "--cassette", "x.yaml"), 2, "MOCKBIFROST_UPSTREAM_KEY"),
        (("--upstream", "nowhere", "--cassette", "x.yaml"), 2, "can't be an upstream"),
        (("--upstream", "http://x", "--cassette", "/dev/null/x"), 2, "can't be written: not a directory"),
        (("--upstream", "http://x", "--cassette", "x", "--host", "0.0.0.0"), 2, "--record-on-any-address"),
        (("--upstream", "http://x", "--cassette", "x", "--redact", "("), 2, "is no regular expression"),
        (("--upstream", "http://x"), 2, "Missing option '--cassette'"),
        (("--upstream", "http://x", "--cassette", __file__), 1, __file__),
    ],
    ids=["credentials", "no address", "no place", "any address", "pattern", "no file", "no cassette"],
)
def test_what_cant_work_is_refused_before_it_listens(arguments: tuple[str, ...], code: int, said: str) -> None:
    done = run("record", *arguments, "--port", "0")

    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert ":p@" not in done.stderr
