"""Scenarios that are loaded into a session while the server runs: the one way for Python and for the control API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mockbifrost.gateway.configure import reconfigured
from mockbifrost.scenario.loaded import LoadedScenario
from mockbifrost.session.assembly import compiled, merged_settings
from mockbifrost.session.replaying import ReplayFiles
from mockbifrost.session.session import LOADED, Session


def load(session: Session, scenarios: Sequence[LoadedScenario], replays: ReplayFiles | None = None) -> frozenset[str]:
    """Add the stubs of scenarios behind those added before, in front of the files', and lay their settings over the session's.

    `replays` are the cassettes that their stubs name, where they need not be looked for. The ids of the new stubs.
    Raises ScenarioError where settings contradict each other, and nothing is changed.
    """
    settings = merged_settings(scenarios, session.gateway.settings)
    number = session.loads + 1
    found = compiled(scenarios, keep_seeds=True, replays=replays)
    stubs = [replace(stub, id=f"{LOADED}{number}.{place}") for place, stub in enumerate(found)]
    session.gateway = reconfigured(session.gateway, settings, keep_version=not session.own_version)
    session.add(stubs)
    session.loads = number
    return frozenset([stub.id for stub in stubs])
