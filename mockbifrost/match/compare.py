"""The checks that expectations are made of, one function for each kind of field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mockbifrost.match.attempt import Attempt
from mockbifrost.match.conversation import Conversation, ToolResult
from mockbifrost.match.expectation import Check, Mismatch
from mockbifrost.match.text import TextMatcher
from mockbifrost.wire.redact import SECRET_HEADERS, hinted
from mockbifrost.wire.request import RequestMessage

SHOWN: Final = 120
"""How much of a text an explanation shows."""

NumberFits = Callable[[int], bool]
Reads = Callable[[Attempt], "str | None"]


def shown(value: object) -> str:
    """A value in an explanation, cut in the middle where it is long."""
    text = "nothing" if value is None else repr(value)
    if len(text) <= SHOWN:
        return text
    size = len(value) if isinstance(value, str) else len(text)
    return f"{text[: SHOWN - 30]}…{text[-20:]} ({size} characters)"


def shown_secret(value: str) -> str:
    """What may be a secret, in an explanation that is logged: enough of it to see which it is."""
    return shown(hinted(value))


def text_check(
    field: str, reads: Reads, matcher: TextMatcher, *, absent: str = "nothing", shows: Callable[[str], str] = shown
) -> Check:
    """A text of the request against a matcher; a text that isn't there fits none."""
    fits = matcher.fits

    def check(attempt: Attempt) -> Mismatch | None:
        got = reads(attempt)
        if got is not None and fits(got):
            return None
        if got is None:
            return Mismatch(field, matcher.wants, absent)
        return Mismatch(field, matcher.wants, shows(got), _case_note(matcher, got), likeness(matcher.example, got))

    return check


def likeness(wanted: str | None, got: str) -> float:
    """How much of the wanted words is there, from 0 to 1: a cheap measure that ranks near misses."""
    words = set((wanted or "").casefold().split())
    return len(words & set(got.casefold().split())) / len(words) if words else 0.0


def _case_note(matcher: TextMatcher, got: str) -> str:
    if matcher.relaxed is None or matcher.fits(got) or not matcher.relaxed(got):
        return ""
    wanted = matcher.example or ""
    if wanted.casefold() in got.casefold():
        return "differs only in case: use ignore_case"
    return (
        "differs only in white space"
        if wanted and "".join(wanted.split()) in "".join(got.split())
        else "differs only in case and white space"
    )


def name_check(
    field: str, reads: Callable[[Attempt], Sequence[str]], patterns: Sequence[TextMatcher], wants: str
) -> Check:
    """A name, in one of its forms, against one of some globs."""

    def check(attempt: Attempt) -> Mismatch | None:
        forms = reads(attempt)
        if any(pattern.fits(form) for pattern in patterns for form in forms):
            return None
        return Mismatch(field, wants, shown(forms[-1]))

    return check


def exact_name_check(field: str, reads: Callable[[Attempt], str], name: str) -> Check:
    """A name without wildcards: the common case of a glob, as a comparison."""

    def check(attempt: Attempt) -> Mismatch | None:
        got = reads(attempt)
        return None if got == name else Mismatch(field, repr(name), shown(got))

    return check


def number_check(field: str, reads: Callable[[Attempt], int], fits: NumberFits, wants: str) -> Check:
    """A number against a number, a list or a range."""

    def check(attempt: Attempt) -> Mismatch | None:
        got = reads(attempt)
        return None if fits(got) else Mismatch(field, wants, str(got))

    return check


def flag_check(field: str, reads: Callable[[Attempt], bool], wanted: bool) -> Check:
    """A switch."""

    def check(attempt: Attempt) -> Mismatch | None:
        got = reads(attempt)
        return None if got is wanted else Mismatch(field, str(wanted).lower(), str(got).lower())

    return check


