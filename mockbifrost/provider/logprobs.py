"""Log probabilities that are drawn: for each token of the built-in splitter, with as many alternatives as were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mockbifrost.provider.tokens import split_tokens
from mockbifrost.seeds import Draws
from mockbifrost.wire.completion import Message
from mockbifrost.wire.jsontypes import Json, JsonObject

_OTHERS: Final = (
    " the", " a", " an", " of", " to", " and", " in", " it", " that", " is", " for", " on", " with", " as", " this", " be", " not", " are",
    " from", " or", " at", " but", " by", " one", " all",
)  # fmt: skip


def drawn_logprobs(message: Message, draws: Draws, index: int, top: int) -> JsonObject:
    """`logprobs` of a choice: the said token comes first among its alternatives, and each further one is less likely."""
    units = draws.units(f"logprobs-{index}")
    found: JsonObject = {}
    if isinstance(message.content, str) and message.content:
        found["content"] = [_entry(token, units, top) for token in split_tokens(message.content)]
    if message.refusal:
        found["refusal"] = [_entry(token, units, top) for token in split_tokens(message.refusal)]
    if not found:
        found["content"] = []
    return found


def _entry(token: str, units: Iterator[float], top: int) -> JsonObject:
    logprob = _rounded(-2.0 * next(units) ** 3)
    entry: JsonObject = {"bytes": _bytes(token), "logprob": logprob, "token": token}
    alternatives: list[Json] = []
    if top > 0:
        alternatives.append({"bytes": _bytes(token), "logprob": logprob, "token": token})
        start = int(next(units) * len(_OTHERS))
        others = [other for other in _OTHERS[start:] + _OTHERS[:start] if other != token]
        for other in others[: top - 1]:
            logprob = _rounded(logprob - 0.05 - 3.0 * next(units))
            alternatives.append({"bytes": _bytes(other), "logprob": logprob, "token": other})
    entry["top_logprobs"] = alternatives
    return entry


def _rounded(value: float) -> float:
    return round(value, 6) or 0.0


def _bytes(token: str) -> list[Json]:
    return list(token.encode("utf-8", "surrogatepass"))
