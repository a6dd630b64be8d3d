"""Files that were sent to a session from elsewhere: their texts and names, for the files themselves may lie on another machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from mockbifrost.cassette.format import read_text
from mockbifrost.cassette.interaction import Cassette
from mockbifrost.cassette.recordings import Matching, Recordings
from mockbifrost.errors import CassetteError, Finding, ScenarioError
from mockbifrost.scenario.compile import NO_DEFAULTS, compile_stub
from mockbifrost.scenario.load import load_texts
from mockbifrost.scenario.loaded import LoadedScenario, LoadedStub
from mockbifrost.scenario.model import DefaultsModel
from mockbifrost.session.loading import load
from mockbifrost.session.replaying import ReplayFiles
from mockbifrost.session.session import Session
from mockbifrost.vocabulary.settings import GatewaySettings

Use = Literal["scenario", "cassette", "replay"]
"""Its stubs are added; its recordings are played; it is kept for stubs whose `replay` names it."""
USES: Final = ("scenario", "cassette", "replay")


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of the sender. With a `line` it is no file, but was given there in the file of that name, as all messages say."""

    name: str
    text: str
    use: Use = "scenario"
    line: int = 0


def take(session: Session, files: Sequence[SentFile], matching: Matching) -> tuple[frozenset[str], int]:
    """Use all files, as if they lay here. The ids of the new stubs, and how many recordings there are more.

    Raises ScenarioError, or CassetteError where only cassettes are wrong, and nothing is changed.
    """
    scenarios = _scenarios([file for file in files if file.use == "scenario"], session.gateway.settings)
    played, broken = _cassettes([file for file in files if file.use == "cassette"])
    kept, also_broken = _cassettes([file for file in files if file.use == "replay"])
    if broken or also_broken:
        raise CassetteError([*broken, *also_broken])
    named = {Path(cassette.file): cassette for cassette in kept}
    ids = load(session, scenarios, ReplayFiles({**session.kept, **named})) if scenarios else frozenset[str]()
    session.keep(named)
    recordings = Recordings(played, matching)
    if played:
        session.play(recordings)
    return ids, len(recordings)


def put(session: Session, id: str, stub: LoadedStub, defaults: DefaultsModel = NO_DEFAULTS) -> None:
    """Compile a stub and put it into the place of the one with that id. Raises ScenarioError."""
    replays = ReplayFiles(session.kept)
    session.put(compile_stub(stub.model, id=id, source=stub.source, line=stub.line, defaults=defaults, replays=replays))


def _scenarios(files: Sequence[SentFile], base: GatewaySettings) -> tuple[LoadedScenario, ...]:
    lines = {file.name: file.line for file in files if file.line}
    try:
        found = load_texts([(file.text, file.name) for file in files], base)
    except ScenarioError as error:
        raise ScenarioError([_at(finding, lines.get(finding.source, 0)) for finding in error.findings]) from None
    return tuple(
        [
            replace(scenario, stub_lines=(file.line,) * len(scenario.stub_lines)) if file.line else scenario
            for scenario, file in zip(found, files, strict=True)
        ]
    )


def _at(finding: Finding, line: int) -> Finding:
    return replace(finding, line=line, column=1) if line else finding


def _cassettes(files: Sequence[SentFile]) -> tuple[list[Cassette], list[Finding]]:
    """Those that can be used, and what is wrong with the others."""
    found: list[Cassette] = []
    broken: list[Finding] = []
    for file in files:
        try:
            found.append(read_text(file.text.encode("utf-8", "surrogatepass"), file.name))
        except CassetteError as error:
            broken += error.findings
    return found, broken
