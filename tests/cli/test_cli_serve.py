"""`mockbifrost serve`: flags, variables, and what it refuses. That it serves is tested over sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.socket.process import run, serving
from tests.socket.raw_http import PATH, ask, chat, chat_body

SCENARIO = """
version: 1
seed: 5
stubs:
  - {when: {user: hello}, pace: {ttft: 20s}, reply: "Hello."}
"""
FAST = ("--speed", "0")


def session_of(port: int) -> Any:
    return ask(port, "GET", "/__mockbifrost/sessions/default").json()


def test_bad_files_are_refused_with_all_findings(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("version: 1\nstubs:\n  - {reply: x, eror: y}\n  - {when: {usr: x}, reply: x}\n")

    done = run("serve", file, "--port", "0")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"{file}:3:16: stubs[0].eror: unknown key 'eror'; did you mean 'error'?\n"
        f"{file}:4:13: stubs[1].when.usr: unknown key 'usr'; did you mean 'user'?\n"
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = run("serve", tmp_path / "nowhere.yaml", "--port", "0")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path / 'nowhere.yaml'}: there is no such file or folder\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--port", "70000"), "70000 is not in the range 0<=x<=65535"),
        (("--port", "http"), "'http' is not a valid integer"),
        (("--speed", "-1"), "-1.0 is not in the range x>=0"),
        (("--clock", "slow"), "'slow' is not one of 'fixed', 'flow', 'real'"),
        (("--gateway-version", "3"), "'3' is not one of 'documented', '1.6', '2.2'"),
        (("--seed", "x"), "'x' is not a valid integer"),
        (("--prot", "1"), "No such option '--prot'"),
    ],
    ids=["port", "port as a word", "speed", "clock", "version", "seed", "misspelt"],
)
def test_wrong_flags_are_refused(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(SCENARIO)

    done = run("serve", file, *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("speed", ["nan", "inf"])
def test_a_speed_that_is_none_is_refused(tmp_path: Path, speed: str) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(SCENARIO)

    done = run("serve", file, "--port", "0", "--speed", speed)

    assert (done.returncode, done.stdout) == (2, "")


def test_help_shows_every_option_with_its_default() -> None:
    done = run("serve", "--help")

    assert (done.returncode, done.stderr) == (0, "")
    for option in (
        "--host",
        "--port",
        "--port-file",
        "--seed",
        "--speed",
        "--clock",
        "--gateway-version",
        "--no-mock-headers",
    ):
        assert f"  {option} " in done.stdout
    for default in ("127.0.0.1", "8080", "1.0", "flow"):
        assert f"default: {default}" in " ".join(done.stdout.split())


def test_variables_are_settings(tmp_path: Path) -> None:
    variables = {
        "MOCKBIFROST_SPEED": "0",
        "MOCKBIFROST_CLOCK": "fixed",
        "MOCKBIFROST_GATEWAY_VERSION": "1.6",
        "MOCKBIFROST_NO_MOCK_HEADERS": "1",
        "MOCKBIFROST_SEED": "9",
    }
    with serving(tmp_path, SCENARIO, env=variables, name="variables") as by_variables:
        answers = [chat(by_variables.port, "hello")]
        bad = ask(by_variables.port, "POST", PATH, b"{")
        clock = session_of(by_variables.port)["clock"]
    flags = ("--speed", "0", "--clock", "fixed", "--gateway-version", "1.6", "--no-mock-headers", "--seed", "9")
    with serving(tmp_path, SCENARIO, *flags, name="flags") as by_flags:
        answers.append(chat(by_flags.port, "hello"))

    assert (bad.status, clock) == (500, {"mode": "fixed", "elapsed_s": 0.0})
    assert answers[0].body == answers[1].body
    assert [name for name, _ in answers[0].headers if name.startswith("x-mockbifrost")] == []


def test_a_flag_beats_a_variable(tmp_path: Path) -> None:
    variables = {"MOCKBIFROST_GATEWAY_VERSION": "1.6", "MOCKBIFROST_PORT": "1"}
    with serving(tmp_path, SCENARIO, "--gateway-version", "2.2", "--port", "0", env=variables) as server:
        assert ask(server.port, "POST", PATH, b"{").status == 400


@pytest.mark.parametrize(("name", "value"), [("PORT", "http"), ("SPEED", "fast"), ("CLOCK", "slow")])
def test_a_wrong_variable_is_refused(tmp_path: Path, name: str, value: str) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(SCENARIO)

    done = run("serve", file, env={f"MOCKBIFROST_{name}": value})

    assert (done.returncode, done.stdout) == (2, "")
    assert value in done.stderr


def test_the_version_of_the_gateway_beats_the_files(tmp_path: Path) -> None:
    scenario = SCENARIO + 'gateway: {version: "2.2"}\n'
    with serving(tmp_path, scenario, *FAST, name="file") as of_file:
        assert ask(of_file.port, "POST", PATH, b"{").json()["extra_fields"] == {"routing_info": {}}
    with serving(tmp_path, scenario, *FAST, "--gateway-version", "documented", name="flag") as of_flag:
        assert ask(of_flag.port, "POST", PATH, b"{").json()["extra_fields"] == {}


def test_the_clock_flows_unless_told(tmp_path: Path) -> None:
    with serving(tmp_path, SCENARIO, *FAST) as server:
        chat(server.port, "hello")
        first, second = (session_of(server.port)["clock"] for _ in range(2))

    assert first["mode"] == "flow"
    assert 0 < first["elapsed_s"] < second["elapsed_s"]


def test_what_nothing_answers_is_said_on_stderr(tmp_path: Path) -> None:
    with serving(tmp_path, SCENARIO, *FAST) as server:
        answer = ask(server.port, "POST", PATH, chat_body("unheard of"))
        server.end()

        assert server.stderr() == answer.json()["error"]["message"] + "\n"


def test_a_name_that_resolves_is_fine(tmp_path: Path) -> None:
    with serving(tmp_path, SCENARIO, *FAST, "--host", "localhost") as server:
        assert chat(server.port, "hello").text == "Hello."
