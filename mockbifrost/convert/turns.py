"""The interactions of a cassette as turns of a scenario: those that ask the same are one stub, told apart from all later ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Final

import orjson

from mockbifrost.cassette.answers import source_of
from mockbifrost.cassette.interaction import Interaction
from mockbifrost.cassette.keys import normalised
from mockbifrost.cassette.spoken import VOLATILE, Spoken, behaviour_of, pace_of
from mockbifrost.convert.conditions import Asking, asking
from mockbifrost.vocabulary.providers import KNOWN_PROVIDERS
from mockbifrost.wire.jsontypes import object_in
from mockbifrost.wire.request import parse_body
from mockbifrost.wire.sse import DONE_DATA, Decoder


@dataclass(frozen=True, slots=True)
class Turn:
    """One interaction: what it asked, what it said, at what pace. `served` is the provider and the model that a gateway names."""

    interaction: Interaction
    body: Mapping[str, Any]
    asked: Asking
    said: Spoken
    pace: Spoken
    served: tuple[str, str] | None = None
    fallbacks: tuple[str, ...] = ()

    @property
    def stream(self) -> bool:
        """Whether a stream was asked for."""
        return self.asked.attempt.stream

    @property
    def asked_model(self) -> str:
        """The primary target, `provider/model`."""
        return f"{self.asked.attempt.provider}/{self.asked.attempt.model}"

    @property
    def hop(self) -> int:
        """Which fallback answered, from 1; 0 for the primary, or where nobody wrote it down."""
        if self.served is None or self.asked.attempt.provider == self.served[0]:
            return 0
        providers = [fallback.partition("/")[0] for fallback in self.fallbacks]
        return providers.index(self.served[0]) + 1 if self.served[0] in providers else 0


def with_fallbacks(turns: Sequence[Turn]) -> tuple[list[Turn], dict[str, list[str]]]:
    """The turns with the fallbacks that each has: its own, else those that the gateway must have been set to; and these settings."""
    settings: dict[str, list[str]] = {}
    for turn in turns:
        primary = turn.asked.attempt.provider
        if turn.served is None or turn.served[0] == primary or not primary or turn.asked.attempt.request.fallbacks:
            continue
        target, targets = "/".join(turn.served), settings.setdefault(turn.asked_model, [])
        if target not in targets:
            targets.append(target)
    found: list[Turn] = []
    for turn in turns:
        own = turn.asked.attempt.request.fallbacks or settings.get(turn.asked_model) or ()
        found.append(replace(turn, fallbacks=tuple(own)))
    return found, settings


def turn_of(interaction: Interaction, providers: Sequence[str], *, ids: bool) -> Turn:
    """The turn. Raises InvalidBody for a request that no gateway takes, Unspoken for a response that no scenario can say."""
    body = parse_body(interaction.request.body)
    plain = _plain(normalised(body))
    said = behaviour_of(interaction)
    if not ids and "reply" in said:
        said["reply"] = {key: item for key, item in said["reply"].items() if key not in VOLATILE}
    return Turn(interaction, body, asking(body, plain, providers), said, pace_of(interaction), served_by(interaction))


def served_by(interaction: Interaction) -> tuple[str, str] | None:
    """The provider that a gateway says it asked, and the model."""
    if source_of(interaction) != "gateway":
        return None
    fields = _extra_fields(interaction)
    provider = fields.get("provider")
    model = fields.get("resolved_model_used") or fields.get("model_deployment") or fields.get("model_requested") or ""
    return (provider, str(model)) if isinstance(provider, str) and provider else None


def _extra_fields(interaction: Interaction) -> Mapping[str, Any]:
    response = interaction.response
    rows = [response.body]
    if response.is_stream:
        events = Decoder().feed(response.body + b"\n\n")
        rows = [event.data.encode() for event in events[:1] if event.data != DONE_DATA]
    body = object_in(rows[0]) if rows else None
    fields = body.get("extra_fields") if body is not None else None
    return fields if isinstance(fields, Mapping) else {}


def _plain(item: Any) -> Any:
    """Without what says nothing: keys that are null, the zero behind a whole number."""
    if isinstance(item, Mapping):
        return {key: _plain(inner) for key, inner in item.items() if inner is not None}
    if isinstance(item, list):
        return [_plain(inner) for inner in item]
    return int(item) if isinstance(item, float) and item.is_integer() and abs(item) < 2**53 else item


@dataclass(slots=True)
class Group:
    """Turns that asked the same: one stub. `steps` are its answers in order, one where they never differ."""

    turns: list[Turn]

    @property
    def steps(self) -> Sequence[Turn]:
        """The turns whose answers are played one after the other."""
        first, *rest = self.turns
        return [first] if all(turn.said == first.said for turn in rest) else self.turns

    @property
    def asked(self) -> Sequence[Asking]:
        """The requests that the stub answers: one of each kind."""
        seen: dict[bool, Asking] = {}
        for turn in self.turns:
            seen.setdefault(turn.stream, turn.asked)
        return list(seen.values())

    @property
    def label(self) -> str:
        """How messages call it."""
        return self.turns[0].interaction.label


def grouped(turns: Sequence[Turn]) -> list[Group]:
    """Groups in the order of their first turn. Streamed and plain requests share one where they got the same answer."""
    groups: dict[tuple[bytes, bool], Group] = {}
    for turn in turns:
        key = (_digest(turn.asked.plain), turn.stream)
        groups.setdefault(key, Group([])).turns.append(turn)
    found: dict[tuple[bytes, bool], Group] = {}
    for (digest, stream), group in groups.items():
        other = found.get((digest, not stream))
        if other is not None and _say_the_same(group, other):
            other.turns += group.turns
        else:
            found[digest, stream] = group
    return list(found.values())


def _say_the_same(group: Group, other: Group) -> bool:
    return len(group.steps) == len(other.steps) == 1 and group.turns[0].said == other.turns[0].said


def _digest(plain: Mapping[str, Any]) -> bytes:
    return blake2b(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def paced(group: Group) -> Group:
    """The group whose streamed turns stand first: their pace says more than that of a plain answer."""
    return (
        Group(sorted(group.turns, key=lambda turn: not turn.interaction.response.is_stream))
        if len(group.steps) == 1
        else group
    )


def strangers(interactions: Sequence[Interaction]) -> list[str]:
    """Providers that gateways named and that the simulated one does not know by itself."""
    served = [found[0] for one in interactions if (found := served_by(one)) is not None]
    return [name for name in dict.fromkeys(served) if name not in KNOWN_PROVIDERS]


_LONGEST_S: Final = 30.0
"""So long a gateway waits for a provider where nothing else is set."""


def slow(turns: Sequence[Turn]) -> float:
    """How long a provider took at the most, where that is longer than a gateway waits by itself; else 0."""
    longest = max([turn.interaction.response.took_ms for turn in turns], default=0) / 1000
    return longest if longest >= _LONGEST_S else 0.0
