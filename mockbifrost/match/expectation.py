"""An expectation: the fields of `when`, compiled. The predicate that matches is the one that explains."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from mockbifrost.match.attempt import Attempt


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One field that differs: what was wanted, what was there, and a remark where one helps. `near` says how near, from 0 to 1."""

    field: str
    want: str
    got: str
    note: str = ""
    near: float = 0.0

    def __str__(self) -> str:
        return f"{self.field}  wanted {self.want}  got {self.got}" + (f"  ({self.note})" if self.note else "")


Check: TypeAlias = Callable[[Attempt], "Mismatch | None"]


@dataclass(frozen=True, slots=True)
class Key:
    """What the index goes by: a text that must occur in this text of the conversation for the expectation to hold."""

    field: str
    literal: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """All that must hold, each as its own check. No checks: always."""

    checks: tuple[Check, ...] = ()
    key: Key | None = None

    def holds(self, attempt: Attempt) -> bool:
        """Whether nothing differs."""
        for check in self.checks:  # noqa: SIM110 - a plain loop is twice as fast, and this is the way of every request
            if check(attempt) is not None:
                return False
        return True

    def mismatches(self, attempt: Attempt) -> tuple[Mismatch, ...]:
        """Every field that differs, in the order of the fields; empty means match."""
        return tuple(_found(check(attempt) for check in self.checks))


def _found(results: Iterable[Mismatch | None]) -> Iterable[Mismatch]:
    return (result for result in results if result is not None)
