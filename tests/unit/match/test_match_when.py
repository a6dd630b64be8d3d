"""Every key of `when`: what fits, and the whole text of what differs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from mockbifrost.match.attempt import Attempt
from mockbifrost.match.expectation import Expectation
from mockbifrost.scenario.expect import expectation_of
from mockbifrost.scenario.load import stub_from_mapping
from tests.harness import attempt, chat


def expectation(when: Mapping[str, Any]) -> Expectation:
    return expectation_of(stub_from_mapping({"when": when, "reply": "x"}, "test.yaml", 1).model.when)


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def call(name: str, id: str = "c1") -> dict[str, Any]:
    calls = [{"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}}]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(text: str, id: str = "c1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": text}


def said(*messages: dict[str, Any], **more: Any) -> Attempt:
    return attempt({"model": "gpt-4o", "messages": list(messages), **more})


def tools(*names: str) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": name}} for name in names]


ROUND = (user("find it"), call("lookup"), result('{"state": "sent", "items": [1, 2]}'))
TWO = (user("go"), call("a", "1"), call("b", "2"), result("one", "1"), result("two", "2"))
SCHEMA = {"type": "json_schema", "json_schema": {"name": "Invoice", "schema": {}}}


@dataclass(frozen=True, slots=True)
class Case:
    """`fits` fits; `fails` differs in the one way that `says` tells."""

    id: str
    when: Mapping[str, Any]
    fits: Attempt
    fails: Attempt
    says: str
    also: tuple[Attempt, ...] = field(default=())


CASES = (
    Case(
        "provider", {"provider": "openai"}, attempt(), attempt(provider="groq"), "provider  wanted 'openai'  got 'groq'"
    ),
    Case(
        "providers",
        {"provider": ["open*", "groq"]},
        attempt(),
        attempt(provider="xai"),
        "provider  wanted 'open*' or 'groq'  got 'xai'",
        (attempt(provider="groq"),),
    ),
    Case(
        "model",
        {"model": "gpt-4o"},
        attempt(),
        attempt(model="gpt-4o-mini"),
        "model  wanted 'gpt-4o'  got 'gpt-4o-mini'",
    ),
    Case(
        "model with its provider",
        {"model": "openai/gpt-4o*"},
        attempt(model="gpt-4o-mini"),
        attempt(provider="azure"),
        "model  wanted 'openai/gpt-4o*'  got 'gpt-4o'",
    ),
    Case(
        "key",
        {"key": {"ends_with": "i-key-1"}},
        attempt(),
        attempt(provider="x" * 150),
        f"key  wanted ends with 'i-key-1'  got '{'x' * 89}…{'x' * 13}-key-1' (156 characters)",
    ),
    Case("attempt", {"attempt": 1}, attempt(number=1), attempt(), "attempt  wanted 1  got 0"),
    Case("attempts", {"attempt": [0, 2]}, attempt(number=2), attempt(number=1), "attempt  wanted 0 or 2  got 1"),
    Case("fallback", {"fallback": "1.."}, attempt(fallback=3), attempt(), "fallback  wanted 1 or more  got 0"),
    Case("fallbacks", {"fallback": "1..2"}, attempt(fallback=2), attempt(fallback=3), "fallback  wanted 1 to 2  got 3"),
    Case(
        "user",
        {"user": "refund"},
        attempt(chat("a refund")),
        attempt(chat("hi")),
        "user  wanted contains 'refund'  got 'hi'",
    ),
    Case(
        "user in the middle",
        {"user": "find"},
        said(user("find it"), user(None), user("")),
        said(*ROUND),
        "user  wanted contains 'find'  got a conversation that does not end with a user's text",
    ),
    Case("task", {"task": "find"}, said(*ROUND), said(user("hi")), "task  wanted contains 'find'  got 'hi'"),
    Case(
        "no task", {"task": "x"}, attempt(chat("x")), said(call("a")), "task  wanted contains 'x'  got no user's text"
    ),
    Case(
        "system",
        {"system": "a\nb"},
        said({"role": "system", "content": "a"}, user("hi"), {"role": "developer", "content": "b"}),
        said(user("hi")),
        "system  wanted contains 'a\\nb'  got no system message",
    ),
    Case(
        "last",
        {"last": "sent"},
        said(*ROUND),
        said(user("hi")),
        "last  wanted any role: contains 'sent'  got user: 'hi'",
    ),
    Case(
        "last, its role",
        {"last": {"role": "tool", "text": "sent"}},
        said(*ROUND),
        said(user("sent")),
        "last  wanted tool: contains 'sent'  got user: 'sent'",
    ),
    Case(
        "last, a call",
        {"last": {"role": "user"}},
        said(user("hi")),
        said(user("hi"), call("lookup")),
        "last  wanted user  got assistant: calls lookup",
    ),
    Case(
        "messages",
        {"messages": [{"role": "assistant", "tool_call": "look*"}, {"tool_result": "lookup"}]},
        said(*ROUND),
        said(user("hi"), call("other"), result("x")),
        "messages[-2]  wanted assistant: calls a tool whose name any of (fits the glob 'look*')  "
        "got assistant: calls other",
    ),
    Case(
        "messages, their texts",
        {"messages": ["first", {"role": "assistant"}, "second"]},
        said(user("x"), user("the first"), {"role": "assistant", "content": "ok"}, user("the second")),
        said(user("first"), {"role": "assistant", "content": "ok"}, user("third")),
        "messages[-1]  wanted any role: contains 'second'  got user: 'third'",
    ),
    Case(
        "messages that are not there",
        {"messages": ["a", "b"]},
        said(user("a"), user("b")),
        said(user("b")),
        "messages  wanted at least 2 messages  got 1",
    ),
    Case("turn", {"turn": 1}, said(*ROUND), said(user("hi")), "turn  wanted 1  got 0"),
    Case("turns", {"turn": "..1"}, said(user("hi")), said(*TWO), "turn  wanted 0 to 1  got 2"),
    Case(
        "tools",
        {"tools": "a"},
        said(user("x"), tools=tools("b", "a")),
        attempt(),
        "tools  wanted offered: a  got no tools",
    ),
    Case(
        "all of the tools",
        {"tools": ["a", "b"]},
        said(user("x"), tools=tools("b", "a", "c")),
        said(user("x"), tools=tools("b", "c")),
        "tools  wanted offered: a, b  got b, c",
    ),
    Case("no tools", {"tools": []}, attempt(), said(user("x"), tools=tools("a")), "tools  wanted no tools  got a"),
    Case(
        "tool_result",
        {"tool_result": "lookup"},
        said(*ROUND),
        said(*ROUND, user("hi")),
        "tool_result  wanted a result with name equals 'lookup'  "
        "got a conversation that does not end with tool results",
    ),
    Case(
        "tool_result, all parts",
        {"tool_result": {"name": "l*", "id": "c1", "text": "sent", "json": {"state": "sent"}}},
        said(*ROUND),
        said(user("go"), call("lookup"), result('{"state": "lost"}')),
        "tool_result  wanted a result with name fits the glob 'l*', id equals 'c1', text contains 'sent', "
        "json {'state': 'sent'}  got lookup: '{\"state\": \"lost\"}'",
    ),
    Case(
        "several tool results",
        {"tool_result": ["a", {"text": "two"}]},
        said(*TWO),
        said(user("go"), call("a"), result("one")),
        "tool_result  wanted a result with text contains 'two'  got a: 'one'",
    ),
    Case("stream", {"stream": True}, said(user("x"), stream=True), attempt(), "stream  wanted true  got false"),
    Case("plain", {"stream": False}, attempt(), said(user("x"), stream=True), "stream  wanted false  got true"),
    Case("n", {"n": 2}, said(user("x"), n=2), attempt(), "n  wanted 2  got 1", (said(user("x"), n=2),)),
    Case("one choice", {"n": 1}, attempt(), said(user("x"), n=2), "n  wanted 1  got 2"),
    Case(
        "response_format",
        {"response_format": {"equals": "Invoice"}},
        said(user("x"), response_format=SCHEMA),
        attempt(),
        "response_format  wanted equals 'Invoice'  got no response format",
    ),
    Case(
        "response_format without a schema",
        {"response_format": "json_object"},
        said(user("x"), response_format={"type": "json_object"}),
        said(user("x"), response_format=SCHEMA),
        "response_format  wanted contains 'json_object'  got 'Invoice'",
    ),
    Case(
        "virtual_key",
        {"virtual_key": "sk-bf-team"},
        attempt(headers={"x-bf-vk": "sk-bf-team-a"}),
        attempt(),
        "virtual_key  wanted contains 'sk-bf-team'  got no virtual key",
    ),
    Case(
        "another virtual_key",
        {"virtual_key": "team-a"},
        attempt(headers={"authorization": "Bearer sk-bf-team-a"}),
        attempt(headers={"x-api-key": "sk-bf-b"}),
        "virtual_key  wanted contains 'team-a'  got 'sk-bf-b'",
    ),
    Case(
        "a long virtual_key, which may be a real one",
        {"virtual_key": "team-a"},
        attempt(headers={"x-bf-vk": "sk-bf-team-a"}),
        attempt(headers={"x-bf-vk": "sk-bf-0123456789abc"}),
        "virtual_key  wanted contains 'team-a'  got 'sk-bf-012…'",
    ),
    Case(
        "a header that holds a secret",
        {"headers": {"authorization": "team-a"}},
        attempt(headers={"authorization": "Bearer sk-bf-team-a"}),
        attempt(headers={"authorization": "Bearer sk-proj-0123456789"}),
        "headers.authorization  wanted contains 'team-a'  got 'Bearer sk-proj-0…'",
    ),
    Case(
        "headers",
        {"headers": {"X-Tenant": "acme"}},
        attempt(headers={"x-tenant": "acme-1"}),
        attempt(headers={"x-tenant": "other"}),
        "headers.x-tenant  wanted contains 'acme'  got 'other'",
    ),
    Case(
        "a header that is wanted",
        {"headers": {"x-a": "1"}},
        attempt(headers={"x-a": "1"}),
        attempt(),
        "headers.x-a  wanted contains '1'  got no such header",
    ),
    Case(
        "a header that must be absent",
        {"headers": {"x-a": None}},
        attempt(),
        attempt(headers={"x-a": "1"}),
        "headers.x-a  wanted no such header  got '1'",
    ),
    Case(
        "body",
        {"body": {"metadata.tier": "gold"}},
        said(user("x"), metadata={"tier": "golden"}),
        said(user("x"), metadata={"tier": 1}),
        "body.metadata.tier  wanted contains 'gold'  got 1",
    ),
    Case(
        "body, a value",
        {"body": {"temperature": 0}},
        said(user("x"), temperature=0),
        said(user("x"), temperature=0.5),
        "body.temperature  wanted 0  got 0.5",
    ),
    Case(
        "body, a switch",
        {"body": {"x_flag": True}},
        said(user("x"), x_flag=True),
        said(user("x"), x_flag=1),
        "body.x_flag  wanted True  got 1",
    ),
    Case(
        "body, an object",
        {"body": {"metadata": {"a": {"b": [1]}}}},
        said(user("x"), metadata={"a": {"b": [1], "c": 2}, "d": 3}),
        said(user("x"), metadata={"a": {"b": [1, 2]}}),
        "body.metadata  wanted {'a': {'b': [1]}}  got {'a': {'b': [1, 2]}}",
    ),
    Case(
        "body, nothing", {"body": {"seed": None}}, attempt(), said(user("x"), seed=5), "body.seed  wanted None  got 5"
    ),
    Case(
        "body, an expression",
        {"body": {"length(messages)": 1}},
        attempt(),
        said(user("x"), user("y")),
        "body.length(messages)  wanted 1  got 2",
    ),
    Case(
        "body, an expression over what is not there",
        {"body": {"length(tools)": 1}},
        said(user("x"), tools=tools("a")),
        attempt(),
        "body.length(tools)  wanted 1  got nothing",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_key_holds_where_it_should(case: Case) -> None:
    wanted = expectation(case.when)

    for fits in (case.fits, *case.also):
        assert wanted.mismatches(fits) == ()
        assert wanted.holds(fits)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_key_says_what_differs(case: Case) -> None:
    wanted = expectation(case.when)

    assert [str(mismatch) for mismatch in wanted.mismatches(case.fails)] == [case.says]
    assert not wanted.holds(case.fails)


def test_every_key_of_the_language_has_a_case() -> None:
    from mockbifrost.scenario.when_model import WhenModel

    assert {key for case in CASES for key in case.when} == set(WhenModel.known_keys())


def test_without_a_key_everything_fits() -> None:
    assert expectation({}).holds(said(*TWO))
    assert expectation({}).holds(attempt({"model": "x"}))


def test_every_key_must_hold_and_each_that_does_not_is_told() -> None:
    wanted = expectation({"user": "refund", "turn": 1, "stream": False, "provider": "groq"})

    assert [mismatch.field for mismatch in wanted.mismatches(attempt(chat("hi")))] == ["user", "provider", "turn"]


@pytest.mark.parametrize(
    ("wanted", "got", "note"),
    [
        pytest.param("refund", "a REFUND", "differs only in case: use ignore_case", id="case"),
        pytest.param("my refund", "my  refund", "differs only in white space", id="white space"),
        pytest.param("my refund", "My\nrefund", "differs only in case and white space", id="both"),
        pytest.param("refund", "refnd", "", id="neither"),
    ],
)
def test_a_near_text_is_remarked(wanted: str, got: str, note: str) -> None:
    for when in ({"user": wanted}, {"last": wanted}, {"body": {"messages[0].content": wanted}}):
        (mismatch,) = expectation(when).mismatches(attempt(chat(got)))

        assert mismatch.note == note
        assert str(mismatch).endswith(f"  ({note})" if note else f"{got!r}")
