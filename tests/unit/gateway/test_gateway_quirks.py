"""One row for each quirk of the table: what a scenario gives without it, and the deviation with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockbifrost.playback.timeline import timeline_of
from mockbifrost.vocabulary.quirks import QUIRKS
from mockbifrost.wire.profiles import ProfileName
from tests.harness import PROFILE_NAMES, Response, ask_in, begin, chat, folded, session_with
from tests.strategies import NAMES, REPLIES, REQUESTS

CACHED = {"x-bf-cache-key": "k"}
FALLBACK = {"when": {"provider": "groq"}, "reply": "The fallback answers."}


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway with some quirks, or none."""

    quirks: Sequence[str]
    version: ProfileName = "2.2"

    def asks(
        self,
        *stubs: Mapping[str, Any] | str,
        bodies: Sequence[Mapping[str, Any]] = (chat(),),
        headers: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> list[Response]:
        """The responses of one session to these bodies, in order."""
        gateway = {"cost": "none", **settings, "quirks": self.quirks}
        session = session_with(*stubs, version=self.version, gateway=gateway)
        return [ask_in(session, body, headers=headers) for body in bodies]

    def plain(self, *stubs: Mapping[str, Any] | str, **more: Any) -> Any:
        """The body of a plain answer."""
        return self.asks(*stubs, bodies=[chat(**more)])[0].json()

    def stream(self, *stubs: Mapping[str, Any] | str, **more: Any) -> list[Any]:
        """The chunks of a stream that ends as it should."""
        return self.asks(*stubs, bodies=[chat(stream=True, **more)])[0].chunks


Shows = Callable[[Gateway], Any]


def reply(**more: Any) -> dict[str, Any]:
    return {"reply": more}


TWO_CALLS = reply(reasoning="Hm.", tool_calls=[{"look": {"a": 1}}, {"say": {}}])
CUT = reply(content="one two three four") | {"upstream": {"cut": {"after_chunks": 2}}}
STALLED = reply(content="one two") | {"upstream": {"stall": {"after_chunks": 0}}}
CACHED_READS = {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens": 1}
FORMAT = {"type": "text"}


def roles(gateway: Gateway) -> list[Any]:
    return [chunk["choices"][0]["delta"] for chunk in gateway.stream("Hi")][:2]


def reasons(gateway: Gateway) -> list[Any]:
    """Of a plain answer and of each chunk."""
    bodies = [gateway.plain("Hi"), *gateway.stream("Hi")]
    return [body["choices"][0].get("finish_reason", "left out") for body in bodies]


def ends(gateway: Gateway) -> list[Any]:
    """Of each chunk after those with content: its reason, whether it has a usage, its number, its latencies."""
    return [
        (chunk["choices"][0]["finish_reason"], chunk["usage"] is not None, chunk["extra_fields"]["chunk_index"])
        for chunk in gateway.stream("Hi")[2:]
    ]


def last_names(gateway: Gateway) -> list[Any]:
    return [(chunk["model"], chunk["created"] > 0) for chunk in gateway.stream("Hi")]


def usages(gateway: Gateway) -> list[Any]:
    return [chunk["usage"] is not None for chunk in [gateway.plain("Hi"), *gateway.stream("Hi")]]


def call_indexes(gateway: Gateway) -> list[set[int]]:
    """Of a plain answer and of the stream."""
    plain = gateway.plain(TWO_CALLS)["choices"][0]["message"]["tool_calls"]
    pieces = [call for delta in deltas(gateway.stream(TWO_CALLS)) for call in delta.get("tool_calls", ())]
    return [{call["index"] for call in calls} for calls in (plain, pieces)]


def deltas(chunks: Sequence[Any]) -> list[Any]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


def streamed_calls(gateway: Gateway) -> list[Any]:
    calls = folded(deltas(gateway.stream(TWO_CALLS)))["tool_calls"]
    return [(call["name"], call["arguments"]) for call in calls]


def reasonings(gateway: Gateway) -> list[Any]:
    """Of a plain answer with calls and of its stream, of a plain answer without any and of its stream."""
    found = []
    for stub in (TWO_CALLS, reply(content="Hi", reasoning="Hm.")):
        messages = [gateway.plain(stub)["choices"][0]["message"], folded(deltas(gateway.stream(stub)))]
        for message in messages:
            keys = {"reasoning", "reasoning_details", "reasoning_content"} & message.keys()
            assert len(keys) in (0, 3)
            found.append(message.get("reasoning"))
    return found


def contents(gateway: Gateway) -> list[Any]:
    """Of a plain answer and, chunk by chunk, of its stream."""
    plain = gateway.plain("one two three")["choices"][0]["message"]["content"]
    streamed = [delta["content"] for delta in deltas(gateway.stream("one two three")) if delta.get("content")]
    return [plain, streamed]


def formats(gateway: Gateway) -> list[Any]:
    """Without a format and with one, of a virtual key that does not exist: which of the two is refused first."""
    bodies = [chat(), chat(response_format=FORMAT)]
    accepted = gateway.asks(reply(content="{}"), bodies=bodies)
    unknown = gateway.asks(reply(content="{}"), bodies=bodies[1:], headers={"x-bf-vk": "x"}, virtual_keys={})
    return [response.status for response in [*accepted, *unknown]]


def cut_stream(gateway: Gateway) -> list[Any]:
    """The events of a stream that its provider cuts off after two chunks with content, from the third on."""
    (response,) = gateway.asks(CUT, bodies=[chat(stream=True)])
    assert (response.status, response.exchange.outcome.end) == (200, "clean")
    events = response.body.decode().split("\n\n")[3:]
    assert events.pop() == ""
    return [event if "[DONE]" in event else told(json.loads(event.removeprefix("data: "))) for event in events]


def told(event: Any) -> Any:
    """What of an event tells how the stream ended."""
    if "choices" in event:
        return event["choices"][0].get("finish_reason"), event["usage"]
    inner = event["error"]
    if "error" in inner:
        assert inner == {"is_bifrost_error": False, "error": {"type": "", "message": ""}, "extra_fields": {}}
        return "nested"
    return inner["message"].partition(" before")[0]


def malformed(gateway: Gateway) -> list[Any]:
    stub = reply(content="one two three") | {"upstream": {"malformed": {"after_chunks": 1}}}
    (response,) = gateway.asks(stub, bodies=[chat(stream=True)])
    body = response.body.decode()
    return [body.count('"content":"'), body.endswith("data: [DONE]\n\n"), "failed to unmarshal" in body]


def silences(gateway: Gateway) -> list[Any]:
    """Of a plain request and a stream: the status, how it ends, what is sent."""
    found: list[Any] = []
    for stub in ({"upstream": "no_response"}, STALLED):
        for response in gateway.asks(stub, bodies=[chat(), chat(stream=True)]):
            found.append((response.status, response.exchange.outcome.end, bool(response.body)))
    return found


def timeouts(gateway: Gateway) -> list[Any]:
    """Of a plain request and a stream: the status, and that in the body."""
    responses = gateway.asks({"upstream": "no_response"}, bodies=[chat(), chat(stream=True)])
    return [(response.status, response.json().get("status_code")) for response in responses]


def retried(gateway: Gateway) -> list[int]:
    """Tries at a provider that resets every connection: of a plain request and of a stream; and of streams that are refused with a 503."""
    providers = {"openai": {"max_retries": 2}}
    bodies = [chat(), chat(stream=True)]
    resets = gateway.asks({"upstream": "reset"}, bodies=bodies, providers=providers)
    refused = gateway.asks({"error": "unavailable"}, bodies=bodies[1:], providers=providers)
    return [len(response.exchange.outcome.trail) for response in [*resets, *refused]]


def leaked(gateway: Gateway) -> list[Any]:
    """On the answer of a fallback: headers of the primary's failure, and those of the gateway's own."""
    error = {"name": "rate_limited", "retry_after": "2s", "headers": {"x-quota": "0", "x-shared": "primary"}}
    answer = {"content": "The fallback answers.", "headers": {"x-shared": "fallback"}}
    (response,) = gateway.asks(
        {"when": {"provider": "openai"}, "error": error},
        {"when": {"provider": "groq"}, "reply": answer},
        bodies=[chat(fallbacks=["groq/llama"])],
    )
    names = ("retry-after", "x-quota", "x-shared", "x-bifrost-provider")
    return [[value for name, value in response.headers if name == wanted] for wanted in names]


def fallen_back(gateway: Gateway) -> list[int]:
    """After a 400, a 422, a 400 without a body of OpenAI's and a 503; and on a chain whose first fallback says 400."""
    errors: list[Any] = [
        "bad_request",
        "unprocessable",
        {"status": 400, "message": "No.", "shape": "html"},
        "unavailable",
    ]
    found = [
        gateway.asks(
            {"when": {"provider": "openai"}, "error": error}, FALLBACK, bodies=[chat(fallbacks=["groq/llama"])]
        )
        for error in errors
    ]
    chain = gateway.asks(
        {"when": {"provider": "openai"}, "error": "unavailable"},
        {"when": {"provider": "mistral"}, "error": "bad_request"},
        FALLBACK,
        bodies=[chat(fallbacks=["mistral/m", "groq/llama"])],
    )
    return [responses[0].status for responses in [*found, chain]]


def settings_fallbacks(gateway: Gateway) -> list[int]:
    """A fallback of the settings after a 429 and after a 503; one of the request after a 429."""
    found = []
    for error, fallbacks in (("rate_limited", None), ("unavailable", None), ("rate_limited", ["groq/llama"])):
        body = chat() if fallbacks is None else chat(fallbacks=fallbacks)
        stub = {"when": {"provider": "openai"}, "error": error}
        responses = gateway.asks(stub, FALLBACK, bodies=[body], fallbacks={"openai/gpt-4o": ["groq/llama"]})
        found.append(responses[0].status)
    return found


def cached_tokens(gateway: Gateway) -> list[Any]:
    stub = reply(content="Hi", usage=CACHED_READS)
    usages = [gateway.plain(stub)["usage"], gateway.stream(stub)[-1]["usage"]]
    return [
        (usage["prompt_tokens_details"]["cached_read_tokens"], usage["prompt_tokens_details"]["cached_tokens"])
        for usage in usages
    ]


def price_of_cached_tokens(gateway: Gateway) -> Any:
    pricing = {"openai/gpt-4o": {"input": 1_000_000, "output": 0, "cache_read": 500_000}}
    (response,) = gateway.asks(reply(content="Hi", usage=CACHED_READS), cost="computed", pricing=pricing)
    return response.json()["usage"]["cost"]["total_cost"]


def hits(gateway: Gateway, *, semantic: bool = False, headers: Mapping[str, str] | None = None) -> list[Any]:
    """Whether the same plain request, three times, and then the same stream, twice, hit, and how."""
    bodies = [chat()] * 3 + [chat(stream=True)] * 2
    responses = gateway.asks("Hi", bodies=bodies, headers={**CACHED, **(headers or {})}, cache={"semantic": semantic})
    debugs = [
        (response.chunks[-1] if response.exchange.outcome.stream else response.json())["extra_fields"].get(
            "cache_debug"
        )
        for response in responses
    ]
    return [debug and debug.get("hit_type", "miss") for debug in debugs]


def semantic_hits(gateway: Gateway) -> list[Any]:
    """The same question in other words, without a pinned key and with one."""
    similar = [["refund please", "I want my money back", 0.93]]
    found: list[Any] = []
    for pin in ({}, {"x-bf-api-key": "openai-key-1"}):
        _first, second = gateway.asks(
            "Hi",
            bodies=[chat("refund please"), chat("I want my money back")],
            headers={**CACHED, **pin},
            cache={"semantic": True, "similar": similar},
        )
        found.append(second.json()["extra_fields"]["cache_debug"].get("hit_type", "miss"))
    return found


def null_bodies(gateway: Gateway) -> list[Any]:
    """Of a miss, its direct hit, and a stream's hit: whether anything is said; and the hit's head against the miss's."""
    bodies = [chat(), chat(), chat(stream=True), chat(stream=True)]
    miss, hit, _stream, again = gateway.asks("Hi", bodies=bodies, headers=CACHED)
    assert [name for name, _value in hit.headers] == [name for name, _value in miss.headers]
    assert again.text == "Hi"
    return [response.body.strip() == b"null" for response in (miss, hit)]


def after_done(gateway: Gateway) -> list[Any]:
    """How a plain answer and a stream end, at both speeds; what is sent ends with [DONE]."""
    session = session_with("Hi", gateway={"quirks": gateway.quirks})
    found: list[Any] = []
    for stream in (False, True):
        exchange = begin(session, chat(stream=stream))
        found += [timeline_of(exchange.outcome, speed).end for speed in (0.0, 1.0)]
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """A quirk, what shows it, and what that is without and with it."""

    quirk: str
    shows: Shows
    without: Any
    deviation: Any
    version: ProfileName = "2.2"


CLOSED = "provider closed the stream"
ROWS = (
    Row(
        "no_role_delta",
        roles,
        [{"role": "assistant", "content": ""}, {"content": "Hi"}],
        [{"content": "Hi"}, {}],
    ),
    Row("no_finish_reason", reasons, ["stop", None, None, "stop"], ["left out"] * 4),
    Row("no_middle_finish_reason", reasons, ["stop", None, None, "stop"], ["stop", "left out", "left out", "stop"]),
    Row("split_last_chunk", ends, [("stop", True, 2)], [("stop", False, 2), (None, True, 3)]),
    Row(
        "empty_last_chunk",
        last_names,
        [("gpt-4o", True)] * 3,
        [("gpt-4o", True), ("gpt-4o", True), ("", False)],
    ),
    Row("no_usage_chunk", usages, [True, False, False, True], [True, False, False, False]),
    Row("tool_index_zero", call_indexes, [{0, 1}, {0, 1}], [{0, 1}, {0}]),
    Row(
        "fused_tool_names",
        streamed_calls,
        [("look", '{"a":1}'), ("say", "{}")],
        [("looksay", '{"a":1}{}')],
    ),
    Row("no_reasoning_deltas", reasonings, ["Hm."] * 4, ["Hm.", None, "Hm.", None]),
    Row("reasoning_dropped", reasonings, ["Hm."] * 4, [None, None, "Hm.", "Hm."]),
    Row(
        "drop_chunks",
        contents,
        ["one two three", ["one", " two", " three"]],
        ["one two three", [" two"]],
    ),
    Row(
        "content_blocks",
        contents,
        ["one two three", ["one", " two", " three"]],
        [[{"type": "text", "text": "one two three"}], ["one", " two", " three"]],
    ),
    Row("response_format_rejected", formats, [200, 200, 401], [200, 400, 400]),
    Row("finish_reason_error", cut_stream, [CLOSED], [("error", None)]),
    Row("nested_error_event", cut_stream, [CLOSED], ["nested"]),
    Row("upstream_death_is_success", cut_stream, [CLOSED], [(None, {"total_tokens": 0}), "data: [DONE]"]),
    Row("skips_malformed_chunks", malformed, [2, False, True], [4, True, False]),
    Row("silent_upstream_hangs", silences, [(504, "clean", True)] * 4, [(200, "hold", False)] * 4),
    Row("timeout_is_500", timeouts, [(504, 504)] * 2, [(500, None)] * 2),
    Row("no_retry_of_streams", retried, [4, 4, 3], [4, 2, 3]),
    Row(
        "header_leak_on_fallback",
        leaked,
        [[], [], ["fallback"], ["groq"]],
        [["2"], ["0"], ["fallback"], ["groq"]],
    ),
    Row("no_fallback_on_caller_fault", fallen_back, [200] * 5, [400, 422, 200, 200, 200]),
    Row("no_settings_fallback_on_refusal", settings_fallbacks, [200] * 3, [429, 200, 200]),
    Row("usage_inconsistent", cached_tokens, [(4, 4)] * 2, [(4, 4), (8, 8)]),
    Row("cached_at_full_price", price_of_cached_tokens, 8.0, 10.0),
    Row("cache_never_hits", hits, ["miss", "direct", "direct", "miss", "direct"], ["miss"] * 5),
    Row(
        "no_cache_debug_on_streams",
        hits,
        ["miss", "direct", "direct", "miss", "direct"],
        ["miss", "direct", "direct", None, None],
    ),
    Row("pinned_key_breaks_semantic_cache", semantic_hits, ["semantic"] * 2, ["semantic", "miss"]),
    Row("null_body_on_cache_hit", null_bodies, [False, False], [False, True]),
    Row("done_then_open", after_done, ["clean"] * 4, ["clean", "clean", "hold", "hold"]),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.quirk)
def test_a_quirk_is_seen_where_it_is_named_and_nowhere_else(row: Row) -> None:
    assert row.shows(Gateway((), row.version)) == row.without
    assert row.shows(Gateway((row.quirk,), row.version)) == row.deviation


def test_every_quirk_of_the_table_has_a_row() -> None:
    assert [row.quirk for row in ROWS] == list(QUIRKS)
    assert all(row.without != row.deviation for row in ROWS)


@pytest.mark.parametrize("quirk", QUIRKS.values(), ids=lambda quirk: quirk.name)
def test_a_quirk_is_described(quirk: Any) -> None:
    """For the page that is made of the table: a sentence, the releases, who tells of it."""
    assert quirk.effect[0].isupper()
    assert quirk.effect.endswith(".")
    assert quirk.releases
    assert quirk.source


FAULTS = st.sampled_from(
    [
        None,
        "reset",
        "no_response",
        "empty",
        "truncated",
        "no_done",
        {"cut": {"after_chunks": 1}},
        {"cut": {"at": "usage"}},
        {"stall": {"after_chunks": 1}},
        {"malformed": {"after_chunks": 0}},
        {"error_event": {"name": "overloaded", "after_chunks": 1}},
    ]
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "x-bf-cache-key": NAMES,
        "x-bf-api-key": st.sampled_from(["openai-key-1", "none"]),
        "x-bf-send-back-raw-response": st.just("true"),
        "x-bf-send-back-raw-request": st.just("true"),
    },
)
ALL = tuple(QUIRKS)


@settings(max_examples=150, deadline=None)
@given(
    st.just(ALL) | st.sets(st.sampled_from(ALL), max_size=6).map(sorted).map(tuple),
    REQUESTS,
    REPLIES,
    FAULTS,
    HEADERS,
    st.booleans(),
    st.sampled_from(PROFILE_NAMES),
)
def test_quirks_combine(
    quirks: tuple[str, ...],
    request: dict[str, Any],
    reply: dict[str, Any],
    fault: Any,
    headers: dict[str, str],
    stream: bool,
    version: ProfileName,
) -> None:
    """Whatever is named together: an answer, JSON where it says so, the same in two sessions, also from the cache."""
    stub = {"reply": reply} if fault is None else {"reply": reply, "upstream": fault}
    body = {**request, "stream": stream}
    gateway = Gateway(quirks, version)

    one, other = [gateway.asks(stub, FALLBACK, bodies=[body, body], headers=headers) for _session in range(2)]

    assert [(response.status, response.headers, response.body) for response in one] == [
        (response.status, response.headers, response.body) for response in other
    ]
    for response in one:
        assert 200 <= response.status < 600
        for document in documents(response):
            assert json.loads(document) is None or isinstance(json.loads(document), dict)
        assert json.dumps(response.entry.to_json())


def documents(response: Response) -> list[str]:
    """What a response says is JSON: its body, or the data of its events."""
    if response.header("content-type") == "application/json":
        return [response.body.decode()]
    *events, rest = response.body.decode().split("\n\n")
    assert rest == ""
    return [event.removeprefix("data: ") for event in events if event != "data: [DONE]"]
