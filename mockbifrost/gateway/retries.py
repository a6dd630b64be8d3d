"""What the gateway does after a try at a provider has failed: wait and try again, with the same key or another, or give up.

Source: gateway-behaviour.md 1.5, wire.md 12. Profile 1.6 as the column [1.5/1.6], the others as [2.x newest].
"""

from __future__ import annotations

from typing import Final, Literal

from mockbifrost.gateway.configuration import Key, ProviderRules
from mockbifrost.gateway.keys import Ring
from mockbifrost.provider.answer import Failure
from mockbifrost.seeds import Draws
from mockbifrost.values import value
from mockbifrost.wire.profiles import Profile

Cause = Literal["transient", "rate_limit", "credential", "model_gone", "network", "never"]
"""How a failure is judged: `credential` is one of the key in use, spent quota too; `never`: no retry can mend it."""

AT_ONCE_S: Final = 0.002
"""After so long the transport asks once more when a connection was reset before headers. Source: wire.md 12."""
_TRANSIENT: Final = frozenset({500, 502, 503, 504})
_CREDENTIAL: Final = frozenset({401, 402, 403})
_WORDS: Final = (
    "rate limit",
    "too many requests",
    "quota exceeded",
    "throttled",
    "limit exceeded",
    "requests per",
    "tokens per minute",
    "usage limit",
    "burst_rate",
)
"""Wording that counts as a rate limit whatever the status is."""


def judge(failure: Failure, profile: Profile) -> Cause:
    """What kind of failure a provider's error is."""
    newest = profile.name != "1.6"
    status = failure.status
    if status in _CREDENTIAL or (newest and failure.code == "insufficient_quota"):
        return "credential"
    if status in _TRANSIENT or (newest and status == 529):
        return "transient"
    if newest and status == 404 and failure.code == "model_not_found":
        return "model_gone"
    if status == 429 or any(word in failure.message.lower() for word in _WORDS):
        return "rate_limit"
    return "never"


@value
class Retry:
    """Try again after so many scripted seconds, with this key."""

    wait_s: float
    key: Key


Verdict = Retry | Literal["give_up", "exhausted"]
"""`exhausted`: every key was refused, which has an error of its own."""


class Retries:
    """The tries at one target by one request: counts what is spent, and says what comes next."""

    __slots__ = ("_at_once", "_network", "_newest", "_ring", "_rules", "_spent")

    def __init__(self, rules: ProviderRules, ring: Ring, profile: Profile, *, network: bool = True) -> None:
        """`network`: whether failures in the network are retried."""
        self._rules = rules
        self._ring = ring
        self._newest = profile.name != "1.6"
        self._network = network
        self._spent = 0
        self._at_once = False

    def after(self, cause: Cause, draws: Draws, *, at_once: bool = False) -> Verdict:
        """What comes after a failure; `draws` are those of the next try."""
        if at_once and not self._at_once:  # the transport's own, which spends no retry
            self._at_once = True
            return Retry(AT_ONCE_S, self._ring.current)
        if cause == "never" or (cause == "network" and not self._network):
            return "give_up"
        if cause in ("credential", "model_gone"):
            return self._with_another(cause, draws)
        if self._spent >= self._rules.max_retries:
            return "give_up"
        wait_s = self._backoff_s(draws)
        self._spent += 1
        return Retry(wait_s, self._ring.rotate(draws) if cause == "rate_limit" else self._ring.current)

    def _with_another(self, cause: Cause, draws: Draws) -> Verdict:
        """The key is dead for this request, so another is tried at once; since 2.0 that spends no retry."""
        ring = self._ring
        ring.bury()
        if not self._newest and self._spent >= self._rules.max_retries:
            return "give_up"
        if not ring.alive:
            alone = len(ring.keys) == 1 and not self._rules.max_retries
            return "give_up" if cause == "model_gone" or alone or not self._newest else "exhausted"
        if not self._newest:
            self._spent += 1
        return Retry(0.0, ring.rotate(draws))

    def _backoff_s(self, draws: Draws) -> float:
        rules = self._rules
        base = min(rules.backoff_initial_s * float(2**self._spent), rules.backoff_max_s)
        return min(base * (0.8 + 0.4 * draws.unit("backoff")), rules.backoff_max_s)
