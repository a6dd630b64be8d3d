"""What must hold for the repository as a whole."""

import re
import subprocess
import tomllib
from pathlib import Path, PurePosixPath

import pytest

import mockbifrost

ROOT = Path(__file__).resolve().parent.parent
README_LINES = 150
TOP_LEVEL = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "bench",
    "cassettes",
    "docker-compose.yml",
    "docs",
    "examples",
    "mockbifrost",
    "pyproject.toml",
    "scenarios",
    "tests",
}
DOT_FILES = {".ci", ".dockerignore", ".editorconfig", ".gitattributes", ".gitignore"}

# What only one machine has: folders of a user, and the settings or addresses of a package index.
PRIVATE = re.compile(
    r"""(?x)
    (?<![\w.]) / (?: root | home/\w[\w.-]* | Users/\w[\w.-]* ) /
    | \b [A-Z] : \\+ Users \\
    | https? :// [^\s"'<>]+ /simple \b
    | \b files \. pythonhosted \.
    | \b registry \. npmjs \.
    | (?i: (?<![\w-]) (?: pip_ | uv_ | --? )? (?: extra[-_] )? (?: default[-_] )? index[-_]url \s* = )
    """
)


def project_files() -> list[PurePosixPath]:
    """What git tracks or would add, and what is still there."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: what belongs to the project can't be told from what lies about")
    return [PurePosixPath(name) for name in listed.split("\0") if name and (ROOT / name).exists()]


def private_places(text: str) -> list[str]:
    """Every mention of a place that only one machine has, as `line: text`."""
    return [f"{n}: {line.strip()}" for n, line in enumerate(text.splitlines(), 1) if PRIVATE.search(line)]


def test_the_top_level_holds_only_what_belongs_there() -> None:
    found = {path.parts[0] for path in project_files()}

    assert found - TOP_LEVEL - DOT_FILES == set()


def test_no_file_names_a_place_of_one_machine() -> None:
    found = {str(path): private_places((ROOT / path).read_text(errors="replace")) for path in project_files()}

    assert {path: places for path, places in found.items() if places} == {}


@pytest.mark.parametrize(
    "line",
    [
        "cd /" + "root/project",
        'path = "/' + 'home/ada/x"',
        "C:" + "\\Users\\ada",
        "https://mirror.example/pypi" + "/simple",
        "UV_INDEX" + "_URL=https://mirror.example",
        "--index" + "-url = x",
        "https://files." + "pythonhosted.org/x.whl",
        '"resolved": "https://registry.' + 'npmjs.org/x.tgz"',
    ],
)
def test_a_place_of_one_machine_is_found(line: str) -> None:
    assert private_places(f"fine\n{line}\n") == [f"2: {line}"]


@pytest.mark.parametrize("line", ["GET /s/home/x", "docs/root/index.md", "/scenarios/hello.yaml", "url = index.url"])
def test_other_paths_are_fine(line: str) -> None:
    assert private_places(line) == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_the_readme_and_ci_run_the_tests_alike() -> None:
    (command,) = re.findall(r"^ *bash -c '(.+)'$", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)

    assert command in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def test_the_package_knows_its_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert mockbifrost.__version__ == project["version"]


def test_the_changelog_has_a_place_for_what_comes_next() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
