"""Durations as people write them: `350ms`, `1m30s`, `1M`. Source: scenario-language.md, gateway-behaviour.md 4.3."""

from __future__ import annotations

import re
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from mockbifrost.vocabulary.node import refusal

UNITS_MS: Final = MappingProxyType(
    {
        "ms": 1,
        "s": 1_000,
        "m": 60_000,
        "h": 3_600_000,
        "d": 86_400_000,
        "w": 7 * 86_400_000,
        "M": 30 * 86_400_000,
        "Q": 90 * 86_400_000,
        "Y": 365 * 86_400_000,
    }
)
"""Milliseconds of each unit. A month is 30 days, a quarter 90, a year 365, as the gateway's limits count them."""

_PIECE: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)(ms|[smhdwMQY])")
_WHOLE: Final = re.compile(rf"(?:{_PIECE.pattern})+")
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_ZERO: Final = re.compile(r"0+(?:\.0+)?")
_KNOWN: Final = "write a number and a unit (ms, s, m, h, d, w, M, Q, Y), as in 350ms, 1.5s or 1m30s"


def parse_duration(text: str | int | float) -> float:
    """Seconds. Only zero may stand without a unit; pieces may follow one another, as in `1m30s`. Raises ValueError."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError(f"{text!r} is not a duration: {_KNOWN}")
    bare = text.strip() if isinstance(text, str) else f"{text!r}"
    if _ZERO.fullmatch(bare):
        return 0.0
    if _WHOLE.fullmatch(bare):
        return float(sum(Decimal(number) * UNITS_MS[unit] for number, unit in _PIECE.findall(bare)) / 1000)
    if bare.startswith("-"):
        raise ValueError(f"a duration can't be negative: {bare}")
    if _NUMBER.fullmatch(bare):
        raise ValueError(f"a duration needs a unit: write {bare}ms or {bare}s")
    raise ValueError(f"{bare!r} is not a duration: {_KNOWN}")


def format_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads back, to the millisecond: `0s`, `350ms`, `1m30s`, `1d`."""
    left_ms = round(seconds * 1000)
    pieces: list[str] = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, left_ms = divmod(left_ms, UNITS_MS[unit])
        if count:
            pieces.append(f"{count}{unit}")
    return "".join(pieces) or "0s"


_LONGEST_GO_S: Final = (2**63 - 1) // 10**9
"""A duration counts nanoseconds in 64 bits."""
_GO_NUMBER: Final = r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+"
_GO_PIECE: Final = re.compile(rf"({_GO_NUMBER})(ns|us|ms|s|m|h)")
_GO_WHOLE: Final = re.compile(rf"\+?(?:{_GO_PIECE.pattern})+")
_GO_SECONDS: Final = re.compile(r"\+?[0-9]{1,19}")
_GO_UNITS_S: Final = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def header_seconds(text: str) -> float | None:
    """Seconds of a header: a duration as Go writes it, else whole seconds; None for what is neither, or not above zero."""
    if _GO_SECONDS.fullmatch(text):
        seconds = float(text)
    elif _GO_WHOLE.fullmatch(text):
        seconds = sum([float(number) * _GO_UNITS_S[unit] for number, unit in _GO_PIECE.findall(text)])
    else:
        return None
    return seconds if 1e-9 <= seconds <= _LONGEST_GO_S else None


_SCHEMA: Final = {
    "anyOf": [
        {"type": "string", "pattern": rf"^\s*(?:(?:{_PIECE.pattern})+|{_ZERO.pattern})\s*$"},
        {"const": 0},
    ]
}


def _read(value: object) -> object:
    try:
        return parse_duration(value)  # type: ignore[arg-type]  # it refuses what is neither text nor number
    except ValueError as error:
        raise refusal(str(error)) from None


Duration = Annotated[float, BeforeValidator(_read), WithJsonSchema(_SCHEMA)]
"""Seconds in a model, a duration in the file."""
