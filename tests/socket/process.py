"""`python -m mockbifrost serve` in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.socket.raw_http import DEADLINE_S

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "mockbifrost")


@dataclass(frozen=True, slots=True)
class Process:
    """A server that accepts requests; `errors` is the file that its stderr goes to."""

    process: subprocess.Popen[str]
    port: int
    errors: Path

    def end(self) -> int:
        """Ask it to end, as `docker stop` does; its exit code."""
        self.process.terminate()
        return self.process.wait(DEADLINE_S)

    def stderr(self) -> str:
        """What it has complained about so far."""
        return self.errors.read_text(encoding="utf-8")


def environment(**more: str) -> dict[str, str]:
    """This process' environment, without settings of the mock, with the package from this checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MOCKBIFROST_")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def run(*arguments: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        env=environment(**(env or {})),
    )


@contextmanager
def serving(
    folder: Path, scenario: str, *options: str, env: Mapping[str, str] | None = None, name: str = "server"
) -> Iterator[Process]:
    """A server of one scenario on a free port, until the block ends."""
    file, port_file, errors = folder / f"{name}.yaml", folder / f"{name}.port", folder / f"{name}.err"
    file.write_text(scenario, encoding="utf-8")
    command = [*COMMAND, "serve", str(file), "--port-file", str(port_file), *options]
    settings = {"MOCKBIFROST_PORT": "0", **(env or {})}
    with errors.open("w", encoding="utf-8") as sink:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink, text=True, env=environment(**settings))
    try:
        assert process.stdout is not None
        first = process.stdout.readline()  # printed once requests are accepted; empty where it has died
        assert first, errors.read_text(encoding="utf-8")
        yield Process(process, int(port_file.read_text(encoding="utf-8")), errors)
    finally:
        process.terminate()
        try:
            process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
