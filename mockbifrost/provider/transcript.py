"""Answers read back from the bodies that carried them, in OpenAI's format or in the gateway's: whole ones, and streams as they come.

What a gateway adds is left out, so that another one can add its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mockbifrost.provider.answer import Answer, Draft
from mockbifrost.provider.increments import delta_of, joined_choices, message_of, numbered
from mockbifrost.seeds import Draws
from mockbifrost.values import value
from mockbifrost.wire.chunk import Delta
from mockbifrost.wire.completion import Choice, ToolCall
from mockbifrost.wire.jsontypes import Json
from mockbifrost.wire.usage import Usage

_TWINS: Final = ("reasoning_content", "log_probs")
"""Keys that say again what another one says."""
_COUNTS: Final = (
    "prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details", "cost"
)  # fmt: skip


class NoAnswer(ValueError):
    """A body that is no answer; the text says what is wrong with it."""


@value
class Transcript:
    """An answer as its body told it. A plain one has `choices` and `latency_s`, a streamed one `deltas`; the other is worked out."""

    id: str
    created: int
    model: str
    system_fingerprint: str
    service_tier: str | None
    usage: Usage | None
    reported: float | Mapping[str, Json] | None
    choices: tuple[Choice, ...]
    deltas: tuple[Delta, ...]
    latency_s: float
    lists: Mapping[str, tuple[Json, ...]]

    def draft(self, choices: tuple[Choice, ...], deltas: tuple[Delta, ...], latency_s: float) -> Draft:
        """The part that does not vary, told in one of the two ways."""
        calls = [call for choice in self.choices for call in choice.message.tool_calls]
        return Draft(
            choices,
            deltas,
            self.usage,
            latency_s,
            len(calls) if any(call.id is None for call in calls) else 0,
            self.model,
            self.service_tier,
            self.lists.get("search_results"),
            self.lists.get("videos"),
            self.lists.get("citations"),
            reported=self.reported,
        )

    def answer(self, draft: Draft, draws: Draws) -> Answer:
        """The answer; ids that nobody gave are drawn."""
        drawn = tuple(["call_" + draws.token(f"call-{number}", 24) for number in range(draft.calls)])
        return Answer(
            draft,
            self.id or "chatcmpl-" + draws.token("id", 29),
            self.created,
            self.model,
            self.system_fingerprint,
            drawn,
        )


def plain_transcript(body: Mapping[str, Any], latency_s: float, *, gateway: bool) -> Transcript:
    """A whole answer. Raises NoAnswer."""
    raw = body.get("choices")
    if not isinstance(raw, list) or not all(isinstance(one, Mapping) for one in raw):
        raise NoAnswer("it has no list `choices`")
    choices = tuple([_choice(one, number) for number, one in enumerate(raw)])
    reader = StreamReader(gateway=gateway)
    reader.note(body)
    return reader.told(choices, (), latency_s)


def _choice(raw: Mapping[str, Any], number: int) -> Choice:
    index, reason, logprobs = raw.get("index"), raw.get("finish_reason"), raw.get("logprobs")
    message = raw.get("message")
    fields = _without_twins(message if isinstance(message, Mapping) else {})
    said = fields.pop("tool_calls", None)
    calls = tuple([_call(call) for call in said if isinstance(call, Mapping)]) if isinstance(said, list) else ()
    fields = {key: item for key, item in fields.items() if item is not None and item != []}
    return Choice(
        index if isinstance(index, int) else number,
        message_of(fields, calls),
        reason if isinstance(reason, str) else None,
        logprobs if isinstance(logprobs, Mapping) else None,
    )


def _call(raw: Mapping[str, Any]) -> ToolCall:
    function = raw.get("function")
    function = function if isinstance(function, Mapping) else {}
    id_, kind = raw.get("id"), raw.get("type")
    return ToolCall(
        str(function.get("name") or ""),
        str(function.get("arguments") or ""),
        id_ if isinstance(id_, str) and id_ else None,
        kind if isinstance(kind, str) else "function",
    )


def _without_twins(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a message or a delta as a provider says them: a reasoning under one name, without what a gateway makes of it."""
    found = dict(fields)
    if found.get("reasoning") is None and isinstance(found.get("reasoning_content"), str):
        found["reasoning"] = found["reasoning_content"]
    for twin in _TWINS:
        found.pop(twin, None)
    made = [{"index": 0, "type": "reasoning.text", "text": found.get("reasoning")}]
    if found.get("reasoning_details") == made:
        del found["reasoning_details"]
    return found


