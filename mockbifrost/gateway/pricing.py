"""What an answer costs: the price of a model, from the scenario or the built-in catalogue, and the parts that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from mockbifrost.gateway.configuration import Price, allowed
from mockbifrost.vocabulary.providers import KNOWN_PROVIDERS
from mockbifrost.wire.cost import Parts
from mockbifrost.wire.jsontypes import Json
from mockbifrost.wire.usage import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, TieredPrices

_SAME_NAME: Final = (
    "anthropic",
    "azure",
    "cerebras",
    "cohere",
    "databricks",
    "deepseek",
    "elevenlabs",
    "fireworks",
    "github-copilot",
    "groq",
    "mistral",
    "openai",
    "openrouter",
    "perplexity",
    "typesafe",
)
_IN_CATALOGUE: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{name: name for name in _SAME_NAME},
        "bedrock": "aws",
        "bedrock_mantle": "aws",
        "gemini": "google",
        "vertex": "google",
        "xai": "x-ai",
    }
)
"""The gateway's known providers by their names in the catalogue; the others have no prices there."""
_NEWEST: Final = datetime(9999, 12, 31, 12, tzinfo=UTC)
"""Prices change from a date on, and at night some are lower: the last ones known, by day."""
_MILLION: Final = 1_000_000
_THOUSAND: Final = 1_000
_LONGEST_NAME: Final = 200
"""Characters of a model's name that is looked up, so that no client can fill the memory."""
_MOST_TOKENS: Final = 2**63 - 1

Level = tuple[int, Price]
"""A price, and the number of prompt tokens above which it holds."""


def price_of(
    pricing: Mapping[str, Price], provider: str, model: str, *, prompt_tokens: int = 0, built_in: bool = True
) -> Price | None:
    """The price of a model in US dollars, None where nobody knows one.

    The scenario's own comes first: `provider/model` as it stands, else the first name with a `*` that fits. Then the
    catalogue (genai-prices, as installed: it is never updated over the network), which is imported when it is first asked.
    `built_in` False: it is not asked. `prompt_tokens` chooses the tier, whose price holds for all tokens.

    Source: gateway-behaviour.md 3.3. INFERRED: the tier goes by the prompt, as in the catalogue, where the gateway says all
    tokens; a provider of one's own has the prices of the catalogue's provider of exactly that name; of prices that change
    with time, the last ones by day.
    """
    name = f"{provider}/{model}"
    own = pricing.get(name)
    if own is not None:
        return own
    for key, price in pricing.items():
        if "*" in key and allowed(name, (key,)):
            return price
    if not built_in or len(name) > _LONGEST_NAME:
        return None
    found: Price | None = None
    for above, price in _catalogue(provider, model):
        if prompt_tokens > above:
            found = price
    return found


@lru_cache(maxsize=1024)
def _catalogue(provider: str, model: str) -> tuple[Level, ...]:
    """All levels of a model's price, the lowest first; none for an unknown model."""
    name = _IN_CATALOGUE.get(provider)
    if name is None and provider in KNOWN_PROVIDERS:
        return ()
    from genai_prices.data import providers

    for one in providers:
        if one.id == (name or provider):
            found = one.find_model(model, all_providers=providers)
            return () if found is None else _levels(found.get_prices(_NEWEST))
    return ()


def _levels(prices: ModelPrice) -> tuple[Level, ...]:
    if prices.input_mtok is None and prices.output_mtok is None:
        return ()  # it is not sold by tokens
    starts = {tier.start for price in vars(prices).values() for tier in getattr(price, "tiers", ())}
    return tuple([(above, _price(prices, above)) for above in (-1, *sorted(starts))])