def tools_check(wanted: Sequence[str]) -> Check:
    """These tools are on offer; an empty list: none is."""

    def check(attempt: Attempt) -> Mismatch | None:
        offered = attempt.conversation.tools
        got = ", ".join(offered) if offered else "no tools"
        if not wanted:
            return None if not offered else Mismatch("tools", "no tools", got)
        missing = [name for name in wanted if name not in offered]
        if not missing:
            return None
        near = 1 - len(missing) / len(wanted)
        return Mismatch("tools", "offered: " + ", ".join(wanted), got, near=near)

    return check


@dataclass(frozen=True, slots=True)
class ResultMatcher:
    """What one tool result must be: each part that is given."""

    name: TextMatcher | None = None
    id: TextMatcher | None = None
    text: TextMatcher | None = None
    json: Any = None
    has_json: bool = False

    def fits(self, result: ToolResult) -> bool:
        """Whether all parts hold."""
        if self.name is not None and (result.name is None or not self.name.fits(result.name)):
            return False
        if self.id is not None and (result.id is None or not self.id.fits(result.id)):
            return False
        if self.text is not None and not self.text.fits(result.text):
            return False
        return not self.has_json or within(self.json, result.value)

    def nearness(self, result: ToolResult) -> float:
        """How much of it holds, from 0 to 1: a cheap measure that ranks near misses."""
        pairs = ((self.name, result.name), (self.id, result.id), (self.text, result.text))
        parts = [float(got is not None and matcher.fits(got)) for matcher, got in pairs if matcher is not None]
        if self.has_json:
            parts.append(_share_within(self.json, result.value))
        return sum(parts) / len(parts) if parts else 0.0

    def wants(self) -> str:
        """The parts in words."""
        parts = [
            f"{word} {matcher.wants}"
            for word, matcher in (("name", self.name), ("id", self.id), ("text", self.text))
            if matcher
        ]
        if self.has_json:
            parts.append(f"json {self.json!r}")
        return "a result with " + ", ".join(parts) if parts else "a tool result"


def within(wanted: object, got: object) -> bool:
    """Whether `got` is `wanted`; of objects, whether it has at least these keys with these values."""
    if isinstance(wanted, Mapping) and isinstance(got, Mapping):
        return all(key in got and within(value, got[key]) for key, value in wanted.items())
    if isinstance(wanted, (list, tuple)) and isinstance(got, (list, tuple)):
        return len(wanted) == len(got) and all(within(one, other) for one, other in zip(wanted, got, strict=True))
    return (
        type(wanted) is type(got) and wanted == got
        if isinstance(wanted, bool) or isinstance(got, bool)
        else wanted == got
    )


def _share_within(wanted: object, got: object) -> float:
    """The share of the wanted keys that are there with their values; of what is no object all or nothing."""
    if not isinstance(wanted, Mapping) or not isinstance(got, Mapping) or not wanted:
        return float(within(wanted, got))
    return sum([key in got and within(value, got[key]) for key, value in wanted.items()]) / len(wanted)


def _results_in_words(results: Sequence[ToolResult]) -> str:
    if not results:
        return "a conversation that does not end with tool results"
    return ", ".join([f"{result.name or 'unnamed'}: {shown(result.text)}" for result in results])


def results_check(wanted: Sequence[ResultMatcher]) -> Check:
    """The conversation ends with tool results, and each matcher finds one."""

    def check(attempt: Attempt) -> Mismatch | None:
        results = attempt.conversation.results
        missing = [matcher for matcher in wanted if not any(matcher.fits(result) for result in results)]
        if results and not missing:
            return None
        wants = "; ".join([matcher.wants() for matcher in missing or wanted])
        near = max([matcher.nearness(result) for matcher in missing for result in results], default=0.0)
        return Mismatch("tool_result", wants, _results_in_words(results), near=near)

    return check


