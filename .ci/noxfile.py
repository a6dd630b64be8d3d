"""Every check of the project, each in an environment of its own: `nox -f .ci/noxfile.py --list` names them."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
PYTHONS = ("3.11", "3.12", "3.13")
ENV = {"PYTHONDONTWRITEBYTECODE": "1"}

nox.needs_version = ">=2026.4"
nox.options.sessions = ["tests", "lint", "types", "wheel", "examples"]
nox.options.envdir = str(ROOT / ".nox")
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False  # a machine need not have every Python
nox.options.reuse_venv = "yes"


PARALLEL = ("--numprocesses=auto",)
# What may differ between Pythons, with fewer examples.
BETWEEN = (
    *PARALLEL,
    "--hypothesis-profile=few",
    "tests/app",
    "tests/test_cassettes.py",
    "tests/plugin/test_api_session.py",
    "tests/plugin/test_api_when.py",
    "tests/plugin/test_plugin_async.py",
    "tests/plugin/test_plugin_fixture.py",
    "tests/plugin/test_plugin_marker.py",
    "tests/plugin/test_plugin_record.py",
    "tests/socket/test_live_gateway.py",
    "tests/socket/test_socket_http.py",
    "tests/socket/test_socket_streams.py",
)
# With the oldest dependencies everything but the clients.
ELSEWHERE = (*PARALLEL, "--hypothesis-profile=few", "--ignore=tests/clients", "--ignore=tests/docs")


@dataclass(frozen=True, slots=True)
class Lane:
    """One environment of clients, and the tests that run in it."""

    groups: tuple[str, ...]
    tests: tuple[str, ...] = ()  # none: the whole suite
    packages: str = ""  # the folder of a package.json that npm installs


CLIENTS_PAGE = "tests/docs/test_docs.py::test_a_page_does_what_it_says[docs/how-to/clients.md]"

# A new lane is one more line here and one more dependency group in pyproject.toml.
LANES: Mapping[str, Lane] = {
    "main": Lane(groups=("test", "clients")),
    "openai2": Lane(
        groups=("test", "clients-openai2"),
        tests=(
            "tests/clients/test_openai.py",
            "tests/clients/test_openai_errors.py",
            "tests/clients/test_generated_openai.py",
        ),
    ),
    "instructor": Lane(
        groups=("test", "clients-instructor"),
        tests=("tests/clients/test_instructor.py", "tests/clients/test_generated_instructor.py", CLIENTS_PAGE),
    ),
    "litellm": Lane(
        groups=("test", "clients-litellm"),
        tests=("tests/clients/test_litellm.py", "tests/clients/test_generated_litellm.py", CLIENTS_PAGE),
    ),
    "node": Lane(
        groups=("test",),
        tests=(
            "tests/clients/test_node.py",
            "tests/clients/test_node_page.py",
            "tests/clients/test_yaml_language_server.py",
        ),
        packages="tests/clients/node",
    ),
}


def show_pyenv_pythons() -> None:
    """pyenv answers to `python3.12` only when 3.12 is chosen: choose all that we test on, the current one first."""
    if shutil.which("pyenv") is None:
        return

    def pyenv(*args: str) -> list[str]:
        return subprocess.run(["pyenv", *args], capture_output=True, text=True, check=False).stdout.split()

    current = pyenv("version-name")
    found = [version for version in pyenv("versions", "--bare") if re.fullmatch(r"3\.1[123]\.\d+", version)]
    os.environ["PYENV_VERSION"] = ":".join(dict.fromkeys([*"".join(current).split(":"), *reversed(found)]))


show_pyenv_pythons()


def install(session: nox.Session, *groups: str, project: bool = True) -> None:
    """Install dependency groups, and the project as an editable package beside them."""
    session.chdir(ROOT)
    wanted = nox.project.dependency_groups(PYPROJECT, *groups)
    session.install(*(["-e", "."] if project else []), *wanted)


def npm_install(session: nox.Session, folder: str) -> None:
    """Install the packages that a folder pins. No lock file: it would name the registry it was made with."""
    if shutil.which("npm") is None:
        session.skip("npm is not installed")
    with session.chdir(ROOT / folder):
        quiet = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
        session.run("npm", "install", *quiet, external=True)


def pytest(session: nox.Session, *args: str) -> None:
    """Run pytest; exit code 5, no test collected, fails like any other."""
    session.run("python", "-m", "pytest", *args, *session.posargs, env=ENV)


@nox.session
@nox.parametrize("lane", [nox.param(name, id=name) for name in LANES])
def tests(session: nox.Session, lane: str) -> None:
    """The test suite, once for each set of clients."""
    if LANES[lane].packages:
        npm_install(session, LANES[lane].packages)
    install(session, *LANES[lane].groups)
    pytest(session, *(LANES[lane].tests or PARALLEL))


@nox.session(python=PYTHONS)
def pythons(session: nox.Session) -> None:
    """The tests of the package itself, on every Python that this machine has but the one of the main lane."""
    if session.python == f"{sys.version_info.major}.{sys.version_info.minor}":
        session.skip("the main lane runs on this one")
    install(session, "test")
    pytest(session, *BETWEEN)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """The tests of the package itself, with the oldest dependencies that pyproject.toml allows."""
    if session.venv_backend != "uv":
        session.skip("only uv resolves to the lowest versions")
    session.chdir(ROOT)
    session.install("--resolution=lowest-direct", "-e", ".")
    install(session, "test", project=False)
    pytest(session, *ELSEWHERE)


@nox.session
def lint(session: nox.Session) -> None:
    """Rules and format, with nothing changed."""
    install(session, "lint", project=False)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """The package, the tests and these scripts, all strict; then what a strict user sees of the package."""
    install(session, "test", "clients", "types")
    session.run("mypy")
    pytest(session, "tests/plugin/test_api_typing.py")


def built(session: nox.Session, *what: str) -> Path:
    """The folder of what `build` makes: the wheel and the sdist, or what is asked for."""
    install(session, "wheel", project=False)
    dist = Path(session.create_tmp(), "dist")
    shutil.rmtree(dist, ignore_errors=True)
    session.run("python", "-m", "build", *what, "--outdir", str(dist), str(ROOT), silent=True)
    return dist


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel and the sdist, then use the wheel where nothing else of the project is."""
    dist = built(session)
    session.run("python", ".ci/check_wheel.py", str(dist), env=ENV)


@nox.session(reuse_venv=False)
def examples(session: nox.Session) -> None:
    """The tests of each example, which has the built wheel, what it asks for itself, and nothing else of the project."""
    (wheel,) = built(session, "--wheel").glob("*.whl")
    with tempfile.TemporaryDirectory() as elsewhere:
        for example in sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml")):
            copy = shutil.copytree(example, Path(elsewhere, example.name), ignore=shutil.ignore_patterns("__pycache__"))
            session.chdir(copy)
            session.install(str(wheel), ".[test]")
            alone = {**ENV, "PYTHONPATH": None}
            session.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", env=alone)
            session.run("mockbifrost", "check", "tests/", env=alone)
        session.chdir(ROOT)  # a folder that goes away must not be the one that we are in
