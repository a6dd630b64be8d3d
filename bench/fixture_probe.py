"""What mockbifrost costs inside a test run, timed in this fresh process: prints JSON, times in milliseconds.

`python -m bench.fixture_probe import|start|plugin`
"""

import json
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

SESSIONS = 20


def timed_ms(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    begun = perf_counter()
    work()
    return (perf_counter() - begun) * 1000


def import_ms() -> dict[str, float]:
    """`import mockbifrost`, and then the name that tests take from it."""

    def package() -> None:
        import mockbifrost  # noqa: F401

    def name() -> None:
        from mockbifrost import MockBifrost  # noqa: F401

    return {"import": timed_ms(package), "name": timed_ms(name)}


def start_ms() -> dict[str, float]:
    """`MockBifrost()` until it listens, and a new session of it."""
    from mockbifrost import MockBifrost

    begun = perf_counter()
    with MockBifrost() as server:
        started = perf_counter()
        sessions: list[float] = []
        for _ in range(SESSIONS):
            session_begun = perf_counter()
            with server.session():
                sessions.append((perf_counter() - session_begun) * 1000)
        return {"start": (started - begun) * 1000, "session": median(sessions)}


def plugin_ms() -> dict[str, float]:
    """The pytest plugin's import in a process that has pytest: what a run pays that does not use it."""
    import pytest  # noqa: F401

    def load() -> None:
        import mockbifrost.pytest_plugin  # noqa: F401

    return {"plugin": timed_ms(load)}


PROBES = {"import": import_ms, "start": start_ms, "plugin": plugin_ms}


if __name__ == "__main__":
    json.dump(PROBES[sys.argv[1]](), sys.stdout)
