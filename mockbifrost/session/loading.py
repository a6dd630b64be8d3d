"""Scenarios that are loaded into a session while the server runs: the one way for Python and for the control API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mockbifrost.gateway.configure import reconfigured
from mockbifrost.scenario.loaded import LoadedScenario
from mockbifrost.session.assembly import compiled, merged_settings
from mockbifrost.session.session import Session


def load(session: Session, scenarios: Sequence[LoadedScenario]) -> frozenset[str]:
    """Add the stubs of scenarios behind those added before, in front of the files', and lay their settings over the session's.

    The ids of the new stubs. Raises ScenarioError where settings contradict each other, and nothing is changed.
    """
    settings = merged_settings(scenarios, session.gateway.settings)
    number = session.loads + 1
    stubs = [
        replace(stub, id=f"loaded#{number}.{place}") for place, stub in enumerate(compiled(scenarios, keep_seeds=True))
    ]
    session.gateway = reconfigured(session.gateway, settings, keep_version=not session.own_version)
    session.add(stubs)
    session.loads = number
    return frozenset([stub.id for stub in stubs])
