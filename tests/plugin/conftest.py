"""A server for a file of tests, and a session of it for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockbifrost import MockBifrost, Session


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[MockBifrost]:
    """With the scenario that the file of tests has as FILES, if it has one."""
    with MockBifrost(getattr(request.module, "FILES", ())) as running:
        yield running


@pytest.fixture
def mock(server: MockBifrost) -> Iterator[Session]:
    with server.session(verify=False) as session:
        yield session
