"""What a stub does once it is chosen: scripts that turn an attempt into what the provider, or the gateway, says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, Literal, Protocol

import orjson

from mockbifrost.match.attempt import Attempt
from mockbifrost.provider.answer import Answer, CacheScript, Draft, Failure, Pending, RawAnswer, Refusal, Said, Shape
from mockbifrost.provider.chunks import cut_choices, timed
from mockbifrost.provider.connection import ConnectionFault, delayed
from mockbifrost.provider.fragments import Fragments
from mockbifrost.provider.increments import delta_of, ended, joined_choices, numbered
from mockbifrost.provider.logprobs import drawn_logprobs
from mockbifrost.provider.pace import INSTANT, Pace
from mockbifrost.provider.tally import Tally
from mockbifrost.provider.tokens import TokenCounter
from mockbifrost.provider.validate import choices_wanted
from mockbifrost.scenario.templates import Template, context_of
from mockbifrost.seeds import Draws, digest
from mockbifrost.wire.chunk import Delta
from mockbifrost.wire.completion import Choice, Message, ToolCall
from mockbifrost.wire.jsontypes import Json
from mockbifrost.wire.usage import Usage

Text = str | Template
"""A text that is always the same, or one that is filled in from the request."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A JSON value some of whose texts are templates."""

    value: Any


MOST_DRAFTS: Final = 16
NO_DETAILS: Final[Mapping[str, int]] = {}
NO_HEADERS: Final[Mapping[str, str]] = {}


class Fake(Protocol):
    """Draws fake data: one call of a Faker provider, seeded."""

    def __call__(self, calls: Mapping[str, Any], draws: Draws) -> str:
        """What the named methods give."""
        ...

    def proxy(self, draws: Draws) -> Any:
        """`fake` in templates."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What scripts need and don't hold: the counter of tokens of a model, the source of fake data."""

    counter_of: Callable[[str], TokenCounter]
    fake: Fake


class Script(Protocol):
    """A behaviour."""

    def fails(self, attempt: Attempt) -> bool:
        """Whether nothing of an answer comes of this attempt: such a use is spent by the attempt, not by the call."""
        ...

    def perform(self, attempt: Attempt, tools: Tools) -> Said:
        """What is said to this attempt. Raises TemplateFailed."""
        ...


class Counting:
    """A behaviour that counts for itself how far it has come."""

    def play(self, attempt: Attempt, tools: Tools, tally: Tally) -> Said:
        """What is said to this attempt, counted in the tally."""
        raise NotImplementedError


class _Rendering:
    """Fills in the texts of one answer; the context is made when first asked for."""

    def __init__(self, attempt: Attempt, tools: Tools) -> None:
        self._attempt = attempt
        self._tools = tools
        self._context: dict[str, Any] | None = None

    def text(self, text: Text) -> str:
        if isinstance(text, str):
            return text
        if self._context is None:
            self._context = context_of(self._attempt)
            self._context["fake"] = self._tools.fake.proxy(self._attempt.draws)
        return text.render(self._context)

    def tree(self, value: Any) -> Any:
        """A JSON value with the templates among its texts filled in."""
        if isinstance(value, Template):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.tree(inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.tree(inner) for inner in value]
        return value

    def arguments(self, value: Text | Tree) -> str:
        """Arguments as text; those written as a mapping are JSON whatever is filled in."""
        return orjson.dumps(self.tree(value.value)).decode() if isinstance(value, Tree) else self.text(value)


@dataclass(frozen=True, slots=True)
class CallScript:
    """A tool call as it is scripted."""

    name: str
    arguments: Text | Tree
    id: str | None = None


