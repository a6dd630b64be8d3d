"""A running server for the tests that need no more than one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockbifrost import MockBifrost, Session

SCENARIO = """
version: 1
stubs:
  - name: greeting
    when: {user: hello}
    reply: "Hello to you."
  - name: story
    when: {user: story}
    reply: "Once upon a time there was a small server that told the truth."
"""


@pytest.fixture(scope="package")
def server() -> Iterator[MockBifrost]:
    """A server that waits for nothing; each test has a session of its own."""
    with MockBifrost([SCENARIO]) as running:
        yield running


@pytest.fixture
def session(server: MockBifrost) -> Iterator[Session]:
    """A new session of it, that is not verified."""
    with server.session(verify=False) as opened:
        yield opened
