"""JSON Schemas that hypothesis may draw: all of them have a value."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

SMALL = st.integers(0, 4)
NUMBERS = st.integers(-(10**9), 10**9) | st.floats(-1e6, 1e6).map(lambda number: round(number, 3))
FORMATS = ("date", "date-time", "time", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid", "regex", "odd")
PATTERNS = (
    r"^[A-Z]{3}-\d{4}$", r"^(red|green|blue)$", r"[0-9]+", r"^\S+@\S+\.[a-z]{2,}$", r"^[^aeiou]+$", r"^(?:\d{1,3}\.){3}\d{1,3}$",
    r"^#?([a-f0-9]{6}|[a-f0-9]{3})$", r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$", r"^\+?[1-9]\d{1,14}$", r"^.{2,5}$", r"\bword\b",
    r"^(?=.*[A-Z])(?=.*\d).{8,20}$", r"^(\w)\1$", r"^v(?<major>\d+)\.\d+$",
)  # fmt: skip


@st.composite
def numbers(draw: st.DrawFn) -> dict[str, Any]:
    low = draw(NUMBERS)
    high = low + draw(st.integers(2, 10**6))
    found: dict[str, Any] = {"type": draw(st.sampled_from(["integer", "number"]))}
    lower = draw(st.sampled_from([None, "minimum", "exclusiveMinimum"]))
    upper = draw(st.sampled_from([None, "maximum", "exclusiveMaximum"]))
    found |= {lower: low} if lower else {}
    found |= {upper: high} if upper else {}
    if draw(st.booleans()):
        found["multipleOf"] = draw(st.sampled_from([1, 2, 5, 0.5, 0.25, 0.1, 0.01]))
        if found["multipleOf"] in (2, 5) and upper:
            found[upper] = high + 10
    return found


@st.composite
def texts(draw: st.DrawFn) -> dict[str, Any]:
    least = draw(st.integers(0, 30))
    bounds = draw(st.sampled_from([{}, {"minLength": least}, {"minLength": least, "maxLength": least + draw(SMALL)}]))
    more = st.sampled_from(FORMATS).map(lambda form: {"format": form})
    pattern = st.sampled_from(PATTERNS).map(lambda pattern: {"pattern": pattern})
    return {"type": "string"} | draw(st.just(bounds) | more | pattern)


LEAVES: st.SearchStrategy[Any] = st.one_of(
    numbers(),
    texts(),
    st.sampled_from(
        [{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}, {"type": ["null", "integer"]}]
    ),
    st.lists(st.sampled_from(["a", 1, 1.5, True, None, [1], {"x": 1}]), min_size=1, max_size=4).map(
        lambda e: {"enum": e}
    ),
    st.sampled_from(["a", 0, False, None, {"x": [1]}]).map(lambda const: {"const": const}),
    st.just({}),
    st.sampled_from(["#/$defs/leaf", "#/$defs/tree", "#/$defs/list"]).map(lambda reference: {"$ref": reference}),
)
DEFINITIONS: dict[str, Any] = {
    "leaf": {"type": "string", "minLength": 2},
    "tree": {
        "type": "object",
        "properties": {
            "value": {"$ref": "#/$defs/leaf"},
            "left": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]},
            "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
        },
        "required": ["value", "left"],
        "additionalProperties": False,
    },
    "list": {"oneOf": [{"const": "end"}, {"type": "array", "prefixItems": [{"$ref": "#/$defs/list"}], "minItems": 1}]},
}


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "array", "items": draw(inner)}
    least = draw(SMALL)
    if draw(st.booleans()):
        found |= {"minItems": least, "maxItems": least + draw(SMALL)}
    if draw(st.booleans()):
        found |= {"uniqueItems": True, "items": {"type": "integer", "minimum": draw(NUMBERS)}}
    if draw(st.booleans()):
        fixed = draw(st.lists(inner, min_size=1, max_size=3))
        found = {"type": "array", "prefixItems": fixed, "items": draw(st.booleans()), "minItems": len(fixed)}
    return found


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    properties = draw(st.dictionaries(st.sampled_from(["a", "b", "c d", "é"]), inner, max_size=3))
    required = draw(st.lists(st.sampled_from(sorted(properties)), unique=True)) if properties else []
    found: dict[str, Any] = {"type": "object", "properties": properties, "required": required}
    others = draw(st.sampled_from([None, False, {"type": "integer"}]))
    if others is not None:
        found["additionalProperties"] = others
    if others is not False and draw(st.booleans()):
        found["minProperties"] = draw(SMALL)
    return found


def combined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Schemas of others that can be met: the branches of oneOf are told apart by a constant."""
    tagged = st.lists(inner, min_size=1, max_size=3).map(
        lambda parts: {
            "oneOf": [
                {"type": "object", "properties": {"kind": {"const": at}, "value": part}, "required": ["kind"]}
                for at, part in enumerate(parts)
            ]
        }
    )
    parts = st.dictionaries(st.sampled_from("abc"), inner, max_size=2).map(
        lambda found: {"type": "object", "properties": found, "required": sorted(found)}
    )
    disjoint = st.tuples(parts, inner).map(
        lambda pair: {"allOf": [pair[0], {"properties": {"z": pair[1]}, "required": ["z"]}], "minProperties": 1}
    )
    any_of = st.lists(inner, min_size=1, max_size=3).map(lambda found: {"anyOf": found})
    return arrays(inner) | objects(inner) | tagged | disjoint | any_of


SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.recursive(LEAVES, combined, max_leaves=6).map(
    lambda schema: {**schema, "$defs": DEFINITIONS}
)
"""Schemas that have a value."""
PARAMETERS: st.SearchStrategy[dict[str, Any]] = objects(SCHEMAS.map(lambda schema: {**schema, "$defs": {}})).map(
    lambda schema: {**schema, "$defs": DEFINITIONS}
)
"""Schemas of objects, as the parameters of functions must be."""
