"""The simulated cache: which requests it has a part in, what it has stored, and what it says about a hit or a miss.

Pure but for one session's store, which changes only where the session says so. Source: gateway-behaviour.md 2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import floor, inf, isfinite
from typing import Final, Literal, TypeAlias
from uuid import UUID, uuid5

import orjson

from mockbifrost.gateway.configuration import CacheRules
from mockbifrost.match.conversation import Conversation
from mockbifrost.provider.answer import Answer
from mockbifrost.provider.tokens import count_built_in
from mockbifrost.values import value
from mockbifrost.vocabulary.durations import header_seconds
from mockbifrost.wire.jsontypes import JsonObject
from mockbifrost.wire.profiles import Profile
from mockbifrost.wire.request import Object, RequestMessage

NAMESPACE: Final = UUID("b1f3c2d4-e5a6-7890-abcd-ef1234567890")
"""Of the ids of all entries. Source: gateway-behaviour.md 2.3."""
EMBEDDING_PROVIDER: Final = "openai"
EMBEDDING_MODEL: Final = "text-embedding-3-small"
MOST_ENTRIES: Final = 1_000
MOST_BYTES: Final = 32 * 1024 * 1024

_DEFAULT_THRESHOLD: Final = 0.8
_WORD_BYTES: Final = 100
"""What a word takes in a set, beside its letters."""
_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WORD: Final = re.compile(r"\w+")
_OF_MESSAGE: Final = (
    "role", "name", "tool_call_id", "refusal", "audio", "reasoning", "reasoning_content", "reasoning_details", "annotations",
    "is_error",
)  # fmt: skip
_OF_REQUEST: Final = (
    "temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "tool_choice", "parallel_tool_calls", "user",
    "logit_bias", "logprobs", "top_logprobs", "prompt_cache_key", "response_format", "safety_identifier", "service_tier",
    "store", "verbosity",
)  # fmt: skip

HitKind = Literal["direct", "semantic"]
Family: TypeAlias = "tuple[str, str, str, str]"
"""Cache key, hash of the parameters, provider, model (the last two empty where they do not matter): what semantic candidates share."""


@value
class Wording:
    """What a semantic search compares: the last user text, all before and after it as a digest, the words of it all.

    `tokens` is what its embedding takes.
    """

    prompt: str
    rest: str
    words: frozenset[str]
    tokens: int


@value
class Lookup:
    """One request as the cache sees it, at one target.

    `id` is where its answer is found again, and stored if it `stores`. `direct` and `wording` say which searches are made: by id, by
    similarity (None: no such search, and none that finds it later). `similar` are the scripted similarities of its prompt, by the other.
    """

    key: str
    id: str
    stream: bool
    stores: bool
    ttl_s: float
    threshold: float
    provider: str
    model: str
    family: Family
    direct: bool
    wording: Wording | None
    similar: Mapping[str, float]


@value
class Used:
    """The key that an answer was had with, and what it has in the place of the model."""

    key: str | None
    deployment: str | None


@value
class Hit:
    """An entry found: its answer, the provider and model that were asked for it, the key that was used and the deployment behind it.

    Semantic ones have a similarity, and the threshold that it reached.
    """

    kind: HitKind
    id: str
    answer: Answer
    provider: str
    model: str
    similarity: float | None = None
    threshold: float | None = None
    used: Used | None = None


def lookup_of(
    rules: CacheRules,
    conversation: Conversation,
    headers: Mapping[str, str],
    provider: str,
    model: str,
    quirks: frozenset[str] = frozenset(),
) -> Lookup | None:
    """The look-up that a request makes; None where the cache has no part in it.

    That is: it is disabled, no cache key is in force, the conversation is too long, the wanted type is unknown or can't be had.
    Headers of other values than they may have are passed over. Quirks: `cache_never_hits` takes the direct search away, and
    `pinned_key_breaks_semantic_cache` the semantic one from a request that pins a key, since no embedding is made.
    Source: gateway-behaviour.md 2.2, 2.3. INFERRED: an empty header is none; only messages that are hashed count for the length.
    """
    if not rules.enabled:
        return None
    key = headers.get("x-bf-cache-key") or rules.default_key
    wanted = headers.get("x-bf-cache-type") or None
    if not key or not _can_be_had(wanted, rules):
        return None
    messages = _messages(conversation, rules.exclude_system_prompt)
    if len(messages) > rules.conversation_history_threshold:
        return None
    request_hash, params_hash = conversation.once(
        (_hashed, rules.exclude_system_prompt), lambda _: _hashed(conversation, messages)
    )
    family = (key, params_hash, provider if rules.by_provider else "", model if rules.by_model else "")
    wording = None
    if rules.semantic and wanted != "direct" and not ("pinned_key_breaks_semantic_cache" in quirks and _pins(headers)):
        wording = conversation.once((_worded, rules.exclude_system_prompt), lambda _: _worded(messages))
    return Lookup(
        key,
        _id(family, request_hash),
        conversation.request.stream is True,
        headers.get("x-bf-cache-no-store") != "true",
        header_seconds(headers.get("x-bf-cache-ttl", "")) or rules.ttl_s,
        _threshold(headers.get("x-bf-cache-threshold", ""), rules.threshold),
        provider,
        model,
        family,
        wanted != "semantic" and "cache_never_hits" not in quirks,
        wording,
        _scripted(rules.similar, wording.prompt) if wording is not None else {},
    )


def _can_be_had(wanted: str | None, rules: CacheRules) -> bool:
    return wanted in (None, "direct") or (wanted == "semantic" and rules.semantic)


def _pins(headers: Mapping[str, str]) -> bool:
    return bool(headers.get("x-bf-api-key") or headers.get("x-bf-api-key-id"))


def _threshold(text: str, default: float) -> float:
    """The least similarity. Settings of 0 mean the default, as in the gateway; a header's 0 means 0. Source: 2.1, 2.2."""
    asked = float(text) if _FLOAT.fullmatch(text) else inf
    if isfinite(asked):
        return min(1.0, max(0.0, asked))
    return default or _DEFAULT_THRESHOLD


