"""From scenario files to what sessions begin with: shared files, sessions of their own, settings that agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mockbifrost.cassette.recordings import NO_RECORDINGS, Recordings
from mockbifrost.errors import ScenarioError
from mockbifrost.gateway.configure import gateway_of
from mockbifrost.scenario.compile import compile_stub
from mockbifrost.scenario.loaded import LoadedScenario
from mockbifrost.scenario.settings_merge import NO_SETTINGS, settings_of
from mockbifrost.scenario.stubs import Layer, Stub
from mockbifrost.session.registry import Blueprint
from mockbifrost.session.replaying import ReplayFiles
from mockbifrost.vocabulary.settings import GatewaySettings
from mockbifrost.wire.profiles import ProfileName


@dataclass(frozen=True, slots=True)
class Assembly:
    """What all sessions share, and what those with files of their own have."""

    common: Blueprint
    named: Mapping[str, Blueprint]


def assemble(
    scenarios: Sequence[LoadedScenario],
    recordings: Recordings = NO_RECORDINGS,
    *,
    version: ProfileName | None = None,
    keep_seeds: bool = True,
) -> Assembly:
    """Compile all files. `version` beats theirs; `keep_seeds` False: the server's seed beats theirs. All sessions have the recordings.

    Raises ScenarioError where the settings of one session contradict each other, or name what is not there.
    """
    shared = [scenario for scenario in scenarios if scenario.model.session is None]
    names = sorted({scenario.model.session for scenario in scenarios if scenario.model.session is not None})
    shared_settings = merged_settings(shared)
    stubs = compiled(shared, keep_seeds)
    common = Blueprint(Layer(stubs, lasting=True), gateway_of(shared_settings, version), recordings)
    named: dict[str, Blueprint] = {}
    for name in names:
        own = [scenario for scenario in scenarios if scenario.model.session == name]
        settings = merged_settings(own, shared_settings).laid_over(shared_settings)
        named[name] = Blueprint(
            Layer([*compiled(own, keep_seeds), *stubs], lasting=True), gateway_of(settings, version), recordings
        )
    return Assembly(common, named)


def compiled(scenarios: Iterable[LoadedScenario], keep_seeds: bool, replays: ReplayFiles | None = None) -> list[Stub]:
    """The stubs of all files, in order. Raises ScenarioError for a recording that is not there."""
    found: list[Stub] = []
    replays = replays or ReplayFiles()
    for scenario in scenarios:
        model = scenario.model
        for number, (stub, line) in enumerate(zip(model.stubs, scenario.stub_lines, strict=True)):
            found.append(
                compile_stub(
                    stub,
                    id=f"{scenario.source}#{number}",
                    source=scenario.source,
                    line=line,
                    seed=model.seed if keep_seeds else None,
                    defaults=model.defaults,
                    replays=replays,
                )
            )
    return found


def merged_settings(scenarios: Sequence[LoadedScenario], base: GatewaySettings = NO_SETTINGS) -> GatewaySettings:
    """What files that share a session say together; `base` is what it will be laid over. Raises ScenarioError."""
    settings, findings = settings_of([(scenario, None) for scenario in scenarios], base)
    if findings:
        raise ScenarioError(findings)
    return settings
