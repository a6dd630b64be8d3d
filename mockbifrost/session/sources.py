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
from mockbifrost.scenario.load import files_of, identity, load_documents
from mockbifrost.scenario.loaded import LoadedScenario
from mockbifrost.scenario.settings_merge import NO_SETTINGS
from mockbifrost.vocabulary.settings import GatewaySettings

JSON: Final = ".json"


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
    scenarios, cassettes, broken, warnings, seen = (
        list[Path](),
        list[Cassette](),
        list[Finding](),
        list[Finding](),
        set[str](),
    )
    for path in paths:
        for file in files_of(path):
            if isinstance(file, Finding) or not _is_cassette(file):
                scenarios.append(path if isinstance(file, Finding) else file)
            elif (same := identity(file)) not in seen:
                seen.add(same)
                try:
                    cassette = read_cassette(file)
                except CassetteError as error:
                    broken += error.findings
                else:
                    cassettes.append(cassette)
                    warnings += cassette.warnings
    if broken and not scenarios and not cassettes:
        raise CassetteError(broken)
    documents = load_documents(scenarios, base) if scenarios else ()
    return Sources(documents, tuple(cassettes), (*broken, *warnings))


def _is_cassette(path: Path) -> bool:
    """By what is in it; a file that can't be read is left to the reader of scenarios, which says why."""
    try:
        return looks_like_cassette(path.read_bytes())
    except (OSError, ValueError):
        return path.suffix == JSON
