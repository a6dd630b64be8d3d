"""Bytes that are encoded once, with holes for what varies from one answer to the next: ids, times, token counts.

A hole is written as bytes that no UTF-8 text holds, so nothing that a user or a scenario says can be taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import orjson

_HOLE: Final = re.compile(rb"\xff([0-9a-f]{4})\xff")


class Slot(IntEnum):
    """What a hole stands for. Ids of drawn tool calls follow from `CALL` on, in the order of the calls."""

    ID = 0
    CREATED = 1
    PROMPT_TOKENS = 2
    TOTAL_TOKENS = 3
    FINGERPRINT = 4
    COST = 5
    CALL = 8


def hole(slot: int) -> orjson.Fragment:
    """A place in a JSON value that is filled in later with JSON bytes."""
    return orjson.Fragment(b"\xff%04x\xff" % slot)


@dataclass(frozen=True, slots=True)
class Mold:
    """Literal bytes and, between each two of them, the number of a hole."""

    literals: tuple[bytes, ...]
    slots: tuple[int, ...]

    @classmethod
    def of(cls, encoded: bytes) -> Mold:
        """Take encoded JSON apart at its holes."""
        parts = _HOLE.split(encoded)
        return cls(tuple(parts[::2]), tuple([int(slot, 16) for slot in parts[1::2]]))

    @classmethod
    def joined(cls, molds: Iterable[Mold]) -> Mold:
        """One mold for all, in order."""
        literals: list[bytes] = [b""]
        slots: list[int] = []
        for mold in molds:
            literals[-1] += mold.literals[0]
            literals.extend(mold.literals[1:])
            slots.extend(mold.slots)
        return cls(tuple(literals), tuple(slots))

    def fill(self, values: Sequence[bytes]) -> bytes:
        """The bytes with `values[slot]` in each hole."""
        slots = self.slots
        if not slots:
            return self.literals[0]
        parts: list[bytes] = [b""] * (2 * len(slots) + 1)
        parts[::2] = self.literals
        parts[1::2] = [values[slot] for slot in slots]
        return b"".join(parts)
