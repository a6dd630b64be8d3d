"""Who has asked for how much: requests, tokens and dollars by virtual key, provider and model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mockbifrost.wire.jsontypes import Json, JsonObject

MOST_ROWS: Final = 1_000
"""So many rows have names of their own, and so many virtual keys."""
MOST_CHARACTERS: Final = 200
"""So long may a name be; the end of a longer one is left out."""
REST: Final = "…"
"""The name of what is counted together, once there are too many."""


@dataclass(slots=True)
class Row:
    """What was charged under one set of names. `cached` are those of the `requests` that the cache answered; `cost` is in US dollars."""

    virtual_key: str
    provider: str
    model: str
    requests: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cost: float = 0.0

    def to_json(self) -> JsonObject:
        """As the control API shows it, names first."""
        return {"virtual_key": self.virtual_key, "provider": self.provider, "model": self.model, **self.sums()}

    def sums(self) -> JsonObject:
        """What was counted, without the names."""
        return {
            "requests": self.requests,
            "cached": self.cached,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
            "cost": self.cost,
        }


class Ledger:
    """What the calls of one session have used. `virtual_key` is a key's name, empty for requests without one.

    Names come from clients, so memory is bounded: after 1,000 rows, further ones are counted together in one row for each virtual key, and
    after 1,000 virtual keys, further ones as one; the names are then `…`. The sums stay right.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], Row] = {}
        self._virtual_keys: set[str] = set()
        self._named = 0
        self._total = Row("", "", "")

    def charge(
        self,
        virtual_key: str,
        provider: str,
        model: str,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        total_tokens: int = 0,
        cost: float = 0.0,
        cached: bool = False,
    ) -> None:
        """Take down one request: its tokens, and its dollars unrounded."""
        known = self._rows.get((virtual_key, provider, model))
        if known is None:
            known = self._row(_short(virtual_key), _short(provider), _short(model))
        for row in (known, self._total):
            row.requests += 1
            row.cached += cached
            row.prompt_tokens += prompt_tokens
            row.completion_tokens += completion_tokens
            row.total_tokens += total_tokens
            row.cost += cost

    def rows(self) -> list[Row]:
        """The rows as they stand, by virtual key, provider and model; later charges don't change them."""
        return [replace(self._rows[names]) for names in sorted(self._rows)]

    def copy(self) -> Ledger:
        """Another with the same rows."""
        other = Ledger()
        other._rows = {names: replace(row) for names, row in self._rows.items()}
        other._virtual_keys, other._named, other._total = set(self._virtual_keys), self._named, replace(self._total)
        return other

    def total(self) -> Row:
        """All rows in one, without names; its dollars are added in the order of the charges."""
        return replace(self._total)

    def to_json(self) -> JsonObject:
        """As the control API shows it."""
        rows: list[Json] = [row.to_json() for row in self.rows()]
        return {"rows": rows, "total": self._total.sums()}

    def _row(self, virtual_key: str, provider: str, model: str) -> Row:
        row = self._rows.get((virtual_key, provider, model))
        if row is not None:
            return row
        if virtual_key and virtual_key not in self._virtual_keys:
            if len(self._virtual_keys) < MOST_ROWS:
                self._virtual_keys.add(virtual_key)
            else:
                virtual_key = REST
        if virtual_key != REST and self._named < MOST_ROWS:
            self._named += 1
        else:
            provider = model = REST
        return self._rows.setdefault((virtual_key, provider, model), Row(virtual_key, provider, model))


def _short(name: str) -> str:
    return name if len(name) <= MOST_CHARACTERS else name[: MOST_CHARACTERS - 1] + REST
