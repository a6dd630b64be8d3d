"""The type of JSON values, and the one way to write them: compact, keys in the order given, raw UTF-8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import orjson

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | orjson.Fragment | None"
JsonObject: TypeAlias = "dict[str, Json]"


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def encode(value: Json) -> bytes:
    """Compact JSON. Tuples are lists; read-only mappings are objects."""
    return orjson.dumps(value, default=_plain)


def object_in(data: bytes | str) -> dict[str, Any] | None:
    """The object that stands there; None where it is other JSON, or none."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def merged(base: Json, over: Json) -> Json:
    """`over` laid upon `base`: objects deep, lists by index (a longer one adds), anything else replaces."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        result: JsonObject = dict(base)
        for key, value in over.items():
            result[key] = merged(result[key], value) if key in result else value
        return result
    if isinstance(base, (list, tuple)) and isinstance(over, (list, tuple)):
        head = [merged(old, new) for old, new in zip(base, over, strict=False)]
        return [*head, *base[len(head) :], *over[len(head) :]]
    return over
