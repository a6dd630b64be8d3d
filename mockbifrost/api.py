"""What Python users hold: a server in a thread, and the sessions of their tests."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from mockbifrost.cassette.interaction import Cassette
from mockbifrost.cassette.keys import Ignore
from mockbifrost.cassette.record_mode import RecordMode
from mockbifrost.cassette.recordings import Matching, OnEnd, Recordings
from mockbifrost.cassette.redact import Redactor
from mockbifrost.clock import CLOCK_MODES, ClockMode
from mockbifrost.errors import (
    CassetteError,
    Finding,
    MockBifrostError,
    RecordRefusedError,
    ScenarioError,
    ServerStartError,
    SessionFinishedError,
    UsageError,
    VerificationError,
)
from mockbifrost.gateway.ledger import Row
from mockbifrost.scenario.compile import compile_stub
from mockbifrost.scenario.load import identity, load_text, stub_from_mapping
from mockbifrost.scenario.loaded import LoadedScenario
from mockbifrost.scenario.settings_merge import NO_SETTINGS
from mockbifrost.scenario.upstream_model import answerless
from mockbifrost.serve.addresses import BASE, session_path
from mockbifrost.serve.recorder import Recorder, RecordSettings, prepare
from mockbifrost.serve.server import Server
from mockbifrost.serve.settings import ServerSettings
from mockbifrost.serve.upstream_settings import UpstreamSettings, upstream_of
from mockbifrost.session.assembly import Assembly, assemble
from mockbifrost.session.journal import Entry
from mockbifrost.session.loading import load
from mockbifrost.session.registry import Refused
from mockbifrost.session.replaying import ReplayFiles
from mockbifrost.session.session import Session as SessionState
from mockbifrost.session.session import StubState
from mockbifrost.session.sources import read_sources
from mockbifrost.session.verify import verify
from mockbifrost.vocabulary.durations import parse_duration
from mockbifrost.vocabulary.settings import GatewaySettings
from mockbifrost.wire.profiles import ProfileName

T = TypeVar("T")
START_TIMEOUT_S = 30.0
TICK_S = 0.5
LONGEST_S = 1e10
STOPPED = "the server has stopped; start another one, and make the session there"
NO_JOURNAL = "the session's journal is empty: no request has come in yet"


class MockBifrost:
    """A server in a thread of its own. `with MockBifrost() as server:` returns when it listens; leaving stops it.

    Defaults are a fixture's: a free port, the clock fixed, no waiting. `scenarios` are files and folders, of scenarios and of
    cassettes, or texts of YAML that have a line end in them. `ignore`, `exact` and `on_end` say how recordings are matched.
    `upstream` is asked what nothing else answers: an address, or UpstreamSettings; `record_mode` and `cassette` say what is recorded
    of its answers, and where; a `cassette` is played as its mode says. `redact` are patterns of further secrets.
    Raises ScenarioError and CassetteError for files that can't be used, ServerStartError where the port is taken.
    """

    def __init__(
        self,
        scenarios: str | Path | Sequence[str | Path] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int | None = None,
        speed: float = 0.0,
        clock: ClockMode = "fixed",
        version: ProfileName | None = None,
        mock_headers: bool = True,
        exact: bool = False,
        on_end: OnEnd = "miss",
        ignore: Sequence[str] = (),
        upstream: str | UpstreamSettings | None = None,
        record_mode: RecordMode = "none",
        cassette: str | Path | None = None,
        redact: Sequence[str] = (),
        record_errors: bool = False,
    ) -> None:
        self._upstream = upstream_of(upstream) if isinstance(upstream, str) else upstream
        file = Path(cassette) if cassette is not None else None
        self._recording = RecordSettings(file, record_mode, tuple(redact), tuple(ignore), record_errors)
        ends: OnEnd = "miss" if record_mode in ("new_episodes", "all") else on_end
        self._matching = Matching(Ignore(ignore), exact, ends, Redactor(redact).redacted_body)
        self._settings = ServerSettings(
            host=host, port=port, seed=seed, speed=speed, clock=clock, version=version, mock_headers=mock_headers
        )
        self._loaded, cassettes = _loaded(scenarios)
        self._cassettes = [one for one in cassettes if file is None or identity(Path(one.file)) != identity(file)]
        self._assembly = self._assembled(self._cassettes)
        self._server: Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._failures: list[BaseException] = []

    def _assembled(self, cassettes: Sequence[Cassette]) -> Assembly:
        recordings, settings = Recordings(cassettes, self._matching), self._settings
        return assemble(self._loaded, recordings, version=settings.version, keep_seeds=settings.seed is None)

    def _made(self) -> tuple[Server, Recorder | None]:
        """A server on a bound socket, with what it records to."""
        prepared = prepare(self._recording, self._upstream, loopback=self._settings.loopback)
        try:
            assembly = self._assembly
            if prepared.cassette is not None:
                assembly = self._assembled([*self._cassettes, prepared.cassette])
            upstream = self._upstream if prepared.plan.asks else None
            return Server(assembly, self._settings, upstream, prepared.recorder), prepared.recorder
        except BaseException:
            if prepared.recorder is not None:
                prepared.recorder.close()
            raise

    def start(self) -> Self:
        """Start and wait until requests are accepted.

        Raises ServerStartError; CassetteError and RecordRefusedError for a `cassette` that can't be played or recorded to.
        """
        if self._thread is not None:
            raise UsageError("this MockBifrost is running already; make another one, or use its session()")
        server, recorder = self._made()
        self._server = server
        begun = threading.Event()
        failures = self._failures = []

        def ready(loop: asyncio.AbstractEventLoop) -> None:
            self._loop = loop
            begun.set()

        def serve() -> None:
            try:
                server.run(ready)
            except BaseException as error:  # noqa: BLE001 - start() raises it
                failures.append(error)
            finally:
                server.close()
                if recorder is not None:
                    failures.extend(_closed(recorder))  # stop() raises it
                begun.set()

        self._thread = threading.Thread(target=serve, name="mockbifrost", daemon=True)
        self._thread.start()
        begun.wait(START_TIMEOUT_S)
        if self._loop is None:
            self._thread = None
            why = failures[0] if failures else None
            raise ServerStartError(f"The server's thread did not start: {why or 'no sign of life'}.") from why
        return self

    def stop(self) -> None:
        """Stop the server and wait for its thread; safe to call twice. Raises RecordRefusedError where a cassette could not be finished."""
        thread, self._thread = self._thread, None
        if thread is not None and self._server is not None:
            self._server.stop()
            thread.join(START_TIMEOUT_S)
        self._loop = None
        refused = [error for error in self._failures if isinstance(error, RecordRefusedError)]
        self._failures = []
        if refused:
            raise refused[0]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _running(self) -> Server:
        if self._thread is None or self._server is None:
            raise UsageError(
                "this MockBifrost is not running: use it as `with MockBifrost() as server:`, or call start()"
            )
        return self._server

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._running().port

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return self._running().origin

    @property
    def base_url(self) -> str:
        """What a client is given to reach the default session."""
        return self._running().base_url

    def run(self, action: Callable[[], T]) -> T:
        """Run an action on the server's event loop and wait for it: the one way for other threads to touch its state."""
        loop, thread = self._loop, self._thread
        self._running()
        if loop is None or thread is None:
            raise UsageError(STOPPED)
        done: list[T] = []
        failed: list[BaseException] = []
        finished = threading.Event()

        def perform() -> None:
            try:
                done.append(action())
            except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
                failed.append(error)
            finally:
                finished.set()

        try:
            loop.call_soon_threadsafe(perform)
        except RuntimeError:  # the loop is closed
            raise UsageError(STOPPED) from None
        while not finished.wait(TICK_S):
            if not thread.is_alive():
                raise UsageError(STOPPED)
        if failed:
            raise failed[0]
        return done[0]

    @contextmanager
    def session(
        self,
        id: str | None = None,
        *,
        seed: int | None = None,
        clock: ClockMode | None = None,
        version: ProfileName | None = None,
        verify: bool = True,
    ) -> Iterator[Session]:
        """A new session for the length of a block, verified when it is left without an exception.

        `seed` and `version` beat those of the files. Raises UsageError where the session can't be had.
        """
        session = self.open_session(id, seed=seed, clock=clock, version=version)
        try:
            yield session
            if verify:
                session.verify()
        finally:
            session.finish()

    def open_session(
        self,
        id: str | None = None,
        *,
        seed: int | None = None,
        clock: ClockMode | None = None,
        version: ProfileName | None = None,
    ) -> Session:
        """A new session that lasts until it is finished."""
        server = self._running()

        def create() -> SessionState:
            made = server.sessions.create(id, seed=seed, clock=clock, version=version)
            if isinstance(made, Refused):
                raise UsageError(made.message)
            return made

        return Session(self, self.run(create))


