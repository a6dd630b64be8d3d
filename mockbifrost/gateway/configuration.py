"""The settings that a request meets, compiled: what is configured for the gateway, its providers, their keys and who may use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Final, Literal

from mockbifrost.vocabulary.settings import GatewaySettings
from mockbifrost.wire.profiles import Profile

EVERY: Final = ("*",)
CostMode = Literal["computed", "from_provider", "none"]


def default_key(provider: str) -> str:
    """The name of the one key that a provider has where none is configured."""
    return f"{provider}-key-1"


def unnamed(virtual_key: str) -> str:
    """The name of a virtual key that has none: it tells it from others, and its value is a secret."""
    return f"unnamed-{blake2b(virtual_key.encode(), digest_size=4).hexdigest()}"


def allowed(model: str, globs: tuple[str, ...]) -> bool:
    """Whether one of the globs covers the model."""
    return globs == EVERY or any(fnmatchcase(model, glob) for glob in globs)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a provider: its share of the calls, the models (globs) that it serves, the deployment that stands for a model."""

    name: str
    weight: float = 1.0
    models: tuple[str, ...] = EVERY
    aliases: Mapping[str, str] = field(default_factory=dict)

    def serves(self, model: str) -> bool:
        """Whether it may be used for the model."""
        return allowed(model, self.models)


@dataclass(frozen=True, slots=True)
class ProviderRules:
    """What is configured for a provider, in seconds. Source: gateway-behaviour.md 1.5."""

    models: tuple[str, ...] = EVERY
    validates: bool = True
    max_retries: int = 0
    backoff_initial_s: float = 0.5
    backoff_max_s: float = 5.0
    timeout_s: float = 30.0
    stream_idle_timeout_s: float = 60.0
    keys: tuple[Key, ...] = ()
    sole_key: bool = field(init=False)
    """Whether there is one key, which serves every model."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sole_key", len(self.keys) == 1 and self.keys[0].models == EVERY)


@dataclass(frozen=True, slots=True)
class CacheRules:
    """The simulated cache. `similar`: pairs of texts with their similarity. Source: gateway-behaviour.md 2.1."""

    enabled: bool = True
    ttl_s: float = 300.0
    threshold: float = 0.8
    semantic: bool = False
    default_key: str | None = None
    conversation_history_threshold: int = 3
    similar: tuple[tuple[str, str, float], ...] = ()
    by_model: bool = True
    by_provider: bool = True
    exclude_system_prompt: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """So much in a time. `resets` is the time as it was written, as the gateway's messages show it."""

    limit: float
    resets_s: float
    resets: str


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """A virtual key. `expires_s` counts from the clock's fixed start; `providers` None: all, else the models (globs) of each."""

    value: str
    name: str
    active: bool = True
    expires_s: float | None = None
    providers: Mapping[str, tuple[str, ...]] | None = None
    budgets: tuple[Limit, ...] = ()
    requests: Limit | None = None
    tokens: Limit | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for one token; `search` and `request` for one each. None: as the tokens it belongs to."""

    input: float = 0.0
    output: float = 0.0
    cache_read: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None
    citation: float | None = None
    search: float = 0.0
    request: float = 0.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """All settings of one session's gateway. `fallbacks` and `pricing` go by `provider/model`; `virtual_keys` None: any is accepted."""

    profile: Profile
    providers: Mapping[str, ProviderRules]
    exact_tokens: bool = False
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cache: CacheRules = CacheRules()
    require_virtual_key: bool = False
    required_headers: tuple[str, ...] = ()
    virtual_keys: Mapping[str, VirtualKey] | None = None
    pricing: Mapping[str, Price] = field(default_factory=dict)
    cost: CostMode = "computed"
    raw_request: bool = False
    raw_response: bool = False
    quirks: frozenset[str] = frozenset()
    settings: GatewaySettings = field(default_factory=GatewaySettings, compare=False, repr=False)
    """As they were written, so that others can be laid over them."""
    guarded: bool = field(init=False)
    """Whether every request is asked for headers or a virtual key."""
    shows_raw: bool = field(init=False)
    """Whether every answer shows something raw."""

    def __post_init__(self) -> None:
        guarded = bool(self.required_headers) or self.require_virtual_key or self.virtual_keys is not None
        object.__setattr__(self, "guarded", guarded)
        object.__setattr__(self, "shows_raw", self.raw_request or self.raw_response)
