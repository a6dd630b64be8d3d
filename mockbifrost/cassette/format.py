"""Cassettes read: the file as a whole, its list of interactions, and what a recorder that was killed left at its end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Final

from mockbifrost.cassette.dialects import Read, is_complete, read_item
from mockbifrost.cassette.interaction import Cassette, Interaction
from mockbifrost.cassette.loader import UnreadableError, load, no_collection
from mockbifrost.cassette.writing import HEAD
from mockbifrost.errors import CassetteError, Finding
from mockbifrost.vocabulary.node import described

LARGEST_BYTES: Final = 50 * 1024 * 1024
PART: Final = 100
"""How many items are read at once."""
MOST_FINDINGS: Final = 100
"""How many findings of one file are told."""
VERSION: Final = 1
_HEAD: Final = HEAD.encode()
_BOM: Final = b"\xef\xbb\xbf"
_JSON_WITHIN: Final = 64 * 1024
_IN_YAML: Final = re.compile(rb"""^(?:interactions|"interactions"|'interactions')[ ]*:(?:\s|$)""", re.MULTILINE)
_IN_FLOW: Final = re.compile(rb"""[{,]\s*["']?interactions["']?\s*:\s*(?:\[|null\b|~)""")
_LIST: Final = re.compile(
    rb"""^(?:interactions|"interactions"|'interactions')[ ]*:
    (?:[ \t]*(?:\#[^\n]*)?\r?\n)+  # what else stands on its line, and empty lines
    (?P<indent>[ ]*)-(?=\s|\Z)""",
    re.MULTILINE | re.VERBOSE,
)
_FINISHED: Final = re.compile(rb"^ {2,8}status:[^\0]{0,100}?\b[1-5][0-9][0-9]\s", re.MULTILINE)
"""The status of an item that was written to its end, whatever else may be wrong with it."""
_AFTER: Final = re.compile(rb"^[^\s#-]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that was read, and where its parts stand; places count bytes.

    `numbers` has for each item of the file, in its order, the number of its interaction: a number comes twice where a later
    item replaces an earlier one. `starts` is empty where it is not known where the items begin. `torn` is where a last item
    begins that was cut; the file is whole where it is None. `open_end` says that the file ends inside the list, so that a
    further item can be put behind it.
    """

    cassette: Cassette
    starts: tuple[int, ...]
    numbers: tuple[int, ...]
    torn: int | None
    open_end: bool


def read_cassette(path: Path, source: str | None = None) -> Cassette:
    """Read a file; `source` is what messages call it. Raises CassetteError with all that is wrong with it."""
    source = str(path) if source is None else source
    return read_text(read_bytes(path, source), source)


def read_text(raw: bytes, source: str) -> Cassette:
    """Read a cassette that is no file. Raises CassetteError."""
    return read_raw(raw, source).cassette


def read_bytes(path: Path, source: str) -> bytes:
    """The bytes of a file that is not too large. Raises CassetteError."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise _refused(source, f"can't be read: {reason}", "give a file that is there and can be read") from None
    return raw


def looks_like_cassette(raw: bytes) -> bool:
    """Whether a text has the key `interactions` at its top, as cassettes have and scenarios have not. It need not be one for that."""
    if raw.removeprefix(_BOM).lstrip()[:1] in (b"{", b"["):
        return _IN_FLOW.search(raw, 0, _JSON_WITHIN) is not None
    return _IN_YAML.search(raw.removeprefix(_BOM)) is not None


def read_raw(raw: bytes, source: str) -> Reading:
    """Read a cassette with the places of its parts. Raises CassetteError."""
    if len(raw) > LARGEST_BYTES:
        raise _refused(source, "is larger than 50 MB", "split it into several files")
    if _HEAD.startswith(raw):  # not even its head was written to the end
        return Reading(_cassette(source, [], []), (), (), 0 if raw not in (b"", _HEAD) else None, raw == _HEAD)
    with no_collection():
        return _read_whole(raw, source, item_starts(raw))


def _read_whole(raw: bytes, source: str, starts: tuple[int, ...]) -> Reading:
    try:
        items = _items(raw, source, starts)
    except CassetteError as error:
        return _without_last(raw, source, starts, error)
    if len(starts) != len(items):  # what looks like an item stands in a text
        starts = ()
    open_end = bool(starts) and _ends_open(raw, starts[-1])
    if open_end and not is_complete(items[-1]):
        return _read(
            raw, source, items[:-1], starts[:-1], _Torn(starts[-1], "it ends before the status of its response")
        )
    return _read(raw, source, items, starts, None, open_end=open_end and _at_margin(raw, starts[-1]))


@dataclass(frozen=True, slots=True)
class _Torn:
    start: int
    reason: str


def _without_last(raw: bytes, source: str, starts: tuple[int, ...], error: CassetteError) -> Reading:
    """The file without its last item, when it can be read then. Raises the error otherwise."""
    if not starts or not _ends_open(raw, starts[-1]) or _FINISHED.search(raw, starts[-1]):
        raise error
    kept = raw[: starts[-1]]
    try:
        items = _items(kept, source, starts[:-1])
    except CassetteError:
        raise error from None
    if len(items) != len(starts) - 1:
        raise error
    return _read(raw, source, items, starts[:-1], _Torn(starts[-1], error.findings[0].message))


def _read(
    raw: bytes, source: str, items: list[Any], starts: tuple[int, ...], torn: _Torn | None, *, open_end: bool = False
) -> Reading:
    lines = _lines(raw, starts) if starts else [0] * len(items)
    reads = [read_item(item, source, at + 1, line) for at, (item, line) in enumerate(zip(items, lines, strict=True))]
    wrong = [finding for read in reads if read.interaction is None for finding in read.findings]
    if wrong:
        raise CassetteError(wrong[:MOST_FINDINGS])
    warnings = [finding for read in reads for finding in read.findings]
    interactions, numbers = _in_place(reads, warnings)
    if torn is not None:
        line = raw.count(b"\n", 0, torn.start) + 1
        message = f"interaction {len(items) + 1} was cut while it was written, and is left out: {torn.reason}"
        warnings.append(Finding(source, line, 1, f"interactions[{len(items)}]", message, "record it again", "warning"))
        open_end = _at_margin(raw, torn.start)
    return Reading(
        _cassette(source, interactions, warnings),
        starts,
        tuple(numbers),
        None if torn is None else torn.start,
        open_end,
    )


def _cassette(source: str, interactions: list[Interaction], warnings: list[Finding]) -> Cassette:
    return Cassette(source, tuple(interactions), tuple(warnings[:MOST_FINDINGS]))


def _in_place(reads: list[Read], warnings: list[Finding]) -> tuple[list[Interaction], list[int]]:
    """The interactions by number, each replaced by the last one that was recorded in its place; and the number of each item."""
    found: list[Interaction] = []
    numbers: list[int] = []
    for at, read in enumerate(reads):
        interaction = read.interaction
        assert interaction is not None
        number = len(found) + 1
        if read.replaces is not None and read.replaces < number:
            number = read.replaces
            found[number - 1] = replace(interaction, number=number)
        else:
            if read.replaces is not None:
                message = f"in interaction {at + 1} `replaces` names interaction {read.replaces}, which does not stand before it"
                path = f"interactions[{at}].response.mockbifrost.replaces"
                warnings.append(
                    Finding(
                        interaction.file,
                        interaction.line,
                        int(interaction.line > 0),
                        path,
                        message,
                        "remove it",
                        "warning",
                    )
                )
            found.append(interaction if interaction.number == number else replace(interaction, number=number))
        numbers.append(number)
    return found, numbers


def _text(raw: bytes, source: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        message = f"is not UTF-8: the byte 0x{raw[error.start]:02x} can't be read"
        raise CassetteError([Finding(source, line, column, "", message, "save the file as UTF-8")]) from None


def _items(raw: bytes, source: str, starts: tuple[int, ...]) -> list[Any]:
    """The list `interactions` of a text. Raises CassetteError."""
    text = _text(raw, source)
    if len(starts) > PART:
        try:
            return _items_of_parts(raw, source, starts)
        except (UnreadableError, UnicodeDecodeError):  # the whole knows why, or has anchors that its parts have not
            pass
    try:
        found = load(text)
    except UnreadableError as error:
        path, message = "", error.message
        number = _number_at(text, error.line)
        if number:
            path, message = f"interactions[{number - 1}]", f"in interaction {number}: the file {message}"
        raise CassetteError([Finding(source, error.line, error.column, path, message, error.hint)]) from None
    return _list_in(found, source)


def _items_of_parts(raw: bytes, source: str, starts: tuple[int, ...]) -> list[Any]:
    """The same in parts of the text, of which one after the other is held in memory as YAML."""
    after = _AFTER.search(raw, starts[-1] + 1)
    end = after.start() if after else len(raw)
    margin = starts[0] - (raw.rfind(b"\n", 0, starts[0]) + 1)
    borders = [*[start - margin for start in starts[::PART]], end]
    items = _list_in(load((raw[: borders[0]] + raw[end:]).decode("utf-8-sig")), source)
    for start, stop in pairwise(borders):
        part = load(raw[start:stop].decode())
        items += part if isinstance(part, list) else [part]
    return items


def _list_in(found: Any, source: str) -> list[Any]:
    if found is None:
        return []
    if isinstance(found, list) and found and isinstance(found[0], Mapping) and "request" in found[0]:
        raise _refused(source, "was written by vcrpy before 1.0, and has no `interactions`", "record it again")
    if not isinstance(found, Mapping):
        raise _refused(
            source, f"must be a mapping, got {described(found)}", "begin with `version: 1` and `interactions:`"
        )
    version = found.get("version", VERSION)
    if isinstance(version, bool) or str(version) not in ("1", "1.0"):
        message = f"must be version {VERSION}, got {described(version)}"
        raise CassetteError([Finding(source, 0, 0, "version", message, "record it again")])
    if "interactions" not in found:
        raise _refused(source, "has no `interactions`", "a cassette has `version: 1` and a list of `interactions`")
    items = found["interactions"]
    if items is None:
        return []
    if not isinstance(items, list):
        message = f"`interactions` must be a list, got {described(items)}"
        raise CassetteError([Finding(source, 0, 0, "interactions", message, "begin each with `- request:`")])
    return items


def _number_at(text: str, line: int) -> int:
    """The number of the interaction that a line belongs to; 0 where that is not known."""
    if not line:
        return 0
    head = "".join(islice(_with_ends(text), line)).encode("utf-8", "replace")
    return len(item_starts(head))


def _with_ends(text: str) -> Iterator[str]:
    return (line + "\n" for line in text.split("\n"))


def item_starts(raw: bytes) -> tuple[int, ...]:
    """Where the items of the list begin, or what looks like them: at their indentation, in a file that has them in a block."""
    found = _LIST.search(raw)
    if found is None:
        return ()
    indent = found["indent"]
    item = re.compile(rb"^" + indent + rb"-(?=\s|\Z)", re.MULTILINE)
    return tuple([it.start() + len(indent) for it in item.finditer(raw, found.start("indent"))])


def _ends_open(raw: bytes, last: int) -> bool:
    """Whether nothing but the last item follows its beginning."""
    return _AFTER.search(raw, last + 1) is None


def _at_margin(raw: bytes, start: int) -> bool:
    """Whether an item begins where ours do, so that ours can follow it."""
    return start == 0 or raw[start - 1 : start] == b"\n"


def _lines(raw: bytes, starts: tuple[int, ...]) -> list[int]:
    lines, line, at = [], 1, 0
    for start in starts:
        line += raw.count(b"\n", at, start)
        at = start
        lines.append(line)
    return lines


def _refused(source: str, message: str, hint: str) -> CassetteError:
    return CassetteError([Finding(source, 0, 0, "", message, hint)])
