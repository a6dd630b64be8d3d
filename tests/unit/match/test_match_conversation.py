"""What a request says, read from the messages that the client sent."""

from typing import Any

import pytest

from mockbifrost.match.conversation import Conversation, ToolResult
from mockbifrost.wire.request import validate


def conversation(*messages: dict[str, Any], **more: Any) -> Conversation:
    body = {"model": "gpt-4o", "messages": list(messages), **more}
    return Conversation(validate(body), body)


def message(role: str, content: Any = None, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def calls(*pairs: tuple[str | None, str | None]) -> dict[str, Any]:
    return message("assistant", tool_calls=[{"id": id, "function": {"name": name}} for id, name in pairs])


USER, OTHER, EMPTY = message("user", "one"), message("user", "two"), message("user", "")
SAID = message("assistant", "ok")


@pytest.mark.parametrize(
    ("messages", "user", "task"),
    [
        pytest.param((), None, None, id="no messages"),
        pytest.param((USER,), "one", "one", id="one"),
        pytest.param((USER, SAID, OTHER), "two", "two", id="the last"),
        pytest.param((USER, EMPTY, message("user")), "one", "one", id="those without text are skipped"),
        pytest.param((USER, SAID), None, "one", id="the assistant has spoken"),
        pytest.param((USER, calls(("c", "f")), message("tool", "x", tool_call_id="c")), None, "one", id="a tool round"),
        pytest.param((USER, SAID, EMPTY), None, "one", id="an empty one after the assistant"),
        pytest.param((message("system", "s"),), None, None, id="a system message alone"),
        pytest.param((message("user", [{"type": "text", "text": "a"}]),), "a", "a", id="parts"),
    ],
)
def test_user_and_task(messages: tuple[dict[str, Any], ...], user: str | None, task: str | None) -> None:
    """`user` is what the conversation ends with, `task` the last that a user said."""
    found = conversation(*messages)

    assert (found.user, found.task) == (user, task)


def test_the_first_user_message_and_the_turn() -> None:
    found = conversation(message("system", "s"), USER, SAID, OTHER, SAID)

    assert (found.first_user, found.turn) == ("one", 2)
    assert found.last is not None
    assert found.last.role == "assistant"


def test_an_empty_conversation_has_nothing() -> None:
    found = conversation()

    assert (found.first_user, found.turn, found.last, found.system) == (None, 0, None, None)
    assert (found.tools, found.results, found.response_format) == ((), (), None)


def test_without_messages_there_are_none() -> None:
    body = {"model": "gpt-4o"}

    assert list(Conversation(validate(body), body).messages) == []


def test_system_and_developer_messages_are_one_text() -> None:
    found = conversation(message("system", "a"), USER, message("developer", [{"type": "text", "text": "b"}]))

    assert found.system == "a\nb"
    assert conversation(message("system")).system == ""


def test_results_at_the_end_have_the_names_of_their_calls() -> None:
    found = conversation(
        USER,
        calls(("1", "old")),
        message("tool", "before", tool_call_id="1"),
        calls(("1", "a"), ("2", "b"), (None, "c"), ("3", None)),
        message("tool", "[1]", tool_call_id="2"),
        message("tool", "text", tool_call_id="1"),
        message("tool", "own", tool_call_id="9", name="named"),
        message("tool", None, tool_call_id="3"),
        message("tool", "lost"),
    )

    assert found.results == (
        ToolResult("b", "2", "[1]"),
        ToolResult("a", "1", "text"),
        ToolResult("named", "9", "own"),
        ToolResult(None, "3", ""),
        ToolResult(None, None, "lost"),
    )
    assert [result.value for result in found.results] == [[1], "text", "own", "", "lost"]


def test_results_that_are_not_at_the_end_are_none() -> None:
    assert conversation(calls(("1", "a")), message("tool", "x", tool_call_id="1"), USER).results == ()


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        pytest.param({"type": "json_schema", "json_schema": {"name": "Invoice"}}, "Invoice", id="a schema"),
        pytest.param({"type": "json_object"}, "json_object", id="an object"),
        pytest.param({"type": "json_schema"}, "json_schema", id="no schema"),
        pytest.param({"type": 5}, None, id="no type"),
        pytest.param({}, None, id="empty"),
        pytest.param(None, None, id="none"),
    ],
)
def test_the_name_of_what_is_asked_for(wanted: Any, name: str | None) -> None:
    assert conversation(USER, response_format=wanted).response_format == name


def test_tools_on_offer_by_name() -> None:
    tools = [
        {"type": "function", "function": {"name": "a"}},
        {"type": "custom", "custom": {"name": "b"}},
        {"type": "other"},
    ]

    assert conversation(USER, tools=tools).tools == ("a", "b")
