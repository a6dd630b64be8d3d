"""`mockbifrost drift`: what an upstream answers otherwise than was recorded, and how it exits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mockbifrost import MockBifrost
from mockbifrost.cassette.interaction import Interaction
from mockbifrost.cassette.writing import write_cassette
from mockbifrost.cli import main
from tests.harness import ask_in, chat, recorded, session_with

SCENARIO = """
version: 1
stubs:
  - {when: {user: hello}, reply: Hello.}
  - {when: {user: tools}, reply: {tool_calls: [{look: {}}]}}
"""


@pytest.fixture(scope="module")
def upstream() -> Iterator[MockBifrost]:
    """What is asked again."""
    with MockBifrost([SCENARIO], version="2.2", mock_headers=False) as server:
        yield server


def interaction(user: str, reply: object, *, stream: bool = False) -> Interaction:
    body = chat(user, model="openai/gpt-4o", stream=stream)
    return recorded(body, ask_in(session_with({"reply": reply}, version="2.2"), body), source="gateway")


def drift(folder: Path, url: str, *interactions: Interaction, options: tuple[str, ...] = ()) -> Result:
    write_cassette(folder / "tape.yaml", interactions)
    return CliRunner().invoke(main, ["drift", str(folder / "tape.yaml"), "--upstream", url, *options])


@pytest.mark.parametrize("stream", [False, True])
def test_other_words_are_no_drift(upstream: MockBifrost, tmp_path: Path, stream: bool) -> None:
    result = drift(tmp_path, upstream.base_url, interaction("hello", "Good day to you.", stream=stream))

    assert (result.exit_code, result.stdout) == (0, "1 interaction: nothing has drifted.\n")


def test_another_tool_is(upstream: MockBifrost, tmp_path: Path) -> None:
    result = drift(tmp_path, upstream.base_url, interaction("tools", {"tool_calls": [{"find": {}}]}))

    assert result.exit_code == 1
    assert "the tools called were find, now they are look" in result.stdout


def test_as_json_for_programs(upstream: MockBifrost, tmp_path: Path) -> None:
    rows = interaction("tools", {"tool_calls": [{"find": {}}]}), interaction("hello", "Hi.")
    result = drift(tmp_path, upstream.base_url, *rows, options=("--format", "json"))

    assert [[one["kind"] for one in row["drifted"]] for row in json.loads(result.stdout)] == [["tool"], []]


def test_the_least_that_fails_can_be_chosen(upstream: MockBifrost, tmp_path: Path) -> None:
    body = chat("hello", model="openai/gpt-4o")
    longer = session_with({"reply": {"content": "Hi.", "finish_reason": "length"}}, version="2.2")
    one = recorded(body, ask_in(longer, body), source="gateway")

    assert drift(tmp_path, upstream.base_url, one).exit_code == 0
    assert drift(tmp_path, upstream.base_url, one, options=("--fail-on", "warning")).exit_code == 1


def test_an_upstream_that_is_not_there_is_named(upstream: MockBifrost, tmp_path: Path) -> None:
    result = drift(tmp_path, "http://127.0.0.1:1", interaction("hello", "Hi."))

    assert result.exit_code == 1
    assert "no answer: http://127.0.0.1:1 refused the connection" in result.stdout


def test_the_key_comes_from_the_environment_and_is_not_shown(
    upstream: MockBifrost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOCKBIFROST_UPSTREAM_KEY", "sk-live-0123456789abcdef")
    with upstream.session(verify=False) as session:
        session.when(headers={"authorization": "Bearer sk-live-0123456789abcdef"}).reply("With the key.")
        result = drift(tmp_path, session.base_url, interaction("hello", "Hi."))
        assert session.last.stub is not None
        assert session.last.stub.file == __file__

    assert "sk-live" not in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["drift", "nowhere.yaml", "--upstream", "http://127.0.0.1:1"], 1, "nowhere.yaml"),
        (["drift", "nowhere.yaml"], 2, "--upstream"),
        (["drift", "nowhere.yaml", "--upstream", "http://user:secret@127.0.0.1"], 2, "MOCKBIFROST_UPSTREAM_KEY"),
        (["drift", "nowhere.yaml", "--upstream", "ftp://127.0.0.1"], 2, "can't be an upstream"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], code: int, says: str) -> None:
    result = CliRunner().invoke(main, arguments)

    assert result.exit_code == code
    assert says in result.stderr
    assert "secret" not in result.stderr
