"""Whether a value satisfies a JSON Schema: what is drawn is looked at before it is sent. Formats are not looked at."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeGuard
from urllib.parse import unquote

DEEPEST: Final = 40
"""So many references may lead from one to the next, and so many levels a value may have."""
_NAMED_GROUP: Final = re.compile(r"(?<!\\)\(\?<(?![=!])")
_APPLICATORS: Final = frozenset({"allOf", "anyOf", "oneOf", "if", "$ref", "contains"})
"""Keys whose schemas may look at items too, so that these count as evaluated."""
_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "null": type(None), "boolean": bool, "string": str, "array": (list, tuple), "object": Mapping,
}  # fmt: skip


class Unsatisfiable(ValueError):
    """No value could be made for a schema; the text names the place."""


def types_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The types that a schema names, as a tuple."""
    kind = schema.get("type")
    if isinstance(kind, str):
        return (kind,)
    return tuple([one for one in kind if isinstance(one, str)]) if isinstance(kind, Sequence) else ()


def is_type(value: Any, kind: str) -> bool:
    """Whether a value is of a type of JSON. 1.0 is an integer."""
    if kind == "integer":
        return is_number(value) and value == int(value)
    return is_number(value) if kind == "number" else isinstance(value, _TYPES.get(kind, ()))


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value is a number; True and False are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(one: Any, other: Any) -> bool:
    """Whether two values are one in JSON: 1 is 1.0, and not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return bool(one == other)


def found_in(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text; one that Python can't read is found in none."""
    compiled = compiled_pattern(pattern)
    return compiled is not None and compiled.search(text) is not None


def compiled_pattern(pattern: str) -> re.Pattern[str] | None:
    """A pattern of a schema, whose dialect is JavaScript's; None where Python can't read it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sets that look nested, as `[[a]`
            return re.compile(_NAMED_GROUP.sub("(?P<", pattern))
    except (re.error, RecursionError, OverflowError):
        return None


def multiple_of(value: float, step: float) -> bool:
    """Whether a number is a multiple of another, as validators see it: by division."""
    if isinstance(value, int) and isinstance(step, int):
        return value % step == 0
    return (value / step).is_integer()


def pointed(root: Any, reference: Any) -> Any:
    """What a reference within a schema points at. Raises Unsatisfiable."""
    base = root.get("$id") if isinstance(root, Mapping) else None
    if isinstance(base, str) and isinstance(reference, str):
        reference = reference.removeprefix(base) or "#"
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise Unsatisfiable(f"{reference!r} is no reference into the schema itself")
    if reference != "#" and not reference.startswith("#/"):
        return _anchored(root, reference[1:])
    found = root
    for part in unquote(reference[1:]).split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and key in found:
            found = found[key]
        elif isinstance(found, (list, tuple)) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            raise Unsatisfiable(f"{reference!r} points at nothing")
    return found


def _anchored(root: Any, name: str) -> Any:
    """The part of a schema that has the anchor. Raises Unsatisfiable."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            if part.get("$anchor") == name:
                return part
            waiting += part.values()
        elif isinstance(part, (list, tuple)):
            waiting += part
    raise Unsatisfiable(f"no part of the schema has the anchor {name!r}")


