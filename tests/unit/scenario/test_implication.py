"""Whether one `when` implies another is said only where it is certain."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.scenario.expect import text_matcher
from mockbifrost.scenario.implication import apart, contradictions, implies, plain_texts, text_implies
from mockbifrost.scenario.text_model import TextMatcherModel
from mockbifrost.scenario.when_model import WhenModel

TEXTS = st.text("aAb", max_size=4)
PARTS = st.text("aAb", min_size=1, max_size=2)
SIMPLE = st.fixed_dictionaries(
    {},
    optional={
        "equals": TEXTS,
        "contains": PARTS,
        "starts_with": PARTS,
        "ends_with": PARTS,
        "regex": st.sampled_from(["a", "^b", "A$"]),
        "glob": st.sampled_from(["*", "a*", "?b"]),
        "ignore_case": st.booleans(),
    },
).filter(lambda tests: set(tests) - {"ignore_case"} != set())
MATCHERS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.builds(lambda one: {"not": one}, inner),
        st.builds(lambda many: {"any": many}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda many, more: {**more, "all": many}, st.lists(inner, min_size=1, max_size=2), SIMPLE),
    ),
    max_leaves=3,
)


def when(**keys: Any) -> WhenModel:
    return WhenModel.model_validate(keys)


@given(strong=MATCHERS, weak=MATCHERS, texts=st.lists(TEXTS, min_size=8, max_size=8))
def test_a_text_that_fits_the_one_fits_the_other(strong: Any, weak: Any, texts: list[str]) -> None:
    one, other = TextMatcherModel.model_validate(strong), TextMatcherModel.model_validate(weak)
    if text_implies(one, other):
        for text in texts:
            assert text_matcher(other).fits(text) or not text_matcher(one).fits(text)


@given(strong=st.fixed_dictionaries({}, optional={"user": SIMPLE, "task": SIMPLE}), weak=SIMPLE)
def test_what_is_told_apart_at_a_glance_is_not_implied(strong: Any, weak: Any) -> None:
    one, other = when(**strong), when(user=weak)
    if apart(plain_texts(one), plain_texts(other)):
        assert not implies(one, other)


@pytest.mark.parametrize(
    ("strong", "weak", "told"),
    [
        ("ab", "a", False),
        ("ab", "c", True),
        ({"equals": "ab"}, {"equals": "ab"}, False),
        ("ab", {"equals": "ab"}, True),
    ],
)
def test_most_stubs_are_told_apart_at_a_glance(strong: Any, weak: Any, told: bool) -> None:
    assert apart(plain_texts(when(user=strong)), plain_texts(when(user=weak))) is told


@given(matcher=MATCHERS)
def test_every_matcher_implies_itself(matcher: Any) -> None:
    assert text_implies(TextMatcherModel.model_validate(matcher), TextMatcherModel.model_validate(matcher))


@pytest.mark.parametrize(
    ("strong", "weak"),
    [
        ({"user": "a"}, {}),
        ({"user": "refund please", "tools": "f"}, {"user": "refund"}),
        ({"user": {"equals": "ab"}}, {"user": "/^a.$/"}),
        ({"user": {"starts_with": "Refund it"}}, {"user": {"contains": "refund", "ignore_case": True}}),
        ({"user": {"ends_with": "now"}}, {"user": {"any": ["later", "now"]}}),
        ({"user": {"any": ["ab", "ac"]}}, {"user": "a"}),
        ({"user": {"not": "a"}}, {"user": {"not": "ab"}}),
        ({"user": "a"}, {"user": {"all": ["a"]}}),
        ({"model": "gpt-4o"}, {"model": ["gpt-*", "o3"]}),
        ({"provider": "open*"}, {"provider": "*"}),
        ({"turn": 3}, {"turn": "1.."}),
        ({"turn": [1, "3..4"]}, {"turn": ["1..2", "3..5"]}),
        ({"stream": True, "n": 2}, {"n": 2}),
        ({"last": {"role": "user", "text": "ab"}}, {"last": "a"}),
        ({"messages": ["a", "b"]}, {"messages": ["a", "b"]}),
        ({"tools": ["f", "g"]}, {"tools": "g"}),
        ({"tools": []}, {"tools": []}),
        ({"tool_result": [{"name": "f", "id": "1", "text": "ab", "json": 1}, "g"]}, {"tool_result": "f"}),
        ({"tool_result": {"name": "f", "text": "ab"}}, {"tool_result": {"name": "f*", "text": "a"}}),
        ({"headers": {"X": "ab", "y": None}}, {"headers": {"x": "a", "Y": None}}),
        ({"body": {"a": [1], "b": "c"}}, {"body": {"a": [1]}}),
        ({"user": "a"}, {"headers": {}, "body": {}}),
    ],
)
def test_what_is_certain(strong: dict[str, Any], weak: dict[str, Any]) -> None:
    assert implies(when(**strong), when(**weak))


@pytest.mark.parametrize(
    ("strong", "weak"),
    [
        ({}, {"user": "a"}),
        ({"user": "a"}, {"task": "a"}),
        ({"user": "a"}, {"user": "A"}),
        ({"user": {"contains": "a", "ignore_case": True}}, {"user": "a"}),
        ({"user": {"contains": "a"}}, {"user": {"starts_with": "a"}}),
        ({"user": "ab"}, {"user": "/a./"}),
        ({"user": "ab"}, {"user": {"not": "c"}}),
        ({"model": "gpt-4*"}, {"model": "gpt-4o*"}),
        ({"model": "openai/gpt-4o"}, {"model": "gpt-4o"}),
        ({"turn": "1.."}, {"turn": "1..9"}),
        ({"turn": [1, 5]}, {"turn": 1}),
        ({"stream": True}, {"stream": False}),
        ({"last": {"role": "user"}}, {"last": "a"}),
        ({"last": "a"}, {"last": {"role": "user"}}),
        ({"tools": ["f"]}, {"tools": []}),
        ({"tools": []}, {"tools": ["f"]}),
        ({"tools": ["f"]}, {"tools": ["f", "g"]}),
        ({"tool_result": {"name": "f"}}, {"tool_result": {"name": "f", "json": None}}),
        ({"tool_result": {"json": True}}, {"tool_result": {"json": 1}}),
        ({"tool_result": {"id": "1"}}, {"tool_result": "f"}),
        ({"headers": {"x": "a"}}, {"headers": {"x": None}}),
        ({"headers": {"x": "a"}}, {"headers": {"x": "b"}}),
        ({"headers": {"x": "a"}}, {"headers": {"y": "a"}}),
        ({"body": {"a": 1}}, {"body": {"a": 2}}),
        ({"body": {"a": 1}}, {"body": {"b": 1}}),
    ],
)
def test_what_is_not(strong: dict[str, Any], weak: dict[str, Any]) -> None:
    assert not implies(when(**strong), when(**weak))


@pytest.mark.parametrize(
    ("keys", "text", "at"),
    [
        (
            {"user": "a", "tool_result": "f"},
            "`user` wants a conversation that ends with a user message, `tool_result` one that ends with tool results",
            ("user",),
        ),
        (
            {"user": "a", "last": {"role": "tool"}},
            "the last message can't have the role tool: `user` wants the role user there",
            ("last", "role"),
        ),
        (
            {"tool_result": "f", "messages": ["a", {"role": "user"}]},
            "the last message can't have the role user: `tool_result` wants the role tool there",
            ("messages", 1, "role"),
        ),
        ({"task": {"equals": "a", "contains": "b"}}, "`equals` is a text that the other tests refuse", ("task",)),
    ],
)
def test_what_can_never_hold(keys: dict[str, Any], text: str, at: tuple[Any, ...]) -> None:
    assert [(problem.text, problem.at) for problem in contradictions(when(**keys))] == [(text, at)]


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"user": "a", "last": {"role": "user"}},
        {"tool_result": "f", "messages": [{"role": "assistant"}, {"role": "tool"}]},
        {"user": {"equals": "A", "contains": "a", "ignore_case": True}},
        {"attempt": [0, 3], "last": {"role": "assistant"}},
    ],
)
def test_what_might_hold(keys: dict[str, Any]) -> None:
    assert list(contradictions(when(**keys))) == []
