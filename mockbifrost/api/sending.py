"""What a session is given, made ready for a server that can't see the files of this machine: texts with their names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mockbifrost.api.loading import Given, name_of_text, read_one, text_of
from mockbifrost.cassette.format import read_bytes
from mockbifrost.errors import CassetteError
from mockbifrost.scenario.document import read_document
from mockbifrost.session.sent import SentFile, Use
from mockbifrost.session.sources import told_apart


def files_of(given: Given, source: str, line: int) -> list[SentFile]:
    """All files that are given, with the cassettes that their stubs replay. Raises ScenarioError for what can't be read."""
    try:
        files = list(_read(given, source, line))
    except (OSError, ValueError, CassetteError):
        read_one(given, source, line)  # says what is wrong with all of them
        raise
    replayed: dict[str, SentFile] = {}
    for file in files:
        if file.use == "scenario" and "replay" in file.text:
            replayed |= {one.name: one for one in cassettes_of(read_document(file.text, file.name).value, file.name)}
    return [*files, *replayed.values()]


def _read(given: Given, source: str, line: int) -> Iterator[SentFile]:
    if isinstance(given, Mapping):
        yield SentFile(source, text_of(given, source, line), line=line)
    elif isinstance(given, str) and "\n" in given:
        given.encode()  # half a surrogate pair can't be sent
        yield SentFile(name_of_text(source, line), given)
    else:
        scenarios, cassettes = told_apart([Path(given)])
        for path in scenarios:
            yield _file(path, "scenario")
        for path in cassettes:
            yield _file(path, "cassette")


def _file(path: Path, use: Use) -> SentFile:
    return SentFile(str(path), read_bytes(path, str(path)).decode("utf-8-sig"), use)


def cassettes_of(value: object, source: str) -> Iterator[SentFile]:
    """The cassettes that stubs of that source replay, as far as they can be read; of the others the server says what is wrong."""
    for named in _replayed(value):
        path = Path(source).parent / named
        try:
            yield _file(path, "replay")
        except (OSError, ValueError, CassetteError):
            continue


def _replayed(value: object) -> Iterator[str]:
    """What stands under a key `replay`, wherever it stands: a file, or a mapping that names one."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            named = item.get("cassette") if key == "replay" and isinstance(item, Mapping) else item
            if key == "replay" and isinstance(named, str):
                yield named
            else:
                yield from _replayed(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _replayed(item)


def stub_json(stub: Mapping[str, Any]) -> bytes:
    """A stub of plain values, which has been checked, as JSON."""
    return json.dumps(stub, default=dict).encode()
