"""The sessions of one test: opened as its marker says, judged and finished together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from mockbifrost.api import AnyServer, MockBifrost, Session
from mockbifrost.errors import MockBifrostError, SessionFinishedError
from mockbifrost.pytest_plugin.cassettes import own_file
from mockbifrost.pytest_plugin.late import ended
from mockbifrost.pytest_plugin.marker import (
    Given,
    Marked,
    checked,
    found_file,
    has_own_cassette,
    marked,
    place_to_record,
)
from mockbifrost.pytest_plugin.report import traffic, unanswered
from mockbifrost.pytest_plugin.settings import Options
from mockbifrost.wire.redact import redact_text

if TYPE_CHECKING:
    from mockbifrost.cassette.recordings import OnEnd
    from mockbifrost.clock import ClockMode
    from mockbifrost.wire.profiles import ProfileName

_OF_A_SESSION: Final = ("seed", "speed", "clock", "version", "ignore", "exact", "on_end")


@dataclass(slots=True)
class _Held:
    """A session of the test. `cassette`: its own, of which all must be played; `recorder`: the server that records it."""

    session: Session
    verify: bool
    cassette: Path | None = None
    recorder: MockBifrost | None = None


class Run:
    """All sessions of a test, from its beginning to its end."""

    def __init__(self, request: pytest.FixtureRequest, options: Options) -> None:
        self._request = request
        self._item: pytest.Item = request.node
        self._options = options
        self._held: list[_Held] = []
        self._failed = False
        self._traffic = ""

    def own(self) -> Session | str:
        """The session of the test, with its cassette; a text: why it can't be had."""
        try:
            said = marked(self._item)
            return self._open(said, self._cassette_of(said))
        except MockBifrostError as error:
            return str(error)

    def further(self, given: dict[str, Any]) -> Session:
        """One more session: what the marker says, with what is given laid over it. Raises UsageError, ScenarioError and CassetteError."""
        said = replace(marked(self._item), cassette=None)
        more = checked(given, f"mockbifrost_sessions() of {self._item.nodeid}")
        said = replace(said, **{key: value for key, value in _fields(more).items() if value is not None})
        cassette = None
        if said.cassette is not None:
            cassette = _Cassette(found_file(said.cassette, "cassette", self._item, self._options), own=True)
        return self._open(said, cassette)

    def _cassette_of(self, said: Marked) -> _Cassette | None:
        """What the test plays or records: what its markers name, else the one named after it."""
        item, options = self._item, self._options
        recording = options.record != "none"
        if said.cassette is not None:
            named = place_to_record if recording else _to_play
            path = named(said.cassette, item, options)
            own = has_own_cassette(item)
        else:
            classes = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
            path = own_file(item.path, ".".join([*classes, item.name]), options.cassettes, options.root)
            own = True
        if recording and not (options.record == "once" and _holds_something(path)):
            return _Cassette(path, own=own and options.record == "new_episodes", record=True)
        return _Cassette(path, own=own) if path.exists() else None

    def _open(self, said: Marked, cassette: _Cassette | None) -> Session:
        options = self._options
        settings = {key: value for key, value in _fields(said).items() if key in _OF_A_SESSION and value is not None}
        recorder = None
        server: AnyServer
        if cassette is not None and cassette.record:
            from mockbifrost.pytest_plugin.servers import recording_server

            server = recorder = recording_server(options, said, cassette.path).start()
        else:
            server = self._request.getfixturevalue("mockbifrost_server")
            if options.url is not None:  # what the servers of this process have anyway
                settings = {"seed": options.seed, "speed": 0.0, "clock": "fixed", **settings}
        try:
            session = server.open_session(**settings)
        except BaseException:
            if recorder is not None:
                recorder.stop()
            raise
        verify = options.verify and (options.strict if said.verify is None else said.verify)
        held = _Held(session, verify, cassette.path if cassette is not None and cassette.own else None, recorder)
        self._held.append(held)
        for given in said.scenarios:
            path = found_file(given, "scenario", self._item, options)
            if options.url is not None or not _among(path, options.scenarios):
                session.load(path)
        if cassette is not None and not cassette.record:
            session.load(cassette.path)
        return session

    def failed(self, report: pytest.TestReport) -> str:
        """What the report of a phase that raised says of the sessions; nothing where it did not fail."""
        if report.when == "teardown":
            return self._traffic
        self._failed = True
        if not report.failed or not self._held:
            return ""
        if report.when == "setup" and not any(_asked(held.session) for held in self._held):
            return ""
        problems = [problem for held in self._held for problem in _problems(held)]
        return redact_text("\n\n".join([self._told(), *problems]))

    def close(self) -> str:
        """Judge and finish all sessions. What is wrong; nothing where the test failed by itself already."""
        problems: list[str] = []
        if not self._failed:
            for held in self._held:
                if held.verify:
                    problems += _problems(held)
            if problems:
                self._traffic = redact_text(self._told())
        for held in reversed(self._held):
            problems += _ended(held, self._request.config, self._item.nodeid)
        return redact_text("\n\n".join(problems))

    def _told(self) -> str:
        return "\n".join([traffic(held.session, self._options.root) for held in self._held])


