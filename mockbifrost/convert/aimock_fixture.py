"""One fixture of aimock: what it waits for, what it does, how it is sent, in the words of the scenario language.

Source: aimock 1.43 to 1.45, its types of fixture files and the way it matches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from mockbifrost.cassette.spoken import literal, rounded
from mockbifrost.convert.conditions import contains
from mockbifrost.errors import Finding
from mockbifrost.provider.tokens import split_tokens
from mockbifrost.scenario.document import Document, path_text
from mockbifrost.vocabulary.durations import format_duration

Path = tuple[str | int, ...]
Fields = dict[str, Any]

GENERAL: Final = "change the scenario where that matters"
"""The hint beside what differs in general, and is told once a file."""
_CONTEXT: Final = "x-aimock-context"
_OF_OTHER_ENDPOINTS: Final = ("embedding", "image", "images", "audio", "transcription", "video", "live")
_KNOWN_USAGE: Final = ("prompt_tokens", "completion_tokens", "total_tokens")


@dataclass(slots=True)
class Fixture:
    """A fixture as it is converted: conditions, what it does, faults drawn before it. `index`: its place in a sequence."""

    origin: str
    when: Fields = field(default_factory=dict)
    does: Fields = field(default_factory=dict)
    chances: list[tuple[float, Fields]] = field(default_factory=list)
    index: int | None = None
    kept: bool = True


class _Reader:
    """Takes the keys of one mapping; what nobody took is told as having no counterpart."""

    def __init__(self, given: Any, document: Document, path: Path, findings: list[Finding]) -> None:
        self.given: Fields = dict(given) if isinstance(given, Mapping) else {}
        self.path = path
        self._document = document
        self._findings = findings
        self._left = dict(self.given)

    def take(self, key: str, *kinds: type) -> Any:
        """The value, if there is one of these types; of another type it is told."""
        value = self._left.pop(key, None)
        if value is None or (isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds)):
            return value
        self.tell(key, "has a value that aimock does not take, and is left out")
        return None

    def tell(self, key: str | int, message: str, hint: str = "") -> None:
        """Warn about a key."""
        path = (*self.path, key)
        place = self._document.located(path)[1].key
        self._findings.append(
            Finding(
                self._document.source, place.line + 1, place.column + 1, path_text(list(path)), message, hint, "warning"
            )
        )

    def inner(self, key: str) -> _Reader:
        """The mapping under a key."""
        value = self._left.pop(key, None)
        if value is not None and not isinstance(value, Mapping):
            self.tell(key, "must be a mapping, and is left out")
        return _Reader(value, self._document, (*self.path, key), self._findings)

    def item(self, key: str, index: int, value: Any) -> _Reader:
        """A mapping in the list under a key."""
        return _Reader(value, self._document, (*self.path, key, index), self._findings)

    def done(self) -> None:
        """Tell what nobody took."""
        for key in self._left:
            self.tell(key, "has no counterpart in a scenario, and is left out")


def read_fixture(row: Any, document: Document, path: Path, findings: list[Finding]) -> Fixture:
    """The fixture at this path of its file; what has no counterpart is added to the findings."""
    where = document.located(path)[1].value.line + 1
    found = Fixture(f"{document.source}:{where}")
    reader = _Reader(row, document, path, findings)
    match, response = reader.inner("match"), reader.inner("response")
    other = next((key for key in _OF_OTHER_ENDPOINTS if key in response.given), None)
    endpoint = match.take("endpoint", str)
    if other is not None or endpoint not in (None, "chat") or "inputText" in match.given:
        what = endpoint if endpoint not in (None, "chat") else other or "embedding"
        _Reader({}, document, path[:-1], findings).tell(path[-1], f"answers another endpoint ({what}), and is left out")
        found.kept = False
        return found
    found.index = match.take("sequenceIndex", int)
    found.when = _when(match)
    found.does = _does(response) | _manner(reader, response.given)
    found.chances = _chances(reader.inner("chaos"), found.does)
    if not any(key in found.does for key in ("reply", "error", "raw")):
        reader.tell("response", "says nothing that a scenario could say, so the fixture is left out")
        found.kept = False
    reader.take("metadata", Mapping)  # hashes for people
    for one in (match, response, reader):
        one.done()
    return found


def _when(match: _Reader) -> Fields:
    found = _conversation(match)
    turn = match.take("turnIndex", int)
    if turn is not None:
        found["turn"] = turn
        match.tell("turnIndex", "holds for this turn alone, where aimock takes the nearest turn before it", GENERAL)
    tool, model = match.take("toolName", str), match.take("model", str)
    if tool:
        found["tools"] = tool
    if model:
        name = _escaped(model)
        found["model"] = [name, f"{name}-[0-9]*"]  # dated versions fit as well
    form = match.take("responseFormat", str)
    if form == "json_schema":
        found["body"] = {"response_format.type": {"equals": form}}
    elif form:
        found["response_format"] = {"equals": form}
    context = match.take("context", str)
    if context:
        found["headers"] = {_CONTEXT: {"equals": context}}
    return found


def _conversation(match: _Reader) -> Fields:
    """What it looks for in the messages. The text of the user is the last one, however many tool rounds ago."""
    found: Fields = {}
    has_result = match.take("hasToolResult", bool)
    user = match.take("userMessage", str)
    if user:
        found["user" if has_result is False else "task"] = contains(user)
    elif user is not None:
        match.tell("userMessage", "is empty and fits every request, so it is left out")
    system = match.take("systemMessage", str, list)
    if isinstance(system, str) and system:
        found["system"] = contains(system)
    elif system:
        found["system"] = {"all": [contains(str(one)) for one in system]}
    result = _result(match)
    if result:
        found["tool_result"] = result
    elif has_result is not None and (has_result or "user" not in found):
        found["last"] = {"role": "tool" if has_result else "user"}
    return found


def _result(match: _Reader) -> Fields:
    found: Fields = {}
    id_, text = match.take("toolCallId", str), match.take("toolResultContains", str)
    if id_:
        found["id"] = id_
    if text:
        found["text"] = contains(text)
    return found


def _escaped(model: str) -> str:
    return "".join([f"[{char}]" if char in "*?[" else char for char in model])


def _does(response: _Reader) -> Fields:
    if "error" in response.given:
        return {"error": _error(response)}
    if "json" in response.given:
        status = response.take("status", int) or 200
        body = response.take("json", dict, list, str, int, float, bool)
        return {"raw": ({"status": status} if status != 200 else {}) | {"json": body}}
    reply = _reply(response)
    return {"reply": reply} if reply else {}


def _error(response: _Reader) -> Fields:
    inner = response.inner("error")
    status = response.take("status", int)
    if status is not None and not 400 <= status <= 599:
        response.tell("status", "is no error, so 500 stands in its place")
        status = None
    found: Fields = {"status": status or 500}
    for key in ("type", "code", "param", "message"):
        text = inner.take(key, str)
        if text is not None:
            found[key] = literal(text) if key == "message" else text
    seconds = response.take("retryAfter", int, float)
    if seconds is not None:
        found["retry_after"] = format_duration(seconds)
    inner.done()
    return found


def _reply(response: _Reader) -> Fields:
    found: Fields = {}
    blocks = response.take("blocks", list)
    content = response.take("content", str, dict, list)
    calls = response.take("toolCalls", list)
    if blocks:
        content, calls = _of_blocks(response, blocks)
    if content is not None:
        found["content"] = literal(content if isinstance(content, str) else orjson.dumps(content).decode())
    if calls:
        said = [_call(response.item("toolCalls", number, call)) for number, call in enumerate(calls)]
        found["tool_calls"] = [call for call in said if call is not None]
    for key, name, kinds in _OVERRIDES:
        value = response.take(key, *kinds)
        if value is not None:
            found[name] = literal(value) if name == "reasoning" else value
    role = response.take("role", str)
    if role not in (None, "assistant"):
        response.tell("role", "is not assistant, and is left out")
    usage = response.inner("usage")
    if usage.given:
        found |= _usage(usage)
    return found


_OVERRIDES: Final[tuple[tuple[str, str, tuple[type, ...]], ...]] = (
    ("reasoning", "reasoning", (str,)),
    ("finishReason", "finish_reason", (str,)),
    ("model", "model", (str,)),
    ("id", "id", (str,)),
    ("created", "created", (int,)),
    ("systemFingerprint", "system_fingerprint", (str,)),
)


def _of_blocks(response: _Reader, blocks: Sequence[Any]) -> tuple[str | None, list[Any]]:
    """The texts and the calls of ordered blocks. A scenario says text first, so another order is told."""
    texts: list[str] = []
    calls: list[Any] = []
    for number, one in enumerate(blocks):
        kind = one.get("type") if isinstance(one, Mapping) else None
        if kind == "text" and isinstance(one.get("text"), str):
            if calls:
                response.tell("blocks", "puts text behind a tool call; here the text comes first")
            texts.append(one["text"])
        elif kind == "toolCall":
            calls.append({key: item for key, item in one.items() if key != "type"})
        else:
            response.item("blocks", number, {}).tell("type", "is no kind of block, and is left out")
    return "".join(texts) if texts else None, calls


def _call(reader: _Reader) -> Fields | None:
    name, id_ = reader.take("name", str), reader.take("id", str)
    if not name:
        reader.tell("name", "is missing, so the call is left out")
        return None
    arguments = reader.take("arguments", str, dict, list)
    if isinstance(arguments, list):
        arguments = orjson.dumps(arguments).decode()
    if isinstance(arguments, dict) and literal(text := orjson.dumps(arguments).decode()) != text:
        arguments = text
    reader.done()
    found: Fields = {"name": name}
    if arguments:
        found["arguments"] = literal(arguments) if isinstance(arguments, str) else arguments
    return found | ({"id": id_} if id_ else {})


def _usage(reader: _Reader) -> Fields:
    counts: Fields = {key: value for key in _KNOWN_USAGE if (value := reader.take(key, int)) is not None}
    for key, names in _DETAILS.items():
        inner = reader.inner(key)
        kept = {name: value for name in names if (value := inner.take(name, int)) is not None}
        inner.done()
        if kept:
            counts[key] = kept
    cost = reader.take("cost", int, float)
    reader.done()
    return ({"usage": counts} if counts else {}) | ({"cost": cost} if cost is not None else {})


_DETAILS: Final = {
    "prompt_tokens_details": ("cached_tokens", "cache_write_tokens", "audio_tokens"),
    "completion_tokens_details": ("reasoning_tokens", "audio_tokens"),
}


def _manner(reader: _Reader, response: Mapping[str, Any]) -> Fields:
    """How it is sent: pace, and where it breaks off."""
    pace: Fields = {}
    size = reader.take("chunkSize", int)
    if size is not None and size >= 1:
        pace["chunk"] = size
    pace |= (
        _gaps(reader, size or 20)
        | _recorded(reader.inner("recordedTimings"), response)
        | _profile(reader.inner("streamingProfile"))
    )
    speed = reader.take("replaySpeed", int, float)
    if speed is not None:
        pace["speed"] = speed
    found: Fields = {"pace": pace} if pace else {}
    chunks = reader.take("truncateAfterChunks", int)
    if chunks is not None and "error" not in response and "json" not in response:
        found["upstream"] = {
            "cut": {"after_chunks": max(0, chunks - 1), "how": "reset"}
        }  # the first is about the role alone
        message = "breaks the provider's connection here, and the gateway tells its client so in an error event"
        reader.tell("truncateAfterChunks", message, GENERAL)
    return found


def _gaps(reader: _Reader, size: int) -> Fields:
    """`latency` passes before each chunk; a token is four characters."""
    latency_ms = reader.take("latency", int, float)
    if not latency_ms or latency_ms < 0:
        return {}
    reader.tell("latency", "waits before each chunk, and here before each token of about four characters", GENERAL)
    return {
        "ttft": format_duration(latency_ms / 1000),
        "tokens_per_second": rounded(max(1, size / 4) / latency_ms * 1000),
    }


def _profile(reader: _Reader) -> Fields:
    found: Fields = {}
    ttft_ms, rate, jitter = [reader.take(key, int, float) for key in ("ttft", "tps", "jitter")]
    if ttft_ms is not None and ttft_ms >= 0:
        found["ttft"] = format_duration(ttft_ms / 1000)
    if rate is not None and rate > 0:
        found["tokens_per_second"] = rate
        reader.tell("tps", "counts tokens here, and chunks in aimock", GENERAL)
    if jitter is not None and 0 <= jitter <= 1:
        found["jitter"] = jitter
    reader.done()
    return found


def _recorded(reader: _Reader, response: Mapping[str, Any]) -> Fields:
    found: Fields = {}
    ttft_ms, total_ms = reader.take("ttftMs", int, float), reader.take("totalDurationMs", int, float)
    gaps = reader.take("interChunkDelaysMs", list)
    if ttft_ms is not None and ttft_ms >= 0:
        found["ttft"] = format_duration(ttft_ms / 1000)
    gaps = [gap for gap in gaps or () if isinstance(gap, int | float)]
    said_ms = sum(gaps) if gaps else (total_ms or 0) - (ttft_ms or 0)
    content = response.get("content")
    if isinstance(content, str) and said_ms > 0 and content:
        found["tokens_per_second"] = rounded(len(split_tokens(content)) / said_ms * 1000)
    reader.done()
    return found


def _chances(chaos: _Reader, does: Fields) -> list[tuple[float, Fields]]:
    """Faults that are drawn one after the other before the answer: each is a stub of its own in front of it."""
    latency_ms = chaos.take("latencyMs", int, float)
    if latency_ms:
        pace = does.setdefault("pace", {})
        pace.setdefault("ttft", format_duration(latency_ms / 1000))
    found: list[tuple[float, Fields]] = []
    for key, fault in _FAULTS.items():
        rate = chaos.take(key, int, float)
        if rate is not None and 0 < rate <= 1:
            found.append((rate, dict(fault)))
    chaos.done()
    return found


_FAULTS: Final[Mapping[str, Fields]] = {
    "dropRate": {"error": "server_error"},
    "malformedRate": {"upstream": "not_json"},
    "rateLimitRate": {"error": "rate_limited"},
    "disconnectRate": {"upstream": "reset"},
}
