"""What mockbifrost costs inside a test run, timed in this fresh process: prints JSON, times in milliseconds.

`python -m bench.fixture_probe import|start|plugin|tests`
"""

import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from statistics import mean, median
from time import perf_counter

SESSIONS = 20
TESTS = 200
KINDS = (("without", "", "pass"), ("used", "mockbifrost", "pass"), ("stub", "mockbifrost", "stub(mockbifrost)"))
HEAD = """
def stub(session):
    session.when(user="refund").reply("Done.").required(False)


def test_warm(mockbifrost):
    stub(mockbifrost)
"""
TEST = """

def test_{1}_{0}({2}):
    {3}
"""


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


def tests_ms() -> dict[str, float]:
    """What the fixture adds to a test, alone and with a stub: the mean of 200 tests less that of 200 without it, all in one run."""
    import pytest

    taken: dict[str, list[float]] = {}

    class Stopwatch:
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
            """Time a test, its fixtures and reports included; `test_used_7` counts as `used`."""
            begun = perf_counter()
            result = yield
            taken.setdefault(item.name.split("_")[1], []).append((perf_counter() - begun) * 1000)
            return result

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as output:
        tests = [TEST.format(number, *test) for number in range(TESTS) for test in KINDS]
        Path(folder, "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        Path(folder, "test_cost.py").write_text(HEAD + "".join(tests), encoding="utf-8")
        options = ["-q", f"--rootdir={folder}", "-p", "no:cacheprovider", "-p", "mockbifrost.pytest_plugin"]
        code = pytest.main([*options, folder], plugins=[Stopwatch()])
    if code:
        raise SystemExit(f"the tests failed: {output.getvalue()[-2000:]}")
    return {name: mean(taken[name]) - mean(taken["without"]) for name in ("used", "stub")}


PROBES = {"import": import_ms, "start": start_ms, "plugin": plugin_ms, "tests": tests_ms}


if __name__ == "__main__":
    json.dump(PROBES[sys.argv[1]](), sys.stdout)
