"""Stubs as a provider: which one answers an attempt, which of its steps, and what came nearest where none does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from heapq import merge
from typing import Final, Literal

from mockbifrost.match.attempt import Attempt
from mockbifrost.match.conversation import Conversation
from mockbifrost.match.expectation import Expectation
from mockbifrost.match.index import Index
from mockbifrost.match.near_miss import NearMiss, nearest
from mockbifrost.provider.answer import Broken, Said, StubRef
from mockbifrost.provider.protocol import Reached
from mockbifrost.provider.tally import Tally, Use
from mockbifrost.scenario.activity import UNLIMITED, Activity
from mockbifrost.scenario.scripts import Counting, Script, Tools
from mockbifrost.scenario.templates import TemplateFailed
from mockbifrost.seeds import digest

OnEnd = Literal["miss", "pass", "repeat", "cycle"]


@dataclass(frozen=True, slots=True)
class Stub:
    """One expectation with what it does, compiled. `id` is unique in a session; `seed` is its file's, or None: the session's."""

    id: str
    ref: StubRef
    expectation: Expectation
    steps: tuple[Script, ...]
    activity: Activity = UNLIMITED
    is_sequence: bool = False
    on_end: OnEnd = "miss"
    by_conversation: bool = False
    per: Literal["call", "attempt"] | None = None
    priority: int = 0
    required: bool | int = False
    seed: int | None = None
    odds_key: str = ""
    """What a draw of `probability` goes by: the name, else what is written; never the place."""
    reached_key: str = field(init=False)
    used_key: str = field(init=False)
    limited: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reached_key", f"{self.id} reached")
        object.__setattr__(self, "used_key", f"{self.id} used")
        object.__setattr__(self, "limited", self.activity != UNLIMITED)

    @property
    def replays(self) -> bool:
        """Whether recordings answer in its name."""
        return any(isinstance(step, Counting) for step in self.steps)

    def place_key(self, conversation: Conversation) -> str:
        """Where the steps taken are counted: for the session, or for each conversation."""
        if not self.by_conversation:
            return self.used_key
        return f"{self.id} in {digest(conversation.first_user, conversation.system).hex()}"

    def step(self, place: int) -> Script | None:
        """The step of the `place`-th use, from 0; None: there are no more."""
        if not self.is_sequence:
            return self.steps[0]
        if place < len(self.steps):
            return self.steps[place]
        if self.on_end == "repeat":
            return self.steps[-1]
        return self.steps[place % len(self.steps)] if self.on_end == "cycle" else None

    def keeps(self, step: Script | None, attempt: Attempt) -> bool:
        """Whether the call keeps this use, so that a retry gets it again: what answers does, what fails does not."""
        if self.per is not None:
            return self.per == "call"
        return step is not None and not step.fails(attempt)


class Layer:
    """Stubs that were added together, in the order in which they are tried; indexed once.

    `lasting`: it outlives the requests, as the stubs of files do, so each request that comes again remembers what it found.
    """

    def __init__(self, stubs: Iterable[Stub], *, lasting: bool = False) -> None:
        self.added: tuple[Stub, ...] = tuple(stubs)
        self.stubs: tuple[Stub, ...] = tuple(sorted(self.added, key=lambda stub: -stub.priority))
        self.ranked = any(stub.priority for stub in self.stubs)
        self._lasting = lasting
        self._index = Index([stub.expectation.key for stub in self.stubs])

    def candidates(self, conversation: Conversation) -> Sequence[Stub]:
        """Those that can match at all, in order."""
        if self._lasting:
            return conversation.once(self, self._found)
        return self._found(conversation)

    def _found(self, conversation: Conversation) -> Sequence[Stub]:
        return [self.stubs[number] for number in self._index.candidates(conversation)]


NO_STUBS: Final = Layer(())


class Stubs:
    """The stubs of one session: those that it added itself, in front of those of the files. The seeds of files hold if `own_seeds`."""

    def __init__(self, files: Layer, tools: Tools, own: Layer = NO_STUBS, *, own_seeds: bool = True) -> None:
        self.own_seeds = own_seeds
        self.files = files
        self.own = own
        self.tools = tools

    def with_own(self, own: Layer) -> Stubs:
        """The same with other stubs of the session's own."""
        return Stubs(self.files, self.tools, own, own_seeds=self.own_seeds)

    def __len__(self) -> int:
        return len(self.own.stubs) + len(self.files.stubs)

    def __iter__(self) -> Iterator[Stub]:
        yield from self.own.stubs
        yield from self.files.stubs

    def _candidates(self, conversation: Conversation) -> Iterable[Stub]:
        own, files = self.own, self.files
        if not own.stubs:
            return files.candidates(conversation)
        pair = (own.candidates(conversation), files.candidates(conversation))
        if own.ranked or files.ranked:
            return merge(*pair, key=lambda stub: -stub.priority)
        return _chained(pair)

    def ask(self, attempt: Attempt, tally: Tally) -> Reached:
        """The first stub whose `when` holds and that is active, and what it says. Counters go into the tally of the result."""
        forked = tally.fork()
        for stub in self._candidates(attempt.conversation):
            if not stub.expectation.holds(attempt):
                continue
            reached = self._reach(stub, attempt, forked)
            if reached is not None:
                return reached
        return Reached(None, None, forked)

    def _reach(self, stub: Stub, attempt: Attempt, tally: Tally) -> Reached | None:
        """Count that the attempt reached the stub; None: it steps aside."""
        attempt = self._seeded(stub, attempt)
        place_key = stub.place_key(attempt.conversation)
        use = tally.use_of(stub.id)
        fresh = use is None
        if use is None:
            use = Use(tally.count(stub.reached_key), tally.count(place_key))
            tally.add(stub.reached_key)
        step = stub.step(use.place)
        if fresh and stub.keeps(step, attempt):
            tally.spend(stub.id, use)
        if stub.limited and stub.activity.why_not(use.reached, attempt, tally.gates, stub.odds_key) is not None:
            return None
        if step is None:
            return (
                None
                if stub.on_end == "pass"
                else Reached(Broken("sequence_exhausted", exhausted(stub)), stub.ref, tally)
            )
        if fresh:
            tally.add(place_key)
            if stub.by_conversation:
                tally.add(stub.used_key)
        return Reached(self._said(stub, step, attempt, tally), stub.ref, tally)

    def _seeded(self, stub: Stub, attempt: Attempt) -> Attempt:
        """The attempt with the seed of the stub's file, where that has one and no other was chosen."""
        if stub.seed is None or not self.own_seeds:
            return attempt
        return replace(attempt, draws=replace(attempt.draws, seed=stub.seed))

    def _said(self, stub: Stub, step: Script, attempt: Attempt, tally: Tally) -> Said:
        try:
            if isinstance(step, Counting):
                return step.play(attempt, self.tools, tally)
            return step.perform(attempt, self.tools)
        except TemplateFailed as error:
            return Broken(
                "template",
                f"Stub {stub.ref.label!r} ({stub.ref.place}) could not answer: {error}.\n  do: mend the text at {stub.ref.place}",
            )

    def near_misses(self, attempt: Attempt, tally: Tally) -> tuple[NearMiss, ...]:
        """Those that came nearest, nearest first, for an attempt that has been counted."""
        return nearest([self.near_miss(stub, attempt, tally, tally.count(stub.reached_key) - 1) for stub in self])

    def near_miss(self, stub: Stub, attempt: Attempt, tally: Tally, reached: int) -> NearMiss:
        """What a stub says to an attempt; `reached` counts those that fitted it before."""
        mismatches = stub.expectation.mismatches(attempt)
        reason = ""
        if not mismatches:
            use = tally.use_of(stub.id)  # of a call that is retried
            before = use.reached if use is not None else max(0, reached)
            why = stub.activity.why_not(before, self._seeded(stub, attempt), tally.gates, stub.odds_key)
            reason = why or "its sequence has no more steps (on_end: pass)"
        return NearMiss(stub.ref.name, stub.ref.source, stub.ref.line, len(stub.expectation.checks), mismatches, reason)


