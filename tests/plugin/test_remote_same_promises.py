"""A session of a server elsewhere keeps the promises of one in this process: the same tests, over the control API."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from types import ModuleType
from typing import Any, Final

import pytest

from mockbifrost import MockBifrost, RemoteBifrost, Session, connect
from tests.plugin import test_api_assertions, test_api_session, test_api_waiting, test_api_when

MODULES: Final = (test_api_session, test_api_when, test_api_assertions, test_api_waiting)

pool = test_api_waiting.pool
LOOK_BEHIND: Final = {
    "test_an_action_on_the_servers_loop_runs_in_its_thread",
    "test_nobody_listens_any_more_who_has_stopped_waiting",
    "test_settings_that_are_loaded_may_name_the_sessions_providers",
    "test_the_server_can_wait_itself",
    "test_what_was_charged_is_in_the_ledger",
}
"""Tests that look at what only this process has."""


@pytest.fixture(scope="module")
def running() -> Iterator[Callable[[Any], RemoteBifrost]]:
    """A server elsewhere for each scenario, started when it is first wanted."""
    with ExitStack() as stack:

        @cache
        def start(scenario: Any) -> RemoteBifrost:
            return stack.enter_context(connect(stack.enter_context(MockBifrost(scenario)).url))

        yield start


@pytest.fixture
def server(request: pytest.FixtureRequest) -> RemoteBifrost:
    """What the file of the test wants of it."""
    module = sys.modules[request.function.__module__]
    running: Callable[[Any], RemoteBifrost] = request.getfixturevalue("running")
    return running(getattr(module, "FILES", ()))


@pytest.fixture
def mock(server: RemoteBifrost) -> Iterator[Session]:
    with server.session(verify=False) as session:
        yield session


def of_a_session(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The tests of a file that hold a session, or the server that they open one at."""
    return {
        name: test
        for name, test in vars(module).items()
        if name.startswith("test_") and {"mock", "server"} & set(inspect.signature(test).parameters)
    }


PROMISES = {module: of_a_session(module) for module in MODULES}
globals().update({name: test for of in PROMISES.values() for name, test in of.items() if name not in LOOK_BEHIND})


def test_all_promises_are_among_them() -> None:
    names = [name for of in PROMISES.values() for name in of]
    assert len(names) == len(set(names)) > 80
    assert set(names) >= LOOK_BEHIND
    assert all(PROMISES.values())