class StreamReader:
    """Reads the chunks of a stream one by one."""

    def __init__(self, *, gateway: bool) -> None:
        self._gateway = gateway
        self._head: dict[str, Any] = {}
        self._usage: Usage | None = None
        self._reported: float | Mapping[str, Json] | None = None
        self._lists: dict[str, tuple[Json, ...]] = {}
        self._deltas: list[Delta] = []

    def take(self, chunk: Mapping[str, Any], at_s: float) -> list[Delta]:
        """One chunk: the increments that it holds, which may be none. Raises NoAnswer."""
        self.note(chunk)
        raw = chunk.get("choices")
        if not isinstance(raw, list):
            raise NoAnswer("a chunk has no list `choices`")
        found = [_delta(one, at_s) for one in raw if isinstance(one, Mapping)]
        self._deltas += found
        return found

    def note(self, body: Mapping[str, Any]) -> None:
        """What a chunk or an answer says beside its choices."""
        for key in ("id", "created", "model", "system_fingerprint", "service_tier"):
            if body.get(key) and not self._head.get(key):
                self._head[key] = body[key]
        for key in ("search_results", "videos", "citations"):
            if isinstance(body.get(key), list):
                self._lists[key] = tuple(body[key])
        usage = body.get("usage")
        if isinstance(usage, Mapping):
            self._usage = usage_of(usage)
            cost = usage.get("cost")
            if not self._gateway and isinstance(cost, float | int | Mapping) and not isinstance(cost, bool):
                self._reported = cost

    def transcript(self, latency_s: float) -> Transcript:
        """All that came."""
        deltas = numbered(self._deltas)
        return self.told(joined_choices(deltas), deltas, latency_s)

    def told(self, choices: tuple[Choice, ...], deltas: tuple[Delta, ...], latency_s: float) -> Transcript:
        """What came, in these choices or increments."""
        head = self._head
        created, tier = head.get("created"), head.get("service_tier")
        return Transcript(
            _text(head.get("id")),
            created if isinstance(created, int) else 0,
            _text(head.get("model")),
            _text(head.get("system_fingerprint")),
            tier if isinstance(tier, str) else None,
            self._usage,
            self._reported,
            choices,
            deltas,
            latency_s,
            self._lists,
        )


def _delta(raw: Mapping[str, Any], at_s: float) -> Delta:
    delta = raw.get("delta")
    fields = _without_twins(delta if isinstance(delta, Mapping) else {})
    fields = {key: item for key, item in fields.items() if item is not None}  # the gateway leaves out what is null
    beside = {key: raw.get(key) for key in ("finish_reason", "index", "logprobs")}
    found = delta_of({**fields, **beside})
    return Delta(found.fields, found.calls, found.choice, at_s, found.finish_reason, found.logprobs)


def usage_of(raw: Mapping[str, Any]) -> Usage:
    """`usage` as a provider counts; a total that is missing is the sum."""
    prompt, completion = _count(raw.get("prompt_tokens")), _count(raw.get("completion_tokens"))
    total = raw.get("total_tokens")
    details, said = raw.get("prompt_tokens_details"), raw.get("completion_tokens_details")
    extra = {key: item for key, item in raw.items() if key not in _COUNTS and item is not None}
    return Usage(
        prompt,
        completion,
        total if isinstance(total, int) else prompt + completion,
        details if isinstance(details, Mapping) else None,
        said if isinstance(said, Mapping) else None,
        extra or None,
    )


def _count(raw: object) -> int:
    return raw if isinstance(raw, int) and not isinstance(raw, bool) else 0


def _text(raw: object) -> str:
    return raw if isinstance(raw, str) else ""
