"""A converted scenario that answers otherwise than what was recorded is found out, and how is said."""

from __future__ import annotations

from typing import Any

import pytest

from mockbifrost.convert.asked_again import asked_again
from mockbifrost.convert.turns import turn_of
from tests.harness import stubs
from tests.recorded import call, interaction, said

ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
RECORDED = said({"content": "Hello.", "reasoning": "Hm.", "tool_calls": [call("f")]}, finish_reason="length")
GOOD = """
- reply:
    content: Hello.
    reasoning: Hm.
    tool_calls: [{name: f, id: call_1}]
    finish_reason: length
    usage: {prompt_tokens: 9, completion_tokens: 4}
"""


def why(text: str, answer: Any = RECORDED, **more: Any) -> str | None:
    """What is found out about a scenario that stands for one interaction."""
    found = asked_again(stubs(text), [turn_of(interaction(ASKED, answer, **more), (), ids=False)])
    return None if found is None else found.why


def test_the_same_answer() -> None:
    assert why(GOOD) is None


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("Hello.", "Bye.", "its content was 'Hello.' and would be 'Bye.'"),
        ("Hm.", "Ah.", "its reasoning was 'Hm.' and would be 'Ah.'"),
        ("name: f", "name: g", "its tool calls were [('f', '{}', 'call_1')] and would be [('g', '{}', 'call_1')]"),
        ("call_1", "call_2", "its tool calls were [('f', '{}', 'call_1')] and would be [('f', '{}', 'call_2')]"),
        ("finish_reason: length", "finish_reason: stop", "its finish reason was 'length' and would be 'stop'"),
        ("completion_tokens: 4", "completion_tokens: 5", "its completion_tokens were 4 and would be 5"),
    ],
)
def test_another_answer(before: str, after: str, text: str) -> None:
    assert why(GOOD.replace(before, after)) == text


def test_another_status_and_another_error() -> None:
    error = {"error": {"message": "No.", "type": "t", "code": "c"}}

    assert why("- error: {status: 500, message: No., type: t, code: c}", error, status=500) is None
    assert why("- error: {status: 503, message: No.}", error, status=500) == "its status was 500 and would be 503"
    assert why("- error: {status: 500, message: Yes., type: t, code: c}", error, status=500) == (
        "the message of its error was 'No.' and would be 'Yes.'"
    )
    assert (
        why("- error: {status: 500, message: No., type: t}", error, status=500)
        == "the code of its error was 'c' and would be None"
    )


def test_fewer_choices() -> None:
    choices = [{"index": index, "message": {"content": "a"}, "finish_reason": "stop"} for index in range(2)]

    assert why("- a", said("", choices=choices, usage=None)) == "it had 2 choices and would have 1"


def test_no_stub_answers() -> None:
    assert why("- {when: {user: bye}, reply: a}") == (
        "No stub answers this request (model \"gpt-4o\", plain, turn 0, user: 'hi')."
    )


def test_a_request_that_the_provider_refuses_before_a_stub_is_asked() -> None:
    one = interaction({**ASKED, "temperature": 9}, said("a"))
    found = asked_again(stubs("- a"), [turn_of(one, (), ids=False)])

    assert found is not None
    assert found.unasked