def _closed(recorder: Recorder) -> list[MockBifrostError]:
    """Bring the files of a recorder into order; what kept that from being done."""
    try:
        recorder.close()
    except MockBifrostError as error:
        return [error]
    return []


def _loaded(
    scenarios: str | Path | Sequence[str | Path], base: GatewaySettings = NO_SETTINGS
) -> tuple[list[LoadedScenario], list[Cassette]]:
    """Scenarios and cassettes in the order given. Raises for whatever can't be used."""
    found: list[LoadedScenario] = []
    cassettes: list[Cassette] = []
    for number, scenario in enumerate([scenarios] if isinstance(scenarios, str | Path) else scenarios):
        if isinstance(scenario, str) and "\n" in scenario:
            found.append(load_text(scenario, f"scenario {number + 1}", base))
            continue
        sources = read_sources([Path(scenario)], base)
        errors = [problem for problem in sources.problems if problem.severity == "error"]
        if errors:
            raise CassetteError(errors)
        found += sources.scenarios
        cassettes += sources.cassettes
    return found, cassettes


def _from_mapping(data: Mapping[str, Any], source: str, line: int, base: GatewaySettings) -> LoadedScenario:
    """A scenario of plain values; all that is wrong with it is wrong where the code loads it."""
    import yaml

    class Writer(yaml.SafeDumper):
        """Quotes every text: what is a text in YAML 1.1 may be a number in 1.2, as `1e5` is."""

    Writer.add_representer(str, lambda writer, text: writer.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
    try:
        text = yaml.dump(dict(data), Dumper=Writer, sort_keys=False)
    except yaml.YAMLError as error:
        why = ", ".join([str(part) for part in error.args if not isinstance(part, type)]) or type(error).__name__
        raise ScenarioError([Finding(source, line, 1, "", f"the mapping holds what no scenario can: {why}")]) from None
    try:
        model = load_text(text, source, base).model
    except ScenarioError as error:
        raise ScenarioError([replace(finding, line=line, column=1) for finding in error.findings]) from None
    return LoadedScenario(model, source, (line,) * len(model.stubs))


class Session:
    """One test's view of the server: stubs of its own, a clock, a journal. Usable from sync and async tests alike."""

    def __init__(self, server: MockBifrost, state: SessionState) -> None:
        self._server = server
        self._state = state
        self._own: set[str] = set()
        self._pending: dict[str, When] = {}
        self._added = 0
        self._finished = False
        self.clock = SessionClock(self)

    def _run(self, action: Callable[[], T]) -> T:
        if self._finished:
            raise SessionFinishedError(f"session {self.id!r} is finished; use the session of the running test")
        return self._server.run(action)

    @property
    def id(self) -> str:
        """The id, as it stands in the path."""
        return self._state.id

    @property
    def base_url(self) -> str:
        """What a client is given: nothing else is needed to be alone in this session."""
        return self.url + BASE

    @property
    def url(self) -> str:
        """The same without the path of the endpoint."""
        return self._server.url + session_path(self.id)

    @property
    def api_key(self) -> str:
        """A key that also leads to this session, for clients whose base URL can't be set."""
        return f"mb-{self.id}"

    def when(self, **expected: Any) -> When:
        """A new stub: the keys of `when` in the scenario language. Say next what it does: `.reply(…)`, `.error(…)`, …"""
        frame = sys._getframe(1)
        self._added += 1
        stub_id = f"own#{self._added}"
        when = When(self, stub_id, expected, frame.f_code.co_filename, frame.f_lineno)
        self._pending[stub_id] = when
        return when

    def load(self, scenario: str | Path | Mapping[str, Any]) -> None:
        """Add the stubs of a file or folder, of a text of YAML, or of a mapping, in front of the server's.

        The recordings of a cassette are asked after all stubs, before those that were there. A scenario's `gateway` settings override the
        server's in this session. Raises ScenarioError or CassetteError, and nothing is added.
        """
        frame = sys._getframe(1)
        source, line = frame.f_code.co_filename, frame.f_lineno
        base = self._run(lambda: self._state.gateway.settings)
        if isinstance(scenario, Mapping):
            loaded: tuple[LoadedScenario, ...] = (_from_mapping(scenario, source, line, base),)
        elif isinstance(scenario, str) and "\n" in scenario:
            loaded = (load_text(scenario, f"the text at {source}:{line}", base),)
        else:
            files, cassettes = _loaded(scenario, base)
            loaded = tuple(files)
            if cassettes:
                matching = self._server._matching
                self._run(lambda: self._state.play(Recordings(cassettes, matching)))
        self._run(lambda: load(self._state, loaded))

    @property
    def stubs(self) -> tuple[StubState, ...]:
        """All stubs with how often they answered: those added here, then those of the server's files."""
        return tuple(self._run(self._state.stub_states))

    def clear_stubs(self) -> int:
        """Remove the stubs that were added to this session, and say how many; those of the server's files stay.

        Settings of the gateway that were loaded with them stay, too.
        """
        removed = self._run(self._state.clear_stubs)
        self._own.clear()
        self._pending.clear()
        return removed

    @property
    def requests(self) -> tuple[Entry, ...]:
        """All requests so far, oldest first."""
        return self._run(lambda: tuple(self._state.journal))

    @property
    def calls(self) -> tuple[Call, ...]:
        """The requests, grouped into what the application asked for."""
        groups: dict[int, list[Entry]] = {}
        for entry in self.requests:
            groups.setdefault(entry.call, []).append(entry)
        return tuple([Call(number, tuple(entries)) for number, entries in groups.items()])

    @property
    def last(self) -> Entry:
        """The latest request. Raises UsageError where there is none."""
        requests = self.requests
        if not requests:
            raise UsageError(NO_JOURNAL)
        return requests[-1]

    @property
    def ledger(self) -> tuple[Row, ...]:
        """What was charged, by virtual key, provider and model."""
        return tuple(self._run(self._state.gateway_state.ledger.rows))

    def gate(self, name: str) -> Gate:
        """A gate that stubs wait for with `active: {gate: NAME}`; closed at first."""
        return Gate(self, name)

    def reset(self) -> None:
        """Forget what was counted, noted and cached; the stubs stay."""
        self._run(self._state.reset)

    def verify(self) -> None:
        """Raises VerificationError for requests that nothing answered, and for stubs of this session that nothing used."""
        unfinished = [when for when in self._pending.values() if not when.complete]
        if unfinished:
            first = unfinished[0]
            raise UsageError(
                f"the stub at {first.place} does nothing: say `.reply(…)`, `.error(…)` or `.sequence(…)` after when(…)"
            )
        verdict = self._run(lambda: verify(self._state, self._own))
        if verdict.problems:
            raise VerificationError(verdict.text())

    def finish(self) -> None:
        """End the session: later requests for it are refused. Safe to call twice."""
        if self._finished:
            return
        self._finished = True
        server = self._server._server
        if server is None or self._server._thread is None:
            return

        def end() -> None:
            if server.sessions.find(self.id) is self._state:
                server.sessions.finish(self.id)

        self._server.run(end)

    def _put(self, when: When) -> None:
        """(Re)compile a stub of this session and put it into its place. Raises UsageError where it was removed."""
        if when.id not in self._pending:
            raise UsageError(f"the stub at {when.place} was removed by clear_stubs(); say when(…) again for a new one")
        loaded = stub_from_mapping(when.mapping(), when.source, when.line)
        stub = compile_stub(loaded.model, id=when.id, source=when.source, line=when.line, replays=ReplayFiles())
        self._run(lambda: self._state.put(stub))
        if when.needed:
            self._own.add(stub.id)
        else:
            self._own.discard(stub.id)


@dataclass(frozen=True, slots=True)
class Call:
    """What the application asked for once: one request, or more where the client retried."""

    number: int
    requests: tuple[Entry, ...]

    @property
    def status(self) -> int:
        """The status that the application saw in the end."""
        return self.requests[-1].status


class SessionClock:
    """The clock of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def advance(self, duration: str | float) -> None:
        """Move it forward: `"5m"`, or seconds. Raises UsageError for what is no duration."""
        try:
            number = isinstance(duration, (int, float)) and not isinstance(duration, bool)
            seconds = float(duration) if number else parse_duration(duration)
        except (ValueError, OverflowError) as error:
            raise UsageError(f"clock.advance: {error}") from None
        if not 0 <= seconds <= LONGEST_S:
            raise UsageError(
                f"clock.advance: time can't be moved by {duration!r} seconds: only forward, and by years at most"
            )
        self._session._run(lambda: self._session._state.clock.advance(seconds))

    @property
    def mode(self) -> ClockMode:
        """`fixed` moves only by `advance`, `flow` also lets real seconds pass, `real` is wall time. It may be set."""
        return self._session._run(lambda: self._session._state.clock.mode)

    @mode.setter
    def mode(self, mode: ClockMode) -> None:
        if mode not in CLOCK_MODES:
            raise UsageError(f"clock.mode: {mode!r} is no mode of the clock; fixed, flow and real are")
        self._session._run(lambda: self._session._state.clock.set_mode(mode))

    @property
    def elapsed_s(self) -> float:
        """Seconds since the session began, on its clock."""
        return self._session._run(self._session._state.clock.elapsed_s)


class Gate:
    """A gate of a session."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name

    def open(self) -> None:
        """Let the stubs behind it answer."""
        self._set(True)

    def close(self) -> None:
        """Let them step aside again."""
        self._set(False)

    def _set(self, value: bool) -> None:
        gates = self._session._state.gates
        self._session._run(lambda: gates.__setitem__(self._name, value))


class When:
    """A stub in the making. It counts from its behaviour on; what follows (`times`, `active`, …) changes it in place."""

    def __init__(self, session: Session, id: str, expected: Mapping[str, Any], source: str, line: int) -> None:
        self._session = session
        self._written: dict[str, Any] = {"when": dict(expected)} if expected else {}
        self.id = id
        self.source = source
        self.line = line
        self.complete = False

    @property
    def place(self) -> str:
        """Where it was written."""
        return f"{self.source}:{self.line}"

    @property
    def needed(self) -> bool:
        """Whether the test fails when nothing uses it."""
        return self._written.get("required") is not False

    def mapping(self) -> dict[str, Any]:
        """The stub as a scenario file would have it."""
        return dict(self._written)

    def _with(self, key: str, value: Any, *, behaviour: bool = False) -> Self:
        return self._with_all({key: value}, behaviour=behaviour)

    def _with_all(self, keys: Mapping[str, Any], *, behaviour: bool) -> Self:
        before, complete = self._written, self.complete
        self._written = {**before, **keys}
        if behaviour:
            self.complete = True
        if self.complete:
            try:
                self._session._put(self)
            except BaseException:
                self._written, self.complete = before, complete
                raise
        return self

    def reply(self, content: Any = None, **keys: Any) -> Self:
        """The provider answers: a text, or the keys of `reply`."""
        value = {**({"content": content} if content is not None else {}), **keys}
        return self._with("reply", value if keys or content is None else content, behaviour=True)

    def error(self, name: str | None = None, **keys: Any) -> Self:
        """The provider fails: the name of an error, or the keys of `error`."""
        return self._with("error", {**({"name": name} if name is not None else {}), **keys}, behaviour=True)

    def gateway_error(self, name: str | None = None, **keys: Any) -> Self:
        """The gateway refuses: the name of its error, or the keys of `gateway_error`."""
        return self._with("gateway_error", {**({"name": name} if name is not None else {}), **keys}, behaviour=True)

    def sequence(self, *steps: Any, on_end: str | None = None, scope: str | None = None) -> Self:
        """One step after another; each a text (a reply) or a mapping of one behaviour."""
        more = {key: value for key, value in (("on_end", on_end), ("scope", scope)) if value is not None}
        return self._with_all({"sequence": list(steps), **more}, behaviour=True)

    def auto(self) -> Self:
        """An answer made from the request: tools called, formats honoured."""
        return self._with("auto", True, behaviour=True)

    def echo(self) -> Self:
        """The last user message comes back."""
        return self._with("echo", True, behaviour=True)

    def replay(self, cassette: str | Path, interaction: int | str | None = None, **keys: Any) -> Self:
        """A recording answers: its file, seen from this one; `with_` stands for `with`. Raises ScenarioError where there is none."""
        named = {"cassette": str(cassette), **({"interaction": interaction} if interaction is not None else {})}
        return self._with("replay", {**named, **{key.rstrip("_"): item for key, item in keys.items()}}, behaviour=True)

    def forward(self) -> Self:
        """The server's upstream answers."""
        return self._with("forward", True, behaviour=True)

    def raw(self, **keys: Any) -> Self:
        """An HTTP answer written out."""
        return self._with("raw", keys, behaviour=True)

    def times(self, count: int) -> Self:
        """It answers so often at the most."""
        return self._with("times", count)

    def active(self, **conditions: Any) -> Self:
        """When it answers; `from_` stands for `from`, which Python has taken."""
        return self._with("active", {key.rstrip("_"): value for key, value in conditions.items()})

    def per(self, what: str) -> Self:
        """What spends a use: `call` or `attempt`."""
        return self._with("per", what)

    def priority(self, number: int) -> Self:
        """Higher goes first; 0 is the default."""
        return self._with("priority", number)

    def required(self, uses: bool | int = True) -> Self:
        """It must be used: at least once, or exactly so often. False: it need not, though the test added it."""
        return self._with("required", uses)

    def pace(self, name: str | None = None, **keys: Any) -> Self:
        """When the provider says what."""
        return self._with("pace", {**({"name": name} if name is not None else {}), **keys})

    def upstream(self, fault: str | None = None, **settings: Any) -> Self:
        """The provider's connection fails: a fault's name with its settings, or the keys of `upstream`; `for_` stands for `for`."""
        keys = {key.rstrip("_"): value for key, value in settings.items()}
        value = keys if fault is None else {fault: keys} if keys else fault
        return self._with("upstream", value, behaviour=answerless(value) is None)

    def cache(self, outcome: str | None = None, **keys: Any) -> Self:
        """What the gateway's cache makes of it: `hit`, `miss`, or the keys of `cache`."""
        return self._with("cache", keys if outcome is None else {outcome: True, **keys} if keys else outcome)

    def name(self, text: str) -> Self:
        """What messages and headers call it."""
        return self._with("name", text)
