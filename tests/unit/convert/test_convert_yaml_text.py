"""YAML that people like to read says what it was made of."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.convert.yaml_text import block, comment, indented
from mockbifrost.scenario.document import read_document

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\n\n\t :#-'\"{}[]&*!|>%@`,"), max_size=40)
LONG = st.lists(TEXTS, max_size=6).map("\n".join) | TEXTS.map(lambda text: text * 5)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | LONG,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def written(value: Any) -> str:
    return "\n".join(block(value)) + "\n"


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4))
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    document = read_document(written(value), "test.yaml")

    assert (document.findings, document.value) == ([], value)
    assert yaml.safe_load(written({"deep": [value]})) == {"deep": [value]}


@given(TEXTS)
def test_a_comment_is_one_line(text: str) -> None:
    assert yaml.safe_load(comment(text) + "\na: 1\n") == {"a": 1}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"name": "says hello, don't you?"}, "name: says hello, don't you?\n"),
        ({"a": "yes", "b": "No", "c": "null", "d": "12", "e": ""}, 'a: "yes"\nb: "No"\nc: "null"\nd: "12"\ne: ""\n'),
        (
            {"a": "key: value", "b": "a #1", "c": "ends:", "d": " x"},
            'a: "key: value"\nb: "a #1"\nc: "ends:"\nd: " x"\n',
        ),
        ({"a": '{"it\'s": 1}'}, "a: '{\"it''s\": 1}'\n"),
        ({"ttft": "1m30s", "other": "1e5"}, 'ttft: 1m30s\nother: "1e5"\n'),
        ({"a": ["x", "y, z"], "b": [], "c": {}, "d": None}, 'a: [x, "y, z"]\nb: []\nc: {}\nd: null\n'),
        ({"a": [{"b": 1, "c": {"d": True}}]}, "a:\n  - b: 1\n    c:\n      d: true\n"),
        ({"a": "one\n\ntwo"}, "a: |-\n  one\n\n  two\n"),
        ({"a": "one\ntwo\n"}, "a: |\n  one\n  two\n"),
        ({"a": "one\n\n", "b": 1}, "a: |+\n  one\n\nb: 1\n"),
        ({"a": "  one\ntwo"}, 'a: "  one\\ntwo"\n'),
        ({"a": "one\n  \ntwo"}, 'a: "one\\n  \\ntwo"\n'),
        ({"a": ["one\ntwo"]}, "a:\n  - |-\n    one\n    two\n"),
        ({"a": "x" * 101}, f"a: |-\n  {'x' * 101}\n"),
        ({"odd key": 1, "on": 2}, '"odd key": 1\n"on": 2\n'),
    ],
)
def test_how_it_reads(value: Any, text: str) -> None:
    assert written(value) == text


def test_empty_lines_stay_empty() -> None:
    assert indented(["a", "", "b"]) == ["  a", "", "  b"]
