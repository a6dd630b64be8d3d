"""Values drawn for JSON Schemas satisfy them by another's validator, are the same every time, and never without an end."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from itertools import islice
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, Json, RootModel, TypeAdapter
from typing_extensions import TypedDict

from mockbifrost.scenario.json_schema import LARGE, drawn
from mockbifrost.scenario.schema_check import Unsatisfiable
from mockbifrost.seeds import Draws
from tests.schemas import SCHEMAS


def value_of(schema: Any, seed: int = 0) -> Any:
    return drawn(schema, Draws(seed, b"").units("test"))


def violations(value: Any, schema: Any) -> list[str]:
    return [
        error.message
        for error in Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).iter_errors(value)
    ]


def size_of(value: Any) -> int:
    """How many parts a value has."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return 1 + sum(size_of(one) for one in inner)


@settings(max_examples=100)
@given(SCHEMAS, st.integers(0, 3))
def test_a_value_satisfies_its_schema(schema: dict[str, Any], seed: int) -> None:
    Draft202012Validator.check_schema(schema)

    value = value_of(schema, seed)

    assert violations(value, schema) == []
    assert json.dumps(value_of(schema, seed)) == json.dumps(value)
    assert size_of(value) < 4 * LARGE


class Colour(Enum):
    red = "red"
    green = "green"


class Point(NamedTuple):
    x: int
    y: float


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=1, le=9)]


class Dog(BaseModel):
    kind: Literal["dog"]
    name: Annotated[str, Field(pattern=r"^[A-Z][a-z]+$", max_length=12)]


class Owner(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    others: list[Annotated[Cat | Dog, Field(discriminator="kind")]]


class Times(BaseModel):
    at: datetime.datetime
    day: datetime.date
    clock: datetime.time
    lasts: datetime.timedelta
    id: uuid.UUID


class Money(BaseModel):
    amount: Decimal
    rate: Annotated[Decimal, Field(gt=0, lt=1, max_digits=5, decimal_places=3)]
    price: Annotated[float, Field(gt=0, multiple_of=0.25)]
    pieces: Annotated[int, Field(gt=10, lt=20, multiple_of=3)]


class Texts(BaseModel):
    short: Annotated[str, Field(min_length=3, max_length=5)]
    long: Annotated[str, Field(min_length=100)]
    code: Annotated[str, Field(pattern=r"^[A-Z]{2}\d{3}$")]
    raw: bytes
    payload: Json[Cat]


class Tree(BaseModel):
    value: int
    left: Tree | None = None
    right: Tree | None = None
    children: list[Tree] = []
    named: dict[str, Tree] = {}


class Sum(BaseModel):
    op: Literal["sum"] = "sum"
    parts: Annotated[list[Term], Field(min_length=2)]


class Number(BaseModel):
    op: Literal["number"] = "number"
    value: float


Term = Annotated[Sum | Number, Field(discriminator="op")]


class Lists(BaseModel):
    unique: Annotated[set[Colour], Field(min_length=2)]
    few: Annotated[list[int], Field(min_length=2, max_length=3)]
    point: Point
    pair: tuple[str, int]
    many: tuple[int, ...]
    frozen: frozenset[str]


class Maps(BaseModel):
    free: dict[str, Any]
    numbers: dict[str, int]
    by_colour: dict[Literal["a", "b"], int]
    by_code: dict[Annotated[str, Field(pattern=r"^\d{3}$")], bool]
    sized: Annotated[dict[str, float], Field(min_length=2, max_length=3)]


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", title="Closed")
    a: int | str | None
    b: Literal[1, "two", None]
    c: Colour = Colour.red


class Typed(TypedDict, total=False):
    a: int
    b: list[str]


class Numbers(RootModel[list[Annotated[int, Field(ge=5)]]]):
    pass


Sum.model_rebuild()
MODELS = (Owner, Times, Money, Texts, Tree, Sum, Lists, Maps, Closed, Typed, Numbers, Point, Colour)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.__name__))
def test_a_model_takes_what_is_drawn_for_its_schema(model: Any) -> None:
    adapter = TypeAdapter[Any](model)
    schema = adapter.json_schema()

    for seed in range(8):
        value = value_of(schema, seed)

        assert violations(value, schema) == []
        adapter.validate_json(json.dumps(value))
        assert size_of(value) < 60


