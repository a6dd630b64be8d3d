"""Scenario models compiled into stubs: everything that can be worked out once is worked out here."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from mockbifrost.provider.answer import CacheScript, RawAnswer, StubRef
from mockbifrost.provider.connection import HALF, HTML_STATUS, START, ConnectionFault, Kind, Place
from mockbifrost.provider.pace import INSTANT, Pace
from mockbifrost.scenario.activity import Activity, Window
from mockbifrost.scenario.auto import AutoScript
from mockbifrost.scenario.cache_model import CacheModel
from mockbifrost.scenario.expect import expectation_of
from mockbifrost.scenario.failure_model import ErrorModel, GatewayErrorModel
from mockbifrost.scenario.model import ActiveModel, DefaultsModel, StepModel, StubModel
from mockbifrost.scenario.pace_model import PaceModel
from mockbifrost.scenario.raw_model import EventModel, RawModel
from mockbifrost.scenario.replay_model import ReplayModel
from mockbifrost.scenario.reply_model import ReplyModel, ToolCallModel, UsageModel
from mockbifrost.scenario.scripts import (
    CallScript,
    ChoiceScript,
    ErrorScript,
    FaultScript,
    ForwardScript,
    RawScript,
    RefusalScript,
    ReplyScript,
    Script,
    Text,
    Tree,
)
from mockbifrost.scenario.stubs import Stub
from mockbifrost.scenario.templates import Template, is_template
from mockbifrost.scenario.upstream_model import AtModel, ErrorEventModel, PlacedModel, UpstreamModel
from mockbifrost.seeds import digest
from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS, ProviderError
from mockbifrost.vocabulary.gateway_errors import GATEWAY_ERRORS
from mockbifrost.vocabulary.paces import PACES
from mockbifrost.wire.sse import encode_event
from mockbifrost.wire.usage import Usage

_EOL: Final = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}
NO_DEFAULTS: Final = DefaultsModel()


class Replays(Protocol):
    """Finds what `replay` names; what a cassette is, is not known here."""

    def script(self, model: ReplayModel, pace: Pace, anew: bool, place: Written) -> Script:
        """What plays it; `anew`: encoded anew at this pace. Raises ScenarioError where there is no such recording."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """Where a stub stands, and what holds for all stubs of its file."""

    source: str
    line: int
    defaults: DefaultsModel
    replays: Replays | None


def compile_stub(
    model: StubModel,
    *,
    id: str,
    source: str,
    line: int,
    seed: int | None = None,
    defaults: DefaultsModel = NO_DEFAULTS,
    replays: Replays | None = None,
) -> Stub:
    """One stub, ready to answer. Raises ScenarioError where it replays what is not there."""
    written = Written(source, line, defaults, replays)
    pace = pace_of(model.pace, pace_of(defaults.pace, INSTANT))
    steps: Sequence[Script]
    if model.sequence is not None:
        steps = [_script(step, pace_of(step.pace, pace), written) for step in model.sequence]
    else:
        steps = [_script(model, pace, written)]
    return Stub(
        id,
        StubRef(model.name, source, line),
        expectation_of(model.when),
        tuple(steps),
        _activity(model.active, model.times),
        model.sequence is not None,
        model.on_end,
        model.scope == "conversation",
        model.per,
        model.priority,
        model.required,
        seed,
        model.name or _odds_key(model),
    )


def _odds_key(model: StubModel) -> str:
    """What tells a stub without a name from others, wherever it stands."""
    if model.active is None or model.active.probability is None:
        return ""
    return digest(model.model_dump_json(fallback=str, warnings=False)).hex()


def pace_of(model: PaceModel | None, base: Pace) -> Pace:
    """A pace laid over another: a name replaces it whole, a number only its own part."""
    if model is None:
        return base
    if model.name is not None:
        named = PACES[model.name]
        base = Pace(named.ttft_s, named.tokens_per_second, named.jitter, named.chunk, base.speed)
    return Pace(
        base.ttft_s if model.ttft is None else model.ttft,
        base.tokens_per_second if model.tokens_per_second is None else model.tokens_per_second,
        base.jitter if model.jitter is None else model.jitter,
        base.chunk if model.chunk is None else model.chunk,
        base.speed if model.speed is None else model.speed,
    )


def _activity(active: ActiveModel | None, times: int | None) -> Activity:
    if active is None:
        return Activity(first=times)
    window = None
    if active.from_ is not None or active.until is not None:
        window = Window(active.from_ or 0.0, active.until, active.period)
    return Activity(
        times if active.first is None else active.first,
        active.after or 0,
        active.every,
        window,
        active.probability,
        active.gate,
    )


def _script(model: StubModel | StepModel, pace: Pace, written: Written) -> Script:
    defaults = written.defaults
    fault = _fault(model.upstream, pace) if model.upstream is not None else None
    cache = _cache(model.cache) if model.cache is not None else None
    if model.reply is not None:
        return reply_script(model.reply, pace, defaults, fault, cache)
    if model.auto:
        return AutoScript(pace, defaults.model, fault, cache)
    if model.echo:
        return ReplyScript(pace=pace, echo=True, model=defaults.model, fault=fault, cache=cache)
    if fault is not None:
        return fault
    if model.error is not None:
        return _error(model.error, pace)
    if model.gateway_error is not None:
        return _refusal(model.gateway_error, pace)
    if model.forward:
        return ForwardScript()
    if model.replay is not None:
        assert written.replays is not None  # whoever loads stubs knows where cassettes are
        anew = model.replay.with_ is not None or paced(model.pace) or paced(defaults.pace)
        return written.replays.script(model.replay, pace, anew, written)
    assert model.raw is not None  # exactly one behaviour: the model has seen to it
    return _raw(model.raw, pace)


def paced(model: PaceModel | None) -> bool:
    """Whether a pace says more than how fast what is recorded goes by."""
    return model is not None and bool(model.model_fields_set - {"speed"})


def text_of(text: str) -> Text:
    """A template where there is anything to fill in."""
    return Template(text) if is_template(text) else text


def _tree_of(value: Any) -> Any:
    """A JSON value with its templates compiled."""
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, Mapping):
        return {key: _tree_of(inner) for key, inner in value.items()}
    return [_tree_of(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _is_filled_in(value: Any) -> bool:
    """Whether any text of a JSON value is a template."""
    if isinstance(value, str):
        return is_template(value)
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return any(_is_filled_in(one) for one in inner)


def _maybe(text: str | None) -> Text | None:
    return None if text is None else text_of(text)


def _headers(headers: Mapping[str, str] | None) -> tuple[tuple[str, Text], ...]:
    return tuple([(name, text_of(value)) for name, value in (headers or {}).items()])


def _cache(model: CacheModel) -> CacheScript:
    return CacheScript(model.hit, 1.0 if model.similarity is None else model.similarity)


def reply_script(
    model: ReplyModel,
    pace: Pace,
    defaults: DefaultsModel = NO_DEFAULTS,
    fault: FaultScript | None = None,
    cache: CacheScript | None = None,
) -> ReplyScript:
    """`reply`, ready to answer."""
    choices = [_choice(choice) for choice in model.choices] if model.choices is not None else [_choice(model)]
    no_usage = "usage" in model.model_fields_set and model.usage is None
    return ReplyScript(
        tuple(choices),
        model.chunks,
        model.fragments,
        _usage(model.usage) if model.usage is not None else None,
        no_usage,
        model.model or defaults.model,
        model.id,
        model.created,
        model.system_fingerprint,
        model.service_tier,
        model.latency,
        _headers(model.headers),
        model.search_results,
        model.videos,
        model.citations,
        model.body,
        pace,
        fault=fault,
        cache=cache,
        reported=model.cost,
        costless="cost" in model.model_fields_set and model.cost is None,
    )


def _choice(model: ReplyModel) -> ChoiceScript:
    content: Text | Tree | tuple[Any, ...] | None
    content = text_of(model.content) if isinstance(model.content, str) else model.content
    if isinstance(content, tuple) and _is_filled_in(content):
        content = Tree(_tree_of(content))
    return ChoiceScript(
        content,
        model.faker,
        _maybe(model.reasoning),
        model.reasoning_details,
        _maybe(model.refusal),
        tuple([_call(call) for call in model.tool_calls or ()]),
        model.annotations,
        model.audio,
        model.logprobs if model.logprobs is not False else None,
        model.finish_reason,
        model.message or {},
    )


def _call(model: ToolCallModel) -> CallScript:
    arguments = model.arguments
    if isinstance(arguments, str):
        return CallScript(model.name, text_of(arguments), model.id)
    if _is_filled_in(arguments):
        return CallScript(model.name, Tree(_tree_of(arguments)), model.id)
    return CallScript(model.name, orjson.dumps(arguments).decode(), model.id)


def _usage(model: UsageModel) -> Usage:
    given = model.model_dump(exclude_unset=True)
    prompt, completion = given.pop("prompt_tokens", 0), given.pop("completion_tokens", 0)
    total = given.pop("total_tokens", None)
    return Usage(
        prompt,
        completion,
        prompt + completion if total is None else total,
        given.pop("prompt_tokens_details", None),
        given.pop("completion_tokens_details", None),
        given or None,
    )


def _error(model: ErrorModel, pace: Pace) -> ErrorScript:
    row = PROVIDER_ERRORS[model.name] if model.name is not None else None
    written = model.model_fields_set
    status = model.status if model.status is not None else row.status if row is not None else 500
    message = (
        model.message
        if model.message is not None
        else row.message
        if row is not None
        else f"The provider failed with status {status}."
    )
    headers = _headers(model.headers)
    if model.retry_after is not None:
        headers += _retry_after(model.retry_after)
    return ErrorScript(
        status,
        text_of(message),
        model.type if "type" in written or row is None else row.type,
        model.code if "code" in written or row is None else row.code,
        model.param if "param" in written or row is None else row.param,
        model.shape,
        headers,
        pace,
    )


def _retry_after(seconds: float) -> tuple[tuple[str, Text], ...]:
    """Whole seconds as they are; a fraction also in milliseconds, which clients read first."""
    if seconds == int(seconds):
        return (("retry-after", str(int(seconds))),)
    return (("retry-after-ms", str(round(seconds * 1000))), ("retry-after", str(math.ceil(seconds))))


def _fault(model: UpstreamModel, pace: Pace) -> FaultScript:
    error = _error_event(model.error_event) if model.error_event is not None else None
    fault = ConnectionFault(
        model.kind,
        _place(model.kind, model.cut or model.stall or model.malformed or model.error_event),
        model.stall.for_ if model.stall is not None else model.slow,
        model.cut.how if model.cut is not None else "fin",
        model.html.status if model.html is not None else HTML_STATUS,
        error,
    )
    return FaultScript(fault, text_of(error.message) if error is not None else "", pace)


def _place(kind: Kind, model: PlacedModel | None) -> Place:
    """Where it is written to be; else an answer breaks after its first chunk, so that there is something to break."""
    if model is None:
        return HALF if kind == "truncated" else START
    if model.at is not None:
        return _place_at(model.at)
    if model.after_chunks is not None:
        return Place("after_chunks", model.after_chunks)
    return START if kind == "error_event" else Place("after_chunks", 1)


def _place_at(model: AtModel) -> Place:
    if model.text is not None:
        return Place("text", text=model.text)
    if model.bytes is not None:
        return Place("bytes", model.bytes)
    assert model.name is not None  # exactly one: the model has seen to it
    return Place(model.name)


def _error_event(model: ErrorEventModel) -> ProviderError:
    row = PROVIDER_ERRORS[model.name] if model.name is not None else ProviderError("", 500, None, None, "")
    written = model.model_fields_set
    return ProviderError(
        row.name,
        row.status,
        model.type if "type" in written else row.type,
        model.code if "code" in written else row.code,
        row.message if model.message is None else model.message,
        row.param,
    )


_OVER: Final = {
    "status": "status_code",
    "type": "type",
    "code": "code",
    "error_type": "error_type",
    "message": "message",
}


def _refusal(model: GatewayErrorModel, pace: Pace) -> RefusalScript:
    over = {field: _tree_of(getattr(model, key)) for key, field in _OVER.items() if key in model.model_fields_set}
    whole = GATEWAY_ERRORS[model.name].scope == "request" if model.name is not None else True
    return RefusalScript(model.name, over, whole, pace)


def _raw(model: RawModel, pace: Pace) -> RawScript:
    headers = [(name.lower(), value) for name, value in (model.headers or {}).items()]
    kind, pieces = _raw_pieces(model)
    if kind and not any(name == "content-type" for name, _value in headers):
        headers.append(("content-type", kind))
    pieces = [(at_s + model.delay, data) for at_s, data in pieces]
    if model.split is not None:
        size = model.split
        pieces = [(at_s, data[start : start + size]) for at_s, data in pieces for start in range(0, len(data), size)]
    if model.one_write:
        pieces = [(pieces[-1][0] if pieces else model.delay, b"".join([data for _at_s, data in pieces]))]
    return RawScript(
        RawAnswer(model.status, tuple(headers), tuple(pieces or [(model.delay, b"")]), model.end, pace.speed)
    )


def _raw_pieces(model: RawModel) -> tuple[str, list[tuple[float, bytes]]]:
    """The content type that fits, and the bytes with their times."""
    if "json_" in model.model_fields_set:
        return "application/json", [(0.0, orjson.dumps(model.json_))]
    if model.text is not None:
        return "text/plain; charset=utf-8", [(0.0, model.text.encode())]
    if model.base64 is not None:
        return "application/octet-stream", [(0.0, base64.b64decode(model.base64))]
    if model.events is None:
        return "", []
    eol = _EOL[model.eol]
    at_s = 0.0
    pieces: list[tuple[float, bytes]] = []
    for event in model.events:
        at_s += event.sleep or 0.0
        data = _event(event, eol)
        if data:
            pieces.append((at_s, data))
    if model.done:
        pieces.append((at_s, encode_event("[DONE]", eol=eol)))
    return "text/event-stream", pieces


def _event(event: EventModel, eol: str) -> bytes:
    if event.raw is not None:
        return event.raw.encode("utf-8", "surrogatepass")
    if event.sleep is not None:
        return b""
    data: str | None = None
    if "data" in event.model_fields_set:
        data = event.data if isinstance(event.data, str) else orjson.dumps(event.data).decode()
    return encode_event(data, event=event.event, id=event.id, comment=event.comment, eol=eol)
