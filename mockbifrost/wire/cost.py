"""`usage.cost`: what an answer cost, in US dollars, in the shape of each profile. Source: gateway-behaviour.md 3.1, wire.md 3.4."""

from __future__ import annotations

from collections.abc import Mapping

from mockbifrost.values import value
from mockbifrost.wire.jsontypes import Json, JsonObject
from mockbifrost.wire.profiles import Profile


@value
class Parts:
    """The parts of one answer's cost, in US dollars, unrounded. No token is in two of them."""

    text_input: float = 0.0
    audio_input: float = 0.0
    image_input: float = 0.0
    cached_read: float = 0.0
    cached_write: float = 0.0
    request: float = 0.0
    text_output: float = 0.0
    audio_output: float = 0.0
    image_output: float = 0.0
    reasoning: float = 0.0
    citation: float = 0.0
    search: float = 0.0

    @property
    def input(self) -> float:
        """The tokens of the prompt, cached ones too."""
        return self.text_input + self.audio_input + self.image_input + self.cached_read + self.cached_write

    @property
    def output(self) -> float:
        """The tokens of the answer that have no part of their own."""
        return self.text_output + self.audio_output + self.image_output

    @property
    def before(self) -> float:
        """What the asking cost: the prompt and the request itself."""
        return self.input + self.request

    @property
    def after(self) -> float:
        """What the answering cost."""
        return self.output + self.reasoning + self.citation + self.search

    @property
    def total(self) -> float:
        """The sum of all parts, `before` and `after`: the same in each shape."""
        return self.before + self.after


def cost_json(profile: Profile, parts: Parts) -> JsonObject:
    """The computed cost; what is zero is left out, but for the total.

    Source: gateway-behaviour.md 3.1. INFERRED: the names of the details, `text_cost` and so on (wire.md 3.4 leaves them open).
    """
    return _nested(parts) if profile.name == "2.2" else _flat(parts)


def reported_json(reported: float | Mapping[str, Json]) -> JsonObject:
    """What the provider says the answer cost, the same in each profile: a number is the total, an object stays as it is.

    Source: gateway-behaviour.md 3.1 and 3.2.
    """
    return dict(reported) if isinstance(reported, Mapping) else {"total_cost": reported}


def with_additional(cost: JsonObject, **dollars: float) -> JsonObject:
    """The nested shape with what the gateway's own work cost; without a total it is left as it is. Source: wire.md 3.4."""
    found = dict(cost)
    total = found.pop("total_cost", None)
    if not isinstance(total, int | float):
        return cost
    more = sum(dollars.values())
    return {**found, "additional_cost": more, "additional_cost_details": {**dollars}, "total_cost": total + more}


def _flat(parts: Parts) -> JsonObject:
    found = _nonzero(
        input_tokens_cost=parts.input,
        output_tokens_cost=parts.output,
        reasoning_tokens_cost=parts.reasoning,
        citation_tokens_cost=parts.citation,
        search_queries_cost=parts.search,
        request_cost=parts.request,
    )
    found["total_cost"] = parts.total
    return found


def _nested(parts: Parts) -> JsonObject:
    asked = _nonzero(
        text_cost=parts.text_input,
        audio_cost=parts.audio_input,
        image_cost=parts.image_input,
        cached_read_cost=parts.cached_read,
        cached_write_cost=parts.cached_write,
        request_cost=parts.request,
    )
    answered = _nonzero(
        text_cost=parts.text_output,
        audio_cost=parts.audio_output,
        image_cost=parts.image_output,
        reasoning_cost=parts.reasoning,
        citation_cost=parts.citation,
        search_queries_cost=parts.search,
    )
    found: JsonObject = {}
    if asked:
        found |= {"input_cost": parts.before, "input_cost_details": asked}
    if answered:
        found |= {"output_cost": parts.after, "output_cost_details": answered}
    found["total_cost"] = parts.total
    return found


def _nonzero(**dollars: float) -> JsonObject:
    return {key: amount for key, amount in dollars.items() if amount}
