"""What a test says about the requests that came: pure functions over them, whose failures show what did arrive.

Requests are sought by the keys of `when`, which fit here what they fit in a stub, and by what became of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, cast

import orjson

from mockbifrost.api.request import Call, Request, calls_of
from mockbifrost.errors import UsageError, VerificationError
from mockbifrost.match.expectation import Expectation, Mismatch
from mockbifrost.scenario.expect import expectation_of
from mockbifrost.scenario.load import stub_from_mapping
from mockbifrost.scenario.when_model import WhenModel
from mockbifrost.session.asked import attempts_of, conversation_of, differences, said
from mockbifrost.vocabulary.node import counted, did_you_mean
from mockbifrost.wire.redact import redact_text
from mockbifrost.wire.sse import Decoder

LISTED: Final = 20
"""So many requests are listed: the first ones, and the latest."""
FIRST: Final = 5
WIDEST: Final = 400
"""Characters of what was wanted, as it is repeated."""

OUTCOME: Final = ("status", "streamed", "error")
"""The keys that `when` has not."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is sought, compiled; `words` is how the test wrote it."""

    words: str
    expectation: Expectation
    status: frozenset[int] | None
    streamed: bool | None
    error: str | bool | None

    @property
    def fields(self) -> int:
        """How many things must hold."""
        return len(self.expectation.checks) + sum([one is not None for one in (self.status, self.streamed, self.error)])

    def mismatches(self, request: Request) -> tuple[Mismatch, ...]:
        """All that differs; empty: the request is one of those that are sought."""
        return (*self._asked(request), *self._became(request))

    def fits(self, request: Request) -> bool:
        """Whether nothing differs."""
        return not self.mismatches(request)

    def _asked(self, request: Request) -> tuple[Mismatch, ...]:
        if not self.expectation.checks:
            return ()
        conversation = conversation_of(request.body)
        if conversation is None:
            return (Mismatch("body", "a request that can be understood", said(None)),)
        attempts = attempts_of(conversation, request.headers, request.trail, request.virtual_key)
        return differences(self.expectation, attempts)

    def _became(self, request: Request) -> list[Mismatch]:
        found: list[Mismatch] = []
        if self.status is not None and request.status not in self.status:
            wanted = " or ".join([str(status) for status in sorted(self.status)])
            found.append(Mismatch("status", wanted, str(request.status) if request.status else "no response yet"))
        streamed = request.response is not None and request.response.chunks is not None
        if self.streamed is not None and streamed is not self.streamed:
            found.append(Mismatch("streamed", str(self.streamed).lower(), str(streamed).lower()))
        names = errors_of(request)
        if self.error is not None and (
            bool(names) is not self.error if isinstance(self.error, bool) else self.error not in names
        ):
            wanted = ("an error" if self.error else "no error") if isinstance(self.error, bool) else repr(self.error)
            found.append(Mismatch("error", wanted, " / ".join(names) if names else "no error"))
        return found


def search_of(wanted: Mapping[str, object], source: str, line: int) -> Search:
    """Compile what is sought, at `source` and `line` of the test. Raises ScenarioError, and UsageError for a key that is none."""
    for key in wanted:
        if key not in KEYS:
            hint = did_you_mean(key, KEYS) or f"there are {', '.join(KEYS)}"
            raise UsageError(f"{source}:{line}: requests are not sought by {key!r}; {hint}")
    when = {key: value for key, value in wanted.items() if key not in OUTCOME}
    model = stub_from_mapping({"when": when, "echo": True}, source, line).model
    status = wanted.get("status")
    return Search(
        ", ".join([f"{key}={value!r}" for key, value in wanted.items()]),
        expectation_of(model.when),
        None if status is None else frozenset([status] if isinstance(status, int) else cast("Iterable[int]", status)),
        cast("bool | None", wanted.get("streamed")),
        cast("str | bool | None", wanted.get("error")),
    )


NAMELESS: Final = "in_stream"
KEYS: Final = (*WhenModel.known_keys(), *OUTCOME)


