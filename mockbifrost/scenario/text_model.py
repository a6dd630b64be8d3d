"""The matcher of a text as it is written: a text, a `/regular expression/`, or a mapping."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field, WithJsonSchema

from mockbifrost.vocabulary.node import Many, Node, Problem, described, refusal
from mockbifrost.vocabulary.rules import any_of_these, belong

_SLASHED: Final = re.compile(r"/(.+)/([ims]*)", re.DOTALL)
_FLAGS: Final = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
_TESTS: Final = ("equals", "contains", "starts_with", "ends_with", "regex", "glob", "not", "any", "all")


def _flags(letters: str) -> str:
    if not set(letters) <= set(_FLAGS):
        raise refusal(f"must be of the letters i, m and s, got {described(letters)}")
    return letters


Telling = Annotated[str, WithJsonSchema({"type": "string", "minLength": 1})]
"""Text that must not be empty: an empty one fits everything."""


class TextMatcherModel(Node):
    """Every test given must hold. `regex` has no slashes, `flags` stood after them; a plain text is `contains`."""

    place: ClassVar[str] = "text matcher"
    wanted: ClassVar[str] = "text, /a regular expression/ or a mapping such as {contains: …}"
    takes_text: ClassVar[bool] = True
    short_for: ClassVar[str] = "contains"
    rules: ClassVar[Mapping[str, object]] = any_of_these(_TESTS) | belong({"flags": "regex"})

    equals: str | None = None
    contains: Telling | None = None
    starts_with: Telling | None = None
    ends_with: Telling | None = None
    regex: str | None = None
    flags: Annotated[str, AfterValidator(_flags), WithJsonSchema({"type": "string", "pattern": "^[ims]*$"})] = ""
    glob: str | None = None
    ignore_case: bool = False
    not_: TextMatcherModel | None = Field(default=None, alias="not")
    any_: Annotated[Many[TextMatcherModel], Field(min_length=1)] | None = Field(default=None, alias="any")
    all_: Annotated[Many[TextMatcherModel], Field(min_length=1)] | None = Field(default=None, alias="all")

    @classmethod
    def spelled_out(cls, value: object) -> object:
        """`/…/ims` as a whole is a regular expression, any other text is contained."""
        slashed = _SLASHED.fullmatch(value) if isinstance(value, str) else None
        return {"regex": slashed[1], "flags": slashed[2]} if slashed else super().spelled_out(value)

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """A matcher that tests nothing, that always holds, or whose pattern does not compile."""
        if not any(test in given for test in _TESTS) and all(key in cls.known_keys() for key in given):
            yield Problem("tests nothing", f"give it one of {', '.join(_TESTS)}")
        for key in ("contains", "starts_with", "ends_with"):
            if given.get(key) == "":
                yield Problem(
                    "an empty text fits everything", "remove the line, or write {equals: ''} for an empty text", (key,)
                )
        pattern = given.get("regex")
        if isinstance(pattern, str):
            yield from _pattern_problems(pattern, given.get("flags"))
        if "flags" in given and "regex" not in given:
            yield Problem("`flags` belong to `regex`", "", ("flags",))


def _pattern_problems(pattern: str, flags: object) -> Iterator[Problem]:
    if flags is None and _SLASHED.fullmatch(pattern):
        yield Problem(
            "a pattern under `regex` is written without slashes around it",
            "remove them; for a pattern that has them, write [/] instead",
            ("regex",),
        )
    bits = 0
    for flag in flags if isinstance(flags, str) else "":
        bits |= _FLAGS.get(flag, 0)
    try:
        re.compile(pattern, bits)
    except RecursionError:
        yield Problem("the regular expression is nested too deeply", "", ("regex",))
    except (re.error, ValueError, OverflowError, Warning) as error:
        yield Problem(f"is not a regular expression: {error}", "", ("regex",))
