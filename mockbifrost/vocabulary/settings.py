"""Settings of the gateway: the section `gateway` of a scenario."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Annotated, ClassVar, Final, Literal, NamedTuple, get_args

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from mockbifrost.vocabulary.durations import Duration, parse_duration
from mockbifrost.vocabulary.node import Many, Node, Problem, described, did_you_mean, in_quotes, refusal
from mockbifrost.vocabulary.quirks import QUIRKS
from mockbifrost.vocabulary.rules import names

_RATE: Final = re.compile(r"\s*([0-9]{1,15})\s*/\s*(\S+)\s*")
_RATE_SCHEMA: Final = {"type": "string", "pattern": r"^\s*[0-9]{1,15}\s*/\s*\S+\s*$"}
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_SLASH: Final = r"^[^/\s]+$"

Name = Annotated[str, Field(min_length=1)]
MOST_DOLLARS: Final = 1e12
Dollars = Annotated[float, Field(ge=0, le=MOST_DOLLARS)]
MOST_WEIGHT: Final = 100_000
Weight = Annotated[float, Field(ge=0, le=MOST_WEIGHT)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[Duration, Field(gt=0)]


class Rate(NamedTuple):
    """So many in a time: `10/1m`. `resets` is the time as it was written, as the gateway's messages show it."""

    most: int
    resets_s: float
    resets: str


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


def _model_name(value: object) -> object:
    """`provider/model`."""
    if isinstance(value, str):
        provider, slash, model = value.partition("/")
        if provider and slash and model and provider == "".join(provider.split()):
            return value
    raise refusal(f"must be provider/model, got {described(value)}", "write it as in openai/gpt-4o")


def _rate(value: object) -> Rate:
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise refusal(f"must be a number in a time, as in 10/1m, got {described(value)}", in_quotes(value))
    try:
        resets_s = parse_duration(found[2])
    except ValueError as error:
        raise refusal(str(error)) from None
    if not int(found[1]) or not resets_s:
        raise refusal(f"{value!r} lets nothing pass for ever", "give it a number and a time above zero, as in 10/1m")
    return Rate(int(found[1]), resets_s, found[2])


def _resets(value: object) -> tuple[float, str]:
    try:
        seconds = parse_duration(value)  # type: ignore[arg-type]  # it refuses what is neither text nor number
    except ValueError as error:
        raise refusal(str(error)) from None
    if not seconds:
        raise refusal("a budget can't reset all the time", "write a duration above zero, as in 1d")
    return seconds, str(value).strip()


def _instant(value: object) -> float | datetime:
    """A duration from the start of the session's clock, or a date and time (UTC where it has no zone)."""
    if isinstance(value, str) and (value[:4].isdigit() and value[4:5] == "-"):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            raise refusal(f"{value!r} is no date and time", 'write it as in "2026-01-02T12:00:00Z"') from None
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    try:
        return parse_duration(value)  # type: ignore[arg-type]  # it refuses what is neither text nor number
    except ValueError as error:
        raise refusal(str(error), 'or write a date and time, as in "2026-01-02T12:00:00Z"') from None


def _similar(value: object) -> tuple[str, str, float]:
    fits = isinstance(value, list | tuple) and len(value) == 3
    if fits and isinstance(value[0], str) and isinstance(value[1], str):  # type: ignore[index]
        score = value[2]  # type: ignore[index]
        if isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1:
            return value[0], value[1], float(score)  # type: ignore[index]
    raise refusal(
        f"must be two texts and a similarity from 0 to 1, got {described(value)}",
        'write ["refund please", "I want my money back", 0.93]',
    )


def _header_name(name: object) -> object:
    if not isinstance(name, str) or not _HEADER.fullmatch(name):
        raise refusal(f"{name!r} can't be the name of a header")
    return name.lower()


def _virtual_key(value: object) -> object:
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable() or " " in value:
        raise refusal(f"{value!r} can't be a virtual key", "write it as clients send it, as in sk-bf-team-a")
    return value


