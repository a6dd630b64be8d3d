"""The Python API mirrors the scenario language one to one: its types say what the models read, its methods have every key."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import typing_extensions
from pydantic import TypeAdapter
from typing_extensions import Unpack

from mockbifrost import Session
from mockbifrost.api import words
from mockbifrost.api.behaviour import Behaviour
from mockbifrost.api.steps import Step
from mockbifrost.api.when import When
from mockbifrost.scenario.cache_model import CacheModel
from mockbifrost.scenario.failure_model import ErrorModel, GatewayErrorModel
from mockbifrost.scenario.model import (
    ActiveModel,
    DefaultsModel,
    StepModel,
    StubModel,
)
from mockbifrost.scenario.pace_model import PaceModel
from mockbifrost.scenario.published_schema import scenario_schema
from mockbifrost.scenario.raw_model import RawModel
from mockbifrost.scenario.replay_model import ReplayModel
from mockbifrost.scenario.reply_model import ReplyModel
from mockbifrost.scenario.upstream_model import (
    NAMES,
    CutModel,
    ErrorEventModel,
    HtmlModel,
    MalformedModel,
    StallModel,
    UpstreamModel,
)
from mockbifrost.scenario.when_model import WhenModel
from mockbifrost.vocabulary.node import Node
from mockbifrost.vocabulary.settings import GatewaySettings

Schema = Mapping[str, Any]
ON = {"type": "object", "maxProperties": 0}
"""`{}` for what is only turned on: Python writes True."""


@dataclass
class Shape:
    """What may be written at one place."""

    kinds: set[str] = field(default_factory=set)
    words: set[object] = field(default_factory=set)
    keys: dict[str, list[Schema]] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    items: list[Schema] = field(default_factory=list)
    values: list[Schema] = field(default_factory=list)


def shape_of(schemas: Sequence[Schema], root: Schema) -> Shape:
    """All alternatives of a place together."""
    found = Shape()
    for schema in alternatives(schemas, root):
        if "enum" in schema or "const" in schema:
            named = [word for word in schema.get("enum", [schema.get("const")]) if not isinstance(word, float)]
            found.words |= {word for word in named if isinstance(word, str)}
            found.kinds |= {kind_of(word) for word in named}
            continue
        kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        found.kinds |= {kind for kind in kinds if schema != ON}
        for key, value in schema.get("properties", {}).items():
            found.keys.setdefault(key, []).append(value)
        found.required |= set(schema.get("required", ()))
        if isinstance(schema.get("items"), Mapping):
            found.items.append(schema["items"])
        further = schema.get("additionalProperties")
        if (
            isinstance(further, Mapping) and further.get("$ref") != "#/$defs/JsonValue"
        ):  # any JSON is nothing to compare
            found.values.append(further)
        found.values += schema.get("patternProperties", {}).values()
    return found


def alternatives(schemas: Sequence[Schema], root: Schema) -> Iterator[Schema]:
    """With references followed."""
    for schema in schemas:
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/$defs/")
            if name in ("Json", "JsonValue"):
                yield {"type": "json"}
            else:
                yield from alternatives([root["$defs"][name]], root)
        elif "anyOf" in schema and "type" not in schema:
            yield from alternatives(schema["anyOf"], root)
        elif "type" in schema or "enum" in schema or "const" in schema:
            yield schema
        else:
            yield {"type": "json"}


def kind_of(word: object) -> str:
    if isinstance(word, bool):
        return "boolean"
    return "integer" if isinstance(word, int) else "null" if word is None else "string"


DEPARTURES = {
    "reply.tool_calls[].*": "the arguments of `{name: {arguments}}` are any JSON to a type checker",
    "reply.content[]": "a part is any mapping to a type checker, and the models want a `type` in it",
    "reply.faker": "what a method of Faker is given is not told in the schema",
    "when.body.*": "text matchers or any JSON, which is any JSON to a type checker",
    "cached_write_token_details": "a mapping by two names in the file, two keys in Python",
}
"""Where the two say the same in different words."""


def departs(at: str) -> bool:
    return at.replace("replay.with", "reply").endswith(tuple(DEPARTURES))


def differences(
    model: Sequence[Schema],
    python: Sequence[Schema],
    roots: tuple[Schema, Schema],
    at: str = "",
    seen: tuple[str, ...] = (),
) -> Iterator[str]:
    """Every place, however deep, at which Python takes other keys, kinds or words than the language."""
    one, two = shape_of(model, roots[0]), shape_of(python, roots[1])
    mark = repr((sorted(one.keys), sorted(two.keys)))
    if departs(at) or (one.keys and mark in seen):
        return
    for what in ("kinds", "required"):
        if getattr(one, what) != getattr(two, what):
            yield f"{at}: {what} {sorted(getattr(one, what))} in files, {sorted(getattr(two, what))} in Python"
    if one.words != two.words:
        yield f"{at}: {sorted(map(str, one.words ^ two.words))} is in only one of the two"
    if set(one.keys) != set(two.keys):
        yield f"{at}: keys {sorted(set(one.keys) ^ set(two.keys))} are in only one of the two"
    deeper = (*seen, mark) if one.keys else seen
    for key in one.keys.keys() & two.keys.keys():
        yield from differences(one.keys[key], two.keys[key], roots, f"{at}.{key}".lstrip("."), deeper)
    for sign, some, others in (("[]", one.items, two.items), (".*", one.values, two.values)):
        if some and others:
            yield from differences(some, others, roots, at + sign, deeper)
        elif (some or others) and not departs(at + sign):
            yield f"{at}: {sign} is told in only one of the two"


def test_the_types_say_what_the_models_read() -> None:
    file, python = scenario_schema(), TypeAdapter(words.ScenarioDict).json_schema()

    assert list(differences([file], [python], (file, python))) == []


HINTS = {**vars(words), "Unpack": Unpack, "Step": Step, "Path": Path, "Self": Any, "Callable": Callable}


def parameters_of(method: Callable[..., object]) -> dict[str, object]:
    """The names that it takes, those of `**keys` each, as the language has them; with their types."""
    hints = get_type_hints(method, localns=HINTS)
    found: dict[str, object] = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            [keys] = get_args(hints[name])
            for key, kind in get_type_hints(keys, vars(words)).items():
                found[key.removesuffix("_")] = kind
        elif name != "self":
            found[name] = hints[name]
    return found


@dataclass(frozen=True)
class Twin:
    """A method, and the model whose keys it takes."""

    method: Callable[..., object]
    model: type[Node]

    @property
    def id(self) -> str:
        return self.method.__name__


TWINS = [
    Twin(Session.when, WhenModel),
    Twin(Session.configure, GatewaySettings),
    Twin(Session.defaults, DefaultsModel),
    Twin(When.active, ActiveModel),
    Twin(Behaviour.reply, ReplyModel),
    Twin(Behaviour.error, ErrorModel),
    Twin(Behaviour.gateway_error, GatewayErrorModel),
    Twin(Behaviour.raw, RawModel),
    Twin(Behaviour.replay, ReplayModel),
    Twin(Behaviour.pace, PaceModel),
]


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.id)
def test_a_method_takes_every_key_of_its_model_and_no_other(twin: Twin) -> None:
    assert set(parameters_of(twin.method)) == set(twin.model.known_keys())


def test_the_cache_takes_every_key_beside_its_outcome() -> None:
    assert set(parameters_of(Behaviour.cache)) == {*CacheModel.known_keys(), "outcome"}


SETTINGS: Mapping[str, type[Node]] = {
    "html": HtmlModel,
    "cut": CutModel,
    "stall": StallModel,
    "malformed": MalformedModel,
    "error_event": ErrorEventModel,
}


def test_a_fault_takes_every_key_of_its_settings() -> None:
    told: dict[str, set[str]] = {}
    for overload in typing_extensions.get_overloads(Behaviour.upstream):
        parameters = parameters_of(overload)
        kind = parameters.pop("fault", None)
        told[str(*get_args(kind)) if len(get_args(kind)) == 1 else str(kind is None)] = set(parameters)

    alone = told.pop("False")
    assert (alone, told.pop("True")) == (set(), set(UpstreamModel.known_keys()))
    assert told == {kind: set(model.known_keys()) for kind, model in SETTINGS.items()}
    assert set(strings_in(words.FaultName)) == set(NAMES)


def strings_in(kind: object) -> Iterator[object]:
    """The words of a literal or of a union of them."""
    for part in get_args(kind):
        yield from strings_in(part) if get_origin(part) is not None else [part]


def public(kind: type) -> set[str]:
    return {name for name, member in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


def test_a_stub_has_a_method_for_every_key_of_the_language() -> None:
    beside = {"when": "the session's", "on_end": "of `sequence`", "scope": "of `sequence`"}

    assert public(When) - {"mapping", "saved"} == set(StubModel.known_keys()) - set(beside)
    assert set(parameters_of(When.sequence)) == {"steps", "on_end", "scope"}


def test_a_step_has_a_method_for_every_key_of_the_language() -> None:
    assert public(Step) - {"mapping"} == set(StepModel.known_keys())


@pytest.mark.parametrize("key", ["times", "per", "priority", "required", "name"])
def test_a_method_of_one_value_takes_what_the_key_takes(key: str) -> None:
    [given] = parameters_of(getattr(When, key)).values()

    assert given == get_type_hints(words.StubDict, vars(words))[key]


def test_a_sequence_takes_what_its_keys_take() -> None:
    hints, given = get_type_hints(words.StubDict, vars(words)), parameters_of(When.sequence)

    assert (given["on_end"], given["scope"]) == (hints["on_end"] | None, hints["scope"] | None)
