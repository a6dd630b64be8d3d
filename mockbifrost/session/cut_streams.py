"""Streams that ended before their answers did, and whether the client took what came for the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mockbifrost.match.compare import shown
from mockbifrost.session.asked import conversation_of, said
from mockbifrost.session.journal import Entry
from mockbifrost.vocabulary.node import counted
from mockbifrost.wire.jsontypes import object_in
from mockbifrost.wire.redact import redact_text
from mockbifrost.wire.request import RequestMessage
from mockbifrost.wire.sse import Decoder

Told = tuple[int, str]
"""The number of a request, and what is wrong with it."""
DO: Final = (
    "  do: in the code under test, take a stream that ends with an error, or without a finish_reason, for a failure:"
    " raise, or ask again"
)


@dataclass(frozen=True, slots=True)
class _Part:
    """What a client has of an answer whose stream was cut: the first choice's text, the ids of its tool calls, the error at its end.

    `chunks` are those that say something.
    """

    chunks: int
    text: str
    calls: frozenset[str]
    error: str | None


@dataclass(frozen=True, slots=True)
class _Answer:
    """A message of the assistant: its text without the white space around it, and the ids of its tool calls."""

    text: str
    calls: frozenset[str]


def cut_streams(entries: Iterable[Entry]) -> tuple[list[Told], list[Told]]:
    """Those whose beginning the client sent on as if it were all, and those that were only not asked for again."""
    journal = list(entries)
    cut = [place for place, entry in enumerate(journal) if _was_cut(entry)]
    taken: list[Told] = []
    dropped: list[Told] = []
    if not cut:
        return taken, dropped
    answers = [_answers_in(entry) for entry in journal]
    for place in cut:
        entry = journal[place]
        part = _part(entry)
        what = f"The stream of request {entry.number} ({said(conversation_of(entry.body))}) was cut{_after(part)}"
        had = _times(answers[place], part)
        follows = (
            one
            for one, theirs in zip(journal[place + 1 :], answers[place + 1 :], strict=True)
            if _asks_again(one, entry) or _times(theirs, part) > had
        )
        follower = next(follows, None)
        if follower is None:
            dropped.append((entry.number, f"{what}, and nothing was asked again.\n  came: {_came(part)}\n{DO}"))
        elif not _asks_again(follower, entry):
            text = f"{what}, and request {follower.number} goes on as if what had come were the whole answer."
            taken.append((entry.number, f"{text}\n  came: {_came(part)}\n{DO}"))
    return taken, dropped


def _was_cut(entry: Entry) -> bool:
    """Whether it was cut while its client was there: who has left knows that it is not the whole."""
    outcome = entry.outcome
    if outcome is None or not outcome.cut or outcome.broken is not None:
        return False
    return entry.played is not None and not entry.played.closed


def _after(part: _Part) -> str:
    return f" after {counted(part.chunks, 'chunk')}" if part.chunks else " before its first chunk"


def _came(part: _Part) -> str:
    came = shown(redact_text(part.text)) if part.text else ", ".join(sorted(part.calls)) or "no text"
    end = "its end, without a finish_reason" if part.error is None else f"the error {shown(redact_text(part.error))}"
    return f"{came}, then {end}"


def _part(entry: Entry) -> _Part:
    text: list[str] = []
    chunks = 0
    calls: set[str] = set()
    error: str | None = None
    for event in Decoder().feed(entry.response_text().encode() + b"\n\n"):
        chunk = object_in(event.data) or {}  # a script may write anything
        if "error" in chunk:
            error = str(_mapping(chunk["error"]).get("message", ""))
        delta = _mapping(_mapping(next(iter(_list(chunk.get("choices"))), None)).get("delta"))
        chunks += any(value for key, value in delta.items() if key != "role")
        content = delta.get("content")
        text.append(content if isinstance(content, str) else "")
        calls.update([str(id) for call in _list(delta.get("tool_calls")) if (id := _mapping(call).get("id"))])
    return _Part(chunks, "".join(text), frozenset(calls), error)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _answers_in(entry: Entry) -> list[_Answer]:
    """What a request has among its messages as something that the assistant said."""
    conversation = conversation_of(entry.body)
    messages: Iterable[RequestMessage] = conversation.messages if conversation is not None else ()
    return [
        _Answer(
            (message.text() or "").strip(),
            frozenset([call.id for call in message.tool_calls or () if call.id is not None]),
        )
        for message in messages
        if message.role == "assistant"
    ]


def _times(answers: Iterable[_Answer], part: _Part) -> int:
    """How often the part is among them."""
    text = part.text.strip()
    return sum([bool((text and answer.text == text) or part.calls & answer.calls) for answer in answers])


def _asks_again(entry: Entry, cut: Entry) -> bool:
    """Whether a later request asks the same again, streamed or not, of whichever model."""
    mine, other = cut.body, entry.body
    return isinstance(mine, dict) and isinstance(other, dict) and mine.get("messages") == other.get("messages")