def _quirk(value: object) -> object:
    if isinstance(value, str) and value in QUIRKS:
        return value
    raise refusal(f"{value!r} is not the name of a quirk", did_you_mean(value, tuple(QUIRKS)) or "see docs/quirks.md")


ProviderName = Annotated[str, BeforeValidator(_provider_name), WithJsonSchema({"type": "string", "pattern": _NO_SLASH})]
ModelName = Annotated[str, BeforeValidator(_model_name), WithJsonSchema({"type": "string", "pattern": r"^[^/\s]+/.+$"})]
Models = Annotated[Many[Name], Field(min_length=1)]
Resets = Annotated[tuple[float, str], PlainValidator(_resets), WithJsonSchema({"type": "string"})]
RateText = Annotated[Rate, PlainValidator(_rate), WithJsonSchema(_RATE_SCHEMA)]
Instant = Annotated[float | datetime, PlainValidator(_instant), WithJsonSchema({"type": "string"})]
_TRIPLE: Final = {"type": "array", "minItems": 3, "maxItems": 3}
Similar = Annotated[tuple[str, str, float], PlainValidator(_similar), WithJsonSchema(_TRIPLE)]
HeaderName = Annotated[
    str, BeforeValidator(_header_name), WithJsonSchema({"type": "string", "pattern": f"^{_HEADER.pattern}$"})
]
VirtualKeyValue = Annotated[
    str, BeforeValidator(_virtual_key), WithJsonSchema({"type": "string", "pattern": "^[!-~]+$"})
]
QuirkName = Annotated[str, BeforeValidator(_quirk), WithJsonSchema(names(tuple(QUIRKS)))]
Version = Literal["documented", "1.6", "2.2"]
_VERSION: Final = {"enum": [*get_args(Version), 1.6, 2.2]}  # YAML reads a release without quotes as a number


class BackoffSettings(Node):
    """How long a retry waits. Source: gateway-behaviour.md 1.5."""

    place: ClassVar[str] = "retry_backoff"

    initial: Duration = 0.5
    max: Duration = 5.0

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """A first wait that is longer than the longest."""
        try:
            first = parse_duration(given.get("initial", "500ms"))  # type: ignore[arg-type]  # it refuses what is no duration
            longest = parse_duration(given.get("max", "5s"))  # type: ignore[arg-type]
        except ValueError:  # told where it stands
            return
        if first > longest:
            yield Problem(
                "`initial` is longer than `max`", "raise `max`", ("initial" if "initial" in given else "max",)
            )


class KeySettings(Node):
    """One key of a provider. `models` are globs that it may be used for; `aliases`: the model asked → the deployment that is used."""

    place: ClassVar[str] = "gateway.providers.*.keys"
    wanted: ClassVar[str] = "a mapping such as {name: main, weight: 2}"

    name: Name
    weight: Weight = 1.0
    models: Many[Name] = ("*",)
    aliases: Mapping[Name, Name] = Field(default_factory=dict)


class ProviderSettings(Node):
    """What is configured for one provider. `models` are globs; the default is every model. `validate`: it refuses bad requests."""

    place: ClassVar[str] = "gateway.providers.*"
    wanted: ClassVar[str] = "a mapping, {} for a provider with the defaults"

    validate_: bool = Field(default=True, alias="validate")
    models: Models = ("*",)
    max_retries: Annotated[int, Field(ge=0, le=100)] = 0
    retry_backoff: BackoffSettings = Field(default_factory=BackoffSettings)
    timeout: Positive = 30.0
    stream_idle_timeout: Positive = 60.0
    keys: Many[KeySettings] | None = None

    @classmethod
    def problems(cls, given: Mapping[str, object]) -> Iterator[Problem]:
        """Two keys of one name."""
        keys = given.get("keys")
        found: dict[object, int] = {}
        for index, key in enumerate(keys if isinstance(keys, list | tuple) else ()):
            name = key.get("name") if isinstance(key, Mapping) else getattr(key, "name", None)
            if isinstance(name, str) and found.setdefault(name, index) != index:
                yield Problem(f"there are two keys named {name!r}", "give each a name of its own", ("keys", index))


