"""The pytest plugin: a server per worker, a fresh session per test. Nothing of the server is imported before a test uses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

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
    """A fresh session. At its end the test fails, with the explanation, on a request that nothing answered or a stub that nothing used."""
    with mockbifrost_server.session() as session:
        yield session
