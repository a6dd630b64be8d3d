"""Recording from tests: a cassette for each test, made from an upstream, and played when that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mockbifrost import MockBifrost, Session
from tests.plugin.running import run, run_apart, told

ANSWERS = """
version: 1
stubs:
  - {when: {user: hello}, reply: Hello from upstream.}
  - {when: {user: fail}, error: {name: overloaded}}
  - {when: {user: {contains: number}}, reply: "Number {{ 1 }}."}
"""
TEST = """
import pytest
from helper import ask

def test_hello(mockbifrost):
    assert ask(mockbifrost, "hello") == "Hello from upstream."

class TestMore:
    @pytest.mark.parametrize("number", ["1", "a/b"])
    def test_number(self, mockbifrost, number):
        mockbifrost.when(user="own").reply("Of the test itself.")
        assert ask(mockbifrost, "own") == "Of the test itself."
        assert ask(mockbifrost, f"number {number}") == ask(mockbifrost, f"number {number}", seed=1) == "Number 1."
"""
NAMES = ("TestMore.test_number[1].yaml", "TestMore.test_number[a_b]-*.yaml", "test_hello.yaml")


@pytest.fixture
def upstream() -> Iterator[MockBifrost]:
    with MockBifrost(ANSWERS) as server:
        yield server


def asked(upstream: MockBifrost) -> int:
    """How often the upstream was asked: by the sessions that requests of the tests' sessions lead to."""
    server = upstream._server
    assert server is not None
    return upstream.run(lambda: sum([session.journal.count for session in server.sessions]))


def files(runs: pytest.Pytester, folder: str = "cassettes/test_it") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(runs.path.joinpath(folder).rglob("*.yaml"))}


def record(runs: pytest.Pytester, test: str, upstream: MockBifrost, mode: str, *options: str) -> pytest.RunResult:
    return run(runs, test, f"--mockbifrost-record={mode}", f"--mockbifrost-upstream={upstream.url}", *options)


def test_each_test_is_recorded_into_a_file_of_its_own_and_played_when_the_upstream_is_gone(
    runs: pytest.Pytester, upstream: MockBifrost
) -> None:
    record(runs, TEST, upstream, "once").assert_outcomes(passed=3)

    recorded = files(runs)
    assert len(recorded) == len(NAMES)
    assert all(any(Path(name).match(pattern.replace("[", "[[]")) for pattern in NAMES) for name in recorded)
    assert asked(upstream) == 5
    upstream.stop()
    run(runs, "").assert_outcomes(passed=3)
    assert files(runs) == recorded


def test_a_further_run_leaves_the_files_untouched_in_every_mode(runs: pytest.Pytester, upstream: MockBifrost) -> None:
    record(runs, TEST, upstream, "once").assert_outcomes(passed=3)
    recorded, first = files(runs), asked(upstream)

    for mode, more in (("once", 0), ("new_episodes", 0), ("all", 5)):
        before = asked(upstream)
        record(runs, "", upstream, mode).assert_outcomes(passed=3)
        assert files(runs) == recorded
        assert asked(upstream) == before + more
    assert first == 5


def test_new_episodes_records_what_is_new_and_once_does_not(runs: pytest.Pytester, upstream: MockBifrost) -> None:
    record(runs, "from helper import ask\n\ndef test_it(mockbifrost):\n    ask(mockbifrost, 'hello')", upstream, "once")
    (before,) = files(runs).values()
    more = """
        from helper import ask

        def test_it(mockbifrost):
            assert ask(mockbifrost, "hello") == "Hello from upstream."
            assert ask(mockbifrost, "number") == "Number 1."
        """

    record(runs, more, upstream, "once").assert_outcomes(failed=1)
    assert list(files(runs).values()) == [before]
    record(runs, more, upstream, "new_episodes").assert_outcomes(passed=1)
    (after,) = files(runs).values()
    assert after.startswith(before)
    assert len(after) > len(before)


