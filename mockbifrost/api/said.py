"""What was said in a request and its response, read from their bodies. Bodies that are no chat completions say nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from mockbifrost.errors import UsageError
from mockbifrost.match.conversation import Conversation
from mockbifrost.wire.request import InvalidBody, RequestMessage, validate
from mockbifrost.wire.sse import Decoder

if TYPE_CHECKING:  # what annotations name is not needed at run time
    from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool. `arguments` is the text as it was sent; it may be broken JSON."""

    name: str
    arguments: str
    id: str | None = None

    @property
    def json(self) -> JsonValue:
        """The arguments, read. Raises UsageError where they are no JSON."""
        try:
            found: JsonValue = orjson.loads(self.arguments)
        except orjson.JSONDecodeError as error:
            raise UsageError(
                f"the arguments of {self.name!r} are no JSON ({error}): {self.arguments!r}; look at `arguments` instead"
            ) from None
        return found


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a request. `text` joins the parts that are text; empty where there are none."""

    role: str
    text: str
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What the assistant said in its first choice."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None


NOTHING = Said()


def conversation_of(body: object) -> Conversation | None:
    """The request as `when` sees it; None where the body is no chat completion."""
    if not isinstance(body, dict):
        return None
    try:
        return Conversation(validate(body), body)
    except InvalidBody:
        return None


def message_of(message: RequestMessage) -> Message:
    """A message for those who read it."""
    calls = [call for call in message.tool_calls or () if call.function is not None]
    return Message(
        message.role,
        message.text() or "",
        message.name,
        tuple(
            [ToolCall(call.function.name or "", call.function.arguments, call.id) for call in calls if call.function]
        ),
        message.tool_call_id,
    )


def said_in(body: object) -> Said:
    """What a plain response says."""
    choice = _first_choice(body)
    message = choice.get("message") if choice is not None else None
    if choice is None or not isinstance(message, Mapping):
        return NOTHING
    calls = [_call(one) for one in _mappings(message.get("tool_calls"))]
    return Said(_text(message.get("content")), tuple(calls), _word(choice.get("finish_reason")))


def said_in_stream(text: str) -> Said:
    """What a stream says, as far as it came."""
    said = _Growing()
    decoder = Decoder()
    for event in decoder.feed(
        text.encode("utf-8", "replace") + b"\n\n"
    ):  # what was cut off in its last line counts, too
        try:
            choice = _first_choice(orjson.loads(event.data))
        except orjson.JSONDecodeError:
            continue
        if choice is not None:
            said.take(choice)
    return said.told()


@dataclass
class _Growing:
    """A stream that is put together."""

    text: str = ""
    calls: dict[int, ToolCall] = field(default_factory=dict)
    finish_reason: str | None = None

    def take(self, choice: Mapping[str, Any]) -> None:
        """One more chunk."""
        self.finish_reason = _word(choice.get("finish_reason")) or self.finish_reason
        delta = choice.get("delta")
        if not isinstance(delta, Mapping):
            return
        self.text += _text(delta.get("content"))
        for piece in _mappings(delta.get("tool_calls")):
            number = piece.get("index")
            self._grow(number if isinstance(number, int) else len(self.calls), _call(piece))

    def _grow(self, number: int, piece: ToolCall) -> None:
        """A call begins, or its arguments go on; another id in the same place is another call."""
        begun = self.calls.get(number)
        if begun is not None and piece.id is not None and piece.id != begun.id:
            number, begun = max(self.calls) + 1, None
        elif begun is None and piece.id is None and self.calls and not piece.name:
            number = max(self.calls)
            begun = self.calls[number]
        if begun is None:
            self.calls[number] = piece
        else:
            self.calls[number] = replace(
                begun, name=begun.name or piece.name, arguments=begun.arguments + piece.arguments
            )

    def told(self) -> Said:
        """All of it."""
        return Said(self.text, tuple([self.calls[number] for number in sorted(self.calls)]), self.finish_reason)


def _first_choice(body: object) -> Mapping[str, Any] | None:
    choices = _mappings(body.get("choices")) if isinstance(body, Mapping) else iter(())
    return next((choice for choice in choices if choice.get("index", 0) == 0), None)


def _call(raw: Mapping[str, Any]) -> ToolCall:
    function = raw.get("function")
    function = function if isinstance(function, Mapping) else {}
    return ToolCall(_word(function.get("name")) or "", _word(function.get("arguments")) or "", _word(raw.get("id")))


def _text(content: object) -> str:
    """A text, or the texts of its parts joined by line ends."""
    if isinstance(content, str):
        return content
    return "\n".join([part["text"] for part in _mappings(content) if isinstance(part.get("text"), str)])


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else iter(())


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None
