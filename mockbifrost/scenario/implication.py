"""What follows from `when` alone: whether one implies another, and whether one can't hold. Only what is certain is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from mockbifrost.scenario.expect import text_matcher
from mockbifrost.scenario.fields import Span
from mockbifrost.scenario.text_model import TextMatcherModel
from mockbifrost.scenario.when_model import LastModel, ToolResultModel, WhenModel
from mockbifrost.vocabulary.node import Node, Problem

_WILD: Final = frozenset("*?[")
_TEXTS: Final = ("key", "user", "task", "system", "response_format", "virtual_key")


def implies(strong: WhenModel, weak: WhenModel) -> bool:
    """Whether every attempt that fits `strong` surely fits `weak`. False where that is not certain."""
    for key, wanted in _given(weak):
        known = getattr(strong, key)
        if known is None or not _FOLLOWS.get(key, _same)(known, wanted):
            return False
    return True


def given_keys(when: WhenModel) -> frozenset[str]:
    """The keys that were written: one that implies another has all of its keys."""
    return frozenset([key for key, _value in _given(when)])


def plain_texts(when: WhenModel) -> dict[str, tuple[str, str]]:
    """The texts that one test alone is about, `equals` or `contains`, by key: enough to tell most stubs apart."""
    found: dict[str, tuple[str, str]] = {}
    for key in _TEXTS:
        matcher: TextMatcherModel | None = getattr(when, key)
        if matcher is not None and len(matcher.model_fields_set) == 1:
            [test] = matcher.model_fields_set
            if test in ("equals", "contains"):
                found[key] = test, getattr(matcher, test)
    return found


def apart(strong: Mapping[str, tuple[str, str]], weak: Mapping[str, tuple[str, str]]) -> bool:
    """Whether these plain texts alone rule out that one implies the other."""
    for key, (test, text) in weak.items():
        other = strong.get(key)
        if other is not None and (text not in other[1] if test == "contains" else other != (test, text)):
            return True
    return False


def _given(when: WhenModel) -> Iterator[tuple[str, Any]]:
    for key in when.model_fields_set:
        value = getattr(when, key)
        if value is not None and value != {}:
            yield key, value


def _written(value: object) -> object:
    """What stands in the file, to be compared: a null that was written is not one that was left out."""
    if isinstance(value, Node):
        return {key: _written(getattr(value, key)) for key in value.model_fields_set}
    if isinstance(value, Mapping):
        return {key: _written(item) for key, item in value.items()}
    return [_written(item) for item in value] if isinstance(value, list | tuple) else (type(value), value)


def _same(strong: object, weak: object) -> bool:
    return _written(strong) == _written(weak)


def text_implies(strong: TextMatcherModel, weak: TextMatcherModel) -> bool:
    """Whether every text that fits the one surely fits the other."""
    if _same(strong, weak):
        return True
    if strong.equals is not None and not strong.ignore_case:
        return text_matcher(weak).fits(strong.equals)
    if any(text_implies(one, weak) for one in strong.all_ or ()):
        return True
    if strong.any_ is not None and all(text_implies(one, weak) for one in strong.any_):
        return True
    return all(_tests(strong, weak))


def _tests(strong: TextMatcherModel, weak: TextMatcherModel) -> Iterator[bool]:
    """Each test of `weak`: whether it follows from `strong`."""
    if weak.equals is not None:
        yield _from_text(strong, ("equals",), weak, str.__eq__, weak.equals)
    if weak.contains is not None:
        parts = ("equals", "contains", "starts_with", "ends_with")
        yield _from_text(strong, parts, weak, str.__contains__, weak.contains)
    if weak.starts_with is not None:
        yield _from_text(strong, ("equals", "starts_with"), weak, str.startswith, weak.starts_with)
    if weak.ends_with is not None:
        yield _from_text(strong, ("equals", "ends_with"), weak, str.endswith, weak.ends_with)
    alike = strong.ignore_case == weak.ignore_case
    if weak.regex is not None:
        yield alike and (strong.regex, strong.flags) == (weak.regex, weak.flags)
    if weak.glob is not None:
        yield weak.glob == "*" or (alike and strong.glob == weak.glob)
    if weak.not_ is not None:
        yield strong.not_ is not None and text_implies(weak.not_, strong.not_)
    if weak.any_ is not None:
        yield any(text_implies(strong, one) for one in weak.any_)
    for one in weak.all_ or ():
        yield text_implies(strong, one)


def _from_text(
    strong: TextMatcherModel, keys: Sequence[str], weak: TextMatcherModel, fits: Callable[[str, str], bool], wanted: str
) -> bool:
    """Whether a literal that `strong` is sure of has what is wanted, in a case that is sure as well."""
    literals = [literal for key in keys if (literal := getattr(strong, key)) is not None]
    if weak.ignore_case:
        return any(fits(literal.casefold(), wanted.casefold()) for literal in literals)
    return not strong.ignore_case and any(fits(literal, wanted) for literal in literals)


def _name_follows(strong: Sequence[str], weak: Sequence[str]) -> bool:
    return all(any(_covers(pattern, name) for pattern in weak) for name in strong)


def _covers(pattern: str, name: str) -> bool:
    return pattern in (name, "*") or (not _WILD & set(name) and fnmatchcase(name, pattern))


def _number_follows(strong: Sequence[Span], weak: Sequence[Span]) -> bool:
    return all(any(_inside(span, other) for other in weak) for span in strong)


def _inside(span: Span, other: Span) -> bool:
    low, high = other
    return span[0] >= low and (high is None or (span[1] is not None and span[1] <= high))


def _last_follows(strong: LastModel, weak: LastModel) -> bool:
    return weak.role in (None, strong.role) and _optional_text(strong.text, weak.text)


def _optional_text(strong: TextMatcherModel | None, weak: TextMatcherModel | None) -> bool:
    return weak is None or (strong is not None and text_implies(strong, weak))


def _tools_follow(strong: Sequence[str], weak: Sequence[str]) -> bool:
    return set(weak) <= set(strong) if weak else not strong


def _results_follow(strong: Sequence[ToolResultModel], weak: Sequence[ToolResultModel]) -> bool:
    return all(any(_result_follows(one, wanted) for one in strong) for wanted in weak)


def _result_follows(strong: ToolResultModel, weak: ToolResultModel) -> bool:
    named = weak.name is None or (strong.name is not None and _covers(weak.name, strong.name))
    json = "json_" not in weak.model_fields_set or (
        "json_" in strong.model_fields_set and _same(strong.json_, weak.json_)
    )
    return named and weak.id in (None, strong.id) and _optional_text(strong.text, weak.text) and json


def _headers_follow(strong: Mapping[str, TextMatcherModel | None], weak: Mapping[str, TextMatcherModel | None]) -> bool:
    known = {name.lower(): matcher for name, matcher in strong.items()}
    for name, wanted in weak.items():
        if name.lower() not in known:
            return False
        matcher = known[name.lower()]
        if wanted is None or matcher is None:
            if wanted is not matcher:
                return False
        elif not text_implies(matcher, wanted):
            return False
    return True


def _body_follows(strong: Mapping[str, Node], weak: Mapping[str, Node]) -> bool:
    return all(path in strong and _same(strong[path], wanted) for path, wanted in weak.items())


_FOLLOWS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    **dict.fromkeys(_TEXTS, text_implies),
    **dict.fromkeys(("provider", "model"), _name_follows),
    **dict.fromkeys(("attempt", "fallback", "turn"), _number_follows),
    "last": _last_follows,
    "tools": _tools_follow,
    "tool_result": _results_follow,
    "headers": _headers_follow,
    "body": _body_follows,
}
"""How a key of one follows from the same key of the other; the rest must be equal."""


def contradictions(when: WhenModel) -> Iterator[Problem]:
    """Why no attempt can fit; nothing where one might."""
    if when.user is not None and when.tool_result is not None:
        yield Problem(
            "`user` wants a conversation that ends with a user message, `tool_result` one that ends with tool results",
            "say `task` for the last user message, however many tool rounds ago",
            ("user",),
        )
    wanted = "user" if when.user is not None else "tool" if when.tool_result is not None else None
    key = "user" if wanted == "user" else "tool_result"
    for path, role in _last_roles(when):
        if wanted is not None and role != wanted:
            text = f"the last message can't have the role {role}: `{key}` wants the role {wanted} there"
            yield Problem(text, "keep one of the two", path)
    for key in _TEXTS:
        matcher: TextMatcherModel | None = getattr(when, key)
        if matcher is not None and matcher.equals is not None and not text_matcher(matcher).fits(matcher.equals):
            yield Problem("`equals` is a text that the other tests refuse", "keep `equals` alone", (key,))


def _last_roles(when: WhenModel) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The roles that the last message must have, with the place that says so."""
    if when.last is not None and when.last.role is not None:
        yield ("last", "role"), when.last.role
    if when.messages is not None and when.messages[-1].role is not None:
        yield ("messages", len(when.messages) - 1, "role"), when.messages[-1].role
