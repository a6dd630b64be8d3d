from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from mockbifrost.scenario.document import Mark, read_document
from mockbifrost.scenario.findings import findings_of
from mockbifrost.vocabulary.node import Many, Node


class Leaf(Node):
    word: Annotated[str, Field(pattern="^a+$")] = "a"


class Root(Node):
    by_name: Mapping[str, Leaf | None] | None = None
    rows: Many[Many[Leaf]] = ()


def found(text: str, at: Mark | None = None) -> list[str]:
    document = read_document(text, "a.yaml")
    with pytest.raises(ValidationError) as caught:
        Root.model_validate(document.value)
    return [str(finding) for finding in findings_of(caught.value, Root, document, at)]


def test_a_path_leads_through_mappings_and_lists_to_the_model_whose_keys_are_known() -> None:
    assert found("by_name: {x: {wrd: a}}\nrows: [[{}], [{}, {wo: a}]]\n") == [
        "a.yaml:1:15: by_name.x.wrd: unknown key 'wrd'; did you mean 'word'?",
        "a.yaml:2:20: rows[1][1].wo: unknown key 'wo'; did you mean 'word'?",
    ]


def test_an_error_without_words_of_our_own_keeps_those_of_pydantic() -> None:
    assert found("by_name: {x: {word: b}}\n") == ["a.yaml:1:21: by_name.x.word: String should match pattern '^a+$'"]


def test_values_from_no_file_have_one_place() -> None:
    assert found("by_name: {x: 3}\n", Mark(41, 0)) == ["a.yaml:42:1: by_name.x: must be a mapping, got the number 3"]
