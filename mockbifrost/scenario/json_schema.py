"""Values that satisfy a JSON Schema, drawn from a seed: the arguments of tools that `auto` calls, and structured answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final, TypeVar

import orjson

from mockbifrost.scenario.formats import SHORTEST, WORDS, formed
from mockbifrost.scenario.patterns import matching
from mockbifrost.scenario.schema_check import (
    DEEPEST,
    Checker,
    Unsatisfiable,
    found_in,
    is_number,
    items_of,
    multiple_of,
    pointed,
    same,
    schemas_of_property,
    types_of,
)
from mockbifrost.scenario.schema_merge import as_mapping, both

T = TypeVar("T")
DEEP: Final = 8
"""Below so many levels, and where a reference comes again, only what is required is made."""
LARGE: Final = 400
"""After so many parts of a value only what is required is made."""
LARGEST: Final = 8_000
"""After so many parts there is no value."""
MOST_ITEMS: Final = 200
MOST_TEXTS: Final = 200
"""After so many texts that did not fit their pattern there is none."""
TRIES: Final = 16
"""So often a part is drawn again that did not fit; most fit at once."""
_FAR: Final = 100_000
_NOTES: Final = frozenset(
    {
        "$schema",
        "$defs",
        "definitions",
        "title",
        "description",
        "default",
        "examples",
        "discriminator",
        "deprecated",
        "readOnly",
    }
)
"""Keys that ask for nothing."""
_SURE: Final = _NOTES | {
    "type", "properties", "required", "additionalProperties", "items", "prefixItems", "format", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "uniqueItems", "minProperties",
}  # fmt: skip
"""Keys whose values are right as they are made; whatever has others is looked at and perhaps drawn again."""
_KINDS: Final = ("string", "integer", "boolean", "object", "array", "number", "null")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a value: the key it stands under, how deep, and the references that led here."""

    name: str
    depth: int = 0
    references: frozenset[str] = frozenset({"#"})

    def below(self, name: str | None = None) -> _Place:
        return replace(self, name=self.name if name is None else name, depth=self.depth + 1)

    def through(self, reference: str) -> _Place:
        """Behind a reference: where it comes again, it is deep enough."""
        if reference in self.references:
            return replace(self, depth=max(self.depth, DEEP) + 1)
        return replace(self, references=self.references | {reference})

    @property
    def deep(self) -> bool:
        return self.depth > DEEP