@dataclass(frozen=True, slots=True)
class _Cassette:
    """`own`: all of it must be played; `record`: it is recorded to."""

    path: Path
    own: bool
    record: bool = False


class Sessions:
    """Makes sessions for a test that needs more than one."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __call__(
        self,
        *,
        scenario: Given | list[Given] | None = None,
        cassette: Given | None = None,
        seed: int | None = None,
        speed: float | None = None,
        version: ProfileName | None = None,
        clock: ClockMode | None = None,
        verify: bool | None = None,
        ignore: list[str] | None = None,
        exact: bool | None = None,
        on_end: OnEnd | None = None,
    ) -> Session:
        """A fresh session; the arguments beat those of the test's markers. Raises UsageError, ScenarioError and CassetteError."""
        given = {key: value for key, value in locals().items() if key != "self"}
        return self._run.further(given)


def _fields(said: Marked) -> dict[str, Any]:
    return {field.name: getattr(said, field.name) for field in fields(said)}


def _to_play(given: Given, item: pytest.Item, options: Options) -> Path:
    return found_file(given, "cassette", item, options)


def _holds_something(path: Path) -> bool:
    """Whether a cassette has an interaction. Raises CassetteError where it can't be read."""
    from mockbifrost.cassette.format import read_cassette

    return path.exists() and bool(read_cassette(path).interactions)


def _among(path: Path, loaded: tuple[Path, ...]) -> bool:
    """Whether all sessions have that file already."""
    here = path.resolve()
    return any(here == one.resolve() or one.resolve() in here.parents for one in loaded)


def _problems(held: _Held) -> list[str]:
    """What is wrong with a session; of one that is not verified only what nothing answered."""
    session = held.session
    if not held.verify:
        return unanswered(session)
    problems: list[str] = []
    try:
        session.verify()
    except SessionFinishedError:  # by the test itself
        return []
    except MockBifrostError as error:
        problems.append(str(error))
    if held.cassette is not None:
        problems += _unplayed(session, held.cassette)
    return problems


def _asked(session: Session) -> bool:
    """Whether anything came in, as far as can be told."""
    try:
        return bool(session.requests)
    except MockBifrostError:
        return False


def _unplayed(session: Session, cassette: Path) -> list[str]:
    places = [place for place in session.unplayed if place.file == str(cassette)]
    if not places:
        return []
    labels = "\n".join([f"  {place.label} ({place.file}:{place.line})" for place in places])
    return [
        f"{len(places)} of the recordings in the test's own cassette were never played:\n{labels}\n"
        "  do: check why the code asks less than it did; if that is meant, remove them, or remove the file and record it again"
    ]


def _ended(held: _Held, config: pytest.Config, test: str) -> list[str]:
    """Finish a session, and stop what recorded it. What kept that from being done."""
    problems: list[str] = []
    steps: list[Callable[[], object]] = [held.session.finish]
    if held.recorder is not None:
        steps.append(held.recorder.stop)
    else:
        ended(config, test, held.session)
    for step in steps:
        try:
            step()
        except MockBifrostError as error:
            problems.append(str(error))
    return problems