def _chained(rows: Iterable[Sequence[Stub]]) -> Iterator[Stub]:
    for row in rows:
        yield from row


def exhausted(stub: Stub) -> str:
    """The text of a sequence that has ended."""
    count = len(stub.steps)
    return (
        f"The sequence of stub {stub.ref.label!r} ({stub.ref.place}) has no more steps: all {count} were used, and another request came.\n"
        f"  nearest: step {count} of {count} was the last\n"
        "  do: add a step, or say what comes after the last one with `on_end: repeat`, `cycle` or `pass`"
    )


def paste_stub(attempt: Attempt) -> str:
    """A stub that would answer this request, ready to paste into a file."""
    key, value = _telling(attempt.conversation)
    return f'- when: {{{key}: {value}}}\n  reply: "..."'


def paste_python(attempt: Attempt) -> str:
    """The same for a test."""
    key, value = _telling(attempt.conversation)
    return f'when({key}={value}).reply("...")'


def _telling(conversation: Conversation) -> tuple[str, str]:
    """A key of `when` with a value that fits this conversation, in words that YAML and Python share."""
    if conversation.results:
        name = conversation.results[-1].name
        return ("tool_result", _quoted(name)) if name else ("last", '{"role": "tool"}')
    if conversation.user is not None:
        return "user", _quoted(_excerpt(conversation.user))
    if conversation.task:
        return "task", _quoted(_excerpt(conversation.task))  # something that is no user's text came after it
    return "turn", str(conversation.turn)


def _excerpt(text: str) -> str:
    """The beginning of a text, as far as its first line and 60 characters go."""
    lines = text.strip().splitlines()
    return (lines[0] if lines else "")[:60]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