class CacheSettings(Node):
    """The simulated semantic cache. Source: gateway-behaviour.md 2.1."""

    place: ClassVar[str] = "gateway.cache"

    enabled: bool = True
    ttl: Positive = 300.0
    threshold: Share = 0.8
    semantic: bool = False
    default_key: Name | None = None
    conversation_history_threshold: Annotated[int, Field(ge=1)] = 3
    similar: Many[Similar] = ()
    by_model: bool = True
    by_provider: bool = True
    exclude_system_prompt: bool = False

    nullable: ClassVar[frozenset[str]] = frozenset({"default_key"})


class BudgetSettings(Node):
    """Dollars in a time. Source: gateway-behaviour.md 4.3."""

    place: ClassVar[str] = "budget"
    wanted: ClassVar[str] = "a mapping such as {limit: 5.00, resets: 1d}"

    limit: Dollars
    resets: Resets = (30 * 86_400.0, "1M")


class RateLimitSettings(Node):
    """Requests and tokens in a time."""

    place: ClassVar[str] = "rate_limit"
    wanted: ClassVar[str] = "a mapping such as {requests: 10/1m, tokens: 1000/1h}"

    requests: RateText | None = None
    tokens: RateText | None = None


class VirtualKeySettings(Node):
    """One virtual key. `providers`: name → models (globs) that it may ask; left out, all."""

    place: ClassVar[str] = "gateway.virtual_keys.*"
    wanted: ClassVar[str] = "a mapping such as {name: team-a}"
    nullable: ClassVar[frozenset[str]] = frozenset({"expires"})

    name: Name | None = None
    active: bool = True
    expires: Instant | None = None
    providers: Mapping[ProviderName, Many[Name]] | None = None
    budgets: Many[BudgetSettings] = ()
    rate_limit: RateLimitSettings | None = None


class PriceSettings(Node):
    """US dollars for a million tokens; `search` and `request` for one each."""

    place: ClassVar[str] = "price"
    wanted: ClassVar[str] = "a mapping such as {input: 2.50, output: 10.00}"

    input: Dollars = 0.0
    output: Dollars = 0.0
    cache_read: Dollars | None = None
    cache_write: Dollars | None = None
    reasoning: Dollars | None = None
    citation: Dollars | None = None
    search: Dollars = 0.0
    request: Dollars = 0.0


class RawSettings(Node):
    """Whether answers carry what was sent to the provider and what came back, without a header that asks for it."""

    place: ClassVar[str] = "gateway.raw"

    request: bool = False
    response: bool = False


class GatewaySettings(Node):
    """Whose bytes to send, which providers there are (None: every known one), and all that the gateway does around them."""

    place: ClassVar[str] = "gateway"
    nullable: ClassVar[frozenset[str]] = frozenset({"cost"})

    version: Annotated[Version, BeforeValidator(_as_text), WithJsonSchema(_VERSION)] = "documented"
    providers: Mapping[ProviderName, ProviderSettings] | None = None
    fallbacks: Mapping[ModelName, Many[ModelName]] = Field(default_factory=dict)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    require_virtual_key: bool = False
    required_headers: Many[HeaderName] = ()
    virtual_keys: Mapping[VirtualKeyValue, VirtualKeySettings] | None = None
    pricing: Mapping[ModelName, PriceSettings] = Field(default_factory=dict)
    cost: Literal["computed", "from_provider", "none"] | None = None
    tokens: Annotated[Literal["built-in", "exact"], AfterValidator(_counted)] = "built-in"
    raw: RawSettings = Field(default_factory=RawSettings)
    quirks: Many[QuirkName] = ()

    def laid_over(self, base: GatewaySettings) -> GatewaySettings:
        """Other settings, with each of these that is written in the place of theirs."""
        return base.model_copy(update={key: getattr(self, key) for key in self.model_fields_set})