def _messages(conversation: Conversation, exclude_system: bool) -> Sequence[RequestMessage]:
    messages = conversation.messages
    return [message for message in messages if message.role != "system"] if exclude_system else messages


def _id(family: Family, request_hash: str) -> str:
    key, params_hash, provider, model = family
    name = {"cache_key": key, "request_hash": request_hash, "params_hash": params_hash}
    if provider:
        name["provider"] = provider
    if model:
        name["model"] = model
    return str(uuid5(NAMESPACE, _sorted_json(name).decode()))


def _hashed(conversation: Conversation, messages: Sequence[RequestMessage]) -> tuple[str, str]:
    """The hashes of a request and of its parameters.

    The gateway's are xxhash64 over its own JSON, which nobody can see but in an id; any digest that is stable will do.
    """
    params = _sorted_json(_params(conversation, messages))
    request = _sorted_json([_normal_message(message) for message in messages])
    return _digest(request + b"\n" + params), _digest(params)


def _params(conversation: Conversation, messages: Sequence[RequestMessage]) -> Object:
    """What must be equal for two requests to share an answer, beside their messages. Source: gateway-behaviour.md 2.3.

    Not in it: fallbacks, headers, metadata, `n`, `top_k`, unknown keys. INFERRED: `stop` and `modalities` are sets, as tools are; an
    empty list is none; both ways to write the reasoning settings are one; `extra_params` count whether or not a header lets them pass.
    """
    request = conversation.request
    reasoning = request.reasoning
    found: Object = {name: getattr(request, name) for name in _OF_REQUEST}
    found["max_tokens"] = request.completion_limit
    found["stop"] = [request.stop] if isinstance(request.stop, str) else sorted(request.stop or ()) or None
    found["modalities"] = sorted(request.modalities or ()) or None
    found["reasoning_effort"] = request.reasoning_effort
    if reasoning is not None:
        found["reasoning_effort"] = reasoning.effort if reasoning.effort is not None else request.reasoning_effort
        found["reasoning_enabled"] = reasoning.enabled
    found["extra_params"] = request.extra_params or None
    found["attachments"] = _image_urls(messages) or None
    # From the body, so that no tool is written out twice; as text, so that they can be put in order.
    found["tools"] = sorted([_sorted_json(tool).decode() for tool in conversation.body.get("tools") or ()]) or None
    found["stream"] = request.stream is True
    return {name: value for name, value in found.items() if value is not None}


def _image_urls(messages: Sequence[RequestMessage]) -> list[str]:
    found = []
    for message in messages:
        for part in message.content if isinstance(message.content, list) else ():
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, Mapping) else None
            if isinstance(url, str) and url:
                found.append(url)
    return found