class Generator:
    """Makes values for one schema; the same numbers drawn give the same value."""

    def __init__(self, root: Any, units: Iterator[float]) -> None:
        self._root = root
        self._units = units
        self._checker = Checker(root)
        self._rooms = _Rooms(root)
        self._parts = 0
        self._misfits = 0
        self._spare = 1.0
        """How likely it is that something is made that may be left out."""

    def value(self) -> Any:
        """A value of the whole schema. Raises Unsatisfiable."""
        if math.isinf(self._rooms.needed(self._root)):
            raise Unsatisfiable("no value of this schema has an end")
        for attempt in range(4):
            self._spare = 1.0 if attempt < 2 else 0.0
            value = self._of(self._root, _Place("value"))
            if self._checker.holds(value, self._root):
                return value
        raise Unsatisfiable("no value was found that satisfies all parts of the schema")

    def _draw(self, low: int, high: int) -> int:
        return low + int(next(self._units) * (high - low + 1))

    def _pick(self, among: Sequence[T]) -> T:
        return among[self._draw(0, len(among) - 1)]

    def _of(self, schema: Any, place: _Place) -> Any:
        self._parts += 1
        schema, place = self._followed(schema, place)
        if schema is True or schema == {}:
            return self._pick(WORDS)
        if not isinstance(schema, Mapping) or place.depth > DEEPEST or self._parts > LARGEST:
            raise Unsatisfiable(f"{place.name}: no value can be made for {str(schema)[:200]}")
        if schema.keys() <= _SURE or schema.keys() - _NOTES == {"anyOf"}:
            return self._made(schema, place, 0)
        return self._tried(schema, place)

    def _followed(self, schema: Any, place: _Place) -> tuple[Any, _Place]:
        """What a schema that is nothing but a reference refers to."""
        for _round in range(DEEPEST):
            if not isinstance(schema, Mapping) or schema.keys() - _NOTES != {"$ref"}:
                return schema, place
            schema, place = pointed(self._root, schema["$ref"]), place.through(schema["$ref"])
        raise Unsatisfiable(f"{place.name}: references go in a circle")

    def _tried(self, schema: Mapping[str, Any], place: _Place) -> Any:
        """A value of a schema that is not sure to be met at once: drawn until it is, with less and less beside what is required."""
        failure: Unsatisfiable | None = None
        spare = self._spare
        for attempt in range(TRIES):
            self._spare = spare * max(0.0, 1.0 - attempt / (TRIES - 4))
            try:
                value = self._made(schema, place, attempt)
                if self._checker.holds(value, schema):
                    return value
            except Unsatisfiable as error:
                failure = error
            finally:
                self._spare = spare
            if self._parts > LARGEST:
                break
        raise failure or Unsatisfiable(f"{place.name}: nothing was found that satisfies {str(schema)[:200]}")

    def _made(self, schema: Mapping[str, Any], place: _Place, attempt: int) -> Any:
        schema, place = self._resolved(schema, place)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            fitting = [value for value in schema["enum"] if self._checker.holds(value, schema)]
            if not fitting:
                raise Unsatisfiable(f"{place.name}: enum has no value")
            return self._pick(fitting)
        for key in ("oneOf", "anyOf"):
            if key in schema:
                return self._branch(schema, schema[key], key, place)
        if "if" in schema:
            return self._conditional(schema, place)
        return self._typed(schema, place, attempt)

    def _branch(self, schema: Mapping[str, Any], branches: Sequence[Any], key: str, place: _Place) -> Any:
        """One of the branches with what stands beside them; null only where nothing else can be."""
        rest = {other: value for other, value in schema.items() if other != key}
        if not branches:
            raise Unsatisfiable(f"{place.name}: {key} is empty")
        start = self._draw(0, len(branches) - 1)
        turned = [*branches[start:], *branches[:start]]
        least, plain = self._least(place), _plainest(branches)
        turned.sort(key=lambda one: (self._rooms.needed(one) if least else 0, _is_null(one), one is plain))
        failure: Unsatisfiable | None = None
        for branch in turned:
            try:
                value = self._of(both(rest, branch) if rest else branch, place.below())
            except Unsatisfiable as error:
                failure = error
                continue
            if key == "anyOf" or self._checker.holds(value, {key: branches}):
                return value
        raise failure or Unsatisfiable(f"{place.name}: what fits one branch of {key} fits another")

    def _conditional(self, schema: Mapping[str, Any], place: _Place) -> Any:
        """A value for which `then` or `else` holds, whichever its `if` asks for."""
        rest = {key: value for key, value in schema.items() if key not in ("if", "then", "else")}
        sides = [both(both(rest, schema["if"]), schema.get("then", True)), both(rest, schema.get("else", True))]
        first = self._draw(0, 1)
        return self._of({"anyOf": [sides[first], sides[1 - first]]}, place.below())

    def _resolved(self, schema: Mapping[str, Any], place: _Place) -> tuple[Mapping[str, Any], _Place]:
        """References and `allOf` taken in."""
        for _round in range(DEEPEST):
            if "$ref" in schema:
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                target = pointed(self._root, schema["$ref"])
                place = place.through(schema["$ref"])
                schema = both(rest, target) if rest else as_mapping(target)
            elif "allOf" in schema:
                merged: Mapping[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
                for part in schema["allOf"]:
                    inner, place = self._resolved(as_mapping(part), place)
                    merged = both(merged, inner)
                schema = merged
            else:
                return schema, place
        raise Unsatisfiable(f"{place.name}: references go in a circle")

    def _typed(self, schema: Mapping[str, Any], place: _Place, attempt: int) -> Any:
        named = types_of(schema)
        kinds = named or (_guessed(schema) if attempt < 2 else self._pick(_KINDS),)
        chosen = [kind for kind in kinds if kind != "null"] or list(kinds)
        if attempt == TRIES - 1 and "null" in named:
            return None
        kind = self._pick(chosen)
        if kind == "object":
            return self._object(schema, place)
        if kind == "array":
            return self._array(schema, place)
        if kind == "string":
            return self._text(schema, place)
        if kind in ("integer", "number"):
            return self._number(schema, place.name, whole=kind == "integer")
        if kind == "boolean":
            return next(self._units) < 0.5
        if kind == "null":
            return None
        raise Unsatisfiable(f"{place.name}: {kind!r} is no type of JSON")

    def _least(self, place: _Place) -> bool:
        """Whether only what is required is made."""
        return place.deep or self._parts > LARGE

    def _wants(self, place: _Place, inner: Any) -> bool:
        """Whether something is made that may be left out."""
        if isinstance(inner, Mapping) and "const" in inner:
            return self._spare > 0  # it tells a branch of a union from the others
        if self._least(place) or math.isinf(self._rooms.needed(inner)):
            return False
        return self._spare >= 1 or next(self._units) < self._spare

    def _object(self, schema: Mapping[str, Any], place: _Place) -> dict[str, Any]:
        schema = self._obliged(schema, place)
        properties = as_mapping(schema.get("properties", {}))
        required = [key for key in schema.get("required", ()) if isinstance(key, str)]
        found: dict[str, Any] = {}
        most = schema.get("maxProperties", math.inf)
        for key, inner in properties.items():
            if key in required:
                found[key] = self._property(schema, key, place)
            elif len(found) + len(set(required) - set(found)) < most and self._wants(place, inner):
                try:
                    found[key] = self._property(schema, key, place)
                except Unsatisfiable:
                    continue  # it may be left out
        for key in required:
            if key not in found:
                found[key] = self._property(schema, key, place)
        for key, more in schema.get("dependentRequired", {}).items():
            for needed in more if key in found else ():
                if needed not in found:
                    found[needed] = self._property(schema, needed, place)
        return self._with_others(found, schema, place)

    def _obliged(self, schema: Mapping[str, Any], place: _Place) -> Mapping[str, Any]:
        """The schema with all that follows from what it requires: further properties, further schemas."""
        for _round in range(DEEPEST):
            required = schema.get("required", ())
            pairs = schema.get("dependentRequired", {})
            needed = [name for key in required for name in pairs.get(key, ()) if name not in required]
            schemas = schema.get("dependentSchemas", {})
            due = [schemas[key] for key in required if key in schemas]
            if not needed and not due:
                break
            kept = {key: inner for key, inner in schemas.items() if key not in required}
            schema = {**schema, "required": [*required, *dict.fromkeys(needed)], "dependentSchemas": kept}
            for inner in due:
                schema = both(schema, self._resolved(as_mapping(inner), place)[0])
        return schema

    def _property(self, schema: Mapping[str, Any], key: str, place: _Place) -> Any:
        inner, *more = schemas_of_property(schema, key)
        return self._of({"allOf": [inner, *more]} if more else inner, place.below(key))

    def _with_others(self, found: dict[str, Any], schema: Mapping[str, Any], place: _Place) -> dict[str, Any]:
        """Properties that no name stands for: as many as there must be, or one where the object is a map."""
        others = schema.get("additionalProperties", schema.get("unevaluatedProperties"))
        patterns = schema.get("patternProperties", {})
        is_map = not schema.get("properties") and (isinstance(others, Mapping) or bool(patterns))
        wanted = max(schema.get("minProperties", 0), 1 if is_map and self._wants(place, others) else 0)
        wanted = min(wanted, schema.get("maxProperties", wanted))
        for number in range(MOST_ITEMS * 2):
            if len(found) >= wanted:
                break
            key = self._key(schema, number, place)
            if key not in found:
                found[key] = self._property(schema, key, place)
        return found

    def _key(self, schema: Mapping[str, Any], number: int, place: _Place) -> str:
        if "propertyNames" in schema:
            return str(self._of(both({"type": "string"}, schema["propertyNames"]), place.below()))
        patterns = [*schema.get("patternProperties", {})]
        if patterns and not isinstance(schema.get("additionalProperties"), Mapping):
            pattern = self._pick(patterns)
            key = self._patterned(pattern, 0, _FAR, place.name)
            longer = key + WORDS[number % len(WORDS)]
            return longer if number and found_in(pattern, longer) else key
        return f"{WORDS[number % len(WORDS)]}{number // len(WORDS) or ''}"

    def _array(self, schema: Mapping[str, Any], place: _Place) -> list[Any]:
        fixed, items = items_of(schema)
        least = int(schema.get("minItems", 0))
        most = int(schema.get("maxItems", max(least, len(fixed), 2)))
        if least > MOST_ITEMS or least > most:
            raise Unsatisfiable(f"{place.name}: no list of {least} to {most} items is ever made")
        if self._least(place) or not self._wants(place, True):
            most = max(least, min(most, len(fixed) if self._spare else 0))
        found = [self._of(inner, place.below()) for inner in fixed[:most]]
        if "contains" in schema:
            wanted = both(as_mapping(items), schema["contains"])
            more = int(schema.get("minContains", 1))
            found += [self._of(wanted, place.below()) for _item in range(min(more, MOST_ITEMS))]
        count = least
        if items is not False and self._wants(place, items):
            count = max(least, min(most, self._draw(1, 2)))
        return self._with_items(found, items, count, least, schema, place)

    def _with_items(
        self, found: list[Any], items: Any, count: int, least: int, schema: Mapping[str, Any], place: _Place
    ) -> list[Any]:
        unique = schema.get("uniqueItems") is True
        for _try in range(MOST_ITEMS * 2):
            if len(found) >= count:
                break
            try:
                item = self._of(items, place.below())
            except Unsatisfiable:
                if len(found) < least:
                    raise
                break
            if not unique or not any(same(item, other) for other in found):
                found.append(item)
        if len(found) < least:
            raise Unsatisfiable(f"{place.name}: {least} different items can't be found")
        return found

    def _text(self, schema: Mapping[str, Any], place: _Place) -> str:
        least = int(schema.get("minLength", 0))
        most = int(schema.get("maxLength", max(least, 64)))
        if least > most or least > _FAR:
            raise Unsatisfiable(f"{place.name}: no text has {least} to {most} characters")
        if "pattern" in schema:
            return self._patterned(str(schema["pattern"]), least, most, place.name)
        if schema.get("contentMediaType") == "application/json":
            return orjson.dumps(self._of(schema.get("contentSchema", True), place.below())).decode()
        text = formed(str(schema.get("format")), self._units)
        if text is not None and len(text) > most:
            text = SHORTEST.get(str(schema.get("format")), text)
        if text is not None and least <= len(text) <= most:
            return text
        text = self._pick(WORDS)
        while len(text) < least:
            text += " " + self._pick(WORDS)
        return text[:most]

    def _patterned(self, pattern: str, least: int, most: int, name: str) -> str:
        stretch = 0
        for attempt in range(48):
            if self._misfits > MOST_TEXTS:
                break
            text = matching(pattern, self._units, stretch)
            if text is None:
                self._misfits += 1
                stretch = attempt % 3
                continue
            if len(text) < least:
                filling = "".join([self._pick(WORDS) for _word in range((least - len(text)) // 4 + 1)])
                padding = filling[: least - len(text)]
                text = next((one for one in (text + padding, padding + text) if found_in(pattern, one)), text)
                stretch += 1
            if least <= len(text) <= most:
                return text
            self._misfits += 1
        raise Unsatisfiable(f"{name}: no text of {least} to {most} characters was found for the pattern {pattern!r}")

    def _number(self, schema: Mapping[str, Any], name: str, *, whole: bool) -> int | float:
        low, high = _bounds(schema)
        step = schema.get("multipleOf")
        if step is not None and step > 0:
            return self._multiple(step, low, high, name, whole=whole)
        if whole:
            bottom, top = _whole_bounds(low, high)
            if bottom > top:
                raise Unsatisfiable(f"{name}: there is no whole number between {low[0]} and {high[0]}")
            return self._draw(bottom, top) if top - bottom < 1 << 53 else bottom
        start, end = _open_bounds(low, high)
        if start > end:
            raise Unsatisfiable(f"{name}: there is no number between {low[0]} and {high[0]}")
        drawn = (
            start / 2 + end / 2 if math.isinf(end - start) else start + (end - start) * (0.25 + next(self._units) / 2)
        )
        rounded = round(drawn, 2)
        return rounded if start < rounded < end or rounded == drawn else drawn

    def _multiple(self, step: float, low: _Bound, high: _Bound, name: str, *, whole: bool) -> int | float:
        exact = Fraction(str(step))
        size = Fraction(exact.numerator) if whole else exact
        bottom, top = _multiples(size, low, high)
        if bottom > top:
            raise Unsatisfiable(f"{name}: there is no multiple of {step} between {low[0]} and {high[0]}")
        count = min(top - bottom, 99) + 1
        start = self._draw(0, min(count, 10) - 1)
        for turn in range(count):
            found = size * (bottom + (start + turn) % count)
            number = int(found) if found.denominator == 1 else float(found)
            if multiple_of(number, step):
                return number
        raise Unsatisfiable(f"{name}: no multiple of {step} between {low[0]} and {high[0]} can be written exactly")


class _Rooms:
    """How many levels the smallest value of a schema needs, so that what refers to itself comes to an end."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._known: dict[tuple[int, int], bool] = {}
        self._held: list[Any] = []
        """What is known by its identity must stay alive."""

    def needed(self, schema: Any) -> float:
        """Levels; infinite where no value has an end."""
        return next((float(room) for room in range(DEEPEST) if self._fits(schema, room)), math.inf)

    def _fits(self, schema: Any, room: int) -> bool:
        if not isinstance(schema, Mapping):
            return schema is not False
        if room < 0:
            return False
        key = (id(schema), room)
        if key not in self._known:
            self._known[key] = False
            self._held.append(schema)
            self._known[key] = self._parts_fit(schema, room - 1)
        return self._known[key]

    def _parts_fit(self, schema: Mapping[str, Any], room: int) -> bool:
        if "const" in schema or "enum" in schema:
            return True
        if "$ref" in schema and not self._fits(pointed(self._root, schema["$ref"]), room):
            return False
        if not all(self._fits(part, room) for part in schema.get("allOf", ())):
            return False
        for key in ("anyOf", "oneOf"):
            if key in schema and not any(self._fits(part, room) for part in schema[key]):
                return False
        kinds = types_of(schema) or (_guessed(schema),)
        needed: list[Any] = []
        if kinds == ("object",):
            needed = [one for name in schema.get("required", ()) for one in schemas_of_property(schema, str(name))]
        if kinds == ("array",) and schema.get("minItems", 0) > 0:
            fixed, items = items_of(schema)
            needed = [*fixed[: schema["minItems"]], *([items] if len(fixed) < schema["minItems"] else [])]
        return all(self._fits(one, room) for one in needed)


_Bound = tuple[float, bool]
"""A bound, and whether it is itself excluded."""


def _bounds(schema: Mapping[str, Any]) -> tuple[_Bound, _Bound]:
    low: _Bound = (schema.get("minimum", -math.inf), False)
    high: _Bound = (schema.get("maximum", math.inf), False)
    over, under = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if over is True or (is_number(over) and over >= low[0]):
        low = (low[0] if over is True else over, True)
    if under is True or (is_number(under) and under <= high[0]):
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
        end = start + max(100.0, abs(start))
    if (low[1] or high[1]) and start >= end:
        return 1.0, 0.0
    return start, end


def _multiples(size: Fraction, low: _Bound, high: _Bound) -> tuple[int, int]:
    """The least and the greatest factor of a size within the bounds; a hundred where one side is open."""
    bottom = math.ceil(Fraction(low[0]) / size) if math.isfinite(low[0]) else None
    top = math.floor(Fraction(high[0]) / size) if math.isfinite(high[0]) else None
    if bottom is not None and low[1] and bottom * size == Fraction(low[0]):
        bottom += 1
    if top is not None and high[1] and top * size == Fraction(high[0]):
        top -= 1
    if bottom is None:
        bottom = 0 if top is None else min(0, top - 99)
    return bottom, bottom + 99 if top is None else top


def _guessed(schema: Mapping[str, Any]) -> str:
    hints = {
        "object": ("properties", "required", "additionalProperties", "minProperties", "patternProperties"),
        "array": ("items", "prefixItems", "minItems", "maxItems", "contains"),
        "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    }
    for kind, keys in hints.items():
        if any(key in schema for key in keys):
            return kind
    return "string"


def _is_null(schema: Any) -> bool:
    return isinstance(schema, Mapping) and (schema.get("type") == "null" or schema.get("const", 0) is None)


def _plainest(branches: Sequence[Any]) -> Any:
    """The branch for any text, where another is for a number: the text is then that number's, and seldom what is meant."""
    mappings = [one for one in branches if isinstance(one, Mapping)]
    numeric = any(one.get("type") in ("number", "integer") for one in mappings)
    plain = [one for one in mappings if one.get("type") == "string" and one.keys() <= _NOTES | {"type"}]
    return plain[0] if numeric and plain else None


def drawn(schema: Any, units: Iterator[float]) -> Any:
    """A value that satisfies the schema. Raises Unsatisfiable where none could be made, be it that the schema is none."""
    try:
        return Generator(schema, units).value()
    except Unsatisfiable:
        raise
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError) as error:
        raise Unsatisfiable(f"this is no JSON Schema that can be read: {error!r}") from error
