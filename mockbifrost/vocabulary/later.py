"""Keys of the language that this release does not implement yet: one row each, deleted when the key arrives."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_BEHAVIOURS: Final = {
    "replay": "`replay` (an interaction of a cassette) is not in this version yet; use `reply` or `raw`",
    "forward": "`forward` (asking a real upstream) is not in this version yet; use `reply` or `auto`",
    "upstream": "`upstream` (faults of the provider's connection) is not in this version yet; use `error` or `raw`",
    "wire": "`wire` (faults of the client's connection) is not in this version yet; use `raw` to send broken bytes",
    "cache": "`cache` (the outcome of the gateway's cache) is not in this version yet; remove it: nothing is cached",
}

_SETTINGS: Final = {
    "fallbacks": "`fallbacks` (configured ones) are not in this version yet; send `fallbacks` in the request",
    "cache": "`cache` (the simulated semantic cache) is not in this version yet; remove it",
    "require_virtual_key": "`require_virtual_key` is not in this version yet; use `gateway_error` in a stub",
    "required_headers": "`required_headers` are not in this version yet; use `gateway_error` in a stub",
    "virtual_keys": "`virtual_keys` (and their limits) are not in this version yet; any sk-bf-… is accepted",
    "pricing": "`pricing` is not in this version yet; no cost is reported",
    "cost": "`cost` is not in this version yet; no cost is reported",
    "raw": "`raw` (raw_request and raw_response in extra_fields) is not in this version yet; use `body` of a reply",
    "quirks": "`quirks` are not in this version yet; `version` chooses whose bytes are sent",
}

_PROVIDER: Final = {
    "max_retries": "`max_retries` is not in this version yet; every target is asked once",
    "retry_backoff": "`retry_backoff` is not in this version yet; every target is asked once",
    "timeout": "`timeout` is not in this version yet; use `gateway_error: provider_timeout`",
    "stream_idle_timeout": "`stream_idle_timeout` is not in this version yet; use `gateway_error: provider_timeout`",
    "keys": "`keys` are not in this version yet; each provider has one key, named `<provider>-key-1`",
}

LATER: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        **{("stub", key): sentence for key, sentence in _BEHAVIOURS.items()},
        **{("sequence step", key): sentence for key, sentence in _BEHAVIOURS.items()},
        **{("gateway", key): sentence for key, sentence in _SETTINGS.items()},
        **{("gateway.providers.*", key): sentence for key, sentence in _PROVIDER.items()},
        (
            "reply",
            "cost",
        ): "`cost` (what the provider reports) is not in this version yet; use `body: {usage: {cost: …}}`",
    }
)
"""(place of the mapping, key) → the sentence that refuses it."""

LATER_ENDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "fin": "`end: fin` (closed without the terminating chunk) is not in this version yet; use `clean` or `close`",
        "reset": "`end: reset` is not in this version yet; use `clean` or `close`",
        "half": "`end: half` (half of the body) is not in this version yet; use `clean` or `close`",
    }
)
"""Values of `raw.end` → the sentence that refuses each."""
