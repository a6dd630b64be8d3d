"""What a provider refuses before it answers: a bad request gets OpenAI's 400, and no script is spent on it.

The words are those of OpenAI's API, which most providers behind the gateway imitate; the gateway itself hands them on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from mockbifrost.provider.answer import Failure
from mockbifrost.wire.request import ChatRequest, RequestMessage, Tool

ROLES: Final = ("system", "assistant", "user", "function", "tool", "developer")
EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh")
CHOICES: Final = ("none", "auto", "required")
FORMATS: Final = ("text", "json_object", "json_schema")
MOST_TOOLS: Final = 128
MOST_STOPS: Final = 4
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NUMBERS: Final[tuple[tuple[str, float, float], ...]] = (
    ("temperature", 0, 2),
    ("top_p", 0, 1),
    ("frequency_penalty", -2, 2),
    ("presence_penalty", -2, 2),
)
_INTEGERS: Final[tuple[tuple[str, int, int | None], ...]] = (
    ("n", 1, 128),
    ("max_tokens", 1, None),
    ("max_completion_tokens", 1, None),
    ("top_logprobs", 0, 20),
)


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
        yield _invalid("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    elif not request.messages:
        message = (
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        yield _invalid(message, "messages", "empty_array")


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
    if request.reasoning_effort is not None and request.reasoning_effort not in EFFORTS:
        yield _unknown_value(request.reasoning_effort, EFFORTS, "reasoning_effort")
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
            yield _invalid(
                f"Missing required parameter: '{place}.role'.", f"{place}.role", "missing_required_parameter"
            )
        elif message.role not in ROLES:
            yield _unknown_value(message.role, ROLES, f"{place}.role")
        if message.role == "tool":
            yield from _tool_message(message, number, open_calls)
            open_calls = [id for id in open_calls if id != message.tool_call_id]
            continue
        if open_calls:
            yield _unanswered(open_calls, asked_at + 1)
        open_calls, asked_at = _call_ids(message), number
        yield from _content(message, number)
    if open_calls:
        yield _unanswered(open_calls, asked_at + 1)


def _call_ids(message: RequestMessage) -> list[str]:
    return [call.id for call in message.tool_calls or () if call.id is not None]


def _tool_message(message: RequestMessage, number: int, open_calls: Sequence[str]) -> Iterator[Failure]:
    place = f"messages[{number}]"
    if message.tool_call_id is None:
        param = f"{place}.tool_call_id"
        yield _invalid(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")
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
    if message.content is not None or message.tool_calls:
        return
    if message.role == "assistant" and (message.refusal is not None or message.audio is not None):
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
        message = (
            "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        yield _invalid(message, "tools", "empty_array")
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
            param = f"tools[{number}].function"
            yield _invalid(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")
        return
    if not _NAME.fullmatch(function.name):
        message = (
            f"Invalid 'tools[{number}].function.name': string does not match pattern. "
            "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        )
        yield _invalid(message, f"tools[{number}].function.name", "invalid_value")
    parameters = function.parameters
    if isinstance(parameters, Mapping) and parameters and parameters.get("type") != "object":
        got = parameters.get("type")
        shown = f'"{got}"' if isinstance(got, str) else "None"
        message = (
            f"Invalid schema for function '{function.name}': schema must be a JSON Schema of 'type: \"object\"', "
            f"got 'type: {shown}'."
        )
        yield _invalid(message, f"tools[{number}].function.parameters", "invalid_function_parameters")


def _choice(request: ChatRequest) -> Iterator[Failure]:
    choice = request.tool_choice
    if choice is None:
        return
    if not request.tools:
        if choice != "none":
            message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
            yield _invalid(message, "tool_choice")
        return
    if isinstance(choice, str):
        if choice not in CHOICES:
            yield _unknown_value(choice, CHOICES, "tool_choice")
        return
    named = choice.get("function")
    if choice.get("type") == "function" and isinstance(named, Mapping):
        known = [tool.name for tool in request.tools]
        if named.get("name") not in known:
            message = f"Invalid value for 'tool_choice': no function named '{named.get('name')}' was specified in the 'tools' parameter."
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


def _schema(schema: Any) -> Iterator[Failure]:
    place = "response_format.json_schema"
    if not isinstance(schema, Mapping):
        yield _invalid(f"Missing required parameter: '{place}'.", place, "missing_required_parameter")
    elif not isinstance(schema.get("name"), str):
        yield _invalid(f"Missing required parameter: '{place}.name'.", f"{place}.name", "missing_required_parameter")
    elif not _NAME.fullmatch(schema["name"]):
        message = (
            f"Invalid '{place}.name': string does not match pattern. "
            "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        )
        yield _invalid(message, f"{place}.name", "invalid_value")


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
