"""Options and settings of a run: shared scenarios, the seed, and what is not verified."""

from __future__ import annotations

import pytest

from mockbifrost.pytest_plugin.late import told as late_told
from tests.plugin.running import LATE, run, run_apart, told

HELLO = "version: 1\nstubs:\n  - when: {user: hello}\n    reply: Hello of all tests.\n"
MISS = "from helper import ask\n\ndef test_miss(mockbifrost):\n    ask(mockbifrost, 'anything')"


def test_scenarios_of_the_settings_are_there_for_all_tests(runs: pytest.Pytester) -> None:
    runs.mkdir("shared").joinpath("hello.yaml").write_text(HELLO, encoding="utf-8")
    runs.makeini("[pytest]\nmockbifrost_scenarios = shared")
    runs.mkdir("deep").joinpath("test_deep.py").write_text(
        "from helper import ask\n\ndef test_deep(mockbifrost):\n    assert ask(mockbifrost, 'hello') == 'Hello of all tests.'",
        encoding="utf-8",
    )
    test = """
        from helper import ask

        def test_hello(mockbifrost):
            assert ask(mockbifrost, "hello") == "Hello of all tests."

        def test_without():
            pass
        """

    run(runs, test).assert_outcomes(passed=3)


def test_a_scenario_of_the_settings_that_is_not_there_fails_the_tests_that_use_it(runs: pytest.Pytester) -> None:
    runs.makeini("[pytest]\nmockbifrost_scenarios = nowhere")
    result = run(runs, "def test_hello(mockbifrost):\n    pass\n\ndef test_other():\n    pass")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*nowhere*"])


def test_the_seed_of_the_run_holds_where_a_test_names_none(runs: pytest.Pytester) -> None:
    test = """
        import pytest

        def test_any(mockbifrost):
            assert mockbifrost._reached._state.seed == 42

        @pytest.mark.mockbifrost(seed=7)
        def test_own(mockbifrost):
            assert mockbifrost._reached._state.seed == 7
        """

    run(runs, test, "--mockbifrost-seed=42").assert_outcomes(passed=2)
    run(runs, test).assert_outcomes(passed=1, failed=1)


def test_a_run_can_do_without_verification_whatever_the_markers_say(runs: pytest.Pytester) -> None:
    marked = MISS.replace("def ", "import pytest\n\n@pytest.mark.mockbifrost(verify=True)\ndef ")

    run(runs, marked).assert_outcomes(passed=1, errors=1)
    run(runs, marked, "--no-mockbifrost-verify").assert_outcomes(passed=1)


def test_a_project_can_do_without_verification_but_where_a_marker_wants_it(runs: pytest.Pytester) -> None:
    runs.makeini("[pytest]\nmockbifrost_strict = false")
    result = run(
        runs,
        """
        import pytest
        from helper import ask

        def test_miss(mockbifrost):
            ask(mockbifrost, "anything")

        @pytest.mark.mockbifrost(verify=True)
        def test_verified(mockbifrost):
            ask(mockbifrost, "anything")
        """,
    )

    result.assert_outcomes(passed=2, errors=1)
    assert "ERROR at teardown of test_verified" in told(result)


def test_the_settings_can_be_given_on_the_command_line(runs: pytest.Pytester) -> None:
    run(runs, MISS, "-o", "mockbifrost_strict=false").assert_outcomes(passed=1)


def test_the_options_say_what_they_do(runs: pytest.Pytester) -> None:
    result = run(runs, "", "--help")

    result.stdout.fnmatch_lines(
        [
            "mockbifrost, a stand-in for the Bifrost AI gateway:",
            "  --mockbifrost-record=*none*once*new_episodes*all*",
            "  --mockbifrost-upstream=URL*",
            "  --mockbifrost-upstream-kind=*gateway*provider*",
            "  --mockbifrost-record-in-ci*",
            "  --mockbifrost-url=URL*",
            "  --mockbifrost-seed=N *",
            "  --no-mockbifrost-verify",
            "  mockbifrost_scenarios (paths):",
            "  mockbifrost_cassettes (string):",
            "  mockbifrost_strict (bool):",
            "  mockbifrost_record_errors (bool):",
        ]
    )


def test_a_late_request_is_told_with_its_test_and_fails_the_run(runs: pytest.Pytester) -> None:
    result = run(runs, LATE)

    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*= mockbifrost: requests that came too late =*",
            "test_it.py::test_leaves_something_running",
            "  late request 1 (POST /s/t1/pydanticai/v1/chat/completions, *hello*), *",
            "  do: end all calls before the test ends: *",
        ]
    )


def test_a_late_request_is_only_told_where_the_project_is_not_strict(runs: pytest.Pytester) -> None:
    result = run(runs, LATE, "-o", "mockbifrost_strict=false")

    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*= mockbifrost: requests that came too late =*"])


def test_a_server_of_the_users_own_is_asked_for_late_requests_too_and_a_worker_hands_them_on(
    runs: pytest.Pytester,
) -> None:
    runs.makeconftest(
        """
        import pytest
        from mockbifrost import MockBifrost

        @pytest.fixture(scope="module")
        def mockbifrost_server():
            with MockBifrost(seed=99) as server:
                yield server
        """
    )

    result = run_apart(runs, LATE, "-p", "xdist.plugin", "-n", "1")

    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["test_it.py::test_leaves_something_running"])


def test_many_late_requests_are_told_in_few_lines() -> None:
    text = late_told([[f"test_{number % 3}", f"request {number}"] for number in range(50)], strict=False)

    assert text.splitlines()[:2] == ["test_0", "  request 0"]
    assert "and 30 more" in text
    assert len(text.splitlines()) == 3 + 20 + 2
