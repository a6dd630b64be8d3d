"""Responses that are errors: the gateway's own, a provider's handed on, and those of the mock itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from mockbifrost.gateway.configuration import default_key
from mockbifrost.gateway.denied import Denied
from mockbifrost.gateway.outcome import Outcome, Trace
from mockbifrost.gateway.render import one_frame
from mockbifrost.gateway.targets import Target
from mockbifrost.match.attempt import Attempt
from mockbifrost.provider.answer import StubRef
from mockbifrost.seeds import Draws
from mockbifrost.vocabulary.gateway_errors import FILL_INS, gateway_error
from mockbifrost.wire import headers as wire_headers
from mockbifrost.wire.envelope import WireError, error_mold, http_status
from mockbifrost.wire.extra_fields import Route
from mockbifrost.wire.headers import RawHeaders, RequestHeaders
from mockbifrost.wire.jsontypes import Json
from mockbifrost.wire.mold import Mold
from mockbifrost.wire.profiles import Profile, ProfileName

NO_VALUES: Final[tuple[bytes, ...]] = ()
NO_FILLS: Final[Mapping[str, str]] = {}
MISS_STATUS: Final = 400
"""A status that no client retries."""


class _Known(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def refusal_error(
    name: str | None,
    profile: ProfileName,
    target: Target,
    over: Mapping[str, Any],
    fills: Mapping[str, str] = NO_FILLS,
) -> WireError:
    """A gateway's error by name with its places filled in, or one described; `over` has the fields that are set otherwise."""
    known = _Known(
        {**FILL_INS, "provider": target.provider, "model": target.model, "key": default_key(target.provider), **fills}
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


def denied_error(denied: Denied, profile: ProfileName, target: Target) -> WireError:
    """A refusal by one of the gateway's rules, in words."""
    error = refusal_error(denied.name, profile, target, {}, denied.fills)
    if denied.message is None:
        return error
    return replace(error, message=denied.message, cause=None if error.cause is None else denied.message)


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
    additions: Mapping[str, Json] | None = None,
) -> Outcome:
    """An error of the gateway or handed on by it. Always a JSON body with a status: streams that fail have not begun."""
    latency_ms = round((trail[-1].took_s if trail else 0.0) * 1000) if route and route.provider else None
    head = wire_headers.base_headers(profile, wire_headers.JSON_TYPE, stream=False, origin=headers.first(b"origin"))
    head += request_ids(profile, headers, draws)
    if provided:
        head = wire_headers.handed_on(head, provided)
    if route is not None:
        head += wire_headers.route_headers(profile, route, latency_ms=None)
    mold = error_mold(profile, error, route=route, latency_ms=latency_ms, additions=additions)
    status = http_status(profile, error, stream=stream)
    return Outcome(status, head, one_frame(mold, at_s), NO_VALUES, False, trail, stub)


def request_ids(profile: Profile, headers: RequestHeaders, draws: Draws) -> RawHeaders:
    """The gateway's own ids, where the profile has them."""
    if not profile.request_id_headers:
        return []
    return wire_headers.id_headers(
        headers.first(b"x-request-id") or draws.uuid("request-id"), draws.hexadecimal("trace-id")
    )


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
    return marked_outcome(outcome, kind, message)


def marked_outcome(outcome: Outcome, kind: str, message: str) -> Outcome:
    """An outcome that is an error of the mock itself, in its headers and in the journal."""
    outcome.headers.extend([(b"x-should-retry", b"false"), (b"x-mockbifrost-error", kind.encode())])
    return replace(outcome, broken=kind, message=message)


def pending_outcome(
    attempt: Attempt, trail: tuple[Trace, ...], stub: StubRef | None, *, stream: bool, waited_s: float, whole: bool
) -> Outcome:
    """No response yet: somebody has to be asked first."""
    return Outcome(
        0,
        [],
        one_frame(Mold((b"",), ())),
        NO_VALUES,
        stream,
        trail,
        stub,
        waited_s=waited_s,
        pending=attempt,
        whole=whole,
    )
