"""Who plays the providers of a session: its stubs, then its recordings, then the upstream if the server has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from mockbifrost.cassette.nearest import near_misses
from mockbifrost.cassette.recordings import Recording, Recordings
from mockbifrost.match.attempt import Attempt
from mockbifrost.match.near_miss import NearMiss, in_words, nearest
from mockbifrost.provider.answer import Broken, Pending
from mockbifrost.provider.protocol import Reached
from mockbifrost.provider.tally import Tally
from mockbifrost.scenario.stubs import Stubs, paste_python, paste_stub

NO_UPSTREAM: Final = (
    "This server has no upstream, so `forward` can't ask one.\n  do: start it with `mockbifrost serve --upstream URL`"
)


class Providers:
    """Asks each in turn. `upstream` is what asking it means; None: there is none."""

    def __init__(self, stubs: Stubs, recordings: Sequence[Recordings] = (), upstream: Pending | None = None) -> None:
        self.stubs = stubs
        self.recordings = tuple([some for some in recordings if some.all])
        self.upstream = upstream

    def with_stubs(self, stubs: Stubs) -> Providers:
        """The same with other stubs."""
        return Providers(stubs, self.recordings, self.upstream)

    def with_recordings(self, recordings: Recordings) -> Providers:
        """The same with further recordings, which are asked before those that were there."""
        return Providers(self.stubs, (recordings, *self.recordings), self.upstream)

    def ask(self, attempt: Attempt, tally: Tally) -> Reached:
        """What the first of them says that knows an answer. Recordings are asked after all stubs."""
        reached = self.stubs.ask(attempt, tally)
        said = reached.said
        if said is not None and said.__class__ is not Pending:
            return reached
        return self._further(attempt, reached)

    def _further(self, attempt: Attempt, reached: Reached) -> Reached:
        for recordings in self.recordings:
            if reached.said is None:
                reached = recordings.ask(attempt, reached.tally)
        if reached.said is None:
            return reached if self.upstream is None else Reached(self.upstream, None, reached.tally)
        if isinstance(reached.said, Pending):  # a stub forwards
            said = self.upstream or Broken("no_upstream", NO_UPSTREAM)
            return Reached(said, reached.stub, reached.tally)
        return reached

    def near_misses(self, attempt: Attempt, tally: Tally) -> tuple[NearMiss, ...]:
        """Those that came nearest, nearest first, for an attempt that has been counted."""
        stubs = self.stubs.near_misses(attempt, tally)
        if not self.recordings:
            return stubs
        found = [miss for recordings in self.recordings for miss in near_misses(recordings, attempt, tally)]
        return nearest([*found, *stubs])

    def explain(self, attempt: Attempt, misses: Sequence[NearMiss]) -> str:
        """Why nothing answered, and a stub to paste."""
        count = sum([len(recordings) for recordings in self.recordings])
        template = paste_stub(attempt)
        if not misses or misses[0].source.endswith(".py"):
            template += f"\nin Python: {paste_python(attempt)}"
        return in_words(attempt, misses, len(self.stubs), template, count)

    def unplayed(self, counts: Mapping[str, int]) -> list[Recording]:
        """The recordings that nothing was answered from so far, by the session's counters."""
        return [recording for recordings in self.recordings for recording in recordings.unplayed(counts)]
