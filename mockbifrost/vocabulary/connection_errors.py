"""What the gateway says of a provider's connection that fails, by name and profile. Source: wire.md 4.6, 6.3 and 12.

`{cause}` in messages and causes is the text of Go's error. Classifications of an answer that can't be read are INFERRED.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from mockbifrost.vocabulary.gateway_errors import GATEWAY_ERRORS, GatewayError, by_profile

EMPTY_RESPONSE: Final = "empty response received from provider"
HTML_RESPONSE: Final = "HTML response received from provider"

_FAILED: Final = "provider_connection_failed"
_NEWEST: Final = (
    GatewayError(
        "request_failed",
        "target",
        "failed to execute HTTP request to provider API",
        502,
        error_type=_FAILED,
        is_bifrost_error=True,
        cause="{cause}",
        classification=_FAILED,
    ),
    GatewayError(
        "empty_response", "target", EMPTY_RESPONSE, is_bifrost_error=True, classification="provider_server_error"
    ),
    GatewayError(
        "undecodable",
        "target",
        "failed to unmarshal response from provider API",
        502,
        error_type=_FAILED,
        classification=_FAILED,
    ),
    GatewayError(
        "not_a_stream",
        "target",
        "provider returned non-SSE response for streaming request",
        is_bifrost_error=True,
        classification="provider_server_error",
    ),
    GatewayError(
        "closed_early",
        "target",
        "provider closed the stream before sending a completion marker (upstream connection ended mid-stream)",
        is_bifrost_error=True,
        classification=_FAILED,
    ),
    GatewayError(
        "read_failed",
        "target",
        "Error reading stream: {cause}",
        is_bifrost_error=True,
        cause="{cause}",
        classification=_FAILED,
    ),
    GatewayError(
        "stream_idle",
        "target",
        "stream idle timeout: no data received within configured window",
        is_bifrost_error=True,
        classification="provider_timeout",
    ),
    GATEWAY_ERRORS["provider_timeout"],
)

CONNECTION_ERRORS: Final[Mapping[str, GatewayError]] = MappingProxyType({row.name: row for row in _NEWEST})
"""By name, as the profile `2.2` sends them."""

_OLDER: Final = {
    row.name: row
    for row in (
        replace(CONNECTION_ERRORS["request_failed"], status=None, error_type=None),
        replace(CONNECTION_ERRORS["undecodable"], status=None, error_type=None, is_bifrost_error=True),
    )
}
_BY_PROFILE: Final = by_profile(CONNECTION_ERRORS, _OLDER)


def connection_error(name: str, profile: str) -> GatewayError:
    """The error as this profile words it; `documented` says what 2.2 says, unclassified. Raises KeyError."""
    return _BY_PROFILE[profile][name]
