"""`mockbifrost explain`: who answers a request, a stub or a recording, and how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mockbifrost.cassette.writing import write_cassette
from mockbifrost.cli import main
from tests.harness import cassette_of, chat, provider_response

SCENARIO = "version: 1\nstubs: [{name: greeting, when: {user: hello}, reply: Hello.}]\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a scenario and a cassette."""
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    recorded = (chat("story", metadata={"run": "1"}), provider_response({"choices": []}))
    write_cassette(tmp_path / "tape.yaml", cassette_of(recorded).interactions)
    return tmp_path


def explain(folder: Path, body: object, *options: str) -> Result:
    (folder / "request.json").write_text(json.dumps(body))
    return CliRunner().invoke(main, ["explain", str(folder), str(folder / "request.json"), *options])


def test_a_stub_answers(files: Path) -> None:
    result = explain(files, chat("hello"))

    assert (result.exit_code, result.stdout) == (0, f'Answered by "greeting" ({files}/scenario.yaml:2).\n')


def test_a_recording_answers(files: Path) -> None:
    result = explain(files, chat("story", metadata={"run": "1"}))

    assert result.exit_code == 0
    assert result.stdout.startswith(f'Answered by the recording "tape.yaml#1" ({files}/tape.yaml:3).')


def test_nothing_answers_and_it_says_what_differs(files: Path) -> None:
    result = explain(files, chat("story", metadata={"run": "2"}))

    assert result.exit_code == 1
    assert "metadata.run  wanted '1'  got '2'" in result.stdout


def test_matching_is_told_as_for_serve(files: Path) -> None:
    assert explain(files, chat("story", metadata={"run": "2"}), "--ignore", "metadata").exit_code == 0
    assert explain(files, chat("story", metadata={"run": "1"}, stream=True)).exit_code == 0
    assert explain(files, chat("story", metadata={"run": "1"}, stream=True), "--exact").exit_code == 1


def test_what_can_not_be_ignored_is_wrong_usage(files: Path) -> None:
    result = explain(files, chat("story"), "--ignore", "messages[")

    assert result.exit_code == 2
    assert "can't be ignored" in result.stderr