def errors_of(request: Request) -> tuple[str, ...]:
    """By what names the error of a request is known: the mock's own, else type and code of what the client got, in a stream too.

    One that has neither is known by the status, or in a stream as `in_stream`.
    """
    if request.error is not None:
        return (request.error,)
    response = request.response
    if response is None:
        return ()
    if response.chunks is None:
        bodies = [response.body]
    else:
        bodies = [_json(event.data) for event in Decoder().feed(response.text.encode() + b"\n\n")]
    errors = [body["error"] for body in bodies if isinstance(body, dict) and isinstance(body.get("error"), dict)]
    names = [str(error[key]) for error in errors for key in ("type", "code") if error.get(key) is not None]
    if not names and response.status >= 400:
        return (str(response.status),)
    return tuple(dict.fromkeys(names)) or (NAMELESS,) * bool(errors)


def _json(text: str) -> object:
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value


# ------------------------------------------------------------------------------------------------------------- assertions


def find(requests: Sequence[Request], search: Search) -> tuple[Request, ...]:
    """Those that fit, oldest first."""
    return tuple([request for request in requests if search.fits(request)])


def assert_called(requests: Sequence[Request], search: Search, times: int | None, *, each: bool = False) -> None:
    """At least one call that fits, or exactly so many; `each`: requests count, a client's retries too. Raises VerificationError."""
    __tracebackhide__ = True
    came = len(find(requests, search)) if each else len(_calls(requests, search))
    if came == times or (times is None and came):
        return
    what = "request" if each else "call"
    wanted = f"at least 1 {what}" if times is None else counted(times, what)
    do = (
        f"if the code under test should ask that often, say times={came}; else look for why it asks again"
        if times is not None and came > times
        else "mend what is sought, or check what the code under test sends"
    )
    if times is not None and 0 < came < times:
        do = f"if the code under test need not ask more often, say times={came}; else look for why it does not"
    _fail(f"Wanted {wanted}{_with(search)}, got {came or 'none'}.", requests, search, do, near=not came)


def assert_not_called(requests: Sequence[Request], search: Search) -> None:
    """No request fits. Raises VerificationError."""
    __tracebackhide__ = True
    found = find(requests, search)
    if found:
        numbers = ", ".join([str(request.number) for request in found[:LISTED]])
        what = "request" if len(found) == 1 else "requests"
        do = "check why the code under test asks for this, or narrow what must not come"
        _fail(f"Wanted no request{_with(search)}, got {what} {numbers}.", requests, search, do, near=False)


def assert_order(requests: Sequence[Request], searches: Sequence[Search], *, strict: bool = False) -> None:
    """Calls that fit came one after the other; `strict`: and no others did. Raises VerificationError."""
    __tracebackhide__ = True
    calls = calls_of(requests)
    place = 0
    for number, search in enumerate(searches, 1):
        begin = place
        while place < len(calls) and not _fits(calls[place], search) and not strict:
            place += 1
        if place == len(calls) or not _fits(calls[place], search):
            _out_of_order(requests, calls, begin, number, search, strict=strict)
        place += 1
    if strict and place < len(calls):
        further = calls[place].requests[0]
        do = "if the further call is meant, add it to the order, or leave out strict"
        title = (
            f"Wanted {counted(len(searches), 'call')} in this order and no other, got request {further.number} as well."
        )
        _fail(title, requests, None, do)


def _out_of_order(
    requests: Sequence[Request], calls: Sequence[Call], begin: int, number: int, search: Search, *, strict: bool
) -> NoReturn:
    """The call that is missing at its place, and whether it came at another one."""
    __tracebackhide__ = True
    title = f"Wanted as call {number} of the order one{_with(search)}"
    before = next((call for call in calls[:begin] if _fits(call, search)), None)
    after = next((call for call in calls[begin:] if _fits(call, search)), None)
    if before is not None:
        title += f", but it came too early: request {before.requests[0].number}."
    elif after is not None:
        title += f", but request {calls[begin].requests[0].number} came in its place."
    else:
        title += ", but none came."
    do = "check in which order the code under test asks, or change the order that is wanted"
    _fail(title, requests, search, do, near=before is None and after is None)


def assert_cancelled(requests: Sequence[Request], search: Search) -> None:
    """A request that fits was left by its client before the response had ended. Raises VerificationError."""
    __tracebackhide__ = True
    found = find(requests, search)
    if any(request.client_closed_at_chunk is not None for request in found):
        return
    if not found:
        do = "mend what is sought, or check what the code under test sends"
        _fail(f"Wanted a cancelled request{_with(search)}, but none came.", requests, search, do)
    do = (
        "close the stream or cancel the call in the code under test; to have time for that, make the answer slow"
        " (`pace`, `speed`) or let it hang (`upstream: stall`)"
    )
    _fail(f"Wanted a cancelled request{_with(search)}, but none was cancelled.", requests, search, do, near=False)


