"""Fixtures of aimock as a scenario. What has no counterpart is told, with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mockbifrost.convert.aimock_fixture import GENERAL, Fields, Fixture, read_fixture
from mockbifrost.convert.converted import Converted
from mockbifrost.convert.naming import Names, short_name
from mockbifrost.convert.yaml_text import HEADER, block, comment, indented
from mockbifrost.errors import CassetteError, Finding, ScenarioError
from mockbifrost.scenario.document import read_document
from mockbifrost.scenario.load import load_text


def is_aimock(text: str) -> bool:
    """Whether a text is a file of fixtures: JSON with a list of them, alone or under `fixtures`."""
    if not text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return False
    value = read_document(text, "").value
    rows = value.get("fixtures") if isinstance(value, dict) else value
    return isinstance(rows, list) and (isinstance(value, dict) or _looks_like_fixtures(rows))


def _looks_like_fixtures(rows: Sequence[Any]) -> bool:
    return bool(rows) and all(isinstance(row, dict) and "response" in row for row in rows)


def from_aimock(files: Sequence[tuple[str, str]], name: str) -> Converted:
    """One scenario of all files, each a name and its text, in the order given: the first fixture that matches answers.

    Raises CassetteError for a file that can't be read, and where nothing is left.
    """
    findings: list[Finding] = []
    fixtures: list[Fixture] = []
    for file, text in files:
        document = read_document(text, file)
        if document.findings:
            raise CassetteError(document.findings)
        value = document.value
        rows, path = (value.get("fixtures"), ("fixtures",)) if isinstance(value, dict) else (value, ())
        if not isinstance(rows, list):
            raise CassetteError([Finding(file, 0, 0, "", "holds no list of fixtures", 'write {"fixtures": [...]}')])
        for index, row in enumerate(rows):
            fixtures.append(read_fixture(row, document, (*path, index), findings))
    stubs = [lines for stub in _stubs(fixtures) for lines in ["", *stub]][1:]
    if not stubs:
        source = files[0][0] if files else name
        raise CassetteError([*findings, Finding(source, 0, 0, "", "holds no fixture that a scenario could say")])
    head = [
        HEADER,
        comment(f"Converted from {', '.join([file for file, _text in files])}."),
        *block({"version": 1, "name": name}),
    ]
    text = "\n".join([*head, "stubs:", *indented(stubs)]) + "\n"
    try:
        load_text(text, name)
    except ScenarioError as error:
        told = [
            replace(found, source=files[0][0], line=0, column=0, message=f"can't be said: {found.message}")
            for found in error.findings
        ]
        raise CassetteError(told) from None
    return Converted(text, tuple(_told_once(findings)))


def _told_once(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Without those about the way aimock counts, which are the same for each fixture of a file."""
    seen: set[tuple[str, str]] = set()
    for finding in findings:
        general = finding.hint == GENERAL
        if general and (finding.source, finding.message) in seen:
            continue
        seen.add((finding.source, finding.message))
        yield finding


def _stubs(fixtures: Sequence[Fixture]) -> Iterator[list[str]]:
    """The lines of each stub. Fixtures of one sequence are one stub, at the place of the first."""
    names = Names()
    kept = [one for one in fixtures if one.kept]
    for one in kept:
        steps = [one]
        if one.index is not None:
            steps = [other for other in kept if other.index is not None and other.when == one.when]
            if steps[0] is not one:
                continue
            steps.sort(key=lambda step: step.index or 0)
        yield from _stub(one, steps, names)


def _stub(first: Fixture, steps: Sequence[Fixture], names: Names) -> Iterator[list[str]]:
    when = {"when": first.when} if first.when else {}
    origin = comment("from " + ", ".join([step.origin for step in steps]))
    for chance, fault in [row for step in steps for row in step.chances]:
        name = names.unique(f"{_called(first)} fails")
        yield [origin, *block([{"name": name, **when, "active": {"probability": chance}, **fault}])]
    keys: Fields = {"name": names.unique(_called(first)), **when}
    if first.index is None:
        keys |= _shortened(first.does)
    else:
        keys |= {"sequence": [_shortened(step.does) for step in steps], "on_end": "pass"}
    yield [origin, *block([keys])]


def _shortened(does: Fields) -> Fields:
    reply = does.get("reply")
    return {**does, "reply": reply["content"]} if reply and list(reply) == ["content"] else does


def _called(fixture: Fixture) -> str:
    """What a stub is called after: what it waits for, else what it does."""
    for key in ("user", "task", "tool_result", "tools", "system"):
        said = fixture.when.get(key)
        text = (
            said
            if isinstance(said, str)
            else said.get("contains") or said.get("id")
            if isinstance(said, Mapping)
            else None
        )
        name = short_name(text)
        if name is not None:
            return name
    return next(iter(fixture.does))
