"""What came in and went out, in order, bounded in entries and bytes. Written cheaply, redacted when it is read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import orjson

from mockbifrost.gateway.outcome import Charge, Outcome, Trace
from mockbifrost.match.near_miss import NearMiss
from mockbifrost.playback.player import Played
from mockbifrost.provider.answer import StubRef
from mockbifrost.wire.headers import decoded
from mockbifrost.wire.redact import redact, redact_headers, redact_text

ENTRIES: Final = 2_000
BYTES: Final = 32 * 1024 * 1024
OVERHEAD: Final = 1_000
"""What an entry takes beside its bodies and headers."""


@dataclass(slots=True)
class Entry:
    """One HTTP request: begun before the first byte of its response, completed when the response has ended."""

    number: int
    session: str
    call: int
    retry: int | None
    at_s: float
    method: str
    path: str
    raw_headers: Sequence[tuple[bytes, bytes]]
    raw_body: bytes
    outcome: Outcome | None = None
    near_misses: tuple[NearMiss, ...] = ()
    played: Played | None = None
    charge: Charge | None = None
    """What was added to the ledger, once the response has ended."""
    fault: str | None = None
    size: int = 0

    @property
    def body(self) -> Any:
        """The body of the request: an object where it is JSON, else its text."""
        try:
            return orjson.loads(self.raw_body)
        except orjson.JSONDecodeError:
            return self.raw_body.decode("utf-8", "replace")

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the request as they came."""
        return decoded(self.raw_headers)

    @property
    def status(self) -> int:
        """The status of the response; 0 where there is none yet."""
        return self.outcome.status if self.outcome is not None else 0

    @property
    def error(self) -> str | None:
        """The error of the mock itself, if it was one: `no_match`, `sequence_exhausted`, `template`, …"""
        return self.outcome.broken if self.outcome is not None else self.fault

    def response_text(self) -> str:
        """The body of the response as it was written."""
        if self.outcome is None:
            return ""
        return self.outcome.cast.whole.fill(self.outcome.values).decode("utf-8", "replace")

    @property
    def message(self) -> str | None:
        """What the mock says of its own error."""
        return self.outcome.message if self.outcome is not None and self.outcome.broken is not None else None

    def to_json(self, *, redacted: bool = True) -> dict[str, Any]:
        """The entry as the control API shows it: keys without a value left out, and no keys of anybody, if `redacted`."""
        outcome = self.outcome
        shown = _REDACTED if redacted else _AS_IT_IS
        found: dict[str, Any] = {
            "n": self.number,
            "session": self.session,
            "call": self.call,
            "retry": self.retry,
            "at_s": round(self.at_s, 6),
            "request": {
                "method": self.method,
                "path": shown.text(self.path),
                "headers": shown.headers(self.headers),
                "body": self._body_json(shown),
            },
        }
        if outcome is not None:
            found["stub"] = _stub_json(outcome.stub)
            found["cache"] = shown.value(outcome.cache)
            found["virtual_key"] = None if outcome.virtual_key is None else shown.text(outcome.virtual_key.name)
            found["trail"] = [_trace_json(trace) for trace in outcome.trail]
            found["response"] = self._response_json(outcome, shown)
        if self.charge is not None:
            found["usage"] = _usage_json(self.charge)
            found["cost"] = {"total_cost": self.charge.dollars} if self.charge.dollars else None
        found["near_misses"] = [shown.value(near.to_json()) for near in self.near_misses]
        if self.played is None:
            found["open"] = True
        elif self.played.closed:
            found["client_closed_at_chunk"] = self.played.chunks
        found["error"] = self.error
        found["message"] = None if self.message is None else shown.text(self.message)
        return {key: value for key, value in found.items() if value is not None and value != []}

    def _body_json(self, shown: _Shown) -> Any:
        """The body; as text where it nests too deep to be written again inside an entry."""
        try:
            body = shown.value(self.body)
            orjson.dumps([[[[[[[[body]]]]]]]])  # an answer of the control API has fewer levels around it
        except (TypeError, RecursionError):
            return shown.text(self.raw_body.decode("utf-8", "replace"))
        return body

    def _response_json(self, outcome: Outcome, shown: _Shown) -> dict[str, Any]:
        headers = shown.headers(decoded(outcome.headers))
        text = self.response_text()
        found: dict[str, Any] = {"status": outcome.status, "headers": headers}
        if outcome.stream:
            found["chunks"] = sum(outcome.cast.content)
            found["text"] = shown.text(text)
            return found
        if shown is _AS_IT_IS:
            found["text"] = text
        try:
            found["body"] = shown.value(orjson.loads(text))
        except orjson.JSONDecodeError:
            found["text"] = shown.text(text)
        return found