def _price(prices: ModelPrice, above: int) -> Price:
    """The price that holds for prompts of more than so many tokens."""

    def each(key: str, count: int = _MILLION) -> float | None:
        found = _of_tier(getattr(prices, key, None), above)
        return None if found is None else float(Fraction(found) / count)

    return Price(
        each("input_mtok") or 0.0,
        each("output_mtok") or 0.0,
        each("cache_read_mtok"),
        each("cache_write_mtok"),
        each("output_reasoning_mtok"),
        each("output_citation_mtok"),
        each("web_searches_kcount", _THOUSAND) or 0.0,
        each("requests_kcount", _THOUSAND) or 0.0,
    )


def _of_tier(price: Decimal | TieredPrices | None, above: int) -> Decimal | None:
    if price is None or isinstance(price, Decimal):
        return price
    found = price.base
    for tier in price.tiers:
        if tier.start <= above:
            found = tier.price
    return found


def parts_of(
    usage: Usage, price: Price, *, prompt_tokens: int | None = None, quirks: frozenset[str] = frozenset()
) -> Parts:
    """The cost of an answer, part by part. `prompt_tokens` is the real count where that of a computed usage is a placeholder.

    Source: gateway-behaviour.md 3.3; reasoning and citation have a part where they have a price, else they are output.
    INFERRED: they are some of the completion's tokens, as audio and image tokens are; no count exceeds what it is part of.
    """
    counted = prompt_tokens if usage.computed and prompt_tokens is not None else usage.prompt_tokens
    prompt, completion = _whole(counted), _whole(usage.completion_tokens)
    before, after = usage.prompt_details, usage.completion_details
    if not (before and any(before.values())) and not (after and any(after.values())):
        return Parts(text_input=prompt * price.input, request=price.request, text_output=completion * price.output)
    cached_apart = "cached_at_full_price" not in quirks
    return _detailed(price, prompt, before or {}, completion, after or {}, cached_apart=cached_apart)


def _detailed(
    price: Price,
    prompt: int,
    before: Mapping[str, Json],
    completion: int,
    after: Mapping[str, Json],
    *,
    cached_apart: bool,
) -> Parts:
    """The parts where the counts of a prompt (`before`) or a completion (`after`) say more than how many there are."""
    reads, writes, audio_input, image_input, text_input = _dealt(
        prompt,
        _count(before, "cached_read_tokens", "cached_tokens") if cached_apart else 0,
        _count(before, "cached_write_tokens", "cache_write_tokens") if cached_apart else 0,
        _count(before, "audio_tokens"),
        _count(before, "image_tokens"),
    )
    reasoning, citation, audio_output, image_output, text_output = _dealt(
        completion,
        0 if price.reasoning is None else _count(after, "reasoning_tokens"),
        0 if price.citation is None else _count(after, "citation_tokens"),
        _count(after, "audio_tokens"),
        _count(after, "image_tokens"),
    )
    return Parts(
        text_input=text_input * price.input,
        audio_input=audio_input * price.input,
        image_input=image_input * price.input,
        cached_read=reads * (price.input if price.cache_read is None else price.cache_read),
        cached_write=writes * (price.input if price.cache_write is None else price.cache_write),
        request=price.request,
        text_output=text_output * price.output,
        audio_output=audio_output * price.output,
        image_output=image_output * price.output,
        reasoning=reasoning * (price.reasoning or 0.0),
        citation=citation * (price.citation or 0.0),
        search=_count(after, "num_search_queries") * price.search,
    )


def _dealt(count: int, *wanted: int) -> list[int]:
    """So many tokens dealt out: to each what it wants while there are any, and last the rest."""
    found: list[int] = []
    for want in wanted:
        found.append(min(want, count))
        count -= found[-1]
    return [*found, count]


def _count(details: Mapping[str, Json], *names: str) -> int:
    """The count under the first of the names that has one; providers and the gateway call cached tokens differently."""
    for name in names:
        count = _whole(details.get(name))
        if count:
            return count
    return 0


def _whole(count: Json) -> int:
    """The number of tokens; none where it is no number of them."""
    return min(count, _MOST_TOKENS) if isinstance(count, int) and count > 0 else 0
