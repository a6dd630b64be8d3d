"""Who looks on while requests are answered: live listeners to the journal, and the counters of all sessions."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final

import orjson

from mockbifrost.session.journal import Entry

MOST_WAITING: Final = 1_000
"""So many events wait for a listener that reads too slowly; then the oldest are left out, and it is told how many."""
MOST_WAITING_BYTES: Final = 32 * 1024 * 1024
"""So large may their entries be together."""
MOST_LISTENERS: Final = 100
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Listener:
    """One client that hears of each request that has ended, if it is of its session."""

    def __init__(self, session: str | None) -> None:
        self._session = session
        self._waiting: deque[tuple[Entry, int]] = deque()
        self._bytes = 0
        self._left_out = 0
        self._news = asyncio.Event()

    def hear(self, entry: Entry) -> None:
        """A request has ended. Its entry is written as an event only when the client takes it."""
        if self._session is not None and entry.session != self._session:
            return
        self._waiting.append((entry, entry.size))
        self._bytes += entry.size
        while len(self._waiting) > MOST_WAITING or (self._bytes > MOST_WAITING_BYTES and len(self._waiting) > 1):
            self._next()
            self._left_out += 1
        self._news.set()

    def _next(self) -> Entry:
        entry, size = self._waiting.popleft()
        self._bytes -= size
        return entry

    async def events(self) -> AsyncIterator[bytes]:
        """What there is, as server-sent events, for as long as somebody reads it."""
        yield b": the journal, live\n\n"
        while True:
            while self._waiting or self._left_out:
                if self._left_out:
                    yield _event("left_out", {"count": self._left_out})
                    self._left_out = 0
                if self._waiting:
                    yield _event("entry", self._next().to_json())
            self._news.clear()
            await self._news.wait()


def _event(name: str, value: Mapping[str, object]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(value, default=str))


class Watch:
    """Is told of each request that has ended. Costs next to nothing where nobody listens. All happens on the event loop."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self._requests: Counter[tuple[int, str]] = Counter()
        self._prompt_tokens = 0
        self._completion_tokens = 0
        self._dollars = 0.0

    def ended(self, entry: Entry) -> None:
        """A response has ended, or its client has left."""
        self._requests[entry.status, entry.error or ""] += 1
        charge = entry.charge
        if charge is not None:
            self._prompt_tokens += charge.prompt_tokens
            self._completion_tokens += charge.completion_tokens
            self._dollars += charge.dollars
        for listener in self.listeners:
            listener.hear(entry)

    def metrics(self, sessions: int) -> str:
        """The counters in the text format of Prometheus. Nothing that a client can name is a label, so their number is bounded."""
        lines: list[str] = []

        def family(name: str, kind: str, help: str, samples: Iterator[tuple[str, object]]) -> None:
            lines.append(f"# HELP mockbifrost_{name} {help}")
            lines.append(f"# TYPE mockbifrost_{name} {kind}")
            lines.extend([f"mockbifrost_{name}{labels} {value}" for labels, value in samples])

        by_status: Counter[int] = Counter()
        misses: Counter[str] = Counter()
        for (status, error), count in self._requests.items():
            by_status[status] += count
            if error:
                misses[error] += count
        tokens = {"prompt": self._prompt_tokens, "completion": self._completion_tokens}
        family(
            "requests_total",
            "counter",
            "Requests whose responses have ended, by status.",
            iter([(f'{{status="{status}"}}', count) for status, count in sorted(by_status.items())]),
        )
        family(
            "unanswered_total",
            "counter",
            "Requests that ended with an error of the mock itself, by its name.",
            iter([(f'{{error="{error}"}}', count) for error, count in sorted(misses.items())]),
        )
        family(
            "tokens_total",
            "counter",
            "Tokens that were charged.",
            iter([(f'{{kind="{kind}"}}', count) for kind, count in tokens.items()]),
        )
        family("dollars_total", "counter", "US dollars that were charged.", iter([("", self._dollars)]))
        family("sessions", "gauge", "Sessions that are not finished.", iter([("", sessions)]))
        return "\n".join(lines) + "\n"
