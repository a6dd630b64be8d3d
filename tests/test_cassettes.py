"""The cassettes that ship: recorded by the recorder from the shipped scenarios, free of findings, playable by anybody."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import orjson
import pytest
from click.testing import CliRunner

from cassettes.record import EXAMPLES, record
from mockbifrost import MockBifrost
from mockbifrost.cassette.format import read_cassette
from mockbifrost.cassette.interaction import Interaction
from mockbifrost.cli import main

FOLDER = Path(__file__).resolve().parents[1] / "cassettes"
FILES = sorted(FOLDER.glob("*.yaml"))
INTERACTIONS = [interaction for file in FILES for interaction in read_cassette(file).interactions]
HOLDS = {"plain": 1, "streamed": 1, "tool-loop": 3, "error": 1, "fallback": 1}


@pytest.fixture(scope="module")
def server() -> Iterator[MockBifrost]:
    with MockBifrost(FOLDER) as running:
        yield running


def test_there_is_one_for_each_example_and_nothing_else() -> None:
    assert {file.stem: len(read_cassette(file).interactions) for file in FILES} == HOLDS
    assert {example.name for example in EXAMPLES} == set(HOLDS)


def test_nothing_is_wrong_with_them() -> None:
    result = CliRunner().invoke(main, ["check", str(FOLDER)])

    assert (result.exit_code, result.stdout) == (0, "5 files, 0 stubs, 7 recordings: all usable.\n")


@pytest.mark.parametrize("interaction", INTERACTIONS, ids=lambda one: f"{Path(one.file).stem}-{one.number}")
def test_each_is_played_byte_for_byte(interaction: Interaction, server: MockBifrost) -> None:
    with server.session() as session:
        response = httpx2.post(
            f"{session.base_url}/chat/completions", content=interaction.request.body, trust_env=False
        )

    assert response.status_code == interaction.response.status
    assert response.content == interaction.response.body
    assert response.headers["x-mockbifrost-stub"] == f"{Path(interaction.file).name}#{interaction.number}"


def test_recording_them_again_changes_nothing(tmp_path: Path) -> None:
    for file in FILES:
        shutil.copy(file, tmp_path)

    record(tmp_path, speed=0)

    assert [(tmp_path / file.name).read_bytes() == file.read_bytes() for file in FILES] == [True] * len(FILES)


def test_recording_again_shows_only_what_changed(tmp_path: Path) -> None:
    for file in FILES:
        shutil.copy(file, tmp_path)
    lines = (tmp_path / "tool-loop.yaml").read_text(encoding="utf-8").splitlines()
    spoiled = [line.replace("I refunded 19.9 euros", "I refunded nothing") for line in lines]
    (tmp_path / "tool-loop.yaml").write_text("\n".join(spoiled) + "\n", encoding="utf-8")

    record(tmp_path, speed=0)

    again = (tmp_path / "tool-loop.yaml").read_text(encoding="utf-8").splitlines()
    changed = [number for number, (old, new) in enumerate(zip(lines, again, strict=True)) if old != new]
    starts = [number for number, line in enumerate(lines) if line.startswith("- request:")]
    assert {lines[number].strip().partition(":")[0] for number in changed} <= {
        "uri",
        "recorded_at",
        "upstream",
        "pieces",
    }
    assert changed[0] > starts[2]  # the two before it are as they were
    assert any("I refunded 19.9 euros" in line for line in again)


def test_the_request_of_a_tool_loop_carries_the_ids_that_were_recorded() -> None:
    first, second, _third = read_cassette(FOLDER / "tool-loop.yaml").interactions
    (call,) = orjson.loads(first.response.body)["choices"][0]["message"]["tool_calls"]

    assert orjson.loads(second.request.body)["messages"][-1]["tool_call_id"] == call["id"]
