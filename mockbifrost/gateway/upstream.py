"""What the gateway makes of a provider's connection that breaks, stalls or is late. Pure; time is scripted.

Sources: wire.md 4.6, 6.3 and 12; gateway-behaviour.md 1.5 to 1.7, 6 and 9. INFERRED: a fault of streams breaks a plain answer in its
own way (cut: the body ends early; malformed: no JSON; an event with an error: that error; stall: late, or never), where the answer gets
to its place; a place that it never gets to breaks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

from mockbifrost.gateway.configuration import ProviderRules
from mockbifrost.gateway.failures import failure_error
from mockbifrost.provider.answer import Answer, Draft, Failure
from mockbifrost.provider.connection import ConnectionFault, cut_at
from mockbifrost.values import value
from mockbifrost.vocabulary.connection_errors import connection_error
from mockbifrost.wire.chunk import Delta, forwarded
from mockbifrost.wire.envelope import WireError
from mockbifrost.wire.profiles import Profile

BrokeKind = Literal["network", "timeout", "bad_response", "provider"]

_RESET: Final = "connection reset by peer"
_EOF: Final = "unexpected EOF"


@value
class Broke:
    """The attempt failed before anything was sent: the error in the gateway's words, `took_s` scripted seconds after it began.

    `network` is retried; `timeout` never is, but falls back; `bad_response` as its status says, never where it is a Bifrost error;
    `provider` is an error that the provider itself said, `failure`, to be judged as any other. `at_once`: the transport asks once more
    before anybody hears of it, which spends no retry. Source: gateway-behaviour.md 1.5, wire.md 12.
    """

    error: WireError
    took_s: float
    kind: BrokeKind
    at_once: bool = False
    failure: Failure | None = None


@value
class Cuts:
    """A stream that ends before its time: the first `kept` increments are sent.

    At `at_s`, scripted seconds after the attempt began, follows `error` in a frame of its own, after which the body ends without
    `[DONE]`; None: the end of a good stream, a last chunk without tokens and `[DONE]`. Source: wire.md 4.6, #5546.
    """

    kept: int
    at_s: float
    error: WireError | None = None


@value
class NoChunks:
    """A good stream without a chunk: `[DONE]` alone, at `at_s`. Source: gateway-behaviour.md 1.6."""

    at_s: float


@value
class Hangs:
    """Nothing is ever sent, not even a status: the client waits until it leaves. Source: INFERRED from #7034."""


Heard = Broke | Cuts | NoChunks | Hangs


def hears(
    profile: Profile, rules: ProviderRules, quirks: frozenset[str], said: Answer | ConnectionFault, *, stream: bool
) -> Heard | None:
    """What becomes of an answer, or of none, over its connection; None: all is well, and the answer is as it is.

    An answer that is merely late, within the timeouts, is well: its times say so.
    """
    if isinstance(said, ConnectionFault):
        return _Connection(profile, rules, quirks, said, stream).hears((), said.took_s, answered=False)
    draft = said.draft
    if said.fault is None and _in_time(draft, rules, stream):
        return None
    return _Connection(profile, rules, quirks, said.fault, stream).hears(draft.deltas, draft.latency_s, answered=True)


def _in_time(draft: Draft, rules: ProviderRules, stream: bool) -> bool:
    """Whether it ends before any timeout could matter: a look at its end, for most answers."""
    if not stream:
        return draft.latency_s <= rules.timeout_s
    end_s = draft.deltas[-1].at_s if draft.deltas else 0.0
    return end_s <= rules.timeout_s and end_s <= rules.stream_idle_timeout_s