class Checker:
    """Looks at values by the schemas of one document, into which their references point."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def holds(self, value: Any, schema: Any, depth: int = 0) -> bool:
        """Whether the value satisfies the schema. Raises Unsatisfiable for a schema that can't be read."""
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, Mapping):
            raise Unsatisfiable(f"{schema!r} is no schema")
        if depth > 4 * DEEPEST:
            raise Unsatisfiable("references go in a circle")
        kinds = types_of(schema)
        return (
            (not kinds or any(is_type(value, kind) for kind in kinds))
            and ("const" not in schema or same(value, schema["const"]))
            and ("enum" not in schema or any(same(value, one) for one in schema["enum"]))
            and self._combined(value, schema, depth + 1)
            and self._of_its_type(value, schema, depth + 1)
        )

    def _combined(self, value: Any, schema: Mapping[str, Any], depth: int) -> bool:
        def fits(inner: Any) -> bool:
            return self.holds(value, inner, depth)

        if "$ref" in schema and not fits(pointed(self._root, schema["$ref"])):
            return False
        if not all(fits(part) for part in schema.get("allOf", ())):
            return False
        if "anyOf" in schema and not any(fits(part) for part in schema["anyOf"]):
            return False
        if "oneOf" in schema and sum([fits(part) for part in schema["oneOf"]]) != 1:
            return False
        if "not" in schema and fits(schema["not"]):
            return False
        return "if" not in schema or fits(schema.get("then" if fits(schema["if"]) else "else", True))

    def _of_its_type(self, value: Any, schema: Mapping[str, Any], depth: int) -> bool:
        if isinstance(value, Mapping):
            return self._object(value, schema, depth)
        if isinstance(value, (list, tuple)):
            return self._array(value, schema, depth)
        if isinstance(value, str):
            fits = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
            return fits and ("pattern" not in schema or found_in(str(schema["pattern"]), value))
        return not is_number(value) or all(test(value, schema) for test in _NUMBER_TESTS)

    def _object(self, value: Mapping[str, Any], schema: Mapping[str, Any], depth: int) -> bool:
        least, most = schema.get("minProperties", 0), schema.get("maxProperties", len(value))
        needed = [*schema.get("required", ())]
        for name, more in schema.get("dependentRequired", {}).items():
            needed += more if name in value else ()
        if not least <= len(value) <= most or any(name not in value for name in needed):
            return False
        for name, inner in schema.get("dependentSchemas", {}).items():
            if name in value and not self.holds(value, inner, depth):
                return False
        names = schema.get("propertyNames", True)
        return all(
            self.holds(name, names, depth)
            and all(self.holds(inner, one, depth) for one in schemas_of_property(schema, name))
            for name, inner in value.items()
        )

    def _array(self, value: Sequence[Any], schema: Mapping[str, Any], depth: int) -> bool:
        fixed, items = items_of(schema)
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            return False
        if not all(self.holds(one, fixed[at] if at < len(fixed) else items, depth) for at, one in enumerate(value)):
            return False
        if schema.get("uniqueItems") is True and _repeats(value):
            return False
        if "contains" not in schema:
            return True
        contained = sum([self.holds(one, schema["contains"], depth) for one in value])
        return bool(schema.get("minContains", 1) <= contained <= schema.get("maxContains", contained))


def _repeats(value: Sequence[Any]) -> bool:
    return any(same(one, other) for at, one in enumerate(value) for other in value[:at])


def schemas_of_property(schema: Mapping[str, Any], name: str) -> list[Any]:
    """All that an object's schema asks of one of its properties."""
    found = [schema["properties"][name]] if name in schema.get("properties", {}) else []
    found += [inner for pattern, inner in schema.get("patternProperties", {}).items() if found_in(pattern, name)]
    return found or [schema.get("additionalProperties", True)]


def items_of(schema: Mapping[str, Any]) -> tuple[Sequence[Any], Any]:
    """The schemas of an array's first items, and that of all others. `items` may be a list, as it was before 2020."""
    items = schema.get("items", True)
    if isinstance(items, (list, tuple)):
        return items, schema.get("additionalItems", True)
    if items is True and schema.keys().isdisjoint(_APPLICATORS):
        items = schema.get("unevaluatedItems", True)
    return schema.get("prefixItems") or (), items


def _over(value: float, schema: Mapping[str, Any]) -> bool:
    low, edge = schema.get("minimum"), schema.get("exclusiveMinimum")
    if isinstance(edge, bool):  # as it was before draft 6
        return low is None or (value > low if edge else value >= low)
    return (low is None or value >= low) and (edge is None or value > edge)


def _under(value: float, schema: Mapping[str, Any]) -> bool:
    high, edge = schema.get("maximum"), schema.get("exclusiveMaximum")
    if isinstance(edge, bool):
        return high is None or (value < high if edge else value <= high)
    return (high is None or value <= high) and (edge is None or value < edge)


def _stepped(value: float, schema: Mapping[str, Any]) -> bool:
    step = schema.get("multipleOf")
    return step is None or multiple_of(value, step)


_NUMBER_TESTS: Final[tuple[Callable[[float, Mapping[str, Any]], bool], ...]] = (_over, _under, _stepped)