def ended(requests: Sequence[Request], search: Search, count: int, *, started: bool) -> Request | None:
    """The `count`-th request that fits and whose response has ended; `started`: or is on its way. None: not yet."""
    found = [request for request in find(requests, search) if started or not request.open]
    return found[count - 1] if len(found) >= count else None


def fail_waiting(
    requests: Sequence[Request], search: Search, count: int, timeout_s: float, *, started: bool
) -> NoReturn:
    """Nobody waits any longer. Raises VerificationError."""
    __tracebackhide__ = True
    found = find(requests, search)
    open_ = [request for request in found if request.open]
    got = f"got {len(found) or 'none'}" + (f", {len(open_)} of them still open" if open_ and not started else "")
    do = "check that the code under test asks in the meantime, mend what is sought, or give it more time with timeout="
    if open_ and not started:
        do = "let the code under test read the stream to its end or close it, or wait with started=True"
    _fail(
        f"Waited {timeout_s:g} s for {counted(count, 'request')}{_with(search)}, {got}.",
        requests,
        search,
        do,
        near=not found,
    )


def _calls(requests: Sequence[Request], search: Search) -> list[Call]:
    return [call for call in calls_of(requests) if _fits(call, search)]


def _fits(call: Call, search: Search) -> bool:
    """Whether one of its requests does."""
    return any(search.fits(request) for request in call.requests)


# ------------------------------------------------------------------------------------------------------------------ texts


def _with(search: Search) -> str:
    words = redact_text(search.words)
    return f" with {words[:WIDEST]}{'…' * (len(words) > WIDEST)}" if words else ""


def _fail(title: str, requests: Sequence[Request], search: Search | None, do: str, *, near: bool = True) -> NoReturn:
    """Raises VerificationError: what was wanted, what came, what came nearest, what to do."""
    __tracebackhide__ = True
    lines = [title, *traffic(requests)]
    if near and search is not None:
        lines += _nearest(requests, search)
    raise VerificationError("\n".join([*lines, f"  do: {do}"]))


def _nearest(requests: Sequence[Request], search: Search) -> list[str]:
    rows = [(search.mismatches(request), request) for request in requests]
    if not rows:
        return []
    mismatches, request = min(rows, key=lambda row: _distance(row[0]))
    if not mismatches:
        return []
    lines = [f"  nearest: request {request.number}, {len(mismatches)} of {search.fields} fields differ:"]
    return [*lines, *[redact_text(f"    {mismatch}") for mismatch in mismatches]]


def _distance(mismatches: Sequence[Mismatch]) -> float:
    return sum([0.2 if one.note else 1.0 - one.near / 2 for one in mismatches])


def traffic(requests: Sequence[Request], most: int = LISTED) -> list[str]:
    """The requests in lines, one for each, under a title; of many the first ones and the latest. Secrets are left out."""
    if not requests:
        return ["  came: no request at all"]
    shown: list[Request | None] = list(requests)
    if len(requests) > most:
        shown = [*requests[:FIRST], None, *requests[FIRST - most :]]
    left_out = f"    … {len(requests) - most} more"
    return ["  came:", *[left_out if one is None else f"    {in_one_line(one)}" for one in shown]]


def in_one_line(request: Request) -> str:
    """Number, call, status, kind, what was said last, who answered and how it ended: `3. call 2, 200 stream, user 'hi', "greeting"`."""
    retry = f" (retry {request.retry})" if request.retry else ""
    body = request.body
    kind = "stream" if isinstance(body, dict) and body.get("stream") is True else "plain"
    status = str(request.status) if request.status else "no response yet"
    line = (
        f"{request.number}. call {request.call}{retry}, {status} {kind}, {said(conversation_of(body))}, {_who(request)}"
    )
    if request.client_closed_at_chunk is not None:
        line += f", cancelled after {counted(request.client_closed_at_chunk, 'chunk')}"
    return line + (", still open" if request.open else "")


def _who(request: Request) -> str:
    if request.error is not None:
        return f"not answered: {request.error}"
    if request.stub is not None:
        label = request.stub.name or os.path.basename(request.stub.label)
        return f"answered by {redact_text(label)!r}"
    outcome = request.trail[-1].outcome if request.trail else "gateway"
    return {"cached": "answered by the cache", "answer": "answered"}.get(outcome, f"answered by the {outcome}")
