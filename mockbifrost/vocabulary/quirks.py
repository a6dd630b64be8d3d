"""Named deviations of known releases: `gateway.quirks`. Each is off unless named. docs/quirks.md is made from this table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Quirk:
    """What a release does that the profile does not: the effect in a sentence, the releases, the issue that tells of it."""

    name: str
    effect: str
    releases: str
    source: str


_ROWS: Final = (
    Quirk(
        "no_role_delta", "The first chunk, which has only a role, is not forwarded.", "1.6.11, 2.0 prereleases", "#6523"
    ),
    Quirk("no_finish_reason", "No chunk and no answer says why it ended.", "1.4.9", "#1821"),
    Quirk(
        "no_middle_finish_reason",
        "Chunks before the last have no `finish_reason` key at all, instead of null.",
        "1.6",
        "#7397",
    ),
    Quirk(
        "split_last_chunk",
        "The last chunk comes in two: the finish reason first, then the usage in a chunk whose reason is null.",
        "before 2.0",
        "#5604",
    ),
    Quirk("empty_last_chunk", 'The last chunk says model "" and created 0.', "up to 1.4", "#2613"),
    Quirk("no_usage_chunk", "The last chunk of a stream has no usage.", "1.0", "#191"),
    Quirk("tool_index_zero", "All tool calls of a stream have the index 0.", "1.4", "#1961"),
    Quirk(
        "fused_tool_names",
        "Parallel tool calls of a stream arrive as one, their names joined.",
        "1.4",
        "#1829",
    ),
    Quirk("no_reasoning_deltas", "Streams leave the reasoning out.", "1.3", "#974"),
    Quirk("reasoning_dropped", "Answers with tool calls leave the reasoning out.", "1.5", "#3802"),
    Quirk("drop_chunks", "The first and the last chunk with content of a stream are missing.", "1.1", "#597"),
    Quirk("content_blocks", "The content of a plain answer is a list of blocks.", "1.0", "#175"),
    Quirk("response_format_rejected", "A request with `response_format` gets a 400.", "1.1", "#619"),
    Quirk(
        "finish_reason_error",
        'An error inside a stream arrives as a last chunk with the finish reason "error" and null for the usage.',
        "2.0",
        "#5425",
    ),
    Quirk(
        "nested_error_event",
        "An error inside a stream arrives nested: `{error: {is_bifrost_error, error: {type, message}}}`, both texts empty.",
        "1.4",
        "#1674",
    ),
    Quirk(
        "upstream_death_is_success",
        "A stream that the provider cuts off ends as a good one: a last chunk with no tokens, then [DONE].",
        "up to 2.0",
        "#5546",
    ),
    Quirk(
        "skips_malformed_chunks",
        "A chunk of the provider that is no JSON is skipped, and the stream goes on.",
        "2.1.1",
        "failoverbench S10",
    ),
    Quirk("silent_upstream_hangs", "A provider that says nothing is waited for without end.", "before 2.2", "#7034"),
    Quirk("timeout_is_500", "A provider's timeout is a 500 without a status in the body.", "up to 1.4", "#2412"),
    Quirk("no_retry_of_streams", "A stream whose set-up fails in the network is not retried.", "before 2.0", "#4496"),
    Quirk(
        "header_leak_on_fallback",
        "The headers of the primary's failure, Retry-After too, stay on the answer of the fallback.",
        "2.1",
        "#6973",
    ),
    Quirk(
        "no_fallback_on_caller_fault",
        "A provider's 400 or 422 with a body ends the request: no fallback is asked.",
        "after 2.2",
        "core/callerfaultfallback_test.go",
    ),
    Quirk(
        "no_settings_fallback_on_refusal",
        "Fallbacks from the settings are not asked after a 4xx of the primary; those of the request are.",
        "1.5",
        "#3261",
    ),
    Quirk("usage_inconsistent", "Cached tokens of a stream are counted twice.", "2.0", "#5354"),
    Quirk("cached_at_full_price", "Cached tokens cost as much as others.", "1.3", "#904"),
    Quirk("cache_never_hits", "No request is found again by its hash: there are no direct hits.", "1.4", "#2791"),
    Quirk("no_cache_debug_on_streams", "Streams have no `cache_debug`.", "1.4", "#3049"),
    Quirk(
        "pinned_key_breaks_semantic_cache",
        "A request that pins a key never gets a semantic hit.",
        "2.0",
        "#4756",
    ),
    Quirk("null_body_on_cache_hit", "A direct hit is a 200 whose body is `null`.", "2.2.3", "kairo 086"),
    Quirk("done_then_open", "A stream stays open after [DONE].", "1.5.0-prerelease2", "#2637"),
)

QUIRKS: Final[Mapping[str, Quirk]] = MappingProxyType({row.name: row for row in _ROWS})
