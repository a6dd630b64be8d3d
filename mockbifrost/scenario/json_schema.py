"""Values that satisfy a JSON Schema, drawn from a seed: the arguments of tools that `auto` calls, and structured answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mockbifrost.scenario.patterns import matching

WORDS: Final = (
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "indigo", "juniper", "koala", "lagoon", "maple", "nectar",
    "onyx", "pebble", "quartz", "river", "saffron", "tundra", "umber", "violet", "willow", "zephyr",
)  # fmt: skip
DEEP: Final = 6
"""Below so many levels only what is required is made."""
DEEPEST: Final = 40
"""A schema that requires more levels than this has no finite value."""
MOST_ITEMS: Final = 200
_FAR: Final = 1_000_000


class Unsatisfiable(ValueError):
    """No value could be made for a schema; the text names the place."""


class Generator:
    """Makes values for one schema; the same numbers drawn give the same value."""

    def __init__(self, root: Any, units: Iterator[float]) -> None:
        self._root = root
        self._units = units

    def value(self) -> Any:
        """A value of the whole schema. Raises Unsatisfiable."""
        return self._of(self._root, "value", 0)

    def _draw(self, low: int, high: int) -> int:
        return low + int(next(self._units) * (high - low + 1))

    def _of(self, schema: Any, name: str, depth: int) -> Any:
        if schema is True or schema == {}:
            return self._word()
        if not isinstance(schema, Mapping) or depth > DEEPEST:
            raise Unsatisfiable(f"{name}: no value can be made for {schema!r}")
        schema = self._resolved(schema, name)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._from_enum(schema, name)
        for key in ("oneOf", "anyOf"):
            if key in schema:
                return self._branch(schema, key, name, depth)
        return self._typed(schema, name, depth)

    def _from_enum(self, schema: Mapping[str, Any], name: str) -> Any:
        kinds = types_of(schema)
        fitting = [value for value in schema["enum"] if not kinds or any(is_type(value, kind) for kind in kinds)]
        if not fitting:
            raise Unsatisfiable(f"{name}: enum has no value")
        return fitting[self._draw(0, len(fitting) - 1)]

    def _branch(self, schema: Mapping[str, Any], key: str, name: str, depth: int) -> Any:
        """One of the branches with what stands beside them; null only where nothing else can be."""
        rest = {other: value for other, value in schema.items() if other != key}
        branches = list(schema[key])
        if not branches:
            raise Unsatisfiable(f"{name}: {key} is empty")
        start = self._draw(0, len(branches) - 1)
        turned = branches[start:] + branches[:start]
        failure: Unsatisfiable | None = None
        for branch in sorted(turned, key=lambda one: _is_null(one) or (depth > DEEP and _is_nested(one))):
            try:
                return self._of(_both(rest, branch) if rest else branch, name, depth + 1)
            except Unsatisfiable as error:
                failure = error
        raise failure or Unsatisfiable(f"{name}: {key} is empty")

    def _resolved(self, schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        """References and `allOf` taken in."""
        for _round in range(DEEPEST):
            if "$ref" in schema:
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                target = self._pointed(schema["$ref"], name)
                schema = _both(rest, target) if rest else _mapping(target)
            elif "allOf" in schema:
                merged: Mapping[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
                for part in schema["allOf"]:
                    merged = _both(merged, self._resolved(_mapping(part), name))
                schema = merged
            else:
                return schema
        raise Unsatisfiable(f"{name}: references go in a circle")

    def _pointed(self, reference: Any, name: str) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise Unsatisfiable(f"{name}: {reference!r} is no reference into the schema itself")
        found = self._root
        for part in reference[1:].split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and key in found:
                found = found[key]
            elif isinstance(found, Sequence) and not isinstance(found, str) and key.isdigit() and int(key) < len(found):
                found = found[int(key)]
            else:
                raise Unsatisfiable(f"{name}: {reference!r} points at nothing")
        return found

    def _typed(self, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        kinds = types_of(schema) or (_guessed(schema),)
        chosen = [kind for kind in kinds if kind != "null"] or list(kinds)
        kind = chosen[self._draw(0, len(chosen) - 1)] if len(chosen) > 1 else chosen[0]
        if kind == "object":
            return self._object(schema, name, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind == "string":
            return self._text(schema, name)
        if kind in ("integer", "number"):
            return self._number(schema, name, whole=kind == "integer")
        if kind == "boolean":
            return next(self._units) < 0.5
        if kind == "null":
            return None
        raise Unsatisfiable(f"{name}: {kind!r} is no type of JSON")

    def _object(self, schema: Mapping[str, Any], name: str, depth: int) -> dict[str, Any]:
        properties = _mapping(schema.get("properties", {}))
        required = [key for key in schema.get("required", ()) if isinstance(key, str)]
        found: dict[str, Any] = {}
        most = schema.get("maxProperties", math.inf)
        for key, inner in properties.items():
            if key in required:
                found[key] = self._of(inner, key, depth + 1)
            elif depth < DEEP and len(found) + len(set(required) - set(found)) < most:
                try:
                    found[key] = self._of(inner, key, depth + 1)
                except Unsatisfiable:
                    continue  # it may be left out
        others = schema.get("additionalProperties", True)
        for key in required:
            if key not in found:
                found[key] = self._of(others, key, depth + 1)
        number = 0
        while len(found) < schema.get("minProperties", 0) and number < MOST_ITEMS:
            key = f"{WORDS[number % len(WORDS)]}{number // len(WORDS) or ''}"
            number += 1
            if key not in found:
                found[key] = self._of(others, name, depth + 1)
        return found

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        fixed = schema.get("prefixItems") or []
        least = int(schema.get("minItems", 0))
        most = int(schema.get("maxItems", max(least, len(fixed), 2)))
        if least > MOST_ITEMS:
            raise Unsatisfiable(f"{name}: {least} items are more than are ever made")
        found = [self._of(inner, name, depth + 1) for inner in fixed[:most]]
        items = schema.get("items", True)
        contained = schema.get("contains")
        if contained is not None and len(found) < most:
            found.append(self._of(_both(_mapping(items if items is not True else {}), contained), name, depth + 1))
        wanted = max(least, min(most, self._draw(1, 2))) if depth < DEEP and items is not False else least
        tries = 0
        while len(found) < wanted and tries < MOST_ITEMS:
            tries += 1
            try:
                item = self._of(items, name, depth + 1)
            except Unsatisfiable:
                if len(found) < least:
                    raise
                break
            if not schema.get("uniqueItems") or item not in found:
                found.append(item)
        if len(found) < least:
            raise Unsatisfiable(f"{name}: {least} different items can't be found")
        return found

    def _text(self, schema: Mapping[str, Any], name: str) -> str:
        least = int(schema.get("minLength", 0))
        most = int(schema.get("maxLength", max(least, 64)))
        if least > most or least > _FAR:
            raise Unsatisfiable(f"{name}: no text has {least} to {most} characters")
        if "pattern" in schema:
            return self._patterned(str(schema["pattern"]), least, most, name)
        form = schema.get("format")
        if isinstance(form, str):
            formed = self._formed(form)
            if formed is not None and least <= len(formed) <= most:
                return formed
        text = self._word()
        while len(text) < least:
            text += " " + self._word()
        return text[:most]

    def _patterned(self, pattern: str, least: int, most: int, name: str) -> str:
        for stretch in range(12):
            text = matching(pattern, self._units, stretch)
            if text is not None and least <= len(text) <= most:
                return text
        raise Unsatisfiable(f"{name}: no text of {least} to {most} characters was found for the pattern {pattern!r}")

    def _formed(self, form: str) -> str | None:
        day, hour, word = self._draw(1, 28), self._draw(0, 23), self._word()
        date = f"2026-{self._draw(1, 12):02}-{day:02}"
        clock = f"{hour:02}:{self._draw(0, 59):02}:{self._draw(0, 59):02}"
        digits = "".join([f"{self._draw(0, 15):x}" for _digit in range(32)])
        forms = {
            "date": date,
            "time": clock + "Z",
            "date-time": f"{date}T{clock}Z",
            "duration": f"PT{hour}H",
            "email": f"{word}@example.com",
            "idn-email": f"{word}@example.com",
            "hostname": f"{word}.example.com",
            "idn-hostname": f"{word}.example.com",
            "uri": f"https://example.com/{word}",
            "iri": f"https://example.com/{word}",
            "url": f"https://example.com/{word}",
            "uri-reference": f"/{word}",
            "ipv4": f"192.0.2.{day}",
            "ipv6": f"2001:db8::{day:x}",
            "uuid": f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}",
            "json-pointer": f"/{word}",
            "regex": f"^{word}$",
            "byte": "YW1iZXI=",
            "binary": word,
            "password": f"{word}-{day}",
        }
        return forms.get(form)

    def _number(self, schema: Mapping[str, Any], name: str, *, whole: bool) -> int | float:
        step = schema.get("multipleOf")
        low, high = _bounds(schema)
        if step is not None and step > 0:
            return self._multiple(step, low, high, name, whole=whole)
        if whole:
            bottom, top = _whole_bounds(low, high)
            if bottom > top:
                raise Unsatisfiable(f"{name}: there is no whole number between {low} and {high}")
            return self._draw(bottom, top) if top - bottom < _FAR else bottom
        start, end = _open_bounds(low, high)
        if start > end:
            raise Unsatisfiable(f"{name}: there is no number between {low} and {high}")
        drawn = start + (end - start) * (0.25 + next(self._units) / 2)
        rounded = round(drawn, 2)
        return rounded if start < rounded < end or rounded == drawn else drawn

    def _multiple(self, step: float, low: _Bound, high: _Bound, name: str, *, whole: bool) -> int | float:
        size = step
        if whole and step != int(step):
            size = step * next((factor for factor in range(1, 1001) if (step * factor).is_integer()), 1)
        bottom = (
            math.ceil(low[0] / size)
            if math.isfinite(low[0])
            else (math.floor(high[0] / size) - 9 if math.isfinite(high[0]) else 0)
        )
        if low[1] and bottom * size <= low[0]:
            bottom += 1
        top = math.floor(high[0] / size) if math.isfinite(high[0]) else bottom + 9
        if high[1] and top * size >= high[0]:
            top -= 1
        if bottom > top:
            raise Unsatisfiable(f"{name}: there is no multiple of {step} between {low[0]} and {high[0]}")
        found = size * self._draw(bottom, min(top, bottom + 9))
        return int(found) if whole else found

    def _word(self) -> str:
        return WORDS[self._draw(0, len(WORDS) - 1)]


_Bound = tuple[float, bool]
"""A bound, and whether it is itself excluded."""


def _bounds(schema: Mapping[str, Any]) -> tuple[_Bound, _Bound]:
    low: _Bound = (schema.get("minimum", -math.inf), False)
    high: _Bound = (schema.get("maximum", math.inf), False)
    over, under = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if over is True or (isinstance(over, (int, float)) and not isinstance(over, bool) and over >= low[0]):
        low = (low[0] if over is True else over, True)
    if under is True or (isinstance(under, (int, float)) and not isinstance(under, bool) and under <= high[0]):
        high = (high[0] if under is True else under, True)
    return low, high


def _whole_bounds(low: _Bound, high: _Bound) -> tuple[int, int]:
    bottom = math.ceil(low[0]) if math.isfinite(low[0]) else None
    top = math.floor(high[0]) if math.isfinite(high[0]) else None
    if bottom is not None and low[1] and bottom == low[0]:
        bottom += 1
    if top is not None and high[1] and top == high[0]:
        top -= 1
    if bottom is None:
        return (1, 100) if top is None else (min(1, top), top) if top >= 1 else (top - 99, top)
    return bottom, bottom + 99 if top is None else top


def _open_bounds(low: _Bound, high: _Bound) -> tuple[float, float]:
    start, end = low[0], high[0]
    if not math.isfinite(start):
        start = min(0.0, end - 100) if math.isfinite(end) else 0.0
    if not math.isfinite(end):
        end = start + 100
    if (low[1] or high[1]) and start >= end:
        return 1.0, 0.0
    return start, end


def types_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The types that a schema names, as a tuple."""
    kind = schema.get("type")
    if isinstance(kind, str):
        return (kind,)
    return tuple([one for one in kind if isinstance(one, str)]) if isinstance(kind, Sequence) else ()


