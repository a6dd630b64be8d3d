"""`error` and `gateway_error`: failures of the provider and refusals of the gateway, as they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from mockbifrost.scenario.fields import HeaderName, HeaderTemplate, Json, Template, one_of
from mockbifrost.scenario.when_model import same_header_twice
from mockbifrost.vocabulary.durations import Duration
from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS
from mockbifrost.vocabulary.gateway_errors import GATEWAY_ERRORS
from mockbifrost.vocabulary.node import Node, Problem, described, refusal
from mockbifrost.vocabulary.rules import any_of_these, names

Shape = Literal["openai", "string", "html", "empty", "plain_text"]
ErrorStatus = Annotated[int, Field(ge=400, le=599)]

_PROVIDER_NAMES: Final = tuple(PROVIDER_ERRORS)
_GATEWAY_NAMES: Final = tuple(GATEWAY_ERRORS)


def _provider_error(value: object) -> str:
    return one_of(value, _PROVIDER_NAMES, "a provider's error", {"gateway_error": _GATEWAY_NAMES})


def _gateway_error(value: object) -> str:
    return one_of(value, _GATEWAY_NAMES, "a gateway's error", {"error": _PROVIDER_NAMES})


ProviderErrorName = Annotated[str, BeforeValidator(_provider_error), WithJsonSchema(names(_PROVIDER_NAMES))]
"""The name of a provider's error."""


class ErrorModel(Node):
    """A provider's error by name, written out, or a name with something laid over it.

    `type`, `code` and `param` may be null on purpose: look at `model_fields_set` before taking those of the name.
    """

    place: ClassVar[str] = "error"
    wanted: ClassVar[str] = "the name of an error, or a mapping such as {status: 503, message: …}"
    short_for: ClassVar[str] = "name"
    rules: ClassVar[Mapping[str, object]] = any_of_these(("name", "status"))
    nullable: ClassVar[frozenset[str]] = frozenset({"type", "code", "param"})

    name: ProviderErrorName | None = None
    status: ErrorStatus | None = None
    type: str | None = None
    code: str | None = None
    message: Template | None = None
    param: Json = None
    headers: Mapping[HeaderName, HeaderTemplate] | None = None
    retry_after: Duration | None = None
    shape: Shape = "openai"

    @classmethod
    def spelled_out(cls, value: object) -> object:
        """A text is the name."""
        if isinstance(value, int) and not isinstance(value, bool):
            raise refusal(f"must be {cls.wanted}, got {described(value)}", f"write {{status: {value}}}")
        return super().spelled_out(value)

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """An error without a status, a header said twice."""
        if "name" not in given and "status" not in given:
            yield Problem("needs a `name` or a `status`", "write {status: 503}, or a name such as overloaded")
        headers = given.get("headers")
        if isinstance(headers, Mapping):
            yield from same_header_twice(headers)
            if "retry_after" in given and any(str(name).lower() == "retry-after" for name in headers):
                yield Problem("`retry_after` and the header retry-after say the same", "keep one", ("retry_after",))


class GatewayErrorModel(Node):
    """A refusal of the gateway by name, written out, or a name with something laid over it.

    `type` stands at the top of the envelope, `error_type` inside `error`; null leaves out what the name would say.
    """

    place: ClassVar[str] = "gateway_error"
    wanted: ClassVar[str] = "the name of a gateway's error, or a mapping such as {status: 403, message: …}"
    short_for: ClassVar[str] = "name"
    rules: ClassVar[Mapping[str, object]] = any_of_these(("name", "message"))
    nullable: ClassVar[frozenset[str]] = frozenset({"status", "type", "code", "error_type"})

    name: Annotated[str, BeforeValidator(_gateway_error), WithJsonSchema(names(_GATEWAY_NAMES))] | None = None
    status: ErrorStatus | None = None
    type: Template | None = None
    code: Template | None = None
    message: Template | None = None
    error_type: Template | None = None

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """An error that says nothing."""
        if "name" not in given and "message" not in given:
            yield Problem(
                "needs a `name` or a `message`", "write {message: …, status: 403}, or a name such as budget_exceeded"
            )