def _normal_message(message: RequestMessage) -> Object:
    """A message as it is hashed: its declared fields, with the text of its content in lower case and trimmed at the ends."""
    found: Object = {name: getattr(message, name) for name in _OF_MESSAGE}
    content = message.content
    if isinstance(content, str):
        found["content"] = _normal(content)
    elif content is not None:
        found["content"] = [
            {**part, "text": _normal(part["text"])} if isinstance(part.get("text"), str) else part for part in content
        ]
    if message.tool_calls is not None:
        found["tool_calls"] = [
            [call.id, call.type, None if call.function is None else [call.function.name, call.function.arguments]]
            for call in message.tool_calls
        ]
    return {name: value for name, value in found.items() if value is not None}


def _normal(text: str) -> str:
    return text.strip().lower()


def _sorted_json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=8).hexdigest()


def _worded(messages: Sequence[RequestMessage]) -> Wording | None:
    """The wording of a conversation; None where it has no text, so that nothing can be embedded. Source: plugins/semanticcache."""
    texts = [(message.role, text) for message in messages if (text := _text(message))]
    if not texts:
        return None
    place = next((at for at in reversed(range(len(texts))) if texts[at][0] == "user"), None)
    prompt = texts[place][1] if place is not None else ""
    rest = [None if at == place else pair for at, pair in enumerate(texts)]
    words = frozenset([word for _role, text in texts for word in _WORD.findall(text)])
    embedded = "\n".join([f"{role}: {text}" for role, text in texts])
    return Wording(prompt, _digest(_sorted_json(rest)), words, count_built_in(embedded))


def _text(message: RequestMessage) -> str:
    content = message.content
    if isinstance(content, list):
        return _normal(" ".join([part["text"] for part in content if isinstance(part.get("text"), str)]))
    return _normal(content or "")


def _scripted(similar: tuple[tuple[str, str, float], ...], prompt: str) -> Mapping[str, float]:
    """The scripted similarities of a prompt to others, in either order; of two for the same pair the first."""
    found: dict[str, float] = {}
    for first, second, score in similar:
        one, other = _normal(first), _normal(second)
        if prompt in (one, other):
            found.setdefault(other if prompt == one else one, score)
    return found


def similarity(asked: Lookup, stored: Wording) -> float:
    """How alike a request is to a stored one, from 0 to 1, symmetric, to four decimals.

    Where all but the last user text is the same, and `similar` has these two texts, that is its number. Else the overlap of words:
    how many words occur in both, of those that occur in either (Jaccard's index); words are runs of letters, digits and `_` in lower
    case, of all messages that are hashed, without regard to order or number. The same text gives 1.

    Source: INFERRED, the gateway asks an embedding model.
    """
    wording = asked.wording
    if wording is None:
        return 0.0
    if wording.rest == stored.rest:
        if stored.prompt in asked.similar:
            return asked.similar[stored.prompt]
        if wording.prompt == stored.prompt:
            return 1.0
    either = len(wording.words | stored.words)
    return round(len(wording.words & stored.words) / either, 4) if either else 0.0


@dataclass(frozen=True, slots=True)
class _Entry:
    """One stored answer. `last_s` is the last whole second in which it is served, `size` what it takes of the store, in bytes."""

    key: str
    id: str
    family: Family
    wording: Wording | None
    answer: Answer
    provider: str
    model: str
    last_s: int
    size: int
    used: Used | None


