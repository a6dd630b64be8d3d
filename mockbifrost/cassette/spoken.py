"""What an interaction says in the words of the scenario language: its reply, its error, its pace. Texts are taken literally."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mockbifrost.cassette.answers import Heard, heard, source_of
from mockbifrost.cassette.interaction import Interaction
from mockbifrost.provider.answer import Failure
from mockbifrost.provider.connection import ConnectionFault
from mockbifrost.provider.tokens import split_tokens
from mockbifrost.provider.transcript import Transcript
from mockbifrost.vocabulary.durations import format_duration
from mockbifrost.vocabulary.gateway_errors import GATEWAY_ERRORS, GatewayError, gateway_error
from mockbifrost.wire.chunk import Delta
from mockbifrost.wire.completion import Choice, Message
from mockbifrost.wire.jsontypes import object_in
from mockbifrost.wire.usage import Usage

Spoken = dict[str, Any]
"""Keys of the scenario language with plain values."""

VOLATILE: Final = ("id", "created", "system_fingerprint")
"""Keys of a reply that differ with each answer."""
_OPENS: Final = re.compile(r"\{[{%#]|\r")
_PROFILES: Final = ("2.2", "1.6", "documented")
_PLACEHOLDER: Final = re.compile(r"\{[a-z_]+\}")
_RETRY: Final = ("retry-after", "retry-after-ms")
_PROMPT_DETAILS: Final = frozenset(
    {
        "text_tokens", "audio_tokens", "image_tokens", "cached_tokens", "cached_read_tokens", "cached_write_tokens",
        "cache_write_tokens", "cached_write_token_details",
    }
)  # fmt: skip
_COMPLETION_DETAILS: Final = frozenset(
    {
        "text_tokens", "accepted_prediction_tokens", "audio_tokens", "citation_tokens", "num_search_queries", "reasoning_tokens",
        "image_tokens", "rejected_prediction_tokens",
    }
)  # fmt: skip
_EXTRA_COUNTS: Final = ("audio_seconds", "search_units", "cost_in_usd_ticks")


class Unspoken(ValueError):
    """An interaction that no scenario can say; the text says why."""


def literal(text: str) -> str:
    """The text as a scenario must write it to say it: what would be filled in stands as its own text."""
    if "{{" not in text and "{%" not in text:
        return text
    return _OPENS.sub(lambda found: "{{ '" + found[0].replace("\r", "\\r") + "' }}", text)


def literal_tree(value: Any) -> Any:
    """A JSON value whose texts are all said as they are."""
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, Mapping):
        return {key: literal_tree(item) for key, item in value.items()}
    return [literal_tree(item) for item in value] if isinstance(value, list | tuple) else value


def behaviour_of(interaction: Interaction) -> Spoken:
    """What a stub does to answer as the interaction did: `reply`, with `upstream` where its stream broke, or what `error_of` says.

    Raises Unspoken for a response that is neither an answer nor an error.
    """
    if interaction.response.status >= 400:
        return error_of(interaction)
    said = _heard(interaction)
    found: Spoken = {"reply": _reply(said.transcript, interaction)}
    if said.fault is not None:
        found["upstream"] = _fault(said.fault)
    return found


def reply_of(interaction: Interaction) -> Spoken:
    """The keys of `reply` that say what an interaction answered, plain or streamed. Raises Unspoken for one that answered nothing."""
    return _reply(_heard(interaction).transcript, interaction)


def pace_of(interaction: Interaction) -> Spoken:
    """When it was said: `ttft`, and of a stream `tokens_per_second` and `chunk`; nothing where nobody wrote the times down."""
    response = interaction.response
    if not response.took_ms:
        return {}
    if response.status >= 400 or not response.is_stream:
        return {"ttft": format_duration(response.took_ms / 1000)}
    said = _heard(interaction).transcript
    deltas = [delta for delta in said.deltas if delta.is_content]
    found: Spoken = {}
    if deltas:
        first_s, last_s = deltas[0].at_s, deltas[-1].at_s
        if first_s:
            found["ttft"] = format_duration(first_s)
        later = sum([_tokens(delta) for delta in deltas[1:]])
        if last_s > first_s:
            found["tokens_per_second"] = rounded(later / (last_s - first_s))
    return found | _chunk(said.deltas)


def _heard(interaction: Interaction) -> Heard:
    if interaction.response.status != 200:
        raise Unspoken(
            f"it was answered with status {interaction.response.status}, which is neither an answer nor an error"
        )
    said = heard(interaction)
    if isinstance(said, Heard):
        return said
    raise Unspoken(
        f"its answer is none: {_NO_ANSWER.get(said.kind, said.kind)}"
        if isinstance(said, ConnectionFault)
        else "it failed"
    )


_NO_ANSWER: Final = {
    "not_json": "the body is no JSON with `choices`",
    "empty": "the body is empty",
    "html": "the body is a page of HTML",
    "not_sse": "the stream holds no events",
    "malformed": "an event of the stream is no JSON",
    "error_event": "the stream is nothing but an error",
}


def _reply(said: Transcript, interaction: Interaction) -> Spoken:
    found: Spoken = {}
    if len(said.choices) == 1:
        found |= _choice(said.choices[0])
    else:
        found["choices"] = [_choice(choice) for choice in said.choices]
    usage = _usage(said.usage) if said.usage is not None else None
    if usage is not None or source_of(interaction) == "gateway" or not interaction.response.is_stream:
        found["usage"] = usage
    if said.reported is not None:
        found["cost"] = said.reported
    for key in ("model", "id", "created", "system_fingerprint", "service_tier"):
        item = getattr(said, key)
        if item:
            found[key] = item
    for key, rows in said.lists.items():
        kinds = str if key == "citations" else Mapping
        kept = [row for row in rows if isinstance(row, kinds)]
        if kept:
            found[key] = kept
    return found


def _choice(choice: Choice) -> Spoken:
    found = _message(choice.message)
    if choice.logprobs and any(choice.logprobs.values()):
        found["logprobs"] = dict(choice.logprobs)
    if choice.finish_reason is not None:
        found["finish_reason"] = choice.finish_reason
    return found


def _message(message: Message) -> Spoken:
    content: Any = message.content if message.content is not None else None
    if not isinstance(content, str | None):
        content = list(content)
    found: Spoken = {"content": literal_tree(content)}
    if not content and (message.tool_calls or message.refusal or message.audio):
        found = {}
    if message.reasoning:
        found["reasoning"] = literal(message.reasoning)
    if message.reasoning_details:
        found["reasoning_details"] = list(message.reasoning_details)
    if message.tool_calls:
        found["tool_calls"] = [
            {"name": call.name, "arguments": literal(call.arguments)} | ({"id": call.id} if call.id else {})
            for call in message.tool_calls
        ]
    for key in ("refusal", "annotations", "audio"):
        item = getattr(message, key)
        if item:
            found[key] = literal(item) if isinstance(item, str) else list(item) if key == "annotations" else dict(item)
    extra = {key: item for key, item in message.extra.items() if item is not None}
    if extra:
        found["message"] = extra
    return found


def _usage(usage: Usage) -> Spoken:
    """Counts that the language has a key for; zeros of the details are not sent, so they are not said."""
    found: Spoken = {}
    for key in ("prompt_tokens", "completion_tokens", "total_tokens"):
        found[key] = getattr(usage, key)
    for key, details, known in (
        ("prompt_tokens_details", usage.prompt_details, _PROMPT_DETAILS),
        ("completion_tokens_details", usage.completion_details, _COMPLETION_DETAILS),
    ):
        kept = {name: item for name, item in (details or {}).items() if name in known and item}
        if kept:
            found[key] = kept
    if "prompt_tokens_details" in found and "cached_read_tokens" in found["prompt_tokens_details"]:
        for twin in ("cached_tokens", "cache_write_tokens"):  # what the gateway makes of the others
            found["prompt_tokens_details"].pop(twin, None)
    found.update({key: usage.extra[key] for key in _EXTRA_COUNTS if usage.extra and usage.extra.get(key)})
    return found


def _fault(fault: ConnectionFault) -> Any:
    """How the provider's stream broke: after all that it had said."""
    if fault.kind == "no_done":
        return "no_done"
    if fault.kind == "error_event" and fault.error is not None:
        error = fault.error
        found: Spoken = {"at": "finish", "message": literal(error.message)}
        found |= {key: item for key, item in (("type", error.type), ("code", error.code)) if item is not None}
        return {"error_event": found}
    return {fault.kind: {"at": "finish"}}


