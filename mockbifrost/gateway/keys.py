"""Which key of a provider a call uses: pins, sticky sessions, weights; and which of them are of no more use to it.

Source: gateway-behaviour.md 1.5 and 1.9.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from mockbifrost.gateway.configuration import Key, ProviderRules
from mockbifrost.gateway.denied import Denied
from mockbifrost.seeds import Draws
from mockbifrost.values import value
from mockbifrost.wire.headers import RequestHeaders

STICKY_TTL_S: Final = 3_600.0
MOST_STICKY: Final = 10_000
"""So many sticky sessions are remembered."""
_BY_DEPLOYMENT: Final = frozenset({"azure", "bedrock", "vertex", "replicate", "vllm"})
"""Providers whose models are deployments of the user's own."""


@value
class Pinned:
    """A sticky session that was begun or went on: until when it keeps to which key."""

    session: str
    provider: str
    key: str
    until_s: float


class Sticky:
    """The keys of sticky sessions; the latest are remembered, in little room however long the ids are that clients give them."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, str], tuple[str, float]] = OrderedDict()

    def find(self, session: str, provider: str, now_s: float) -> str | None:
        """The name of the key that the session keeps to."""
        key, until_s = self._known.get((_short(session), provider), ("", 0.0))
        return key if now_s < until_s else None

    def copy(self) -> Sticky:
        """Another that pins the same."""
        other = Sticky()
        other._known = OrderedDict(self._known)
        return other

    def pin(self, pinned: Pinned) -> None:
        """Take down what a request chose."""
        place = (_short(pinned.session), pinned.provider)
        self._known[place] = pinned.key, pinned.until_s
        self._known.move_to_end(place)
        while len(self._known) > MOST_STICKY:
            self._known.popitem(last=False)


def _short(session: str) -> bytes:
    return blake2b(session.encode(), digest_size=16).digest()


class Ring:
    """The keys that one request may use at one target, in the order of the settings, and what it has learnt of them."""

    __slots__ = ("_dead", "_used", "current", "keys")

    def __init__(self, keys: Sequence[Key], first: Key) -> None:
        """`first` is the key of the first try."""
        self.keys = keys
        self.current: Key = first
        self._used: set[str] = {first.name}
        self._dead: set[str] = set()

    def bury(self) -> None:
        """The current key is of no more use to this request."""
        self._dead.add(self.current.name)

    @property
    def alive(self) -> Sequence[Key]:
        """Those that may still be used."""
        return [key for key in self.keys if key.name not in self._dead]

    def rotate(self, draws: Draws) -> Key:
        """An unused key that is alive, by weight; when all have been used, all count as unused again."""
        fresh = [key for key in self.alive if key.name not in self._used]
        if not fresh:
            self._used = {self.current.name}
            fresh = [key for key in self.alive if key.name not in self._used]
        if fresh:
            self.current = weighted(fresh, draws)
            self._used.add(self.current.name)
        return self.current


def weighted(keys: Sequence[Key], draws: Draws) -> Key:
    """One of the keys: chance goes by weight times 100 in whole numbers; where all are 0, each is as likely as the other."""
    if len(keys) == 1:
        return keys[0]
    shares = [int(key.weight * 100) for key in keys]
    if not sum(shares):
        shares = [1] * len(keys)
    drawn = draws.integer("key", 0, sum(shares) - 1)
    for key, share in zip(keys, shares, strict=True):
        drawn -= share
        if drawn < 0:
            return key
    raise AssertionError("the draw lies within the sum of the shares")


def keys_for(
    provider: str, rules: ProviderRules, model: str, headers: RequestHeaders | None
) -> tuple[Key, ...] | Denied:
    """The keys that may be used for a model, or why none may. `headers` of a primary may pin one; None: nothing is pinned."""
    keys = rules.keys
    if headers is not None:
        for header, what in ((b"x-bf-api-key-id", "id"), (b"x-bf-api-key", "name")):
            wanted = headers.first(header)
            if wanted:
                pinned = tuple([key for key in keys if key.name == wanted and key.serves(model)])
                return pinned or Denied("no_keys", message=_no_pin(what, wanted, provider, model))
    if not keys:
        return Denied("no_keys")
    found = tuple([key for key in keys if key.serves(model)])
    if found:
        return found
    return Denied(
        "no_key_for_model",
        message=f"no keys found that support model/deployment: {model}" if provider in _BY_DEPLOYMENT else None,
    )


def _no_pin(what: str, wanted: str, provider: str, model: str) -> str:
    return f'no supported key found with {what} "{wanted}" for provider: {provider} and model: {model}'
