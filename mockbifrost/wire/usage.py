"""`usage`: what the provider counted, in the order and with the omissions of each profile. Source: wire.md 3.4 and 0.1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mockbifrost.wire.jsontypes import Json, JsonObject
from mockbifrost.wire.mold import Slot, hole
from mockbifrost.wire.profiles import Profile

PROMPT_DETAILS: Final = (
    "text_tokens",
    "audio_tokens",
    "image_tokens",
    "cached_read_tokens",
    "cached_write_tokens",
    "cached_write_token_details",
)
COMPLETION_DETAILS: Final = (
    "text_tokens",
    "accepted_prediction_tokens",
    "audio_tokens",
    "citation_tokens",
    "num_search_queries",
    "reasoning_tokens",
    "image_tokens",
    "rejected_prediction_tokens",
)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer as its provider counted them; details are None where the provider sent none.

    `computed`: the prompt was counted by us, so its counts go into holes and the rest may be used again.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_details: Mapping[str, Json] | None = None
    completion_details: Mapping[str, Json] | None = None
    extra: Mapping[str, Json] | None = None
    computed: bool = False


def usage_json(profile: Profile, usage: Usage | None, cost: Json = None) -> JsonObject:
    """The object on the wire. A provider that sent no usage is reported as zeros."""
    if usage is None:
        zero = Usage(0, 0, 0)
        return _counts(profile, zero)
    found = _counts(profile, usage)
    if usage.extra:
        found.update(usage.extra)
    if cost is not None:
        found["cost"] = cost
    return found


def _counts(profile: Profile, usage: Usage) -> JsonObject:
    found: JsonObject = {}
    if usage.prompt_tokens or profile.zero_tokens:
        found["prompt_tokens"] = hole(Slot.PROMPT_TOKENS) if usage.computed else usage.prompt_tokens
    if usage.prompt_details is not None:
        found["prompt_tokens_details"] = _prompt_details(profile, usage.prompt_details)
    if usage.completion_tokens or profile.zero_tokens:
        found["completion_tokens"] = usage.completion_tokens
    if usage.completion_details is not None:
        found["completion_tokens_details"] = _filled(usage.completion_details, COMPLETION_DETAILS)
    found["total_tokens"] = hole(Slot.TOTAL_TOKENS) if usage.computed else usage.total_tokens
    return found


def _filled(details: Mapping[str, Json], order: tuple[str, ...]) -> JsonObject:
    found: JsonObject = {key: details[key] for key in order if details.get(key)}
    found.update({key: value for key, value in details.items() if key not in order})
    return found


def _prompt_details(profile: Profile, details: Mapping[str, Json]) -> JsonObject:
    """OpenAI says `cached_tokens`; the gateway maps it to cached_read_tokens and sends both."""
    known = dict(details)
    cached = known.pop("cached_tokens", None)
    written = known.pop("cache_write_tokens", None)
    if cached and "cached_read_tokens" not in known:
        known["cached_read_tokens"] = cached
    if written and "cached_write_tokens" not in known:
        known["cached_write_tokens"] = written
    found = _filled(known, PROMPT_DETAILS)
    reads, writes = known.get("cached_read_tokens") or 0, known.get("cached_write_tokens") or 0
    if profile.cached_tokens_twin:
        both = profile.name == "1.6" and isinstance(reads, int) and isinstance(writes, int)
        found["cached_tokens"] = reads + writes if both else reads  # type: ignore[operator]
    if profile.cache_write_tokens:
        found["cache_write_tokens"] = writes
    return found
