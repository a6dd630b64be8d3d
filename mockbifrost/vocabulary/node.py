"""What all models of the language share: shorthands are spelled out, and what is refused is said in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

T = TypeVar("T")
Many = Annotated[tuple[T, ...], Field(strict=False)]
"""A list in the file, a tuple in the model."""

REFUSED: Final = "mockbifrost"
"""The type of pydantic's errors whose text is ours, in `ctx["text"]` and `ctx["hint"]`."""

IN_QUOTES: Final = "put it in quotes"
"""The hint for a number or boolean that was meant as text; what stands in the file is added to it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that no single field can know: what is wrong, what to do, and the path below the node to its place."""

    text: str
    hint: str = ""
    at: tuple[str | int, ...] = ()


def refusal(text: str, hint: str = "") -> PydanticCustomError:
    """The error that a validator raises to refuse a value in words of our own."""
    return PydanticCustomError(REFUSED, "{text}", {"text": text, "hint": hint})


def did_you_mean(name: object, known: Sequence[str], cutoff: float = 0.6) -> str:
    """`did you mean 'user'?`, or nothing where no known name is near."""
    near = get_close_matches(str(name), known, n=1, cutoff=cutoff)
    return f"did you mean {near[0]!r}?" if near else ""


def counted(number: int, what: str) -> str:
    """`1 request`, `2 requests`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def described(value: object) -> str:
    """A value as a message shows it: `text 'no'`, `the number 42`, `a list`."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {shortened(value)!r}"
    return "a mapping" if isinstance(value, Mapping) else "a list" if isinstance(value, list | tuple) else repr(value)


def in_quotes(value: object) -> str:
    """The hint for a number or boolean where text may stand; nothing for anything else."""
    return IN_QUOTES if isinstance(value, bool | int | float) else ""


def shortened(text: str, limit: int = 60) -> str:
    """A text that fits into a message."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


class Node(BaseModel):
    """One mapping of the language. Frozen; unknown keys, wrong types and an explicit null are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True, protected_namespaces=(), ser_json_inf_nan="null"
    )

    place: ClassVar[str] = ""
    """What the mapping is called in messages, and the first half of a key in the table of what comes later."""
    wanted: ClassVar[str] = "a mapping"
    """What may be written here, for the message when it is something else."""
    takes_text: ClassVar[bool] = False
    """Whether any text is a shorthand, so that a number or boolean was meant as one."""
    nullable: ClassVar[frozenset[str]] = frozenset()
    """The keys that may be null on purpose; elsewhere a null is a value that was forgotten."""
    short_for: ClassVar[str] = ""
    """The key that a text alone stands for, where it stands for one."""
    rules: ClassVar[Mapping[str, Any]] = {}
    """What `problems` refuses, as far as JSON Schema can say it: for the editor, before the file is loaded."""

    @classmethod
    def spelled_out(cls, value: object) -> object:
        """The mapping that a shorthand stands for; anything else as it is. May raise `refusal`."""
        return {cls.short_for: value} if cls.short_for and isinstance(value, str) else value

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """What keys say together that each may say alone."""
        return iter(())

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, value: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, cls):
            return value
        given = cls.spelled_out(value)
        if not isinstance(given, Mapping):
            hint = in_quotes(given) if cls.takes_text else ""
            raise refusal(f"must be {cls.wanted}, got {described(given)}", hint)
        nulls = [
            key for key, item in given.items() if item is None and key in cls.known_keys() and key not in cls.nullable
        ]
        problems = [Problem(f"`{key}` has no value", "give it one, or remove the line", (key,)) for key in nulls]
        problems += cls.problems(given)
        if not problems:
            return handler(given)
        found = [InitErrorDetails(type=refusal(it.text, it.hint), loc=it.at, input=None) for it in problems]
        try:
            handler({key: item for key, item in given.items() if key not in nulls})
        except ValidationError as error:
            found += [_again(detail) for detail in error.errors(include_url=False)]
        raise ValidationError.from_exception_data(cls.__name__, found)

    @classmethod
    def known_keys(cls) -> tuple[str, ...]:
        """The keys that may be written here, in the order of the documentation."""
        return tuple([field.alias or name for name, field in cls.model_fields.items()])


def _again(detail: ErrorDetails) -> InitErrorDetails:
    """An error of pydantic's, to be raised once more beside ours."""
    context = detail.get("ctx", {})
    if detail["type"] == REFUSED:
        kind: str | PydanticCustomError = refusal(context["text"], context["hint"])
    else:
        kind = detail["type"]
    return InitErrorDetails(type=kind, loc=detail["loc"], input=detail["input"], ctx=context)
