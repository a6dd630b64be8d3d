"""`mockbifrost check`: what it says about good and bad files, and how it exits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mockbifrost import __version__
from mockbifrost.cli import main

GOOD = "version: 1\nstubs:\n  - {when: {user: hello}, reply: Hello.}\n  - Good bye.\n"
BAD = "version: 1\nstubs:\n  - {when: {usr: hello}, reply: Hello.}\n  - {reply: x, eror: y}\n"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MOCKBIFROST_")]:
        monkeypatch.delenv(name)


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", *arguments])


def outcome(result: Result) -> tuple[int, str, str]:
    return result.exit_code, result.stdout, result.stderr


def test_a_good_file() -> None:
    Path("good.yaml").write_text(GOOD)

    assert outcome(check("good.yaml")) == (0, "1 file, 2 stubs: all usable.\n", "")


def test_a_folder_and_a_file() -> None:
    Path("some/inner").mkdir(parents=True)
    for name in ("some/a.yaml", "some/inner/b.yml", "good.yaml"):
        Path(name).write_text(f"version: 1\nstubs:\n  - {{when: {{user: {name}}}, reply: x}}\n")
    Path("some/notes.txt").write_text("no scenario")

    assert outcome(check("some", "good.yaml", "some/a.yaml")) == (0, "3 files, 3 stubs: all usable.\n", "")


def test_all_findings_at_once_each_with_its_place() -> None:
    Path("bad.yaml").write_text(BAD)
    Path("worse.yaml").write_text("version: 2\n")

    assert outcome(check("bad.yaml", "worse.yaml")) == (
        1,
        "",
        "bad.yaml:3:13: stubs[0].when.usr: unknown key 'usr'; did you mean 'user'?\n"
        "bad.yaml:4:16: stubs[1].eror: unknown key 'eror'; did you mean 'error'?\n"
        "worse.yaml:1:10: version: this release reads version 1 of the language, got the number 2\n"
        "3 findings.\n",
    )


def test_one_finding_is_counted_as_one() -> None:
    Path("bad.yaml").write_text("stubs: []\n")

    result = check("bad.yaml")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (1, "1 finding.")


def test_a_file_that_is_not_there() -> None:
    Path("greeting.yaml").write_text(GOOD)

    assert outcome(check("greetings.yaml")) == (
        1,
        "",
        "greetings.yaml: there is no such file or folder; did you mean 'greeting.yaml'?\n1 finding.\n",
    )


def test_files_that_contradict_each_other() -> None:
    for version in ("1.6", "2.2"):
        Path(f"v{version}.yaml").write_text(f'version: 1\ngateway: {{version: "{version}"}}\nstubs: []\n')

    result = check("v1.6.yaml", "v2.2.yaml")
    assert result.exit_code == 1
    assert "v1.6.yaml" in result.stderr
    assert "v2.2.yaml" in result.stderr


def test_nothing_to_check_is_wrong_usage() -> None:
    result = check()

    assert result.exit_code == 2
    assert "Missing argument" in result.stderr


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_the_commands(option: str) -> None:
    result = CliRunner().invoke(main, [option])

    assert (result.exit_code, result.stderr) == (0, "")
    assert "Usage: " in result.stdout
    for command in ("check", "serve"):
        assert f"  {command} " in result.stdout


def test_the_version() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout == f"mockbifrost, version {__version__}\n"


def test_help_of_a_command_says_how_it_exits() -> None:
    help = " ".join(check("-h").stdout.split())

    assert "Exit 0: " in help
    assert "1: findings, one a line; 2: wrong usage." in help


def test_an_unknown_command() -> None:
    result = CliRunner().invoke(main, ["serv"])

    assert result.exit_code == 2
    assert "No such command 'serv'" in result.stderr
