"""What pydantic found wrong, as findings: the place in the file, the path, a sentence, the nearest known thing."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mockbifrost.errors import Finding
from mockbifrost.scenario.document import MOST_FINDINGS, Document, Mark, path_text
from mockbifrost.scenario.failure_model import ErrorModel, GatewayErrorModel
from mockbifrost.scenario.model import ActiveModel, DefaultsModel, ScenarioModel, StubModel
from mockbifrost.scenario.pace_model import PaceModel
from mockbifrost.scenario.raw_model import RawModel
from mockbifrost.scenario.reply_model import ReplyModel, UsageModel
from mockbifrost.scenario.upstream_model import UpstreamModel
from mockbifrost.scenario.when_model import WhenModel
from mockbifrost.vocabulary.later import LATER
from mockbifrost.vocabulary.node import IN_QUOTES, REFUSED, Node, described, did_you_mean, in_quotes, shortened
from mockbifrost.vocabulary.settings import GatewaySettings

Loc = tuple[int | str, ...]

_LEVELS: Final[Mapping[str, type[Node]]] = {
    "under `when`": WhenModel,
    "under `reply`": ReplyModel,
    "under `pace`": PaceModel,
    "under `active`": ActiveModel,
    "under `error`": ErrorModel,
    "under `gateway_error`": GatewayErrorModel,
    "under `raw`": RawModel,
    "under `upstream`": UpstreamModel,
    "to the stub itself": StubModel,
    "under `usage`": UsageModel,
    "under `gateway`": GatewaySettings,
    "under `defaults`": DefaultsModel,
    "at the top of the file": ScenarioModel,
}
"""Where a key that stands in the wrong place belongs."""

_WRONG_TYPES: Final[Mapping[str, str]] = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
}
_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
    "greater_than": ("more than", "gt"),
}


def findings_of(error: ValidationError, root: type[Node], document: Document, at: Mark | None = None) -> list[Finding]:
    """The errors as findings, in no order. `at`: where all of them are, for values that came from no file."""
    found: dict[tuple[Mark, str], Finding] = {}
    details = [detail for detail in error.errors(include_url=False) if not _echoed(detail)]
    for detail in details[:MOST_FINDINGS]:
        path, mark, written = _located(detail, document)
        message, hint = _said(detail, root, written)
        mark = at or mark
        finding = Finding(document.source, mark.line + 1, mark.column + 1, path_text(path), message, hint)
        found.setdefault((mark, finding.key_path), finding)
    findings = list(found.values())
    if len(details) > MOST_FINDINGS:
        last, more = findings[-1], len(details) - MOST_FINDINGS
        findings.append(Finding(last.source, last.line, last.column, "", f"{more} more findings are not shown"))
    return findings


def _echoed(detail: ErrorDetails) -> bool:
    """Whether a list is called too short only because its items are wrong, each of which is told."""
    return detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]


def _located(detail: ErrorDetails, document: Document) -> tuple[list[str | int], Mark, str]:
    """The path as far as the file has it (a shorthand has no more), its place, and the word that stands there."""
    path: list[str | int] = []
    value, mark = document.value, document.start
    for part in detail["loc"]:
        place = document.place(value, part)
        if place is None:
            continue
        path.append(part)
        mark = place.value
        if detail["type"] == "extra_forbidden" or "[key]" in detail["loc"]:
            mark = place.key
        value = value[part]  # type: ignore[index]  # it has a place, so it is there
    return path, mark, document.written(mark)


def _said(detail: ErrorDetails, root: type[Node], written: str) -> tuple[str, str]:
    """The message and the hint."""
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == REFUSED:
        return context["text"], context["hint"] + (f': "{written or value}"' if context["hint"] == IN_QUOTES else "")
    if kind == "extra_forbidden":
        return _unknown_key(str(detail["loc"][-1]), _node_at(root, detail["loc"][:-1]))
    if kind == "missing":
        key = detail["loc"][-1]
        return f"`{key}` is missing", "begin with `version: 1`" if key == "version" else ""
    if kind in _WRONG_TYPES:
        return f"must be {_WRONG_TYPES[kind]}, got {described(value)}", _quotes(kind, value, written)
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"must be {words} {context[bound]:g}, got {described(value)}", ""
    if kind == "literal_error":
        known = [word.strip("' ") for word in context["expected"].replace(" or ", ", ").split(",")]
        near = did_you_mean(value, known) if isinstance(value, str) else ""
        return f"must be {context['expected']}, got {described(value)}", near
    if kind in ("too_short", "string_too_short"):
        return "must not be empty", ""
    return detail["msg"], ""


def _quotes(kind: str, value: Any, written: str) -> str:
    """Numbers and booleans where text is wanted were meant as text."""
    hint = in_quotes(value) if kind == "string_type" else ""
    return f'{hint}: "{written or value}"' if hint else ""


def _unknown_key(key: str, node: type[Node]) -> tuple[str, str]:
    later = LATER.get((node.place, key))
    if later is not None:
        return later, ""
    known = node.known_keys()
    elsewhere = [level for level, other in _LEVELS.items() if other is not node and key in other.known_keys()][:3]
    belongs = f"`{key}` belongs {_joined(elsewhere)}" if elsewhere else ""
    hint = did_you_mean(key, known, 0.8) or belongs or did_you_mean(key, known)
    return f"unknown key {shortened(key)!r}", hint or f"known are {', '.join(known)}"


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _node_at(root: type[Node], loc: Loc) -> type[Node]:
    """The model that a path of pydantic's leads to, where it leads to one."""
    kind: Any = root
    for part in loc:
        if isinstance(kind, type) and issubclass(kind, Node):
            fields = kind.model_fields.items()
            kind = next((field.annotation for name, field in fields if part in (name, field.alias)), None)
        else:
            inner = get_args(kind)
            kind = inner[1] if len(inner) == 2 and isinstance(part, str) else inner[0]
        kind = _bare(kind)
    assert isinstance(kind, type)
    assert issubclass(kind, Node)
    return kind


def _bare(kind: Any) -> Any:
    """A type without its annotations and without None."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (Union, UnionType):
            kind = next((arg for arg in get_args(kind) if arg is not NoneType), None)
        else:
            return kind
