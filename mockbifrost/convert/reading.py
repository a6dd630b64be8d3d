"""What is to be converted: a cassette or fixtures of aimock, one file or a folder of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mockbifrost.cassette.format import looks_like_cassette, read_text
from mockbifrost.cassette.interaction import Cassette
from mockbifrost.convert.aimock import is_aimock
from mockbifrost.errors import CassetteError, Finding
from mockbifrost.scenario.document import read_document

_SUFFIXES: Final = (".yaml", ".yml", ".json")
_LARGEST: Final = 50 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """Either a cassette, that of a folder with the interactions of all its files, or the fixtures of some files.

    `warnings` are the files of a folder that are neither.
    """

    name: str
    cassette: Cassette | None = None
    fixtures: tuple[tuple[str, str], ...] = ()
    warnings: tuple[Finding, ...] = ()


def read_source(path: Path) -> Source:
    """Read a file or a folder; of a folder its *.yaml, *.yml and *.json by name, folders inside it too.

    Raises CassetteError for what can't be read, is neither a cassette nor fixtures, or is both.
    """
    cassettes: list[Cassette] = []
    fixtures: list[tuple[str, str]] = []
    warnings: list[Finding] = []
    for file in _files(path):
        raw = _bytes(file)
        if looks_like_cassette(raw):
            cassettes.append(read_text(raw, str(file)))
            continue
        text = raw.decode("utf-8-sig", "replace")
        if is_aimock(text):
            fixtures.append((str(file), text))
            continue
        findings = _neither(file, text)
        if not path.is_dir():
            raise CassetteError(findings)
        warnings += [replace(finding, severity="warning") for finding in findings]
    if cassettes and fixtures:
        raise _refused(path, "holds cassettes and fixtures of aimock", "convert them one after the other")
    if not cassettes and not fixtures:
        raise _refused(
            path, "holds neither cassettes nor fixtures of aimock", "name a file, or the folder that holds them"
        )
    return Source(
        path.stem or path.name, _merged(str(path), cassettes) if cassettes else None, tuple(fixtures), tuple(warnings)
    )


def _neither(file: Path, text: str) -> list[Finding]:
    """What is wrong with a file that is neither: broken JSON, or something else altogether."""
    broken = read_document(text, str(file)).findings if file.suffix == ".json" else []
    message = "is neither a cassette nor a file of aimock's fixtures"
    return broken or [Finding(str(file), 0, 0, "", message, "name one of the two")]


def _merged(name: str, cassettes: Sequence[Cassette]) -> Cassette:
    if len(cassettes) == 1:
        return cassettes[0]
    interactions = [one for cassette in cassettes for one in cassette.interactions]
    warnings = [warning for cassette in cassettes for warning in cassette.warnings]
    return Cassette(name, tuple(interactions), tuple(warnings))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file()]
    return sorted([file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts)])


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            raw = opened.read(_LARGEST + 1)
    except FileNotFoundError:
        raise _refused(file, "there is no such file or folder") from None
    except OSError as error:
        raise _refused(file, f"can't be read: {error.strerror or error}") from None
    if len(raw) > _LARGEST:
        raise _refused(file, "is larger than 50 MB", "split it into several files")
    return raw


def _refused(path: Path, message: str, hint: str = "") -> CassetteError:
    return CassetteError([Finding(str(path), 0, 0, "", message, hint)])
