"""What came in and what became of it, as tests read it: views of the journal, the same for a server here and one elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import orjson

from mockbifrost.api.said import NOTHING, Message, Said, ToolCall, conversation_of, message_of, said_in, said_in_stream

if TYPE_CHECKING:  # what annotations name is not needed at run time
    from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class Place:
    """Who answered: a stub or a recording, with its name where it has one, its file and line."""

    name: str | None
    file: str
    line: int = 0

    @property
    def label(self) -> str:
        """The name, else `file:line`."""
        return self.name or (f"{self.file}:{self.line}" if self.line else self.file)


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt of the gateway at a provider. `number` counts the tries at this target and `fallback` the targets, both from 0.

    `outcome` is answer, error, refusal, raw, miss or cached; times are seconds of the session's clock.
    """

    provider: str
    model: str
    key: str | None
    number: int
    fallback: int
    stub: Place | None
    outcome: str
    status: int
    type: str | None
    at_s: float
    took_s: float


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A field that kept a stub from answering: what it wanted and what it got, in words."""

    field: str
    want: str
    got: str


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A stub or recording that nearly answered: the fields that differ, or the `reason` why it stepped aside although all fit."""

    stub: Place
    mismatches: tuple[Mismatch, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The response that the client got: `text` as it was written, `body` where it is JSON.

    `chunks` with content are those of a stream; None where it is none.
    """

    status: int
    headers: Mapping[str, str]
    text: str
    body: Any = None
    chunks: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request with the attempts behind it. Of a server elsewhere, what looks like a key is redacted.

    `body` is as `json.loads` gives it, a text where it is no JSON; `model`, `messages`, `user`, `system` and `tools` are read from it.

    `retry` is the client's own count, `call` the number of what the application asked for. `error` names an error of the mock itself
    (`no_match`, `sequence_exhausted`, `template`, …), and `message` says why. `client_closed_at_chunk`: the client left after so many
    chunks. `open`: the response is still on its way.
    """

    number: int
    session: str
    call: int
    retry: int | None
    at_s: float
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    stub: Place | None
    trail: tuple[Try, ...]
    response: Answered | None
    virtual_key: str | None
    cache: Mapping[str, JsonValue] | None
    usage: Mapping[str, int] | None
    cost: Mapping[str, float] | None
    error: str | None
    message: str | None
    near_misses: tuple[NearMiss, ...]
    client_closed_at_chunk: int | None
    open: bool

    @property
    def status(self) -> int:
        """The status of the response; 0 where there is none yet."""
        return self.response.status if self.response is not None else 0

    @property
    def text(self) -> str:
        """The response as it was written, a stream with all its events; what the assistant said is `said`."""
        return self.response.text if self.response is not None else ""

    @property
    def said(self) -> str:
        """The assistant's words in the first choice, of a stream as far as it came; empty where there are none."""
        return self._said().text

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools that the assistant called in the first choice."""
        return self._said().tool_calls

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended; None where it does not say."""
        return self._said().finish_reason

    def _said(self) -> Said:
        response = self.response
        if response is None:
            return NOTHING
        return said_in_stream(response.text) if response.chunks is not None else said_in(response.body)

    @property
    def model(self) -> str:
        """The model that was asked for; empty where there is none."""
        conversation = conversation_of(self.body)
        return conversation.request.model if conversation is not None else ""

    @property
    def stream(self) -> bool:
        """Whether a stream was asked for."""
        conversation = conversation_of(self.body)
        return conversation is not None and conversation.request.stream is True

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation; empty where the request is no chat completion."""
        conversation = conversation_of(self.body)
        return tuple([message_of(one) for one in conversation.messages]) if conversation is not None else ()

    @property
    def user(self) -> str | None:
        """The text that `when(user=…)` is compared with: that of the user message at the end of the conversation."""
        conversation = conversation_of(self.body)
        return conversation.user if conversation is not None else None

    @property
    def system(self) -> str | None:
        """The text that `when(system=…)` is compared with: that of all system and developer messages."""
        conversation = conversation_of(self.body)
        return conversation.system if conversation is not None else None

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools on offer."""
        conversation = conversation_of(self.body)
        return conversation.tools if conversation is not None else ()

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Self:
        """From an entry of the journal."""
        request, response = entry["request"], entry.get("response")
        return cls(
            entry["n"],
            entry["session"],
            entry["call"],
            entry.get("retry"),
            entry["at_s"],
            request["method"],
            request["path"],
            request["headers"],
            request.get("body"),
            _place(entry.get("stub")),
            tuple([_try(one) for one in entry.get("trail", ())]),
            _answered(response) if response is not None else None,
            entry.get("virtual_key"),
            entry.get("cache"),
            entry.get("usage"),
            entry.get("cost"),
            entry.get("error"),
            entry.get("message"),
            tuple([_near_miss(one) for one in entry.get("near_misses", ())]),
            entry.get("client_closed_at_chunk"),
            bool(entry.get("open", False)),
        )


def _near_miss(raw: Mapping[str, Any]) -> NearMiss:
    stub = raw["stub"]
    mismatches = [Mismatch(one["field"], one["want"], one["got"]) for one in raw.get("mismatches", ())]
    return NearMiss(Place(stub.get("name"), stub["file"], stub["line"]), tuple(mismatches), raw.get("reason"))


def _place(raw: Mapping[str, Any] | None) -> Place | None:
    return None if raw is None else Place(raw.get("name"), raw.get("file", ""), raw.get("line", 0))


def _try(raw: Mapping[str, Any]) -> Try:
    return Try(
        raw["provider"],
        raw["model"],
        raw.get("key"),
        raw["try"],
        raw["fallback"],
        _place(raw.get("stub")),
        raw["outcome"],
        raw["status"],
        raw.get("type"),
        raw["at_s"],
        raw["took_s"],
    )


def _answered(raw: Mapping[str, Any]) -> Answered:
    body, text = raw.get("body"), raw.get("text")
    if text is None:
        text = orjson.dumps(body).decode()
    return Answered(raw["status"], raw["headers"], text, body, raw.get("chunks"))


@dataclass(frozen=True, slots=True)
class Call:
    """What the application asked for once: one request, or more where the client retried. What it was told is in the `last`."""

    number: int
    requests: tuple[Request, ...]

    @property
    def last(self) -> Request:
        """The request whose response the application saw in the end."""
        return self.requests[-1]

    @property
    def status(self) -> int:
        """The status that the application saw in the end."""
        return self.last.status

    @property
    def said(self) -> str:
        """The assistant's words that the application saw in the end."""
        return self.last.said


def calls_of(requests: Sequence[Request]) -> tuple[Call, ...]:
    """The requests, grouped into what the application asked for."""
    groups: dict[int, list[Request]] = {}
    for request in requests:
        groups.setdefault(request.call, []).append(request)
    return tuple([Call(number, tuple(found)) for number, found in groups.items()])
