"""Counters as one request sees them: what was counted before, and what the request adds. Nothing takes effect until it is applied."""

from __future__ import annotations

from collections.abc import Mapping

from mockbifrost.values import value


@value
class Use:
    """One use of a stub: how many attempts had reached it before, and how many steps had been taken."""

    reached: int
    place: int


class Tally:
    """A view of counters, gates and of what the call has spent, with changes of its own.

    A call that was answered by a stub keeps that use, so that a retry of the call gets the same answer.
    """

    __slots__ = ("_base", "_spent", "added", "gates", "spent")

    def __init__(self, base: Mapping[str, int], spent: Mapping[str, Use], gates: Mapping[str, bool]) -> None:
        self._base = base
        self._spent = spent
        self.gates = gates
        self.added: dict[str, int] = {}
        self.spent: dict[str, Use] = {}

    def count(self, key: str) -> int:
        """How often, so far."""
        return self._base.get(key, 0) + self.added.get(key, 0)

    def add(self, key: str) -> None:
        """Once more."""
        self.added[key] = self.added.get(key, 0) + 1

    def use_of(self, stub: str) -> Use | None:
        """The use that this call has spent on the stub."""
        return self.spent.get(stub) or self._spent.get(stub)

    def spend(self, stub: str, use: Use) -> None:
        """The call keeps this use."""
        self.spent[stub] = use

    def fork(self) -> Tally:
        """The same view; its changes are adopted or forgotten."""
        other = Tally(self._base, self._spent, self.gates)
        other.added = dict(self.added)
        other.spent = dict(self.spent)
        return other

    def adopt(self, other: Tally) -> None:
        """Take over the changes of a fork."""
        self.added = other.added
        self.spent = other.spent
