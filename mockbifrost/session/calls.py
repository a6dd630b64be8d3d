"""Which requests belong together: a client that retries sends its body again, with x-stainless-retry-count counting up."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace
from typing import Final

from mockbifrost.provider.tally import Use

BODIES: Final = 10_000
"""So many bodies are remembered."""
OPEN_CALLS: Final = 256
"""So many calls with one body that are open or ended badly are remembered."""
DONE_CALLS: Final = 16
"""So many calls with one body that ended well are remembered."""


@dataclass(slots=True, eq=False)
class Call:
    """What the application asked for once, in one or more `requests`; `spent` are the uses of stubs that answered it.

    `retry` is the client's count on the last request, which is `open` or ended `badly` or well.
    """

    number: int
    occurrence: int
    retry: int | None
    requests: int = 1
    open: bool = True
    badly: bool = False
    spent: dict[str, Use] = field(default_factory=dict)

    def copy(self) -> Call:
        """Another that has spent the same."""
        return replace(self, spent=dict(self.spent))


@dataclass(slots=True)
class _Body:
    """The calls with one body: `waiting` are open or ended badly, by number, the oldest first; `done` ended well."""

    occurrences: int = 0
    waiting: dict[int, Call] = field(default_factory=dict)
    done: deque[Call] = field(default_factory=lambda: deque(maxlen=DONE_CALLS))

    def copy(self) -> _Body:
        """Another with copies of the calls."""
        waiting = {number: call.copy() for number, call in self.waiting.items()}
        return _Body(self.occurrences, waiting, deque([call.copy() for call in self.done], DONE_CALLS))

    def wait(self, call: Call) -> None:
        """A request of the call is open."""
        newest = next(reversed(self.waiting), 0)
        self.waiting[call.number] = call
        if newest > call.number:
            self.waiting = dict(sorted(self.waiting.items()))
        if len(self.waiting) > OPEN_CALLS:
            del self.waiting[next(iter(self.waiting))]


class Calls:
    """The calls of a session, by what was asked; streamed and plain counted apart. Memory is bounded."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[tuple[bytes, bool], _Body] = OrderedDict()
        self._numbers = 0

    def copy(self) -> Calls:
        """The same calls; what becomes of them here, the copy does not know."""
        other = Calls()
        other._bodies = OrderedDict([(key, body.copy()) for key, body in self._bodies.items()])
        other._numbers = self._numbers
        return other

    def begin(self, fingerprint: bytes, stream: bool, retry: int | None) -> Call:
        """The call that a request belongs to: an earlier one for a retry that fits, else a new one."""
        key = (fingerprint, stream)
        body = self._bodies.get(key)
        if body is None:
            body = self._bodies[key] = _Body()
            if len(self._bodies) > BODIES:
                self._bodies.popitem(last=False)
        else:
            self._bodies.move_to_end(key)
        if retry:
            joined = _joined(body, retry)
            if joined is not None:
                return joined
        self._numbers += 1
        call = Call(self._numbers, body.occurrences, retry)
        body.occurrences += 1
        if retry is not None:
            body.wait(call)
        return call

    def alone(self) -> Call:
        """A call for a request whose body can't be understood."""
        self._numbers += 1
        return Call(self._numbers, 0, None)

    def end(self, fingerprint: bytes, stream: bool, call: Call, retry: int | None, *, badly: bool) -> None:
        """The request of the call that was its `retry` has ended; where a later one has come, that is what counts."""
        if call.retry != retry:
            return
        call.open, call.badly = False, badly
        if badly or retry is None:
            return
        body = self._bodies.get((fingerprint, stream))
        if body is not None and body.waiting.pop(call.number, None) is not None:
            body.done.append(call)


def _joined(body: _Body, retry: int) -> Call | None:
    """Among the calls at the retry before: the oldest that is open or ended badly, else the newest that ended well."""
    before = retry - 1
    call = next((call for call in body.waiting.values() if call.retry == before), None)
    if call is None:
        call = max((call for call in body.done if call.retry == before), key=lambda call: call.number, default=None)
        if call is None:
            return None
        body.done.remove(call)
        body.wait(call)
    call.retry = retry
    call.requests += 1
    call.open, call.badly = True, False
    return call
