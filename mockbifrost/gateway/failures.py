"""A provider's failures in the gateway's words, and the classes that newer releases give them. Source: wire.md 5 and 6.3."""

from __future__ import annotations

from typing import Final

from mockbifrost.provider.answer import Failure
from mockbifrost.vocabulary.connection_errors import EMPTY_RESPONSE, HTML_RESPONSE
from mockbifrost.wire.envelope import WireError

_EMPTY_BODY: Final = {
    401: "authentication failed: unauthorized (401) - check your API key",
    403: "access forbidden (403) - your API key may not have permission for this operation",
    404: "resource not found (404)",
    429: "rate limit exceeded (429)",
}


def failure_error(failure: Failure) -> WireError:
    """A provider's failure in the gateway's words. Source: wire.md 6.3."""
    classification = classify(failure.status, failure.code)
    if failure.shape == "openai":
        return WireError(
            failure.message,
            failure.status,
            error_type=failure.type,
            code=failure.code,
            param=failure.param,
            classification=classification,
        )
    return WireError(_reworded(failure), failure.status, classification=classification)


def _reworded(failure: Failure) -> str:
    """The message where the provider's body is not OpenAI's."""
    status = failure.status
    if failure.shape == "html":
        return HTML_RESPONSE
    if failure.shape == "plain_text":
        return f"provider API error: {failure.message}"
    if failure.shape == "string":
        return failure.message
    if status in (500, 502, 503, 504):
        return f"provider server error ({status})"
    return _EMPTY_BODY.get(status, f"{EMPTY_RESPONSE} (HTTP {status})")


def classify(status: int, code: str | None) -> str:
    """The class of a provider's failure, as newer releases name it. Source: wire.md 5."""
    if code == "model_not_found":
        return "caller_model_not_available"
    if code == "insufficient_quota" or status == 402:
        return "provider_billing"
    table = {401: "provider_auth_failed", 403: "provider_auth_failed", 408: "provider_timeout", 429: "provider_rate_limited",
             503: "provider_overloaded", 504: "provider_timeout", 529: "provider_overloaded"}  # fmt: skip
    return table.get(status, "provider_server_error" if status >= 500 else "caller_invalid_request")
