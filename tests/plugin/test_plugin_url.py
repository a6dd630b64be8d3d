"""`--mockbifrost-url`: the same tests against a server that runs elsewhere, each in a session of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mockbifrost import MockBifrost, MockBifrostProcess
from tests.plugin.running import LATE, run, run_apart

SHARED = "version: 1\nstubs:\n  - when: {user: shared}\n    reply: Of the sidecar.\n"
TEST = """
import pytest
from helper import ask

@pytest.mark.parametrize("number", range(4))
def test_own(mockbifrost, mockbifrost_server, number):
    assert mockbifrost.url.startswith(mockbifrost_server.url)
    mockbifrost.when(user="hello").reply(f"Number {number}.").times(1)
    assert ask(mockbifrost, "hello") == f"Number {number}."
    assert ask(mockbifrost, "shared") == "Of the sidecar."
    assert len(mockbifrost.requests) == 2
    assert mockbifrost.clock.mode == "fixed"

@pytest.mark.mockbifrost(scenario="more.yaml", clock="flow")
def test_files_are_sent(mockbifrost, mockbifrost_sessions):
    assert ask(mockbifrost, "more") == "Of the test."
    assert ask(mockbifrost_sessions(), "more") == "Of the test."
    assert mockbifrost.clock.mode == "flow"

def test_further_sessions_and_no_waiting(mockbifrost_sessions, mockbifrost_env):
    session = mockbifrost_sessions()
    session.when(user="slow").reply("After 29 seconds.").pace(ttft="29s")
    assert ask(session, "slow") == "After 29 seconds."
"""


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[MockBifrostProcess]:
    """A server of another process, which waits and whose clock runs unless a session says otherwise."""
    with MockBifrostProcess(SHARED, speed=1.0, clock="flow") as server:
        yield server


def test_the_same_tests_run_against_a_sidecar_one_by_one_and_in_workers(
    runs: pytest.Pytester, sidecar: MockBifrostProcess
) -> None:
    more = SHARED.replace("shared", "more").replace("the sidecar", "the test")
    runs.path.joinpath("more.yaml").write_text(more, encoding="utf-8")
    option = f"--mockbifrost-url={sidecar.url}"
    result = run(runs, TEST, option)

    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines([f"mockbifrost: sessions of {sidecar.url}"])
    run_apart(runs, "", option, "-p", "xdist.plugin", "-n", "2").assert_outcomes(passed=6)


def test_a_miss_fails_the_test_and_the_report_shows_the_traffic(
    runs: pytest.Pytester, sidecar: MockBifrostProcess
) -> None:
    result = run(
        runs,
        """
        from helper import ask

        def test_miss(mockbifrost):
            ask(mockbifrost, "Refund please")

        def test_fails(mockbifrost):
            ask(mockbifrost, "shared")
            assert False

        def test_unused(mockbifrost):
            mockbifrost.when(user="refund").name("the refund").reply("Done.")
        """,
        f"--mockbifrost-url={sidecar.url}",
    )

    result.assert_outcomes(passed=2, failed=1, errors=2)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_miss*",
            "Request 1 (POST /s/*/pydanticai/v1/chat/completions) was not answered by any script:",
            "session *: 1 request in 1 call",
            "  #1 call 1  gpt-4o  400 no_match: *",
            "*ERROR at teardown of test_unused*",
            "Stub 'the refund' (*test_it.py:*",
            "session *: 1 request in 1 call",
            "  #1 call 1  gpt-4o  200 by *",
        ]
    )


UPSTREAM = "version: 1\nstubs:\n  - {when: {user: one}, reply: One.}\n  - {when: {user: two}, reply: Two.}\n"
BOTH = """
import pytest
from helper import ask

@pytest.mark.mockbifrost(ignore=["seed"])
def test_it(mockbifrost):
    assert ask(mockbifrost, "one") == "One."
    assert ask(mockbifrost, "two", seed=1) == "Two."
"""


def test_cassettes_are_sent_and_must_be_played_whole(runs: pytest.Pytester, sidecar: MockBifrostProcess) -> None:
    with MockBifrost(UPSTREAM) as upstream:
        record = ("--mockbifrost-record=once", f"--mockbifrost-upstream={upstream.url}")
        run(runs, BOTH, *record).assert_outcomes(passed=1)

    option = f"--mockbifrost-url={sidecar.url}"
    run(runs, BOTH.replace("seed=1", "seed=2"), option).assert_outcomes(passed=1)
    run(runs, BOTH.replace("seed=1", "top_p=0.5"), option).assert_outcomes(failed=1)
    result = run(runs, BOTH.replace('assert ask(mockbifrost, "one") == "One."', "pass"), option)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["1 of the recordings in the test's own cassette were never played:", "  test_it.yaml#1 *"]
    )


def test_late_requests_are_told_of_a_sidecar_too(runs: pytest.Pytester, sidecar: MockBifrostProcess) -> None:
    result = run(runs, LATE, f"--mockbifrost-url={sidecar.url}")

    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["test_it.py::test_leaves_something_running", "  late request 1 (POST /s/*"])


def test_the_seed_of_the_run_reaches_the_sessions(runs: pytest.Pytester, sidecar: MockBifrostProcess) -> None:
    test = """
        import json
        from helper import send

        def test_seed(mockbifrost, record_property):
            print("id", json.loads(send(mockbifrost, "shared"))["id"])
        """
    said = {}
    for seed in (1, 2):
        result = run(runs, test, f"--mockbifrost-url={sidecar.url}", f"--mockbifrost-seed={seed}", "-s")
        said[seed] = [line for line in result.outlines if "id chatcmpl" in line]

    assert len(said[1]) == len(said[2]) == 1
    assert said[1] != said[2]


def test_an_address_where_something_else_listens_is_refused(runs: pytest.Pytester, sidecar: MockBifrostProcess) -> None:
    result = run(runs, "def test_it():\n    pass", f"--mockbifrost-url={sidecar.url}/elsewhere")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --mockbifrost-url: */elsewhere is no mockbifrost: * answers 404; start one with *"]
    )
