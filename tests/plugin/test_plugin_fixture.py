"""The pytest plugin, in test runs of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.running import run, run_apart

ROOT = Path(__file__).resolve().parents[2]
CAPTURED_LOG = 1
"""How often pytest shows what the server logged."""


def test_a_stub_that_is_used_passes(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        from helper import ask

        def test_refund(mockbifrost):
            mockbifrost.when(user="refund").reply("Done.")
            assert ask(mockbifrost, "refund please") == "Done."
            assert len(mockbifrost.calls) == 1
        """,
    )

    result.assert_outcomes(passed=1)


def test_a_miss_fails_the_test_at_its_end_with_the_whole_explanation(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        from helper import ask

        def test_refund(mockbifrost):
            mockbifrost.when(user="refund").reply("Done.").required(False)
            ask(mockbifrost, "Refund please")
        """,
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_refund*",
            "Request 1 (POST /s/t1/pydanticai/v1/chat/completions) was not answered by any script:",
            "No stub answers this request (model \"gpt-4o\", plain, turn 0, user: 'Refund please').",
            "  nearest: *test_it.py:4, 1 of 1 fields differ:",
            "    user  wanted contains 'refund'  got 'Refund please'*",
            "  do: mend the nearest stub, or add this one:",
            '    - when: {user: "Refund please"}',
            '      reply: "..."',
        ],
        consecutive=False,
    )
    report = result.stdout.str().partition("short test summary")[0]  # which is cut off, but not where CI is set
    assert report.count("nearest:") == 1 + CAPTURED_LOG


def test_a_miss_of_a_client_that_swallows_errors_fails_too(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        from helper import ask

        def test_quiet(mockbifrost):
            try:
                ask(mockbifrost, "anything")
            except Exception:
                pass
        """,
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["  nearest: there are no stubs at all"])


def test_a_stub_that_is_never_used_fails_the_test_at_its_end(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        def test_nothing(mockbifrost):
            mockbifrost.when(user="refund").name("the refund").reply("Done.")
        """,
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "Stub 'the refund' (*test_it.py:2) was never used.",
            "  nearest: no request came",
            "  do: check why the code under test asked for nothing, or remove the stub",
        ]
    )


def test_a_stub_that_does_nothing_is_told(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        def test_nothing(mockbifrost):
            mockbifrost.when(user="refund")
        """,
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["the stub at *test_it.py:2 does nothing: say `.reply(…)`*"])


def test_each_test_has_a_session_of_its_own(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        import pytest
        from helper import ask

        @pytest.mark.parametrize("number", range(5))
        def test_once(mockbifrost, mockbifrost_server, number):
            mockbifrost.when(user="hello").reply(f"Number {number}.").times(1)
            assert ask(mockbifrost, "hello") == f"Number {number}."
            assert len(mockbifrost.requests) == 1
            assert mockbifrost.base_url.startswith(mockbifrost_server.url)
        """,
    )

    result.assert_outcomes(passed=5)


def test_one_server_serves_all_tests_of_a_run(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        seen = set()

        def test_one(mockbifrost_server):
            seen.add(mockbifrost_server.port)

        def test_two(mockbifrost_server, mockbifrost):
            seen.add(mockbifrost_server.port)
            assert len(seen) == 1
        """,
    )

    result.assert_outcomes(passed=2)


def test_async_tests_can_use_it(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        import asyncio
        from helper import ask

        def test_async(mockbifrost):
            async def scenario():
                mockbifrost.when(user="hello").reply("Hello.")
                answers = await asyncio.gather(*[asyncio.to_thread(ask, mockbifrost, "hello") for _ in range(10)])
                assert set(answers) == {"Hello."}
                assert len(mockbifrost.requests) == 10

            asyncio.run(scenario())
        """,
    )

    result.assert_outcomes(passed=1)


def test_workers_have_servers_of_their_own(runs: pytest.Pytester) -> None:
    runs.makepyfile(
        test_it="""
        import pytest
        from helper import ask

        @pytest.mark.parametrize("number", range(8))
        def test_once(mockbifrost, number):
            mockbifrost.when(user="hello").reply("Hello.").times(1)
            assert ask(mockbifrost, "hello") == "Hello."
        """
    )

    result = run_apart(runs, "", "-p", "xdist.plugin", "-n", "2")

    result.assert_outcomes(passed=8)


def test_a_test_that_fails_by_itself_keeps_its_own_failure(runs: pytest.Pytester) -> None:
    result = run(
        runs,
        """
        from helper import ask

        def test_refund(mockbifrost):
            mockbifrost.when(user="hello").reply("Hello.")
            assert ask(mockbifrost, "hello") == "Good bye."
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E   *AssertionError: assert 'Hello.' == 'Good bye.'"])


NOTHING_IS_LOADED = """
import sys

SLOW = {"mockbifrost.api", "mockbifrost.serve", "starlette", "uvicorn", "pydantic", "yaml", "orjson", "jinja2", "faker"}

def loaded():
    return sorted(SLOW & set(sys.modules))
"""


def test_nothing_is_imported_before_a_test_uses_it(runs: pytest.Pytester) -> None:
    runs.makepyfile(watch=NOTHING_IS_LOADED)
    runs.makeconftest(
        """
        import watch

        def pytest_collection_finish(session):
            assert watch.loaded() == []
        """
    )
    result = run_apart(
        runs,
        """
        import watch

        def test_other():
            assert watch.loaded() == []

        def test_own(mockbifrost):
            assert {"mockbifrost.api", "uvicorn"} <= set(watch.loaded())
        """,
    )

    result.assert_outcomes(passed=2)


def test_a_run_that_does_not_use_it_loads_nothing_but_the_options(runs: pytest.Pytester) -> None:
    runs.makeconftest(
        """
        import sys

        def pytest_unconfigure(config):
            print("loaded:", *sorted([name for name in sys.modules if name.startswith("mockbifrost")]))
        """
    )
    result = run_apart(runs, "def test_other():\n    pass")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["loaded: mockbifrost mockbifrost.pytest_plugin mockbifrost.pytest_plugin.options"])


def test_the_fixtures_say_what_they_are(runs: pytest.Pytester) -> None:
    result = run(runs, "", "--fixtures")

    result.stdout.fnmatch_lines(
        ["mockbifrost_server*", "*One server for all tests*", "mockbifrost -- *", "*A fresh session.*"]
    )


def test_the_plugin_is_named_in_the_package() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert '[project.entry-points.pytest11]\nmockbifrost = "mockbifrost.pytest_plugin"' in text
