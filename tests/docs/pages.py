"""A page of documentation: its fenced blocks, the commands in them, and whether an output fits what is shown."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEFT_OUT = "…"
"""In a shown output: something of any length that is left out."""
_FENCE = re.compile(r"^( *)```(\w*) *(.*?)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. `file` is the name behind the language: the reader saves the block under it."""

    page: str
    line: int
    language: str
    file: str
    text: str

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.page}:{self.line}"


def blocks_of(path: Path, page: str) -> Iterator[Block]:
    """All blocks of a page, in order."""
    source = path.read_text(encoding="utf-8")
    for found in _FENCE.finditer(source):
        indent, language, file, text = found.groups()
        lines = [line.removeprefix(indent) for line in text.splitlines(keepends=True)]
        yield Block(page, source.count("\n", 0, found.start()) + 1, language, file.strip(), "".join(lines))


def commands_of(text: str) -> Iterator[list[str]]:
    """The commands of a shell block as words: what `&&` joins apart, lines that go on joined, comments left out."""
    pending = ""
    for line in text.splitlines():
        pending = f"{pending}\n{line}" if pending else line
        if pending.endswith("\\"):
            pending = pending[:-1]
            continue
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # an open quote: the next line belongs to it
            continue
        pending = ""
        while "&&" in words:
            yield words[: words.index("&&")]
            words = words[words.index("&&") + 1 :]
        if words:
            yield words
    if pending:
        raise ValueError(f"this command does not end: {pending}")


def fits(shown: str, real: str) -> bool:
    """Whether a real output is the one that is shown, line ends at the end aside."""
    pattern = ".*?".join(re.escape(part) for part in shown.strip().split(LEFT_OUT))
    return re.fullmatch(pattern, real.strip(), re.DOTALL) is not None


def json_fits(shown: str, real: str) -> bool:
    """The same for JSON, however it is laid out: of objects the keys that are shown count."""
    return _within(json.loads(shown), json.loads(real))


def _within(shown: Any, real: Any) -> bool:
    if shown == LEFT_OUT:
        return True
    if isinstance(shown, Mapping):
        return isinstance(real, Mapping) and all(key in real and _within(shown[key], real[key]) for key in shown)
    if isinstance(shown, list):
        return (
            isinstance(real, list)
            and len(shown) == len(real)
            and all(_within(one, other) for one, other in zip(shown, real, strict=True))
        )
    if isinstance(shown, str) and isinstance(real, str):
        return fits(shown, real)
    return bool(shown == real)
