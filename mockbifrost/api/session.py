"""The session of one test: stubs of its own, a clock, a journal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from mockbifrost.api import assertions
from mockbifrost.api.link import Entries, Link
from mockbifrost.api.request import Call, Place, Request, calls_of
from mockbifrost.api.snapshot import Snapshot
from mockbifrost.api.when import When
from mockbifrost.clock import CLOCK_MODES, LONGEST_S, ClockMode, Deadline
from mockbifrost.errors import SessionFinishedError, UsageError, VerificationError
from mockbifrost.gateway.ledger import Row
from mockbifrost.scenario.load import defaults_from_mapping
from mockbifrost.serve.addresses import BASE
from mockbifrost.session.registry import LateRequest
from mockbifrost.session.session import StubState
from mockbifrost.session.verify import PATIENCE_S, Checks
from mockbifrost.vocabulary.durations import parse_duration

if TYPE_CHECKING:  # what annotations name is not needed at run time
    from typing import Unpack

    from mockbifrost.api.words import DefaultsDict, GatewayDict, ScenarioDict, Sought, WhenDict

SLICE_S: Final = 0.25
"""A thread that waits for async code is done after so many seconds at the latest, whatever becomes of that code."""
NO_JOURNAL: Final = "the session's journal is empty: no request has come in yet"


class Session:
    """One test's view of the server: stubs of its own, a clock, a journal.

    Usable from sync and async tests alike, on any event loop, from several threads at once: each call is short and waits for no request.
    """

    def __init__(self, link: Link) -> None:
        self._reached = link
        self._own: set[str] = set()
        self._pending: dict[str, When] = {}
        self._defaults: Mapping[str, object] = {}
        self._numbers = count(1)
        self._restoring: dict[int, Callable[[], None]] = {}
        self._finished = False
        self.clock = SessionClock(self)

    @property
    def _link(self) -> Link:
        if self._finished:
            raise SessionFinishedError(f"session {self.id!r} is finished; use the session of the running test")
        return self._reached

    @property
    def id(self) -> str:
        """The id, as it stands in the path."""
        return self._reached.id

    @property
    def base_url(self) -> str:
        """What a client is given: nothing else is needed to be alone in this session."""
        return self.url + BASE

    @property
    def url(self) -> str:
        """The same without the path of the endpoint."""
        return self._reached.url

    @property
    def api_key(self) -> str:
        """A key that also leads to this session, for clients whose base URL can't be set."""
        return f"mb-{self.id}"

    def when(self, **expected: Unpack[WhenDict]) -> When:
        """A new stub: the keys of `when` in the scenario language. Say next what it does: `.reply(…)`, `.error(…)`, …"""
        frame = sys._getframe(1)
        id = f"own#{next(self._numbers)}"
        when = When(self._put, id, expected, frame.f_code.co_filename, frame.f_lineno, self._defaults)
        self._pending[when.id] = when
        return when

    def defaults(self, **defaults: Unpack[DefaultsDict]) -> None:
        """What holds for stubs that are begun with `when(…)` from here on and don't say otherwise: `pace`, `model`.

        What an earlier call said of other keys stays. Raises ScenarioError.
        """
        frame = sys._getframe(1)
        laid = {**self._defaults, **defaults}
        defaults_from_mapping(laid, frame.f_code.co_filename, frame.f_lineno)
        self._defaults = laid

    def configure(self, **settings: Unpack[GatewayDict]) -> None:
        """Lay settings of the gateway over the session's: the keys of `gateway` in a scenario. Raises ScenarioError.

        Each key that is given takes the place of the one that was there, with all that is in it.
        """
        frame = sys._getframe(1)
        self._link.load({"version": 1, "gateway": settings}, frame.f_code.co_filename, frame.f_lineno)

    def load(self, scenario: str | Path | ScenarioDict | Mapping[str, object]) -> None:
        """Add the stubs of a file or folder, of a text of YAML, or of a mapping, in front of the server's.

        The recordings of a cassette are asked after all stubs, before those that were there. A scenario's `gateway` settings override the
        server's in this session. Raises ScenarioError or CassetteError, and nothing is added.
        """
        frame = sys._getframe(1)
        self._link.load(scenario, frame.f_code.co_filename, frame.f_lineno)

    @property
    def stubs(self) -> tuple[StubState, ...]:
        """All stubs with how often they answered: those added here, then those of the server's files."""
        return tuple(self._link.stubs())

    def clear_stubs(self) -> int:
        """Remove the stubs that were added to this session, and say how many; those of the server's files stay.

        Settings of the gateway that were loaded with them stay, too.
        """
        removed = self._link.clear_stubs()
        self._own.clear()
        self._pending.clear()
        return removed

    @property
    def requests(self) -> tuple[Request, ...]:
        """All requests so far, oldest first."""
        return tuple([Request.of(entry) for entry in self._link.journal()])

    @property
    def calls(self) -> tuple[Call, ...]:
        """The requests, grouped into what the application asked for."""
        return calls_of(self.requests)

    @property
    def last(self) -> Request:
        """The latest request. Raises UsageError where there is none."""
        requests = self.requests
        if not requests:
            raise UsageError(NO_JOURNAL)
        return requests[-1]

    @property
    def ledger(self) -> tuple[Row, ...]:
        """What was charged, by virtual key, provider and model."""
        return tuple(self._link.ledger())

    @property
    def unplayed(self) -> tuple[Place, ...]:
        """The recordings that nothing was answered from so far, those of the server's files too."""
        return tuple(self._link.unplayed())

    def gate(self, name: str) -> Gate:
        """A gate that stubs wait for with `active: {gate: NAME}`; closed at first."""
        return Gate(self, name)

    def reset(self) -> None:
        """Forget what was counted, noted and cached; the stubs stay."""
        self._link.reset()

    def snapshot(self) -> Snapshot:
        """Remember the session as it is: all that its next answers depend on. Raises UsageError where 100 are remembered already."""
        snapshot = Snapshot.of(self._link.snapshot())
        own, pending, defaults = set(self._own), dict(self._pending), self._defaults
        stubs = [when.saved() for when in pending.values()]

        def restore() -> None:
            self._own, self._pending, self._defaults = set(own), dict(pending), defaults
            for saved in stubs:
                saved()

        self._restoring[snapshot.number] = restore
        return snapshot

    def rollback(self, snapshot: Snapshot) -> None:
        """Put the session back to a snapshot: whatever happened since, the next answers are those that came after it.

        Stubs that were added, settings, what was counted, charged and cached, the clock and the gates are as they were; entries of the
        journal that came later are cut, and later snapshots forgotten. Entries that a reset() has cleared since do not come back, and a
        request that is open counts for nothing any more.
        Raises UsageError where the snapshot was forgotten, or is another session's.
        """
        self._roll_back(snapshot, forget=False)

    @contextmanager
    def rolled_back(self) -> Iterator[Self]:
        """A block after which the session is what it was before. What was asked inside is verified only by a `verify()` inside."""
        snapshot = self.snapshot()
        try:
            yield self
        finally:
            if not self._finished:
                self._roll_back(snapshot, forget=True)

    def _roll_back(self, snapshot: Snapshot, *, forget: bool) -> None:
        if snapshot.session != self.id:
            raise UsageError(
                f"the snapshot is of the session {snapshot.session!r}, and this is {self.id!r}; take one with snapshot() here"
            )
        self._link.rollback(snapshot.number, forget=forget)
        restore = self._restoring.get(snapshot.number)
        if restore is not None:  # else it was taken by another view of the same session, which had stubs of its own
            restore()
        self._restoring = {
            number: restore for number, restore in self._restoring.items() if number < snapshot.number + (not forget)
        }

    def verify(
        self,
        *,
        unused: bool = True,
        unmatched: bool = True,
        unplayed: bool = False,
        open: bool = True,
        conduct: bool = False,
    ) -> None:
        """Raises VerificationError for all that is wrong, in the order in which it happened; each argument False leaves something out.

        `unmatched`: requests that nothing answered. `unused`: stubs of this session that nothing used, and `required` ones that
        were not used so often. `open`: responses still on their way; up to a second of real time is waited for them. `unplayed`:
        recordings that nothing played. `conduct`: streams that were cut and that nothing asked for again. That the client went on
        with a part of a cut stream as if it were the whole answer is wrong in any case.
        """
        __tracebackhide__ = True
        unfinished = [when for when in tuple(self._pending.values()) if not when.complete]
        if unfinished:
            first = unfinished[0]
            raise UsageError(
                f"the stub at {first.place} does nothing: say `.reply(…)`, `.error(…)` or `.sequence(…)` after when(…)"
            )
        verdict = self._link.verify(self._own, Checks(unmatched, unused, unplayed, open, conduct))
        if verdict.problems:
            raise VerificationError(verdict.text())

    def finish(self) -> None:
        """End the session: later requests for it are refused. Safe to call twice."""
        if not self._finished:
            self._finished = True
            self._reached.finish()

    # -------------------------------------------------------------------------------------------------------- assertions

    def find(self, **wanted: Unpack[Sought]) -> tuple[Request, ...]:
        """The requests that fit, oldest first: by the keys of `when`, and by `status`, `streamed` and `error`."""
        return assertions.find(self.requests, _search(wanted))

    def assert_called(self, times: int | None = None, *, requests: bool = False, **wanted: Unpack[Sought]) -> None:
        """At least one call fits, or exactly so many. A client's retries belong to its call; `requests=True` counts each of them.

        Raises VerificationError, an AssertionError that shows what came, as all assertions of a session do.
        """
        __tracebackhide__ = True
        assertions.assert_called(self.requests, _search(wanted), times, each=requests)

    def assert_not_called(self, **wanted: Unpack[Sought]) -> None:
        """No request fits."""
        __tracebackhide__ = True
        assertions.assert_not_called(self.requests, _search(wanted))

    def assert_order(self, *wanted: Sought, strict: bool = False) -> None:
        """Calls that fit came in this order, others may lie between; `strict=True`: and there were no others."""
        __tracebackhide__ = True
        assertions.assert_order(self.requests, [_search(one) for one in wanted], strict=strict)

    def assert_cancelled(self, **wanted: Unpack[Sought]) -> None:
        """A request that fits was left by its client before its end; up to a second of real time is waited for that."""
        __tracebackhide__ = True
        search = _search(wanted)

        def decided(entries: Entries) -> bool | None:
            found = assertions.find(_requests(entries), search)
            cancelled = any(request.client_closed_at_chunk is not None for request in found)
            return None if not cancelled and any(request.open for request in found) else cancelled

        self._link.watch(decided, PATIENCE_S)
        assertions.assert_cancelled(self.requests, search)

    def wait_for(
        self, count: int = 1, timeout: str | float = "5s", *, started: bool = False, **wanted: Unpack[Sought]
    ) -> Request:
        """Wait until so many requests that fit have ended, and give the last of them; `started=True`: until they have come.

        `timeout` is real time, a duration or seconds. Raises VerificationError when it is over, UsageError for a timeout that is none.
        """
        __tracebackhide__ = True
        waiting = _Waiting(_search(wanted), count, _seconds("wait_for", timeout), started)
        return waiting.end(self._link.watch(waiting.enough, waiting.timeout_s), self)

    async def wait_for_async(
        self,
        count: int = 1,
        timeout: str | float = "5s",  # noqa: ASYNC109 - as in sync code
        *,
        started: bool = False,
        **wanted: Unpack[Sought],
    ) -> Request:
        """The same in async code, on any event loop that anyio knows; other tasks go on."""
        __tracebackhide__ = True
        from anyio.to_thread import run_sync

        waiting = _Waiting(_search(wanted), count, _seconds("wait_for_async", timeout), started)
        deadline = Deadline.after(waiting.timeout_s)
        link, found = self._link, None
        while found is None and (part_s := min(deadline.left_s, SLICE_S)):
            found = await run_sync(link.watch, waiting.enough, part_s, abandon_on_cancel=True)
        return waiting.end(found, self)

    @property
    def late(self) -> tuple[LateRequest, ...]:
        """The requests that came after the session was finished, and were refused: the latest 20, oldest first."""
        return tuple(self._reached.late())

    def _put(self, when: When) -> None:
        """(Re)compile a stub of this session and put it into its place. Raises UsageError where it was removed."""
        if when.id not in self._pending:
            raise UsageError(
                f"the stub at {when.place} was removed by clear_stubs() or a rollback; say when(…) again for a new one"
            )
        self._link.put(when.id, when.mapping(), when.source, when.line, when.defaults)
        if when.needed:
            self._own.add(when.id)
        else:
            self._own.discard(when.id)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What somebody waits for."""

    search: assertions.Search
    count: int
    timeout_s: float
    started: bool

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"wait_for: there is nothing to wait for with count={self.count}; 1 is the least")

    def enough(self, entries: Entries) -> Request | None:
        """The request, once it is there."""
        return assertions.ended(_requests(entries), self.search, self.count, started=self.started)

    def end(self, found: Request | None, session: Session) -> Request:
        """The request; raises VerificationError where it did not come."""
        __tracebackhide__ = True
        if found is None:
            requests = session.requests
            assertions.fail_waiting(requests, self.search, self.count, self.timeout_s, started=self.started)
        return found


def _requests(entries: Entries) -> tuple[Request, ...]:
    return tuple([Request.of(entry) for entry in entries])


def _search(wanted: Mapping[str, object]) -> assertions.Search:
    """What the caller of a session's method seeks."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    return assertions.search_of(wanted, frame.f_code.co_filename, frame.f_lineno)


