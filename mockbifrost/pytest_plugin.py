"""The pytest plugin: a server per worker, a fresh session per test. The server is imported when a test first uses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from mockbifrost.errors import MockBifrostError

if TYPE_CHECKING:
    from mockbifrost.api import MockBifrost, Session


@pytest.fixture(scope="session")
def mockbifrost_server() -> Iterator[MockBifrost]:
    """One server for all tests of this worker, without scenarios of its own."""
    from mockbifrost.api import MockBifrost

    with MockBifrost() as server:
        yield server


@pytest.fixture
def mockbifrost(mockbifrost_server: MockBifrost) -> Iterator[Session]:
    """A fresh session. A request that nothing answered, or a stub that nothing used, fails the test at its end."""
    with mockbifrost_server.session(verify=False) as session:
        yield session
        fault = None
        try:
            session.verify()
        except MockBifrostError as error:
            fault = str(error)
        if fault is not None:  # not inside `except`, where pytest would show the error twice
            pytest.fail(fault, pytrace=False)
