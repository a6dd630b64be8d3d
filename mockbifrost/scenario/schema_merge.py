"""Two JSON Schemas as one that asks for what both ask for, as far as their keys can be put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import lcm
from typing import Any, Final

from mockbifrost.scenario.schema_check import Unsatisfiable, same

_HIGHER: Final = frozenset({"minimum", "minLength", "minItems", "minProperties", "exclusiveMinimum"})
_LOWER: Final = frozenset({"maximum", "maxLength", "maxItems", "maxProperties", "exclusiveMaximum"})
_MOST_BRANCHES: Final = 64


def as_mapping(schema: Any) -> Mapping[str, Any]:
    """A schema as a mapping. Raises Unsatisfiable for False, and for what is no schema."""
    if schema is True:
        return {}
    if not isinstance(schema, Mapping):
        raise Unsatisfiable(f"no value can be made for {schema!r}")
    return schema


def both(one: Mapping[str, Any], other: Any) -> Mapping[str, Any]:
    """One schema for two. Raises Unsatisfiable where nothing can be both."""
    found = dict(one)
    other = dict(as_mapping(other))
    if "if" in found and "if" in other:
        sides = [{"allOf": [other.pop("if"), other.pop("then", True)]}, other.pop("else", True)]
        found["anyOf"] = _crossed(found["anyOf"], sides) if "anyOf" in found else sides
    if "$ref" in found and "$ref" in other:
        found["allOf"] = [*found.get("allOf", ()), {"$ref": other.pop("$ref")}]
    for key, value in other.items():
        found[key] = _merged(key, found[key], value) if key in found else value
    return found


def _crossed(ones: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """Each branch of one with each of the other: what satisfies both satisfies one of these."""
    return [{"allOf": [one, other]} for one in ones for other in others][:_MOST_BRANCHES]


def _merged(key: str, one: Any, other: Any) -> Any:
    """What a key says when two schemas have it; the other's word where nothing better is known."""
    if key in _HIGHER and not isinstance(one, bool):
        return max(one, other)
    if key in _LOWER and not isinstance(one, bool):
        return min(one, other)
    merge = _MERGES.get(key)
    return other if merge is None else merge(one, other)


def _named(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, **{name: _inner(one[name], inner) if name in one else inner for name, inner in other.items()}}


def _joined(one: Sequence[Any], other: Sequence[Any]) -> list[Any]:
    return [*one, *[item for item in other if item not in one]]


def _shared(one: Sequence[Any], other: Sequence[Any]) -> list[Any]:
    return [item for item in one if any(same(item, allowed) for allowed in other)]


def _neither(one: Any, other: Any) -> Any:
    return {"anyOf": [one, other]}


def _steps(one: Any, other: Any) -> Any:
    return lcm(one, other) if isinstance(one, int) and isinstance(other, int) else other


def _constant(one: Any, other: Any) -> Any:
    if not same(one, other):
        raise Unsatisfiable(f"nothing is both {one!r} and {other!r}")
    return one


def _inner(one: Any, other: Any) -> Any:
    """What two schemas ask of the same part; nothing can be there where they contradict each other."""
    if one is False or other is False:
        return False
    if one is True or other is True:
        return other if one is True else one
    return {"allOf": [one, other]}


def _common_types(one: Any, other: Any) -> Any:
    ones = [one] if isinstance(one, str) else list(one)
    others = [other] if isinstance(other, str) else list(other)
    common = [kind for kind in ones if kind in others or (kind == "integer" and "number" in others)]
    common += [kind for kind in others if kind == "integer" and "number" in ones and kind not in common]
    if not common:
        raise Unsatisfiable(f"nothing is both {one} and {other}")
    return common[0] if len(common) == 1 else common


_MERGES: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    **dict.fromkeys(("properties", "patternProperties", "dependentSchemas"), _named),
    **dict.fromkeys(("required", "allOf"), _joined),
    **dict.fromkeys(("items", "additionalProperties", "propertyNames", "contains"), _inner),
    **dict.fromkeys(("anyOf", "oneOf"), _crossed),
    "enum": _shared,
    "not": _neither,
    "multipleOf": _steps,
    "const": _constant,
    "type": _common_types,
}
