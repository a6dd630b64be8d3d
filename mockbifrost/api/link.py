"""How a session is reached: in this process, or elsewhere over the control API."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from mockbifrost.api.loading import Given, read_one
from mockbifrost.api.request import Place
from mockbifrost.cassette.recordings import Matching, Recordings
from mockbifrost.clock import ClockMode, Deadline
from mockbifrost.gateway.ledger import Row
from mockbifrost.scenario.compile import NO_DEFAULTS, compile_stub
from mockbifrost.scenario.load import defaults_from_mapping, stub_from_mapping
from mockbifrost.session.loading import load
from mockbifrost.session.registry import LateRequest
from mockbifrost.session.replaying import ReplayFiles
from mockbifrost.session.session import Session as SessionState
from mockbifrost.session.session import StubState
from mockbifrost.session.verify import ALL_BUT_CONDUCT, Checks, Verdict, verify

T = TypeVar("T")
S = TypeVar("S")
Entries = Sequence[Mapping[str, Any]]
"""Entries of the journal as the control API shows them."""


class Link(Protocol):
    """What can be asked of a session. All raise SessionFinishedError or UsageError where it is not there any more."""

    @property
    def id(self) -> str:
        """The session's id."""
        ...

    @property
    def url(self) -> str:
        """Its address: `http://host:port/s/ID`."""
        ...

    def put(
        self, id: str, stub: Mapping[str, object], source: str, line: int, defaults: Mapping[str, object] | None = None
    ) -> None:
        """Add a stub, or put it into the place of the one with that id; `defaults` as a scenario has them. Raises ScenarioError."""
        ...

    def load(self, given: Given, source: str, line: int) -> None:
        """Add a scenario's stubs and settings, or a cassette's recordings. Raises ScenarioError and CassetteError."""
        ...

    def stubs(self) -> Sequence[StubState]:
        """All stubs with how often they answered."""
        ...

    def clear_stubs(self) -> int:
        """Remove those that were added."""
        ...

    def journal(self) -> Entries:
        """All entries, oldest first, as the control API shows them."""
        ...

    def watch(self, enough: Callable[[Entries], T | None], timeout_s: float) -> T | None:
        """Show the journal to `enough`, and again when it has changed, until it finds something or so many real seconds have passed."""
        ...

    def ledger(self) -> Sequence[Row]:
        """What was charged."""
        ...

    def clock(self) -> tuple[ClockMode, float]:
        """The mode of the clock, and the seconds since the session began."""
        ...

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        ...

    def set_mode(self, mode: ClockMode) -> None:
        """Change the mode of the clock."""
        ...

    def set_gate(self, name: str, open_: bool) -> None:
        """Open or close a gate."""
        ...

    def reset(self) -> None:
        """Forget what was counted, noted and cached."""
        ...

    def snapshot(self) -> Mapping[str, Any]:
        """Remember all that answers depend on; what it says has `session` and `number`, and survives JSON."""
        ...

    def rollback(self, number: int, *, forget: bool = False) -> None:
        """Put it back to the snapshot of that number; with `forget` that one can't be rolled back to again."""
        ...

    def verify(self, own: Collection[str], checks: Checks = ALL_BUT_CONDUCT) -> Verdict:
        """What is wrong, once no response is open or patience is at its end; `own` are the ids of stubs that must have been used."""
        ...

    def late(self) -> Sequence[LateRequest]:
        """What came after the session was finished."""
        ...

    def unplayed(self) -> Sequence[Place]:
        """The recordings that nothing was answered from so far."""
        ...

    def finish(self) -> None:
        """End the session."""
        ...


