"""Which stubs can match at all: the work for a request must not grow with their number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from mockbifrost.match.conversation import Conversation
from mockbifrost.match.expectation import Key

_TEXTS: Final[dict[str, Callable[[Conversation], str | None]]] = {
    "user": lambda conversation: conversation.user,
    "task": lambda conversation: conversation.task,
    "system": lambda conversation: conversation.system,
}
INDEXED: Final = frozenset(_TEXTS)
"""The fields of `when` whose texts are indexed."""
FEW: Final = 4
"""So many stubs are compared one by one: no index is faster."""


class _Automaton(Protocol):
    def find_matches_as_indexes(self, haystack: str, overlapping: bool) -> list[tuple[int, int, int]]: ...


class Index:
    """The numbers of the expectations that can hold, in order: those without a key, and those whose literal occurs."""

    def __init__(self, keys: Sequence[Key | None]) -> None:
        self._all = range(len(keys))
        self._always = [number for number, key in enumerate(keys) if key is None]
        self._fields: list[tuple[Callable[[Conversation], str | None], _Automaton, list[list[int]]]] = []
        if len(keys) > FEW:
            for field, reads in _TEXTS.items():
                groups: dict[str, list[int]] = {}
                for number, key in enumerate(keys):
                    if key is not None and key.field == field:
                        groups.setdefault(key.literal, []).append(number)
                if groups:
                    self._fields.append((reads, _automaton(list(groups)), list(groups.values())))

    def candidates(self, conversation: Conversation) -> Iterable[int]:
        """Numbers in ascending order, without any that can't hold for want of its literal."""
        if not self._fields:
            return self._all
        found: set[int] = set()
        for reads, automaton, groups in self._fields:
            text = reads(conversation)
            if text:
                for pattern, _start, _end in automaton.find_matches_as_indexes(text, overlapping=True):
                    found.update(groups[pattern])
        if not found:
            return self._always
        found.update(self._always)
        return sorted(found)


def _automaton(literals: list[str]) -> _Automaton:
    """One pass over a text finds all literals, however many they are."""
    from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

    automaton: _Automaton = AhoCorasick(
        literals, matchkind=MatchKind.Standard, implementation=Implementation.ContiguousNFA
    )
    return automaton
