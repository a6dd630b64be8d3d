"""Answers, failures and refusals as responses of the gateway, by profile. What a script always answers is encoded once."""

from __future__ import annotations

from dataclasses import replace

from mockbifrost.gateway.outcome import Cast
from mockbifrost.provider.answer import MOST_MOLDS, Answer, Draft, Failure, RawAnswer
from mockbifrost.vocabulary.connection_errors import EMPTY_RESPONSE, HTML_RESPONSE
from mockbifrost.wire import chunk, completion, headers, sse
from mockbifrost.wire.chunk import Delta
from mockbifrost.wire.completion import Extras
from mockbifrost.wire.envelope import WireError
from mockbifrost.wire.extra_fields import Route, answer_fields
from mockbifrost.wire.jsontypes import JsonObject, encode, merged
from mockbifrost.wire.mold import Mold
from mockbifrost.wire.profiles import Profile
from mockbifrost.wire.usage import usage_json

_EMPTY_BODY = {
    401: "authentication failed: unauthorized (401) - check your API key",
    403: "access forbidden (403) - your API key may not have permission for this operation",
    404: "resource not found (404)",
    429: "rate limit exceeded (429)",
}


def values_of(answer: Answer) -> tuple[bytes, ...]:
    """What goes into the holes of an answer, by slot."""
    head = (
        encode(answer.id),
        b"%d" % answer.created,
        b"%d" % answer.prompt_tokens,
        b"%d" % answer.total_tokens,
        b"", b"", b"", b"",
    )  # fmt: skip
    return head + tuple([encode(call) for call in answer.call_ids]) if answer.call_ids else head


def answer_cast(profile: Profile, route: Route, answer: Answer, *, stream: bool, origin: str | None) -> Cast:
    """The answer in molds, made once for each draft, route and profile."""
    draft = answer.draft
    key = (profile.name, route, stream, answer.model, answer.system_fingerprint, origin)
    cast: Cast | None = draft.molds.get(key)
    if cast is None:
        if len(draft.molds) >= MOST_MOLDS:
            draft.molds.clear()
        extras = Extras(
            answer.model,
            answer.system_fingerprint,
            draft.service_tier,
            draft.search_results,
            draft.videos,
            draft.citations,
        )
        made = _stream_cast(profile, route, draft, extras) if stream else _plain_cast(profile, route, draft, extras)
        cast = replace(made, head=_head(profile, route, made.times_s[0], stream=stream, origin=origin))
        draft.molds[key] = cast
    return cast


def _head(
    profile: Profile, route: Route, first_s: float, *, stream: bool, origin: str | None
) -> tuple[tuple[bytes, bytes], ...]:
    kind = headers.EVENT_STREAM if stream else headers.JSON_TYPE
    found = headers.base_headers(profile, kind, stream=stream, origin=origin)
    return (*found, *headers.route_headers(profile, route, latency_ms=first_s * 1000))


def one_frame(mold: Mold, at_s: float = 0.0) -> Cast:
    """A response that is written at once."""
    return Cast((at_s,), (mold,), mold, (True,), sum(map(len, mold.literals)))


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _plain_cast(profile: Profile, route: Route, draft: Draft, extras: Extras) -> Cast:
    fields = answer_fields(
        profile,
        route,
        latency_ms=_milliseconds(draft.latency_s),
        upstream_latency=profile.upstream_latency_plain,
    )
    usage = usage_json(profile, draft.usage) if draft.usage is not None else None
    found = completion.completion_json(profile, draft.choices, extras, usage=usage, extra_fields=fields)
    encoded = encode(merged(found, draft.body) if draft.body else found)
    mold = Mold.of(encoded + b"\n" if profile.body_newline else encoded)
    return one_frame(mold, draft.latency_s)


