"""YAML as plain values that remember where they stood. Core types of YAML 1.2; what its readers disagree on is refused.

Made from events, not from nodes: no recursion, a bound on depth, and what aliases repeat is counted first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

import orjson
import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from mockbifrost.errors import Finding
from mockbifrost.vocabulary.node import shortened

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

DEEPEST: Final = 100
"""How many lists and mappings may stand inside one another."""
TOO_DEEP: Final = f"more than {DEEPEST} lists and mappings stand inside one another"
MOST_REPEATED: Final = 200_000
"""How many values the aliases of a file may repeat together."""

SMALLEST_INT: Final = -(1 << 63)
LARGEST_INT: Final = (1 << 64) - 1
"""What JSON's writers and readers agree to hold."""

MOST_FINDINGS: Final = 1_000
"""How many findings of one file are told."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LINE_END: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_WORD: Final = re.compile(r"[^\s,\[\]{}#]+")
_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INT: Final = re.compile(r"[-+]?[0-9]+")
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]+")
_BASED: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NO_NUMBER: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_NUMERIC_START: Final = frozenset("0123456789+-.")
_WORDS: Final[dict[str, bool | None]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_DISPUTED: Final = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_CORE: Final = "tag:yaml.org,2002:"
_MISSING: Final = object()
_JSON_TEXT: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ONLY_JSON: Final = re.compile(
    r"\\u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    "|(?P<raw>[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff])"
    r"|\\.",
    re.DOTALL,
)


class Mark(NamedTuple):
    """A place in a text; lines and columns count from 0, as in PyYAML."""

    line: int
    column: int


START: Final = Mark(0, 0)


class Place(NamedTuple):
    """Where a key stands and where its value does. In a list both are the item."""

    key: Mark
    value: Mark


@dataclass(slots=True)
class Document:
    """What a text says, where each part stands (by the identity of its mapping or list), and what is wrong with it."""

    source: str
    text: str
    value: Plain = None
    start: Mark = START
    places: dict[int, dict[str | int, Place]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    complete: bool = False
    """The text could be read, so `value` is what it says."""
    _lines: list[str] = field(default_factory=list)

    def place(self, container: Plain, key: str | int) -> Place | None:
        """Where a key or an item of a mapping or list of this document stands."""
        return self.places.get(id(container), {}).get(key)

    def located(self, path: Sequence[str | int]) -> tuple[list[str | int], Place]:
        """A path as far as the file has it (a shorthand has no more), and the place it leads to."""
        found: list[str | int] = []
        value, at = self.value, Place(self.start, self.start)
        for part in path:
            place = self.place(value, part)
            if place is not None:
                found.append(part)
                at, value = place, value[part]  # type: ignore[index]  # it has a place, so it is there
        return found, at

    def line(self, mark: Mark) -> str:
        """The line that a place is in; nothing where the text has no such line."""
        if not self._lines:
            self._lines = _LINE_END.split(self.text)
        return self._lines[mark.line] if mark.line < len(self._lines) else ""

    def written(self, mark: Mark) -> str:
        """The word that stands at a place, as it was written."""
        found = _WORD.match(self.line(mark), mark.column)
        return found[0] if found else ""

    def find(self, mark: Mark, path: str, message: str, hint: str = "") -> None:
        """Note what is wrong; past `MOST_FINDINGS` only that there is more."""
        if len(self.findings) == MOST_FINDINGS:
            path, message, hint = "", "there is more to mend from here on", ""
        if len(self.findings) <= MOST_FINDINGS:
            self.findings.append(Finding(self.source, mark.line + 1, mark.column + 1, path, message, hint))


def read_document(text: str, source: str) -> Document:
    """Read a text. What makes it unreadable, and what can be read and is refused all the same, is in `findings`.

    JSON is YAML, but for a few characters in its texts: they are read as JSON has them.
    """
    text = _without_json(text) if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")) else text
    document = Document(source, text)
    bad = _UNPRINTABLE.search(text, 1 if text.startswith("\ufeff") else 0)
    if bad:
        line = text.count("\n", 0, bad.start())
        mark = Mark(line, bad.start() - (text.rfind("\n", 0, bad.start()) + 1))
        message = f"the character U+{ord(bad[0]):04X} is not allowed in YAML"
        document.find(mark, "", message, "remove it, or escape it in double quotes")
        return document
    try:
        _Reader(document).read(yaml.parse(text.removeprefix("\ufeff"), Loader=_LOADER))
    except (yaml.YAMLError, ValueError) as error:  # PyYAML's own reader lets escapes through that no character has
        document.find(*_unreadable(document, error))
    except _Stop:
        pass
    return document


def _without_json(text: str) -> str:
    """The same in YAML where it is JSON; anything else as it is. A text that gets shorter is filled up, so that all stays in its place."""
    try:
        orjson.loads(text.removeprefix("\ufeff"))
    except orjson.JSONDecodeError:
        return text
    return _JSON_TEXT.sub(lambda found: _ONLY_JSON.sub(_in_yaml, found[0]).ljust(len(found[0])), text)


def _in_yaml(found: re.Match[str]) -> str:
    """A character as YAML writes it where JSON has a pair of surrogates, or the character itself."""
    if found["high"]:
        return f"\\U{0x10000 + ((int(found['high'], 16) & 0x3FF) << 10) + (int(found['low'], 16) & 0x3FF):08X}"
    return f"\\u{ord(found['raw']):04X}" if found["raw"] else found[0]


def _unreadable(document: Document, error: Exception) -> tuple[Mark, str, str, str]:
    """The place, the path, the words and the advice for a text that is not YAML."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return Mark(0, 0), "", f"is not YAML: {str(error).splitlines()[0]}", ""
    at = error.problem_mark or error.context_mark
    mark = Mark(at.line, at.column) if at else Mark(0, 0)
    problem = error.problem or "it can't be read"
    if "nesting depth" in problem:  # newer parsers have a bound of their own, and meet it while they look ahead
        return mark, "", TOO_DEEP, ""
    where = f" {error.context}" if error.context and error.context.startswith("while") else ""
    hint = ""
    if "\t" in document.line(mark)[: mark.column + 1]:
        hint = "indent with spaces, never with tabs"
    elif "mapping values are not allowed" in problem:
        hint = "put a text that holds ': ' in quotes"
    elif "cannot start any token" in problem:
        hint = "put a text that begins with this character in quotes"
    return mark, "", f"is not YAML: {problem}{where}", hint