def _tokens(delta: Delta) -> int:
    texts = [item for key, item in delta.fields.items() if key != "role" and isinstance(item, str)]
    texts += [call.arguments for call in delta.calls]
    return max(1, sum([len(split_tokens(text)) for text in texts]))


def _chunk(deltas: Sequence[Delta]) -> Spoken:
    """How the text was cut: whole, or into pieces of one length; nothing where it looks like tokens."""
    texts = [text for delta in deltas if isinstance(text := delta.fields.get("content"), str) and text]
    if len(texts) == 1 and len(split_tokens(texts[0])) > 1:
        return {"chunk": "whole"}
    sizes = {len(text) for text in texts[:-1]}
    if len(sizes) == 1 and len(texts) > 2 and len(texts[-1]) <= min(sizes):
        [size] = sizes
        return {"chunk": "char" if size == 1 else size}
    return {}


def rounded(rate: float) -> float:
    """Three digits that count."""
    short = float(f"{rate:.3g}")
    return int(short) if short.is_integer() else short


def error_of(interaction: Interaction) -> Spoken:
    """`error` with what a provider said, or `gateway_error` for what only a gateway says. Raises Unspoken for what is no error."""
    if interaction.response.status < 400:
        raise Unspoken("it is no error")
    body = _envelope(interaction)
    if body is not None and (own := _gateways_own(body, interaction.response.status)) is not None:
        return {"gateway_error": own}
    said = heard(interaction)
    assert isinstance(said, Failure)  # a status from 400 on
    return {"error": _error(said)}


