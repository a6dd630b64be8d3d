"""Ten tests broken on purpose: each report names what was wrong and says what to do. They are those of the how-to page."""

from __future__ import annotations

import gc
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

import mockbifrost.api  # noqa: F401 - once, and not in each of the runs
from tests.docs.pages import blocks_of

pytest.importorskip("openai")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "failing-tests.md"
FILES = {block.file: block.text for block in blocks_of(PAGE, PAGE.name) if block.language == "python"}


@dataclass(frozen=True, slots=True)
class Broken:
    """A file of the page, how its tests end, and the lines that matter, in their order."""

    name: str
    ends: dict[str, int]
    lines: tuple[str, ...]


PASSED_BUT = {"passed": 1, "errors": 1}
FAILED = {"failed": 1}
BROKEN = (
    Broken(
        "wrong_prompt",
        FAILED,
        (
            "*BadRequestError: Error code: 400 - No stub answers this request (*user: 'Refund 42, please.').",
            "*nearest: *test_wrong_prompt.py:5, 1 of 1 fields differ:",
            "*user  wanted contains 'refund #42'  got 'Refund 42, please.'",
            "*do: mend the nearest stub, or add this one:",
            '*- when: {user: "Refund 42, please."}',
            '*in Python: when(user="Refund 42, please.").reply("...")',
        ),
    ),
    Broken(
        "unused_stub",
        PASSED_BUT,
        (
            "Stub 'farewell' (*test_unused_stub.py:6) was never used.",
            "  nearest: request 1 (user 'hello'), 1 of 1 fields differ:",
            "    user  wanted contains 'goodbye'  got 'hello'",
            "  do: mend its `when`, or check what the code under test sends, or remove the stub",
        ),
    ),
    Broken(
        "wrong_order",
        FAILED,
        (
            "*VerificationError: Wanted as call 2 of the order one with user='Translate', but it came too early: request 1.",
            "*1. call 1, 200 plain, user 'Translate this: …', answered by 'test_wrong_order.py:6'",
            "*2. call 2, 200 plain, user 'Sum up this: …', answered by 'test_wrong_order.py:5'",
            "*do: check in which order the code under test asks, or change the order that is wanted",
        ),
    ),
    Broken(
        "extra_call",
        FAILED,
        (
            "*VerificationError: Wanted 1 call with user='Status', got 2.",
            "*1. call 1, 200 plain, user 'Status?', answered by 'status'",
            "*2. call 2, 200 plain, user 'Status, again?', answered by 'status'",
            "*do: if the code under test should ask that often, say times=2; else look for why it asks again",
        ),
    ),
    Broken(
        "exhausted_sequence",
        FAILED,
        (
            "*The sequence of stub 'steps' (*test_exhausted_sequence.py:5) has no more steps: all 2 were used,*",
            "*do: add a step, or say what comes after the last one with `on_end: repeat`, `cycle` or `pass`",
        ),
    ),
    Broken(
        "swallowed_exception",
        PASSED_BUT,
        (
            "Request 1 (*) was not answered by any script:",
            "    user  wanted contains 'weather'  got 'Will it rain?'",
            "  do: mend the nearest stub, or add this one:",
            "  note: the client got status 400; if the code under test went on, it has swallowed that",
        ),
    ),
    Broken(
        "late",
        {"passed": 2},
        (
            "*Session 't1' is finished: this request came too late and was answered by nothing.",
            "*do: end all calls before the test ends, or use the session of the running test",
            "test_late.py::test_a_report_is_sent",
            "  late request 1 (POST *, user 'Send the report.'), * s after the end of the session",
            "  do: end all calls before the test ends: wait for its tasks and threads, and close its clients",
        ),
    ),
    Broken(
        "wrong_arguments",
        FAILED,
        (
            "*nearest: *test_wrong_arguments.py:6, 1 of 1 fields differ:",
            "*tool_result  wanted a result with name equals 'refund', json {'order': 42, 'ok': True}*got refund: *24*",
            "*do: mend the nearest stub, or add this one:",
            '*in Python: when(tool_result="refund").reply("...")',
        ),
    ),
    Broken(
        "missing_tool",
        FAILED,
        (
            "*nearest: *test_missing_tool.py:5, 1 of 2 fields differ:",
            "*tools  wanted offered: refund, look_up  got look_up",
            "*do: mend the nearest stub, or add this one:",
        ),
    ),
    Broken(
        "cut_stream",
        PASSED_BUT,
        (
            "The stream of request 1 (user 'A story, please.') was cut after 3 chunks, and request 2 goes on as if *",
            "  came: 'Once upon a', then the error 'provider closed the stream *'",
            "  do: in the code under test, take a stream that ends with an error, or without a finish_reason, for a failure: *",
        ),
    ),
)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_report_says_what_is_wrong_and_what_to_do(
    broken: Broken, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(pytester, monkeypatch, "agent.py", f"test_{broken.name}.py")

    outcomes = result.parseoutcomes()
    assert {how: outcomes.get(how) for how in broken.ends} == broken.ends
    result.stdout.fnmatch_lines(broken.lines)


def test_the_page_shows_each_of_them() -> None:
    assert {f"test_{broken.name}.py" for broken in BROKEN} == set(FILES) - {"agent.py", "test_what_can_be_asserted.py"}


def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, *names: str) -> pytest.RunResult:
    """A run of these files in this process, with no plugin but ours."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in names:
        pytester.path.joinpath(name).write_text(FILES[name], encoding="utf-8")
    result = pytester.runpytest_inprocess(
        "-p", "mockbifrost.pytest_plugin", "-p", "no:cacheprovider", "--tb=short", "-W", "default"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the clients of the page are left to the garbage collector
        gc.collect()
    return result
