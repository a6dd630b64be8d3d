"""Files that a server is given: scenarios and cassettes, told apart by what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mockbifrost.cassette.format import looks_like_cassette, read_cassette
from mockbifrost.cassette.interaction import Cassette
from mockbifrost.errors import CassetteError, Finding
from mockbifrost.scenario.document import Document
from mockbifrost.scenario.load import LARGEST_BYTES, files_of, identity, load_documents
from mockbifrost.scenario.loaded import LoadedScenario
from mockbifrost.scenario.settings_merge import NO_SETTINGS
from mockbifrost.vocabulary.settings import GatewaySettings

QUARANTINE: Final = ".errors.yaml"
"""How files of interactions are called that ended badly while they were recorded."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What could be read, in the order given. `problems` are cassettes that can't be used, and what was left out of others."""

    documents: tuple[tuple[LoadedScenario, Document], ...]
    cassettes: tuple[Cassette, ...]
    problems: tuple[Finding, ...]

    @property
    def scenarios(self) -> tuple[LoadedScenario, ...]:
        """The scenarios alone."""
        return tuple([scenario for scenario, _document in self.documents])


def read_sources(paths: Sequence[Path], base: GatewaySettings = NO_SETTINGS) -> Sources:
    """Read files and folders. A cassette that is broken keeps no other from being played.

    Raises ScenarioError for a scenario that can't be used, and CassetteError where no path holds anything else.
    """
    scenarios, tapes = told_apart(paths)
    cassettes, broken = read_cassettes(tapes)
    if broken and not scenarios and not cassettes:
        raise CassetteError(broken)
    warnings = [warning for cassette in cassettes for warning in cassette.warnings]
    documents = load_documents(scenarios, base) if scenarios else ()
    return Sources(documents, tuple(cassettes), (*broken, *warnings))


def told_apart(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The files of scenarios, and those of cassettes; each once, in the order given.

    Of a folder, what recorders put aside because it ended badly is left out.
    """
    scenarios: list[Path] = []
    cassettes: dict[str, Path] = {}
    for path in paths:
        for file in files_of(path):
            if isinstance(file, Finding):
                scenarios.append(path)  # whoever reads it says what is wrong
            elif _is_cassette(file):
                if file == path or not file.name.endswith(QUARANTINE):
                    cassettes.setdefault(identity(file), file)
            else:
                scenarios.append(file)
    return scenarios, list(cassettes.values())


def read_cassettes(files: Sequence[Path]) -> tuple[list[Cassette], list[Finding]]:
    """Those that can be played, and what is wrong with the others."""
    found: list[Cassette] = []
    broken: list[Finding] = []
    for file in files:
        try:
            found.append(read_cassette(file))
        except CassetteError as error:
            broken += error.findings
    return found, broken


def _is_cassette(path: Path) -> bool:
    """By what is in it; a file that can't be read is left to the reader of scenarios, which says why."""
    try:
        with path.open("rb") as file:
            return looks_like_cassette(file.read(LARGEST_BYTES))
    except (OSError, ValueError):
        return False
