"""Scenarios and cassettes as Python gives them: files, texts, mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mockbifrost.cassette.interaction import Cassette
from mockbifrost.errors import CassetteError, Finding, ScenarioError
from mockbifrost.scenario.load import load_text
from mockbifrost.scenario.loaded import LoadedScenario
from mockbifrost.scenario.settings_merge import NO_SETTINGS
from mockbifrost.session.sources import read_sources
from mockbifrost.vocabulary.settings import GatewaySettings

Given = str | Path | Mapping[str, object]
"""A file or folder, a text of YAML (it has a line end in it), or a mapping."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was read, in the order given."""

    scenarios: tuple[LoadedScenario, ...]
    cassettes: tuple[Cassette, ...]


def read_all(given: str | Path | Sequence[str | Path], base: GatewaySettings = NO_SETTINGS) -> Read:
    """Files, folders and texts. Raises ScenarioError and CassetteError for whatever can't be used."""
    scenarios: list[LoadedScenario] = []
    cassettes: list[Cassette] = []
    for number, one in enumerate([given] if isinstance(given, str | Path) else given):
        read = read_one(one, f"scenario {number + 1}", 0, base)
        scenarios += read.scenarios
        cassettes += read.cassettes
    return Read(tuple(scenarios), tuple(cassettes))


def read_one(given: Given, source: str, line: int, base: GatewaySettings = NO_SETTINGS) -> Read:
    """One of them; `source` and `line` are where the code gives it, `source` alone what a text is called."""
    if isinstance(given, Mapping):
        return Read((_from_mapping(given, source, line, base),), ())
    if isinstance(given, str) and "\n" in given:
        return Read((load_text(given, name_of_text(source, line), base),), ())
    sources = read_sources([Path(given)], base)
    errors = [problem for problem in sources.problems if problem.severity == "error"]
    if errors:
        raise CassetteError(errors)
    return Read(sources.scenarios, sources.cassettes)


def name_of_text(source: str, line: int) -> str:
    """What messages call a text that the code gives there."""
    return f"the text at {source}:{line}" if line else source


def _from_mapping(data: Mapping[str, object], source: str, line: int, base: GatewaySettings) -> LoadedScenario:
    """A scenario of plain values; all that is wrong with it is wrong where the code loads it."""
    text = text_of(data, source, line)
    try:
        model = load_text(text, source, base).model
    except ScenarioError as error:
        raise ScenarioError([replace(finding, line=line, column=1) for finding in error.findings]) from None
    return LoadedScenario(model, source, (line,) * len(model.stubs))


def text_of(data: Mapping[str, object], source: str, line: int) -> str:
    """A scenario of plain values as YAML. Raises ScenarioError where it holds what no file could."""
    import yaml

    class Writer(yaml.SafeDumper):
        """Quotes every text: what is a text in YAML 1.1 may be a number in 1.2, as `1e5` is."""

    Writer.add_representer(str, lambda writer, text: writer.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
    try:
        return str(yaml.dump(dict(data), Dumper=Writer, sort_keys=False))
    except yaml.YAMLError as error:
        why = ", ".join([str(part) for part in error.args if not isinstance(part, type)]) or type(error).__name__
        raise ScenarioError([Finding(source, line, 1, "", f"the mapping holds what no scenario can: {why}")]) from None
