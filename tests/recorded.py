"""Interactions for tests, made in code: what a provider answers, and what the gateway of a scenario does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mockbifrost.cassette.interaction import (
    UNKNOWN,
    About,
    Cassette,
    Interaction,
    Piece,
    RecordedRequest,
    RecordedResponse,
)
from mockbifrost.playback.timeline import timeline_of
from mockbifrost.session.session import Session
from mockbifrost.wire.profiles import ProfileName
from tests.harness import ask_in, open_session

PROVIDER = "https://api.example.org/v1/chat/completions"
GATEWAY = "https://gateway.example.org/pydanticai/v1/chat/completions"
JSON_TYPE = ("content-type", "application/json")
STREAM_TYPE = ("content-type", "text/event-stream")


def said(message: Mapping[str, Any] | str, /, **more: Any) -> dict[str, Any]:
    """A provider's plain answer with one choice; `finish_reason` goes there, everything else beside it."""
    message = {"content": message} if isinstance(message, str) else message
    reason = more.pop("finish_reason", "tool_calls" if message.get("tool_calls") else "stop")
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": reason}
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_770_000_000, "model": "gpt-4o"}
    return {**head, "choices": [choice], "usage": usage, **more}


def call(name: str, arguments: str = "{}", id: str = "call_1") -> dict[str, Any]:
    """A call of a tool."""
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def chunk(delta: Mapping[str, Any] | None, /, finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
    """A provider's chunk; without a delta it has no choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_770_000_000, "model": "gpt-4o"}
    return {**head, "choices": choices, **more}


def events(*chunks: object, done: bool = True) -> list[bytes]:
    """The events of a stream; bytes go as they are."""
    rows = [one if isinstance(one, bytes) else b"data: " + json.dumps(one).encode() + b"\n\n" for one in chunks]
    return [*rows, b"data: [DONE]\n\n"] if done else rows


def interaction(
    body: Mapping[str, Any] | bytes,
    answer: Mapping[str, Any] | bytes | Sequence[bytes],
    *,
    status: int = 200,
    headers: Sequence[tuple[str, str]] = (),
    times_ms: Sequence[int] = (),
    uri: str = PROVIDER,
    method: str = "POST",
    about: About = UNKNOWN,
    number: int = 1,
    file: str = "refund.yaml",
    line: int = 0,
) -> Interaction:
    """One interaction: a plain answer, or with a list the pieces of a stream."""
    asked = body if isinstance(body, bytes) else json.dumps(body).encode()
    pieces: tuple[Piece, ...] = ()
    if isinstance(answer, Mapping):
        rows, kind = [json.dumps(answer).encode()], JSON_TYPE
    elif isinstance(answer, bytes):
        rows, kind = [answer], ("content-type", "text/plain")
    else:
        rows, kind = list(answer), STREAM_TYPE
    if times_ms:
        pieces = tuple([Piece(at_ms, len(row)) for at_ms, row in zip(times_ms, rows, strict=True)])
    heads = (kind, *headers)
    request = RecordedRequest(method, uri, (JSON_TYPE,), asked)
    return Interaction(request, RecordedResponse(status, "", heads, b"".join(rows), pieces), about, file, number, line)


def cassette(*interactions: Interaction, file: str = "refund.yaml") -> Cassette:
    """A file with these interactions, numbered."""
    return Cassette(file, tuple([numbered(one, number, file) for number, one in enumerate(interactions, 1)]))


def numbered(one: Interaction, number: int, file: str) -> Interaction:
    """The interaction as the `number`-th of a file."""
    return Interaction(one.request, one.response, one.about, file, number, one.line)


def gateway(
    scenario: str, *bodies: Mapping[str, Any], version: ProfileName | None = None, file: str = "refund.yaml"
) -> Cassette:
    """What a gateway answered that serves this scenario, with the times of its script."""
    session = open_session(scenario, version=version)
    release = {"1.6": "1.6.11", "2.2": "2.2.3"}.get(version or "")
    return cassette(*[recorded_in(session, body, release) for body in bodies], file=file)


def recorded_in(session: Session, body: Mapping[str, Any], release: str | None = None) -> Interaction:
    """What a session answers, as a recording of a gateway with the times of its script."""
    response = ask_in(session, body)
    timeline = timeline_of(response.exchange.outcome, 1)
    rows = [(round(frame.at_s * 1000), frame.mold.fill(timeline.values)) for frame in timeline.frames]
    rows = rows or [(0, timeline.body)]
    pieces = tuple([Piece(at_ms, len(row)) for at_ms, row in rows])
    request = RecordedRequest("POST", GATEWAY, (JSON_TYPE,), json.dumps(body).encode())
    whole = b"".join([row for _at, row in rows])
    answered = RecordedResponse(response.status, "", response.headers, whole, pieces)
    return Interaction(request, answered, About(source="gateway", gateway=release))
