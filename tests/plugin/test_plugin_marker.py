"""The marker: what it says of a test's session, where its files are looked for, and what it can't say."""

from __future__ import annotations

import pytest

from tests.plugin.running import run, told

REFUND = "version: 1\nstubs:\n  - when: {user: refund}\n    reply: Done.\n"
STATUS = "version: 1\nstubs:\n  - when: {user: status}\n    reply: All is well.\n"


def test_a_scenario_is_looked_for_beside_the_test_and_then_in_the_folders_of_the_settings(
    runs: pytest.Pytester,
) -> None:
    runs.makeini("[pytest]\nmockbifrost_scenarios = shared/status.yaml")
    runs.mkdir("shared").joinpath("status.yaml").write_text(STATUS, encoding="utf-8")
    runs.path.joinpath("shared", "more.yaml").write_text(STATUS.replace("status", "more"), encoding="utf-8")
    runs.path.joinpath("refund.yaml").write_text(REFUND, encoding="utf-8")
    result = run(
        runs,
        """
        import pathlib, pytest
        from helper import ask

        @pytest.mark.mockbifrost(scenario=["refund.yaml", pathlib.Path("more.yaml")])
        def test_both(mockbifrost):
            assert ask(mockbifrost, "refund") == "Done."
            assert ask(mockbifrost, "more") == ask(mockbifrost, "status") == "All is well."

        @pytest.mark.mockbifrost(scenario="status.yaml")
        def test_what_all_have_is_there_once(mockbifrost):
            assert ask(mockbifrost, "status") == "All is well."
            assert len(mockbifrost.stubs) == 1
        """,
    )

    result.assert_outcomes(passed=2)


def test_the_nearer_marker_wins_and_the_others_add_what_it_does_not_say(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        import pytest
        from helper import ask

        pytestmark = pytest.mark.mockbifrost(clock="flow", verify=False, seed=1)

        @pytest.mark.mockbifrost(seed=2, version="1.6")
        class TestClass:
            @pytest.mark.mockbifrost(seed=3)
            def test_function(self, mockbifrost):
                state = mockbifrost._reached._state
                assert (state.seed, state.gateway.profile.name, state.clock.mode) == (3, "1.6", "flow")
                ask(mockbifrost, "a miss that nobody verifies")

            @pytest.mark.mockbifrost(version=None)
            def test_class(self, mockbifrost):
                state = mockbifrost._reached._state
                assert (state.seed, state.gateway.profile.name) == (2, "documented")

        def test_module(mockbifrost):
            assert mockbifrost._reached._state.seed == 1
        """,
    )

    result.assert_outcomes(passed=3)


def test_verify_false_lets_a_miss_pass(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        import pytest
        from helper import ask

        @pytest.mark.parametrize("verify", [pytest.param(v, marks=pytest.mark.mockbifrost(verify=v)) for v in (True, False)])
        def test_miss(mockbifrost, verify):
            ask(mockbifrost, "anything")
        """,
    )

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_miss[[]True[]]*"])