def _stream_cast(profile: Profile, route: Route, draft: Draft, extras: Extras) -> Cast:
    frames: list[Mold] = []
    times: list[float] = []
    content: list[bool] = []
    reasons: dict[int, str | None] = {}
    before_ms = 0
    for delta in draft.deltas:
        reasons.setdefault(delta.choice, None)
        sent = chunk.forwarded(profile, delta)
        if delta.finish_reason is not None and not (sent and delta.is_content):
            reasons[delta.choice] = delta.finish_reason
            delta = replace(delta, finish_reason=None)
        if not sent:
            continue
        now_ms = _milliseconds(delta.at_s)
        fields = answer_fields(profile, route, latency_ms=now_ms - before_ms, chunk_index=len(frames))
        frames.append(_event(_chunk(profile, delta, extras, fields)))
        times.append(delta.at_s)
        content.append(delta.is_content)
        before_ms = now_ms
    end_s = draft.deltas[-1].at_s if draft.deltas else 0.0
    fields = answer_fields(
        profile,
        route,
        latency_ms=_milliseconds(end_s),
        chunk_index=len(frames),
        upstream_latency=profile.upstream_latency_last_chunk,
    )
    usage = usage_json(profile, draft.usage)
    last = chunk.last_chunk_json(profile, reasons or {0: None}, extras, usage=usage, extra_fields=fields)
    frames.append(_event(last if not draft.body else _laid_over(last, draft)))
    frames.append(Mold((sse.DONE,), ()))
    times += [end_s, end_s]
    content += [False, False]
    whole = Mold.joined(frames)
    return Cast(tuple(times), tuple(frames), whole, tuple(content), sum(map(len, whole.literals)))


def _chunk(profile: Profile, delta: Delta, extras: Extras, fields: JsonObject) -> JsonObject:
    return chunk.chunk_json(profile, delta, extras, extra_fields=fields)


def _laid_over(last: JsonObject, draft: Draft) -> JsonObject:
    laid = merged(last, draft.body)
    return laid if isinstance(laid, dict) else last


def _event(payload: JsonObject) -> Mold:
    return Mold.of(sse.encode_data(encode(payload)))


def raw_cast(raw: RawAnswer) -> Cast:
    """The pieces of an answer that was written out."""
    molds = [Mold((data,), ()) for _at_s, data in raw.pieces] or [Mold((b"",), ())]
    times = [at_s for at_s, _data in raw.pieces] or [0.0]
    whole = Mold.joined(molds)
    return Cast(tuple(times), tuple(molds), whole, tuple([True] * len(molds)), len(whole.literals[0]))


def failure_error(failure: Failure) -> WireError:
    """A provider's failure in the gateway's words. Source: wire.md 6.3."""
    classification = classify(failure.status, failure.code)
    if failure.shape == "openai":
        return WireError(
            failure.message,
            failure.status,
            error_type=failure.type,
            code=failure.code,
            param=failure.param,
            classification=classification,
        )
    return WireError(_reworded(failure), failure.status, classification=classification)


def _reworded(failure: Failure) -> str:
    """The message where the provider's body is not OpenAI's."""
    status = failure.status
    if failure.shape == "html":
        return HTML_RESPONSE
    if failure.shape == "plain_text":
        return f"provider API error: {failure.message}"
    if failure.shape == "string":
        return failure.message
    if status in (500, 502, 503, 504):
        return f"provider server error ({status})"
    return _EMPTY_BODY.get(status, f"{EMPTY_RESPONSE} (HTTP {status})")


def classify(status: int, code: str | None) -> str:
    """The class of a provider's failure, as newer releases name it. Source: wire.md 5."""
    if code == "model_not_found":
        return "caller_model_not_available"
    if code == "insufficient_quota" or status == 402:
        return "provider_billing"
    table = {401: "provider_auth_failed", 403: "provider_auth_failed", 408: "provider_timeout", 429: "provider_rate_limited",
             503: "provider_overloaded", 504: "provider_timeout", 529: "provider_overloaded"}  # fmt: skip
    return table.get(status, "provider_server_error" if status >= 500 else "caller_invalid_request")
