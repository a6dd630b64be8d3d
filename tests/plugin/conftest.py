"""A server for a file of tests, and a session of it for each test; a place for runs of pytest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockbifrost import MockBifrost, Session
from tests.plugin.running import ASK, ROOT


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[MockBifrost]:
    """With the scenario that the file of tests has as FILES, if it has one."""
    with MockBifrost(getattr(request.module, "FILES", ())) as running:
        yield running


@pytest.fixture
def mock(server: MockBifrost) -> Iterator[Session]:
    with server.session(verify=False) as session:
        yield session


@pytest.fixture
def runs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A place for test files, which can ask sessions; the plugin is loaded there as an installed one is, and nothing else."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(helper=ASK)
    pytester.syspathinsert()
    return pytester
