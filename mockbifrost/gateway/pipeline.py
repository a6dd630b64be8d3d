"""The way of a request through the gateway: its own checks, then each target in turn, then the outcome. Pure: nothing is changed here.

Order: scenario-language.md, "Which stub answers"; gateway-behaviour.md 1 and 4.3.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final, TypeAlias

from mockbifrost.gateway.billing import Bill, bill_of, cached_bill, with_embedding
from mockbifrost.gateway.cache import Hit, Lookup, Used, hit_debug, lookup_of, miss_debug
from mockbifrost.gateway.configuration import Gateway, Key, ProviderRules, VirtualKey
from mockbifrost.gateway.denied import Denied
from mockbifrost.gateway.failures import failure_error
from mockbifrost.gateway.governance import admitted, target_denied
from mockbifrost.gateway.keys import STICKY_TTL_S, Pinned, Ring, keys_for, weighted
from mockbifrost.gateway.outcome import Cast, Charge, Ended, Outcome, Telling, Trace
from mockbifrost.gateway.refusals import (
    MISS_STATUS,
    NO_VALUES,
    broken_outcome,
    denied_error,
    error_outcome,
    marked_outcome,
    pending_outcome,
    refusal_error,
    request_ids,
)
from mockbifrost.gateway.render import (
    NOTHING_ADDED,
    Additions,
    answer_cast,
    cut_cast,
    one_frame,
    open_cast,
    raw_cast,
    values_of,
)
from mockbifrost.gateway.retries import Cause, Retries, judge
from mockbifrost.gateway.state import GatewayState
from mockbifrost.gateway.targets import Target, fallbacks_of, parse_model
from mockbifrost.gateway.upstream import Broke, Cuts, Hangs, NoChunks, hears, wire_error
from mockbifrost.match.attempt import Attempt, Moment
from mockbifrost.match.conversation import Conversation
from mockbifrost.provider.answer import Answer, Broken, Failure, Pending, RawAnswer, Refusal, Said, StubRef
from mockbifrost.provider.connection import ConnectionFault
from mockbifrost.provider.protocol import Provider, Reached
from mockbifrost.provider.tally import Tally
from mockbifrost.provider.validate import refusal_of
from mockbifrost.seeds import Draws
from mockbifrost.values import value
from mockbifrost.vocabulary.durations import header_seconds
from mockbifrost.wire import headers as wire_headers
from mockbifrost.wire.envelope import WireError, http_status
from mockbifrost.wire.extra_fields import Route
from mockbifrost.wire.headers import RawHeaders, RequestHeaders
from mockbifrost.wire.jsontypes import JsonObject
from mockbifrost.wire.mold import Mold
from mockbifrost.wire.request import ChatRequest
from mockbifrost.wire.upstream import raw_request_json


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


_OF_ANY_SCOPE: Final = (Refusal, Pending)
"""What may be about one target, or about the whole request."""
Explain = Callable[[Attempt], str]
Verdict: TypeAlias = "tuple[Outcome, bool]"
"""A response, and whether it is a failure that a fallback may mend."""


def decide(
    asked: Asked,
    gateway: Gateway,
    state: GatewayState,
    provider: Provider,
    tally: Tally,
    explain: Explain,
    lenient: Provider | None = None,
    begun: Collection[int] = (),
) -> Outcome:
    """The outcome of a request. What it counts is left in `tally`; `explain` says why nothing matched, when nothing did.

    `lenient` then answers in its place, and the outcome still says that nothing matched. `state` is only read. `begun` are the targets
    that were asked when this request was decided before: they are past their limits and their cache, whatever has happened since.
    """
    return _Journey(asked, gateway, state, provider, tally, explain, lenient, begun).travel()


def first_attempt(asked: Asked, gateway: Gateway) -> tuple[Attempt, Failure | None]:
    """The primary's first attempt as it would be made without pins and sessions, and what its provider would refuse before it."""
    target = parse_model(asked.request.model, gateway.providers)
    rules = gateway.providers.get(target.provider)
    refused = _refusal(asked.conversation) if rules is not None and rules.validates else None
    draws = Draws(asked.seed, asked.fingerprint, asked.moment.occurrence, target.provider)
    keys = keys_for(target.provider, rules, target.model, None) if rules is not None else Denied("no_keys")
    key = weighted(keys, draws).name if not isinstance(keys, Denied) else None
    return Attempt(asked.conversation, asked.headers, target.provider, target.model, asked.moment, draws, key), refused


