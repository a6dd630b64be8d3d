"""Everything drawn, from blake2b over a key: the only source of randomness.

A draw depends on what is asked (seed, purpose, fingerprint, occurrence, provider, try), never on the order in which requests arrive, and
never on `random`'s helpers, whose results differ between Python versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final, TypeVar

from mockbifrost.values import value

T = TypeVar("T")
ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TABLE: Final = bytes(ord(ALPHABET[value % 62]) for value in range(256))


def digest(*parts: object, size: int = 16) -> bytes:
    """`size` bytes (at most 64) that depend on all parts and on their borders."""
    return blake2b(
        "\x1f".join([str(part) for part in parts]).encode("utf-8", "surrogatepass"), digest_size=size
    ).digest()


@value
class Draws:
    """All that may be drawn for one attempt. The same key and purpose give the same value, in every process and version."""

    seed: int
    fingerprint: bytes
    occurrence: int = 0
    provider: str = ""
    attempt: int = 0

    def _digest(self, purpose: str, size: int) -> bytes:
        key = f"{self.seed}\x1f{purpose}\x1f{self.occurrence}\x1f{self.provider}\x1f{self.attempt}\x1f".encode(
            "utf-8", "surrogatepass"
        )
        return blake2b(key + self.fingerprint, digest_size=size).digest()

    def token(self, purpose: str, length: int = 24) -> str:
        """`length` (at most 64) letters and digits, as in the ids of providers."""
        return self._digest(purpose, length).translate(_TABLE).decode("ascii")

    def hexadecimal(self, purpose: str, length: int = 32) -> str:
        """`length` (at most 128) lower-case hexadecimal digits."""
        return self._digest(purpose, (length + 1) // 2).hex()[:length]

    def uuid(self, purpose: str) -> str:
        """A UUID in the form of version 4."""
        raw = self._digest(purpose, 16).hex()
        return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-{'89ab'[int(raw[16], 16) % 4]}{raw[17:20]}-{raw[20:]}"

    def unit(self, purpose: str) -> float:
        """A number in [0, 1), uniform, with 53 bits."""
        return (int.from_bytes(self._digest(purpose, 8), "big") >> 11) / (1 << 53)

    def units(self, purpose: str) -> Iterator[float]:
        """An endless row of numbers in [0, 1)."""
        block = 0
        while True:
            raw = self._digest(f"{purpose}\x1f{block}", 64)
            for start in range(0, 64, 8):
                yield (int.from_bytes(raw[start : start + 8], "big") >> 11) / (1 << 53)
            block += 1

    def integer(self, purpose: str, low: int, high: int) -> int:
        """A whole number in [low, high], both included."""
        return low + int.from_bytes(self._digest(purpose, 16), "big") % (high - low + 1)

    def choice(self, purpose: str, among: Sequence[T]) -> T:
        """One of a row that is not empty."""
        return among[self.integer(purpose, 0, len(among) - 1)]
