"""The servers of the benchmark: started as processes on 127.0.0.1, ended by their own handle."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
READY_S = 120.0
POLL_S = 0.002


class BenchError(Exception):
    """The benchmark cannot go on; the message says what the server did."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it listens and the process that it is."""

    port: int
    pid: int


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def our_command(scenario: Path, *options: str) -> list[str]:
    """The command that serves `scenario` with mockbifrost, waits as written."""
    return [sys.executable, "-m", "mockbifrost", "serve", str(scenario), "--speed", "1", *options]


def bare_command(port: int) -> list[str]:
    """The command that serves the bare app with the same event loop and parser as mockbifrost."""
    loop = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    how = ["--factory", "--loop", loop, "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return [sys.executable, "-m", "uvicorn", "bench.bare_app:app", "--host", "127.0.0.1", "--port", str(port), *how]


@contextmanager
def process(
    command: Sequence[str], log: IO[bytes], env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` from the root of the repository until the block is left."""
    child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(env or {})}, stdout=log, stderr=log)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def connectable(port: int) -> bool:
    """Whether somebody listens on `port`."""
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def port_in(path: Path) -> int | None:
    """The port that a server has written to `path`, once it has."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def wait_ready(
    child: subprocess.Popen[bytes], log: IO[bytes], *, port: int | None = None, port_file: Path | None = None
) -> int:
    """The port of `child` as soon as it accepts connections; `BenchError` with its output when it never does."""
    give_up = time.monotonic() + READY_S
    while child.poll() is None and time.monotonic() < give_up:
        port = port_in(port_file) if port is None and port_file is not None else port
        if port is not None and connectable(port):
            return port
        time.sleep(POLL_S)
    log.seek(0)
    raise BenchError(f"{child.args!r} does not listen; its output:\n{log.read()[-2000:].decode(errors='replace')}")


@contextmanager
def ours(scenario: Path) -> Iterator[Server]:
    """mockbifrost serving `scenario` on a port of its own choice."""
    port_file = scenario.with_suffix(".port")
    port_file.unlink(missing_ok=True)
    with scenario.with_suffix(".log").open("w+b") as log:
        command = our_command(scenario, "--port", "0", "--port-file", str(port_file))
        with process(command, log) as child:
            yield Server(wait_ready(child, log, port_file=port_file), child.pid)


@contextmanager
def bare(answer: Path) -> Iterator[Server]:
    """The bare app sending the bytes of `answer`."""
    port = free_port()
    with answer.with_suffix(".log").open("w+b") as log, process(bare_command(port), log, bare_env(answer)) as child:
        yield Server(wait_ready(child, log, port=port), child.pid)


def bare_env(answer: Path) -> dict[str, str]:
    """The environment by which the bare app finds its answer."""
    return {"MOCKBIFROST_BENCH_ANSWER": str(answer)}
