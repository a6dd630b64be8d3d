"""What can be said of the examples without their environments; `nox -s examples` runs their tests with the wheel."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from mockbifrost.session.sources import read_sources

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml"))
README_LINES = 25


def toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_the_clients_that_the_tests_have(example: Path) -> None:
    clients = set(toml(ROOT / "pyproject.toml")["dependency-groups"]["clients"])

    assert set(toml(example / "pyproject.toml")["project"]["dependencies"]) <= clients


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_knows_no_path_out_of_its_folder(example: Path) -> None:
    texts = [path.read_text(encoding="utf-8") for path in example.rglob("*") if path.suffix in {".py", ".md", ".toml"}]

    assert [found for text in texts for found in re.findall(r"\.\./\S*|mockbifrost/\S*", text)] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_files_of_an_example_are_usable(example: Path) -> None:
    read = read_sources([example / "tests"])

    assert read.problems == ()
    assert read.scenarios
    assert read.cassettes


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_readme_of_an_example_is_short_and_names_its_files(example: Path) -> None:
    readme = (example / "README.md").read_text(encoding="utf-8")
    files = {file for file in re.findall(r"`([\w/.]+\.(?:py|yaml))`", readme) if not (example / file).exists()}

    assert len(readme.splitlines()) <= README_LINES
    assert files == set()
