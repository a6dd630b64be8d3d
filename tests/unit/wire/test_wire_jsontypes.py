"""JSON as the gateway writes it, and one value laid upon another."""

import json
from copy import deepcopy
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given

from mockbifrost.wire.jsontypes import encode, merged
from tests.strategies import JSON, OBJECTS


def test_json_is_compact_and_keeps_the_order_of_keys() -> None:
    assert encode({"b": [1, 2.5], "a": {"c": None, "d": True}}) == b'{"b":[1,2.5],"a":{"c":null,"d":true}}'


def test_text_is_raw_utf_8_and_nothing_is_escaped_for_html() -> None:
    assert encode('Grüße <b> & 😀 \u2028 "\n') == '"Grüße <b> & 😀 \u2028 \\"\\n"'.encode()


def test_tuples_are_lists_and_read_only_mappings_are_objects() -> None:
    assert encode({"a": (1, (2,)), "b": MappingProxyType({"c": ()})}) == b'{"a":[1,[2]],"b":{"c":[]}}'


def test_what_is_no_json_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="set"):
        encode({"a": {1}})  # type: ignore[dict-item]


@given(JSON)
def test_what_was_encoded_reads_back_the_same(value: Any) -> None:
    assert json.loads(encode(value)) == value


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    base: Any
    over: Any
    wanted: Any


CASES = (
    Case("a new key comes last", {"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
    Case("objects go deep", {"a": {"b": 1, "c": 2}}, {"a": {"c": 3, "d": 4}}, {"a": {"b": 1, "c": 3, "d": 4}}),
    Case("lists go by index", [1, 2, 3], [4], [4, 2, 3]),
    Case("a longer list adds", [1], [2, 3], [2, 3]),
    Case("objects inside lists", [{"a": 1}, 2], [{"b": 3}], [{"a": 1, "b": 3}, 2]),
    Case("null replaces", {"a": {"b": 1}}, {"a": None}, {"a": None}),
    Case("another kind replaces", {"a": [1]}, {"a": {"b": 2}}, {"a": {"b": 2}}),
    Case("a text is no list", "abc", ["d"], ["d"]),
    Case("tuples are lists", {"a": ({"b": 1},)}, {"a": [{"c": 2}]}, {"a": [{"b": 1, "c": 2}]}),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_one_value_is_laid_upon_another(case: Case) -> None:
    assert merged(case.base, case.over) == case.wanted


def test_keys_stay_where_they_were() -> None:
    assert encode(merged({"a": 1, "b": 2, "c": 3}, {"b": 9, "a": 8})) == b'{"a":8,"b":9,"c":3}'


@given(JSON, JSON)
def test_laying_the_same_upon_it_again_changes_nothing(base: Any, over: Any) -> None:
    once = merged(base, over)

    assert merged(once, over) == once
    assert merged(base, base) == base


@given(OBJECTS, OBJECTS)
def test_neither_side_is_changed(base: dict[str, Any], over: dict[str, Any]) -> None:
    before = deepcopy((base, over))

    merged(base, over)

    assert (base, over) == before


@given(JSON, JSON)
def test_all_of_the_upper_value_is_there(base: Any, over: Any) -> None:
    assert covers(merged(base, over), over)


def covers(found: Any, over: Any) -> bool:
    """Whether every leaf of `over` is at its place."""
    if isinstance(over, dict):
        return isinstance(found, dict) and all(key in found and covers(found[key], over[key]) for key in over)
    if isinstance(over, list):
        return isinstance(found, list) and all(covers(one, other) for one, other in zip(found, over, strict=False))
    return bool(found == over)
