"""Scenario files: read, checked as a whole, every finding at once."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from mockbifrost.errors import Finding, ScenarioError
from mockbifrost.scenario.document import (
    DEEPEST,
    LARGEST_INT,
    SMALLEST_INT,
    Document,
    Mark,
    Place,
    Plain,
    read_document,
)
from mockbifrost.scenario.findings import findings_of
from mockbifrost.scenario.loaded import LoadedScenario, LoadedStub
from mockbifrost.scenario.model import VERSION, DefaultsModel, ScenarioModel, StubModel
from mockbifrost.scenario.settings_merge import NO_SETTINGS, File, settings_of
from mockbifrost.vocabulary.node import Node, described, did_you_mean, shortened
from mockbifrost.vocabulary.settings import GatewaySettings

N = TypeVar("N", bound=Node)
LARGEST_BYTES: Final = 50 * 1024 * 1024
SUFFIXES: Final = (".yaml", ".yml")
SENT: Final = "a stub, a list of stubs or a scenario"
"""What can be sent to a running server."""


def load_scenario(path: Path) -> LoadedScenario:
    """Load one file. Raises ScenarioError with all that is wrong with it."""
    return _checked([_read_file(path)])[0]


def load_text(text: str, source: str, base: GatewaySettings = NO_SETTINGS) -> LoadedScenario:
    """Load a scenario that is no file; `source` is what messages call it. Raises ScenarioError.

    `base` are the settings of a gateway that it will be laid over.
    """
    return load_texts([(text, source)], base)[0]


def load_texts(texts: Sequence[tuple[str, str]], base: GatewaySettings = NO_SETTINGS) -> tuple[LoadedScenario, ...]:
    """Load texts, each with what messages call it, that are used together. Raises ScenarioError with the findings of all."""
    return tuple(_checked([_read_text(text, source) for text, source in texts], base))


def load_sent(raw: bytes, source: str, base: GatewaySettings = NO_SETTINGS) -> LoadedScenario:
    """Load what was sent and is no file: a scenario, a list of stubs or one stub, in YAML or JSON. Raises ScenarioError."""
    text = _decoded(raw, source)
    return _checked([_Result([text]) if isinstance(text, Finding) else _read_sent(text, source)], base)[0]


def load_paths(paths: Sequence[Path], base: GatewaySettings = NO_SETTINGS) -> tuple[LoadedScenario, ...]:
    """Load files in the order given, of a folder its *.yaml and *.yml by name, folders inside it too unless hidden.

    A file that is given twice is loaded once. Raises ScenarioError with the findings of all files.
    """
    return tuple([scenario for scenario, _document in load_documents(paths, base)])


def load_documents(
    paths: Sequence[Path], base: GatewaySettings = NO_SETTINGS
) -> tuple[tuple[LoadedScenario, Document], ...]:
    """The same, each with the document that knows where its parts stand."""
    results: list[_Result] = []
    seen: set[str] = set()
    for path in paths:
        for file in files_of(path):
            if isinstance(file, Finding):
                results.append(_Result([file]))
                continue
            if (same := identity(file)) not in seen:
                seen.add(same)
                results.append(_read_file(file))
    _checked(results, base)
    return tuple([(it.loaded, it.document) for it in results if it.loaded is not None and it.document is not None])


def identity(path: Path) -> str:
    """What two paths of the same file share."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):  # reading it will say why
        return str(path)


def stub_from_mapping(data: Mapping[str, object], source: str, line: int) -> LoadedStub:
    """A stub given as plain values, with the keys of the language. Raises ScenarioError."""
    return LoadedStub(_node_from_mapping(StubModel, data, source, line), source, line)


def defaults_from_mapping(data: Mapping[str, object], source: str, line: int) -> DefaultsModel:
    """The defaults of stubs given as plain values. Raises ScenarioError."""
    return _node_from_mapping(DefaultsModel, data, source, line)


def _node_from_mapping(kind: type[N], data: Mapping[str, object], source: str, line: int) -> N:
    """What the model makes of plain values; all that is wrong with them is wrong at this line."""
    document = Document(source, "")
    mark = Mark(line - 1, 0)
    try:
        document.value = _plain(data)
        _remember(document, document.value, mark)
        return kind.model_validate(document.value)
    except _NotPlain as error:
        raise ScenarioError([Finding(source, line, 1, "", str(error))]) from None
    except ValidationError as error:
        raise ScenarioError(findings_of(error, kind, document, mark)) from None


@dataclass(slots=True)
class _Result:
    """A file that was read: what it says, or what is wrong with it."""

    findings: list[Finding]
    loaded: LoadedScenario | None = None
    document: Document | None = None


def _checked(results: list[_Result], base: GatewaySettings = NO_SETTINGS) -> list[LoadedScenario]:
    findings = [finding for result in results for finding in result.findings]
    findings = findings or list(_contradictions(results, base))
    if findings:
        raise ScenarioError(findings)
    return [result.loaded for result in results if result.loaded is not None]


def files_of(path: Path) -> Iterator[Path | Finding]:
    """The files that a path stands for: itself, or those of a folder."""
    if not os.path.isdir(path):
        yield path
        return
    found = False
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                found = True
                yield Path(folder, name)
    if not found:
        hint = "name a file, or the folder of your scenarios"
        yield Finding(str(path), 0, 0, "", "the folder holds no *.yaml or *.yml file", hint)


def _read_file(path: Path) -> _Result:
    source = str(path)

    def refused(message: str, hint: str = "") -> _Result:
        return _Result([Finding(source, 0, 0, "", message, hint)])

    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        return refused("there is no such file or folder", _nearby(path))
    except (OSError, ValueError) as error:
        return refused(f"can't be read: {getattr(error, 'strerror', None) or error}")
    if len(raw) > LARGEST_BYTES:
        return refused("is larger than 50 MB", "split it into several files")
    text = _decoded(raw, source)
    return _Result([text]) if isinstance(text, Finding) else _read_text(text, source)


