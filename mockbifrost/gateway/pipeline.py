"""The way of a request through the gateway: its own checks, then each target in turn, then the outcome. Pure: nothing is counted here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mockbifrost.gateway.configuration import Gateway
from mockbifrost.gateway.outcome import Ended, Outcome, Trace
from mockbifrost.gateway.render import answer_cast, failure_error, one_frame, raw_cast, values_of
from mockbifrost.gateway.targets import Target, default_key, parse_fallbacks, parse_model
from mockbifrost.match.attempt import Attempt, Moment
from mockbifrost.match.conversation import Conversation
from mockbifrost.provider.answer import Answer, Broken, Failure, RawAnswer, Refusal, StubRef
from mockbifrost.provider.protocol import Provider, Reached
from mockbifrost.provider.tally import Tally
from mockbifrost.provider.validate import refusal_of
from mockbifrost.seeds import Draws
from mockbifrost.values import value
from mockbifrost.vocabulary.gateway_errors import FILL_INS, gateway_error
from mockbifrost.wire import headers as wire_headers
from mockbifrost.wire.envelope import WireError, error_mold, http_status
from mockbifrost.wire.extra_fields import Route
from mockbifrost.wire.headers import RawHeaders, RequestHeaders
from mockbifrost.wire.profiles import Profile, ProfileName
from mockbifrost.wire.request import ChatRequest

NO_VALUES: tuple[bytes, ...] = ()
MISS_STATUS = 400
"""A status that no client retries."""


@value
class Asked:
    """One HTTP request, understood: what the client said and the moment it came."""

    conversation: Conversation
    headers: RequestHeaders
    moment: Moment
    seed: int
    fingerprint: bytes

    @property
    def request(self) -> ChatRequest:
        """The typed body."""
        return self.conversation.request


Explain = Callable[[Attempt], str]


def decide(
    asked: Asked,
    gateway: Gateway,
    provider: Provider,
    tally: Tally,
    explain: Explain,
    lenient: Provider | None = None,
) -> Outcome:
    """The outcome of a request. What it counts is left in `tally`; `explain` says why nothing matched, when nothing did.

    `lenient` then answers in its place, and the outcome still says that nothing matched.
    """
    target = parse_model(asked.request.model, gateway.providers)
    fault = _unresolved(target, gateway.profile)
    if fault is not None:
        return local_error(gateway.profile, asked, fault)
    return _Journey(asked, gateway, provider, tally, explain, lenient).travel(target)


def _unresolved(target: Target, profile: Profile) -> WireError | None:
    if target.provider and target.model:
        return None
    return refusal_error("no_model" if target.provider else "no_provider", profile.name, target, {})


def refusal_error(name: str | None, profile: ProfileName, target: Target, over: Mapping[str, Any]) -> WireError:
    """A gateway's error by name with its places filled in, or one described; `over` has the fields that a scenario sets itself."""
    known = _Known(
        {**FILL_INS, "provider": target.provider, "model": target.model, "key": default_key(target.provider)}
    )
    if name is None:
        base = WireError("the gateway refuses this request", 400)
    else:
        row = gateway_error(name, profile)
        base = WireError(
            row.message.format_map(known),
            row.status,
            type=row.type,
            error_type=row.error_type,
            code=row.code,
            cause=row.cause.format_map(known) if row.cause else None,
            is_bifrost_error=row.is_bifrost_error,
            classification=row.classification,
        )
    return replace(base, **over)


