"""The pytest plugin: a server per worker, a fresh session per test. The server is imported when a test first uses it."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from mockbifrost.pytest_plugin.options import add_options, are_given

if TYPE_CHECKING:
    from mockbifrost.api import MockBifrost, RemoteBifrost, Session
    from mockbifrost.pytest_plugin.sessions import Run, Sessions

_RUN: pytest.StashKey[Run] = pytest.StashKey()
_MARKER = (
    "mockbifrost(scenario=…, cassette=…, seed=…, speed=…, version=…, clock=…, verify=…, ignore=…, exact=…, on_end=…): "
    "what the test's session is and has; files are looked for beside the test, then in the folders of the settings."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and settings."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse options that can't work before any test runs."""
    config.addinivalue_line("markers", _MARKER)
    if are_given(config) and not hasattr(config, "workerinput"):  # a worker of xdist has what was checked already
        from mockbifrost.pytest_plugin.settings import check

        check(config)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Where answers come from, and where they go, when it is not as always."""
    if not are_given(config):
        return None
    from mockbifrost.pytest_plugin.settings import header, options_of

    return header(options_of(config))


@pytest.fixture(scope="session")
def mockbifrost_server(pytestconfig: pytest.Config) -> Iterator[MockBifrost | RemoteBifrost]:
    """One server for all tests of this worker, with the files of `mockbifrost_scenarios`; with `--mockbifrost-url` the one there."""
    from mockbifrost.pytest_plugin.servers import shared_server
    from mockbifrost.pytest_plugin.settings import options_of

    with shared_server(options_of(pytestconfig)) as server:
        yield server


@pytest.fixture
def _mockbifrost_run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """The sessions of this test, judged and finished together."""
    from mockbifrost.pytest_plugin.sessions import Run
    from mockbifrost.pytest_plugin.settings import options_of

    run = Run(request, options_of(request.config))
    request.node.stash[_RUN] = run
    yield run
    fault = run.close()
    if fault:  # not inside `except`, where pytest would show the error twice
        pytest.fail(fault, pytrace=False)


@pytest.fixture
def mockbifrost(_mockbifrost_run: Run) -> Session:
    """A fresh session. A request that nothing answered, or a stub that nothing used, fails the test at its end."""
    session = _mockbifrost_run.own()
    if isinstance(session, str):
        pytest.fail(session, pytrace=False)
    return session


@pytest.fixture
def mockbifrost_sessions(_mockbifrost_run: Run) -> Sessions:
    """Makes further sessions: `mockbifrost_sessions()` is one, with what the marker says but the cassette; all are verified."""
    from mockbifrost.pytest_plugin.sessions import Sessions

    return Sessions(_mockbifrost_run)


@pytest.fixture
def mockbifrost_env(mockbifrost: Session, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Points clients that are told nothing, and child processes, to the session: by the environment, which is put back after the test.

    What was set, by name.
    """
    from mockbifrost.pytest_plugin.environment import point

    return point(mockbifrost, monkeypatch)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Before a server stops, also one of the user's own in the place of ours, ask it for requests that came too late."""
    made = yield
    if fixturedef.argname == "mockbifrost_server":
        from mockbifrost.pytest_plugin.late import take_note

        fixturedef.addfinalizer(lambda: take_note(request.config))
    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the traffic into the report of a test that failed."""
    report = yield
    run = item.stash.get(_RUN, None)
    if run is not None and call.excinfo is not None:
        text = run.failed(report)
        if text:
            report.sections.append(("mockbifrost", text))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Fail a run in which requests came too late; a worker of xdist hands them on."""
    done = yield
    config = session.config
    noted = _noted(config)
    if noted:
        from mockbifrost.pytest_plugin.late import LATE
        from mockbifrost.pytest_plugin.settings import options_of

        output = getattr(config, "workeroutput", None)
        if output is not None:
            output[LATE] = noted
        elif options_of(config).strict and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return done


def _noted(config: pytest.Config) -> list[list[str]]:
    """The late requests of this run, if anybody has taken note of any."""
    if "mockbifrost.pytest_plugin.late" not in sys.modules:
        return []
    from mockbifrost.pytest_plugin.late import NOTED

    return config.stash.get(NOTED, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take what a worker of xdist hands on."""
    from mockbifrost.pytest_plugin.late import LATE, NOTED

    output = getattr(node, "workeroutput", None) or {}
    if not output.get(LATE):
        return
    node.config.stash.setdefault(NOTED, []).extend(output.get(LATE, []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell of requests that came too late, with the test that they belonged to."""
    noted = _noted(config)
    if noted:
        from mockbifrost.pytest_plugin.late import told
        from mockbifrost.pytest_plugin.settings import options_of

        terminalreporter.write_sep("=", "mockbifrost: requests that came too late", red=True)
        terminalreporter.write_line(told(noted, options_of(config).strict))
