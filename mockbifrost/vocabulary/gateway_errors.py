"""Errors of the gateway itself by name and profile. Source: wire.md 0.1, 5 and 6; gateway-behaviour.md 4.2.

Placeholders in messages and causes, filled by `str.format_map`: `{provider}`, `{model}`, `{virtual_key}` (its name),
`{headers}` (those missing, `a, b`), `{request_type}`, `{holder}` (whose limit), `{tokens_used}`, `{tokens_limit}`,
`{tokens_resets}`, `{requests_used}`, `{requests_limit}`, `{requests_resets}`, `{spent}`, `{budget}` (dollars, four
decimals), `{cause}` (the text of Go's error). `FILL_INS` has a value for each, for an error that is scripted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

Scope = Literal["request", "target"]


@dataclass(frozen=True, slots=True)
class GatewayError:
    """One refusal. `status` None: no `status_code` in the body, and HTTP has the profile's status for local errors.

    `type` stands at the top of the envelope, `error_type` in `error.type`, `cause` in `error.error`,
    `classification` in `extra_fields.error_type`. `scope`: it ends the request, or fails a target and fallbacks follow.
    """

    name: str
    scope: Scope
    message: str
    status: int | None = None
    type: str | None = None
    error_type: str | None = None
    code: str | None = None
    is_bifrost_error: bool = False
    cause: str | None = None
    classification: str | None = None


_LIMITS: Final = "rate limit violated for {holder} : "
_TOKENS: Final = "token limit exceeded ({tokens_used}/{tokens_limit}, resets every {tokens_resets})"
_REQUESTS: Final = "request limit exceeded ({requests_used}/{requests_limit}, resets every {requests_resets})"
_NO_KEYS: Final = "no keys found for provider: {provider} and model: {model}"
_NO_KEY_FOR_MODEL: Final = "no keys found that support model: {model}"
_TIMEOUT: Final = (
    "request timed out (default is 30 seconds). You can increase it by setting the default_request_timeout_in_seconds "
    "in the network_config or in UI - Providers > Provider Name > Network Config."
)

_NEWEST: Final = (
    GatewayError(
        "virtual_key_required",
        "request",
        "virtual key is required. Provide a virtual key via the x-bf-vk header.",
        401,
        "virtual_key_required",
        classification="policy_access_denied",
    ),
    GatewayError(
        "virtual_key_not_found",
        "request",
        "virtual key not found. The provided virtual key does not exist or has been revoked.",
        401,
        "virtual_key_not_found",
        classification="policy_access_denied",
    ),
    GatewayError(
        "virtual_key_inactive",
        "request",
        "virtual key is inactive",
        403,
        "access_blocked",
        classification="policy_access_denied",
    ),
    GatewayError(
        "virtual_key_expired",
        "request",
        "virtual key has expired",
        403,
        "access_blocked",
        classification="policy_access_denied",
    ),
    GatewayError(
        "missing_required_headers",
        "request",
        "missing required headers: {headers}",
        400,
        "missing_required_headers",
        classification="caller_invalid_request",
    ),
    GatewayError("invalid_json", "request", "Invalid JSON", cause="{cause}"),
    GatewayError(
        "no_provider",
        "request",
        "could not auto resolve a provider for the request, please specify a provider explicitly",
        classification="caller_model_unknown",
    ),
    GatewayError(
        "no_model",
        "request",
        "could not auto resolve a model for the request, please specify a model explicitly",
        classification="caller_model_unknown",
    ),
    GatewayError(
        "unsupported_operation",
        "request",
        "{request_type} is not supported by {provider} provider",
        code="unsupported_operation",
        classification="caller_invalid_request",
    ),
    GatewayError(
        "request_cancelled",
        "request",
        "request cancelled while waiting for provider response: context canceled",
        499,
        error_type="request_cancelled",
        is_bifrost_error=True,
        classification="caller_cancelled",
    ),
    GatewayError(
        "queue_full",
        "request",
        "request dropped: queue is full",
        503,
        error_type="request_dropped",
        classification="bifrost_dropped",
    ),
    GatewayError("shutting_down", "request", "provider is shutting down", 503, classification="bifrost_dropped"),
    GatewayError("internal", "request", "Governance decision error", 500, classification="bifrost_internal"),
    GatewayError(
        "provider_blocked",
        "target",
        "Provider '{provider}' is not allowed for virtual key '{virtual_key}'",
        403,
        "provider_blocked",
        classification="policy_provider_blocked",
    ),
    GatewayError(
        "model_blocked",
        "target",
        "Model '{model}' is not allowed for this virtual key",
        403,
        "model_blocked",
        classification="policy_model_blocked",
    ),
    GatewayError(
        "budget_exceeded",
        "target",
        "Budget exceeded: {holder} budget exceeded: {spent} >= {budget} dollars",
        402,
        "budget_exceeded",
        classification="policy_budget_exceeded",
    ),
    GatewayError(
        "token_limited",
        "target",
        f"Rate limit exceeded: {_LIMITS}[{_TOKENS}]",
        429,
        "token_limited",
        classification="policy_rate_limited",
    ),
    GatewayError(
        "request_limited",
        "target",
        f"Rate limit exceeded: {_LIMITS}[{_REQUESTS}]",
        429,
        "request_limited",
        classification="policy_rate_limited",
    ),
    GatewayError(
        "rate_limited",
        "target",
        f"Rate limit exceeded: {_LIMITS}[{_TOKENS}, {_REQUESTS}]",
        429,
        "rate_limited",
        classification="policy_rate_limited",
    ),
    GatewayError("no_keys", "target", _NO_KEYS, cause=_NO_KEYS, classification="provider_auth_failed"),
    GatewayError(
        "no_key_for_model",
        "target",
        _NO_KEY_FOR_MODEL,
        error_type="no_key_supports_model",
        cause=_NO_KEY_FOR_MODEL,
        classification="caller_model_not_available",
    ),
    GatewayError(
        "no_eligible_keys",
        "target",
        "all eligible keys are temporarily suppressed by the key pool filter",
        503,
        error_type="no_eligible_keys",
        classification="provider_credentials_exhausted",
    ),
    GatewayError(
        "credentials_exhausted",
        "target",
        "all configured keys returned permanent per-key errors (401/402/403)",
        502,
        error_type="upstream_credentials_exhausted",
        classification="provider_credentials_exhausted",
    ),
    GatewayError(
        "provider_timeout",
        "target",
        _TIMEOUT,
        504,
        error_type="request_timed_out",
        is_bifrost_error=True,
        classification="provider_timeout",
    ),
    GatewayError(
        "connection_failed",
        "target",
        "network error occurred while connecting to provider API (DNS lookup, connection refused, etc.)",
        502,
        error_type="provider_connection_failed",
        is_bifrost_error=True,
        cause="{cause}",
        classification="provider_connection_failed",
    ),
)

GATEWAY_ERRORS: Final[Mapping[str, GatewayError]] = MappingProxyType({row.name: row for row in _NEWEST})
"""By name, as the profile `2.2` sends them; those of a request first."""


_OLDER: Final[Mapping[str, GatewayError]] = MappingProxyType(
    {
        row.name: row
        for row in (
            replace(
                GATEWAY_ERRORS["virtual_key_inactive"], type="virtual_key_blocked", message="Virtual key is inactive"
            ),
            replace(
                GATEWAY_ERRORS["virtual_key_expired"], type="virtual_key_blocked", message="Virtual key has expired"
            ),
            replace(GATEWAY_ERRORS["no_provider"], message="provider is required"),
            replace(GATEWAY_ERRORS["no_model"], message="model is required"),
            replace(GATEWAY_ERRORS["queue_full"], status=None, error_type=None),
            replace(GATEWAY_ERRORS["shutting_down"], status=None),
            replace(
                GATEWAY_ERRORS["provider_blocked"], message="Provider '{provider}' is not allowed for this virtual key"
            ),
            replace(GATEWAY_ERRORS["token_limited"], message=f"Rate limit check failed: {_LIMITS}[{_TOKENS}]"),
            replace(GATEWAY_ERRORS["request_limited"], message=f"Rate limit check failed: {_LIMITS}[{_REQUESTS}]"),
            replace(
                GATEWAY_ERRORS["rate_limited"], message=f"Rate limit check failed: {_LIMITS}[{_TOKENS}, {_REQUESTS}]"
            ),
            replace(GATEWAY_ERRORS["no_key_for_model"], error_type=None),
            replace(GATEWAY_ERRORS["connection_failed"], status=None, error_type=None),
        )
    }
)


def by_profile(
    newest: Mapping[str, GatewayError], older: Mapping[str, GatewayError]
) -> Mapping[str, Mapping[str, GatewayError]]:
    """The errors of each profile: those of 2.2, which alone classifies, and what 1.6 says in place of some."""
    return MappingProxyType(
        {
            "documented": {name: replace(row, classification=None) for name, row in newest.items()},
            "1.6": {name: replace(older.get(name, row), classification=None) for name, row in newest.items()},
            "2.2": newest,
        }
    )


_BY_PROFILE: Final = by_profile(GATEWAY_ERRORS, _OLDER)

FILL_INS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "provider": "openai",
        "model": "gpt-4o",
        "virtual_key": "team-a",
        "headers": "x-tenant-id",
        "request_type": "chat_completion",
        "holder": "vk_model_config *",
        "tokens_used": "1500",
        "tokens_limit": "1000",
        "tokens_resets": "1h",
        "requests_used": "10",
        "requests_limit": "10",
        "requests_resets": "1m",
        "spent": "105.5000",
        "budget": "100.0000",
        "cause": "connection refused",
    }
)
"""What stands in a placeholder that nothing else fills. Source: the examples of gateway-behaviour.md 4.2."""


def gateway_error(name: str, profile: str) -> GatewayError:
    """The error as this profile words it; `documented` says what 2.2 says, unclassified. Raises KeyError."""
    return _BY_PROFILE[profile][name]
