"""Which requests belong together: a client that retries sends the same body again, with x-stainless-retry-count counting up."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from mockbifrost.provider.tally import Use

BODIES: Final = 10_000
"""So many bodies are remembered."""
OPEN_CALLS: Final = 256
"""So many calls with one body that may still be retried are remembered."""


@dataclass(slots=True)
class Call:
    """What the application asked for once. `spent` are the uses of stubs that answered it; `requests` how often the client asked."""

    number: int
    occurrence: int
    retry: int | None
    requests: int = 1
    open: bool = True
    badly: bool = False
    spent: dict[str, Use] = field(default_factory=dict)


@dataclass(slots=True)
class _Body:
    occurrences: int = 0
    waiting: list[Call] = field(default_factory=list)
    done: dict[int, Call] = field(default_factory=dict)


class Calls:
    """The calls of a session, by what was asked; streamed and plain counted apart. Memory is bounded."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[tuple[bytes, bool], _Body] = OrderedDict()
        self._numbers = 0

    def begin(self, fingerprint: bytes, stream: bool, retry: int | None) -> Call:
        """The call that a request belongs to: an open one for a retry that fits, else a new one."""
        key = (fingerprint, stream)
        body = self._bodies.get(key)
        if body is None:
            body = self._bodies[key] = _Body()
            if len(self._bodies) > BODIES:
                self._bodies.popitem(last=False)
        else:
            self._bodies.move_to_end(key)
        if retry:
            joined = self._joined(body, retry)
            if joined is not None:
                return joined
        self._numbers += 1
        call = Call(self._numbers, body.occurrences, retry)
        body.occurrences += 1
        if retry is not None:
            body.waiting.append(call)
            if len(body.waiting) > OPEN_CALLS:
                del body.waiting[0]
        return call

    def alone(self) -> Call:
        """A call for a request whose body can't be understood."""
        self._numbers += 1
        return Call(self._numbers, 0, None)

    def _joined(self, body: _Body, retry: int) -> Call | None:
        """The oldest call whose last request has the retry before and is open or ended badly; else the newest that ended well."""
        for call in body.waiting:
            if call.retry == retry - 1 and (call.open or call.badly):
                break
        else:
            found = body.done.pop(retry - 1, None)
            if found is None:
                return None
            call = found
            body.waiting.append(call)
        call.retry = retry
        call.requests += 1
        call.open, call.badly = True, False
        return call

    def end(self, fingerprint: bytes, stream: bool, call: Call, *, badly: bool) -> None:
        """A request of the call has ended. One that ended well can be retried only while no newer one has."""
        call.open, call.badly = False, badly
        if badly or call.retry is None:
            return
        body = self._bodies.get((fingerprint, stream))
        if body is not None and call in body.waiting:
            body.waiting.remove(call)
            body.done[call.retry] = call
