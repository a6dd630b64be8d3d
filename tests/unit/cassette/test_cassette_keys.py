from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mockbifrost.cassette.keys import Asked, Ignore, Key
from mockbifrost.errors import UsageError
from tests.harness import chat
from tests.strategies import REQUESTS

CALLS = [
    {"role": "user", "content": "go"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "A", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "A", "content": "done"},
]


def keys(body: dict[str, Any], *ignore: str) -> tuple[Key, Key]:
    asked = Asked(body, Ignore(ignore))
    return asked.of_gateway(), asked.of_provider(asked.model)


def turned(value: Any) -> Any:
    """The same JSON with its keys the other way round."""
    if isinstance(value, dict):
        return {key: turned(inner) for key, inner in reversed(value.items())}
    return [turned(inner) for inner in value] if isinstance(value, list) else value


def said(first: str, second: str = "x") -> dict[str, Any]:
    return {"messages": [{"content": first}, {"content": second}]}


def called(name: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "name": name}]}


@given(REQUESTS, st.booleans())
def test_neither_the_order_of_keys_nor_the_stream_nor_nulls_count(body: dict[str, Any], stream: bool) -> None:
    other = {**turned(body), "stream": stream, "stream_options": {"include_usage": True}, "never_said": None}

    assert keys(other) == keys(body)


def counted(body: dict[str, Any]) -> dict[str, Any]:
    """What of a request counts as it is: no stream, no nulls, no ids of calls."""
    messages = [one for one in body["messages"] if "tool_calls" not in one and "tool_call_id" not in one]
    kept = {key: item for key, item in body.items() if item is not None and key not in ("stream", "stream_options")}
    return {**kept, "messages": messages}


@given(REQUESTS.map(counted), REQUESTS.map(counted))
def test_requests_that_differ_in_what_counts_have_different_keys(body: dict[str, Any], other: dict[str, Any]) -> None:
    assume(json.dumps(body, sort_keys=True) != json.dumps(other, sort_keys=True))

    assert keys(body)[0] != keys(other)[0]


def test_ids_of_tool_calls_count_by_their_order_only() -> None:
    other = json.loads(json.dumps(CALLS).replace('"A"', '"call_77"'))
    wrong = json.loads(json.dumps(CALLS).replace('"tool_call_id": "A"', '"tool_call_id": "B"'))

    assert keys(chat(None, messages=other)) == keys(chat(None, messages=CALLS))
    assert keys(chat(None, messages=wrong)) != keys(chat(None, messages=CALLS))


def test_a_provider_is_not_told_of_fallbacks_and_unknown_keys() -> None:
    gateway, provider = keys(chat("hi", fallbacks=["anthropic/x"], of_my_own=1, max_tokens=5))
    plain_gateway, plain_provider = keys(chat("hi", max_completion_tokens=5))

    assert provider == plain_provider
    assert gateway != plain_gateway


def test_the_model_stands_beside_the_digest() -> None:
    asked = Asked(chat("hi", model="openai/gpt-4o"))

    assert asked.of_provider("gpt-4o") == Asked(chat("hi")).of_provider("gpt-4o")
    assert asked.of_gateway() != Asked(chat("hi")).of_gateway()


@pytest.mark.parametrize(
    ("ignore", "one", "other"),
    [
        pytest.param("metadata", {"metadata": {"run": 1}}, {"metadata": {"run": 2}}, id="a key"),
        pytest.param("metadata.run", {"metadata": {"run": 1, "a": 1}}, {"metadata": {"run": 2, "a": 1}}, id="inner"),
        pytest.param("messages[*].name", called("a"), called("b"), id="of each"),
        pytest.param("messages[0].content", said("a"), said("b"), id="of one"),
        pytest.param("messages[0]", said("a"), said("b"), id="an item"),
        pytest.param("stop[*]", {"stop": ["a"]}, {"stop": ["b", "c"]}, id="all items"),
        pytest.param("model", {"model": "a"}, {"model": "b"}, id="the model"),
        pytest.param(r"/-\d+/", {"model": "a-1"}, {"model": "a-2"}, id="a pattern in the model"),
        pytest.param(r"/\d{4}-\d\d-\d\d/", said("on 2026-01-01!"), said("on 1999-12-31!"), id="a pattern"),
        pytest.param("/run [a-f]+/i", {"user": "Run A"}, {"user": "run BEEF"}, id="a pattern with flags"),
    ],
)
def test_what_is_ignored_does_not_count(ignore: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    assert keys(one) != keys(other)
    assert keys(one, ignore) == keys(other, ignore)


def test_only_what_is_ignored_does_not_count() -> None:
    one, other = ({"messages": [{"content": "x"}, {"content": text}]} for text in "ab")

    assert keys(one, "messages[0].content") != keys(other, "messages[0].content")


@given(REQUESTS, st.sampled_from(["messages[*].content", "tools", "a.b[3].c", "/e/"]))
def test_ignoring_changes_no_body(body: dict[str, Any], ignore: str) -> None:
    before = json.dumps(body)

    keys(body, ignore)

    assert json.dumps(body) == before


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("", "'' can't be ignored: it is no path"),
        ("messages[", "'messages[' can't be ignored: it is no path"),
        ("a..b", "'a..b' can't be ignored: it is no path"),
        ("messages[x]", "'messages[x]' can't be ignored: it is no path"),
        ("/(/", "'/(/' can't be ignored: it is no regular expression"),
    ],
)
def test_what_can_not_be_ignored_is_refused(entry: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        Ignore([entry])

    assert str(caught.value).startswith(says)
