"""A request that can't be decided before a live upstream has answered: what it takes to decide it again, as of the moment it came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from mockbifrost.gateway.configuration import Gateway
from mockbifrost.gateway.outcome import Outcome
from mockbifrost.gateway.pipeline import Asked, decide
from mockbifrost.gateway.state import GatewayState
from mockbifrost.match.attempt import Attempt
from mockbifrost.match.near_miss import NearMiss
from mockbifrost.provider.answer import Pending, Said
from mockbifrost.provider.protocol import Provider, Reached
from mockbifrost.provider.tally import Tally, Use

Ask: TypeAlias = tuple[str, str, int, int]
"""Which attempt of a request: provider, model, number of the try, number of the target."""
Explained: TypeAlias = Callable[[Attempt, Tally, list[NearMiss]], str]


def ask_of(attempt: Attempt) -> Ask:
    """What an attempt is remembered by."""
    return attempt.provider, attempt.model, attempt.number, attempt.fallback


class Informed:
    """A provider whose upstream has been asked: what is pending is what was heard, as far as it was."""

    def __init__(self, provider: Provider, heard: Mapping[Ask, Said]) -> None:
        self._provider = provider
        self._heard = heard

    def ask(self, attempt: Attempt, tally: Tally) -> Reached:
        """As the provider does, so that a stub that forwards is counted."""
        reached = self._provider.ask(attempt, tally)
        if not isinstance(reached.said, Pending):
            return reached
        said = self._heard.get(ask_of(attempt))
        return reached if said is None else Reached(said, reached.stub, reached.tally)


@dataclass(slots=True)
class Undecided:
    """The moment at which the request came, and what was heard since. `counts`, `spent` and `gates` are as they were then."""

    asked: Asked
    gateway: Gateway
    state: GatewayState
    provider: Provider
    lenient: Provider | None
    explain: Explained
    counts: Mapping[str, int]
    spent: Mapping[str, Use]
    gates: Mapping[str, bool]
    applied: dict[str, int]
    """What has been counted for this request."""
    heard: dict[Ask, Said] = field(default_factory=dict)
    begun: set[int] = field(default_factory=set)

    def decide(self, attempt: Attempt, said: Said) -> tuple[Outcome, Tally, list[NearMiss]]:
        """The outcome with what was said to this attempt; the tally has all that the request counts."""
        self.heard[ask_of(attempt)] = said
        self.begun.add(attempt.fallback)
        tally = Tally(self.counts, self.spent, self.gates)
        misses: list[NearMiss] = []
        outcome = decide(
            self.asked,
            self.gateway,
            self.state,
            Informed(self.provider, self.heard),
            tally,
            lambda one: self.explain(one, tally, misses),
            self.lenient,
            self.begun,
        )
        return outcome, tally, misses

    def newly_counted(self, tally: Tally) -> dict[str, int]:
        """What the tally has that was not counted before; from now on it was."""
        new = {key: more - self.applied.get(key, 0) for key, more in tally.added.items()}
        self.applied = dict(tally.added)
        return {key: more for key, more in new.items() if more > 0}


def limited(outcome: Outcome, most_bytes: int) -> Outcome:
    """An outcome whose cast keeps its beginning, where it is larger."""
    cast = outcome.cast
    if cast.size <= most_bytes:
        return outcome
    kept, size = 0, 0
    while kept < len(cast.frames) and size + len(cast.frames[kept].literals[0]) <= most_bytes:
        size += len(cast.frames[kept].literals[0])
        kept += 1
    frames = cast.frames[:kept] or (replace(cast.frames[0], literals=(cast.frames[0].literals[0][:most_bytes],)),)
    count = len(frames)
    whole = type(frames[0]).joined(frames)
    shorter = replace(
        cast,
        times_s=cast.times_s[:count],
        frames=frames,
        whole=whole,
        content=cast.content[:count],
        size=len(whole.literals[0]),
    )
    return replace(outcome, cast=shorter)
