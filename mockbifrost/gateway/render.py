"""Answers, failures and refusals as responses of the gateway, by profile. What a script always answers is encoded once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from mockbifrost.gateway.configuration import Gateway
from mockbifrost.gateway.deviations import choices_of, deltas_of, error_event_of, last_chunks_of, usage_of
from mockbifrost.gateway.outcome import Cast
from mockbifrost.gateway.upstream import Cuts, Hangs, NoChunks
from mockbifrost.provider.answer import Answer, Draft, RawAnswer
from mockbifrost.values import value
from mockbifrost.wire import chunk, completion, headers, sse
from mockbifrost.wire.chunk import Delta
from mockbifrost.wire.completion import Extras
from mockbifrost.wire.envelope import WireError, error_json
from mockbifrost.wire.extra_fields import Route, answer_fields
from mockbifrost.wire.jsontypes import Json, JsonObject, encode, merged
from mockbifrost.wire.mold import Mold, Slot, hole
from mockbifrost.wire.profiles import Profile
from mockbifrost.wire.upstream import raw_chunk_json, raw_completion_json, raw_usage_json
from mockbifrost.wire.usage import usage_json

NO_DRAFT: Final = Draft()
RAW_ONLY: Final = "openai"
"""Whose raw answers are sent instead of the gateway's own. Source: wire.md 3."""


def values_of(answer: Answer, cost: bytes | None) -> tuple[bytes, ...]:
    """What goes into the holes of an answer, by slot; `cost` is the JSON of `usage.cost`."""
    head = (
        encode(answer.id),
        b"%d" % answer.created,
        b"%d" % answer.prompt_tokens,
        b"%d" % answer.total_tokens,
        b"", cost or b"", b"", b"",
    )  # fmt: skip
    return head + tuple([encode(call) for call in answer.call_ids]) if answer.call_ids else head


@value
class Additions:
    """What extra_fields carries on request: the request as it was sent on, the provider's own answer, the cache, its headers."""

    raw_request: JsonObject | None = None
    raw_response: bool = False
    cache_debug: JsonObject | None = None
    cached: bool = False
    """The provider had no part in it, so that its latency in the headers is none. Source: captures 2.2.3-plain-cache-hit."""
    provider_headers: Mapping[str, str] | None = None


NOTHING_ADDED: Final = Additions()


def answer_cast(
    gateway: Gateway,
    route: Route,
    answer: Answer,
    *,
    stream: bool,
    origin: str | None,
    priced: bool = False,
    added: Additions = NOTHING_ADDED,
) -> Cast:
    """The answer in molds, made once for each draft, route and way of telling it; `priced`: with a hole for its cost."""
    if added is not NOTHING_ADDED:  # varies from request to request
        return _cast(gateway, route, answer, stream=stream, origin=origin, priced=priced, added=added)
    draft = answer.draft
    key = (gateway.profile.name, gateway.quirks, route, stream, answer.model, answer.system_fingerprint, origin, priced)
    cast: Cast | None = draft.molds.get(key)
    if cast is None:
        cast = _cast(gateway, route, answer, stream=stream, origin=origin, priced=priced, added=added)
        draft.keep(key, cast)
    return cast


def _cast(
    gateway: Gateway,
    route: Route,
    answer: Answer,
    *,
    stream: bool,
    origin: str | None,
    priced: bool,
    added: Additions,
) -> Cast:
    telling = _Telling(gateway, route, answer, stream=stream, priced=priced, added=added)
    made = telling.stream() if stream else telling.plain()
    first_s = 0.0 if added.cached else made.times_s[0]
    return replace(made, head=_head(gateway.profile, route, first_s, stream=stream, origin=origin))


def open_cast(
    gateway: Gateway,
    route: Route,
    answer: Answer,
    values: tuple[bytes, ...],
    *,
    origin: str | None,
    added: Additions = NOTHING_ADDED,
) -> tuple[Cast, OpenTelling]:
    """The frames so far of a stream that goes on, which may be none, and what renders the further ones."""
    telling = OpenTelling(_Telling(gateway, route, answer, stream=True, added=added), values)
    telling.more(answer.draft.deltas)
    made = telling.cast()
    return replace(made, head=_head(gateway.profile, route, made.times_s[0], stream=True, origin=origin)), telling


