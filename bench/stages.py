"""Where the time of a plain request goes inside the server, under load on a socket: microseconds per request, by stage.

`python -m bench.stages [--connections 16] [--seconds 2]`. The stages are timed in the running server, which costs each a fraction of a
microsecond; what is left of the whole is uvicorn's, the event loop's and the kernel's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from time import perf_counter_ns
from typing import Any

from bench.load import Job
from bench.process_stat import cpu_s
from bench.scenarios import ANSWER, prompt, request_bytes, scenario
from mockbifrost import MockBifrost
from mockbifrost.playback.timeline import timeline_of
from mockbifrost.serve import chat_endpoint
from mockbifrost.serve.protocol import Responder
from mockbifrost.session.session import Session

Spent = dict[str, list[int]]


def timed(spent: Spent, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its time added to what was spent under a name."""
    row = spent.setdefault(name, [0, 0])

    @wraps(function)
    def wrapped(*args: Any, **named: Any) -> Any:
        started = perf_counter_ns()
        try:
            return function(*args, **named)
        finally:
            row[0] += perf_counter_ns() - started
            row[1] += 1

    return wrapped


def watch(spent: Spent) -> None:
    """Time the stages of every request from now on."""
    Session.ask = timed(spent, "decide, and begin the journal's entry", Session.ask)  # type: ignore[method-assign]
    Session.finish = timed(spent, "end the call and the entry", Session.finish)  # type: ignore[method-assign]
    chat_endpoint.timeline_of = timed(spent, "fill the bytes", timeline_of)  # type: ignore[attr-defined]
    Responder.write = timed(spent, "head and write", Responder.write)  # type: ignore[method-assign]


def load(port: int, connections: int, seconds: float) -> dict[str, Any]:
    """What a load client of its own process counted."""
    job = Job(
        "plain",
        [port],
        [os.getpid()],
        request_bytes(prompt("first"), stream=False).decode(),
        ANSWER,
        connections,
        seconds,
    )
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"], input=json.dumps(asdict(job)), capture_output=True, text=True, check=True
    )
    (loop,) = json.loads(done.stdout)
    counted: dict[str, Any] = loop
    return counted


def main() -> None:
    """Print a row for each stage, and what is left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=2.0)
    chosen = parser.parse_args()
    spent: Spent = {}
    watch(spent)
    with MockBifrost([scenario(10)], clock="flow", speed=1.0) as server:
        before = cpu_s(os.getpid())
        counted = load(server.port, chosen.connections, chosen.seconds)
        after = cpu_s(os.getpid())
    requests = max(row[1] for row in spent.values())
    whole = (after - before) * 1e6 / requests if before is not None and after is not None else 0.0
    print(f"{counted['answers']} answers counted, {requests} in all, {chosen.connections} connections")
    for name, (nanoseconds, count) in spent.items():
        print(f"{name:40} {nanoseconds / count / 1000:7.2f} µs")
    stages = sum([nanoseconds / count / 1000 for nanoseconds, count in spent.values()])
    print(f"{'uvicorn, event loop, kernel':40} {whole - stages:7.2f} µs")
    print(f"{'whole':40} {whole:7.2f} µs of CPU")


if __name__ == "__main__":
    main()