@pytest.mark.parametrize(
    "schema",
    [
        False,
        None,
        5,
        {"type": "thing"},
        {"type": "integer", "minimum": 2, "maximum": 1},
        {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2},
        {"type": "integer", "minimum": 1, "maximum": 4, "multipleOf": 5},
        {"type": "number", "exclusiveMinimum": 1, "maximum": 1},
        {"type": "string", "minLength": 3, "maxLength": 2},
        {"type": "string", "minLength": 10**9},
        {"type": "string", "pattern": "("},
        {"type": "string", "pattern": "^a$", "minLength": 2},
        {"type": "string", "pattern": "(((a{900}){900}){900}){900}"},
        {"type": "string", "pattern": "a(?!a)b^"},
        {"type": "array", "minItems": 10**9},
        {"type": "array", "minItems": 3, "maxItems": 2},
        {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 3},
        {"type": "array", "prefixItems": [{}], "items": False, "minItems": 2},
        {"type": "object", "required": ["a"], "additionalProperties": False},
        {"type": "object", "required": ["a"], "maxProperties": 0},
        {"type": "object", "minProperties": 2, "maxProperties": 1},
        {"enum": []},
        {"enum": [1], "type": "string"},
        {"const": 1, "type": "string"},
        {"anyOf": []},
        {"oneOf": [{"type": "string"}, {"type": "string"}]},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"allOf": [{"const": 1}, {"const": 2}]},
        {"not": {}},
        {"$ref": "#"},
        {"$ref": "#/nowhere"},
        {"$ref": "https://example.com/schema"},
        {"allOf": [{"$ref": "#"}]},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]},
        {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
        {"type": "integer", "minimum": "one"},
        {"type": "object", "properties": ["a"]},
        {"type": "array", "minItems": "two"},
        {"enum": 5},
    ],
    ids=lambda schema: json.dumps(schema)[:60],
)
def test_what_has_no_value_is_said_to_have_none(schema: Any) -> None:
    with pytest.raises(Unsatisfiable):
        value_of(schema)


