"""From written settings to those that a request meets, and one set of settings laid over another."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Final

from mockbifrost.clock import EPOCH_S
from mockbifrost.gateway.configuration import (
    CacheRules,
    CostMode,
    Gateway,
    Key,
    Limit,
    Price,
    ProviderRules,
    VirtualKey,
    default_key,
    unnamed,
)
from mockbifrost.gateway.deviations import profile_of
from mockbifrost.vocabulary.providers import KNOWN_PROVIDERS
from mockbifrost.vocabulary.settings import (
    CacheSettings,
    GatewaySettings,
    PriceSettings,
    ProviderSettings,
    Rate,
    VirtualKeySettings,
)
from mockbifrost.wire.profiles import PROFILES, ProfileName

_COST: Final[dict[str, CostMode]] = {"documented": "computed", "1.6": "from_provider", "2.2": "computed"}
"""What `usage.cost` is by profile, where the settings do not say. Source: wire.md 0.1."""
_MILLION: Final = 1_000_000
EVERY_PROVIDER: Final = {name: ProviderRules(keys=(Key(default_key(name)),)) for name in KNOWN_PROVIDERS}
"""The providers of a gateway whose settings name none."""


def gateway_of(settings: GatewaySettings, version: ProfileName | None = None) -> Gateway:
    """The gateway that these settings describe; `version` beats theirs."""
    quirks = frozenset(settings.quirks)
    profile = profile_of(quirks, PROFILES[version or settings.version])
    providers = settings.providers
    known = EVERY_PROVIDER if providers is None else {name: _provider(name, one) for name, one in providers.items()}
    virtual_keys = settings.virtual_keys
    return Gateway(
        profile,
        known,
        settings.tokens == "exact",
        dict(settings.fallbacks),
        _cache(settings.cache),
        settings.require_virtual_key,
        tuple(dict.fromkeys(settings.required_headers)),
        None if virtual_keys is None else {value: _virtual_key(value, one) for value, one in virtual_keys.items()},
        {model: _price(one) for model, one in settings.pricing.items()},
        settings.cost or _COST[profile.name],
        settings.raw.request,
        settings.raw.response,
        quirks,
        settings,
    )


def reconfigured(gateway: Gateway, settings: GatewaySettings, *, keep_version: bool = False) -> Gateway:
    """The gateway with those settings that are written laid over it; `keep_version`: all but the version."""
    written = "version" in settings.model_fields_set
    version = settings.version if written and not keep_version else gateway.profile.name
    return gateway_of(settings.laid_over(gateway.settings), version)


def of_version(gateway: Gateway, version: ProfileName) -> Gateway:
    """The same settings in another profile."""
    return gateway_of(gateway.settings, version)


def _provider(name: str, settings: ProviderSettings) -> ProviderRules:
    keys = [Key(default_key(name))]
    if settings.keys is not None:
        keys = [Key(key.name, key.weight, key.models, dict(key.aliases)) for key in settings.keys]
    backoff = settings.retry_backoff
    return ProviderRules(
        settings.models,
        settings.validate_,
        settings.max_retries,
        backoff.initial,
        backoff.max,
        settings.timeout,
        settings.stream_idle_timeout,
        tuple(keys),
    )


def _cache(settings: CacheSettings) -> CacheRules:
    return CacheRules(
        settings.enabled,
        settings.ttl,
        settings.threshold,
        settings.semantic,
        settings.default_key,
        settings.conversation_history_threshold,
        settings.similar,
        settings.by_model,
        settings.by_provider,
        settings.exclude_system_prompt,
    )


def _virtual_key(value: str, settings: VirtualKeySettings) -> VirtualKey:
    expires = settings.expires
    rate = settings.rate_limit
    return VirtualKey(
        value,
        settings.name or unnamed(value),
        settings.active,
        expires.timestamp() - EPOCH_S if isinstance(expires, datetime) else expires,
        None if settings.providers is None else dict(settings.providers),
        tuple([Limit(budget.limit, *budget.resets) for budget in settings.budgets]),
        _limit(rate.requests) if rate is not None else None,
        _limit(rate.tokens) if rate is not None else None,
    )


def _limit(rate: Rate | None) -> Limit | None:
    return None if rate is None else Limit(rate.most, rate.resets_s, rate.resets)


def _price(settings: PriceSettings) -> Price:
    def each(dollars: float | None) -> float | None:
        return None if dollars is None else _per_token(dollars)

    return Price(
        _per_token(settings.input),
        _per_token(settings.output),
        each(settings.cache_read),
        each(settings.cache_write),
        each(settings.reasoning),
        each(settings.citation),
        settings.search,
        settings.request,
    )


def _per_token(dollars: float) -> float:
    """The nearest number to a millionth of what was written: a float divided would be a last digit off."""
    return float(Fraction(str(dollars)) / _MILLION)