def test_a_recording_that_is_not_played_fails_the_test_with_its_label(
    runs: pytest.Pytester, upstream: MockBifrost
) -> None:
    both = "from helper import ask\n\ndef test_it(mockbifrost):\n    ask(mockbifrost, 'hello')\n    ask(mockbifrost, 'number')"
    record(runs, both, upstream, "once").assert_outcomes(passed=1)

    for options in ((), ("--mockbifrost-record=new_episodes", f"--mockbifrost-upstream={upstream.url}")):
        result = run(runs, both.replace("ask(mockbifrost, 'number')", "pass"), *options)

        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(
            [
                "1 of the recordings in the test's own cassette were never played:",
                "  test_it.yaml#2 (*cassettes/test_it/test_it.yaml:*)",
                "  do: check why the code asks less than it did; *",
            ]
        )
    run(runs, both.replace("ask(mockbifrost, 'number')", "pass"), "--no-mockbifrost-verify").assert_outcomes(passed=1)


def test_a_cassette_that_a_marker_names_is_recorded_where_it_says_and_shared_ones_need_not_be_played_whole(
    runs: pytest.Pytester, upstream: MockBifrost
) -> None:
    runs.makeini("[pytest]\nmockbifrost_cassettes = tapes")
    test = """
        import pytest
        from helper import ask

        @pytest.mark.mockbifrost(cassette="shared.yaml")
        class TestShared:
            def test_hello(self, mockbifrost):
                assert ask(mockbifrost, "hello") == "Hello from upstream."

            def test_number(self, mockbifrost):
                assert ask(mockbifrost, "number") == "Number 1."

        @pytest.mark.mockbifrost(cassette="own.yaml")
        def test_own(mockbifrost):
            assert ask(mockbifrost, "hello") == "Hello from upstream."

        @pytest.mark.mockbifrost(cassette="parameters.yaml")
        @pytest.mark.parametrize("said", ["hello", "number"])
        def test_shared_by_parameters(mockbifrost, said):
            ask(mockbifrost, said)

        def test_named_after_itself(mockbifrost):
            assert ask(mockbifrost, "hello") == "Hello from upstream."
        """
    record(runs, test, upstream, "new_episodes").assert_outcomes(passed=6)

    upstream.stop()
    names = ["own.yaml", "parameters.yaml", "shared.yaml", "test_named_after_itself.yaml"]
    assert list(files(runs, "tapes")) == names
    assert runs.path.joinpath("tapes", "test_it", "test_named_after_itself.yaml").exists()
    run(runs, "").assert_outcomes(passed=6)


def test_what_ended_badly_goes_into_the_cassette_only_where_the_settings_say_so(
    runs: pytest.Pytester, upstream: MockBifrost
) -> None:
    fails = "from helper import ask\n\ndef test_it(mockbifrost):\n    assert 'overloaded' in ask(mockbifrost, 'fail').lower()"
    record(runs, fails, upstream, "once").assert_outcomes(passed=1)
    assert list(files(runs)) == ["test_it.errors.yaml"]

    runs.makeini("[pytest]\nmockbifrost_record_errors = true")
    record(runs, fails, upstream, "once").assert_outcomes(passed=1)
    assert list(files(runs)) == ["test_it.errors.yaml", "test_it.yaml"]
    upstream.stop()
    run(runs, "").assert_outcomes(passed=1)


def test_options_of_the_marker_hold_for_the_cassette(runs: pytest.Pytester, upstream: MockBifrost) -> None:
    test = """
        import pytest
        from helper import ask

        @pytest.mark.mockbifrost(ignore=["user"], on_end="repeat")
        def test_it(mockbifrost):
            assert ask(mockbifrost, "hello", user="NAME") == "Hello from upstream."
        """
    record(runs, test.replace("NAME", "first"), upstream, "once").assert_outcomes(passed=1)
    upstream.stop()

    twice = test.replace("NAME", "second") + '    assert ask(mockbifrost, "hello") == "Hello from upstream."\n'
    run(runs, twice).assert_outcomes(passed=1)
    run(runs, twice.replace("repeat", "miss")).assert_outcomes(failed=1)


