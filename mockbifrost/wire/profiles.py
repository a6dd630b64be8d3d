"""Whose bytes are sent: one profile per line of releases. Source: wire.md 0.1, captures of 1.6.11 and 2.2.3."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

ProfileName = Literal["documented", "1.6", "2.2"]


@dataclass(frozen=True, slots=True)
class Profile:
    """What differs on the wire between the documentation and the releases; each field is one row of the table of profiles."""

    name: ProfileName
    documented_model_names: bool
    """extra_fields say model_requested and model_deployment; else original_model_requested and resolved_model_used."""
    routing_info: bool
    null_logprobs: bool
    """`logprobs` is always there, null if none; else left out when null."""
    log_probs_twin: bool
    """`log_probs`, the documentation's name, beside `logprobs` whenever log probabilities were asked for."""
    null_finish_reason: bool
    """Middle chunks say `finish_reason: null`; else they leave it out."""
    role_only_chunk: bool
    """The first chunk, which has a role and no content, is forwarded."""
    body_newline: bool
    upstream_latency_plain: bool
    upstream_latency_last_chunk: bool
    null_continuation_name: bool
    """Later fragments of a tool call say `function.name: null`; else they leave it out."""
    refusal_deltas: bool
    """Chunks with a refusal or annotations are forwarded; else dropped. Source: gateway-behaviour.md 6 (fixed by #7184)."""
    reasoning_content: bool
    """`reasoning` is sent again as `reasoning_content`."""
    request_id_headers: bool
    security_headers: bool
    empty_allow_origin: bool
    """Without an Origin: an empty Access-Control-Allow-Origin everywhere; else `*` on streams."""
    routing_headers: bool
    """x-bifrost-routing-info-* and x-bifrost-upstream-latency-ms."""
    zero_tokens: bool
    """Token counts of zero are sent; else left out, as the Go types do."""
    cached_tokens_twin: bool
    """`cached_tokens` beside `cached_read_tokens` whenever details are sent: the one that clients read."""
    cache_write_tokens: bool
    error_type: bool
    """Errors are classified in extra_fields.error_type."""
    error_latency: bool
    local_error_status: int
    """HTTP status of a local error that has none of its own."""
    local_stream_error_status: int
    close_on_invalid_json: bool


DOCUMENTED: Final = Profile(
    name="documented",
    documented_model_names=True,
    routing_info=False,
    null_logprobs=True,
    log_probs_twin=True,
    null_finish_reason=True,
    role_only_chunk=True,
    body_newline=False,
    upstream_latency_plain=False,
    upstream_latency_last_chunk=False,
    null_continuation_name=False,
    refusal_deltas=True,
    reasoning_content=False,
    request_id_headers=False,
    security_headers=False,
    empty_allow_origin=False,
    routing_headers=False,
    zero_tokens=True,
    cached_tokens_twin=True,
    cache_write_tokens=False,
    error_type=False,
    error_latency=False,
    local_error_status=400,
    local_stream_error_status=400,
    close_on_invalid_json=True,
)
V1_6: Final = Profile(
    name="1.6",
    documented_model_names=False,
    routing_info=True,
    null_logprobs=False,
    log_probs_twin=False,
    null_finish_reason=False,
    role_only_chunk=False,
    body_newline=False,
    upstream_latency_plain=True,
    upstream_latency_last_chunk=False,
    null_continuation_name=True,
    refusal_deltas=False,
    reasoning_content=False,
    request_id_headers=False,
    security_headers=False,
    empty_allow_origin=False,
    routing_headers=False,
    zero_tokens=False,
    cached_tokens_twin=True,
    cache_write_tokens=False,
    error_type=False,
    error_latency=False,
    local_error_status=500,
    local_stream_error_status=500,
    close_on_invalid_json=False,
)
V2_2: Final = Profile(
    name="2.2",
    documented_model_names=False,
    routing_info=True,
    null_logprobs=True,
    log_probs_twin=False,
    null_finish_reason=True,
    role_only_chunk=True,
    body_newline=True,
    upstream_latency_plain=True,
    upstream_latency_last_chunk=True,
    null_continuation_name=True,
    refusal_deltas=True,
    reasoning_content=True,
    request_id_headers=True,
    security_headers=True,
    empty_allow_origin=True,
    routing_headers=True,
    zero_tokens=False,
    cached_tokens_twin=True,
    cache_write_tokens=True,
    error_type=True,
    error_latency=True,
    local_error_status=400,
    local_stream_error_status=500,
    close_on_invalid_json=True,
)
PROFILES: Final = MappingProxyType({profile.name: profile for profile in (DOCUMENTED, V1_6, V2_2)})