@dataclass(frozen=True, slots=True)
class ChoiceScript:
    """One choice as it is scripted. `logprobs` True: drawn."""

    content: Text | Tree | tuple[Json, ...] | None = None
    faker: Mapping[str, Any] | None = None
    reasoning: Text | None = None
    reasoning_details: tuple[Json, ...] | None = None
    refusal: Text | None = None
    tool_calls: tuple[CallScript, ...] = ()
    annotations: tuple[Json, ...] | None = None
    audio: Mapping[str, Json] | None = None
    logprobs: Literal[True] | Mapping[str, Json] | None = None
    finish_reason: str | None = None
    message: Mapping[str, Json] = field(default_factory=dict)

    @property
    def constant(self) -> bool:
        """Whether it says the same to every request."""
        texts = [self.content, self.reasoning, self.refusal, *[call.arguments for call in self.tool_calls]]
        return self.faker is None and not any(isinstance(text, Template | Tree) for text in texts)


@dataclass(frozen=True, slots=True)
class ReplyScript:
    """A provider's answer as it is scripted. `usage` None: computed, unless `no_usage`. `chunks` are explicit increments."""

    choices: tuple[ChoiceScript, ...] = (ChoiceScript(),)
    chunks: tuple[Mapping[str, Json], ...] | None = None
    fragments: Fragments = "openai"
    usage: Usage | None = None
    no_usage: bool = False
    model: str | None = None
    id: str | None = None
    created: int | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    latency_s: float | None = None
    headers: tuple[tuple[str, Text], ...] = ()
    search_results: tuple[Json, ...] | None = None
    videos: tuple[Json, ...] | None = None
    citations: tuple[Json, ...] | None = None
    body: Mapping[str, Json] | None = None
    pace: Pace = INSTANT
    echo: bool = False
    fault: FaultScript | None = None
    cache: CacheScript | None = None
    reported: float | Mapping[str, Json] | None = None
    costless: bool = False
    constant: bool = field(init=False)
    drafts: dict[Any, Draft] = field(default_factory=dict, compare=False, repr=False)

    def fails(self, attempt: Attempt) -> bool:
        """An answer does not, unless its connection leaves nothing of it."""
        return self.fault is not None and self.fault.fault.fails(stream=attempt.stream, answered=True)

    def __post_init__(self) -> None:
        drawn = [choice.logprobs is True for choice in self.choices]
        same = not self.echo and self.pace.constant and all(choice.constant for choice in self.choices)
        object.__setattr__(self, "constant", same and not any(drawn))

    def perform(self, attempt: Attempt, tools: Tools) -> Answer:
        """The answer to this attempt."""
        rendering = _Rendering(attempt, tools)
        prompt_tokens, details = 0, NO_DETAILS
        counter = tools.counter_of(attempt.model)
        if self.usage is None and not self.no_usage:
            prompt_tokens, details = attempt.conversation.once(counter, counter.prompt_of)
        draft = self._draft(attempt, tools, rendering, counter, details)
        draws = attempt.draws
        fingerprint = self.system_fingerprint
        return Answer(
            draft,
            "chatcmpl-" + draws.token("id", 29) if self.id is None else self.id,
            attempt.moment.created if self.created is None else self.created,
            self.model or attempt.served_model,
            fingerprint if fingerprint is not None else fingerprint_of(draws.seed, attempt.served_model),
            tuple(["call_" + draws.token(f"call-{number}", 24) for number in range(draft.calls)])
            if draft.calls
            else (),
            prompt_tokens,
            prompt_tokens + draft.usage.completion_tokens if draft.usage is not None else 0,
            {name: rendering.text(value) for name, value in self.headers} if self.headers else NO_HEADERS,
            self.fault.perform(attempt, tools) if self.fault is not None else None,
            self.cache,
        )

    def _draft(
        self, attempt: Attempt, tools: Tools, rendering: _Rendering, counter: TokenCounter, details: Mapping[str, int]
    ) -> Draft:
        """What does not vary: made once for each form of the request, where the script says the same to all."""
        request = attempt.request
        if not self.constant or request.logprobs is True:
            return self._made(attempt, tools, rendering, counter, details)
        key = (counter, request.stream, request.n, *details.items())
        draft = self.drafts.get(key)
        if draft is None:
            if len(self.drafts) >= MOST_DRAFTS:
                self.drafts.clear()
            draft = self.drafts[key] = self._made(attempt, tools, rendering, counter, details)
        return draft

    def _made(
        self, attempt: Attempt, tools: Tools, rendering: _Rendering, counter: TokenCounter, details: Mapping[str, int]
    ) -> Draft:
        units = attempt.draws.units("pace")
        explicit = numbered([delta_of(chunk) for chunk in self.chunks]) if self.chunks is not None else None
        choices = joined_choices(explicit) if explicit is not None else self._choices(attempt, tools, rendering)
        usage, completion_tokens = self._usage(choices, counter, details)
        pace = self.pace
        latency_s = self.latency_s if self.latency_s is not None else pace.latency_s(completion_tokens, units)
        fault = self.fault.fault if self.fault is not None else None
        deltas: tuple[Delta, ...] = ()
        if attempt.stream or (fault is not None and fault.has_place):
            if explicit is not None:
                deltas = tuple(timed(ended(explicit, choices), pace, units))
            else:
                deltas = cut_choices(choices, pace, self.fragments, units)
        if fault is not None:
            deltas, latency_s = delayed(fault, deltas, latency_s)
        return Draft(
            () if attempt.stream else choices,
            deltas,
            usage,
            latency_s,
            sum([len(choice.message.tool_calls) for choice in choices]),
            self.model,
            self.service_tier,
            self.search_results,
            self.videos,
            self.citations,
            self.body,
            pace.speed,
            self.reported,
            self.costless,
        )

    def _usage(
        self, choices: tuple[Choice, ...], counter: TokenCounter, images: Mapping[str, int]
    ) -> tuple[Usage | None, int]:
        counted, details = counter.completion([choice.message for choice in choices])
        if self.no_usage:
            return None, counted
        if self.usage is not None:
            return self.usage, self.usage.completion_tokens
        return Usage(1, counted, 1, {**images, "cached_tokens": 0}, details, computed=True), counted

    def _choices(self, attempt: Attempt, tools: Tools, rendering: _Rendering) -> tuple[Choice, ...]:
        wanted = choices_wanted(attempt.request)
        found: list[Choice] = []
        for index in range(wanted):
            script = self.choices[min(index, len(self.choices) - 1)]
            if index:  # each further choice draws anew
                draws = attempt.draws
                further = replace(attempt, draws=replace(draws, occurrence=draws.occurrence + (index << 32)))
                found.append(self._choice(script, index, further, tools, _Rendering(further, tools)))
            else:
                found.append(self._choice(script, index, attempt, tools, rendering))
        return tuple(found)

    def _choice(
        self, script: ChoiceScript, index: int, attempt: Attempt, tools: Tools, rendering: _Rendering
    ) -> Choice:
        content: str | tuple[Json, ...] | None = None
        if self.echo:
            content = attempt.conversation.task or ""
        elif script.faker is not None:
            content = tools.fake(script.faker, attempt.draws)
        elif isinstance(script.content, tuple):
            content = script.content
        elif isinstance(script.content, Tree):
            content = tuple(rendering.tree(script.content.value))
        elif script.content is not None:
            content = rendering.text(script.content)
        calls = tuple([ToolCall(call.name, rendering.arguments(call.arguments), call.id) for call in script.tool_calls])
        extra = dict(script.message)
        role = extra.pop("role") if isinstance(extra.get("role"), str) else "assistant"
        message = Message(
            content,
            role=str(role),
            refusal=rendering.text(script.refusal) if script.refusal is not None else None,
            audio=script.audio,
            reasoning=rendering.text(script.reasoning) if script.reasoning is not None else None,
            reasoning_details=script.reasoning_details,
            annotations=script.annotations,
            tool_calls=calls,
            extra=extra,
        )
        finish = script.finish_reason or ("tool_calls" if calls else "stop")
        return Choice(index, message, finish, self._logprobs(script, message, attempt, index))

    @staticmethod
    def _logprobs(script: ChoiceScript, message: Message, attempt: Attempt, index: int) -> Mapping[str, Json] | None:
        if isinstance(script.logprobs, Mapping):
            return script.logprobs
        if script.logprobs is not True and attempt.request.logprobs is not True:
            return None
        return drawn_logprobs(message, attempt.draws, index, attempt.request.top_logprobs or 0)


