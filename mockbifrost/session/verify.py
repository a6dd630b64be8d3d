"""Whether a session saw what it expected: requests that nothing answered, responses still open, stubs that nothing used, cut streams."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mockbifrost.clock import Deadline
from mockbifrost.match.expectation import Mismatch
from mockbifrost.scenario.stubs import Stub
from mockbifrost.session.asked import conversation_of, entry_differences, said
from mockbifrost.session.cut_streams import cut_streams
from mockbifrost.session.journal import Entry, Journal
from mockbifrost.session.session import Session
from mockbifrost.wire.redact import redact_text

LISTED: Final = 10
PATIENCE_S: Final = 1.0
_MEND: Final = "  do: mend its `when`, or check what the code under test sends, or remove the stub"
LOOKED_AT: Final = 200
"""Among so many of the latest requests the one is looked for that came nearest to a stub that nothing used."""


@dataclass(frozen=True, slots=True)
class Checks:
    """What is a problem: requests that nothing answered, stubs that had to be used, recordings that were not played, responses that are
    open after `patience_s` real seconds, and (`conduct`) streams that were cut and not asked for again.

    A cut stream whose beginning the client sent on as the whole answer is a problem in any case.
    """

    unmatched: bool = True
    unused: bool = True
    unplayed: bool = False
    open: bool = True
    conduct: bool = False
    patience_s: float = PATIENCE_S


ALL_BUT_CONDUCT: Final = Checks()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, each with its explanation, and what is only worth a remark."""

    problems: tuple[str, ...]
    remarks: tuple[str, ...]

    def text(self) -> str:
        """All problems, then the remarks."""
        return "\n\n".join([*self.problems, *self.remarks])


async def settled(journal: Journal, patience_s: float = PATIENCE_S) -> None:
    """Wait until no response is on its way any more, or so many real seconds have passed. For whoever runs on the server's loop."""
    import asyncio

    deadline = Deadline.after(patience_s)
    while journal.open and deadline.left_s:
        changed = asyncio.Event()
        journal.on_change(changed.set)
        try:
            async with asyncio.timeout(deadline.left_s):
                await changed.wait()
        except TimeoutError:
            return
        finally:
            journal.forget(changed.set)


def verify(session: Session, own: Collection[str] = (), checks: Checks = ALL_BUT_CONDUCT) -> Verdict:
    """Judge a session as it is now. `own` are the ids of stubs that a test added itself and that must therefore be used.

    The problems of requests come in the order of the requests, then those of stubs and recordings. Whoever wants to wait for open responses
    does so before.
    """
    happened = [*_requests(session, checks)]
    told, suspected = cut_streams(session.journal)
    happened += told
    remarks: list[str] = []
    if checks.conduct:
        happened += suspected
    else:
        remarks += [text.partition("\n")[0] for _number, text in suspected[:LISTED]]
    problems = [text for _number, text in sorted(happened, key=lambda pair: pair[0])]
    if checks.unmatched and session.journal.dropped_errors:
        problems.append(f"{session.journal.dropped_errors} more were not answered either and have left the journal.")
    idle: list[str] = []
    uses = session.uses()
    for stub in (*session.stubs.own.added, *session.stubs.files.added):
        used = uses[stub.id]
        problem = _unused(session, stub, used, stub.id in own, checks) if checks.unused else ""
        if problem:
            problems.append(problem)
        elif not used:
            idle.append(stub.ref.label)
    if idle:
        remarks.append(f"Not used: {_listed(idle)}.")
    unplayed = [recording.ref.label for recording in session.providers.unplayed(session.counters.counts)]
    if unplayed and checks.unplayed:
        problems.append(_unplayed(unplayed))
    elif unplayed:
        remarks.append(f"Not played: {_listed(unplayed)}.")
    return Verdict(tuple([redact_text(problem) for problem in problems]), tuple(remarks))


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - LISTED} more" if len(labels) > LISTED else ""
    return ", ".join(labels[:LISTED]) + more