def _error(failure: Failure) -> Spoken:
    found: Spoken = {"status": failure.status}
    if failure.shape != "openai":
        found["shape"] = failure.shape
    if failure.shape in ("openai", "string", "plain_text"):
        found["message"] = literal(failure.message)
    for key, item in (("type", failure.type), ("code", failure.code), ("param", failure.param)):
        if item is not None:
            found[key] = item
    headers = {name: literal(failure.headers[name]) for name in _RETRY if name in failure.headers}
    if headers:
        found["headers"] = headers
    return found


def _envelope(interaction: Interaction) -> Mapping[str, Any] | None:
    """The body of a gateway's error."""
    if source_of(interaction) != "gateway":
        return None
    body = object_in(interaction.response.body)
    return body if body is not None and isinstance(body.get("error"), Mapping) else None


def _gateways_own(body: Mapping[str, Any], status: int) -> Spoken | None:
    """The error by the name that the gateway's own have, else described; None for one that it only hands on."""
    error = body["error"]
    message = str(error.get("message") or "")
    for name in GATEWAY_ERRORS:
        for profile in _PROFILES:
            if _is_said_by(body, gateway_error(name, profile)):
                return {"name": name, "message": literal(message)}
    if not body.get("is_bifrost_error") and not body.get("type") and body.get("status_code") is not None:
        return None
    found: Spoken = {"status": status, "message": literal(message)}
    for key, item in (("type", body.get("type")), ("code", error.get("code")), ("error_type", error.get("type"))):
        if isinstance(item, str):
            found[key] = literal(item)
    return found


def _is_said_by(body: Mapping[str, Any], row: GatewayError) -> bool:
    error = body["error"]
    beside = (body.get("status_code"), body.get("type"), error.get("type"), error.get("code"))
    if beside != (row.status, row.type, row.error_type, row.code):
        return False
    parts = [re.escape(part) for part in _PLACEHOLDER.split(row.message)]
    return re.fullmatch(".*".join(parts), str(error.get("message") or ""), re.DOTALL) is not None
