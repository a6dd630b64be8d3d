from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

import pytest
from pydantic import Field, ValidationError

from mockbifrost.vocabulary.node import REFUSED, Many, Node, Problem, described, did_you_mean, in_quotes, shortened


class Inner(Node):
    wanted: ClassVar[str] = "text or a mapping"
    takes_text: ClassVar[bool] = True

    text: str | None = None
    size: Annotated[int, Field(ge=1)] | None = None

    @classmethod
    def spelled_out(cls, value: object) -> object:
        return {"text": value} if isinstance(value, str) else value


class Outer(Node):
    nullable: ClassVar[frozenset[str]] = frozenset({"maybe"})

    name: str | None = None
    maybe: str | None = None
    inner: Inner | None = None
    many: Many[Inner] = ()
    from_: int | None = Field(default=None, alias="from")

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        if "name" in given and "inner" in given:
            yield Problem("two of a kind", "keep one", ("inner", "text"))


def errors(data: object) -> list[tuple[tuple[int | str, ...], str, str]]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(data)
    return [
        (detail["loc"], detail["type"], detail.get("ctx", {}).get("hint", ""))
        for detail in caught.value.errors(include_url=False)
    ]


def test_shorthands_are_spelled_out() -> None:
    made = Outer.model_validate({"inner": "a", "many": ["b", {"size": 2}]})
    assert made.inner == Inner(text="a")
    assert made.many == (Inner(text="b"), Inner(size=2))


def test_a_model_that_is_made_already_is_kept() -> None:
    inner = Inner(text="a")
    assert Outer.model_validate({"inner": inner}).inner is inner


def test_a_null_is_refused_unless_it_may_be_one() -> None:
    assert Outer.model_validate({"maybe": None}).model_fields_set == {"maybe"}
    assert errors({"name": None, "from": None}) == [
        (("name",), REFUSED, "give it one, or remove the line"),
        (("from",), REFUSED, "give it one, or remove the line"),
    ]


def test_problems_and_errors_of_fields_are_told_together_with_their_paths() -> None:
    assert errors({"name": 3, "inner": {"size": 0}, "x": 1, "many": [{"text": None}, 4]}) == [
        (("inner", "text"), REFUSED, "keep one"),
        (("name",), "string_type", ""),
        (("inner", "size"), "greater_than_equal", ""),
        (("many", 0, "text"), REFUSED, "give it one, or remove the line"),
        (("many", 1), REFUSED, "put it in quotes"),
        (("x",), "extra_forbidden", ""),
    ]


def test_what_is_no_mapping_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(3)
    [detail] = caught.value.errors()
    assert (detail["msg"], detail["ctx"]["hint"]) == ("must be a mapping, got the number 3", "")


def test_values_in_messages() -> None:
    values: tuple[object, ...] = (None, True, False, 3, 2.5, "a", {"a": 1}, [1], (1,), {1})
    assert [described(value) for value in values] == [
        "nothing (null)", "true", "false", "the number 3", "the number 2.5", "the text 'a'", "a mapping", "a list",
        "a list", "{1}",
    ]  # fmt: skip
    assert described("x" * 61) == f"the text '{'x' * 59}…'"
    assert shortened("x" * 60) == "x" * 60


def test_hints() -> None:
    assert did_you_mean("usr", ["user", "task"]) == "did you mean 'user'?"
    assert did_you_mean("zzz", ("user", "task")) == ""
    assert [in_quotes(value) for value in (3, True, 2.5, None, "a")] == ["put it in quotes"] * 3 + ["", ""]
