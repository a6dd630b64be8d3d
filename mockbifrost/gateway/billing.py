"""What an answer costs, and what `usage.cost` says of it. Source: gateway-behaviour.md 3, wire.md 0.1."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import orjson

from mockbifrost.gateway.cache import EMBEDDING_MODEL, EMBEDDING_PROVIDER, Lookup
from mockbifrost.gateway.configuration import Gateway, Price
from mockbifrost.gateway.pricing import parts_of, price_of
from mockbifrost.provider.answer import Answer, Draft
from mockbifrost.values import value
from mockbifrost.wire.cost import cost_json, reported_json, with_additional
from mockbifrost.wire.jsontypes import JsonObject, encode

FREE: Final = b'{"total_cost":0}'


@value
class Bill:
    """Tokens and US dollars of one answer; `json` is `usage.cost`, None where there is none."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int = 0
    dollars: float = 0.0
    output_dollars: float = 0.0
    json: bytes | None = None


NOTHING: Final = Bill(0, 0)


def bill_of(gateway: Gateway, provider: str, model: str, answer: Answer) -> Bill:
    """The bill for an answer of this provider to a request for this model. What a provider reports itself beats what is computed."""
    usage = answer.draft.usage
    if usage is None:
        return NOTHING
    prompt = answer.prompt_tokens if usage.computed else usage.prompt_tokens
    key = (provider, model, answer.model, prompt)
    known: tuple[Gateway, Bill] | None = answer.draft.molds.get(key)
    if known is not None and known[0] is gateway:
        return known[1]
    bill = _made(gateway, _price(gateway, provider, model, answer.model, prompt), answer.draft, prompt)
    answer.draft.keep(key, (gateway, bill))
    return bill


def cached_bill(gateway: Gateway, provider: str, model: str, answer: Answer) -> Bill:
    """The bill for an answer from the cache: nothing; what the provider had reported is still said. Source: gateway-behaviour.md 2.7."""
    bill = bill_of(gateway, provider, model, answer)
    said = bill.json if bill.json is None or answer.draft.reported is not None else FREE
    return Bill(bill.prompt_tokens, bill.completion_tokens, bill.total_tokens, json=said)


def with_embedding(gateway: Gateway, bill: Bill, lookup: Lookup) -> Bill:
    """The bill with what the embedding of a semantic look-up costs. The flat shapes have no part for it, so only 2.2's says it.

    Source: gateway-behaviour.md 2.7, wire.md 3.4. INFERRED: `semantic_cache_cost` is the name of the detail.
    """
    if lookup.wording is None:
        return bill
    price = price_of(gateway.pricing, EMBEDDING_PROVIDER, EMBEDDING_MODEL, built_in=gateway.cost != "none")
    dollars = lookup.wording.tokens * price.input if price is not None else 0.0
    if not dollars:
        return bill
    json = bill.json
    if json is not None and gateway.cost == "computed" and gateway.profile.name == "2.2":
        json = encode(with_additional(orjson.loads(json), semantic_cache_cost=dollars))
    return replace(bill, dollars=bill.dollars + dollars, json=json)


def _price(gateway: Gateway, provider: str, model: str, answered: str, prompt: int) -> Price | None:
    """By the model that was asked, else by the one that answered. Without costs the built-in catalogue is left alone."""
    built_in = gateway.cost != "none"
    price = price_of(gateway.pricing, provider, model, prompt_tokens=prompt, built_in=built_in)
    if price is None and answered != model:
        price = price_of(gateway.pricing, provider, answered, prompt_tokens=prompt, built_in=built_in)
    return price


def _total(reported: JsonObject | None) -> float:
    """What a provider says that it all costs. Only a number above zero is believed. Source: gateway-behaviour.md 3.3."""
    said = reported.get("total_cost") if reported is not None else None
    return float(said) if isinstance(said, int | float) and not isinstance(said, bool) and said > 0 else 0.0


def _made(gateway: Gateway, price: Price | None, draft: Draft, prompt: int) -> Bill:
    usage, profile = draft.usage, gateway.profile
    assert usage is not None  # the caller has seen to it
    completion = usage.completion_tokens
    total = prompt + completion if usage.computed else usage.total_tokens
    shown = gateway.cost != "none" and not draft.costless
    reported = reported_json(draft.reported) if draft.reported is not None else None
    dollars = _total(reported)
    beaten = reported is not None and "total_cost" in reported and not dollars and gateway.cost == "computed"
    if reported is not None and (price is None or not beaten):
        return Bill(prompt, completion, total, dollars, 0.0, encode(reported) if shown else None)
    if price is None:
        return Bill(prompt, completion, total)
    parts = parts_of(usage, price, prompt_tokens=prompt, quirks=gateway.quirks)
    json = encode(cost_json(profile, parts)) if shown and gateway.cost == "computed" else None
    return Bill(prompt, completion, total, parts.total, parts.after, json)