def _requests(session: Session, checks: Checks) -> Iterator[tuple[int, str]]:
    """What is wrong with requests, each with its number."""
    for entry in session.journal:
        if entry.error is not None:
            if checks.unmatched:
                yield entry.number, _unanswered(entry)
        elif entry.played is None and checks.open:
            yield entry.number, _open(entry)


def _unanswered(entry: Entry) -> str:
    message = entry.outcome.message if entry.outcome is not None and entry.outcome.message else entry.error
    note = f"the client got status {entry.status}; if the code under test went on, it has swallowed that"
    if 0 < entry.status < 400:
        note = "the server is lenient and made an answer up"
    return f"Request {entry.number} ({entry.method} {entry.path}) was not answered by any script:\n{message}\n  note: {note}"


def _open(entry: Entry) -> str:
    stub = entry.outcome.stub if entry.outcome is not None else None
    who = f"by {stub.label!r} ({stub.place})" if stub is not None else "by nothing yet"
    return (
        f"Request {entry.number} ({said(conversation_of(entry.body))}) is still being answered, {who}.\n"
        "  do: read the stream to its end, close it, or cancel the call before the test ends"
    )


def _unplayed(labels: Sequence[str]) -> str:
    count = f"{len(labels)} recording was" if len(labels) == 1 else f"{len(labels)} recordings were"
    return (
        f"{count} not played: {_listed(labels)}.\n"
        "  do: remove what the test does not ask for any more, or record it again, or check why it was not asked for"
    )


def _unused(session: Session, stub: Stub, used: int, own: bool, checks: Checks) -> str:
    where = f"Stub {stub.ref.label!r} ({stub.ref.place})" if stub.ref.name else f"Stub {stub.ref.place!r}"
    if stub.required is not True and stub.required is not False:
        if used != stub.required:
            return (
                f"{where} was used {used} times, {stub.required} were required.\n"
                "  do: check what the code under test asks, or change `required`"
            )
        return ""
    if used or not (own or stub.required):
        return ""
    return f"{where} was never used.\n{_why(session, stub, checks)}"


def _why(session: Session, stub: Stub, checks: Checks) -> str:
    """The request that came nearest to a stub that nothing used, and what to do."""
    nearest = _nearest(session, stub)
    if nearest is None:
        return "  nearest: no request came\n  do: check why the code under test asked for nothing, or remove the stub"
    entry, mismatches = nearest
    if checks.unmatched and any(
        (near.source, near.line) == (stub.ref.source, stub.ref.line) for near in entry.near_misses
    ):
        return f"  nearest: request {entry.number}, as told above\n{_MEND}"
    request = f"request {entry.number} ({said(conversation_of(entry.body))})"
    answering = entry.outcome.stub if entry.outcome is not None else None
    if not mismatches:
        who = f"{answering.label!r} ({answering.place}) answered it" if answering is not None else "it was not asked"
        return (
            f"  nearest: {request} fits it, but {who}\n"
            "  do: put this stub before the other one, narrow the other one's `when`, or remove this stub"
        )
    count = len(stub.expectation.checks)
    lines = [f"  nearest: {request}, {len(mismatches)} of {count} fields differ:"]
    lines += [f"    {mismatch}" for mismatch in mismatches]
    return "\n".join([*lines, _MEND])


def _nearest(session: Session, stub: Stub) -> tuple[Entry, tuple[Mismatch, ...]] | None:
    found: tuple[float, Entry, tuple[Mismatch, ...]] | None = None
    for entry in [*session.journal][-LOOKED_AT:]:
        mismatches = entry_differences(stub.expectation, entry)
        if mismatches is None:
            continue
        far = sum([0.2 if one.note else 1.0 - one.near / 2 for one in mismatches])
        if found is None or far < found[0]:
            found = (far, entry, mismatches)
    return found[1:] if found is not None else None
