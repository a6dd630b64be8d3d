"""Interactions as YAML in vcrpy's format 1: one complete item of a list at a time, or a whole file at once.

What vcrpy has no word for stands in the mapping `mockbifrost` of the response, the one place that it keeps when it saves
again. The status comes last, with its code at the end: an item that has one is complete.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from mockbifrost.cassette.interaction import About, Headers, Interaction, Piece
from mockbifrost.cassette.json_layout import indented
from mockbifrost.cassette.yaml_text import content, in_flow, key, scalar

HEAD: Final = "version: 1\ninteractions:\n"
EXTRAS: Final = "mockbifrost"
"""The key of the response that holds what vcrpy has no word for."""
ABOUT: Final = ("name", "recorded_at", "expires", "source", "gateway", "client", "upstream")
_WIDEST: Final = 110
_LIST_MARGIN: Final = "\n" + " " * 14


def interaction_text(interaction: Interaction, *, replaces: int | None = None) -> str:
    """One complete item of the list `interactions`; with `replaces` it takes the place of the item of that number.

    Headers of one name stand together, where the first of them stood.
    """
    request, response = interaction.request, interaction.response
    asked, request_layout = indented(request.body)
    answered, layout = indented(response.body)
    lines = [
        "- request:",
        f"    method: {scalar(request.method)}",
        f"    uri: {scalar(request.uri)}",
        *_headers(request.headers),
        f"    body: {content(asked, 6)}",
        "  response:",
        *_headers(response.headers),
        "    body:",
        f"      string: {content(answered, 8)}",
        *_extras(interaction.about, response.pieces, request_layout, layout, replaces),
        "    status:",
        f"      message: {scalar(response.reason)}",
        f"      code: {response.status}",
    ]
    return "\n".join(lines) + "\n"


def write_cassette(path: Path, interactions: Iterable[Interaction]) -> None:
    """Write a whole file, or none: what was there stays until all of the new one is on the disk. Raises OSError.

    A file that is replaced hands on its mode.
    """
    replace_file(path, (text.encode("utf-8") for text in _whole(interactions)))


def replace_file(path: Path, parts: Iterable[bytes]) -> None:
    """Put a file of these parts in the place of another one, at once. Raises OSError, and what `parts` raises."""
    path = Path(os.path.realpath(path))  # a link stays a link
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            if path.exists():
                beside.chmod(stat.S_IMODE(path.stat().st_mode))
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _whole(interactions: Iterable[Interaction]) -> Iterator[str]:
    found = iter(interactions)
    first = next(found, None)
    yield HEAD if first is not None else HEAD.replace("interactions:", "interactions: []")
    if first is not None:
        yield interaction_text(first)
    for interaction in found:
        yield interaction_text(interaction)


def _headers(headers: Headers) -> list[str]:
    if not headers:
        return ["    headers: {}"]
    by_name: dict[str, list[str]] = {}
    for name, text in headers:
        by_name.setdefault(name, []).append(in_flow(text))
    return ["    headers:", *[f"      {key(name, 6)}[{', '.join(texts)}]" for name, texts in by_name.items()]]


def _extras(
    about: About, pieces: tuple[Piece, ...], request_layout: str | None, layout: str | None, replaces: int | None
) -> list[str]:
    pairs = [(name, scalar(text)) for name in ABOUT if (text := getattr(about, name)) is not None]
    if request_layout:
        pairs.append(("request_layout", request_layout))
    if layout:
        pairs.append(("layout", layout))
    if pieces:
        pairs.append(("pieces", _wrapped(pieces)))
    if replaces is not None:
        pairs.append(("replaces", str(replaces)))
    return [f"    {EXTRAS}:", *[f"      {name}: {text}" for name, text in pairs]] if pairs else []


def _wrapped(pieces: tuple[Piece, ...]) -> str:
    """The list of pieces, in lines of readable length."""
    lines, line = [], ""
    for piece in pieces:
        item = f"[{piece.at_ms}, {piece.size}]"
        if line and len(line) + len(item) > _WIDEST:
            lines.append(line)
            line = ""
        line += f"{', ' if line else ''}{item}"
    lines.append(line)
    return f"[{f',{_LIST_MARGIN}'.join(lines)}]"
