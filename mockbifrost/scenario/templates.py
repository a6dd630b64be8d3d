"""Templates in what a stub says: Jinja syntax, sandboxed. Something undefined is an error of the mock, never an empty string."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mockbifrost.match.attempt import Attempt
from mockbifrost.match.conversation import Conversation

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

LONGEST: Final = 1_000_000
"""No template may make a text longer than this."""
NAMES: Final = (
    "user", "task", "system", "messages", "model", "provider", "turn", "attempt", "params", "headers", "tool", "results", "fake",
    "occurrence",
)  # fmt: skip


class TemplateFailed(ValueError):
    """A template could not be compiled or rendered; the text says why and what there is instead."""


def is_template(text: str) -> bool:
    """Whether a text holds anything to be filled in."""
    return "{{" in text or "{%" in text


class Template:
    """A compiled template."""

    def __init__(self, text: str) -> None:
        from jinja2 import TemplateSyntaxError

        self.text = text
        try:
            self._template = _environment().from_string(text)
        except TemplateSyntaxError as error:
            raise TemplateFailed(f"the template {_short(text)} can't be read: {error.message}") from None

    def render(self, context: Mapping[str, Any]) -> str:
        """The text. Raises TemplateFailed where a name is undefined or the template does what it must not."""
        from jinja2.exceptions import SecurityError, UndefinedError

        try:
            found = self._template.render(context)
        except UndefinedError as error:
            raise TemplateFailed(
                f"the template {_short(self.text)} names something that is not there: {error.message}; {_known(context)}"
            ) from None
        except SecurityError as error:
            raise TemplateFailed(f"the template {_short(self.text)} does what templates must not: {error}") from None
        except Exception as error:  # noqa: BLE001 - a template is a program of the user's: whatever it raises is its own failure
            raise TemplateFailed(f"the template {_short(self.text)} failed: {type(error).__name__}: {error}") from None
        if not found.isascii() and any("\ud800" <= char <= "\udfff" for char in found):
            raise TemplateFailed(f"the template {_short(self.text)} made half a surrogate pair, which is no character")
        if len(found) > LONGEST:
            raise TemplateFailed(
                f"the template {_short(self.text)} made {len(found)} characters; the most is {LONGEST}"
            )
        return found


def unknown_names(text: str) -> tuple[str, ...]:
    """Names that a template uses and nothing defines. Raises TemplateFailed where it can't be read."""
    from jinja2 import TemplateSyntaxError, meta

    try:
        used = meta.find_undeclared_variables(_environment().parse(text))
    except TemplateSyntaxError as error:
        raise TemplateFailed(f"the template {_short(text)} can't be read: {error.message}") from None
    return tuple(sorted(used - set(NAMES) - {"range", "dict", "namespace", "cycler", "joiner", "lipsum"}))


def _known(context: Mapping[str, Any]) -> str:
    tools = context.get("tool")
    results = (
        ", ".join([f"tool.{name}" for name in tools]) if isinstance(tools, Mapping) and tools else "no tool results yet"
    )
    return f"there are {', '.join(NAMES)} ({results})"


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")


_ENVIRONMENTS: dict[str, SandboxedEnvironment] = {}


def _environment() -> SandboxedEnvironment:
    """The one environment: it holds settings, no state."""
    if "default" not in _ENVIRONMENTS:
        from jinja2 import StrictUndefined
        from jinja2.exceptions import SecurityError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        class Bounded(ImmutableSandboxedEnvironment):
            """No template can fill the memory by repeating a text or raising a number."""

            intercepted_binops = frozenset({"*", "**"})

            def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
                size = _product(left, right) if operator == "*" else _power(left, right)
                if size > LONGEST:
                    raise SecurityError(f"{operator} makes something larger than {LONGEST}")
                return super().call_binop(context, operator, left, right)

        _ENVIRONMENTS["default"] = Bounded(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    return _ENVIRONMENTS["default"]


def _product(left: Any, right: Any) -> float:
    """How large `left * right` is: elements of a row that is repeated, bits of a number."""
    for row, times in ((left, right), (right, left)):
        if isinstance(row, (str, bytes, list, tuple)) and isinstance(times, int):
            return len(row) * abs(times)
    numbers = [number for number in (left, right) if isinstance(number, int)]
    return sum([number.bit_length() for number in numbers])


def _power(left: Any, right: Any) -> float:
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return abs(right) * len(str(left))
    return 1.0


def context_of(attempt: Attempt) -> dict[str, Any]:
    """What templates may name, from the request."""
    conversation = attempt.conversation
    return {
        "user": conversation.user if conversation.user is not None else conversation.task or "",
        "task": conversation.task or "",
        "system": conversation.system or "",
        "messages": conversation.body.get("messages", []),
        "model": attempt.model,
        "provider": attempt.provider,
        "turn": conversation.turn,
        "attempt": attempt.number,
        "params": conversation.body,
        "headers": attempt.headers,
        "tool": latest_results(conversation),
        "results": [result.value for result in conversation.results],
        "occurrence": attempt.moment.occurrence,
    }


def latest_results(conversation: Conversation) -> dict[str, Any]:
    """The latest result of each tool, parsed where it is JSON."""
    found: dict[str, Any] = {}
    for message in conversation.messages:
        if message.role == "tool":
            result = conversation.result_of(message)
            if result.name is not None:
                found[result.name] = result.value
    return found