def cut_cast(
    gateway: Gateway,
    route: Route,
    answer: Answer | None,
    heard: Cuts | NoChunks | Hangs,
    *,
    origin: str | None,
    added: Additions = NOTHING_ADDED,
) -> Cast:
    """A stream that does not come to its own end: so many increments, then what the gateway says of it. Source: wire.md 4.6."""
    if isinstance(heard, Hangs):
        made = one_frame(Mold((b"",), ()))
    elif isinstance(heard, NoChunks):
        made = one_frame(Mold((sse.DONE,), ()), heard.at_s)
    else:
        made = _Telling(gateway, route, answer, stream=True, added=added).broken_off(heard)
    return replace(made, head=_head(gateway.profile, route, made.times_s[0], stream=True, origin=origin))


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


class _Frames:
    """The frames of a stream, as they are added."""

    def __init__(self) -> None:
        self.molds: list[Mold] = []
        self.times_s: list[float] = []
        self.content: list[bool] = []
        self.reasons: dict[int, str | None] = {}
        """Why each choice ended, as far as it has."""
        self.before_ms = 0

    def add(self, mold: Mold, at_s: float, *, content: bool = False) -> None:
        self.molds.append(mold)
        self.times_s.append(at_s)
        self.content.append(content)

    def cast(self) -> Cast:
        whole = Mold.joined(self.molds)
        return Cast(tuple(self.times_s), tuple(self.molds), whole, tuple(self.content), sum(map(len, whole.literals)))


class _Telling:
    """One answer told by a gateway: as a whole, as a stream, or as a stream that is broken off."""

    def __init__(
        self,
        gateway: Gateway,
        route: Route,
        answer: Answer | None,
        *,
        stream: bool,
        priced: bool = False,
        added: Additions = NOTHING_ADDED,
    ) -> None:
        self.quirks = gateway.quirks
        self.profile = gateway.profile
        self.route = route
        self.draft = answer.draft if answer is not None else NO_DRAFT
        self.added = added
        self.usage = usage_of(self.quirks, self.draft.usage, stream=stream)
        self.cost = hole(Slot.COST) if priced else None
        draft = self.draft
        self.extras = Extras(
            answer.model if answer is not None else route.model,
            answer.system_fingerprint if answer is not None else "",
            draft.service_tier,
            draft.search_results,
            draft.videos,
            draft.citations,
        )

    def plain(self) -> Cast:
        """A whole answer. Of OpenAI's own, where the raw one is wanted, nothing else is sent. Source: wire.md 3."""
        profile, draft = self.profile, self.draft
        choices = choices_of(self.quirks, draft.choices)
        raw: JsonObject | None = None
        if self.added.raw_response:
            usage = raw_usage_json(self.usage, _json(draft.reported)) if self.usage is not None else None
            raw = raw_completion_json(choices, self.extras, usage=usage)
            if self.route.provider == RAW_ONLY:
                return one_frame(Mold.of(encode(raw)), draft.latency_s)
        fields = answer_fields(
            profile,
            self.route,
            latency_ms=_milliseconds(draft.latency_s),
            upstream_latency=profile.upstream_latency_plain,
            additions=self.additions(raw),
        )
        told = usage_json(profile, self.usage, self.cost) if self.usage is not None else None
        found = completion.completion_json(profile, choices, self.extras, usage=told, extra_fields=fields)
        encoded = encode(merged(found, draft.body) if draft.body else found)
        mold = Mold.of(encoded + b"\n" if profile.body_newline else encoded)
        return one_frame(mold, draft.latency_s)

    def stream(self) -> Cast:
        """All increments, the chunk that the gateway makes itself, and the end."""
        deltas = deltas_of(self.quirks, self.draft.deltas)
        frames = _Frames()
        self.chunks(deltas, frames)
        end_s = self.draft.deltas[-1].at_s if self.draft.deltas else 0.0
        for payload in self.last_chunks(frames.reasons, len(frames.molds), end_s):
            laid = merged(payload, self.draft.body) if self.draft.body else payload
            frames.add(_event(laid), end_s)
        frames.add(Mold((sse.DONE,), ()), end_s)
        return frames.cast()

    def broken_off(self, cuts: Cuts) -> Cast:
        """The increments that came, then an error, or an end that looks good."""
        frames = _Frames()
        self.chunks(deltas_of(self.quirks, self.draft.deltas[: cuts.kept]), frames)
        if cuts.error is not None:
            event = self.error_event(cuts.error, frames.reasons, len(frames.molds), cuts.at_s)
            frames.add(Mold.of(event), cuts.at_s)
            return frames.cast()
        self.usage = None
        for payload in self.last_chunks(frames.reasons, len(frames.molds), cuts.at_s):
            frames.add(_event(payload), cuts.at_s)
        frames.add(Mold((sse.DONE,), ()), cuts.at_s)
        return frames.cast()

    def chunks(self, deltas: Sequence[Delta], frames: _Frames) -> None:
        """A frame for each increment that is forwarded, behind those that are there."""
        profile, raw = self.profile, self.added.raw_response
        reasons = frames.reasons
        for delta in deltas:
            reasons.setdefault(delta.choice, None)
            sent = chunk.forwarded(profile, delta)
            if delta.finish_reason is not None and not (sent and delta.is_content):
                reasons[delta.choice] = delta.finish_reason
                delta = replace(delta, finish_reason=None)
            if not sent:
                continue
            now_ms = _milliseconds(delta.at_s)
            upstream = raw_chunk_json(delta, self.extras) if raw else None
            if upstream is not None and self.route.provider == RAW_ONLY:
                payload = upstream
            else:
                fields = answer_fields(
                    profile,
                    self.route,
                    latency_ms=now_ms - frames.before_ms,
                    chunk_index=len(frames.molds),
                    additions=self.additions(upstream, on_the_way=True),
                )
                payload = chunk.chunk_json(profile, delta, self.extras, extra_fields=fields)
            frames.add(_event(payload), delta.at_s, content=delta.is_content)
            frames.before_ms = now_ms

    def last_chunks(self, reasons: Mapping[int, str | None], index: int, end_s: float) -> Iterator[JsonObject]:
        """The chunk that the gateway makes; under `split_last_chunk` two."""
        profile = self.profile
        fields = answer_fields(
            profile,
            self.route,
            latency_ms=_milliseconds(end_s),
            chunk_index=index,
            upstream_latency=profile.upstream_latency_last_chunk,
            additions=self.additions(None),
        )
        usage: Json = usage_json(profile, self.usage, self.cost)
        return last_chunks_of(self.quirks, profile, reasons or {0: None}, self.extras, usage, fields)

    def error_event(self, error: WireError, reasons: Mapping[int, str | None], index: int, at_s: float) -> bytes:
        """The frame that tells of an error; the stream then ends without `[DONE]`."""
        body = error_json(self.profile, error, route=self.route, latency_ms=_milliseconds(at_s))
        fields = answer_fields(self.profile, self.route, latency_ms=_milliseconds(at_s), chunk_index=index)
        return sse.encode_data(error_event_of(self.quirks, self.profile, body, reasons, self.extras, fields))

    def additions(self, raw: JsonObject | None, *, on_the_way: bool = False) -> JsonObject | None:
        """What this chunk or answer carries beside; `on_the_way`: a chunk before the last."""
        added = self.added
        if added is NOTHING_ADDED:
            return None
        pairs: list[tuple[str, Json]] = [
            ("raw_request", added.raw_request if not on_the_way else None),
            ("raw_response", raw),
            ("cache_debug", added.cache_debug if not on_the_way else None),
            ("provider_response_headers", added.provider_headers if not on_the_way else None),
        ]
        return {name: item for name, item in pairs if item is not None}