class _Connection:
    """One attempt's connection, as the gateway hears it. Lives for one call of `hears`."""

    def __init__(
        self,
        profile: Profile,
        rules: ProviderRules,
        quirks: frozenset[str],
        fault: ConnectionFault | None,
        stream: bool,
    ) -> None:
        self.profile = profile
        self.rules = rules
        self.quirks = quirks
        self.fault = fault
        self.is_stream = stream

    def hears(self, deltas: Sequence[Delta], latency_s: float, *, answered: bool) -> Heard | None:
        """What comes first: the timeout of the whole, or the fault."""
        fault = self.fault
        took_s = fault.took_s if fault is not None else 0.0
        heard = self.at_the_door(fault, answered) if fault is not None else None
        if heard is not None:
            first_s = took_s
        elif self.is_stream:
            first_s = deltas[0].at_s if deltas else took_s
            heard = self.stream(deltas, first_s)
        else:
            first_s = latency_s
            heard = self.plain(deltas, latency_s)
        return heard if first_s <= self.rules.timeout_s or self.waits else self.silence()

    def at_the_door(self, fault: ConnectionFault, answered: bool) -> Heard | None:
        """Faults that leave nothing of an answer; None: it is none of these."""
        kind, took_s, stream = fault.kind, fault.took_s, self.is_stream
        if kind == "no_response":
            return self.silence()
        if kind == "reset":
            return Broke(self.error("request_failed", fault.cause or _RESET), took_s, "network", at_once=True)
        if kind == "empty" and stream:
            return NoChunks(took_s)
        if kind == "html":
            return self.failed(Failure(fault.status, "", shape="html", took_s=took_s, speed=fault.speed))
        name = {"empty": "empty_response", "not_json": "undecodable"}.get(kind)
        if kind == "not_sse" and (stream or not answered):
            name = "not_a_stream" if stream else "empty_response"
        return Broke(self.error(name), took_s, "bad_response") if name is not None else None

    def plain(self, deltas: Sequence[Delta], latency_s: float) -> Heard | None:
        """A plain answer, which comes whole or not at all."""
        fault = self.fault
        if fault is None or (fault.kind != "truncated" and not self.reaches(deltas, fault)):
            return None
        if fault.kind in ("truncated", "cut"):
            cause = fault.cause or (_RESET if fault.how == "reset" else _EOF)
            return Broke(self.error("request_failed", cause), latency_s, "network")
        if fault.kind == "malformed":
            return Broke(self.error("undecodable"), latency_s, "bad_response")
        if fault.kind == "error_event":
            return self.failed(_failure(fault, latency_s))
        return self.silence() if fault.for_s is None else None

    def reaches(self, deltas: Sequence[Delta], fault: ConnectionFault) -> bool:
        """Whether the answer gets to the place of the fault, where it has one."""
        return fault.has_place and (fault.place.is_start or cut_at(deltas, fault.place) is not None)

    def stream(self, deltas: Sequence[Delta], first_s: float) -> Heard | None:
        """A stream that has begun in time: a silence that is too long, or the fault."""
        kept = self.kept(deltas)
        came = deltas if kept is None else deltas[:kept]
        for number in range(1, len(came)):
            if came[number].at_s - came[number - 1].at_s > self.rules.stream_idle_timeout_s:
                return self.idle(deltas[:number])
        fault = self.fault
        if kept is None or fault is None:
            return None
        at_s = came[-1].at_s if came else first_s
        if fault.kind == "stall":
            return self.idle(came) if came else self.silence()
        if fault.kind == "malformed":
            return self.ends(came, at_s, self.error("undecodable"), "bad_response")
        if fault.kind == "error_event":
            broke = self.failed(_failure(fault, at_s))
            in_band = replace(broke.error, status_code=None)  # it has none in a stream. Source: wire.md 4.6, INFERRED
            return Cuts(kept, at_s, in_band) if self.sends(came) else broke
        if fault.how == "reset":
            return self.ends(came, at_s, self.error("read_failed", fault.cause or _RESET), "network")
        said_why = any(delta.finish_reason is not None for delta in came)  # an answer that was cut for real may not
        return self.closed(came, at_s, whole=said_why and kept == len(deltas), fault=fault)

    def kept(self, deltas: Sequence[Delta]) -> int | None:
        """How many increments come before the fault; None: it never happens, or has only made the answer later."""
        fault = self.fault
        if fault is None or fault.kind in ("slow", "no_done") or (fault.kind == "stall" and fault.for_s is not None):
            return None
        if fault.kind == "malformed" and "skips_malformed_chunks" in self.quirks:
            return None
        return cut_at(deltas, fault.place) if deltas else 0

    def closed(self, came: Sequence[Delta], at_s: float, *, whole: bool, fault: ConnectionFault) -> Heard | None:
        """The provider hangs up. Once it has said why it ends, nothing is missing but the usage. Source: wire.md 4.6 and 12."""
        if whole:
            return Cuts(len(came), at_s) if fault.place.kind == "usage" else None
        if self.profile.name == "1.6" or "upstream_death_is_success" in self.quirks:
            return Cuts(len(came), at_s) if self.sends(came) else NoChunks(at_s)
        return self.ends(came, at_s, self.error("closed_early"), "network")

    def idle(self, came: Sequence[Delta]) -> Heard:
        """Silence after these, for longer than the gateway waits."""
        at_s = came[-1].at_s + self.rules.stream_idle_timeout_s
        return self.ends(came, at_s, self.error("stream_idle"), "timeout")

    def ends(self, came: Sequence[Delta], at_s: float, error: WireError, kind: BrokeKind) -> Heard:
        """An error in the stream, or in place of one that has not begun. Source: gateway-behaviour.md 1.6."""
        return Cuts(len(came), at_s, error) if self.sends(came) else Broke(error, at_s, kind)

    def sends(self, came: Sequence[Delta]) -> bool:
        """Whether the client has been sent any of these."""
        role_too = "no_role_delta" not in self.quirks
        return any(forwarded(self.profile, delta) and (delta.is_content or role_too) for delta in came)

    def failed(self, failure: Failure) -> Broke:
        """What the provider itself said."""
        return Broke(failure_error(failure), failure.took_s, "provider", failure=failure)

    @property
    def waits(self) -> bool:
        """Whether it waits for a silent provider without end. Source: #7034; of one that is late INFERRED."""
        return "silent_upstream_hangs" in self.quirks or (self.is_stream and self.profile.name == "1.6")

    def silence(self) -> Heard:
        """Nothing comes for longer than the gateway waits. Source: gateway-behaviour.md 1.7; the quirk #2412."""
        if self.waits:
            return Hangs()
        error = self.error("provider_timeout")
        if "timeout_is_500" in self.quirks:
            error = replace(error, status_code=None, error_type=None)
        return Broke(error, self.rules.timeout_s, "timeout")

    def error(self, name: str, cause: str = "") -> WireError:
        """One of the gateway's errors about a connection, in the words of the profile."""
        return wire_error(self.profile, name, cause)


def wire_error(profile: Profile, name: str, cause: str) -> WireError:
    """One of the gateway's errors about a connection, in the words of a profile. Raises KeyError."""
    row = connection_error(name, profile.name)
    return WireError(
        row.message.format(cause=cause),
        row.status,
        error_type=row.error_type,
        cause=row.cause.format(cause=cause) if row.cause else None,
        is_bifrost_error=row.is_bifrost_error,
        classification=row.classification,
    )


def _failure(fault: ConnectionFault, took_s: float) -> Failure:
    """The error of an event, as if it were an answer of its own."""
    row = fault.error
    assert row is not None  # an event with an error has one
    return Failure(row.status, row.message, row.type, row.code, row.param, took_s=took_s, speed=fault.speed)