def test_a_broken_cassette_fails_the_test_with_what_is_wrong_with_it(runs: pytest.Pytester) -> None:
    runs.mkdir("cassettes").joinpath("test_it").mkdir()
    runs.path.joinpath("cassettes", "test_it", "test_it.yaml").write_text("interactions: 3\n", encoding="utf-8")
    result = run(runs, "def test_it(mockbifrost):\n    pass")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*cassettes/test_it/test_it.yaml: interactions: `interactions` must be a list, got the number 3; *"]
    )
    assert "sessions.py" not in told(result)
    assert "session t1" not in told(result)


def test_workers_record_side_by_side(runs: pytest.Pytester, upstream: MockBifrost) -> None:
    options = ("--mockbifrost-record=once", f"--mockbifrost-upstream={upstream.url}")
    run_apart(runs, TEST, "-p", "xdist.plugin", "-n", "2", *options).assert_outcomes(passed=3)

    assert len(files(runs)) == 3


@pytest.mark.parametrize(
    ("options", "environment", "said"),
    [
        (
            ("--mockbifrost-record=once",),
            {},
            "ERROR: --mockbifrost-record=once: there is nobody to ask; say where answers come from with --mockbifrost-upstream URL",
        ),
        (
            ("--mockbifrost-upstream=http://127.0.0.1:9",),
            {},
            "ERROR: --mockbifrost-upstream: nobody asks an upstream where nothing is recorded; add --mockbifrost-record=once, *",
        ),
        (
            ("--mockbifrost-record=sometimes",),
            {},
            "*error: argument --mockbifrost-record: invalid choice: 'sometimes'*",
        ),
        (
            ("--mockbifrost-record=all", "--mockbifrost-upstream=http://127.0.0.1:9"),
            {"CI": "true"},
            "ERROR: --mockbifrost-record=all: the variable CI is set, and CI does not record by accident; record on your own *",
        ),
        (
            ("--mockbifrost-record=all", "--mockbifrost-upstream=ftp://there"),
            {},
            "ERROR: 'ftp://there' can't be an upstream: give it as http://HOST:PORT or https://HOST/PATH",
        ),
        (
            ("--mockbifrost-record=all", "--mockbifrost-upstream=http://h", "--mockbifrost-url=http://127.0.0.1:9"),
            {},
            "ERROR: --mockbifrost-record=all: tests are recorded by servers of their own, not by the one of --mockbifrost-url*",
        ),
        (
            ("--mockbifrost-url=http://127.0.0.1:9",),
            {},
            "ERROR: --mockbifrost-url: nothing answers at http://127.0.0.1:9: *; start one with `mockbifrost serve`, *",
        ),
        (
            ("--mockbifrost-url=here",),
            {},
            "ERROR: --mockbifrost-url: nothing answers at here: *; start one with `mockbifrost serve`, or correct the address",
        ),
    ],
)
def test_options_that_can_not_work_are_refused_before_any_test_runs(
    runs: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    environment: dict[str, str],
    said: str,
) -> None:
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    result = run(runs, "def test_it():\n    print('a test ran')", "-s", *options)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])
    assert "a test ran" not in result.stdout.str()


def test_ci_records_where_it_is_told_to(
    runs: pytest.Pytester, upstream: MockBifrost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "1")
    record(runs, TEST, upstream, "once", "--mockbifrost-record-in-ci").assert_outcomes(passed=3)
    monkeypatch.setenv("CI", "false")
    result = record(runs, TEST, upstream, "once")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines([f"mockbifrost: records (once) what {upstream.url} answers"])


def test_a_provider_is_asked_as_one_with_the_key_of_the_environment(
    runs: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, mock: Session
) -> None:
    monkeypatch.setenv("MOCKBIFROST_UPSTREAM_KEY", "sk-of-the-upstream")
    mock.when(user="hello", headers={"authorization": "Bearer sk-of-the-upstream"}).reply("Hello from upstream.")
    options = ("--mockbifrost-upstream-kind=provider", f"--mockbifrost-upstream={mock.base_url}")
    result = run(runs, TEST, "--mockbifrost-record=once", "-k", "hello", *options)

    result.assert_outcomes(passed=1, deselected=2)
    (cassette,) = files(runs).values()
    assert b"source: provider" in cassette
    assert b"sk-of-the-upstream" not in cassette