@dataclass(frozen=True, slots=True)
class MessageMatcher:
    """What one message must be: each part that is given."""

    role: str | None = None
    text: TextMatcher | None = None
    tool_call: TextMatcher | None = None
    tool_result: ResultMatcher | None = None

    def fits(self, message: RequestMessage, conversation: Conversation) -> bool:
        """Whether all parts hold."""
        if self.role is not None and message.role != self.role:
            return False
        if self.text is not None and not self.text.fits(message.text() or ""):
            return False
        if self.tool_call is not None:
            names = [call.function.name or "" for call in message.tool_calls or () if call.function is not None]
            if not any(self.tool_call.fits(name) for name in names):
                return False
        if self.tool_result is None:
            return True
        return message.role == "tool" and self.tool_result.fits(conversation.result_of(message))

    def wants(self) -> str:
        """The parts in words."""
        parts = [self.role or "any role"]
        if self.text is not None:
            parts.append(self.text.wants)
        if self.tool_call is not None:
            parts.append(f"calls a tool whose name {self.tool_call.wants}")
        if self.tool_result is not None:
            parts.append(self.tool_result.wants())
        return ": ".join(parts)


def message_in_words(message: RequestMessage | None) -> str:
    """A message in an explanation."""
    if message is None:
        return "no messages"
    calls = [call.function.name or "?" for call in message.tool_calls or () if call.function is not None]
    return f"{message.role}: " + (shown(message.text()) if not calls else "calls " + ", ".join(calls))


def last_check(wanted: MessageMatcher) -> Check:
    """The last message."""

    def check(attempt: Attempt) -> Mismatch | None:
        last = attempt.conversation.last
        if last is not None and wanted.fits(last, attempt.conversation):
            return None
        note = _case_note(wanted.text, last.text() or "") if last is not None and wanted.text is not None else ""
        return Mismatch("last", wanted.wants(), message_in_words(last), note)

    return check


def tail_check(wanted: Sequence[MessageMatcher]) -> Check:
    """The conversation ends with messages like these, in this order."""

    def check(attempt: Attempt) -> Mismatch | None:
        conversation = attempt.conversation
        tail = conversation.messages[-len(wanted) :]
        if len(tail) < len(wanted):
            return Mismatch("messages", f"at least {len(wanted)} messages", f"{len(tail)}")
        for index, (matcher, message) in enumerate(zip(wanted, tail, strict=True)):
            if not matcher.fits(message, conversation):
                return Mismatch(f"messages[{index - len(wanted)}]", matcher.wants(), message_in_words(message))
        return None

    return check


def header_check(name: str, matcher: TextMatcher | None) -> Check:
    """A header of the request; no matcher: it must be absent."""
    field = f"headers.{name}"
    shows = shown_secret if name in SECRET_HEADERS else shown
    if matcher is not None:
        return text_check(
            field, lambda attempt: attempt.headers.get(name), matcher, absent="no such header", shows=shows
        )

    def absent(attempt: Attempt) -> Mismatch | None:
        got = attempt.headers.get(name)
        return None if got is None else Mismatch(field, "no such header", shows(got))

    return absent


def body_check(
    expression: str, search: Callable[[Mapping[str, Any]], Any], matcher: TextMatcher | None, value: Any
) -> Check:
    """What a JMESPath expression finds in the body, against a text matcher or a JSON value."""
    field = f"body.{expression}"

    def check(attempt: Attempt) -> Mismatch | None:
        got = search(attempt.conversation.body)
        if matcher is None:
            return (
                None
                if within(value, got) and (value is not None or got is None)
                else Mismatch(field, repr(value), shown(got))
            )
        if isinstance(got, str) and matcher.fits(got):
            return None
        note = _case_note(matcher, got) if isinstance(got, str) else ""
        return Mismatch(field, matcher.wants, shown(got), note)

    return check


def virtual_key_check(matcher: TextMatcher) -> Check:
    """The value or the name of the virtual key."""

    def check(attempt: Attempt) -> Mismatch | None:
        forms = [form for form in (attempt.virtual_key, attempt.virtual_key_name) if form is not None]
        if any(matcher.fits(form) for form in forms):
            return None
        return Mismatch("virtual_key", matcher.wants, shown_secret(forms[-1]) if forms else "no virtual key")

    return check
