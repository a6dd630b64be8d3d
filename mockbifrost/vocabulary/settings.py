"""Settings of the gateway: the section `gateway` of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from mockbifrost.vocabulary.node import Many, Node


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, float) else value


class ProviderSettings(Node):
    """What is configured for one provider. `models` are globs; the default is every model."""

    place: ClassVar[str] = "gateway.providers.*"
    wanted: ClassVar[str] = "a mapping, {} for a provider with the defaults"

    models: Annotated[Many[Annotated[str, Field(min_length=1)]], Field(min_length=1)] = ("*",)


class GatewaySettings(Node):
    """Whose bytes to send, and which providers there are; `providers` None: every known one. `model_fields_set` tells what was written."""

    place: ClassVar[str] = "gateway"

    version: Annotated[Literal["documented", "1.6", "2.2"], BeforeValidator(_as_text)] = "documented"
    providers: Mapping[Annotated[str, Field(pattern=r"^[^/\s]+$")], ProviderSettings] | None = None
