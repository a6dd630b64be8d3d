"""Files and folders that a server is given: scenarios and cassettes are told apart by what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockbifrost.cassette.writing import write_cassette
from mockbifrost.errors import CassetteError, ScenarioError
from mockbifrost.session.sources import read_sources
from tests.harness import cassette_of, chat, provider_response

SCENARIO = "version: 1\nstubs: [Hello.]\n"


def tape(path: Path) -> Path:
    write_cassette(path, cassette_of((chat("hi"), provider_response({"choices": []}))).interactions)
    return path


def test_a_folder_may_hold_both(tmp_path: Path) -> None:
    tape(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_text(SCENARIO)
    (tmp_path / "inner").mkdir()
    tape(tmp_path / "inner" / "c.yml")

    sources = read_sources([tmp_path])

    assert [Path(cassette.file).name for cassette in sources.cassettes] == ["a.yaml", "c.yml"]
    assert [Path(scenario.source).name for scenario in sources.scenarios] == ["b.yaml"]
    assert sources.problems == ()


def test_a_file_that_is_given_twice_is_read_once(tmp_path: Path) -> None:
    file = tape(tmp_path / "a.yaml")

    assert len(read_sources([file, tmp_path]).cassettes) == 1


def test_what_a_recorder_put_aside_is_played_only_where_it_is_named(tmp_path: Path) -> None:
    tape(tmp_path / "a.yaml")
    aside = tape(tmp_path / "a.errors.yaml")

    assert [Path(cassette.file).name for cassette in read_sources([tmp_path]).cassettes] == ["a.yaml"]
    assert [cassette.file for cassette in read_sources([aside]).cassettes] == [str(aside)]


def test_a_bad_cassette_is_a_problem_beside_good_files_and_an_error_alone(tmp_path: Path) -> None:
    good, bad = tape(tmp_path / "good.yaml"), tmp_path / "bad.yaml"
    bad.write_text("interactions: 7\n")

    (problem,) = read_sources([good, bad]).problems
    assert (problem.source, problem.severity) == (str(bad), "error")
    with pytest.raises(CassetteError, match=r"bad\.yaml"):
        read_sources([bad])


def test_a_bad_scenario_is_an_error_beside_whatever_else(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 1\nstub: []\n")

    with pytest.raises(ScenarioError, match="stub"):
        read_sources([tape(tmp_path / "good.yaml"), tmp_path / "bad.yaml"])


def test_a_path_that_is_not_there_is_an_error_of_scenarios(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="there is no such file or folder"):
        read_sources([tmp_path / "nowhere.yaml"])
