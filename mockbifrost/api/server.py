"""A server in this process, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from mockbifrost.api.link import LocalLink
from mockbifrost.api.loading import read_all
from mockbifrost.api.session import Session
from mockbifrost.api.sessions import AnyServer, Opening
from mockbifrost.cassette.interaction import Cassette
from mockbifrost.cassette.keys import Ignore
from mockbifrost.cassette.record_mode import RecordMode
from mockbifrost.cassette.recordings import Matching, OnEnd, Recordings
from mockbifrost.cassette.redact import Redactor
from mockbifrost.clock import ClockMode
from mockbifrost.errors import MockBifrostError, RecordRefusedError, ServerStartError, UsageError
from mockbifrost.scenario.load import identity
from mockbifrost.serve.addresses import session_path
from mockbifrost.serve.recorder import Recorder, RecordSettings, prepare
from mockbifrost.serve.server import Server
from mockbifrost.serve.settings import ServerSettings, checked_speed
from mockbifrost.serve.upstream_settings import UpstreamSettings, upstream_of
from mockbifrost.session.assembly import Assembly, assemble
from mockbifrost.session.registry import LateRequest, Refused
from mockbifrost.session.session import Session as SessionState
from mockbifrost.wire.profiles import ProfileName

T = TypeVar("T")
START_TIMEOUT_S: Final = 30.0
TICK_S: Final = 0.5
STOPPED: Final = "the server has stopped; start another one, and make the session there"


class MockBifrost(AnyServer):
    """A server in a thread of its own. `with MockBifrost() as server:` returns when it listens; leaving stops it. So does `async with`.

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
        read = read_all(scenarios)
        self._loaded = read.scenarios
        self._cassettes = [one for one in read.cassettes if file is None or identity(Path(one.file)) != identity(file)]
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
            server = Server(assembly, self._settings, upstream, prepared.recorder, matching=self._matching)
            return server, prepared.recorder
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

    async def __aenter__(self) -> Self:
        return await _apart(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await _apart(self.stop)

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

    def _open(self, opening: Opening) -> Session:
        server = self._running()
        if opening.speed is not None:
            checked_speed(opening.speed)
        usual = self._matching
        matching = replace(
            usual,
            ignore=usual.ignore if opening.ignore is None else Ignore(opening.ignore),
            exact=usual.exact if opening.exact is None else opening.exact,
            on_end=usual.on_end if opening.on_end is None else opening.on_end,
        )

        def create() -> SessionState:
            made = server.sessions.create(
                opening.id, seed=opening.seed, clock=opening.clock, version=opening.version, speed=opening.speed
            )
            if isinstance(made, Refused):
                raise UsageError(made.message)
            return made

        state = self.run(create)
        url = self.url + session_path(state.id)
        return Session(LocalLink(state, url, matching, self.run, self._finish, self._late))

    def _finish(self, state: SessionState) -> None:
        """End a session, if it is still there."""
        server = self._server
        if server is None or self._thread is None:
            return

        def end() -> None:
            if server.sessions.find(state.id) is state:
                server.sessions.finish(state.id)

        self.run(end)

    def _late(self, state: SessionState) -> tuple[LateRequest, ...]:
        """What came for a session after its end, as long as the server remembers."""
        server = self._server
        if server is None:
            return ()
        if self._thread is None:
            return server.sessions.late(state.id)
        return self.run(lambda: server.sessions.late(state.id))


async def _apart(action: Callable[[], T]) -> T:
    """Run it in another thread to its end, whatever becomes of the caller: the caller's loop, of any kind, goes on meanwhile."""
    from anyio import CancelScope, to_thread  # starlette brings it; only those who wait for a server need it

    with CancelScope(shield=True):
        found = await to_thread.run_sync(action)
    return found


def _closed(recorder: Recorder) -> list[MockBifrostError]:
    """Bring the files of a recorder into order; what kept that from being done."""
    try:
        recorder.close()
    except MockBifrostError as error:
        return [error]
    return []