class _Stop(Exception):
    """The rest of the text is not worth reading."""


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is being read."""

    value: list[Plain] | dict[str, Plain]
    mark: Mark
    anchor: str | None
    places: dict[str | int, Place] = field(default_factory=dict)
    size: int = 1
    key: object = _MISSING
    key_mark: Mark = START
    merges: bool = False
    merged: list[tuple[Plain, Mark]] = field(default_factory=list)


class _Reader:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Plain, int]] = {}
        self._repeated = 0
        self._documents = 0

    def read(self, events: Iterator[Event]) -> None:
        """Everything up to the end, or to what can't be read past."""
        for event in events:
            if isinstance(event, ScalarEvent):
                self._scalar(event)
            elif isinstance(event, MappingStartEvent):
                self._start(event, {})
            elif isinstance(event, SequenceStartEvent):
                self._start(event, [])
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                self._end()
            elif isinstance(event, AliasEvent):
                self._alias(event)
            elif isinstance(event, DocumentStartEvent):
                self._document_start(event)

    def _document_start(self, event: Event) -> None:
        self._documents += 1
        if self._documents > 1:
            self._find(_mark(event), "a second document begins here", "one file holds one document: remove the `---`")
            raise _Stop

    def _start(self, event: MappingStartEvent | SequenceStartEvent, value: list[Plain] | dict[str, Plain]) -> None:
        mark = _mark(event)
        if len(self._stack) >= DEEPEST:
            self._document.find(mark, "", TOO_DEEP)
            raise _Stop
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.value, dict) and top.key is _MISSING and not top.merges:
            template = "{{" in self._document.line(mark)[max(0, mark.column - 1) : mark.column + 2]
            hint = 'put a template in quotes: "{{ … }}"' if template else "keys are text"
            self._find(mark, "a key can't be a list or a mapping", hint)
            raise _Stop
        if event.tag is not None and event.tag not in (_CORE + "map", _CORE + "seq", "!"):
            self._unknown_tag(event.tag, mark)
        self._stack.append(_Frame(value, mark, event.anchor))

    def _end(self) -> None:
        frame = self._stack.pop()
        if frame.merged:
            self._merge(frame)
        self._document.places[id(frame.value)] = frame.places
        self._add(frame.value, frame.mark, frame.size, frame.anchor)

    def _alias(self, event: AliasEvent) -> None:
        mark = _mark(event)
        known = self._anchors.get(event.anchor or "")
        if known is None:
            inside = any(frame.anchor == event.anchor for frame in self._stack)
            said = "stands inside what it names" if inside else "names nothing that came before"
            self._find(
                mark, f"the alias *{event.anchor} {said}", "" if inside else "put a text that begins with * in quotes"
            )
            known = ("", 1)
        value, size = known
        self._repeated += size
        if self._repeated > MOST_REPEATED:
            self._find(mark, f"the aliases up to here repeat more than {MOST_REPEATED} values", "write less by alias")
            raise _Stop
        self._add(value, mark, size, None)

    def _scalar(self, event: ScalarEvent) -> None:
        text: str = event.value
        mark = _mark(event)
        value: Plain
        if event.tag is not None:
            value = self._tagged(event.tag, text, mark)
        elif event.style:
            value = text
            if not text.isascii() and not _encodable(text):
                self._find(mark, "holds half a surrogate pair, which is no character", "write the whole character")
                value = ""
        elif text == "<<" and self._expects_key():
            self._stack[-1].merges = True
            return
        else:
            value = self._plain(text, mark)
        self._add(value, mark, 1, event.anchor)

    def _expects_key(self) -> bool:
        top = self._stack[-1] if self._stack else None
        return top is not None and isinstance(top.value, dict) and top.key is _MISSING and not top.merges

    def _plain(self, text: str, mark: Mark) -> Plain:
        if text in _WORDS:
            return _WORDS[text]
        if text[0] in _NUMERIC_START:
            return self._number(text, mark)
        meant = _DISPUTED.get(text.lower())
        if meant is not None:
            self._find(
                mark,
                f"`{text}` without quotes is {meant} to some readers of YAML and text to others",
                f'write "{text}" for the text, or {meant}',
            )
        return text

    def _number(self, text: str, mark: Mark) -> Plain:
        if _NO_NUMBER.fullmatch(text):
            self._find(mark, f"{text} is no number that JSON can hold", f'write "{text}" for the text')
            return text
        if _LEADING_ZERO.fullmatch(text):
            self._find(
                mark,
                f"{shortened(text)} is a number with leading zeros, which readers of YAML take differently",
                f'write "{shortened(text)}" for the text',
            )
            return text
        if _INT.fullmatch(text) or _BASED.fullmatch(text):
            value = int(text, 0) if len(text) < 30 else LARGEST_INT + 1
            if SMALLEST_INT <= value <= LARGEST_INT:
                return value
        elif not _FLOAT.fullmatch(text):
            return text
        elif math.isfinite(number := float(text)):
            return number
        self._find(mark, f"{shortened(text)} is a larger number than JSON's 64 bits hold", "put it in quotes")
        return text

    def _tagged(self, tag: str, text: str, mark: Mark) -> Plain:
        if tag in ("!", _CORE + "str"):
            return text
        value = self._plain(text, mark)
        kinds = {"null": type(None), "bool": bool, "int": int, "float": int | float}
        kind = kinds.get(tag.removeprefix(_CORE)) if tag.startswith(_CORE) else None
        if kind is None:
            self._unknown_tag(tag, mark)
        elif not isinstance(value, kind):
            self._find(mark, f"{shortened(text)!r} is not what its tag says", "remove the tag")
        return value

    def _unknown_tag(self, tag: str, mark: Mark) -> None:
        shown = "!!" + tag.removeprefix(_CORE) if tag.startswith(_CORE) else tag
        self._find(mark, f"the tag {shown} is not known here", "remove it, or put a text that begins with ! in quotes")

    def _add(self, value: Plain, mark: Mark, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, size)
        if not self._stack:
            self._document.value, self._document.start, self._document.complete = value, mark, True
            return
        frame = self._stack[-1]
        frame.size += size
        container = frame.value
        if isinstance(container, list):
            frame.places[len(container)] = Place(mark, mark)
            container.append(value)
        elif frame.merges:
            frame.merged.append((value, mark))
            frame.merges = False
        elif frame.key is _MISSING:
            frame.key, frame.key_mark = self._key(value, mark, frame), mark
        else:
            key = str(frame.key)
            if frame.key is not None:
                container[key] = value
                frame.places[key] = Place(frame.key_mark, mark)
            frame.key = _MISSING

    def _key(self, value: Plain, mark: Mark, frame: _Frame) -> str | None:
        """The key, or None for one whose value is not kept."""
        if not isinstance(value, str):
            shown = self._document.written(mark).removesuffix(":") or "null"
            self._find(mark, f"the key {shown} is not text", f'put it in quotes: "{shown}"')
            return None
        first = frame.places.get(value)
        if first is not None:
            self._find(
                mark,
                f"the key {shortened(value)!r} is there already, on line {first.key.line + 1}",
                "keep one of the two",
            )
            return None
        return value

    def _merge(self, frame: _Frame) -> None:
        """Lay the keys of `<<` under those written out; of several, the earlier wins."""
        own = frame.value
        assert isinstance(own, dict)
        if len(frame.merged) > 1:
            self._find(frame.merged[1][1], "a mapping can have one `<<`", "give it a list: <<: [*a, *b]")
        for value, mark in frame.merged:
            for mapping in value if isinstance(value, list) else [value]:
                if not isinstance(mapping, dict):
                    self._find(mark, "`<<` takes a mapping or a list of mappings", "name one with an anchor: <<: *name")
                    continue
                places = self._document.places[id(mapping)]
                for key, item in mapping.items():
                    if key not in own:
                        own[key] = item
                        frame.places[key] = places[key]

    def _path(self) -> str:
        parts: list[str | int] = []
        for frame in self._stack:
            if isinstance(frame.value, list):
                parts.append(len(frame.value))
            elif isinstance(frame.key, str):
                parts.append(frame.key)
        return path_text(parts)

    def _find(self, mark: Mark, message: str, hint: str = "") -> None:
        self._document.find(mark, self._path(), message, hint)


def path_text(parts: list[str | int]) -> str:
    """A path as messages show it: `stubs[2].when.user`."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", part):
            text += f".{part}" if text else part
        else:
            text += f'["{shortened(part)}"]'
    return text


def _mark(event: Event) -> Mark:
    at = event.start_mark
    return Mark(at.line, at.column) if at else Mark(0, 0)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