def test_what_grows_without_measure_comes_to_its_end() -> None:
    """A million leaves are required: there is no such value. Where they may be left out, few are made."""
    levels = {
        f"d{n}": {"type": "object", "properties": {k: {"$ref": f"#/$defs/d{n + 1}"} for k in "abcdefgh"}}
        for n in range(8)
    }
    wide = {"$ref": "#/$defs/d0", "$defs": {**levels, "d8": {"type": "integer"}}}
    full = json.loads(json.dumps(wide))
    for level in range(8):
        full["$defs"][f"d{level}"]["required"] = list("abcdefgh")

    assert size_of(value_of(wide)) < 8 * LARGE
    with pytest.raises(Unsatisfiable):
        value_of(full)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "not": {"multipleOf": 2}, "minimum": 0, "maximum": 9},
        {"oneOf": [{"type": "integer", "minimum": 5}, {"type": "integer", "maximum": 6}]},
        {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        {
            "type": "object",
            "properties": {"country": {"enum": ["de", "us"]}, "zip": {"type": "string"}},
            "required": ["country", "zip"],
            "if": {"properties": {"country": {"const": "us"}}},
            "then": {"properties": {"zip": {"pattern": r"^\d{5}$"}}},
            "else": {"properties": {"zip": {"maxLength": 3}}},
        },
        {
            "type": "object",
            "properties": {"card": {"type": "string"}},
            "required": ["card"],
            "dependentRequired": {"card": ["address"]},
        },
        {"type": "object", "properties": {"a": {}}, "required": ["a"], "dependentSchemas": {"a": {"maxProperties": 1}}},
        {
            "dependentRequired": {"zip": ["city"], "card": ["zip"]},
            "type": "object",
            "properties": {"card": {"type": "string"}},
            "required": ["card"],
        },
        {
            "type": "object",
            "required": ["a"],
            "dependentSchemas": {
                "b": {"properties": {"c": {"const": 1}}, "required": ["c"]},
                "a": {"required": ["b"], "properties": {"b": {"type": "integer", "minimum": 5}}},
            },
        },
        {"type": "string", "format": "email", "maxLength": 12},
        {"type": "string", "format": "uri", "maxLength": 5},
        {"type": "array", "prefixItems": [{"type": "integer"}], "unevaluatedItems": False, "minItems": 1},
        {
            "type": "object",
            "properties": {"a": {"$ref": "#here"}},
            "required": ["a"],
            "$defs": {"s": {"$anchor": "here", "type": "integer"}},
        },
        {
            "$id": "https://example.org/s",
            "type": "array",
            "items": {"$ref": "https://example.org/s#/$defs/s"},
            "minItems": 1,
            "$defs": {"s": {"type": "null"}},
        },
        {
            "type": "object",
            "patternProperties": {"^n_": {"type": "integer"}},
            "additionalProperties": False,
            "minProperties": 2,
        },
        {"type": "object", "propertyNames": {"pattern": "^[a-c]$"}, "minProperties": 2},
        {
            "type": "array",
            "items": {"type": "integer", "maximum": 9},
            "contains": {"type": "integer", "minimum": 5},
            "minContains": 2,
        },
        {"type": "array", "items": [{"type": "integer"}, {"type": "string"}], "additionalItems": False, "minItems": 2},
        {"allOf": [{"minimum": 3, "type": "number"}, {"maximum": 4}, {"type": "integer"}]},
        {
            "allOf": [
                {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            ]
        },
        {
            "properties": {"a": {"type": "integer"}},
            "additionalProperties": False,
            "anyOf": [{"properties": {"b": {}}}, {"required": ["a"]}],
        },
        {"not": {"type": "string"}},
        {"enum": [1, True, "a"], "type": "boolean"},
        {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"const": 1}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}, "minimum": 5, "maximum": 5},
        {"type": "string", "pattern": "[0-9]", "minLength": 12, "maxLength": 12},
        {"type": "string", "contentMediaType": "application/json", "contentSchema": {"type": "integer"}},
        {"type": "number", "minimum": 1e308},
        {"type": "number", "exclusiveMinimum": 0.1, "exclusiveMaximum": 0.2},
        {"type": "integer", "minimum": 5.5, "maximum": 6.5},
    ],
    ids=lambda schema: json.dumps(schema)[:60],
)
def test_keys_that_go_together_are_met(schema: Any) -> None:
    if isinstance(schema.get("items"), list):
        schema = {**schema, "prefixItems": schema["items"], "items": schema["additionalItems"]}
    for seed in range(5):
        assert violations(value_of(schema, seed), schema) == []


def test_lists_of_items_are_read_as_before_2020() -> None:
    schema = {"type": "array", "items": [{"type": "integer"}, {"type": "string"}], "additionalItems": False}

    first, second = value_of(schema)

    assert isinstance(first, int)
    assert isinstance(second, str)


def test_bounds_are_read_as_before_draft_6() -> None:
    schema = {"type": "integer", "minimum": 1, "exclusiveMinimum": True, "maximum": 3, "exclusiveMaximum": True}

    assert value_of(schema) == 2


def test_seeds_give_different_values() -> None:
    schema = {"type": "integer", "minimum": 0, "maximum": 10**12}

    assert len({value_of(schema, seed) for seed in range(10)}) == 10


def test_null_comes_only_where_nothing_else_can() -> None:
    assert all(value_of({"anyOf": [{"type": "null"}, {"type": "integer"}]}, seed) is not None for seed in range(9))
    assert value_of({"anyOf": [{"type": "null"}, False]}) is None
    assert value_of({"type": ["null", "string"], "minLength": 3, "maxLength": 2}) is None


def test_little_is_drawn_for_a_small_schema() -> None:
    """What is asked of the seed is bounded, too."""
    units = islice(Draws(0, b"").units("test"), 40)

    assert drawn({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}, units)
