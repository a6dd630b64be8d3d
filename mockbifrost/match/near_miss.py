"""What came nearest when nothing answered, in words that let a stranger mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from mockbifrost.match.attempt import Attempt
from mockbifrost.match.compare import message_in_words
from mockbifrost.match.expectation import Mismatch

NEAREST: Final = 3
RECORD: Final = "mockbifrost record --upstream URL --cassette FILE"


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A stub that did not answer: the fields that differ, or why it stepped aside although all fit."""

    name: str | None
    source: str
    line: int
    fields: int
    mismatches: tuple[Mismatch, ...]
    reason: str = ""

    @property
    def label(self) -> str:
        """Name and place."""
        place = f"{self.source}:{self.line}" if self.line else self.source
        return f'"{self.name}" ({place})' if self.name else place

    def to_json(self) -> dict[str, Any]:
        """As the control API shows it."""
        found: dict[str, Any] = {"stub": {"file": self.source, "line": self.line}}
        if self.name:
            found["stub"]["name"] = self.name
        if self.mismatches:
            found["mismatches"] = [{"field": one.field, "want": one.want, "got": one.got} for one in self.mismatches]
        if self.reason:
            found["reason"] = self.reason
        return found


def nearest(misses: Sequence[NearMiss], most: int = NEAREST) -> tuple[NearMiss, ...]:
    """The nearest first: those that fit and stepped aside, then those with the fewest and smallest differences."""
    return tuple(sorted(misses, key=_distance)[:most])


def _distance(miss: NearMiss) -> tuple[float, int]:
    differences = sum([0.2 if one.note else 1.0 - one.near / 2 for one in miss.mismatches])
    return differences, -(miss.fields - len(miss.mismatches))


def in_words(attempt: Attempt, misses: Sequence[NearMiss], stubs: int, template: str, recordings: int = 0) -> str:
    """The whole text of a miss: what came in, what was nearest and why it did not answer, and a stub to paste."""
    total = stubs + recordings
    what = "stub or recording" if stubs and recordings else "recording" if recordings else "stub"
    conversation = attempt.conversation
    asked = attempt.request.model or "no model"
    kind = "stream" if attempt.stream else "plain"
    lines = [
        f'No {what} answers this request (model "{asked}", {kind}, turn {conversation.turn}, {message_in_words(conversation.last)}).'
    ]
    kinds = "stubs and recordings" if stubs and recordings else what + "s"
    if not total:
        lines.append("  nearest: there are no stubs at all")
    for number, miss in enumerate(misses):
        word = "nearest" if number == 0 else "also"
        if miss.reason:
            lines.append(f"  {word}: {miss.label} matches but {miss.reason}")
            continue
        lines.append(f"  {word}: {miss.label}, {len(miss.mismatches)} of {miss.fields} fields differ:")
        lines += [f"    {mismatch}" for mismatch in miss.mismatches]
    if total > len(misses):
        lines.append(f"  ({total - len(misses)} more of {total} {kinds} are further away)")
    lines.append(f"  do: {_advice(misses, recordings)}:")
    lines += ["    " + line for line in template.splitlines()]
    return "\n".join(lines)


def _advice(misses: Sequence[NearMiss], recordings: int) -> str:
    """What to do about a miss, before the stub to paste."""
    if recordings:
        return f"record it with `{RECORD}`, or add this stub"
    if not misses:
        return "add this stub"
    if "times" in misses[0].reason:
        return "raise `times` if the further call is meant, else find out why it is made; or add this stub"
    if misses[0].reason:
        return "let the nearest stub answer now, or add this one"
    return "mend the nearest stub, or add this one"
