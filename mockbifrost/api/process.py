"""A server in a process of its own on this machine, started and stopped from here."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import sysconfig
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import IO, Final, Self

from mockbifrost.api.remote import RemoteBifrost
from mockbifrost.api.session import Session
from mockbifrost.api.sessions import AnyServer, Opening
from mockbifrost.cassette.record_mode import RecordMode
from mockbifrost.cassette.recordings import OnEnd
from mockbifrost.clock import ClockMode
from mockbifrost.errors import ServerStartError, UsageError
from mockbifrost.serve.addresses import CONTROL_TOKEN, origin_of
from mockbifrost.serve.upstream_settings import UPSTREAM_KEY, UpstreamSettings, key_from_environment
from mockbifrost.wire.profiles import ProfileName

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 10.0
LINES_KEPT: Final = 200
"""So many of the last lines are kept of what the server writes."""
PACKAGE: Final = Path(__file__).resolve().parents[2]
"""Where the package lies: the other process must find the same."""
NOTHING: Final = "version: 1\nstubs: []\n"
"""What is served where nothing is given: as in this process, nothing is answered that no stub answers."""


class MockBifrostProcess(AnyServer):
    """A server in a process of its own. `with MockBifrostProcess() as server:` returns when it listens; leaving stops it.

    What it takes means the same as for MockBifrost, and so do its defaults. The process never outlives this one. `token` is what the
    control API wants where `host` is not loopback; left out, what MOCKBIFROST_CONTROL_TOKEN holds.
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
        lenient: bool = False,
        exact: bool = False,
        on_end: OnEnd = "miss",
        ignore: Sequence[str] = (),
        upstream: str | UpstreamSettings | None = None,
        record_mode: RecordMode = "none",
        cassette: str | Path | None = None,
        redact: Sequence[str] = (),
        record_errors: bool = False,
        token: str | None = None,
    ) -> None:
        self._scenarios = [scenarios] if isinstance(scenarios, str | Path) else list(scenarios)
        self._host = host
        self._token = token if token is not None else os.environ.get(CONTROL_TOKEN) or None
        self._upstream_key = upstream.key if isinstance(upstream, UpstreamSettings) else key_from_environment()
        named = {
            "host": host,
            "port": port,
            "speed": speed,
            "clock": clock,
            "on-end": on_end,
            "record-mode": record_mode,
            "seed": seed,
            "gateway-version": version,
            "cassette": cassette,
            **_upstream(upstream),
        }
        switches = {
            "no-mock-headers": not mock_headers,
            "lenient": lenient,
            "exact": exact,
            "record-errors": record_errors,
        }
        self._options = [
            "--until-stdin-ends",
            *[f"--{name}={value}" for name, value in named.items() if value is not None],
            *[f"--{name}" for name, on in switches.items() if on],
            *[f"--ignore={one}" for one in ignore],
            *[f"--redact={one}" for one in redact],
        ]
        self._child: _Child | None = None
        self._remote: RemoteBifrost | None = None

    def start(self) -> Self:
        """Start and wait until requests are accepted. Raises ServerStartError with what the process says of it."""
        if self._child is not None:
            raise UsageError("this MockBifrostProcess is running already; make another one, or use its session()")
        with TemporaryDirectory(prefix="mockbifrost-") as folder:
            port_file = Path(folder, "port")
            paths = list(_paths(self._scenarios, Path(folder)))
            command = [
                sys.executable,
                "-m",
                "mockbifrost",
                "serve",
                *self._options,
                f"--port-file={port_file}",
                "--",
                *paths,
            ]
            child = _Child(command, self._environment())
            try:
                child.wait_until_ready()
                port = int(port_file.read_text(encoding="utf-8"))
            except BaseException:
                child.stop()
                raise
        self._remote = RemoteBifrost(origin_of(self._host, port), self._token)
        self._child = child
        atexit.register(self.stop)
        return self

    def _environment(self) -> dict[str, str]:
        """That of this process, but without settings of the mock: all that counts is said here."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MOCKBIFROST_")}
        secrets = {CONTROL_TOKEN: self._token, UPSTREAM_KEY: self._upstream_key}
        found = kept | {name: value for name, value in secrets.items() if value}
        if str(PACKAGE) not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
            found["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PACKAGE), kept.get("PYTHONPATH")]))
        return found

    def stop(self) -> None:
        """Stop the process and wait for its end; safe to call twice. A process that was forked leaves it to its parent."""
        child, self._child = self._child, None
        remote, self._remote = self._remote, None
        atexit.unregister(self.stop)
        if child is None or remote is None or not child.is_ours:
            return
        remote.close()
        child.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _running(self) -> tuple[_Child, RemoteBifrost]:
        if self._child is None or self._remote is None:
            raise UsageError(
                "this MockBifrostProcess is not running: use it as `with MockBifrostProcess() as server:`, or call start()"
            )
        return self._child, self._remote

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._running()[0].pid

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._running()[1].port

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return self._running()[1].url

    @property
    def output(self) -> str:
        """The last lines that it wrote to stderr: each request that nothing answered is explained there."""
        return self._running()[0].complaints()

    def _open(self, opening: Opening) -> Session:
        return self._running()[1]._open(opening)


def _upstream(upstream: str | UpstreamSettings | None) -> dict[str, str | float]:
    """The options that name an upstream."""
    if upstream is None:
        return {}
    if isinstance(upstream, str):
        return {"upstream": upstream}
    return {"upstream": upstream.url, "upstream-kind": upstream.kind, "timeout": upstream.timeout_s}


def _paths(scenarios: Sequence[str | Path], folder: Path) -> list[str]:
    """What to serve: files and folders as they are; texts are written down."""
    found: list[str] = []
    for number, given in enumerate(scenarios or [NOTHING]):
        if isinstance(given, str) and "\n" in given:
            path = folder / f"scenario {number + 1}"
            path.write_text(given, encoding="utf-8")
            found.append(str(path))
        else:
            found.append(str(given))
    return found


class _Child:
    """A process that serves. What it writes is read all the time, so that it never has to wait for that."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self._owner = os.getpid()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C is for this process, which stops the other when it is done
        )
        self._ready = threading.Event()
        self._serves = False
        self._complaints: deque[str] = deque(maxlen=LINES_KEPT)
        self._readers = [
            threading.Thread(target=reads, daemon=True, name="mockbifrost output")
            for reads in (self._read_output, self._read_complaints)
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    @property
    def is_ours(self) -> bool:
        """Whether this process started it, and not one that this was forked from."""
        return os.getpid() == self._owner

    def _read_output(self) -> None:
        """Its first line says that it serves; where there is none, it has died."""
        for _line in _lines(self._process.stdout):
            self._serves = True
            self._ready.set()
        self._ready.set()

    def _read_complaints(self) -> None:
        self._complaints.extend(_lines(self._process.stderr))

    def complaints(self) -> str:
        """The last lines of its stderr."""
        return "".join(tuple(self._complaints)).strip()

    def wait_until_ready(self) -> None:
        """Raises ServerStartError where it does not serve."""
        self._ready.wait(START_TIMEOUT_S)
        if self._serves:
            return
        if not self._ready.is_set():
            raise ServerStartError(
                f"The server's process did not say within {START_TIMEOUT_S:g} s that it serves.\n{self.complaints()}"
            )
        self.stop()
        why = self.complaints() or "it says nothing"
        raise ServerStartError(f"The server's process ended with {self._process.returncode}:\n{why}")

    def stop(self) -> None:
        """End it: first it is told, then it is made to."""
        process = self._process
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for reader in self._readers:
            reader.join(STOP_TIMEOUT_S)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _lines(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None  # it was asked for
    return pipe
