"""What a provider refuses before it answers: a bad request gets OpenAI's 400, and no script is spent on it.

The words are those of OpenAI's API, which most providers behind the gateway imitate; the gateway itself hands them on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from mockbifrost.provider.answer import Failure
from mockbifrost.provider.schema_rules import problem_of
from mockbifrost.wire.request import ChatRequest, RequestMessage, Tool

ROLES: Final = ("system", "assistant", "user", "function", "tool", "developer")
EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh")
CHOICES: Final = ("none", "auto", "required")
FORMATS: Final = ("text", "json_object", "json_schema")
MOST_TOOLS: Final = 128
MOST_STOPS: Final = 4
MOST_CHOICES: Final = 128
LONGEST_NAME: Final = 64
OPENAI_CHOICE_KINDS: Final = ("function", "allowed_tools", "custom")
CHOICE_KINDS: Final = (*OPENAI_CHOICE_KINDS, "none", "auto", "required", "any")
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]+")
_NUMBERS: Final[tuple[tuple[str, float, float], ...]] = (
    ("temperature", 0, 2),
    ("top_p", 0, 1),
    ("frequency_penalty", -2, 2),
    ("presence_penalty", -2, 2),
)
_INTEGERS: Final[tuple[tuple[str, int, int | None], ...]] = (
    ("n", 1, MOST_CHOICES),
    ("max_tokens", 1, None),
    ("max_completion_tokens", 1, None),
    ("top_logprobs", 0, 20),
)


def choices_wanted(request: ChatRequest) -> int:
    """How many choices are made. No more than OpenAI makes, also where nothing is refused: no request may take for ever."""
    return min(max(1, request.n or 1), MOST_CHOICES)


def refusal_of(request: ChatRequest) -> Failure | None:
    """The first thing that OpenAI would refuse in a request, as it would; None: nothing."""
    rules = _FOR_ALL if request.model_fields_set <= _HARMLESS else _RULES
    for rule in rules:
        for failure in rule(request):
            return failure
    return None


def _invalid(message: str, param: str | None, code: str | None = None) -> Failure:
    return Failure(400, message, "invalid_request_error", code, param)


def _shape(request: ChatRequest) -> Iterator[Failure]:
    if request.messages is None:
        yield _missing("messages")
    elif not request.messages:
        yield _empty_array("messages")


def _empty_array(param: str) -> Failure:
    message = (
        f"Invalid '{param}': empty array. Expected an array with minimum length 1, but got an empty array instead."
    )
    return _invalid(message, param, "empty_array")


def _missing(param: str) -> Failure:
    return _invalid(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def _ranges(request: ChatRequest) -> Iterator[Failure]:
    for name, low, high in _NUMBERS:
        value = getattr(request, name)
        if value is not None and value < low:
            yield _out_of_range(name, "decimal", "below", "minimum", ">=", low, value)
        if value is not None and value > high:
            yield _out_of_range(name, "decimal", "above", "maximum", "<=", high, value)
    for name, least, most in _INTEGERS:
        value = getattr(request, name)
        if value is not None and value < least:
            yield _out_of_range(name, "integer", "below", "minimum", ">=", least, value)
        if value is not None and most is not None and value > most:
            yield _out_of_range(name, "integer", "above", "maximum", "<=", most, value)
    for token, bias in (request.logit_bias or {}).items():
        if not -100 <= bias <= 100:
            message = (
                f"Invalid value for 'logit_bias': {token!r} has the bias {bias:g}; a bias must be between -100 and 100."
            )
            yield _invalid(message, "logit_bias")


def _out_of_range(name: str, kind: str, side: str, bound: str, sign: str, limit: float, value: float) -> Failure:
    got = int(value) if value == int(value) else value
    message = (
        f"Invalid '{name}': {kind} {side} {bound} value. Expected a value {sign} {limit:g}, but got {got} instead."
    )
    return _invalid(message, name, f"{kind}_{side}_{'min' if bound == 'minimum' else 'max'}_value")


def _options(request: ChatRequest) -> Iterator[Failure]:
    if isinstance(request.stop, list) and len(request.stop) > MOST_STOPS:
        message = (
            f"Invalid 'stop': array too long. Expected an array with maximum length {MOST_STOPS}, "
            f"but got an array with length {len(request.stop)} instead."
        )
        yield _invalid(message, "stop", "array_above_max_length")
    if request.top_logprobs is not None and request.logprobs is not True:
        yield _invalid("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.", "top_logprobs")
    effort = request.reasoning_effort
    if effort is None and request.reasoning is not None:
        effort = request.reasoning.effort  # the gateway sends it on in the flat form
    if effort is not None and effort not in EFFORTS:
        yield _unknown_value(effort, EFFORTS, "reasoning_effort")
    if request.stream_options is not None and request.stream is not True:
        yield _invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")


def _unknown_value(value: str, known: Sequence[str], param: str) -> Failure:
    listed = ", ".join([f"'{one}'" for one in known[:-1]]) + f", and '{known[-1]}'"
    return _invalid(f"Invalid value: '{value}'. Supported values are: {listed}.", param, "invalid_value")


def _messages(request: ChatRequest) -> Iterator[Failure]:
    open_calls: list[str] = []
    asked_at = 0
    for number, message in enumerate(request.messages or ()):
        place = f"messages[{number}]"
        if not message.role:
            yield _missing(f"{place}.role")
        elif message.role not in ROLES:
            yield _unknown_value(message.role, ROLES, f"{place}.role")
        if message.role == "tool":
            yield from _tool_message(message, number, open_calls)
            open_calls = [id for id in open_calls if id != message.tool_call_id]
            yield from _content(message, number)
            continue
        if open_calls:
            yield _unanswered(open_calls, asked_at + 1)
        yield from _calls(message, place)
        open_calls, asked_at = _call_ids(message), number
        yield from _content(message, number)
    if open_calls:
        yield _unanswered(open_calls, asked_at + 1)


def _call_ids(message: RequestMessage) -> list[str]:
    return [call.id for call in message.tool_calls or () if call.id is not None]


def _calls(message: RequestMessage, place: str) -> Iterator[Failure]:
    if message.tool_calls is None:
        return
    if not message.tool_calls:
        yield _empty_array(f"{place}.tool_calls")
    for number, call in enumerate(message.tool_calls):
        param = f"{place}.tool_calls[{number}]"
        if call.id is None:
            yield _missing(f"{param}.id")
        if call.type is None:
            yield _missing(f"{param}.type")
        if call.type == "function" and (call.function is None or call.function.name is None):
            yield _missing(f"{param}.function" + ("" if call.function is None else ".name"))


def _tool_message(message: RequestMessage, number: int, open_calls: Sequence[str]) -> Iterator[Failure]:
    if message.tool_call_id is None:
        text = "Missing parameter 'tool_call_id': messages with role 'tool' must have a 'tool_call_id'."
        yield _invalid(text, f"messages.[{number}].tool_call_id")
    elif message.tool_call_id not in open_calls:
        text = (
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
        )
        yield _invalid(text, f"messages.[{number}].role")


def _unanswered(ids: Sequence[str], number: int) -> Failure:
    message = (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {', '.join(ids)}"
    )
    return _invalid(message, f"messages.[{number}].role")


def _content(message: RequestMessage, number: int) -> Iterator[Failure]:
    """Only an assistant that called tools, refused or spoke may have no content."""
    if message.content is not None:
        return
    extra = message.model_extra or {}
    spoken = (message.tool_calls, message.refusal, message.audio, extra.get("function_call"))
    if message.role == "assistant" and any(part is not None for part in spoken):
        return
    yield _invalid("Invalid value for 'content': expected a string, got null.", f"messages.[{number}].content")


def _tools(request: ChatRequest) -> Iterator[Failure]:
    tools = request.tools
    if tools is None:
        if request.parallel_tool_calls is not None:
            message = "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are specified."
            yield _invalid(message, "parallel_tool_calls")
        return
    if not tools:
        yield _empty_array("tools")
    if len(tools) > MOST_TOOLS:
        message = (
            f"Invalid 'tools': array too long. Expected an array with maximum length {MOST_TOOLS}, "
            f"but got an array with length {len(tools)} instead."
        )
        yield _invalid(message, "tools", "array_above_max_length")
    for number, tool in enumerate(tools):
        yield from _tool(tool, number)


def _tool(tool: Tool, number: int) -> Iterator[Failure]:
    function = tool.function
    if function is None:
        if tool.type == "function":
            yield _missing(f"tools[{number}].function")
        return
    yield from _name(function.name, f"tools[{number}].function.name")
    parameters = function.parameters
    if isinstance(parameters, Mapping) and parameters:
        problem = problem_of(parameters, strict=function.strict is True)
        if problem is not None:
            message = f"Invalid schema for function '{function.name}': {problem}"
            yield _invalid(message, f"tools[{number}].function.parameters", "invalid_function_parameters")


def _name(name: str, param: str) -> Iterator[Failure]:
    if len(name) > LONGEST_NAME:
        message = (
            f"Invalid '{param}': string too long. Expected a string with maximum length {LONGEST_NAME}, "
            f"but got a string with length {len(name)} instead."
        )
        yield _invalid(message, param, "string_above_max_length")
    elif not name:
        message = f"Invalid '{param}': empty string. Expected a string with minimum length 1, but got an empty string instead."
        yield _invalid(message, param, "empty_string")
    elif not _NAME.fullmatch(name):
        message = (
            f"Invalid '{param}': string does not match pattern. "
            "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        )
        yield _invalid(message, param, "invalid_value")


def _choice(request: ChatRequest) -> Iterator[Failure]:
    choice = request.tool_choice
    if choice is None:
        return
    if not request.tools:
        if choice != "none":
            message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
            yield _invalid(message, "tool_choice")
    elif isinstance(choice, str):
        if choice not in CHOICES:
            yield _unknown_value(choice, CHOICES, "tool_choice")
    else:
        yield from _chosen(choice, request.tools)


def _chosen(choice: Mapping[str, Any], tools: Sequence[Tool]) -> Iterator[Failure]:
    """A choice in the long form. The gateway knows more kinds than OpenAI, and turns them into those."""
    kind = choice.get("type")
    if kind not in CHOICE_KINDS:
        yield _unknown_value(str(kind), OPENAI_CHOICE_KINDS, "tool_choice.type")
    if kind in ("function", "custom"):
        yield from _known_tool(choice, str(kind), tools, f"tool_choice.{kind}")
    if kind == "allowed_tools":
        allowed = choice.get("allowed_tools")
        listed = allowed.get("tools") if isinstance(allowed, Mapping) else None
        if not isinstance(listed, list):
            yield _missing("tool_choice.allowed_tools" + (".tools" if isinstance(allowed, Mapping) else ""))
            return
        for number, one in enumerate(listed):
            entry = one if isinstance(one, Mapping) else {}
            named = "custom" if entry.get("type") == "custom" else "function"
            yield from _known_tool(entry, named, tools, f"tool_choice.allowed_tools.tools[{number}].{named}")


def _known_tool(choice: Mapping[str, Any], kind: str, tools: Sequence[Tool], param: str) -> Iterator[Failure]:
    named = choice.get(kind)
    if not isinstance(named, Mapping):
        yield _missing(param)
    elif not isinstance(named.get("name"), str):
        yield _missing(f"{param}.name")
    elif named["name"] not in [tool.name for tool in tools if tool.type == kind]:
        what = "function" if kind == "function" else "custom tool"
        message = f"Invalid value for 'tool_choice': no {what} named '{named['name']}' was specified in the 'tools' parameter."
        yield _invalid(message, "tool_choice")


def _format(request: ChatRequest) -> Iterator[Failure]:
    wanted = request.response_format
    if wanted is None:
        return
    kind = wanted.get("type")
    if kind not in FORMATS:
        yield _unknown_value(str(kind), FORMATS, "response_format.type")
    elif kind == "json_object" and not _mentions_json(request):
        message = (
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        )
        yield _invalid(message, "messages")
    elif kind == "json_schema":
        yield from _schema(wanted.get("json_schema"))


def _mentions_json(request: ChatRequest) -> bool:
    return any("json" in (message.text() or "").lower() for message in request.messages or ())


def _schema(wanted: Any) -> Iterator[Failure]:
    place = "response_format.json_schema"
    if not isinstance(wanted, Mapping):
        yield _missing(place)
    elif not isinstance(wanted.get("name"), str):
        yield _missing(f"{place}.name")
    else:
        yield from _name(wanted["name"], f"{place}.name")
        schema = wanted.get("schema")
        if isinstance(schema, Mapping):
            problem = problem_of(schema, strict=wanted.get("strict") is True)
            if problem is not None:
                yield _invalid(f"Invalid schema for response_format '{wanted['name']}': {problem}", "response_format")


_RULES: Final[tuple[Callable[[ChatRequest], Iterator[Failure]], ...]] = (
    _shape,
    _ranges,
    _options,
    _messages,
    _tools,
    _choice,
    _format,
)
_FOR_ALL: Final = (_shape, _messages)
_HARMLESS: Final = frozenset({"model", "messages", "stream", "fallbacks", "user", "seed", "metadata", "store"})
"""Parameters that no rule but those for all requests is about."""
