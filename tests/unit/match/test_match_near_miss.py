"""The miss: the whole text that lets a stranger mend a scenario without reading code."""

from dataclasses import dataclass
from typing import Any

import pytest

from mockbifrost.match.expectation import Mismatch
from mockbifrost.match.near_miss import NearMiss, nearest
from tests.harness import ask, ask_in, chat, open_session, session_with, stubs


def miss(fields: int, *mismatches: Mismatch, name: str = "x", reason: str = "") -> NearMiss:
    return NearMiss(name, "a.yaml", 1, fields, mismatches, reason)


FAR, NEAR = Mismatch("user", "a", "b"), Mismatch("user", "a", "b", "differs only in case")


def test_the_nearest_is_the_one_with_the_fewest_differences() -> None:
    """Those that fit and stepped aside come first, a difference with a remark counts half, more fields that fit win."""
    rows = [
        miss(3, FAR, FAR, name="two"),
        miss(1, FAR, name="one of one"),
        miss(3, FAR, name="one of three"),
        miss(1, NEAR, name="nearly"),
        miss(2, name="stepped aside", reason="was used 1 of 1 times"),
    ]

    assert [one.name for one in nearest(rows, 5)] == ["stepped aside", "nearly", "one of three", "one of one", "two"]
    assert len(nearest(rows)) == 3


def test_of_equals_the_first_is_nearest() -> None:
    assert [one.name for one in nearest([miss(1, FAR, name=name) for name in "abc"])] == ["a", "b", "c"]


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    scenario: str
    body: dict[str, Any]
    text: str