class Cache:
    """What one session has stored, oldest first, by id and by what semantic candidates share. Bounded in entries and bytes."""

    def __init__(self, most_entries: int = MOST_ENTRIES, most_bytes: int = MOST_BYTES) -> None:
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._entries: dict[str, _Entry] = {}
        self._families: dict[Family, dict[str, _Entry]] = {}
        self._held_bytes = 0
        self._first_expiry_s: float = inf

    def __len__(self) -> int:
        """Entries, expired ones included until the next is stored."""
        return len(self._entries)

    @property
    def held_bytes(self) -> int:
        """What the entries take, by the sizes that were told and the words that are kept for semantic searches."""
        return self._held_bytes

    def find(self, lookup: Lookup, now_s: float) -> Hit | None:
        """The entry that answers: by id, else the nearest that reaches the threshold, of equals the oldest. Changes nothing.

        An entry lives to the end of the whole second in which its time is up. Source: gateway-behaviour.md 2.3.
        """
        second = floor(now_s)
        entry = self._entries.get(lookup.id) if lookup.direct else None
        if entry is not None and second <= entry.last_s:
            return Hit("direct", entry.id, entry.answer, entry.provider, entry.model, used=entry.used)
        return self._nearest(lookup, second) if lookup.wording is not None else None

    def _nearest(self, lookup: Lookup, second: int) -> Hit | None:
        nearest, best = None, -1.0
        for entry in self._families.get(lookup.family, {}).values():
            if entry.wording is None or second > entry.last_s:
                continue
            score = similarity(lookup, entry.wording)
            if score >= lookup.threshold and score > best:
                nearest, best = entry, score
        if nearest is None:
            return None
        return Hit(
            "semantic",
            nearest.id,
            nearest.answer,
            nearest.provider,
            nearest.model,
            best,
            lookup.threshold,
            nearest.used,
        )

    def store(self, lookup: Lookup, answer: Answer, size: int, now_s: float, used: Used | None = None) -> None:
        """Keep an answer of `size` bytes that was had with this key, in place of an older one of that id, for the look-up's time to live.

        What has expired goes first, then the oldest, as far as room is needed. Nothing changes for a look-up that does not store;
        an answer that is larger than all of the store is not kept.
        """
        if not lookup.stores:
            return
        self._drop_expired(floor(now_s))
        size += sum([_WORD_BYTES + len(word) for word in lookup.wording.words]) if lookup.wording is not None else 0
        if size > self._most_bytes:
            return
        self.clear(lookup.id)
        while len(self._entries) >= self._most_entries or self._held_bytes + size > self._most_bytes:
            self.clear(next(iter(self._entries)))
        last_s = floor(now_s + lookup.ttl_s)
        entry = _Entry(
            lookup.key,
            lookup.id,
            lookup.family,
            lookup.wording,
            answer,
            lookup.provider,
            lookup.model,
            last_s,
            size,
            used,
        )
        self._entries[entry.id] = entry
        self._families.setdefault(entry.family, {})[entry.id] = entry
        self._held_bytes += size
        self._first_expiry_s = min(self._first_expiry_s, last_s)

    def _drop_expired(self, second: int) -> None:
        # Walks over the entries only when the first of them is due, so that storing does not cost more the more is stored.
        if second <= self._first_expiry_s:
            return
        for entry in [entry for entry in self._entries.values() if second > entry.last_s]:
            self.clear(entry.id)
        self._first_expiry_s = min([entry.last_s for entry in self._entries.values()], default=inf)

    def clear(self, id: str) -> bool:
        """Drop one entry; whether it was there. Source: gateway-behaviour.md 2.6."""
        entry = self._entries.pop(id, None)
        if entry is None:
            return False
        family = self._families[entry.family]
        del family[id]
        if not family:
            del self._families[entry.family]
        self._held_bytes -= entry.size
        return True

    def copy(self) -> Cache:
        """Another with the same entries."""
        other = Cache(self._most_entries, self._most_bytes)
        other._entries = dict(self._entries)
        other._families = {family: dict(entries) for family, entries in self._families.items()}
        other._held_bytes, other._first_expiry_s = self._held_bytes, self._first_expiry_s
        return other

    def clear_key(self, key: str) -> int:
        """Drop all entries of a cache key; how many there were."""
        found = [entry.id for entry in self._entries.values() if entry.key == key]
        for id in found:
            self.clear(id)
        return len(found)


def hit_debug(profile: Profile, lookup: Lookup, hit: Hit) -> JsonObject:
    """`cache_debug` of a hit. The order of the keys is that of the captures. Source: gateway-behaviour.md 2.4, wire.md 3.6.

    INFERRED: the requested provider and model are those of this request, also where the entry is of another.
    """
    found: JsonObject = {
        "cache_hit": True,
        "cache_id": hit.id,
        "hit_type": hit.kind,
        "requested_provider": lookup.provider,
        "requested_model": lookup.model,
    }
    if hit.kind == "semantic":
        found |= _embedding(lookup) | {"threshold": hit.threshold, "similarity": hit.similarity}
    if profile.name == "2.2":
        found["cache_hit_latency"] = 0
    return found


def miss_debug(profile: Profile, lookup: Lookup) -> JsonObject:
    """`cache_debug` of a miss, the same in each profile: where the answer will be found, and what an embedding took."""
    return {"cache_hit": False, "cache_id": lookup.id, **_embedding(lookup)}


def _embedding(lookup: Lookup) -> JsonObject:
    if lookup.wording is None:
        return {}
    return {
        "provider_used": EMBEDDING_PROVIDER,
        "model_used": EMBEDDING_MODEL,
        "input_tokens": lookup.wording.tokens,
    }
