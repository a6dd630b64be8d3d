"""`mockbifrost check --format`: the same findings for people, programs and pull requests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mockbifrost.cli import main
from mockbifrost.cli.check import as_command
from mockbifrost.errors import Finding

SHADOWED = "version: 1\nstubs:\n  - {name: all, reply: x}\n  - {when: {user: a}, reply: y}\n"
SAID = 'never answers: "all" (a.yaml:3) is asked before it, fits whatever this one fits, and has no limit'
HINT = "move this one up, narrow the `when` of the other, or give that `times`"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(SHADOWED)
    Path("good.yaml").write_text("version: 1\nstubs: [Hello.]\n")


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", *arguments])


def outcome(result: Result) -> tuple[int, str, str]:
    return result.exit_code, result.stdout, result.stderr


def test_a_warning_as_text() -> None:
    assert outcome(check("a.yaml")) == (1, "", f"a.yaml:4:5: warning: stubs[1]: {SAID}; {HINT}\n1 finding.\n")


def test_findings_as_json() -> None:
    code, said, errors = outcome(check("--format", "json", "a.yaml"))

    assert (code, errors) == (1, "")
    assert json.loads(said) == [
        {
            "severity": "warning",
            "file": "a.yaml",
            "line": 4,
            "column": 5,
            "path": "stubs[1]",
            "message": SAID,
            "hint": HINT,
        }
    ]


def test_findings_as_commands_of_github() -> None:
    command = f"::warning file=a.yaml,line=4,col=5::stubs[1]: {SAID}; {HINT}"

    assert outcome(check("--format", "github", "a.yaml")) == (1, f"{command}\n", "1 finding.\n")


@pytest.mark.parametrize(
    ("form", "said"),
    [("text", "1 file, 1 stubs: all usable.\n"), ("json", "[]\n"), ("github", "1 file, 1 stubs: all usable.\n")],
)
def test_nothing_found(form: str, said: str) -> None:
    assert outcome(check("--format", form, "good.yaml")) == (0, said, "")


@pytest.mark.parametrize("form", ["json", "github"])
def test_files_that_do_not_load_are_findings_too(form: str) -> None:
    code, said, _errors = outcome(check("--format", form, "nowhere.yaml"))

    assert code == 1
    assert "there is no such file or folder" in said


def test_an_unknown_format_is_wrong_usage() -> None:
    assert check("--format", "xml", "a.yaml").exit_code == 2


def test_what_would_end_a_command_of_github_is_escaped() -> None:
    assert as_command(Finding("a,b:c.yaml", 0, 0, "", "50%\nmore")) == "::error file=a%2Cb%3Ac.yaml::50%25%0Amore"
