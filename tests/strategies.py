"""What hypothesis may draw: texts, requests that a client can send, replies that a scenario can script."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from mockbifrost.provider.fragments import FRAGMENTS

INT_64 = st.integers(-(2**63), 2**63 - 1)
COUNTS = st.integers(0, 10_000)


def no_template(text: str) -> bool:
    """Whether a scenario takes the text as it is."""
    return "{{" not in text and "{%" not in text


TEXTS = st.text(max_size=60)
"""Any text that UTF-8 can hold."""
SAID = TEXTS.filter(no_template)
"""A text that a scenario says as it is."""
SOME = st.text(min_size=1, max_size=60).filter(no_template)
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,15}", fullmatch=True)
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | INT_64 | st.floats(allow_nan=False, allow_infinity=False) | SAID,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SAID, inner, max_size=3),
    max_leaves=8,
)
"""A JSON value."""
OBJECTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(SAID, JSON, max_size=4)

ARGUMENTS = OBJECTS | SAID
"""Arguments of a scripted tool call: a mapping, or text that may be no JSON at all."""


@st.composite
def tool_calls(draw: st.DrawFn) -> dict[str, Any]:
    """A tool call in the long form."""
    found = {"name": draw(NAMES), "arguments": draw(ARGUMENTS)}
    if draw(st.booleans()):
        found["id"] = draw(IDS)
    return found


ANNOTATIONS = st.fixed_dictionaries(
    {
        "type": st.just("url_citation"),
        "url_citation": st.fixed_dictionaries({"start_index": COUNTS, "end_index": COUNTS, "title": SAID}),
    }
)
AUDIO = st.fixed_dictionaries({"id": IDS, "data": IDS, "expires_at": COUNTS, "transcript": SAID})
PARTS = st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": SAID}), min_size=1, max_size=3)
USAGES = st.none() | st.fixed_dictionaries(
    {"prompt_tokens": COUNTS, "completion_tokens": COUNTS},
    optional={
        "total_tokens": COUNTS,
        "prompt_tokens_details": st.fixed_dictionaries(
            {}, optional={"cached_tokens": COUNTS, "audio_tokens": COUNTS, "cached_write_tokens": COUNTS}
        ),
        "completion_tokens_details": st.fixed_dictionaries(
            {}, optional={"reasoning_tokens": COUNTS, "citation_tokens": COUNTS}
        ),
    },
)
SEARCH_RESULTS = st.lists(st.fixed_dictionaries({"title": SAID, "url": SAID}), max_size=2)

MESSAGE_PARTS: dict[str, st.SearchStrategy[Any]] = {
    "content": st.none() | SAID | PARTS,
    "reasoning": SOME,
    "refusal": SOME,
    "tool_calls": st.lists(tool_calls(), min_size=1, max_size=3),
    "annotations": st.lists(ANNOTATIONS, max_size=2),
    "audio": AUDIO,
    "finish_reason": st.sampled_from(["stop", "length", "content_filter", "other"]),
    "logprobs": st.just(value=True),
}
CHOICES = st.fixed_dictionaries({}, optional=MESSAGE_PARTS)
"""What one choice of a reply says."""
COST_KEYS = ("total_cost", "input_tokens_cost", "output_tokens_cost", "request_cost", "upstream_inference_cost")
COSTS = st.none() | st.floats(0, 100) | st.dictionaries(st.sampled_from(COST_KEYS), st.floats(0, 100), max_size=3)
"""What a provider reports that its answer costs."""
REPLIES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        **MESSAGE_PARTS,
        "fragments": st.sampled_from(FRAGMENTS),
        "usage": USAGES,
        "id": IDS,
        "created": COUNTS,
        "model": IDS,
        "system_fingerprint": IDS,
        "service_tier": st.sampled_from(["default", "flex"]),
        "cost": COSTS,
        "latency": st.sampled_from(["0s", "1ms", "1.5s"]),
        "citations": st.lists(SAID, max_size=2),
        "search_results": SEARCH_RESULTS,
    },
)
"""A reply, as a scenario may write it."""
SLOWEST: dict[str, Any] = {"timeout": "1d", "stream_idle_timeout": "1d"}
PRICE_KEYS = ("input", "output", "cache_read", "cache_write", "reasoning", "citation", "search", "request")
PRICES = st.fixed_dictionaries({}, optional={key: st.floats(0, 1000) for key in PRICE_KEYS})
PATIENT: dict[str, Any] = {"providers": {"openai": SLOWEST, "anthropic": SLOWEST}}
"""Settings of a gateway that waits for every pace below."""
PACES = st.fixed_dictionaries(
    {},
    optional={
        "ttft": st.sampled_from(["10ms", "1s"]),
        "tokens_per_second": st.sampled_from([0.5, 20, 1000]),
        "jitter": st.sampled_from([0.0, 0.3, 1.0]),
        "chunk": st.sampled_from(["token", "word", "char", "whole", 1, 3, 100]),
    },
)

PROMPT_PARTS = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}),
    st.just({"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}}),
    st.just({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
)
PLAIN_MESSAGES = st.one_of(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "developer", "user"]), "content": TEXTS}),
    st.fixed_dictionaries({"role": st.just("user"), "content": st.lists(PROMPT_PARTS, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"role": st.just("assistant"), "content": TEXTS}),
)


@st.composite
def tool_rounds(draw: st.DrawFn) -> list[dict[str, Any]]:
    """An assistant's message that calls tools, and a result for each call."""
    ids = draw(st.lists(IDS, min_size=1, max_size=3, unique=True))
    calls = [{"id": id, "type": "function", "function": {"name": draw(NAMES), "arguments": draw(TEXTS)}} for id in ids]
    results = [{"role": "tool", "tool_call_id": id, "content": draw(TEXTS)} for id in draw(st.permutations(ids))]
    return [{"role": "assistant", "content": draw(st.none() | TEXTS), "tool_calls": calls}, *results]


CONVERSATIONS = st.lists(PLAIN_MESSAGES.map(lambda message: [message]) | tool_rounds(), min_size=1, max_size=4).map(
    lambda rounds: [message for messages in rounds for message in messages]
)
"""Messages of a conversation that a provider takes: each tool call has its result."""

_TOOLS = st.lists(
    st.fixed_dictionaries(
        {"type": st.just("function"), "function": st.fixed_dictionaries({"name": NAMES, "description": TEXTS})}
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """A body that a client may send and a provider takes, without `stream`."""
    found: dict[str, Any] = draw(st.fixed_dictionaries(_ALWAYS, optional=_SOMETIMES))
    if found.get("logprobs"):
        found["top_logprobs"] = draw(st.integers(0, 20))
    if "tools" in found:
        found["parallel_tool_calls"] = draw(st.booleans())
    return found


_ALWAYS: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(["gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5", "meta-llama/Llama-3"]),
    "messages": CONVERSATIONS,
}
_SOMETIMES: dict[str, st.SearchStrategy[Any]] = {
    "n": st.integers(1, 3),
    "logprobs": st.booleans(),
    "temperature": st.floats(0, 2),
    "max_tokens": st.integers(1, 10_000),
    "seed": st.integers(0, 1000),
    "stop": st.lists(TEXTS, max_size=2),
    "user": TEXTS,
    "tools": _TOOLS,
    "reasoning_effort": st.sampled_from(["none", "low", "high"]),
}
REQUESTS = requests()
