"""What a request says, read from the messages that the client sent: never from a counter, so parallel conversations can't mix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

import orjson

from mockbifrost.wire.request import ChatRequest, RequestMessage

T = TypeVar("T")
_NO_MESSAGES: Final[tuple[RequestMessage, ...]] = ()
_SYSTEM_ROLES: Final = ("system", "developer")


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool's result at the end of the conversation; `name` is found through the id of the call."""

    name: str | None
    id: str | None
    text: str

    @property
    def value(self) -> object:
        """The result as JSON where it is JSON, else its text."""
        try:
            value: object = orjson.loads(self.text)
        except orjson.JSONDecodeError:
            return self.text
        return value


class Conversation:
    """A view of one request; each part is worked out when it is first asked for."""

    def __init__(self, request: ChatRequest, body: Mapping[str, Any]) -> None:
        self.request = request
        self.body = body
        self.messages: Sequence[RequestMessage] = request.messages or _NO_MESSAGES
        self._derived: dict[object, Any] = {}

    def once(self, key: object, derive: Callable[[Conversation], T]) -> T:
        """What follows from the request alone, worked out when it is first asked for."""
        derived = self._derived
        if key not in derived:
            derived[key] = derive(self)
        found: T = derived[key]
        return found

    @cached_property
    def user(self) -> str | None:
        """The text of the user message that the conversation ends with; trailing ones without text are skipped."""
        for message in reversed(self.messages):
            if message.role != "user":
                return None
            text = message.text()
            if text:
                return text
        return None

    @cached_property
    def task(self) -> str | None:
        """The text of the last user message that has any, however many tool rounds ago."""
        for message in reversed(self.messages):
            if message.role == "user" and (text := message.text()):
                return text
        return None

    @cached_property
    def first_user(self) -> str | None:
        """The text of the first user message."""
        return next((message.text() for message in self.messages if message.role == "user"), None)

    @cached_property
    def system(self) -> str | None:
        """The text of all system and developer messages, joined by line ends; None where there are none."""
        texts = [message.text() or "" for message in self.messages if message.role in _SYSTEM_ROLES]
        return "\n".join(texts) if texts else None

    @cached_property
    def last(self) -> RequestMessage | None:
        """The last message."""
        return self.messages[-1] if self.messages else None

    @cached_property
    def turn(self) -> int:
        """The number of assistant messages so far."""
        return sum([message.role == "assistant" for message in self.messages])

    @cached_property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools on offer."""
        return tuple([tool.name for tool in self.request.tools or () if tool.name is not None])

    @cached_property
    def call_names(self) -> Mapping[str, str]:
        """Names of the calls made so far, by id."""
        found: dict[str, str] = {}
        for message in self.messages:
            for call in message.tool_calls or ():
                if call.id is not None and call.function is not None and call.function.name is not None:
                    found[call.id] = call.function.name
        return found

    @cached_property
    def results(self) -> tuple[ToolResult, ...]:
        """The tool results that the conversation ends with, in order."""
        found: list[ToolResult] = []
        for message in reversed(self.messages):
            if message.role != "tool":
                break
            found.append(self.result_of(message))
        return tuple(reversed(found))

    def result_of(self, message: RequestMessage) -> ToolResult:
        """A tool message with its name."""
        name = self.call_names.get(message.tool_call_id or "", message.name)
        return ToolResult(name, message.tool_call_id, message.text() or "")

    @cached_property
    def response_format(self) -> str | None:
        """The name of the JSON schema that is asked for, else the format's type; None where none is asked for."""
        wanted = self.request.response_format
        if not wanted:
            return None
        schema = wanted.get("json_schema")
        if isinstance(schema, dict) and isinstance(schema.get("name"), str):
            return str(schema["name"])
        kind = wanted.get("type")
        return kind if isinstance(kind, str) else None
