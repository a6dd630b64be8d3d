"""The gateway's error envelope: a superset of OpenAI's, the same on every status and inside a stream. Source: wire.md 5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mockbifrost.wire.extra_fields import Route, error_fields
from mockbifrost.wire.jsontypes import Json, JsonObject, encode
from mockbifrost.wire.mold import Mold
from mockbifrost.wire.profiles import Profile

_ESCAPES = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))


@dataclass(frozen=True, slots=True)
class WireError:
    """One error as it is sent. `status_code` None: no such key, and the profile's status for local errors.

    `type` is the envelope's, set by policy and local errors; `error_type` is `error.type`, the provider's; `cause` is `error.error`.
    """

    message: str
    status_code: int | None = None
    type: str | None = None
    error_type: str | None = None
    code: str | None = None
    param: Json = None
    cause: str | None = None
    event_id: str | None = None
    is_bifrost_error: bool = False
    classification: str | None = None


def http_status(profile: Profile, error: WireError, *, stream: bool) -> int:
    """The status of the response. Source: wire.md 5.1; a transport failure without a status is a 500 everywhere."""
    if error.status_code is not None:
        return error.status_code
    if error.is_bifrost_error:
        return 500
    return profile.local_stream_error_status if stream else profile.local_error_status


def error_json(
    profile: Profile,
    error: WireError,
    *,
    route: Route | None = None,
    latency_ms: int | None = None,
    additions: Mapping[str, Json] | None = None,
) -> bytes:
    """The body. `additions` are further extra_fields. `<`, `>` and `&` are escaped inside `error`, as Go's encoder does there."""
    inner: JsonObject = {}
    for key, value in (("error", error.cause), ("type", error.error_type), ("code", error.code)):
        if value is not None:
            inner[key] = value
    inner["message"] = error.message
    if error.param is not None:
        inner["param"] = error.param
    if error.event_id is not None:
        inner["event_id"] = error.event_id
    encoded = encode(inner)
    for raw, escaped in _ESCAPES:
        encoded = encoded.replace(raw, escaped)
    outer: JsonObject = {}
    if error.event_id is not None:
        outer["event_id"] = error.event_id
    if error.type is not None:
        outer["type"] = error.type
    outer["is_bifrost_error"] = error.is_bifrost_error
    if error.status_code is not None:
        outer["status_code"] = error.status_code
    extra = error_fields(profile, route, latency_ms=latency_ms, error_type=error.classification, additions=additions)
    return encode(outer)[:-1] + b',"error":' + encoded + b',"extra_fields":' + encode(extra) + b"}"


def error_mold(
    profile: Profile,
    error: WireError,
    *,
    route: Route | None = None,
    latency_ms: int | None = None,
    additions: Mapping[str, Json] | None = None,
) -> Mold:
    """The body as a mold without holes, as answers are."""
    return Mold((error_json(profile, error, route=route, latency_ms=latency_ms, additions=additions),), ())