ROUND: list[dict[str, Any]] = [
    {"role": "user", "content": "go"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "look", "arguments": ""}}],
    },
    {"role": "tool", "tool_call_id": "c", "content": "found"},
]
CASES = (
    Case(
        "no stubs",
        "version: 1",
        chat("Where is my order?\nThanks"),
        "No stub answers this request (model \"gpt-4o\", plain, turn 0, user: 'Where is my order?\\nThanks').\n"
        "  nearest: there are no stubs at all\n"
        "  do: add this stub:\n"
        '    - when: {user: "Where is my order?"}\n'
        '      reply: "..."\n'
        '    in Python: when(user="Where is my order?").reply("...")',
    ),
    Case(
        "several",
        stubs(
            """
            - {name: refunds, when: {user: refund, turn: 0}, reply: a}
            - {when: {user: REFUND 42}, reply: b}
            - {name: other, when: {user: x, turn: 1, stream: true}, reply: c}
            - {name: far, when: {user: x, turn: 2, stream: true, n: 3}, reply: d}
            """
        ),
        chat("Refund 42"),
        "No stub answers this request (model \"gpt-4o\", plain, turn 0, user: 'Refund 42').\n"
        '  nearest: "refunds" (test.yaml:3), 1 of 2 fields differ:\n'
        "    user  wanted contains 'refund'  got 'Refund 42'  (differs only in case: use ignore_case)\n"
        "  also: test.yaml:4, 1 of 1 fields differ:\n"
        "    user  wanted contains 'REFUND 42'  got 'Refund 42'  (differs only in case: use ignore_case)\n"
        '  also: "other" (test.yaml:5), 3 of 3 fields differ:\n'
        "    user  wanted contains 'x'  got 'Refund 42'\n"
        "    turn  wanted 1  got 0\n"
        "    stream  wanted true  got false\n"
        "  (1 more of 4 stubs are further away)\n"
        "  do: mend the nearest stub, or add this one:\n"
        '    - when: {user: "Refund 42"}\n'
        '      reply: "..."',
    ),
    Case(
        "inactive",
        stubs("- {when: {user: hi}, active: {from: 10s}, reply: a}"),
        chat("hi", stream=True),
        "No stub answers this request (model \"gpt-4o\", stream, turn 0, user: 'hi').\n"
        "  nearest: test.yaml:3 matches but is not active now: clock at 0s, active from 10s\n"
        "  do: let the nearest stub answer now, or add this one:\n"
        '    - when: {user: "hi"}\n'
        '      reply: "..."',
    ),
    Case(
        "after a tool",
        stubs("- {when: {tool_result: find}, reply: a}"),
        {"model": "openai/gpt-4o", "messages": ROUND},
        "No stub answers this request (model \"openai/gpt-4o\", plain, turn 1, tool: 'found').\n"
        "  nearest: test.yaml:3, 1 of 1 fields differ:\n"
        "    tool_result  wanted a result with name equals 'find'  got look: 'found'\n"
        "  do: mend the nearest stub, or add this one:\n"
        '    - when: {tool_result: "look"}\n'
        '      reply: "..."',
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_miss_says_what_was_nearest_and_what_to_do(case: Case) -> None:
    response = ask(case.scenario, case.body)

    assert response.error["message"] == case.text
    assert response.status == 400


def test_a_miss_is_never_taken_for_a_simulated_error() -> None:
    response = ask("version: 1", chat())

    body = response.json()
    assert (body["type"], body["status_code"], body["error"]["code"]) == ("mockbifrost_no_match", 400, "no_match")
    assert response.header("x-mockbifrost-error") == "no_match"
    assert response.header("x-should-retry") == "false"


def test_the_journal_hides_the_keys_that_near_misses_tell() -> None:
    session = session_with({"when": {"user": "x"}, "reply": "x"})

    entry = ask_in(session, chat("my key is sk-abcdefgh12345678")).entry.to_json()

    assert entry["near_misses"][0]["mismatches"][0]["got"] == "'my key is [redacted]'"
    assert "sk-abcdefgh" not in str(entry)


def test_the_journal_has_the_same_near_misses() -> None:
    session = open_session(stubs("- {name: a, when: {user: x}, reply: a}\n- {when: {user: hi}, times: 1, reply: b}"))
    ask_in(session, chat("hi"))

    entry = ask_in(session, chat("hi")).entry

    assert entry.error == "no_match"
    assert entry.to_json()["near_misses"] == [
        {"stub": {"file": "test.yaml", "line": 4}, "reason": "was used 1 of 1 times"},
        {
            "stub": {"file": "test.yaml", "line": 3, "name": "a"},
            "mismatches": [{"field": "user", "want": "contains 'x'", "got": "'hi'"}],
        },
    ]


def test_the_stub_to_paste_answers() -> None:
    """What a miss proposes fits the very request, quotes and backslashes in it too."""
    body = chat('He said "no\\way"\nand left.')
    _head, pasted = ask("version: 1", body).error["message"].split("add this stub:\n")
    *lines, python = [line.removeprefix("    ") for line in pasted.splitlines()]

    assert ask(stubs("\n".join(lines)), body).text == "..."
    keys = eval("dict" + python.removeprefix("in Python: when").removesuffix('.reply("...")'))
    assert ask_in(session_with({"when": keys, "reply": "..."}), body).text == "..."


@pytest.mark.parametrize(
    ("far", "near"),
    [
        ("{user: text}", "{tool_result: {name: look, json: {found: 2}}}"),
        ("{tool_result: {name: look, json: {found: 2}}}", "{tool_result: {name: look, json: {found: 2, of: 3}}}"),
        ("{tool_result: {id: d}}", "{tool_result: {id: c, text: nope}}"),
        ("{tool_result: {name: find}}", "{tool_result: [{name: look, json: [1]}]}"),
        ("{tools: [a, b]}", "{tools: [look, a]}"),
    ],
)
def test_the_more_of_it_holds_the_nearer_it_is(far: str, near: str) -> None:
    messages = [*ROUND[:-1], {**ROUND[-1], "content": '{"found": 1, "of": 3}'}]
    tools = [{"type": "function", "function": {"name": "look"}}]
    body = {"model": "gpt-4o", "messages": messages, "tools": tools}
    text = ask(stubs(f"- {{name: far, when: {far}, reply: a}}\n- {{name: near, when: {near}, reply: b}}"), body).error[
        "message"
    ]

    assert text.splitlines()[1].startswith('  nearest: "near" ')
