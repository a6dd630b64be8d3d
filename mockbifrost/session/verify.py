"""Whether a session saw what it expected: requests that nothing answered, stubs that nothing used."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from mockbifrost.scenario.stubs import Stub
from mockbifrost.session.journal import Entry
from mockbifrost.session.session import Session

LISTED: Final = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, each with its explanation, and what is only worth a remark."""

    problems: tuple[str, ...]
    remarks: tuple[str, ...]

    def text(self) -> str:
        """All problems, then the remarks."""
        return "\n\n".join([*self.problems, *self.remarks])


def verify(session: Session, own: Collection[str] = ()) -> Verdict:
    """Judge a session. `own` are the ids of stubs that a test added itself and that must therefore be used."""
    problems = [_unanswered(entry) for entry in session.journal if entry.error is not None]
    if session.journal.dropped_errors:
        problems.append(f"{session.journal.dropped_errors} more were not answered either and have left the journal.")
    idle: list[str] = []
    uses = session.uses()
    for stub in session.stubs:
        used = uses[stub.id]
        problem = _unused(stub, used, stub.id in own)
        if problem:
            problems.append(problem)
        elif not used:
            idle.append(stub.ref.label)
    more = f" and {len(idle) - LISTED} more" if len(idle) > LISTED else ""
    remarks = [f"Not used: {', '.join(idle[:LISTED])}{more}."] if idle else []
    unplayed = [recording.ref.label for recording in session.providers.unplayed(session.counters.counts)]
    if unplayed:
        more = f" and {len(unplayed) - LISTED} more" if len(unplayed) > LISTED else ""
        remarks.append(f"Not played: {', '.join(unplayed[:LISTED])}{more}.")
    return Verdict(tuple(problems), tuple(remarks))


def _unanswered(entry: Entry) -> str:
    message = entry.outcome.message if entry.outcome is not None and entry.outcome.message else entry.error
    return f"Request {entry.number} ({entry.method} {entry.path}) was not answered by any script:\n{message}"


def _unused(stub: Stub, used: int, own: bool) -> str:
    where = f"Stub {stub.ref.label!r} ({stub.ref.place})"
    if stub.required is not True and stub.required is not False:
        if used != stub.required:
            return (
                f"{where} was used {used} times, {stub.required} were required.\n"
                "  do: check what the code under test asks, or change `required`"
            )
        return ""
    if used or not (own or stub.required):
        return ""
    return (
        f"{where} was never used.\n"
        "  do: remove it, or check why no request reached it (`when` may not fit what was sent)"
    )