def _seconds(what: str, duration: str | float) -> float:
    """A duration or a number of seconds. Raises UsageError."""
    try:
        number = isinstance(duration, (int, float)) and not isinstance(duration, bool)
        return float(duration) if number else parse_duration(duration)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{what}: {error}") from None


class SessionClock:
    """The clock of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def advance(self, duration: str | float) -> None:
        """Move it forward: `"5m"`, or seconds. Raises UsageError for what is no duration."""
        seconds = _seconds("clock.advance", duration)
        if not 0 <= seconds <= LONGEST_S:
            raise UsageError(
                f"clock.advance: time can't be moved by {duration!r} seconds: only forward, and by years at most"
            )
        self._session._link.advance(seconds)

    @property
    def mode(self) -> ClockMode:
        """`fixed` moves only by `advance`, `flow` also lets real seconds pass, `real` is wall time. It may be set."""
        return self._session._link.clock()[0]

    @mode.setter
    def mode(self, mode: ClockMode) -> None:
        if mode not in CLOCK_MODES:
            raise UsageError(f"clock.mode: {mode!r} is no mode of the clock; fixed, flow and real are")
        self._session._link.set_mode(mode)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the session began, on its clock."""
        return self._session._link.clock()[1]


class Gate:
    """A gate of a session."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name

    def open(self) -> None:
        """Let the stubs behind it answer."""
        self._session._link.set_gate(self._name, True)

    def close(self) -> None:
        """Let them step aside again."""
        self._session._link.set_gate(self._name, False)
