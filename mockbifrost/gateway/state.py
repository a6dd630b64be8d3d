"""What the gateway of one session remembers from request to request. Read while a request is decided, changed only by the session."""

from __future__ import annotations

from dataclasses import dataclass, field

from mockbifrost.clock import Clock
from mockbifrost.gateway.cache import Cache
from mockbifrost.gateway.governance import Limits
from mockbifrost.gateway.keys import Sticky
from mockbifrost.gateway.ledger import Ledger
from mockbifrost.gateway.outcome import Charge, Outcome


@dataclass(slots=True)
class GatewayState:
    """The cache, what virtual keys have used, the ledger, the keys of sticky sessions."""

    cache: Cache = field(default_factory=Cache)
    limits: Limits = field(default_factory=Limits)
    ledger: Ledger = field(default_factory=Ledger)
    sticky: Sticky = field(default_factory=Sticky)

    def copy(self) -> GatewayState:
        """Another that remembers the same: what is settled with one, the other does not know."""
        return GatewayState(self.cache.copy(), self.limits.copy(), self.ledger.copy(), self.sticky.copy())

    def settle(self, outcome: Outcome, clock: Clock, share: float, whole: bool) -> Charge | None:
        """A response has ended: charge what was sent, a `share` from 0 to 1 of it; store what was sent to its end. What was charged."""
        charge = outcome.charge
        if charge is not None:
            charge = charge if whole else charge.part(share)
            key = outcome.virtual_key
            self.ledger.charge(
                key.name if key is not None else "",
                charge.provider,
                charge.model,
                charge.prompt_tokens,
                charge.completion_tokens,
                charge.total_tokens,
                charge.dollars,
                charge.cached,
            )
            if key is not None and not charge.cached:
                self.limits.charge(key, tokens=charge.total_tokens, dollars=charge.dollars, now_s=clock.elapsed_s())
        if outcome.stored is not None and whole:
            lookup, answer, used = outcome.stored
            self.cache.store(lookup, answer, outcome.cast.size, clock.elapsed_s(), used)
        return charge