def _decoded(raw: bytes, source: str) -> str | Finding:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        message = f"is not UTF-8: the byte 0x{raw[error.start]:02x} can't be read"
        return Finding(source, line, column, "", message, "save the file as UTF-8")


def _nearby(path: Path) -> str:
    try:
        names = [entry.name for entry in os.scandir(path.parent)]
    except OSError:
        return ""
    return did_you_mean(path.name, names)


def _read_text(text: str, source: str) -> _Result:
    document = read_document(text, source)
    if not document.complete and document.findings:
        return _Result(document.findings)
    if document.value is None:
        return _Result([Finding(source, 0, 0, "", "the file is empty", "begin with `version: 1`")])
    return _scenario_in(document)


def _read_sent(text: str, source: str) -> _Result:
    document = read_document(text, source)
    value, mark = document.value, document.start
    if not document.complete and document.findings:
        return _Result(document.findings)
    if isinstance(value, dict) and _is_scenario(value):
        return _scenario_in(document)
    if not isinstance(value, dict | list):
        if value is None:
            return _Result([Finding(source, 0, 0, "", "is empty", f"send {SENT}")])
        text = f"must be {SENT}, got {described(value)}"
        return _Result([Finding(source, mark.line + 1, mark.column + 1, "", text)])
    stubs: list[Plain] = value if isinstance(value, list) else [value]
    document.value = {"version": VERSION, "stubs": stubs}
    document.places[id(document.value)] = {"stubs": Place(mark, mark)}
    if stubs is not value:
        document.places[id(stubs)] = {0: Place(mark, mark)}
    result = _scenario_in(document)
    added = "stubs" if stubs is value else "stubs[0]"
    result.findings = [
        replace(finding, key_path=finding.key_path.removeprefix(added).removeprefix(".")) for finding in result.findings
    ]
    return result


def _is_scenario(value: dict[str, Plain]) -> bool:
    """Whether a mapping is a whole scenario, and no stub."""
    file, stub = set(ScenarioModel.known_keys()), set(StubModel.known_keys())
    keys = set(value)
    return bool(keys & {"version", "stubs"}) or (bool(keys & (file - stub)) and not keys & (stub - file))


def _scenario_in(document: Document) -> _Result:
    try:
        model = ScenarioModel.model_validate(document.value)
    except ValidationError as error:
        return _Result(_in_order(document.findings, findings_of(error, ScenarioModel, document)))
    if document.findings:
        return _Result(document.findings)
    lines = tuple(_stub_lines(document, len(model.stubs)))
    return _Result([], LoadedScenario(model, document.source, lines), document)


def _in_order(read: list[Finding], checked: list[Finding]) -> list[Finding]:
    """By line. A value that was refused when it was read is not refused again; of another version only that is said."""
    if any(finding.key_path == "version" for finding in checked):
        checked = [finding for finding in checked if finding.key_path == "version"]
    places = {(finding.line, finding.column) for finding in read}
    kept = [finding for finding in checked if (finding.line, finding.column) not in places]
    return sorted([*read, *kept], key=lambda finding: (finding.line, finding.column))


def _stub_lines(document: Document, count: int) -> Iterator[int]:
    stubs = document.value["stubs"] if count and isinstance(document.value, dict) else None
    for index in range(count):
        place = document.place(stubs, index)
        yield place.value.line + 1 if place else 0


def _contradictions(results: list[_Result], base: GatewaySettings) -> Iterator[Finding]:
    """What the settings of files that share a session say wrong together; a session of its own has the shared ones too."""
    by_session: dict[str | None, list[File]] = {}
    for result in results:
        if result.loaded is not None:
            by_session.setdefault(result.loaded.model.session, []).append((result.loaded, result.document))
    shared, findings = settings_of(by_session.pop(None, []), base)
    yield from findings
    for files in by_session.values():
        yield from settings_of(files, shared.laid_over(base))[1]


class _NotPlain(Exception):
    """A value that a scenario could not hold."""


def _plain(value: object, depth: int = 0) -> Plain:
    """A copy in plain lists and mappings, as a file would give it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _whole_characters(str.__str__(value))
    if isinstance(value, int):
        return _in_bounds(int(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _NotPlain(f"{value} is no number that JSON can hold")
        return float(value)
    if depth >= DEEPEST:
        raise _NotPlain(f"more than {DEEPEST} lists and mappings stand inside one another")
    if isinstance(value, Mapping):
        return {_text_key(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    raise _NotPlain(
        f"a value of the type {type(value).__name__} has no place in a stub; give text, numbers, lists and mappings"
    )


def _text_key(key: object) -> str:
    if not isinstance(key, str):
        raise _NotPlain(f"the key {key!r} is not text")
    return _whole_characters(str.__str__(key))


def _whole_characters(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _NotPlain(f"{shortened(text)!r} holds half a surrogate pair, which is no character") from None
    return text


def _in_bounds(value: int) -> int:
    if not SMALLEST_INT <= value <= LARGEST_INT:
        raise _NotPlain("a number is larger than JSON's 64 bits hold")
    return value


def _remember(document: Document, value: Plain, mark: Mark) -> None:
    """Give every part of plain values the same place, so that paths can be told."""
    if isinstance(value, dict):
        document.places[id(value)] = {key: Place(mark, mark) for key in value}
        for item in value.values():
            _remember(document, item, mark)
    elif isinstance(value, list):
        document.places[id(value)] = {index: Place(mark, mark) for index in range(len(value))}
        for item in value:
            _remember(document, item, mark)
