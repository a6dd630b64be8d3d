"""Kinds of values that several mappings of a scenario share."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, PlainValidator, WithJsonSchema

from mockbifrost.vocabulary.node import Many, described, did_you_mean, refusal, shortened

Json: TypeAlias = JsonValue
JsonMapping: TypeAlias = Mapping[str, JsonValue]

Name = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]


def _switch(value: object) -> bool:
    if value is True or value == {}:
        return True
    raise refusal(f"must be true, got {described(value)}")


_SWITCH: Final = {"anyOf": [{"const": True}, {"type": "object", "maxProperties": 0}]}
Switch = Annotated[bool, PlainValidator(_switch), WithJsonSchema(_SWITCH)]
"""Something that is only ever turned on: true, or a mapping without settings."""

Span: TypeAlias = tuple[int, int | None]
"""From and to, both included; to is None where it is open."""

_SPAN: Final = re.compile(r"([0-9]{1,18})?\.\.([0-9]{1,18})?")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_IN_HEADER: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def _span(value: object) -> Span:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value, value
    if isinstance(value, str):
        found = _SPAN.fullmatch(value.strip())
        if found and (found[1] or found[2]):
            low, high = int(found[1] or 0), int(found[2]) if found[2] else None
            if high is not None and high < low:
                raise refusal(f"the range {value!r} is empty", f'write "{high}..{low}"')
            return low, high
    raise refusal(
        f'must be a number from 0 on, a list of numbers or a range such as "1.." or "0..2", got {described(value)}'
    )


def _spans(value: object) -> tuple[Span, ...]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        if not value:
            raise refusal("an empty list never holds", "name a number, or remove the line")
        return tuple([_span(item) for item in value])
    return (_span(value),)


_Range = Annotated[str, Field(pattern=r"^\s*(?:[0-9]{1,18}\.\.(?:[0-9]{1,18})?|\.\.[0-9]{1,18})\s*$")]
_Number: TypeAlias = Count | _Range
_Written: TypeAlias = _Number | Annotated[Many[_Number], Field(min_length=1)]
Numbers = Annotated[tuple[Span, ...], PlainValidator(_spans, json_schema_input_type=_Written)]
"""A number, a list of numbers or a range in the file; spans in the model, of which one must hold the number."""


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Names = Annotated[Many[Name], BeforeValidator(_listed, json_schema_input_type=Name | Many[Name])]
"""A name or a list of names in the file, a tuple in the model."""
_OneOrMore = Annotated[Many[Name], Field(min_length=1)]
OneOrMoreNames = Annotated[_OneOrMore, BeforeValidator(_listed, json_schema_input_type=Name | _OneOrMore)]


def check_template(text: str) -> str:
    """The text itself, once it is known to compile if it is a template."""
    if "{{" in text or "{%" in text:
        from mockbifrost.scenario.templates import Template as Compiled  # imported when first used

        try:
            Compiled(text)
        except ValueError as error:
            raise refusal(str(error)) from None
        except (RecursionError, MemoryError, OverflowError, SyntaxError):
            raise refusal(f"the template {shortened(text)!r} is too deep or too large") from None
    return text


def check_templates(value: object) -> None:
    """Refuse a JSON value one of whose texts is a template that does not compile."""
    if isinstance(value, str):
        check_template(value)
    for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ():
        check_templates(item)


Template = Annotated[str, AfterValidator(check_template)]
"""Text that may hold `{{ … }}`."""


def _header_name(name: object) -> object:
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise refusal(f"{name!r} can't be the name of a header")
    return name


def _header_value(value: str) -> str:
    bad = _BAD_IN_HEADER.search(value)
    if bad:
        raise refusal(f"a header can't hold the character {bad[0]!r}")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError as error:
        raise refusal(f"a header can't hold the character {value[error.start]!r}", "only Latin-1 is allowed") from None
    return value


_NAME_SCHEMA: Final = {"type": "string", "pattern": f"^{_TOKEN.pattern}$"}
_VALUE_SCHEMA: Final = WithJsonSchema({"type": "string", "pattern": r"^[\t -~\u0080-\u00ff]*$"})
HeaderName = Annotated[str, BeforeValidator(_header_name), WithJsonSchema(_NAME_SCHEMA)]
HeaderText = Annotated[str, AfterValidator(_header_value), _VALUE_SCHEMA]
HeaderTemplate = Annotated[str, AfterValidator(_header_value), AfterValidator(check_template), _VALUE_SCHEMA]


def _base64(text: str) -> str:
    joined = "".join(text.split())
    try:
        base64.b64decode(joined, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refusal(f"is not base64: {error}") from None
    return joined


_BASE64_SCHEMA: Final = {"type": "string", "contentEncoding": "base64", "pattern": r"^[A-Za-z0-9+/=\s]*$"}
Base64 = Annotated[str, AfterValidator(_base64), WithJsonSchema(_BASE64_SCHEMA)]
"""Base64 that decodes, without the white space it was written with."""


def one_of(value: object, known: Sequence[str], what: str, elsewhere: Mapping[str, Sequence[str]] | None = None) -> str:
    """The value, when it is one of the known names; else a refusal that names the nearest, or where it belongs."""
    if not isinstance(value, str):
        raise refusal(f"must be the name of {what}, got {described(value)}")
    if value in known:
        return value
    belongs = [f"`{key}: {value}`" for key, names in (elsewhere or {}).items() if value in names]
    hint = f"write {belongs[0]}" if belongs else did_you_mean(value, known) or f"known are {', '.join(known)}"
    raise refusal(f"{value!r} is not the name of {what}", hint)