def _refusal(conversation: Conversation) -> Failure | None:
    return refusal_of(conversation.request)


@value
class _Leg:
    """One target on the way: the rules of its provider, and the keys that may be used or why none may."""

    target: Target
    fallback: int
    rules: ProviderRules
    keys: tuple[Key, ...] | Denied


class _Journey:
    """One request on its way past its targets. Lives for one call of `decide`."""

    __slots__ = (
        "asked", "begun", "conversation", "explain", "gateway", "lenient", "marked", "pinned", "primary", "primary_headers", "profile",
        "provider", "state", "stream", "tally", "trail", "virtual_key", "waited_s",
    )  # fmt: skip

    def __init__(
        self,
        asked: Asked,
        gateway: Gateway,
        state: GatewayState,
        provider: Provider,
        tally: Tally,
        explain: Explain,
        lenient: Provider | None,
        begun: Collection[int],
    ) -> None:
        self.asked = asked
        self.begun = begun
        self.gateway = gateway
        self.profile = gateway.profile
        self.state = state
        self.provider = provider
        self.tally = tally
        self.explain = explain
        self.lenient = lenient
        self.conversation = asked.conversation
        self.stream = asked.request.stream is True
        self.marked = asked.headers.marked
        self.trail: tuple[Trace, ...] = ()
        self.waited_s = 0.0
        self.primary = parse_model(asked.request.model, gateway.providers)
        self.virtual_key: VirtualKey | None = None
        self.pinned: Pinned | None = None
        self.primary_headers: RawHeaders = []
        """The headers of the provider that came with the primary's failure."""

    @property
    def now_s(self) -> float:
        """The session's clock plus what this request has waited so far."""
        return self.asked.moment.elapsed_s + self.waited_s

    def travel(self) -> Outcome:
        """Ask the primary, then the fallbacks. Where all fail, the primary's error. Source: gateway-behaviour.md 1.3."""
        if "response_format_rejected" in self.gateway.quirks and self.asked.request.response_format is not None:
            # Refused where the body is decoded, before anything else. INFERRED: the words. Source: #619
            return self.local(WireError("Invalid JSON", 400, cause="type mismatch in the field response_format"))
        if self.marked or self.gateway.guarded:
            admission = admitted(self.gateway, self.asked.headers)
            if isinstance(admission, Denied):
                return self.local(denied_error(admission, self.profile.name, self.primary))
            self.virtual_key = admission
        primary = self.primary
        if not primary.provider or not primary.model:
            name = "no_model" if primary.provider else "no_provider"
            return self.local(refusal_error(name, self.profile.name, primary, {}))
        outcome, goes_on = self.try_target(primary, 0)
        if goes_on:
            outcome = self.fall_back(outcome)
        if self.virtual_key is not None or self.pinned is not None:
            outcome = replace(outcome, virtual_key=self.virtual_key, pinned=self.pinned)
        return outcome

    def fall_back(self, first: Outcome) -> Outcome:
        """The primary has failed: each fallback in turn, each a fresh request."""
        from_settings = not self.asked.request.fallbacks
        if from_settings and first.status < 500 and "no_settings_fallback_on_refusal" in self.gateway.quirks:
            return first
        targets = fallbacks_of(self.asked.request.fallbacks, self.primary, self.gateway)
        for fallback, target in enumerate(targets, 1):
            outcome, goes_on = self.try_target(target, fallback)
            if not goes_on:
                if "header_leak_on_fallback" in self.gateway.quirks:
                    leaked = wire_headers.handed_on(self.primary_headers, outcome.headers)
                    outcome.headers.extend([pair for pair in leaked if pair not in outcome.headers])
                return outcome
        # The primary's error, when the last fallback has failed too: after all the time, with the whole trail.
        return replace(first, cast=one_frame(first.cast.whole, self.waited_s), trail=self.trail)

    def local(self, error: WireError) -> Outcome:
        """An error that no provider has a part in."""
        asked = self.asked
        draws = Draws(asked.seed, asked.fingerprint, asked.moment.occurrence)
        return error_outcome(self.profile, error, headers=asked.headers, stream=self.stream, draws=draws)

    # ------------------------------------------------------------------------------------------------------ one target

    def try_target(self, target: Target, fallback: int) -> Verdict:
        """Ask one target. True: it failed in a way that a fallback may mend."""
        rules = self.gateway.providers.get(target.provider)
        if rules is None:
            attempt = self.attempt_at(_Leg(target, fallback, ProviderRules(), ()), 0, None)
            text = f"failed to get config for provider {target.provider}: not found"
            return self.refused_by(attempt, WireError(text, cause=text), None), True
        leg = self.leg(target, fallback, rules)
        key = self.first_key(leg)
        attempt = self.attempt_at(leg, 0, key)
        reached = self.provider.ask(attempt, self.tally)  # a peek: nothing is counted before it is adopted
        said = reached.said
        scripted = isinstance(said, Answer) and said.cache is not None
        if not fallback and (isinstance(said, RawAnswer) or (isinstance(said, _OF_ANY_SCOPE) and said.whole)):
            self.tally.adopt(reached.tally)
            if isinstance(said, RawAnswer):
                return self.raw(attempt, said, reached.stub), False
            if isinstance(said, Pending):
                return self.pending(attempt, said, reached.stub), False
            return self.refused(attempt, said, reached.stub), False
        if self.virtual_key is not None and fallback not in self.begun:
            denied = target_denied(self.virtual_key, self.state.limits, target.provider, target.model, self.now_s)
            if denied is not None:  # before a key is chosen
                return self.denied(replace(attempt, key=None), denied), denied.scope == "target"
        lookup: Lookup | None = None
        if self.marked or self.gateway.cache.default_key is not None or scripted:
            lookup, hit = self.from_cache(attempt, reached)
            if hit is not None:
                return hit, False
        if key is None or isinstance(leg.keys, Denied):
            return self.denied(attempt, leg.keys if isinstance(leg.keys, Denied) else Denied("no_keys")), True
        return self.attempts(leg, key, attempt, reached, lookup)

    def leg(self, target: Target, fallback: int, rules: ProviderRules) -> _Leg:
        """The target with its keys. Pins hold for the primary only. Source: gateway-behaviour.md 1.1."""
        pins = self.asked.headers if self.marked and not fallback else None
        keys = rules.keys
        if pins is not None or not rules.sole_key:
            return _Leg(target, fallback, rules, keys_for(target.provider, rules, target.model, pins))
        return _Leg(target, fallback, rules, keys)

    def first_key(self, leg: _Leg) -> Key | None:
        """The key of the first try: that of the sticky session, else one by weight."""
        keys = leg.keys
        if isinstance(keys, Denied):
            return None
        session = self.asked.headers.first(b"x-bf-session-id") if self.marked and not leg.fallback else None
        if not session:
            return keys[0] if len(keys) == 1 else weighted(keys, self.draws(leg.target, 0))
        provider = leg.target.provider
        known = self.state.sticky.find(session, provider, self.now_s)
        key = next((key for key in keys if key.name == known), None) or weighted(keys, self.draws(leg.target, 0))
        ttl_s = header_seconds(self.asked.headers.first(b"x-bf-session-ttl") or "") or STICKY_TTL_S
        self.pinned = Pinned(session, provider, key.name, self.now_s + ttl_s)
        return key

    def draws(self, target: Target, number: int) -> Draws:
        """What may be drawn for a try."""
        asked = self.asked
        return Draws(asked.seed, asked.fingerprint, asked.moment.occurrence, target.provider, number)

    def attempt_at(self, leg: _Leg, number: int, key: Key | None) -> Attempt:
        """The attempt as providers see it: its moment is the request's plus what was waited so far."""
        asked, target = self.asked, leg.target
        moment = asked.moment
        if self.waited_s:
            moment = replace(moment, elapsed_s=moment.elapsed_s + self.waited_s)
        return Attempt(
            self.conversation,
            asked.headers,
            target.provider,
            target.model,
            moment,
            self.draws(target, number),
            key.name if key is not None else None,
            number,
            leg.fallback,
            self.virtual_key.name if self.virtual_key is not None else None,
            key.aliases.get(target.model) if key is not None and key.aliases else None,
        )

    # ------------------------------------------------------------------------------------------------------- the cache

    def from_cache(self, attempt: Attempt, reached: Reached) -> tuple[Lookup | None, Outcome | None]:
        """The look-up that this target makes, and the answer where it is stored, or where the stub says so."""
        gateway, said = self.gateway, reached.said
        script = said.cache if isinstance(said, Answer) else None
        rules = gateway.cache
        if script is not None:  # the stub decides, whatever the settings are
            key = rules.default_key or "scripted"
            rules = replace(rules, enabled=True, semantic=True, default_key=key, conversation_history_threshold=1 << 62)
        lookup = lookup_of(
            rules, self.conversation, self.asked.headers, attempt.provider, attempt.model, quirks=gateway.quirks
        )
        if lookup is None:
            return None, None
        if script is None or not isinstance(said, Answer):
            found = self.state.cache.find(lookup, self.now_s) if attempt.fallback not in self.begun else None
            return lookup, None if found is None else self.cached(attempt, lookup, found, None)
        if script.hit is None:
            return lookup, None
        self.tally.adopt(reached.tally)
        near = (script.similarity, lookup.threshold) if script.hit == "semantic" else (None, None)
        hit = Hit(script.hit, lookup.id, said, attempt.provider, attempt.model, *near)
        return lookup, self.cached(attempt, lookup, hit, reached.stub)

    def cached(self, attempt: Attempt, lookup: Lookup, hit: Hit, stub: StubRef | None) -> Outcome:
        """A stored answer: the same ids, words and usage, without any wait. Source: gateway-behaviour.md 2.5, 2.7."""
        if hit.used is not None:  # what is stored says whose it was
            attempt = replace(attempt, key=hit.used.key, deployment=hit.used.deployment)
        debug = hit_debug(self.profile, lookup, hit)
        bill = cached_bill(self.gateway, attempt.provider, attempt.model, hit.answer)
        if hit.kind == "semantic":
            bill = with_embedding(self.gateway, bill, lookup)
        outcome = self.sent(attempt, hit.answer, stub, bill, debug, cached=True)
        charge = Charge(attempt.provider, attempt.model, dollars=bill.dollars, cached=True)
        cast = outcome.cast.without_waits()
        if "null_body_on_cache_hit" in self.gateway.quirks and hit.kind == "direct" and not self.stream:
            cast = one_frame(Mold((b"null",), ()))  # as across two APIs. Source: gateway-behaviour.md 2.8, kairo 086
        return replace(outcome, cast=cast, charge=charge, speed=None)

    # ---------------------------------------------------------------------------------------------------- the attempts

    def attempts(self, leg: _Leg, key: Key, attempt: Attempt, reached: Reached, lookup: Lookup | None) -> Verdict:
        """Try until a try succeeds or no further one can help. Source: gateway-behaviour.md 1.5."""
        retries: Retries | None = None
        while True:
            refused = self.conversation.once("refusal", _refusal) if leg.rules.validates else None
            found = refused if refused is not None else self.digest(leg, attempt, reached, lookup)
            if isinstance(found, tuple):
                return found
            stub = reached.stub if refused is None else None
            self.note_failure(attempt, found, stub)
            if retries is None:
                assert not isinstance(leg.keys, Denied)  # there is a key
                network = not (self.stream and self.retries_no_streams)
                retries = Retries(leg.rules, Ring(leg.keys, key), self.profile, network=network)
            reset = isinstance(found, Broke) and found.at_once
            next_ = retries.after(self.judged(found), self.draws(leg.target, attempt.number + 1), at_once=reset)
            if next_ == "exhausted":
                sums_up = denied_error(Denied("credentials_exhausted"), self.profile.name, leg.target)
                return self.error(attempt, sums_up, stub, []), True
            if next_ == "give_up":
                speed = _speed_of(reached.said) if refused is None else None
                outcome = replace(self.failed(attempt, found, stub), speed=speed)
                return outcome, self.goes_on_after(attempt, found)
            self.waited_s += next_.wait_s
            attempt = self.attempt_at(leg, attempt.number + 1, next_.key)
            reached = self.provider.ask(attempt, self.tally)

    @property
    def retries_no_streams(self) -> bool:
        """Whether a stream whose set-up fails in the network is not retried. Source: gateway-behaviour.md 1.5, #4496."""
        return self.profile.name == "1.6" or "no_retry_of_streams" in self.gateway.quirks

    def judged(self, failure: Failure | Broke) -> Cause:
        """What kind of failure it is."""
        said = _said_by_provider(failure)
        if said is not None:
            return judge(said, self.profile)
        assert isinstance(failure, Broke)
        if failure.kind == "network":
            return "network"
        status = failure.error.status_code
        if failure.kind == "timeout" or failure.error.is_bifrost_error or status is None:
            return "never"
        return judge(Failure(status, failure.error.message), self.profile)

    def goes_on_after(self, attempt: Attempt, failure: Failure | Broke) -> bool:
        """Whether fallbacks follow: after every error but a cancelled request. Source: gateway-behaviour.md 1.2."""
        said = _said_by_provider(failure)
        callers_fault = said is not None and said.status in (400, 422) and said.shape == "openai"
        return not (callers_fault and not attempt.fallback and "no_fallback_on_caller_fault" in self.gateway.quirks)

    def digest(self, leg: _Leg, attempt: Attempt, reached: Reached, lookup: Lookup | None) -> Verdict | Failure | Broke:
        """What the gateway makes of what was said: a response, or a failure that may be retried."""
        said, stub = reached.said, reached.stub
        if isinstance(said, Answer):
            self.tally.adopt(reached.tally)
            heard = hears(self.profile, leg.rules, self.gateway.quirks, said, stream=self.stream)
            if heard is None:
                return self.answered(attempt, said, stub, lookup), False
            return heard if isinstance(heard, Broke) else (self.cut(attempt, said, heard, stub), False)
        if isinstance(said, Broken):  # what the mock could not do is not counted
            return self.broken(attempt, said, stub), False
        self.tally.adopt(reached.tally)
        if isinstance(said, Failure):
            return said
        if said is None:
            return self.missed(attempt), False
        if isinstance(said, Refusal):
            refused = self.refused(attempt, said, stub)
            return refused, refused.trail[-1].type != "request_cancelled"
        if isinstance(said, RawAnswer):
            return self.raw(attempt, said, stub), False
        if isinstance(said, Pending):
            return self.pending(attempt, said, stub), False
        heard = hears(self.profile, leg.rules, self.gateway.quirks, said, stream=self.stream)
        assert heard is not None  # a fault alone is always heard
        return heard if isinstance(heard, Broke) else (self.cut(attempt, None, heard, stub), False)

    def answered(self, attempt: Attempt, answer: Answer, stub: StubRef | None, lookup: Lookup | None) -> Outcome:
        """A good answer, plain or streamed."""
        debug = miss_debug(self.profile, lookup) if lookup is not None else None
        bill = bill_of(self.gateway, attempt.provider, attempt.model, answer)
        if lookup is not None:
            bill = with_embedding(self.gateway, bill, lookup)
        outcome = self.sent(attempt, answer, stub, bill, debug)
        if lookup is not None and lookup.stores and answer.cache is None and not answer.open:
            outcome = replace(outcome, stored=(lookup, answer, Used(attempt.key, attempt.deployment)))
        return outcome

    def sent(
        self,
        attempt: Attempt,
        answer: Answer,
        stub: StubRef | None,
        bill: Bill,
        debug: JsonObject | None,
        *,
        cached: bool = False,
    ) -> Outcome:
        """The response that carries an answer; `cached`: one that was given before, so that nothing is waited for."""
        route = self.route(attempt)
        added = NOTHING_ADDED
        if self.marked or debug is not None or answer.headers or self.gateway.shows_raw:
            added = self.additions(attempt, answer, debug, cached=cached)
        origin = self.asked.headers.first(b"origin")
        telling: Telling | None = None
        if answer.open:
            cast, telling = open_cast(self.gateway, route, answer, values_of(answer, None), origin=origin, added=added)
        else:
            cast = answer_cast(
                self.gateway,
                route,
                answer,
                stream=self.stream,
                origin=origin,
                priced=bill.json is not None,
                added=added,
            )
        self.note(attempt, stub, "cached" if cached else "answer", 200, None, 0.0 if cached else cast.times_s[-1])
        return Outcome(
            200,
            self.head(cast, attempt, answer),
            cast,
            values_of(answer, bill.json),
            self.stream,
            self.trail,
            stub,
            waited_s=self.waited_s,
            speed=answer.draft.speed,
            end="hold" if self.stream and "done_then_open" in self.gateway.quirks else "clean",
            charge=_charge(attempt, bill),
            cache=debug,
            telling=telling,
        )

    def head(self, cast: Cast, attempt: Attempt, answer: Answer) -> RawHeaders:
        """The headers of an answer: those that its cast has, the request's ids, the provider's."""
        head = [*cast.head]
        if self.profile.request_id_headers:
            head += request_ids(self.profile, self.asked.headers, attempt.draws)
        if answer.headers:
            head = wire_headers.handed_on(head, wire_headers.provider_headers(answer.headers))
        return head

    def additions(
        self, attempt: Attempt, answer: Answer, debug: JsonObject | None, *, cached: bool = False
    ) -> Additions:
        """What extra_fields carries beside the route and the times."""
        gateway = self.gateway
        raw_request = self.switched(b"x-bf-send-back-raw-request", gateway.raw_request)
        raw_response = self.switched(b"x-bf-send-back-raw-response", gateway.raw_response)
        handed_on = {}
        if answer.headers and not self.stream and not self.profile.documented_model_names:
            handed_on = wire_headers.decoded(wire_headers.provider_headers(answer.headers))
        if debug is None and not raw_request and not raw_response and not handed_on:
            return NOTHING_ADDED
        if debug is not None and self.stream and "no_cache_debug_on_streams" in gateway.quirks:
            debug = None
        return Additions(
            self.raw_request(attempt) if raw_request else None, raw_response, debug, cached, handed_on or None
        )

    def raw_request(self, attempt: Attempt) -> JsonObject:
        """What was sent to the provider."""
        return raw_request_json(self.conversation.body, attempt.served_model, stream=self.stream)

    def switched(self, header: bytes, default: bool) -> bool:
        """A switch that a header turns on; since 2.0 off as well. Source: wire.md 7."""
        if not self.marked:
            return default
        text = (self.asked.headers.first(header) or "").strip().lower()
        if text in ("true", "1", "t"):
            return True
        return default and not (text in ("false", "0", "f") and self.profile.name != "1.6")

    # --------------------------------------------------------------------------------------------------- how it may end

    def cut(
        self, attempt: Attempt, answer: Answer | None, heard: Cuts | NoChunks | Hangs, stub: StubRef | None
    ) -> Outcome:
        """A stream that went on for a while, one without chunks, or one that never begins and never ends."""
        added = self.additions(attempt, answer, None) if answer is not None else NOTHING_ADDED
        origin = self.asked.headers.first(b"origin")
        cast = cut_cast(self.gateway, self.route(attempt), answer, heard, origin=origin, added=added)
        error = heard.error if isinstance(heard, Cuts) else None
        self.note(attempt, stub, "error" if error is not None else "answer", 200, _type_of(error), cast.times_s[-1])
        outcome = Outcome(
            200,
            self.head(cast, attempt, answer) if answer is not None else [*cast.head],
            cast,
            values_of(answer, None) if answer is not None else NO_VALUES,
            True,
            self.trail,
            stub,
            waited_s=self.waited_s,
            speed=answer.draft.speed if answer is not None else None,
            end="hold" if isinstance(heard, Hangs) else "clean",
            cut=_is_cut(answer, heard),
        )
        if answer is None or not isinstance(heard, Cuts):
            return outcome
        if error is None:  # an end that looks good, without a usage: nothing that could be charged
            return replace(outcome, charge=Charge(attempt.provider, attempt.model))
        bill = bill_of(self.gateway, attempt.provider, attempt.model, answer)
        content = [delta.is_content for delta in answer.draft.deltas]
        share = sum(content[: heard.kept]) / (sum(content) or 1)
        return replace(outcome, charge=_charge(attempt, bill).part(share))

    def failed(self, attempt: Attempt, failure: Failure | Broke, stub: StubRef | None) -> Outcome:
        """A provider's error handed on, or the gateway's own about its connection."""
        said = _said_by_provider(failure)
        error = failure.error if isinstance(failure, Broke) else failure_error(failure)
        provided = wire_headers.provider_headers(said.headers) if said is not None else []
        if not attempt.fallback:
            self.primary_headers = provided
        return self.error(attempt, error, stub, provided)

    def refused(self, attempt: Attempt, refusal: Refusal, stub: StubRef | None) -> Outcome:
        """The gateway's own error as a stub scripts it, for the request or for this target."""
        fills = {"virtual_key": self.virtual_key.name} if self.virtual_key is not None else {}
        target = Target(attempt.provider, attempt.model)
        error = refusal_error(refusal.name, self.profile.name, target, refusal.over, fills)
        outcome = self.refused_by(attempt, error, stub, refusal.took_s)
        return replace(outcome, speed=refusal.speed)

    def denied(self, attempt: Attempt, denied: Denied, stub: StubRef | None = None) -> Outcome:
        """A refusal by one of the gateway's rules."""
        error = denied_error(denied, self.profile.name, Target(attempt.provider, attempt.model))
        return self.refused_by(attempt, error, stub)

    def refused_by(self, attempt: Attempt, error: WireError, stub: StubRef | None, took_s: float = 0.0) -> Outcome:
        """An error of the gateway's own about this target."""
        status = http_status(self.profile, error, stream=self.stream)
        self.note(attempt, stub, "refusal", status, _type_of(error), took_s)
        self.waited_s += took_s
        return self.error(attempt, error, stub, [])

    def error(self, attempt: Attempt, error: WireError, stub: StubRef | None, provided: RawHeaders) -> Outcome:
        """The response that carries an error, after all that was waited."""
        raw = self.switched(b"x-bf-send-back-raw-request", self.gateway.raw_request)
        return error_outcome(
            self.profile,
            error,
            headers=self.asked.headers,
            stream=self.stream,
            draws=attempt.draws,
            route=self.route(attempt),
            provided=provided,
            at_s=self.waited_s,
            trail=self.trail,
            stub=stub,
            additions={"raw_request": self.raw_request(attempt)} if raw else None,
        )

    def raw(self, attempt: Attempt, raw: RawAnswer, stub: StubRef | None) -> Outcome:
        """Bytes that were written out: nothing is added."""
        cast = raw_cast(raw)
        self.note(attempt, stub, "raw", raw.status, None, cast.times_s[-1])
        return Outcome(
            raw.status,
            wire_headers.encoded(raw.headers),
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

    def missed(self, attempt: Attempt) -> Outcome:
        """Nothing answers: the mock's own error, or where it is lenient an answer that still counts as a miss."""
        message = self.explain(attempt)
        reached = self.lenient.ask(attempt, self.tally) if self.lenient is not None else None
        if reached is None or not isinstance(reached.said, Answer):
            return self.broken(attempt, Broken("no_match", message), None)
        outcome = self.answered(attempt, reached.said, reached.stub, None)
        return replace(outcome, broken="no_match", message=message)

    def broken(self, attempt: Attempt, broken: Broken, stub: StubRef | None) -> Outcome:
        """The mock's own error, which no client takes for a simulated one."""
        if broken.kind == "upstream":
            return self.unreached(attempt, broken, stub)
        self.note(attempt, stub, "miss", MISS_STATUS, None, 0.0)
        return broken_outcome(
            self.profile, self.asked.headers, attempt.draws, broken.kind, broken.message, self.trail, stub
        )

    def unreached(self, attempt: Attempt, broken: Broken, stub: StubRef | None) -> Outcome:
        """A gateway that could not be asked: told as a gateway would, with a word on who it was, and marked as the mock's own."""
        error = wire_error(self.profile, broken.error, broken.message)
        error = replace(error, message=f"{error.message.rstrip('.')}. {broken.message}")
        self.waited_s += broken.took_s
        status = http_status(self.profile, error, stream=self.stream)
        self.note(attempt, stub, "miss", status, _type_of(error), broken.took_s)
        return marked_outcome(self.error(attempt, error, stub, []), broken.kind, broken.message)

    def pending(self, attempt: Attempt, pending: Pending, stub: StubRef | None) -> Outcome:
        """Nothing can be said before an upstream has been asked."""
        return pending_outcome(
            attempt, self.trail, stub, stream=self.stream, waited_s=self.waited_s, whole=pending.whole
        )

    # ------------------------------------------------------------------------------------------------------- the trail

    def route(self, attempt: Attempt) -> Route:
        """The names that the gateway reports."""
        fallback = attempt.fallback
        return Route(
            "chat_completion_stream" if self.stream else "chat_completion",
            attempt.provider,
            attempt.model,
            attempt.served_model,
            attempt.key or "",
            fallback,
            self.primary.provider if fallback else "",
            self.primary.model if fallback else "",
        )

    def note_failure(self, attempt: Attempt, failure: Failure | Broke, stub: StubRef | None) -> None:
        """One more line of the trail, and the time that it took."""
        if isinstance(failure, Failure):
            status, type_ = failure.status, failure.type
        else:
            status, type_ = http_status(self.profile, failure.error, stream=self.stream), _type_of(failure.error)
        self.note(attempt, stub, "error", status, type_, failure.took_s)
        self.waited_s += failure.took_s

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


def _is_cut(answer: Answer | None, heard: Cuts | NoChunks | Hangs) -> bool:
    """Whether the stream ends before anything has said why the answer does."""
    if isinstance(heard, Hangs):
        return False
    kept = heard.kept if isinstance(heard, Cuts) else 0
    return answer is None or not any(delta.finish_reason for delta in answer.draft.deltas[:kept])


def _said_by_provider(failure: Failure | Broke) -> Failure | None:
    """What the provider itself said, where it was its error and not its connection's."""
    return failure if isinstance(failure, Failure) else failure.failure


def _type_of(error: WireError | None) -> str | None:
    return (error.type or error.error_type) if error is not None else None


def _charge(attempt: Attempt, bill: Bill) -> Charge:
    return Charge(
        attempt.provider,
        attempt.model,
        bill.prompt_tokens,
        bill.completion_tokens,
        bill.total_tokens,
        bill.dollars,
        bill.output_dollars,
    )


def _speed_of(said: Said | None) -> float | None:
    """The speed that a stub has for itself."""
    if isinstance(said, Answer):
        return said.draft.speed
    return said.speed if isinstance(said, Failure | ConnectionFault) else None
