"""The state that one test sees. A request is decided on the event loop, in the order of arrival; what it counted takes effect at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from mockbifrost.cassette.interaction import Cassette
from mockbifrost.cassette.recordings import Recordings
from mockbifrost.clock import Clock, ClockState
from mockbifrost.errors import UsageError
from mockbifrost.gateway.configuration import Gateway
from mockbifrost.gateway.outcome import Outcome
from mockbifrost.gateway.pipeline import Asked, decide
from mockbifrost.gateway.refusals import broken_outcome, error_outcome, refusal_error
from mockbifrost.gateway.state import GatewayState
from mockbifrost.gateway.targets import Target
from mockbifrost.match.attempt import Attempt, Moment
from mockbifrost.match.near_miss import NearMiss
from mockbifrost.match.understood import Reader
from mockbifrost.playback.player import Played
from mockbifrost.provider.answer import Said
from mockbifrost.provider.protocol import Provider
from mockbifrost.provider.tally import Tally
from mockbifrost.scenario.stubs import NO_STUBS, Layer, Stub, Stubs
from mockbifrost.seeds import Draws
from mockbifrost.session.calls import Call, Calls
from mockbifrost.session.journal import Entry, Journal, Mark
from mockbifrost.session.providers import Providers
from mockbifrost.session.undecided import Undecided, limited
from mockbifrost.values import value
from mockbifrost.wire.envelope import WireError
from mockbifrost.wire.headers import RequestHeaders
from mockbifrost.wire.jsontypes import JsonObject
from mockbifrost.wire.request import InvalidBody

LOADED: Final = "loaded#"
"""How the ids of stubs begin that came with a scenario while the server ran."""
CONVERSATIONS: Final = 10_000
"""So many conversations keep their place in sequences that count by conversation."""
MOST_KEPT: Final = 64
"""So many cassettes that were sent for stubs to replay are kept."""
MOST_LIVE_BYTES: Final = 2 * 1024 * 1024
"""So much of what a live upstream said is kept in the journal."""
MOST_SNAPSHOTS: Final = 100


@value
class Received:
    """One HTTP request as it was read."""

    method: str
    path: str
    raw_headers: Sequence[tuple[bytes, bytes]]
    body: bytes


@dataclass(slots=True)
class Exchange:
    """A request that was decided and is being answered."""

    entry: Entry
    call: Call
    outcome: Outcome
    state: GatewayState
    """What the gateway remembered when it was asked: after a reset of the session, nobody looks there any more."""
    fingerprint: bytes | None
    stream: bool
    undecided: Undecided | None = None
    """What it takes to decide it again, where its outcome is pending."""
    awaited: Attempt | None = None
    """The attempt that a live upstream was asked for last."""


@dataclass(frozen=True, slots=True)
class StubState:
    """A stub of a session: where it stands, how often it answered, and whether it was added while the server ran."""

    id: str
    name: str | None
    file: str
    line: int
    used: int
    added: bool

    def to_json(self) -> dict[str, Any]:
        """As the control API shows it; without a name where it has none."""
        return {key: item for key, item in asdict(self).items() if item is not None}


class Counters:
    """How often what was counted; conversations apart, and of those only the latest. Serialisable."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._conversations: OrderedDict[str, None] = OrderedDict()

    def apply(self, added: Mapping[str, int]) -> None:
        """Take over what a request counted."""
        counts = self.counts
        for key, more in added.items():
            counts[key] = counts.get(key, 0) + more
            if " in " in key:
                self._conversations[key] = None
                self._conversations.move_to_end(key)
        while len(self._conversations) > CONVERSATIONS:
            oldest, _nothing = self._conversations.popitem(last=False)
            del counts[oldest]

    def copy(self) -> Counters:
        """Others that have counted the same."""
        other = Counters()
        other.counts = dict(self.counts)
        other._conversations = OrderedDict(self._conversations)
        return other

    def forget(self, ids: Collection[str]) -> None:
        """Drop what was counted for stubs that were added; their ids hold no space."""
        for key in [key for key in self.counts if key.partition(" ")[0] in ids]:
            del self.counts[key]
            self._conversations.pop(key, None)

    def clear(self) -> None:
        """Back to zero."""
        self.counts.clear()
        self._conversations.clear()


