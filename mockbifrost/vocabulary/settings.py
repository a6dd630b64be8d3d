"""Settings of the gateway: the section `gateway` of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from mockbifrost.vocabulary.node import Many, Node, refusal


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, float) else value


def _provider_name(name: object) -> object:
    if not isinstance(name, str) or not name or "/" in name or name != "".join(name.split()):
        raise refusal(f"{name!r} can't be the name of a provider", "names have neither white space nor a slash")
    return name


def _counted(value: str) -> str:
    if value == "exact" and find_spec("bpe_openai") is None:
        raise refusal("exact counts need an extra that is not installed", "pip install 'mockbifrost[exact]'")
    return value


ProviderName = Annotated[
    str, BeforeValidator(_provider_name), WithJsonSchema({"type": "string", "pattern": r"^[^/\s]+$"})
]
Version = Literal["documented", "1.6", "2.2"]
_VERSION: Final = {"enum": [*get_args(Version), 1.6, 2.2]}  # YAML reads a release without quotes as a number


class ProviderSettings(Node):
    """What is configured for one provider. `models` are globs; the default is every model. `validate`: it refuses bad requests."""

    place: ClassVar[str] = "gateway.providers.*"
    wanted: ClassVar[str] = "a mapping, {} for a provider with the defaults"

    validate_: bool = Field(default=True, alias="validate")
    models: Annotated[Many[Annotated[str, Field(min_length=1)]], Field(min_length=1)] = ("*",)


class GatewaySettings(Node):
    """Whose bytes to send, which providers there are (None: every known one), and how tokens are counted."""

    place: ClassVar[str] = "gateway"

    version: Annotated[Version, BeforeValidator(_as_text), WithJsonSchema(_VERSION)] = "documented"
    providers: Mapping[ProviderName, ProviderSettings] | None = None
    tokens: Annotated[Literal["built-in", "exact"], AfterValidator(_counted)] = "built-in"
