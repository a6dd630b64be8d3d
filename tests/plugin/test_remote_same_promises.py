"""A session of a server elsewhere keeps the promises of one in this process: the same tests, over the control API."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final

import pytest

from mockbifrost import MockBifrost, RemoteBifrost, Session, connect
from tests.plugin import (
    test_api_assertions,
    test_api_language,
    test_api_requests,
    test_api_session,
    test_api_snapshot,
    test_api_waiting,
    test_api_when,
)
from tests.plugin.test_api_assertions import seen
from tests.plugin.test_api_waiting import pool

__all__ = ["pool", "seen"]

LOOK_BEHIND: Final = {
    "test_an_action_on_the_servers_loop_runs_in_its_thread",
    "test_nobody_listens_any_more_who_has_stopped_waiting",
    "test_settings_that_are_loaded_may_name_the_sessions_providers",
    "test_the_server_can_wait_itself",
    "test_what_was_charged_is_in_the_ledger",
    "test_settings_are_laid_over_the_sessions",
    "test_after_a_rollback_all_goes_on_as_it_did_after_the_snapshot",
    "test_what_is_said_is_what_the_stub_says",
}
"""Tests that look at what only this process has."""


@pytest.fixture(scope="module")
def with_files() -> Iterator[RemoteBifrost]:
    with MockBifrost(test_api_session.FILES) as running, connect(running.url) as remote:
        yield remote


@pytest.fixture(scope="module")
def with_everything() -> Iterator[RemoteBifrost]:
    with MockBifrost(test_api_snapshot.FILES) as running, connect(running.url) as remote:
        yield remote


@pytest.fixture(scope="module")
def without_files() -> Iterator[RemoteBifrost]:
    with MockBifrost() as running, connect(running.url) as remote:
        yield remote


@pytest.fixture
def server(request: pytest.FixtureRequest) -> RemoteBifrost:
    """What the file of the test wants of it."""
    wanted = {test_api_session.__name__: "with_files", test_api_snapshot.__name__: "with_everything"}
    found: RemoteBifrost = request.getfixturevalue(wanted.get(request.function.__module__, "without_files"))
    return found


@pytest.fixture
def mock(server: RemoteBifrost) -> Iterator[Session]:
    with server.session(verify=False) as session:
        yield session


def of_a_session(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The tests of a file that hold a session, or the server that they open one at."""
    return {
        name: test
        for name, test in vars(module).items()
        if name.startswith("test_") and {"mock", "seen", "server"} & set(inspect.signature(test).parameters)
    }


FILES: Final = (
    test_api_session,
    test_api_when,
    test_api_language,
    test_api_requests,
    test_api_snapshot,
    test_api_assertions,
    test_api_waiting,
)
TESTS: Final = [(name, test) for file in FILES for name, test in of_a_session(file).items()]
globals().update({name: test for name, test in TESTS if name not in LOOK_BEHIND})


def test_all_promises_are_among_them() -> None:
    names = [name for name, _test in TESTS]

    assert set(names) >= LOOK_BEHIND
    assert len(names) == len(set(names))
    assert all(len(of_a_session(file)) > 5 for file in FILES)
    assert len(names) > 80
