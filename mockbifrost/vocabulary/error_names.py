"""Errors of providers by name, in the words of OpenAI where it has them. Source: scenario-language.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class ProviderError:
    """What a provider answers when it fails. `message` may hold `{model}`, the model that was asked."""

    name: str
    status: int
    type: str | None
    code: str | None
    message: str
    param: str | None = None


_INVALID: Final = "invalid_request_error"
_ROWS: Final = (
    ProviderError(
        "bad_request",
        400,
        _INVALID,
        None,
        "Your request was malformed or missing some required parameters.",
    ),
    ProviderError(
        "context_length",
        400,
        _INVALID,
        "context_length_exceeded",
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 130542 tokens. "
        "Please reduce the length of the messages.",
        "messages",
    ),
    ProviderError(
        "content_filter",
        400,
        _INVALID,
        "content_policy_violation",
        "Your request was rejected as a result of our safety system. "
        "Your prompt may contain text that is not allowed by our safety system.",
    ),
    ProviderError(
        "unauthorized",
        401,
        _INVALID,
        "invalid_api_key",
        "Incorrect API key provided: sk-mock. You can find your API key at https://platform.openai.com/account/api-keys.",
    ),
    ProviderError("forbidden", 403, _INVALID, None, "You are not allowed to sample from this model"),
    ProviderError(
        "model_not_found",
        404,
        _INVALID,
        "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
    ),
    ProviderError("request_timeout", 408, "timeout", None, "Request timed out."),
    ProviderError("conflict", 409, _INVALID, None, "The resource was changed by another request. Please try again."),
    ProviderError(
        "too_large", 413, _INVALID, None, "Maximum content size limit (26214400) exceeded (26227040 bytes read)"
    ),
    ProviderError("unprocessable", 422, _INVALID, None, "The request was well-formed but could not be processed."),
    ProviderError(
        "rate_limited",
        429,
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for {model} in organization org-mock on requests per min (RPM): Limit 500, Used 500, "
        "Requested 1. Please try again in 120ms. Visit https://platform.openai.com/account/rate-limits to learn more.",
    ),
    ProviderError(
        "insufficient_quota",
        429,
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details. For more information on this "
        "error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
    ),
    ProviderError(
        "server_error",
        500,
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
    ProviderError("bad_gateway", 502, "cf_bad_gateway", "502", "Bad gateway."),
    ProviderError(
        "unavailable",
        503,
        "server_error",
        None,
        "That model is currently overloaded with other requests. You can retry your request, or contact us through our "
        "help center at help.openai.com if the error persists.",
    ),
    ProviderError("gateway_timeout", 504, "cf_gateway_timeout", "504", "Gateway timeout."),
    ProviderError("overloaded", 529, "overloaded_error", None, "Overloaded"),
)

PROVIDER_ERRORS: Final[Mapping[str, ProviderError]] = MappingProxyType({row.name: row for row in _ROWS})
"""By name, in the order of their statuses."""