@lru_cache(maxsize=256)
def fingerprint_of(seed: int, model: str) -> str:
    """The system fingerprint of a simulated provider: the same for a model, until the seed changes."""
    return "fp_" + digest(seed, "system_fingerprint", model, size=5).hex()


@dataclass(frozen=True, slots=True)
class ErrorScript:
    """A provider's failure as it is scripted."""

    status: int
    message: Text
    type: str | None = None
    code: str | None = None
    param: Json = None
    shape: Shape = "openai"
    headers: tuple[tuple[str, Text], ...] = ()
    pace: Pace = INSTANT

    def fails(self, attempt: Attempt) -> bool:
        """It does."""
        return True

    def perform(self, attempt: Attempt, tools: Tools) -> Failure:
        """The failure of this attempt; it comes after the ttft."""
        rendering = _Rendering(attempt, tools)
        message = rendering.text(self.message)
        return Failure(
            self.status,
            message.replace("{model}", attempt.served_model),
            self.type,
            self.code,
            self.param,
            self.shape,
            {name: rendering.text(value) for name, value in self.headers},
            self.pace.first_s(attempt.draws.units("pace")),
            self.pace.speed,
        )


@dataclass(frozen=True, slots=True)
class FaultScript:
    """A fault of the provider's connection as it is scripted: alone, or in an answer. `message` is what an error event says."""

    fault: ConnectionFault
    message: Text = ""
    pace: Pace = INSTANT

    def fails(self, attempt: Attempt) -> bool:
        """Alone, it mostly does."""
        return self.fault.fails(stream=attempt.stream, answered=False)

    def perform(self, attempt: Attempt, tools: Tools) -> ConnectionFault:
        """The fault of this attempt; where nothing comes before it, it comes after the ttft."""
        fault = self.fault
        error = fault.error
        if error is not None:
            message = _Rendering(attempt, tools).text(self.message)
            error = replace(error, message=message.replace("{model}", attempt.model))
        took_s = self.pace.first_s(attempt.draws.units("pace"))
        return replace(fault, error=error, took_s=took_s, speed=self.pace.speed)


