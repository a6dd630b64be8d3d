"""Imports point one way. Source: the table of layers in CONTRIBUTING.md."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "mockbifrost"

# From the ground up. A room may import from the floors below it, never from its own floor or above.
FLOORS = (
    {"errors", "values"},
    {"clock", "seeds"},
    {"wire"},
    {"vocabulary"},
    {"match"},
    {"provider"},
    {"scenario", "cassette", "gateway"},
    {"playback"},
    {"session"},
    {"convert"},
    {"serve"},
    {"api"},
    {"clients"},
    {"cli", "pytest_plugin"},
    {"__main__"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = {"faker", "genai_prices", "httpx2", "jinja2", "jmespath", "vcr"}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name, with the place that imports it."""

    file: Path
    line: int
    target: str
    at_run_time: bool = False
    """Whether it runs as soon as the module is imported."""


def modules_of(package: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(package.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path, tree: ast.Module, package: Path) -> Iterator[Import]:
    """Every import of a module, wherever it stands: in functions and under TYPE_CHECKING too."""
    deferred = {id(inner) for node in ast.walk(tree) if is_deferred(node) for inner in ast.walk(node)}
    folder = (package.name, *path.relative_to(package).parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*folder[: len(folder) - node.level + 1], *filter(None, [node.module])])
            source = base if node.level else node.module or ""
            targets = [f"{source}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            yield Import(path, node.lineno, target, at_run_time=id(node) not in deferred)


def is_deferred(node: ast.AST) -> bool:
    """Whether what stands inside is not run by importing the module."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in {getattr(part, "id", getattr(part, "attr", "")) for part in ast.walk(node.test)}
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def wrong_arrows(package: Path) -> list[str]:
    """Each import that does not point to a lower floor, as `file:line room → room`."""
    wrong = []
    for path, tree in modules_of(package):
        here = path.relative_to(package).parts[0].removesuffix(".py")
        if here == "__init__":
            continue  # names everything for users, lazily; another test watches that
        for found in imports_of(path, tree, package):
            parts = found.target.split(".")
            if parts[0] != package.name or found.target == f"{package.name}.__version__":
                continue
            there = parts[1] if len(parts) > 1 and parts[1] in FLOOR_OF else "__init__"
            if here != there and not (here in FLOOR_OF and FLOOR_OF.get(there, len(FLOORS)) < FLOOR_OF[here]):
                wrong.append(f"{path.relative_to(package.parent)}:{found.line} {here} → {there}")
    return wrong


def eager_heavy_imports(package: Path) -> list[str]:
    """Each import of a slow library that runs when its module is imported."""
    return [
        f"{path.relative_to(package.parent)}:{found.line} {found.target}"
        for path, tree in modules_of(package)
        for found in imports_of(path, tree, package)
        if found.at_run_time and found.target.split(".")[0] in HEAVY
    ]


def write_package(root: Path, **modules: str) -> Path:
    """A package of that name with one module for each room."""
    package = root / "mockbifrost"
    for name, source in modules.items():
        path = package / f"{name.replace('__in__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return package


def test_imports_point_one_way() -> None:
    assert wrong_arrows(PACKAGE) == []


def test_every_room_has_a_floor() -> None:
    rooms = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir() if is_room(path)}

    assert rooms - set(FLOOR_OF) == {"__init__"}


def is_room(path: Path) -> bool:
    return path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.py")))


def test_slow_libraries_are_imported_where_they_are_used() -> None:
    assert eager_heavy_imports(PACKAGE) == []


@pytest.mark.parametrize("module", ["mockbifrost", "mockbifrost.pytest_plugin"])
def test_importing_the_package_is_cheap(module: str) -> None:
    slow = sorted(HEAVY | {"pydantic", "starlette", "uvicorn"})
    program = f"import sys, {module}; print(*sorted(set({slow!r}) & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("source", "room"),
    [
        pytest.param("import mockbifrost.match.index", "match", id="plain"),
        pytest.param("from mockbifrost.match import index", "match", id="from"),
        pytest.param("from mockbifrost import match", "match", id="from the root"),
        pytest.param("from ..match.index import Index", "match", id="relative"),
        pytest.param("from .. import match", "match", id="relative to the root"),
        pytest.param("def late() -> None:\n    import mockbifrost.match", "match", id="in a function"),
        pytest.param("if TYPE_CHECKING:\n    from mockbifrost import match", "match", id="types"),
        pytest.param("from mockbifrost import MockBifrost", "__init__", id="what the root names"),
        pytest.param("import mockbifrost", "__init__", id="the root itself"),
        pytest.param("import mockbifrost.nowhere", "__init__", id="a room without a floor"),
    ],
)
def test_an_arrow_up_is_found(tmp_path: Path, source: str, room: str) -> None:
    package = write_package(tmp_path, wire__in__chunk=source)

    (found,) = wrong_arrows(package)

    assert found.endswith(f"wire → {room}")


def test_an_arrow_across_a_floor_is_found(tmp_path: Path) -> None:
    package = write_package(tmp_path, gateway__in__cache="from mockbifrost.scenario import model")

    assert len(wrong_arrows(package)) == 1


def test_arrows_down_and_inside_a_room_are_fine(tmp_path: Path) -> None:
    package = write_package(
        tmp_path,
        gateway__in__cache="import json\nfrom mockbifrost.wire import chunk\nfrom . import keys\nfrom .. import errors",
        cli__in__serve="from mockbifrost import __version__",
    )

    assert wrong_arrows(package) == []


def test_an_eager_import_of_a_slow_library_is_found(tmp_path: Path) -> None:
    package = write_package(
        tmp_path,
        match__in__json="try:\n    import jmespath.parser\nexcept ImportError:\n    pass",
        match__in__text="def late() -> None:\n    import jmespath",
        match__in__types="if typing.TYPE_CHECKING:\n    from jinja2 import Template",
    )

    (found,) = eager_heavy_imports(package)

    assert "json.py:2 jmespath" in found