def is_type(value: Any, kind: str) -> bool:
    """Whether a value is of a type of JSON."""
    if kind == "integer":
        return isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value)
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    table: dict[str, type | tuple[type, ...]] = {
        "null": type(None), "boolean": bool, "string": str, "array": (list, tuple), "object": Mapping,
    }  # fmt: skip
    return isinstance(value, table.get(kind, ()))


def _guessed(schema: Mapping[str, Any]) -> str:
    hints = {
        "object": ("properties", "required", "additionalProperties", "minProperties"),
        "array": ("items", "prefixItems", "minItems", "maxItems", "contains"),
        "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    }
    for kind, keys in hints.items():
        if any(key in schema for key in keys):
            return kind
    return "string"


def _mapping(schema: Any) -> Mapping[str, Any]:
    if schema is True:
        return {}
    if not isinstance(schema, Mapping):
        raise Unsatisfiable(f"no value can be made for {schema!r}")
    return schema


_HIGHER: Final = frozenset({"minimum", "minLength", "minItems", "minProperties", "exclusiveMinimum"})
_LOWER: Final = frozenset({"maximum", "maxLength", "maxItems", "maxProperties", "exclusiveMaximum"})
_BRANCHES: Final = frozenset({"anyOf", "oneOf"})


def _both(one: Mapping[str, Any], other: Any) -> Mapping[str, Any]:
    """One schema that asks for what both ask for, as far as keys can be put together."""
    found = dict(one)
    for key, value in _mapping(other).items():
        if key in found and key in _BRANCHES:
            found["allOf"] = [*found.get("allOf", []), {key: value}]
        else:
            found[key] = _both_of(key, found[key], value) if key in found else value
    return found


def _both_of(key: str, one: Any, other: Any) -> Any:
    """What a key says when two schemas have it."""
    if key in _HIGHER:
        return max(one, other)
    if key in _LOWER:
        return min(one, other)
    if key == "properties":
        return {**one, **{name: _property(one.get(name), inner) for name, inner in other.items()}}
    if key in ("required", "allOf"):
        return [*one, *[item for item in other if item not in one]]
    if key == "enum":
        return [item for item in one if item in other]
    return _common_types(one, other) if key == "type" else other


def _property(one: Any, other: Any) -> Any:
    return _both(one, other) if isinstance(one, Mapping) else other


def _common_types(one: Any, other: Any) -> Any:
    ones = [one] if isinstance(one, str) else list(one)
    others = [other] if isinstance(other, str) else list(other)
    common = [kind for kind in ones if kind in others or (kind == "integer" and "number" in others)]
    common += [kind for kind in others if kind == "integer" and "number" in ones and kind not in common]
    if not common:
        raise Unsatisfiable(f"nothing is both {one} and {other}")
    return common[0] if len(common) == 1 else common


def _is_null(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "null"


def _is_nested(schema: Any) -> bool:
    return isinstance(schema, Mapping) and ("$ref" in schema or bool({"object", "array"} & set(types_of(schema))))


def drawn(schema: Any, units: Iterator[float]) -> Any:
    """A value that satisfies the schema. Raises Unsatisfiable where none could be made."""
    return Generator(schema, units).value()
