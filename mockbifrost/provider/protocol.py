"""What the gateway asks of whatever plays the providers: stubs, and later recordings, a live upstream, drawn answers."""

from __future__ import annotations

from typing import Protocol

from mockbifrost.match.attempt import Attempt
from mockbifrost.provider.answer import Said, StubRef
from mockbifrost.provider.tally import Tally
from mockbifrost.values import value


@value
class Reached:
    """What was said to an attempt (None: nobody knows), by whom, and the counters as they are once it is taken."""

    said: Said | None
    stub: StubRef | None
    tally: Tally


class Provider(Protocol):
    """Plays the providers behind the gateway."""

    def ask(self, attempt: Attempt, tally: Tally) -> Reached:
        """What would be said to this attempt. Nothing is counted until the caller adopts the tally of the result."""
        ...