class _Known(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def local_error(profile: Profile, asked: Asked, error: WireError, route: Route | None = None) -> Outcome:
    """An error that no provider has a part in."""
    stream = asked.request.stream is True
    return error_outcome(
        profile,
        error,
        headers=asked.headers,
        stream=stream,
        draws=Draws(asked.seed, asked.fingerprint, asked.moment.occurrence),
        route=route,
    )


def error_outcome(
    profile: Profile,
    error: WireError,
    *,
    headers: RequestHeaders,
    stream: bool,
    draws: Draws,
    route: Route | None = None,
    provided: RawHeaders | None = None,
    at_s: float = 0.0,
    trail: tuple[Trace, ...] = (),
    stub: StubRef | None = None,
) -> Outcome:
    """An error of the gateway or handed on by it. Always a JSON body with a status: streams that fail have not begun."""
    latency_ms = round((trail[-1].took_s if trail else 0.0) * 1000) if route and route.provider else None
    head = wire_headers.base_headers(profile, wire_headers.JSON_TYPE, stream=False, origin=headers.first(b"origin"))
    head += _ids(profile, headers, draws)
    if provided:
        head = wire_headers.handed_on(head, provided)
    if route is not None:
        head += wire_headers.route_headers(profile, route, latency_ms=None)
    mold = error_mold(profile, error, route=route, latency_ms=latency_ms)
    status = http_status(profile, error, stream=stream)
    return Outcome(status, head, one_frame(mold, at_s), NO_VALUES, False, trail, stub)


def _ids(profile: Profile, headers: RequestHeaders, draws: Draws) -> RawHeaders:
    if not profile.request_id_headers:
        return []
    return wire_headers.id_headers(
        headers.first(b"x-request-id") or draws.uuid("request-id"), draws.hexadecimal("trace-id")
    )


def _refusal(conversation: Conversation) -> Failure | None:
    return refusal_of(conversation.request)


class _Journey:
    """One request on its way past its targets. Lives for one call of `decide`."""

    def __init__(
        self,
        asked: Asked,
        gateway: Gateway,
        provider: Provider,
        tally: Tally,
        explain: Explain,
        lenient: Provider | None,
    ) -> None:
        self.lenient = lenient
        self.asked = asked
        self.gateway = gateway
        self.profile = gateway.profile
        self.provider = provider
        self.tally = tally
        self.explain = explain
        self.conversation = asked.conversation
        self.stream = asked.request.stream is True
        self.trail: tuple[Trace, ...] = ()
        self.waited_s = 0.0
        self.primary: Target | None = None

    def travel(self, primary: Target) -> Outcome:
        """Ask the primary, then the fallbacks. Where all fail, the primary's error. Source: gateway-behaviour.md 1.3."""
        self.primary = primary
        first: Outcome | None = None
        targets: tuple[Target, ...] = (primary,)
        if self.asked.request.fallbacks:
            targets += parse_fallbacks(self.asked.request.fallbacks, self.gateway.providers)
        for fallback, target in enumerate(targets):
            outcome, goes_on = self.try_target(target, fallback)
            if not goes_on:
                return outcome
            first = first or outcome
        assert first is not None
        # The primary's error, when the last fallback has failed too: its own time and the whole trail.
        cast = one_frame(first.cast.whole, self.waited_s)
        return replace(first, cast=cast, trail=self.trail)

    def try_target(self, target: Target, fallback: int) -> tuple[Outcome, bool]:
        """Ask one target. True: it failed in a way that a fallback may mend."""
        attempt = self.attempt_at(target, fallback)
        validates = self.gateway.providers[target.provider].validates
        refused = self.conversation.once("refusal", _refusal) if validates else None
        if refused is not None:
            return self.failed(attempt, refused, None), True
        reached = self.provider.ask(attempt, self.tally)
        if reached is None:
            return self.missed(attempt), False
        if isinstance(reached.said, Broken):
            return self.broken(attempt, reached.said, reached.stub), False
        self.tally.adopt(reached.tally)
        return self.digest(attempt, reached)

    def missed(self, attempt: Attempt) -> Outcome:
        """Nothing answers: the mock's own error, or where it is lenient an answer that still counts as a miss."""
        message = self.explain(attempt)
        reached = self.lenient.ask(attempt, self.tally) if self.lenient is not None else None
        if reached is None:
            return self.broken(attempt, Broken("no_match", message), None)
        outcome, _goes_on = self.digest(attempt, reached)
        return replace(outcome, broken="no_match", message=message)

    def digest(self, attempt: Attempt, reached: Reached) -> tuple[Outcome, bool]:
        """What the gateway makes of what was said."""
        said = reached.said
        if isinstance(said, Answer):
            return self.answered(attempt, said, reached.stub), False
        if isinstance(said, Failure):
            return self.failed(attempt, said, reached.stub), True
        if isinstance(said, Refusal):
            return self.refused(attempt, said, reached.stub), not said.whole or attempt.fallback > 0
        assert isinstance(said, RawAnswer)
        return self.raw(attempt, said, reached.stub), False

    def attempt_at(self, target: Target, fallback: int) -> Attempt:
        """The attempt as providers see it: its moment is the request's plus what was waited so far."""
        asked = self.asked
        moment = asked.moment
        if self.waited_s:
            moment = replace(moment, elapsed_s=moment.elapsed_s + self.waited_s)
        draws = Draws(asked.seed, asked.fingerprint, moment.occurrence, target.provider)
        return Attempt(
            self.conversation,
            asked.headers,
            target.provider,
            target.model,
            moment,
            draws,
            default_key(target.provider),
            0,
            fallback,
        )

    def route(self, attempt: Attempt) -> Route:
        """The names that the gateway reports."""
        kind = "chat_completion_stream" if self.stream else "chat_completion"
        primary = self.primary
        if not attempt.fallback or primary is None:
            return Route(kind, attempt.provider, attempt.model, attempt.model, attempt.key or "")
        return Route(
            kind,
            attempt.provider,
            attempt.model,
            attempt.model,
            attempt.key or "",
            attempt.fallback,
            primary.provider,
            primary.model,
        )

    def answered(self, attempt: Attempt, answer: Answer, stub: StubRef | None) -> Outcome:
        """A good answer, plain or streamed."""
        origin = self.asked.headers.first(b"origin")
        cast = answer_cast(self.profile, self.route(attempt), answer, stream=self.stream, origin=origin)
        head = [*cast.head]
        if self.profile.request_id_headers:
            head += _ids(self.profile, self.asked.headers, attempt.draws)
        if answer.headers:
            head = wire_headers.handed_on(head, wire_headers.provider_headers(answer.headers))
        self.note(attempt, stub, "answer", 200, None, cast.times_s[-1])
        return Outcome(
            200,
            head,
            cast,
            values_of(answer),
            self.stream,
            self.trail,
            stub,
            waited_s=self.waited_s,
            speed=answer.draft.speed,
        )

    def failed(self, attempt: Attempt, failure: Failure, stub: StubRef | None) -> Outcome:
        """A provider's error, handed on."""
        self.note(attempt, stub, "error", failure.status, failure.type, failure.took_s)
        self.waited_s += failure.took_s
        outcome = error_outcome(
            self.profile,
            failure_error(failure),
            headers=self.asked.headers,
            stream=self.stream,
            draws=attempt.draws,
            route=self.route(attempt),
            provided=wire_headers.provider_headers(failure.headers),
            at_s=self.waited_s,
            trail=self.trail,
            stub=stub,
        )
        return replace(outcome, speed=failure.speed)

    def refused(self, attempt: Attempt, refusal: Refusal, stub: StubRef | None) -> Outcome:
        """The gateway's own error, for the request or for this target."""
        error = refusal_error(refusal.name, self.profile.name, Target(attempt.provider, attempt.model), refusal.over)
        status = http_status(self.profile, error, stream=self.stream)
        self.note(attempt, stub, "refusal", status, error.type or error.error_type, refusal.took_s)
        self.waited_s += refusal.took_s
        outcome = error_outcome(
            self.profile,
            error,
            headers=self.asked.headers,
            stream=self.stream,
            draws=attempt.draws,
            route=self.route(attempt),
            at_s=self.waited_s,
            trail=self.trail,
            stub=stub,
        )
        return replace(outcome, speed=refusal.speed)

    def raw(self, attempt: Attempt, raw: RawAnswer, stub: StubRef | None) -> Outcome:
        """Bytes that were written out: nothing is added."""
        cast = raw_cast(raw)
        self.note(attempt, stub, "raw", raw.status, None, cast.times_s[-1])
        head = [
            (name.lower().encode("latin-1", "replace"), wire_headers.header_value(value)) for name, value in raw.headers
        ]
        return Outcome(
            raw.status,
            head,
            cast,
            NO_VALUES,
            False,
            self.trail,
            stub,
            waited_s=self.waited_s,
            speed=raw.speed,
            end=raw.end,
            raw=True,
        )

    def broken(self, attempt: Attempt, broken: Broken, stub: StubRef | None) -> Outcome:
        """The mock's own error, which no client takes for a simulated one."""
        self.note(attempt, stub, "miss", MISS_STATUS, None, 0.0)
        return broken_outcome(
            self.profile, self.asked.headers, attempt.draws, broken.kind, broken.message, self.trail, stub
        )

    def note(
        self, attempt: Attempt, stub: StubRef | None, outcome: Ended, status: int, type_: str | None, took_s: float
    ) -> None:
        """One more line of the trail."""
        trace = Trace(
            attempt.provider,
            attempt.model,
            attempt.key,
            attempt.number,
            attempt.fallback,
            stub,
            outcome,
            status,
            type_,
            attempt.moment.elapsed_s,
            took_s,
        )
        self.trail += (trace,)


def broken_outcome(
    profile: Profile,
    headers: RequestHeaders,
    draws: Draws,
    kind: str,
    message: str,
    trail: tuple[Trace, ...] = (),
    stub: StubRef | None = None,
    status: int = MISS_STATUS,
) -> Outcome:
    """An error of the mock itself: in the gateway's envelope, so that clients show it, and marked, so that nobody takes it for one."""
    error = WireError(message, status, type=f"mockbifrost_{kind}", error_type=f"mockbifrost_{kind}", code=kind)
    outcome = error_outcome(profile, error, headers=headers, stream=False, draws=draws, trail=trail, stub=stub)
    outcome.headers.extend([(b"x-should-retry", b"false"), (b"x-mockbifrost-error", kind.encode())])
    return replace(outcome, broken=kind, message=message)