@dataclass(frozen=True, slots=True)
class _Shown:
    """How texts, headers and JSON values are shown."""

    text: Callable[[str], str]
    headers: Callable[[Mapping[str, str]], dict[str, str]]
    value: Callable[[Any], Any]


_REDACTED: Final = _Shown(redact_text, redact_headers, redact)
_AS_IT_IS: Final = _Shown(str, dict, lambda value: value)


def _stub_json(stub: StubRef | None) -> dict[str, Any] | None:
    if stub is None:
        return None
    found = {"name": stub.name, "file": stub.source, "line": stub.line}
    return {key: value for key, value in found.items() if value is not None}


def _usage_json(charge: Charge) -> dict[str, int]:
    return {
        "prompt_tokens": charge.prompt_tokens,
        "completion_tokens": charge.completion_tokens,
        "total_tokens": charge.total_tokens,
    }


def _trace_json(trace: Trace) -> dict[str, Any]:
    found = {
        "provider": trace.provider,
        "model": trace.model,
        "key": trace.key,
        "try": trace.number,
        "fallback": trace.fallback,
        "stub": _stub_json(trace.stub),
        "outcome": trace.outcome,
        "status": trace.status,
        "type": trace.type,
        "at_s": round(trace.at_s, 6),
        "took_s": round(trace.took_s, 6),
    }
    return {key: value for key, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a journal had come: which entries it held, from the `first` on, how many were `dropped`, and which were `errors`."""

    count: int
    first: int
    dropped: int
    dropped_errors: int
    errors: tuple[int, ...]


class Journal:
    """The last entries of a session. What falls out is only counted."""

    def __init__(self, entries: int = ENTRIES, most_bytes: int = BYTES) -> None:
        self._entries: deque[Entry] = deque()
        self._most_entries = entries
        self._most_bytes = most_bytes
        self._bytes = 0
        self._waiting: list[Callable[[], object]] = []
        self.count = 0
        self.dropped = 0
        self.dropped_errors = 0

    def add(self, entry: Entry) -> None:
        """One more; the oldest go where there are too many."""
        self.count += 1
        self._entries.append(entry)
        entry.size = OVERHEAD
        self._bytes += OVERHEAD
        self.grow(entry, len(entry.raw_body) + len(b"".join(chain.from_iterable(entry.raw_headers))))
        self.changed()

    @property
    def open(self) -> tuple[Entry, ...]:
        """Those whose responses are still on their way."""
        return tuple([entry for entry in self._entries if entry.played is None])

    def on_change(self, call: Callable[[], object]) -> None:
        """Call this once, when an entry is begun or has ended next."""
        self._waiting.append(call)

    def forget(self, call: Callable[[], object]) -> None:
        """Do not call it any more."""
        if call in self._waiting:
            self._waiting.remove(call)

    def changed(self) -> None:
        """Tell those who wait that an entry was begun, or has ended."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for call in waiting:
                call()

    def grow(self, entry: Entry, size: int) -> None:
        """The entry now holds so many bytes more. One that has fallen out, whose size is 0, is not counted again."""
        if not entry.size:
            return
        entry.size += size
        self._bytes += size
        while len(self._entries) > self._most_entries or (self._bytes > self._most_bytes and len(self._entries) > 1):
            gone = self._entries.popleft()
            self._bytes -= gone.size
            gone.size = 0
            self.dropped += 1
            self.dropped_errors += gone.error is not None

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def _first(self) -> int:
        """The number of the oldest entry, or where there is none of the next."""
        return self._entries[0].number if self._entries else self.count + 1

    def mark(self) -> Mark:
        """How far it has come."""
        errors = tuple([entry.number for entry in self._entries if entry.error is not None])
        return Mark(self.count, self._first(), self.dropped, self.dropped_errors, errors)

    def cut(self, mark: Mark) -> None:
        """Forget what came after the mark, and let the numbers go on from there. What has left since then counts as dropped."""
        while self._entries and self._entries[-1].number > mark.count:
            gone = self._entries.pop()
            self._bytes -= gone.size
            gone.size = 0
        self.count = mark.count
        first = self._first()
        self.dropped = mark.dropped + first - mark.first
        self.dropped_errors = mark.dropped_errors + len([number for number in mark.errors if number < first])
        self.changed()

    def clear(self) -> None:
        """Forget all entries, those that fell out too; their numbers go on."""
        for entry in self._entries:
            entry.size = 0
        self._entries.clear()
        self._bytes = 0
        self.dropped = self.dropped_errors = 0
        self.changed()