class LocalLink:
    """A session in this process. `run` runs an action on the server's event loop and waits for it."""

    def __init__(
        self,
        state: SessionState,
        url: str,
        matching: Matching,
        run: Callable[[Callable[[], Any]], Any],
        finish: Callable[[SessionState], None],
        late: Callable[[SessionState], Sequence[LateRequest]],
    ) -> None:
        self._state = state
        self._url = url
        self._matching = matching
        self._run_on_loop = run
        self._finish = finish
        self._late = late

    def _run(self, action: Callable[[], T]) -> T:
        found: T = self._run_on_loop(action)
        return found

    @property
    def id(self) -> str:
        """The session's id."""
        return self._state.id

    @property
    def url(self) -> str:
        """Its address."""
        return self._url

    def put(
        self, id: str, stub: Mapping[str, object], source: str, line: int, defaults: Mapping[str, object] | None = None
    ) -> None:
        """Compile the stub and put it into its place."""
        loaded = stub_from_mapping(stub, source, line)
        under = defaults_from_mapping(defaults, source, line) if defaults else NO_DEFAULTS
        compiled = compile_stub(loaded.model, id=id, source=source, line=line, defaults=under, replays=ReplayFiles())
        self._run(lambda: self._state.put(compiled))

    def load(self, given: Given, source: str, line: int) -> None:
        """Read, then add all at once."""
        read = read_one(given, source, line, self._run(lambda: self._state.gateway.settings))

        def add() -> None:
            load(self._state, read.scenarios)
            if read.cassettes:
                self._state.play(Recordings(read.cassettes, self._matching))

        self._run(add)

    def stubs(self) -> Sequence[StubState]:
        """All stubs."""
        return self._run(self._state.stub_states)

    def clear_stubs(self) -> int:
        """Remove those that were added."""
        return self._run(self._state.clear_stubs)

    def journal(self) -> Entries:
        """All entries, with nothing redacted: they do not leave this process."""
        return self._run(self._entries)

    def _entries(self) -> Entries:
        return [entry.to_json(redacted=False) for entry in self._state.journal]

    def watch(self, enough: Callable[[Entries], T | None], timeout_s: float) -> T | None:
        """The journal tells when it has changed: nothing is asked in between."""
        return self._until(self._entries, enough, timeout_s)

    def _until(self, look: Callable[[], S], enough: Callable[[S], T | None], timeout_s: float) -> T | None:
        """What `enough` finds in what is seen on the server's loop, looked at again at each change until time is up."""
        deadline = Deadline.after(timeout_s)
        found = enough(self._run(look))
        while found is None and deadline.left_s:
            found = self._at_change(look, enough, deadline)
        return found

    def _at_change(self, look: Callable[[], S], enough: Callable[[S], T | None], deadline: Deadline) -> T | None:
        changed = threading.Event()
        journal = self._state.journal

        def listen() -> S:
            journal.on_change(changed.set)
            return look()

        try:
            found = enough(self._run(listen))  # it may have changed before somebody listened
            if found is None:
                changed.wait(deadline.left_s)
                found = enough(self._run(look))
            return found
        finally:
            self._run(lambda: journal.forget(changed.set))

    def ledger(self) -> Sequence[Row]:
        """What was charged."""
        return self._run(self._state.gateway_state.ledger.rows)

    def clock(self) -> tuple[ClockMode, float]:
        """Mode and elapsed seconds."""
        clock = self._state.clock
        return self._run(lambda: (clock.mode, clock.elapsed_s()))

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._run(lambda: self._state.clock.advance(seconds))

    def set_mode(self, mode: ClockMode) -> None:
        """Change the mode of the clock."""
        self._run(lambda: self._state.clock.set_mode(mode))

    def set_gate(self, name: str, open_: bool) -> None:
        """Open or close a gate."""
        self._run(lambda: self._state.gates.__setitem__(name, open_))

    def reset(self) -> None:
        """Forget what was counted, noted and cached."""
        self._run(self._state.reset)

    def snapshot(self) -> Mapping[str, Any]:
        """Remember all that answers depend on."""
        return self._run(self._state.snapshot)

    def rollback(self, number: int, *, forget: bool = False) -> None:
        """Put it back to a snapshot."""
        self._run(lambda: self._state.rollback(number, forget=forget))

    def verify(self, own: Collection[str], checks: Checks = ALL_BUT_CONDUCT) -> Verdict:
        """What is wrong."""

        def judged() -> Verdict:
            return verify(self._state, own, checks)

        def when_settled() -> Verdict | None:
            return None if checks.open and self._state.journal.open else judged()

        return self._until(when_settled, lambda verdict: verdict, checks.patience_s) or self._run(judged)

    def late(self) -> Sequence[LateRequest]:
        """What came after the end."""
        return self._late(self._state)

    def unplayed(self) -> Sequence[Place]:
        """Those not played, in the order of their files."""
        state = self._state
        found = self._run(lambda: state.providers.unplayed(state.counters.counts))
        return [Place(one.ref.name, one.ref.source, one.ref.line or 0) for one in found]

    def finish(self) -> None:
        """End the session."""
        self._finish(self._state)