def test_speed_is_of_the_session_alone(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        import pytest
        from helper import ask

        @pytest.mark.mockbifrost(speed=1e9)
        def test_speed(mockbifrost, mockbifrost_server, mockbifrost_sessions):
            assert mockbifrost._reached._state.speed == 1e9
            assert mockbifrost_sessions(speed=2.0)._reached._state.speed == 2.0
            with mockbifrost_server.session() as other:
                assert other._reached._state.speed is None
            mockbifrost.when().reply("Slowly said.").pace(ttft="29s")
            assert ask(mockbifrost, "hello") == "Slowly said."  # most of a minute in no time
        """,
    )

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("scenarios='a.yaml'", "there is no argument 'scenarios'; did you mean 'scenario'?"),
        ("whatever=1", "there is no argument 'whatever'; it has scenario, cassette, seed, speed, version, clock, *"),
        ("'a.yaml'", "'a.yaml' has no name; say which it is: scenario='a.yaml' or cassette='a.yaml'"),
        ("clock='fxed'", "clock='fxed' must be one of fixed, flow, real; did you mean 'fixed'?"),
        ("version='3.0'", "version='3.0' must be one of documented, 1.6, 2.2"),
        ("seed='7'", "seed='7' must be a whole number"),
        ("seed=True", "seed=True must be a whole number"),
        ("speed=-1", "speed=-1 can't be used: -1 can't be a speed: *"),
        ("verify='no'", "verify='no' must be True or False"),
        ("ignore='metadata'", "ignore='metadata' must be a list of texts"),
        ("exact=1", "exact=1 must be True or False"),
        ("on_end='again'", "on_end='again' must be one of repeat, miss"),
        ("cassette=['a.yaml']", "cassette=[[]'a.yaml'[]] must be the path of one file"),
        ("scenario=3", "scenario=3 must be a path, or a list of paths"),
    ],
)
def test_what_a_marker_can_not_say_is_told_with_the_nearest_that_it_can(
    runs: pytest.Pytester, argument: str, said: str
) -> None:
    result = run(
        runs,
        f"""
        import pytest

        @pytest.mark.mockbifrost({argument})
        def test_wrong(mockbifrost):
            pass
        """,
    )

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"mockbifrost marker of test_it.py::test_wrong: {said}"])
    assert "Traceback" not in told(result)


def test_a_file_that_is_not_there_is_told_with_the_nearest_and_where_it_was_looked_for(runs: pytest.Pytester) -> None:
    runs.path.joinpath("refund.yaml").write_text(REFUND, encoding="utf-8")
    result = run(
        runs,
        """
        import pytest

        @pytest.mark.mockbifrost(scenario="refnd.yaml")
        def test_scenario(mockbifrost):
            pass

        @pytest.mark.mockbifrost(cassette="zzz.yaml")
        def test_cassette(mockbifrost):
            pass
        """,
    )

    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [
            "*test_it.py::test_scenario: scenario='refnd.yaml' is not there. Did you mean 'refund.yaml'[?]",
            f"  looked in {runs.path}",
            "  do: name it as it is seen from the file of the test",
            "*test_it.py::test_cassette: cassette='zzz.yaml' is not there.",
            "  do: name it as it is seen from the file of the test, or record it: pytest --mockbifrost-record=once *",
        ]
    )


def test_a_broken_scenario_fails_the_test_with_its_findings_alone(runs: pytest.Pytester) -> None:
    runs.path.joinpath("broken.yaml").write_text("version: 1\nstubs:\n  - repply: Done.\n", encoding="utf-8")
    result = run(
        runs,
        """
        import pytest

        @pytest.mark.mockbifrost(scenario="broken.yaml")
        def test_scenario(mockbifrost):
            pass
        """,
    )

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*broken.yaml:3:*repply*did you mean 'reply'?*"])
    assert "sessions.py" not in told(result)


def test_further_sessions_are_apart_and_verified_too(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        import pytest
        from helper import ask

        @pytest.mark.mockbifrost(seed=5)
        def test_two(mockbifrost, mockbifrost_sessions):
            other, third = mockbifrost_sessions(), mockbifrost_sessions(seed=6, verify=False)
            assert [one._reached._state.seed for one in (mockbifrost, other, third)] == [5, 5, 6]
            mockbifrost.when(user="hello").reply("One.")
            other.when(user="hello").reply("Two.")
            third.when(user="hello").reply("Three.")
            assert (ask(mockbifrost, "hello"), ask(other, "hello")) == ("One.", "Two.")
            ask(other, "unknown to the second")

        def test_wrong(mockbifrost_sessions):
            mockbifrost_sessions(sped=1)
        """,
    )

    result.assert_outcomes(passed=1, errors=1, failed=1)
    assert told(result).count("was not answered by any script") == 1
    result.stdout.fnmatch_lines(["*TypeError*sped*"])


def test_the_marker_is_known(runs: pytest.Pytester) -> None:
    result = run(runs, "", "--markers")

    result.stdout.fnmatch_lines(["@pytest.mark.mockbifrost(scenario=…, cassette=…, seed=…, speed=…, version=…*"])
