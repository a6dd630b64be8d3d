"""`when` as it is written, compiled into an expectation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mockbifrost.match import compare, text
from mockbifrost.match.attempt import Attempt
from mockbifrost.match.compare import MessageMatcher, NumberFits, ResultMatcher
from mockbifrost.match.expectation import Check, Expectation, Key
from mockbifrost.match.index import INDEXED
from mockbifrost.match.text import TextMatcher
from mockbifrost.scenario.fields import Span
from mockbifrost.scenario.text_model import TextMatcherModel
from mockbifrost.scenario.when_model import BodyCheckModel, LastModel, MessageModel, ToolResultModel, WhenModel

_WILD: Final = frozenset("*?[")


def expectation_of(when: WhenModel) -> Expectation:
    """All checks, the cheap and telling ones first; and the key for the index."""
    checks: list[Check] = []
    key: Key | None = None
    for field, reads in _TEXTS.items():
        model: TextMatcherModel | None = getattr(when, field)
        if model is not None:
            matcher = text_matcher(model)
            checks.append(compare.text_check(field, reads, matcher, absent=_ABSENT[field]))
            if key is None and field in INDEXED and matcher.contains:
                key = Key(field, matcher.contains)
    checks += _target_checks(when) + _conversation_checks(when) + _request_checks(when)
    return Expectation(tuple(checks), key)


_TEXTS: Final[dict[str, Callable[[Attempt], str | None]]] = {
    "user": lambda attempt: attempt.conversation.user,
    "task": lambda attempt: attempt.conversation.task,
    "system": lambda attempt: attempt.conversation.system,
    "response_format": lambda attempt: attempt.conversation.response_format,
    "key": lambda attempt: attempt.key,
}
_ABSENT: Final = {
    "user": "a conversation that does not end with a user's text",
    "task": "no user's text",
    "system": "no system message",
    "response_format": "no response format",
    "key": "no key",
}


def text_matcher(model: TextMatcherModel) -> TextMatcher:
    """One matcher for all tests of a mapping."""
    ignore = model.ignore_case
    tests: list[TextMatcher] = []
    for value, make in (
        (model.equals, text.equals),
        (model.contains, text.contains),
        (model.starts_with, text.starts_with),
        (model.ends_with, text.ends_with),
        (model.glob, text.glob),
    ):
        if value is not None:
            tests.append(make(value, ignore_case=ignore))
    if model.regex is not None:
        tests.append(text.regex(model.regex, model.flags, ignore_case=ignore))
    if model.not_ is not None:
        tests.append(text.negated(text_matcher(model.not_)))
    if model.any_ is not None:
        tests.append(text.any_of([text_matcher(one) for one in model.any_]))
    if model.all_ is not None:
        tests += [text_matcher(one) for one in model.all_]
    return text.all_of(tests)


def _numbers(spans: Sequence[Span]) -> tuple[NumberFits, str]:
    wants = " or ".join([_span_in_words(span) for span in spans])
    if len(spans) == 1 and spans[0][0] == spans[0][1]:
        only = spans[0][0]
        return (lambda got: got == only), wants
    return (lambda got: any(low <= got and (high is None or got <= high) for low, high in spans)), wants


def _span_in_words(span: Span) -> str:
    low, high = span
    if high is None:
        return f"{low} or more"
    return str(low) if low == high else f"{low} to {high}"


def _target_checks(when: WhenModel) -> list[Check]:
    checks: list[Check] = []
    if when.provider is not None:
        if len(when.provider) == 1 and not _WILD & set(when.provider[0]):
            checks.append(compare.exact_name_check("provider", lambda attempt: attempt.provider, when.provider[0]))
        else:
            checks.append(compare.name_check("provider", lambda attempt: (attempt.provider,), *_globs(when.provider)))
    if when.model is not None:
        checks.append(compare.name_check("model", _model_forms, *_globs(when.model)))
    if when.attempt is not None:
        checks.append(compare.number_check("attempt", lambda attempt: attempt.number, *_numbers(when.attempt)))
    if when.fallback is not None:
        checks.append(compare.number_check("fallback", lambda attempt: attempt.fallback, *_numbers(when.fallback)))
    return checks


def _model_forms(attempt: Attempt) -> tuple[str, ...]:
    asked, served = attempt.model, attempt.served_model
    forms = (f"{attempt.provider}/{asked}", asked)
    return forms if served == asked else (f"{attempt.provider}/{served}", served, *forms)


def _globs(names: Sequence[str]) -> tuple[list[TextMatcher], str]:
    return [text.glob(name) for name in names], " or ".join([repr(name) for name in names])


def _conversation_checks(when: WhenModel) -> list[Check]:
    checks: list[Check] = []
    if when.last is not None:
        checks.append(compare.last_check(_last(when.last)))
    if when.messages is not None:
        checks.append(compare.tail_check([_message(one) for one in when.messages]))
    if when.turn is not None:
        checks.append(compare.number_check("turn", lambda attempt: attempt.conversation.turn, *_numbers(when.turn)))
    if when.tools is not None:
        checks.append(compare.tools_check(when.tools))
    if when.tool_result is not None:
        checks.append(compare.results_check([_result(one) for one in when.tool_result]))
    return checks


def _request_checks(when: WhenModel) -> list[Check]:
    checks: list[Check] = []
    if when.stream is not None:
        checks.append(compare.flag_check("stream", lambda attempt: attempt.stream, when.stream))
    if when.n is not None:
        wanted = when.n
        checks.append(
            compare.number_check("n", lambda attempt: attempt.request.n or 1, lambda got: got == wanted, str(wanted))
        )
    if when.virtual_key is not None:
        checks.append(compare.virtual_key_check(text_matcher(when.virtual_key)))
    for name, matcher in (when.headers or {}).items():
        checks.append(compare.header_check(name.lower(), text_matcher(matcher) if matcher is not None else None))
    for expression, wanted_value in (when.body or {}).items():
        checks.append(_body(expression, wanted_value))
    return checks


def _body(expression: str, wanted: BodyCheckModel) -> Check:
    import jmespath

    matcher = text_matcher(wanted.text) if wanted.text is not None else None
    search = jmespath.compile(expression).search

    def found(body: Mapping[str, Any]) -> Any:
        try:
            return search(body)
        except (jmespath.exceptions.JMESPathError, TypeError, ValueError, RecursionError):
            return None  # such as the length of what this request has not: there is nothing to find

    return compare.body_check(expression, found, matcher, wanted.value)


def _name(name: str) -> TextMatcher:
    return text.glob(name) if _WILD & set(name) else text.equals(name)


def _result(model: ToolResultModel) -> ResultMatcher:
    return ResultMatcher(
        _name(model.name) if model.name is not None else None,
        text.equals(model.id) if model.id is not None else None,
        text_matcher(model.text) if model.text is not None else None,
        model.json_,
        "json_" in model.model_fields_set,
    )


def _last(model: LastModel) -> MessageMatcher:
    return MessageMatcher(model.role, text_matcher(model.text) if model.text is not None else None)


def _message(model: MessageModel) -> MessageMatcher:
    return MessageMatcher(
        model.role,
        text_matcher(model.text) if model.text is not None else None,
        text.any_of([_name(name) for name in model.tool_call]) if model.tool_call is not None else None,
        _result(model.tool_result) if model.tool_result is not None else None,
    )
