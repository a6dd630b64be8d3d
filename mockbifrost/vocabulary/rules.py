"""What keys say together, in the words of JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

Rule = dict[str, Any]

NOT_EMPTY: Final[Rule] = {"minProperties": 1}
"""At least one key."""


def names(known: Iterable[str]) -> Rule:
    """One of the names of a table."""
    return {"type": "string", "enum": list(known)}


def one_of_these(keys: Iterable[str]) -> Rule:
    """Exactly one of the keys."""
    return {"oneOf": _each(keys)}


def any_of_these(keys: Iterable[str]) -> Rule:
    """At least one of the keys."""
    return {"anyOf": _each(keys)}


def at_most_one(keys: Iterable[str]) -> Rule:
    """One of the keys or none."""
    return {"oneOf": [*_each(keys), {"not": any_of_these(keys)}]}


def belong(to: Mapping[str, str]) -> Rule:
    """Each key only beside the other one."""
    return {"dependentRequired": {key: [other] for key, other in to.items()}}


def excluded(by: Mapping[str, Iterable[str]]) -> Rule:
    """Each key only without the others."""
    return {"dependentSchemas": {key: {"not": any_of_these(others)} for key, others in by.items()}}


def alone(keys: Iterable[str]) -> Rule:
    """Each key only without any other."""
    return {"dependentSchemas": {key: {"maxProperties": 1} for key in keys}}


def _each(keys: Iterable[str]) -> list[Rule]:
    return [{"required": [key]} for key in keys]
