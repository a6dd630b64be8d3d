"""The report of a test that failed: the traffic of its sessions, bounded and redacted; nothing where there is nothing to tell."""

from __future__ import annotations

import re

import pytest

from mockbifrost import MockBifrost
from tests.plugin.running import run, told

HEAD = re.compile(r"^-+ mockbifrost -+$", re.MULTILINE)


def test_a_failed_test_shows_its_traffic_with_the_trail_of_attempts(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        from helper import ask, send

        def test_refund(mockbifrost):
            mockbifrost.load({"version": 1, "gateway": {"providers": {"openai": {"max_retries": 1}}}, "stubs": []})
            mockbifrost.when(user="refund").error("overloaded").times(1).name("busy")
            mockbifrost.when(user="refund").reply("Done.")
            mockbifrost.when(user="hello").reply("Hello.")
            ask(mockbifrost, "refund")
            send(mockbifrost, "hello", stream=True, headers={"x-stainless-retry-count": "1"})
            assert ask(mockbifrost, "hello") == "Good bye."
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E   *AssertionError: assert 'Hello.' == 'Good bye.'",
            "*- mockbifrost -*",
            "session t1: 3 requests in 3 calls",
            "  #1 call 1  gpt-4o  200 by test_it.py:6, took * s",
            "      openai/gpt-4o try 0: error 529 overloaded_error by 'busy' (test_it.py:5), 0 s",
            "      openai/gpt-4o try 1: answer 200 by test_it.py:6, 0 s",
            "  #2 call 2 retry 1  gpt-4o stream  200 by test_it.py:7, took 0 s",
            "  #3 call 3  gpt-4o  200 by test_it.py:7, took 0 s",
        ],
        consecutive=False,
    )


def test_it_is_told_who_answered_where_it_was_no_script(runs: pytest.Pytester) -> None:
    with MockBifrost("version: 1\nstubs:\n  - reply: Hello from upstream.\n") as upstream:
        result = run(
            runs,
            """
            from helper import ask, send

            def test_all(mockbifrost, mockbifrost_sessions):
                ask(mockbifrost, "hello")
                send(mockbifrost, "hello", messages=3)
                other = mockbifrost_sessions()
                other.when(user="again").reply("Kept.")
                for _ in range(2):
                    ask(other, "again", headers={"x-bf-cache-key": "tests"})
                assert False
            """,
            "--mockbifrost-record=once",
            f"--mockbifrost-upstream={upstream.url}",
        )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "  #1 call 1  gpt-4o  200 by the upstream, took * s",
            "  #2 call 2  gpt-4o  400 by the gateway itself, took 0 s",
            "session *: 2 requests in 2 calls",
            "  #1 call 1  gpt-4o  200 by test_it.py:7, took 0 s",
            "  #2 call 2  gpt-4o  200 from the gateway's cache, took 0 s",
        ]
    )


def test_a_test_that_failed_by_itself_is_told_of_misses_and_unused_stubs_in_its_section_only(
    runs: pytest.Pytester,
) -> None:
    result = run(
        runs,
        """
        from helper import ask

        def test_refund(mockbifrost):
            mockbifrost.when(user="refund").name("the refund").reply("Done.")
            assert ask(mockbifrost, "Refnd") == "Done."
        """,
        "--show-capture=all",
    )

    result.assert_outcomes(failed=1)
    section = HEAD.split(told(result))[1]
    assert "  #1 call 1  gpt-4o  400 no_match: no answer of any script" in section
    assert "nearest: 'the refund'" in section or "nearest: the refund" in section or 'nearest: "the refund"' in section
    assert "Stub 'the refund' (" in section
    assert "was never used." in section


def test_a_test_that_fails_at_its_end_shows_its_traffic_and_the_explanation_once(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        from helper import ask

        def test_refund(mockbifrost):
            ask(mockbifrost, "Refund please")
        """,
        "-p",
        "no:logging",
    )

    result.assert_outcomes(passed=1, errors=1)
    report = told(result)
    assert len(HEAD.findall(report)) == 1
    assert report.count("No stub answers this request") == 1
    result.stdout.fnmatch_lines(["session t1: 1 request in 1 call", "  #1 call 1  gpt-4o  400 no_match: *"])


def test_only_the_last_requests_are_shown_and_nothing_like_a_key(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        from helper import ask

        def test_many(mockbifrost):
            mockbifrost.when(user="hello").reply("Hello.")
            for _ in range(30):
                ask(mockbifrost, "hello")
            ask(mockbifrost, "hello", model="sk-proj-0123456789abcdef")
            ask(mockbifrost, "the key is " + "sk-proj-" + "0123456789" * 3)
            ask(mockbifrost, "x" * 20_000, model="m" * 1000)
            assert False
        """,
        "-p",
        "no:logging",
    )

    result.assert_outcomes(failed=1)
    section = HEAD.split(told(result))[1]
    assert "33 requests in 33 calls, the last 20 of them:" in section
    assert "#13 " not in section
    assert "#14 " in section
    assert "sk-proj-0" not in section
    assert "[redacted]" in section
    assert len(section) < 30_000


def test_a_session_without_requests_says_where_clients_should_have_gone(runs: pytest.Pytester) -> None:
    result = run(runs, "def test_none(mockbifrost):\n    assert mockbifrost.calls")

    result.stdout.fnmatch_lines(
        ["session t1: no request came in; clients are given http://127.0.0.1:*/s/t1/pydanticai/v1"]
    )


def test_nothing_is_told_of_tests_that_pass_are_skipped_or_use_no_session(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        import pytest
        from helper import ask

        def test_passes(mockbifrost):
            mockbifrost.when().reply("Hello.")
            ask(mockbifrost, "hello")

        def test_is_skipped(mockbifrost):
            mockbifrost.when().reply("Hello.")
            pytest.skip("not today")

        @pytest.mark.xfail(strict=True)
        def test_is_expected_to_fail(mockbifrost):
            ask(mockbifrost, "hello")
            assert False

        def test_has_no_session():
            assert False
        """,
        "-rA",
    )

    result.assert_outcomes(passed=1, skipped=1, xfailed=1, failed=1)
    assert not HEAD.search(result.stdout.str())


def test_a_session_that_the_test_finished_is_no_fault(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        def test_finished(mockbifrost):
            mockbifrost.finish()

        def test_fails(mockbifrost):
            mockbifrost.finish()
            assert False
        """,
    )

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["session t2: session 't2' is finished; use the session of the running test"])