class Session:
    """Stubs, counters, clock and journal of one test. Not thread-safe: all calls happen on the server's event loop.

    `own_version`: a scenario that is loaded may say which version the gateway is; else one was chosen, and stays.
    `speed` None: the server's.
    """

    def __init__(
        self,
        id: str,
        providers: Providers,
        gateway: Gateway,
        *,
        seed: int = 0,
        clock: Clock | None = None,
        journal: Journal | None = None,
        reader: Reader | None = None,
        lenient: Provider | None = None,
        own_version: bool = True,
        speed: float | None = None,
    ) -> None:
        self.id = id
        self.providers = providers
        self.gateway = gateway
        self.seed = seed
        self.clock = clock or Clock()
        self.journal = journal if journal is not None else Journal()
        self._reader = reader or Reader()
        self._lenient = lenient
        self.own_version = own_version
        self.speed = speed
        self.loads = 0
        """How many scenarios were loaded while the server ran, those that were removed again too."""
        self.calls = Calls()
        self.counters = Counters()
        self.gateway_state = GatewayState()
        self.gates: dict[str, bool] = {}
        self.kept: dict[Path, Cassette] = {}
        """Cassettes for stubs whose `replay` names them, by path: they were sent, and need not lie here."""
        self._snapshots: dict[int, _Saved] = {}
        self._snapshots_taken = 0

    @property
    def stubs(self) -> Stubs:
        """The stubs: those added, and those of the files."""
        return self.providers.stubs

    def _set_own(self, own: Layer) -> None:
        self.providers = self.providers.with_stubs(self.stubs.with_own(own))

    def ask(self, received: Received) -> Exchange:
        """Decide one request and take down what it counted. Never raises for anything that a client can send."""
        headers = RequestHeaders(received.raw_headers)
        retry = _retry_of(headers)
        elapsed_s = self.clock.elapsed_s()
        try:
            understood = self._reader.read(received.body)
        except InvalidBody as error:
            call = self.calls.alone()
            outcome = self._not_json(str(error), headers, received.body)
            return self._begun(received, call, outcome, (), elapsed_s, retry, None, False)
        print_, stream = understood.fingerprint, understood.stream
        call = self.calls.begin(print_, stream, retry)
        moment = Moment(elapsed_s, self.clock.created(), call.occurrence, call.requests - 1)
        asked = Asked(understood.conversation, headers, moment, self.seed, print_)
        tally = Tally(self.counters.counts, call.spent, self.gates)
        misses: list[NearMiss] = []
        outcome = decide(
            asked,
            self.gateway,
            self.gateway_state,
            self.providers,
            tally,
            lambda attempt: self._explained(attempt, tally, misses),
            self._lenient,
        )
        undecided = self._undecided(asked, call, tally) if outcome.pending is not None else None
        if tally.added:
            self.counters.apply(tally.added)
        if tally.spent:
            call.spent.update(tally.spent)
        if outcome.pinned is not None:
            self.gateway_state.sticky.pin(outcome.pinned)
        exchange = self._begun(received, call, outcome, tuple(misses), elapsed_s, retry, print_, stream)
        if undecided is not None:
            exchange.undecided = undecided
            exchange.entry.outcome = None
        return exchange

    def _undecided(self, asked: Asked, call: Call, tally: Tally) -> Undecided:
        """The request as it came, before it is counted."""
        return Undecided(
            asked,
            self.gateway,
            self.gateway_state,
            self.providers,
            self._lenient,
            self._explained,
            dict(self.counters.counts),
            dict(call.spent),
            dict(self.gates),
            dict(tally.added),
        )

    def hear(self, exchange: Exchange, said: Said, broken: str | None = None) -> None:
        """What a live upstream said to the attempt that was pending, or has said since: the request is decided again.

        What it counts beyond what it counted before takes effect at once. While the answer is open, this may be said again and again.
        `broken`: the upstream broke off what its client was sent already, in words.
        """
        undecided, attempt = exchange.undecided, exchange.awaited
        assert undecided is not None
        assert attempt is not None  # somebody was asked
        outcome, tally, misses = undecided.decide(attempt, said)
        if broken is not None:
            outcome = replace(outcome, broken="upstream", message=broken)
        new = undecided.newly_counted(tally)
        if exchange.state is self.gateway_state:  # after a reset nothing is counted that began before
            self.counters.apply(new)
            if outcome.pinned is not None:
                self.gateway_state.sticky.pin(outcome.pinned)
        exchange.call.spent.update(tally.spent)
        exchange.outcome = outcome
        if outcome.pending is not None:
            exchange.awaited = outcome.pending
            return
        exchange.entry.outcome = outcome if outcome.telling is None else replace(outcome, telling=None)
        exchange.entry.near_misses = tuple(misses)

    def _explained(self, attempt: Attempt, tally: Tally, misses: list[NearMiss]) -> str:
        misses.extend(self.providers.near_misses(attempt, tally))
        return self.providers.explain(attempt, misses)

    def _begun(
        self,
        received: Received,
        call: Call,
        outcome: Outcome,
        misses: tuple[NearMiss, ...],
        elapsed_s: float,
        retry: int | None,
        print_: bytes | None,
        stream: bool,
    ) -> Exchange:
        entry = Entry(
            self.journal.count + 1,
            self.id,
            call.number,
            retry,
            elapsed_s,
            received.method,
            received.path,
            received.raw_headers,
            received.body,
            outcome,
            misses,
        )
        self.journal.add(entry)
        return Exchange(entry, call, outcome, self.gateway_state, print_, stream, awaited=outcome.pending)

    def finish(self, exchange: Exchange, played: Played) -> None:
        """The response has ended: it is charged and stored, and the call may be retried, or is done."""
        exchange.entry.played = played
        outcome = exchange.outcome
        if outcome.charge is not None:
            content = sum(outcome.cast.content) if played.closed else 0
            share = 1.0 if not played.closed else played.chunks / content if content else 0.0
            exchange.entry.charge = exchange.state.settle(outcome, self.clock, share, not played.closed)
            if outcome.stored is not None:  # the journal need not hold it as well
                exchange.entry.outcome = replace(outcome, stored=None)
        if exchange.undecided is not None:
            exchange.entry.outcome = limited(exchange.entry.outcome or exchange.outcome, MOST_LIVE_BYTES)
            exchange.undecided = None
        self.journal.grow(exchange.entry, (exchange.entry.outcome or exchange.outcome).cast.size)
        if exchange.fingerprint is not None and exchange.state is self.gateway_state:
            badly = played.closed or exchange.outcome.ended_badly
            self.calls.end(exchange.fingerprint, exchange.stream, exchange.call, exchange.entry.retry, badly=badly)
        self.journal.changed()

    def _not_json(self, cause: str, headers: RequestHeaders, body: bytes) -> Outcome:
        """The gateway's answer to a body that it can't decode."""
        profile = self.gateway.profile
        error = replace(refusal_error("invalid_json", profile.name, Target("", ""), {}), cause=cause)
        draws = Draws(self.seed, body[:1024])
        outcome = error_outcome(profile, error, headers=headers, stream=False, draws=draws)
        if profile.close_on_invalid_json:
            outcome.headers.append((b"connection", b"close"))
        return outcome

    def unread(self, received: Received, status: int, message: str, broken: str | None) -> Exchange:
        """A request whose body was not read. `broken` names an error of the mock itself; None: the gateway says the same."""
        profile, headers, draws = self.gateway.profile, RequestHeaders(received.raw_headers), Draws(self.seed, b"")
        if broken is not None:
            outcome = broken_outcome(profile, headers, draws, broken, message, status=status)
        else:
            outcome = error_outcome(profile, WireError(message, status), headers=headers, stream=False, draws=draws)
        outcome.headers.append((b"connection", b"close"))
        return self._begun(received, self.calls.alone(), outcome, (), self.clock.elapsed_s(), None, None, False)

    def add(self, stubs: Sequence[Stub]) -> None:
        """Put stubs that were loaded in front of those of the files, behind those added before; their ids begin with `LOADED`."""
        self._set_own(Layer([*self.stubs.own.added, *stubs]))

    def play(self, recordings: Recordings) -> None:
        """Put recordings behind all stubs, in front of the recordings that are there."""
        self.providers = self.providers.with_recordings(recordings)

    def keep(self, cassettes: Mapping[Path, Cassette]) -> None:
        """Keep cassettes for stubs that come later; where there are too many, the oldest go."""
        kept = [(path, one) for path, one in self.kept.items() if path not in cassettes]
        self.kept = dict([*kept, *cassettes.items()][-MOST_KEPT:])

    def put(self, stub: Stub) -> None:
        """Put a stub into the place of the one with its id; a new one behind those put before, in front of all that was loaded.

        So what a test says for itself goes before the files that it was given.
        """
        own = {one.id: one for one in self.stubs.own.added}
        known = stub.id in own
        own[stub.id] = stub
        added = list(own.values())
        if not known:
            added.sort(key=lambda one: one.id.startswith(LOADED))
        self._set_own(Layer(added))

    def clear_stubs(self) -> int:
        """Remove the stubs that were added, with what they counted; those of the files stay. How many there were."""
        gone = self.stubs.own.added
        self._set_own(NO_STUBS)
        self.counters.forget({stub.id for stub in gone})
        return len(gone)

    def stub_states(self) -> list[StubState]:
        """All stubs: those added, then those of the files, each in the order in which they are tried."""
        uses, added = self.uses(), {stub.id for stub in self.stubs.own.stubs}
        return [
            StubState(stub.id, stub.ref.name, stub.ref.source, stub.ref.line, uses[stub.id], stub.id in added)
            for stub in self.stubs
        ]

    def uses(self) -> dict[str, int]:
        """How often each stub answered, by its id."""
        return {stub.id: self.counters.counts.get(stub.used_key, 0) for stub in self.stubs}

    def snapshot(self) -> JsonObject:
        """Remember all that the next answers depend on, and say what there was; `number` is what it is rolled back by.

        Raises UsageError where too many are remembered.
        """
        if len(self._snapshots) >= MOST_SNAPSHOTS:
            raise UsageError(
                f"session {self.id!r} remembers {MOST_SNAPSHOTS} snapshots, and no more are taken; "
                "roll back to an early one, or use `with session.rolled_back():`, which forgets its own"
            )
        self._snapshots_taken += 1
        self._snapshots[self._snapshots_taken] = _Saved(
            self.providers,
            self.gateway,
            self.loads,
            self.calls.copy(),
            self.counters.copy(),
            self.gateway_state.copy(),
            dict(self.gates),
            self.clock.saved(),
            self.journal.mark(),
        )
        return {
            "session": self.id,
            "number": self._snapshots_taken,
            "requests": self.journal.count,
            "elapsed_s": round(self.clock.elapsed_s(), 6),
            "gates": dict(self.gates),
            "counters": dict(self.counters.counts),
        }

    def rollback(self, number: int, *, forget: bool = False) -> None:
        """Put everything back to where it was; the journal is cut there. Later snapshots are forgotten, with `forget` this one, too.

        A request that is open is answered to its end and counts for nothing. Raises UsageError where there is no such snapshot.
        """
        saved = self._snapshots.get(number)
        if saved is None:
            raise UsageError(
                f"session {self.id!r} has no snapshot {number}: it was never taken, or it was forgotten when the session was rolled "
                "back to an earlier one; take another with snapshot()"
            )
        self._snapshots = {one: kept for one, kept in self._snapshots.items() if one < number + (not forget)}
        self.providers, self.gateway, self.loads = saved.providers, saved.gateway, saved.loads
        self.calls, self.counters = saved.calls.copy(), saved.counters.copy()
        self.gateway_state = saved.gateway_state.copy()
        self.gates = dict(saved.gates)
        self.clock.restore(saved.clock)
        self.journal.cut(saved.journal)

    def reset(self) -> None:
        """Forget counters, calls, gates, journal and what the gateway remembers, and set the clock back; the stubs stay."""
        self.counters.clear()
        self.gateway_state = GatewayState()
        self.calls = Calls()
        self.gates.clear()
        self.clock.restart()
        self.journal.clear()


@dataclass(frozen=True, slots=True)
class _Saved:
    """All that the next answers depend on, as it was once; never changed, only copied."""

    providers: Providers
    gateway: Gateway
    loads: int
    calls: Calls
    counters: Counters
    gateway_state: GatewayState
    gates: Mapping[str, bool]
    clock: ClockState
    journal: Mark


def _retry_of(headers: RequestHeaders) -> int | None:
    """The client's own count of its retries; None where it does not say. Source: faults.md 3."""
    text = headers.first(b"x-stainless-retry-count")
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 6 else None


def as_json(session: Session) -> dict[str, Any]:
    """A session as the control API shows it."""
    return {
        "id": session.id,
        "requests": session.journal.count,
        "stubs": len(session.stubs),
        "clock": {"mode": session.clock.mode, "elapsed_s": round(session.clock.elapsed_s(), 6)},
        "gates": dict(session.gates),
    }
