"""The JSON Schema of scenario files, made from the models that read them: what an editor completes, explains and underlines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from mockbifrost.scenario.cache_model import NAMES as CACHE_NAMES
from mockbifrost.scenario.cache_model import CacheModel
from mockbifrost.scenario.model import ScenarioModel
from mockbifrost.scenario.reply_model import ToolCallModel
from mockbifrost.scenario.upstream_model import NAMES, UpstreamModel
from mockbifrost.scenario.when_model import BodyCheckModel, LastModel, MessageModel
from mockbifrost.vocabulary.node import Node
from mockbifrost.vocabulary.rules import names
from mockbifrost.vocabulary.words import sections

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
FILE: Final = "scenario.schema.json"
"""What it is called beside the scenarios, and in their first line."""

_LINK: Final = re.compile(r"\[([^]]+)\]\([^)]+\)")
_TEXT: Final = {"type": "string"}
_ONE_CALL: Final = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": {"type": ["object", "string", "null"]},
    "description": "The name of a tool, and its arguments.",
}


def scenario_schema() -> dict[str, Any]:
    """The schema, draft 2020-12. Keys that come in a later version are not in it."""
    found = ScenarioModel.model_json_schema(schema_generator=_Generator)
    return {"$schema": DIALECT, "title": "Scenario of mockbifrost", **found}


def schema_text() -> str:
    """The schema as a file."""
    return orjson.dumps(scenario_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


class _Generator(GenerateJsonSchema):
    """What pydantic makes of the models, with shorthands, rules and words; without titles and without null."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """One mapping, and what may be written in its place."""
        node = schema["cls"]
        assert issubclass(node, Node)
        found = super().model_schema(schema)
        words = _words().get(node.__name__, {})
        for key, value in found.get("properties", {}).items():
            found["properties"][key] = _property(value, key in node.nullable, words.get("keys", {}).get(key, ""))
        if node is BodyCheckModel:
            return {"anyOf": list(found["properties"].values())}  # a text matcher, or any value
        mapping = {**{key: found[key] for key in found if key in _OF_A_MAPPING}, **node.rules}
        short = list(_shorthands(node, mapping))
        whole = {"anyOf": [*short, mapping]} if short else mapping
        return {"description": _plain(words["intro"]), **whole} if words else whole

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """A mapping whose keys have a form has no others."""
        found = super().dict_schema(schema)
        return found | {"additionalProperties": False} if "patternProperties" in found else found

    def normalize_name(self, name: str) -> str:
        """`Reply`, not `ReplyModel`."""
        return super().normalize_name(name).removesuffix("Model")


_OF_A_MAPPING: Final = ("type", "properties", "required", "additionalProperties")


def _shorthands(node: type[Node], mapping: Mapping[str, Any]) -> list[JsonSchemaValue]:
    """What stands for a mapping of the node: the text that `short_for` takes, and what only some nodes know."""
    if node is UpstreamModel:
        return [names(NAMES)]
    if node is CacheModel:
        return [names(CACHE_NAMES)]
    if not node.short_for:
        return []
    meant = {key: value for key, value in mapping["properties"][node.short_for].items() if key != "description"}
    if node in (LastModel, MessageModel):
        return [meant]  # a text matcher as a whole, not only its text
    short = meant if meant.get("type") == "string" else _TEXT
    return [short, _ONE_CALL] if node is ToolCallModel else [short]


def _property(value: JsonSchemaValue, nullable: bool, words: str) -> JsonSchemaValue:
    """The value of a key: null only where it is meant, a default only where it may be written out."""
    found = {key: part for key, part in value.items() if key not in ("title", "default")}
    choices = found.get("anyOf", [])
    kept = [choice for choice in choices if nullable or choice != {"type": "null"}]
    if len(kept) == 1:
        found = {**{key: part for key, part in found.items() if key != "anyOf"}, **kept[0]}
    elif choices:
        found["anyOf"] = kept
    if isinstance(value.get("default"), str | int | float) and ("type" in found or "enum" in found):
        found["default"] = value["default"]
    return found | ({"description": _plain(words)} if words else {})


def _words() -> Mapping[str, Mapping[str, Any]]:
    return {section["model"]: section for section in sections()}


def _plain(text: str) -> str:
    """Words without links, which lead nowhere from an editor."""
    return _LINK.sub(r"\1", text)
