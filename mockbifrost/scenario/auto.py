"""`auto`: an answer made from the request, for when nobody cares what it says but everything must hold together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from mockbifrost.match.attempt import Attempt
from mockbifrost.match.conversation import Conversation
from mockbifrost.provider.answer import Answer, CacheScript, StubRef
from mockbifrost.provider.pace import INSTANT, Pace
from mockbifrost.provider.protocol import Reached
from mockbifrost.provider.tally import Tally
from mockbifrost.provider.tokens import split_tokens
from mockbifrost.provider.validate import choices_wanted
from mockbifrost.scenario.formats import WORDS
from mockbifrost.scenario.json_schema import drawn
from mockbifrost.scenario.schema_check import Unsatisfiable
from mockbifrost.scenario.scripts import CallScript, ChoiceScript, FaultScript, ReplyScript, Tools
from mockbifrost.seeds import Draws
from mockbifrost.wire.request import ChatRequest, Tool

LAST_TOOLS: Final = ("final_result",)
"""Tools that end an agent's run: called when all others have been. Source: pydantic-ai's name for its output tool."""
AUTO: Final = StubRef("auto", "built-in", 0)
_NO_REASONING: Final = (None, "none")
_SHOWN: Final = 60
_MOST_BRACES: Final = 100
"""So many braces of a text are tried as the beginning of a schema."""
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class AutoScript:
    """Calls each offered tool once, then answers in the format that is asked for; cut by the limits of the request."""

    pace: Pace = INSTANT
    model: str | None = None
    fault: FaultScript | None = None
    cache: CacheScript | None = None

    def fails(self, attempt: Attempt) -> bool:
        """An answer does not, unless its connection leaves nothing of it."""
        return self.fault is not None and self.fault.fault.fails(stream=attempt.stream, answered=True)

    def perform(self, attempt: Attempt, tools: Tools) -> Answer:
        """The answer to this attempt."""
        request = attempt.request
        calls = _calls(attempt)
        count = choices_wanted(request)
        choices = tuple([_choice(attempt, calls, index) for index in range(count)])
        script = ReplyScript(
            choices,
            pace=self.pace,
            model=self.model,
            service_tier=request.service_tier,
            fault=self.fault,
            cache=self.cache,
        )
        return script.perform(attempt, tools)


class Auto:
    """A provider that has an answer to everything: what a lenient server falls back on."""

    def __init__(self, tools: Tools) -> None:
        self._script = AutoScript()
        self._tools = tools

    def ask(self, attempt: Attempt, tally: Tally) -> Reached:
        """An answer made from the request; nothing is counted."""
        return Reached(self._script.perform(attempt, self._tools), AUTO, tally)


def _choice(attempt: Attempt, calls: Sequence[CallScript], index: int) -> ChoiceScript:
    request = attempt.request
    units = attempt.draws.units(f"auto-{index}")
    thinks = request.reasoning_effort if request.reasoning is None else request.reasoning.effort
    reasoning = None
    if thinks not in _NO_REASONING:
        reasoning = f"The user wants an answer to {_subject(attempt.conversation)}. {_sentence(units)}"
    if calls:
        return ChoiceScript(reasoning=reasoning, tool_calls=tuple(calls))
    text, finish = _limited(_content(attempt, units), request)
    return ChoiceScript(text, reasoning=reasoning, finish_reason=finish)


def _content(attempt: Attempt, units: Iterator[float]) -> str:
    """Text, or JSON in the format that is asked for."""
    wanted = attempt.request.response_format or {}
    if wanted.get("type") == "json_schema" and isinstance(wanted.get("json_schema"), Mapping):
        return _json(wanted["json_schema"].get("schema", True), units)
    if wanted.get("type") == "json_object":
        schema = _described_schema(attempt.conversation.system or "")
        if schema is not None:
            return _json(schema, units)
        return orjson.dumps({"answer": _sentence(units)}).decode()
    results = attempt.conversation.results
    if results:
        said = "; ".join([f"{result.name or 'the tool'} gave {_short(result.text)}" for result in results])
        return f"Done: {said}. {_sentence(units)}"
    return f"An answer to {_subject(attempt.conversation)}. {_sentence(units)} {_sentence(units)}"


def _described_schema(instructions: str) -> Mapping[str, Any] | None:
    """The first JSON Schema of an object that stands in the instructions: so clients ask for an output in JSON mode.

    Source: pydantic-ai's PromptedOutput and instructor's Mode.JSON write it into the system message.
    """
    at = -1
    for _try in range(_MOST_BRACES):
        at = instructions.find("{", at + 1)
        if at < 0:
            break
        try:
            found: dict[str, Any] = _DECODER.raw_decode(instructions, at)[0]
        except (ValueError, RecursionError):
            continue
        if isinstance(found.get("properties"), Mapping):
            return found
    return None


def _json(schema: Any, units: Iterator[float]) -> str:
    try:
        return orjson.dumps(drawn(schema, units)).decode()
    except (Unsatisfiable, TypeError, ValueError, ArithmeticError, AttributeError):
        return "{}"  # the schema is broken or has no value: a provider would refuse it before


def _subject(conversation: Conversation) -> str:
    return f"“{_short(conversation.task)}”" if conversation.task else "an empty question"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _sentence(units: Iterator[float]) -> str:
    words = [WORDS[int(next(units) * len(WORDS))] for _word in range(5 + int(next(units) * 6))]
    return " ".join(words).capitalize() + "."


def _limited(text: str, request: ChatRequest) -> tuple[str, str]:
    """The text up to the first stop sequence and within the limit of tokens, and the reason why it ends there."""
    stops = [request.stop] if isinstance(request.stop, str) else request.stop or []
    ends = [text.find(stop) for stop in stops if stop and stop in text]
    if ends:
        text = text[: min(ends)]
    limit = request.completion_limit
    if limit is not None and limit >= 0:
        tokens = split_tokens(text)
        if len(tokens) > limit:
            return "".join(tokens[:limit]), "length"
    return text, "stop"


def _calls(attempt: Attempt) -> tuple[CallScript, ...]:
    """The tools to call now; none: it is time for text."""
    offered, forced, must = _choosable(attempt.request)
    if not offered:
        return ()
    if forced is not None:
        return (_call(forced, attempt.draws),)
    done = _called(attempt.conversation)
    waiting = [tool for tool in offered if tool.name not in done]
    if not waiting and must:
        waiting = [offered[-1]]
    ordinary = [tool for tool in waiting if not _is_last(tool)]
    waiting = ordinary or waiting[:1]
    if attempt.request.parallel_tool_calls is False:
        waiting = waiting[:1]
    return tuple([_call(tool, attempt.draws) for tool in waiting])


def _choosable(request: ChatRequest) -> tuple[list[Tool], Tool | None, bool]:
    """The tools that may be called, the one that is forced, and whether one must be called."""
    tools = [tool for tool in request.tools or () if tool.name is not None]
    choice = request.tool_choice
    if choice == "none":
        return [], None, False
    if isinstance(choice, Mapping):
        kind = choice.get("type")
        if kind == "none":
            return [], None, False
        named = choice.get("function") or choice.get("custom")
        if kind in ("function", "custom") and isinstance(named, Mapping):
            forced = next((tool for tool in tools if tool.name == named.get("name")), None)
            return tools, forced, True
        allowed = choice.get("allowed_tools")
        if kind == "allowed_tools" and isinstance(allowed, Mapping):
            names = [_allowed_name(one) for one in allowed.get("tools") or ()]
            return [tool for tool in tools if tool.name in names], None, allowed.get("mode") == "required"
        return tools, None, kind in ("required", "any")
    return tools, None, choice in ("required", "any")


def _allowed_name(one: Any) -> str | None:
    function = one.get("function") if isinstance(one, Mapping) else None
    return function.get("name") if isinstance(function, Mapping) else None


def _called(conversation: Conversation) -> set[str]:
    """Names of the tools called since the last message of the user."""
    found: set[str] = set()
    for message in reversed(conversation.messages):
        if message.role == "user":
            break
        found |= {call.function.name for call in message.tool_calls or () if call.function and call.function.name}
    return found


def _is_last(tool: Tool) -> bool:
    return tool.name is not None and tool.name.startswith(LAST_TOOLS)


def _call(tool: Tool, draws: Draws) -> CallScript:
    units = replace(draws, attempt=0).units(f"arguments of {tool.name}")
    name = tool.name or ""
    if tool.function is None:
        return CallScript(name, _sentence(units))
    parameters: Any = tool.function.parameters
    if isinstance(parameters, str):
        try:
            parameters = orjson.loads(parameters)
        except orjson.JSONDecodeError:
            parameters = {}
    if not parameters:
        return CallScript(name, "{}")
    return CallScript(name, _json(parameters, units))
