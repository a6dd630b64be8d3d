"""What a test reads of a request: what was asked, what was said, and who nearly answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockbifrost import Message, MockBifrost, Request, Session, ToolCall, UsageError
from tests.inside import port_of
from tests.plugin.saying import say
from tests.socket.raw_http import PATH, ask

LOOKUP = {"type": "function", "function": {"name": "lookup_order"}}
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


def conversation() -> dict[str, Any]:
    call = {"id": "c1", "type": "function", "function": {"name": "lookup_order", "arguments": '{"id": 42}'}}
    parts = [{"type": "text", "text": "Where is"}, {"type": "text", "text": "order 42?"}]
    return {
        "model": "openai/gpt-4o",
        "tools": [LOOKUP],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": parts, "name": "ada"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "shipped"},
        ],
    }


def send(mock: Session, body: object) -> Request:
    ask(port_of(mock), "POST", f"/s/{mock.id}{PATH}", json.dumps(body).encode())
    return mock.last


def test_what_was_asked(mock: Session) -> None:
    request = send(mock, conversation())

    assert (request.model, request.stream, request.tools) == ("openai/gpt-4o", False, ("lookup_order",))
    assert (request.user, request.system) == (None, "Be brief.")
    assert request.messages == (
        Message("system", "Be brief."),
        Message("user", "Where is\norder 42?", "ada"),
        Message("assistant", "", None, (ToolCall("lookup_order", '{"id": 42}', "c1"),)),
        Message("tool", "shipped", None, (), "c1"),
    )
    assert request.messages[2].tool_calls[0].json == {"id": 42}
    say(mock, "and back", stream=True)
    assert (mock.last.user, mock.last.stream, mock.last.system, mock.last.tools) == ("and back", True, None, ())


@pytest.mark.parametrize("body", [[], "x", {"messages": "x"}, {"messages": [3]}, {"model": 3}, None])
def test_what_is_no_chat_completion_asks_nothing(mock: Session, body: object) -> None:
    request = send(mock, body)

    assert (request.model, request.stream, request.messages, request.user) == ("", False, (), None)
    assert (request.system, request.tools, request.said, request.tool_calls) == (None, (), "", ())


@both_ways
def test_what_was_said(mock: Session, stream: bool) -> None:
    calls = [{"lookup_order": {"order_id": 'é "42"'}}, {"lookup_order": {"order_id": "43"}}]
    mock.when(user="hello").reply("Look: “here”.\n", tool_calls=calls)
    say(mock, stream=stream)

    request, [call] = mock.last, mock.calls
    assert (request.said, request.finish_reason, call.said, call.last) == (
        "Look: “here”.\n",
        "tool_calls",
        "Look: “here”.\n",
        request,
    )
    assert [(one.name, one.json) for one in request.tool_calls] == [
        ("lookup_order", {"order_id": 'é "42"'}),
        ("lookup_order", {"order_id": "43"}),
    ]
    assert all(one.id and one.id.startswith("call_") for one in request.tool_calls)
    assert request.text.startswith("data: " if stream else "{")


@both_ways
@pytest.mark.parametrize("fragments", ["one_chunk", "per_char", "split_escape", "interleaved", "name_repeated"])
@pytest.mark.parametrize("quirk", [None, "tool_index_zero"])
def test_calls_are_put_together_however_they_are_cut(
    mock: Session, stream: bool, fragments: Any, quirk: str | None
) -> None:
    if quirk:
        mock.configure(quirks=[quirk])
    calls: list[dict[str, object]] = [{"a": {"x": "1\n2"}}, {"b": "{broken"}]
    mock.when(user="hello").reply(tool_calls=calls, fragments="one_chunk" if quirk else fragments)
    say(mock, stream=stream)

    assert [(one.name, one.arguments) for one in mock.last.tool_calls] == [("a", '{"x":"1\\n2"}'), ("b", "{broken")]


@both_ways
def test_only_the_first_choice_counts(mock: Session, stream: bool) -> None:
    mock.when(n=2).reply(choices=["Heads.", "Tails."])
    say(mock, n=2, stream=stream)

    assert mock.last.said == "Heads."


def test_a_stream_says_what_came_before_it_broke(mock: Session) -> None:
    mock.when(user="hello").reply("One two three four.").upstream("cut", after_chunks=2)
    say(mock, stream=True)

    assert mock.last.said
    assert "One two three four.".startswith(mock.last.said)
    assert (mock.last.said, mock.last.finish_reason) != ("One two three four.", "stop")


def test_parts_of_a_content_are_joined(mock: Session) -> None:
    part = {"type": "image_url", "image_url": {"url": "x"}}
    mock.when(user="hello").reply(choices=[{"content": ["Here:", part, "that."]}])
    say(mock)

    assert mock.last.said == "Here:\nthat."


def test_an_error_says_nothing(mock: Session) -> None:
    mock.when(user="hello").error("overloaded")
    say(mock)

    assert (mock.last.said, mock.last.tool_calls, mock.last.finish_reason) == ("", (), None)
    assert (mock.last.status, mock.last.trail[0].outcome, mock.last.trail[0].type) == (529, "error", "overloaded_error")


@pytest.mark.parametrize("body", [{"choices": [3]}, {"choices": [{"message": 3}]}, {"choices": {}}, [], "x", {}])
def test_a_raw_answer_that_is_none_says_nothing(mock: Session, body: Any) -> None:
    mock.when(user="plain").raw(json=body)
    mock.when(user="stream").raw(events=[{"data": body}, {"data": {"choices": [{"delta": body}]}}, {"data": "{"}])
    for said in ("plain", "stream"):
        say(mock, said)

        assert (mock.last.said, mock.last.tool_calls, mock.last.finish_reason) == ("", (), None)


def test_arguments_that_are_no_json(mock: Session) -> None:
    mock.when(user="hello").reply(tool_calls=[{"a": "{broken"}])
    say(mock)

    with pytest.raises(UsageError) as error:
        mock.last.tool_calls[0].json  # noqa: B018
    assert str(error.value).startswith("the arguments of 'a' are no JSON (")
    assert str(error.value).endswith("): '{broken'; look at `arguments` instead")


def test_a_miss_names_the_stubs_that_nearly_answered(mock: Session) -> None:
    mock.when(user="refund").name("refund").reply("x")
    mock.when(user="hello").reply("x").times(1)
    say(mock)
    say(mock)
    stepped, near = mock.last.near_misses

    assert (stepped.mismatches, stepped.reason) == ((), "was used 1 of 1 times")
    assert (near.stub.name, near.stub.file, near.reason) == ("refund", __file__, None)
    assert [(one.field, one.want, one.got) for one in near.mismatches] == [("user", "contains 'refund'", "'hello'")]


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(words=TEXT.filter(lambda text: "{{" not in text and "{%" not in text and "{#" not in text), stream=st.booleans())
def test_what_is_said_is_what_the_stub_says(server: MockBifrost, words: str, stream: bool) -> None:
    with server.session() as mock:
        mock.when(user="hello").reply(words, tool_calls=[{"echo": {"words": words}}])
        say(mock, stream=stream)

        assert mock.last.said == words
        assert mock.last.tool_calls[0].json == {"words": words}
