"""Which JSON Schemas OpenAI takes for functions and answers, and what it says of others.

Of what is no JSON Schema it says what Python's `jsonschema` says; strict schemas have rules of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (Mapping,), "array": (list,), "boolean": (bool,), "string": (str,), "integer": (int,), "number": (int, float),
}  # fmt: skip
_EXPECTED: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("properties", "$defs", "definitions", "patternProperties"), ("object",)),
    **dict.fromkeys(("required", "enum", "anyOf", "oneOf", "allOf", "prefixItems"), ("array",)),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), ("integer",)),
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), ("number",)),
    **dict.fromkeys(("pattern", "format", "title", "description", "$ref"), ("string",)),
    **dict.fromkeys(("uniqueItems",), ("boolean",)),
    **dict.fromkeys(("not", "additionalProperties"), ("object", "boolean")),
}
_BY_NAME: Final = ("properties", "$defs", "definitions", "patternProperties")
_BY_NUMBER: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_INSIDE: Final = ("items", "additionalProperties", "not")
_NOT_STRICT: Final = ("oneOf", "allOf", "not")
_SAYS_TYPE: Final = frozenset({"type", "anyOf", "$ref", "enum", "const"})

_Context = tuple[str, ...]


def problem_of(schema: Mapping[str, Any], *, strict: bool) -> str | None:
    """The first thing that is wrong with the schema of an object, as a sentence; None: nothing.

    One that only refers, as pydantic's of models that contain themselves, is taken for an object's.
    """
    kind = schema.get("type")
    if kind != "object" and "$ref" not in schema:
        return f"""schema must be a JSON Schema of 'type: "object"', got 'type: "{kind}"'."""
    return next(_problems(schema, (), strict), None)


def _problems(schema: Any, context: _Context, strict: bool) -> Iterator[str]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        yield _wrong_type(schema, ("object", "boolean"))
        return
    yield from _malformed(schema)
    if schema.get("type") == "array" and "items" not in schema and "prefixItems" not in schema:
        yield f"In context={context!r}, array schema missing items."
    if strict:
        yield from _loose(schema, context)
    for inner, where in _inside(schema, context):
        yield from _problems(inner, where, strict)


def _inside(schema: Mapping[str, Any], context: _Context) -> Iterator[tuple[Any, _Context]]:
    """The schemas within one, with the way there."""
    for key in _BY_NAME:
        for name, inner in schema.get(key, {}).items():
            yield inner, (*context, key, name)
    for key in _BY_NUMBER:
        for number, inner in enumerate(schema.get(key, ())):
            yield inner, (*context, key, str(number))
    for key in _INSIDE:
        if isinstance(schema.get(key), Mapping):
            yield schema[key], (*context, key)


def _malformed(schema: Mapping[str, Any]) -> Iterator[str]:
    kind = schema.get("type", "object")
    kinds = kind if isinstance(kind, list) and kind else [kind]
    if any(not isinstance(one, str) or one not in TYPES for one in kinds):
        yield f"{kind!r} is not valid under any of the given schemas."
    for key, value in schema.items():
        expected = _EXPECTED.get(key)
        if expected is not None and not _is_one_of(value, expected):
            yield _wrong_type(value, expected)
        elif key in ("anyOf", "oneOf", "allOf") and not value:
            yield "[] should be non-empty."
    for name in schema.get("required", ()):
        if not isinstance(name, str):
            yield _wrong_type(name, ("string",))


def _is_one_of(value: Any, expected: tuple[str, ...]) -> bool:
    if isinstance(value, bool):
        return "boolean" in expected
    return any(isinstance(value, _KINDS[kind]) for kind in expected)


def _wrong_type(value: Any, expected: tuple[str, ...]) -> str:
    return f"{value!r} is not of type {', '.join([repr(kind) for kind in expected])}."


def _loose(schema: Mapping[str, Any], context: _Context) -> Iterator[str]:
    """What a strict schema may not leave open. Source: OpenAI's guide to structured outputs."""
    for key in _NOT_STRICT:
        if key in schema:
            yield f"In context={context!r}, '{key}' is not permitted."
    if not _SAYS_TYPE & schema.keys():
        yield f"In context={context!r}, schema must have a 'type' key."
    if schema.get("type") != "object":
        return
    if schema.get("additionalProperties") is not False:
        yield f"In context={context!r}, 'additionalProperties' is required to be supplied and to be false."
    required, properties = schema.get("required", ()), schema.get("properties", {})
    rule = f"In context={context!r}, 'required' is required to be supplied and to be an array including every key in properties."
    for name in properties:
        if name not in required:
            yield f"{rule} Missing '{name}'."
    for name in required:
        if name not in properties:
            yield f"{rule} Extra required key '{name}' supplied."