@dataclass(frozen=True, slots=True)
class RefusalScript:
    """A gateway's own error as it is scripted: a name, or a description, `over` laid upon it."""

    name: str | None
    over: Mapping[str, Any]
    whole: bool
    pace: Pace = INSTANT

    def fails(self, attempt: Attempt) -> bool:
        """It does."""
        return True

    def perform(self, attempt: Attempt, tools: Tools) -> Refusal:
        """The refusal; the gateway finds its words, which differ by profile."""
        over = _Rendering(attempt, tools).tree(self.over)
        return Refusal(self.name, over, self.whole, self.pace.first_s(attempt.draws.units("pace")), self.pace.speed)


@dataclass(frozen=True, slots=True)
class RawScript:
    """An HTTP answer that was written out."""

    answer: RawAnswer

    def fails(self, attempt: Attempt) -> bool:
        """By its status."""
        return self.answer.status >= 400

    def perform(self, attempt: Attempt, tools: Tools) -> RawAnswer:
        """Always the same bytes."""
        return self.answer


@dataclass(frozen=True, slots=True)
class ForwardScript:
    """The upstream answers, whatever it is."""

    def fails(self, attempt: Attempt) -> bool:
        """What it will answer is not known."""
        return False

    def perform(self, attempt: Attempt, tools: Tools) -> Pending:
        """Whoever asks knows the upstream."""
        return Pending(whole=False)
