"""`mockbifrost convert`: what it reads, what it writes, how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from mockbifrost.cassette.format import read_cassette
from mockbifrost.cassette.interaction import Interaction
from mockbifrost.cassette.writing import write_cassette
from mockbifrost.cli import main
from mockbifrost.scenario.load import load_scenario
from tests.recorded import cassette, interaction, said

FIXTURES = json.dumps({"fixtures": [{"match": {"userMessage": "hello"}, "response": {"content": "Hi!"}}]})


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def convert(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["convert", *arguments])


def recorded(file: str = "refund.yaml", *texts: str) -> None:
    """A cassette with an answer to each text."""
    Path(file).parent.mkdir(exist_ok=True)
    write_cassette(Path(file), cassette(*[answered(text) for text in texts or ("hello",)]).interactions)


def answered(text: str) -> Interaction:
    return interaction({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}, said(f"{text}!"))


def test_a_cassette_becomes_a_scenario_on_the_standard_output() -> None:
    recorded()
    result = convert("refund.yaml")

    assert (result.exit_code, result.stderr) == (0, "")
    assert yaml.safe_load(result.stdout)["stubs"][0]["when"] == {"user": "hello"}
    assert "id: chatcmpl-1" not in result.stdout
    assert "id: chatcmpl-1" in convert("refund.yaml", "--ids").stdout


def test_a_file_is_written_and_not_overwritten_unless_told() -> None:
    recorded()

    assert convert("refund.yaml", "-o", "out.yaml").exit_code == 0
    assert len(load_scenario(Path("out.yaml")).model.stubs) == 1
    Path("out.yaml").write_text("mine")
    result = convert("refund.yaml", "-o", "out.yaml")
    assert result.exit_code == 2
    assert "out.yaml exists; name another file, or overwrite it with --force" in result.stderr
    assert Path("out.yaml").read_text() == "mine"
    assert convert("refund.yaml", "-o", "out.yaml", "--force").exit_code == 0
    assert Path("out.yaml").read_text() != "mine"
    assert sorted(path.name for path in Path().iterdir()) == ["out.yaml", "refund.yaml"]


def test_a_folder_of_cassettes_is_one_scenario() -> None:
    recorded("all/a.yaml", "hello")
    recorded("all/b.yaml", "bye", "see you")
    Path("all/.hidden.yaml").write_text("x")
    Path("all/notes.yaml").write_text("no cassette")
    result = convert("all")

    assert result.exit_code == 0
    assert [stub["name"] for stub in yaml.safe_load(result.stdout)["stubs"]] == ["hello!", "bye!", "see you!"]
    assert "# from all/b.yaml#2" in result.stdout
    assert (
        result.stderr
        == "all/notes.yaml: warning: is neither a cassette nor a file of aimock's fixtures; name one of the two\n"
    )


def test_a_cassette_becomes_vcrpys_and_ours_again() -> None:
    recorded()

    assert convert("refund.yaml", "--to", "vcr", "-o", "plain.yaml").exit_code == 0
    assert "mockbifrost" not in Path("plain.yaml").read_text()
    assert convert("plain.yaml", "--to", "mockbifrost", "-o", "ours.yaml").exit_code == 0
    [one] = read_cassette(Path("ours.yaml")).interactions
    assert one.about.source == "provider"
    assert one.response.body == answered("hello").response.body


def test_fixtures_of_aimock_become_a_scenario() -> None:
    Path("fixtures.json").write_text(FIXTURES.replace('"match"', '"latencey": 3, "match"'))
    result = convert("fixtures.json", "-o", "out.yaml")

    assert result.exit_code == 0
    assert result.stderr == (
        "fixtures.json:1:16: warning: fixtures[0].latencey: has no counterpart in a scenario, and is left out\n"
    )
    assert load_scenario(Path("out.yaml")).model.name == "fixtures"


def test_a_folder_of_fixtures_is_one_scenario_by_name() -> None:
    Path("all/inner").mkdir(parents=True)
    for name in ("all/b.json", "all/inner/c.json", "all/a.json"):
        Path(name).write_text(FIXTURES.replace("Hi!", name))
    Path("all/broken.json").write_text("{")
    result = convert("all")

    assert [stub["reply"] for stub in yaml.safe_load(result.stdout)["stubs"]] == [
        "all/a.json",
        "all/b.json",
        "all/inner/c.json",
    ]
    assert result.stderr.startswith("all/broken.json:2:1: warning: is not YAML")


def test_fixtures_are_no_cassette() -> None:
    Path("fixtures.json").write_text(FIXTURES)
    result = convert("fixtures.json", "--to", "vcr")

    assert result.exit_code == 2
    assert (
        "fixtures of aimock hold no requests, so they become a scenario and no cassette: fixtures.json" in result.stderr
    )


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "a.yaml",
            "version: 1\nstubs: []\n",
            "a.yaml: is neither a cassette nor a file of aimock's fixtures; name one of the two\n",
        ),
        ("a.json", '{"fixtures": [', "a.json:2:1: is not YAML: "),
        ("a.yaml", "interactions: 7\n", "a.yaml"),
        ("a.yaml", "version: 1\ninteractions: []\n", "a.yaml: holds no interaction that a scenario could say"),
    ],
)
def test_what_can_not_be_converted_is_said_and_nothing_is_written(file: str, text: str, said: str) -> None:
    Path(file).write_text(text)
    result = convert(file, "-o", "out.yaml")

    assert result.exit_code == 1
    assert result.stderr.startswith(said)
    assert not Path("out.yaml").exists()


def test_a_source_that_is_not_there_or_holds_nothing_or_both() -> None:
    Path("empty").mkdir()
    recorded("both/a.yaml")
    Path("both/b.json").write_text(FIXTURES)

    assert (convert("no.yaml").exit_code, convert("no.yaml").stderr) == (
        1,
        "no.yaml: there is no such file or folder\n",
    )
    assert convert("empty").stderr == (
        "empty: holds neither cassettes nor fixtures of aimock; name a file, or the folder that holds them\n"
    )
    assert convert("both").stderr == "both: holds cassettes and fixtures of aimock; convert them one after the other\n"


def test_an_output_that_can_not_be_written() -> None:
    recorded()
    Path("file").write_text("no folder")
    result = convert("refund.yaml", "-o", "file/out.yaml")

    assert result.exit_code == 2
    assert result.stderr.startswith("file/out.yaml can't be written: ")
    assert result.stderr.endswith("; choose another --output.\n")
