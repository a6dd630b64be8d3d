"""What has become of a recorded response: structural differences between it and a new one. Values don't matter, shapes do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, Literal

import orjson

from mockbifrost.cassette.interaction import Interaction, RecordedResponse
from mockbifrost.values import value
from mockbifrost.vocabulary.node import counted
from mockbifrost.wire.sse import DONE_DATA, Decoder

Severity = Literal["error", "warning", "info"]
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")
"""From the worst on. `error`: what a client relies on is gone or another; `warning`: worth a look; `info`: something is new."""
Kind = Literal["status", "content_type", "body", "end", "gone", "type", "new", "finish_reason", "tool"]

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@value
class Drifted:
    """One difference: where (`path` is empty for the response as a whole), how bad, and in words what was there and what is."""

    kind: Kind
    path: str
    severity: Severity
    recorded: str
    now: str

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{self.severity:<7}  {where}{_SAID[self.kind].format(recorded=self.recorded, now=self.now)}"


_SAID: Final[Mapping[Kind, str]] = {
    "status": "the status was {recorded}, now it is {now}",
    "content_type": "the content type was {recorded}, now it is {now}",
    "body": "the body was {recorded}, now it is {now}",
    "end": "the stream ended {recorded}, now it ends {now}",
    "gone": "is gone; it was {recorded}",
    "type": "was {recorded}, now it is {now}",
    "new": "is new: {now}",
    "finish_reason": "the finish reason was {recorded}, now it is {now}",
    "tool": "the tools called were {recorded}, now they are {now}",
}


class _Shape:
    """The types that were seen at each path, and the object or list that each is in; the items of a list share their path."""

    def __init__(self, documents: Iterable[Any]) -> None:
        self.types: dict[str, set[str]] = {}
        self.parents: dict[str, str] = {}
        for document in documents:
            self._add("", document)

    def _add(self, path: str, item: Any) -> None:
        self.types.setdefault(path, set()).add(_type_of(item))
        inner = item.items() if isinstance(item, dict) else ()
        rows = [(_below(path, key), one) for key, one in inner]
        rows += [(f"{path}[]", one) for one in item] if isinstance(item, list) else []
        for below, one in rows:
            self.parents[below] = path
            self._add(below, one)


Report = Sequence[tuple[Interaction, Sequence[Drifted]]]
"""Interactions that were asked again, each with what differs."""


def drift(recorded: Interaction, now: RecordedResponse) -> tuple[Drifted, ...]:
    """What differs in structure, the worst first: nothing where only texts, ids, times and counts do."""
    return tuple(sorted(_differences(recorded.response, now), key=lambda one: SEVERITIES.index(one.severity)))


def _differences(was: RecordedResponse, now: RecordedResponse) -> Iterator[Drifted]:
    if was.status != now.status:
        yield Drifted("status", "", "error", str(was.status), str(now.status))
    if _media_type(was) != _media_type(now):
        yield Drifted("content_type", "", "error", _media_type(was), _media_type(now))
    if was.is_stream != now.is_stream or (was.status < 400) != (now.status < 400):
        return  # nothing of the two can be compared
    before, after = _documents(was), _documents(now)
    if not before or not after:
        if _kind_of_body(before) != _kind_of_body(after):
            yield Drifted("body", "", "error", _kind_of_body(before), _kind_of_body(after))
        return
    if was.is_stream and _is_done(was) != _is_done(now):
        ends = ("without [DONE]", "with [DONE]")
        yield Drifted("end", "", "error" if _is_done(was) else "info", ends[_is_done(was)], ends[_is_done(now)])
    yield from _fields(_Shape(before), _Shape(after))
    yield from _words(before, after)


def _media_type(response: RecordedResponse) -> str:
    return (response.header("content-type") or "none").partition(";")[0].strip().lower()


def _documents(response: RecordedResponse) -> list[Any] | None:
    """The body as JSON, of a stream its chunks; None where it is something else."""
    try:
        if not response.is_stream:
            return [json.loads(response.body)]
        events = Decoder().feed(response.body + b"\n\n")
        return [json.loads(event.data) for event in events if event.data != DONE_DATA]
    except (ValueError, RecursionError):
        return None


def _kind_of_body(documents: list[Any] | None) -> str:
    return "no JSON" if documents is None else "JSON" if documents else "a stream without events"


def _is_done(response: RecordedResponse) -> bool:
    return any(event.data == DONE_DATA for event in Decoder().feed(response.body + b"\n\n"))


def _below(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def _type_of(item: object) -> str:
    if item is None:
        return "null"
    if isinstance(item, bool):
        return "a boolean"
    if isinstance(item, int | float):
        return "a number"
    return "text" if isinstance(item, str) else "a list" if isinstance(item, list) else "an object"


def _fields(was: _Shape, now: _Shape) -> Iterator[Drifted]:
    """Fields gone, of another type, and new; of an object that is gone or new only the object."""
    for path, types in was.types.items():
        there = now.types.get(path)
        if there is None:
            if _has_room(path, was, now):
                yield Drifted("gone", path, "error", _in_words(types), "nothing")
        elif _another_type(types, there):
            yield Drifted("type", path, "error", _in_words(types), _in_words(there))
    for path, types in now.types.items():
        if path not in was.types and _has_room(path, now, was):
            yield Drifted("new", path, "info", "nothing", _in_words(types))


def _another_type(was: set[str], now: set[str]) -> bool:
    """Whether a value came that never was; null is an optional field, not another type."""
    before, after = was - {"null"}, now - {"null"}
    return bool(before and after) and not after <= before


def _has_room(path: str, here: _Shape, there: _Shape) -> bool:
    """Whether the other side has the object that the field would be in. Items of a list are no fields: a list may be empty."""
    return "an object" in there.types.get(here.parents[path], ())


def _in_words(types: set[str]) -> str:
    return " or ".join(sorted(types, key=lambda one: (one == "null", one)))


def _words(before: Sequence[Any], after: Sequence[Any]) -> Iterator[Drifted]:
    """The few values that clients branch on: finish reasons and the names of tools."""
    was, now = _finish_reasons(before), _finish_reasons(after)
    if was != now:
        yield Drifted("finish_reason", "choices[].finish_reason", "warning", _listed(was), _listed(now))
    (where, was), (_where, now) = _tools(before), _tools(after)
    if was != now:
        severity: Severity = "error" if was - now else "warning"
        yield Drifted("tool", where or _where, severity, _listed(was), _listed(now))


def _choices(documents: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for document in documents:
        choices = document.get("choices") if isinstance(document, dict) else None
        yield from [one for one in choices if isinstance(one, dict)] if isinstance(choices, list) else ()


def _finish_reasons(documents: Iterable[Any]) -> set[str]:
    return {reason for one in _choices(documents) if isinstance(reason := one.get("finish_reason"), str)}


def _tools(documents: Iterable[Any]) -> tuple[str, set[str]]:
    where, names = "", set()
    for choice in _choices(documents):
        for key in ("message", "delta"):
            said = choice.get(key)
            calls = said.get("tool_calls") if isinstance(said, dict) else None
            for call in calls if isinstance(calls, list) else ():
                function = call.get("function") if isinstance(call, dict) else None
                name = function.get("name") if isinstance(function, dict) else None
                if isinstance(name, str) and name:
                    names.add(name)
                    where = f"choices[].{key}.tool_calls[].function.name"
    return where, names


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) if names else "none"


def fails(report: Report, fail_on: Severity = "error") -> bool:
    """Whether anything is as bad as that, or worse."""
    bad = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return any(one.severity in bad for _interaction, drifted in report for one in drifted)


def report_text(report: Report) -> str:
    """For people: each interaction that has drifted with its differences, and a last line that counts."""
    lines: list[str] = []
    counts = dict.fromkeys(SEVERITIES, 0)
    for interaction, drifted in report:
        if drifted:
            lines += [f"{interaction.label}:", *[f"  {one}" for one in drifted]]
        for one in drifted:
            counts[one.severity] += 1
    changed = sum([bool(drifted) for _interaction, drifted in report])
    total = counted(len(report), "interaction")
    if not changed:
        return f"{total}: nothing has drifted."
    words: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "new field"}
    parts = [counted(counts[severity], what) for severity, what in words.items() if counts[severity]]
    lines.append(f"{total}, {changed} drifted: {', '.join(parts)}.")
    return "\n".join(lines)


def report_json(report: Report) -> str:
    """For programs: a list of interactions, each with its differences."""
    rows = [
        {
            "file": interaction.file,
            "interaction": interaction.number,
            "name": interaction.about.name,
            "drifted": [asdict(one) for one in drifted],
        }
        for interaction, drifted in report
    ]
    return orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode()
