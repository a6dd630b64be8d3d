"""How a provider's stream cuts tool calls. Source: users.md B2, faults.md 1.6; `openai` is what OpenAI sends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise, zip_longest
from typing import Final, Literal

from mockbifrost.provider.tokens import split_tokens
from mockbifrost.wire.chunk import CallDelta
from mockbifrost.wire.completion import ToolCall

Fragments = Literal["openai", "one_chunk", "per_char", "split_escape", "interleaved", "name_repeated"]
FRAGMENTS: Final[tuple[Fragments, ...]] = (
    "openai",
    "one_chunk",
    "per_char",
    "split_escape",
    "interleaved",
    "name_repeated",
)

_ESCAPE: Final = re.compile(r"\\u[0-9a-fA-F]{4}|\\.")


def cut_calls(calls: Sequence[ToolCall], how: Fragments, calls_before: int = 0) -> list[CallDelta]:
    """The pieces of all calls of a choice, in the order of the stream; the arguments of each call join to its own."""
    rows = [_cut_call(call, index, calls_before + index, how) for index, call in enumerate(calls)]
    if how == "interleaved":
        return [piece for pieces in zip_longest(*rows) for piece in pieces if piece is not None]
    return [piece for row in rows for piece in row]


def _cut_call(call: ToolCall, index: int, number: int, how: Fragments) -> list[CallDelta]:
    if how == "one_chunk":
        return [CallDelta(index, call.arguments, call, number)]
    if how == "per_char":
        pieces = list(call.arguments)
    elif how == "split_escape":
        pieces = split_inside_escapes(call.arguments)
    else:
        pieces = split_tokens(call.arguments)
    repeat = call if how == "name_repeated" else None
    return [CallDelta(index, "", call, number), *[CallDelta(index, piece, None, number, repeat) for piece in pieces]]


def split_inside_escapes(arguments: str) -> list[str]:
    """Cut after the backslash of each escape of JSON, and in the middle of each `\\uXXXX`; else as tokens are cut."""
    cuts = {match.start() + (3 if match.end() - match.start() == 6 else 1) for match in _ESCAPE.finditer(arguments)}
    if not cuts:
        return split_tokens(arguments)
    borders = [0, *sorted(cuts), len(arguments)]
    return [arguments[start:end] for start, end in pairwise(borders) if start < end]
