"""The gateway's OpenAPI files as JSON Schemas of its answers.

As wire.md 10 says: a property that is not required may be null, unknown keys are allowed. `logprobs` must look like the
documents' `log_probs`, and `error.param` may be any JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError

ROOT = Path(__file__).resolve().parents[3] / "shared" / "reference" / "openapi"
ENDPOINT = "paths/integrations/pydanticai/openai.yaml#/chat-completions"


@lru_cache
def _file(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _target(reference: str, base: Path) -> tuple[Any, Path]:
    """What a reference points at, and the file it stands in."""
    file, _hash, pointer = reference.partition("#")
    path = (base.parent / file).resolve() if file else base
    found = _file(path)
    for part in pointer.strip("/").split("/"):
        found = found[part]
    return found, path


def _resolved(node: Any, base: Path) -> Any:
    """A node with its references replaced by what they point at; a loop of references is a RecursionError."""
    if isinstance(node, list):
        return [_resolved(item, base) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target, path = _target(node["$ref"], base)
        return _resolved(target, path)
    found = {key: _resolved(value, base) for key, value in node.items()}
    if found.get("type") == "object":
        found["properties"] = _relaxed(found.get("properties", {}), found.get("required", ()))
    return found


def _relaxed(properties: dict[str, Any], required: Sequence[str]) -> dict[str, Any]:
    """Properties of an object as they are really sent."""
    found = {
        name: schema if name in required else {"anyOf": [{"type": "null"}, schema]}
        for name, schema in properties.items()
    }
    if "log_probs" in found:
        found["logprobs"] = found["log_probs"]
    return {name: {} if name == "param" else schema for name, schema in found.items()}


@lru_cache
def _operation() -> dict[str, Any]:
    operation, path = _target(ENDPOINT, ROOT / "openapi.yaml")
    found: dict[str, Any] = _resolved(operation["post"], path)
    return found


@lru_cache
def _validator(kind: str) -> Draft202012Validator:
    responses = _operation()["responses"]
    schemas = {
        "request": _operation()["requestBody"]["content"]["application/json"]["schema"],
        "answer": responses["200"]["content"]["application/json"]["schema"],
        "chunk": responses["200"]["content"]["text/event-stream"]["schema"],
        "error": responses["400"]["content"]["application/json"]["schema"],
    }
    Draft202012Validator.check_schema(schemas[kind])
    return Draft202012Validator(schemas[kind])


def violations(kind: str, document: Any) -> list[str]:
    """What of a `request`, `answer`, `chunk` or `error` the documents do not allow, as `place: why`."""
    return [line for error in _validator(kind).iter_errors(document) for line in _in_words(error)]


def _in_words(error: ValidationError) -> Iterator[str]:
    """The innermost errors: of a property that may be null, those of its own schema."""
    inner = [one for one in error.context or () if one.schema != {"type": "null"}]
    if error.validator != "anyOf" or not inner:
        yield f"{error.json_path}: {error.message}"
    for one in inner if error.validator == "anyOf" else ():
        yield from _in_words(one)
