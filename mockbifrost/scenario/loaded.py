"""What was loaded and can be used."""

from __future__ import annotations

from dataclasses import dataclass

from mockbifrost.scenario.model import ScenarioModel, StubModel


@dataclass(frozen=True, slots=True)
class LoadedScenario:
    """A scenario that can be used: the model, its source as it was given, and the line of each stub."""

    model: ScenarioModel
    source: str
    stub_lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LoadedStub:
    """A stub that did not come from a file of its own: `source` and `line` are where the code adds it."""

    model: StubModel
    source: str
    line: int
