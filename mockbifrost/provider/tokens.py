"""The built-in splitter and counter of tokens: deterministic, without any download, and close to what providers count for plain prose."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from mockbifrost.match.conversation import Conversation
from mockbifrost.wire.completion import Message
from mockbifrost.wire.request import ChatRequest, RequestMessage

_TOKEN: Final = re.compile(
    "[\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff]"  # one sign of Chinese, Japanese, Korean
    r"| ?[^\W\d_]{1,8}"  # a word of up to eight letters, with the blank before it
    r"| ?\d{1,3}"
    r"| ?[^\w\s]{1,2}"
    r"|_+"
    r"|\s+"
)
_WORD: Final = re.compile(r"\s*\S+\s*?(?=\s|$)|\s+")

PER_MESSAGE: Final = 4
"""Tokens that frame each message, its role included."""
PRIMING: Final = 3
"""Tokens that every answer is primed with."""
PER_TOOL_CALL: Final = 4
IMAGE: Final = 765
"""One image of high detail, a square of 1024 pixels."""
IMAGE_LOW: Final = 85
AUDIO_BYTES_PER_TOKEN: Final = 2400


def split_tokens(text: str) -> list[str]:
    """The tokens of a text; joined they are the text."""
    return _TOKEN.findall(text)


def split_words(text: str) -> list[str]:
    """The words of a text, each with the white space before it; joined they are the text."""
    return _WORD.findall(text)


def count_built_in(text: str) -> int:
    """The number of tokens that the built-in splitter makes of a text."""
    return len(_TOKEN.findall(text))


class TokenCounter:
    """Counts tokens and remembers what it counted, since agents send the same messages again and again. Memory is bounded."""

    def __init__(self, most_characters: int = 2_000_000, count: Callable[[str], int] = count_built_in) -> None:
        self._count = count
        self._known: dict[str, int] = {}
        self._held = 0
        self._most = most_characters

    def count(self, text: str) -> int:
        """The number of tokens of a text."""
        known = self._known.get(text)
        if known is None:
            known = self._count(text)
            if self._held + len(text) > self._most:
                self._known.clear()
                self._held = 0
            if len(text) <= self._most // 8:
                self._known[text] = known
                self._held += len(text)
        return known

    def prompt_of(self, conversation: Conversation) -> tuple[int, dict[str, int]]:
        """Tokens of a conversation's prompt, and of its images and audio apart."""
        return self.prompt(conversation.request)

    def prompt(self, request: ChatRequest) -> tuple[int, dict[str, int]]:
        """Tokens of the whole prompt, and of its images and audio apart."""
        total = PRIMING
        details: dict[str, int] = {}
        for message in request.messages or ():
            total += PER_MESSAGE + self._message(message, details)
        if request.tools:
            tools = [tool.model_dump(exclude_unset=True) for tool in request.tools]
            total += self.count(orjson.dumps(tools).decode())
        if request.response_format:
            total += self.count(orjson.dumps(request.response_format).decode())
        for count in details.values():
            total += count
        return total, details

    def _message(self, message: RequestMessage, details: dict[str, int]) -> int:
        content = message.content
        total = 0
        if isinstance(content, str):
            total = self.count(content)
        elif content:
            total = sum([self._part(part, details) for part in content])
        if message.name:
            total += self.count(message.name)
        for call in message.tool_calls or ():
            if call.function is not None:
                total += PER_TOOL_CALL + self.count(call.function.name or "") + self.count(call.function.arguments)
        return total

    def _part(self, part: Mapping[str, Any], details: dict[str, int]) -> int:
        kind = part.get("type")
        if kind == "image_url":
            image = part.get("image_url")
            low = isinstance(image, Mapping) and image.get("detail") == "low"
            details["image_tokens"] = details.get("image_tokens", 0) + (IMAGE_LOW if low else IMAGE)
        elif kind == "input_audio":
            audio = part.get("input_audio")
            data = audio.get("data") if isinstance(audio, Mapping) else None
            size = len(data) if isinstance(data, str) else 0
            details["audio_tokens"] = details.get("audio_tokens", 0) + size // AUDIO_BYTES_PER_TOKEN + 1
        else:
            text = part.get("text") or part.get("refusal")
            if isinstance(text, str):
                return self.count(text)
        return 0

    def completion(self, messages: Sequence[Message]) -> tuple[int, dict[str, int]]:
        """Tokens of all choices, reasoning included, and of reasoning and audio apart."""
        total = 0
        details: dict[str, int] = {}
        for message in messages:
            content = message.content
            if isinstance(content, str):
                total += self.count(content)
            elif content:
                texts = [part.get("text") for part in content if isinstance(part, Mapping)]
                total += sum([self.count(text) for text in texts if isinstance(text, str)])
            total += self.count(message.refusal or "")
            for call in message.tool_calls:
                total += PER_TOOL_CALL + self.count(call.name) + self.count(call.arguments)
            if message.reasoning:
                details["reasoning_tokens"] = details.get("reasoning_tokens", 0) + self.count(message.reasoning)
            if message.audio is not None:
                size = len(str(message.audio.get("data") or ""))
                details["audio_tokens"] = details.get("audio_tokens", 0) + size // AUDIO_BYTES_PER_TOKEN + 1
        return total + sum(details.values()), details


class BuiltInTokens:
    """The built-in counter, the same for every model."""

    def __init__(self) -> None:
        self._counter = TokenCounter()

    def __call__(self, model: str) -> TokenCounter:
        """The counter for a model."""
        return self._counter