class OpenTelling:
    """A stream that has begun and goes on. Frames that were told stay as they are."""

    def __init__(self, telling: _Telling, values: tuple[bytes, ...]) -> None:
        self._telling = telling
        self._frames = _Frames()
        self._values = values

    def more(self, deltas: Sequence[Delta]) -> list[tuple[bytes, bool]]:
        """The frames of these increments, each with whether it has content."""
        frames, told = self._frames, len(self._frames.molds)
        self._telling.chunks(deltas_of(self._telling.quirks, deltas), frames)
        new = zip(frames.molds[told:], frames.content[told:], strict=True)
        return [(mold.fill(self._values), content) for mold, content in new]

    def cast(self) -> Cast:
        """All that was told so far."""
        return self._frames.cast() if self._frames.molds else replace(one_frame(Mold((b"",), ())), content=(False,))


def _json(reported: float | Mapping[str, Json] | None) -> Json:
    return dict(reported) if isinstance(reported, Mapping) else reported


def _event(payload: Json) -> Mold:
    return Mold.of(sse.encode_data(encode(payload)))


def raw_cast(raw: RawAnswer) -> Cast:
    """The pieces of an answer that was written out."""
    molds = [Mold((data,), ()) for _at_s, data in raw.pieces] or [Mold((b"",), ())]
    times = [at_s for at_s, _data in raw.pieces] or [0.0]
    whole = Mold.joined(molds)
    return Cast(tuple(times), tuple(molds), whole, tuple([True] * len(molds)), len(whole.literals[0]))
