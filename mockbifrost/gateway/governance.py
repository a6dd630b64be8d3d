"""Who may ask: required headers, virtual keys and their limits, checked before a call and charged after. Source: gateway-behaviour.md 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from mockbifrost.gateway.configuration import Gateway, Limit, VirtualKey, allowed, unnamed
from mockbifrost.gateway.denied import Denied
from mockbifrost.wire.headers import virtual_key

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_HOLDER: Final = "vk_model_config *"
"""Who holds a virtual key's own limits, as messages name it. For budgets INFERRED. Source: gateway-behaviour.md 4.2."""
_HAIR_S: Final = 1e-6
"""Sums of floats may miss a moment by less than this."""


def admitted(gateway: Gateway, headers: Mapping[str, str]) -> Denied | VirtualKey | None:
    """The virtual key that a request comes with, None without one, or why it may not pass. `headers` by lower-case name.

    Where any virtual key is accepted, one that bears its value as its name and has no limits. A required header may be empty (INFERRED).
    Source: gateway-behaviour.md 4.2, 4.3.
    """
    missing = [name for name in gateway.required_headers if name not in headers]
    if missing:
        return Denied("missing_required_headers", {"headers": ", ".join(missing)})
    given = virtual_key(headers)
    if given is None:
        return Denied("virtual_key_required") if gateway.require_virtual_key else None
    if gateway.virtual_keys is None:
        return VirtualKey(given, unnamed(given))
    return gateway.virtual_keys.get(given) or Denied("virtual_key_not_found")


@dataclass(slots=True)
class _Window:
    """What was used since a moment."""

    begun_s: float
    used: float


class Limits:
    """What the virtual keys of one session have used, each limit apart, in seconds of the session's clock.

    A window begins with the first charge that is not zero, and is over when its time has passed; the next such charge begins another
    (INFERRED; the gateway's roll from the creation of the key on). Nothing is kept for a key without limits, so that memory does not grow
    with what clients send.
    """

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], _Window] = {}

    def tokens(self, key: VirtualKey, now_s: float) -> int:
        """Tokens used under the key's limit; 0 where it has none."""
        return int(self._used(key, "tokens", key.tokens, now_s))

    def requests(self, key: VirtualKey, now_s: float) -> int:
        """Requests made under the key's limit; 0 where it has none."""
        return int(self._used(key, "requests", key.requests, now_s))

    def dollars(self, key: VirtualKey, now_s: float) -> tuple[float, ...]:
        """Dollars spent under each of the key's budgets, in the order written."""
        return tuple([self._used(key, _budget(at), budget, now_s) for at, budget in enumerate(key.budgets)])

    def charge(self, key: VirtualKey, *, tokens: int, dollars: float, now_s: float) -> None:
        """Take down a call that was made: one request, with its tokens and dollars. Source: gateway-behaviour.md 4.3."""
        self._add(key, "tokens", key.tokens, tokens, now_s)
        self._add(key, "requests", key.requests, 1, now_s)
        for at, budget in enumerate(key.budgets):
            self._add(key, _budget(at), budget, dollars, now_s)

    def copy(self) -> Limits:
        """Others of which the same is used."""
        other = Limits()
        other._windows = {place: replace(window) for place, window in self._windows.items()}
        return other

    def _used(self, key: VirtualKey, what: str, limit: Limit | None, now_s: float) -> float:
        window = self._windows.get((key.value, what))
        if window is None or limit is None or _come(window.begun_s + limit.resets_s, now_s):
            return 0
        return window.used

    def _add(self, key: VirtualKey, what: str, limit: Limit | None, amount: float, now_s: float) -> None:
        if limit is None or not amount:
            return
        window = self._windows.get((key.value, what))
        if window is None or _come(window.begun_s + limit.resets_s, now_s):
            self._windows[key.value, what] = _Window(now_s, amount)
        else:
            window.used += amount


def target_denied(key: VirtualKey, limits: Limits, provider: str, model: str, now_s: float) -> Denied | None:
    """Why the virtual key may not ask this target now, None where it may. Changes nothing.

    A limit holds once it is reached, so the call that reaches it may go beyond. A key has expired from the moment on that is written
    (INFERRED). An inactive or expired key ends the request, see its scope in `GATEWAY_ERRORS`. Source: gateway-behaviour.md 4.3.
    """
    if not key.active:
        return Denied("virtual_key_inactive")
    if key.expires_s is not None and _come(key.expires_s, now_s):
        return Denied("virtual_key_expired")
    if key.providers is not None:
        fills = {"provider": provider, "model": model, "virtual_key": key.name}
        if provider not in key.providers:
            return Denied("provider_blocked", fills)
        if not allowed(model, key.providers[provider]):
            return Denied("model_blocked", fills)
    return _rate_denied(key, limits, now_s) or _budget_denied(key, limits, now_s)


def _rate_denied(key: VirtualKey, limits: Limits, now_s: float) -> Denied | None:
    tokens = _reached("tokens", key.tokens, limits.tokens(key, now_s))
    requests = _reached("requests", key.requests, limits.requests(key, now_s))
    if tokens is None and requests is None:
        return None
    fills = {"holder": _HOLDER, **(tokens or _NOTHING), **(requests or _NOTHING)}
    if tokens is None or requests is None:
        return Denied("request_limited" if tokens is None else "token_limited", fills)
    return Denied("rate_limited", fills)


def _reached(what: str, limit: Limit | None, used: int) -> dict[str, str] | None:
    if limit is None or used < limit.limit:
        return None
    return {f"{what}_used": str(used), f"{what}_limit": f"{limit.limit:.0f}", f"{what}_resets": limit.resets}


def _budget_denied(key: VirtualKey, limits: Limits, now_s: float) -> Denied | None:
    for budget, spent in zip(key.budgets, limits.dollars(key, now_s), strict=True):
        if spent >= budget.limit:
            fills = {"holder": _HOLDER, "spent": f"{spent:.4f}", "budget": f"{budget.limit:.4f}"}
            return Denied("budget_exceeded", fills)
    return None


def _budget(at: int) -> str:
    return f"budget {at}"


def _come(moment_s: float, now_s: float) -> bool:
    return now_s > moment_s - _HAIR_S
