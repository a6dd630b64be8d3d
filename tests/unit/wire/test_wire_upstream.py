"""What went between the gateway and a provider: the request that it sends on, OpenAI's answers and chunks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.provider.chunks import cut_choices
from mockbifrost.provider.fragments import FRAGMENTS, Fragments
from mockbifrost.provider.pace import Pace
from mockbifrost.wire.chunk import CallDelta, Delta
from mockbifrost.wire.completion import Choice, Extras, Message, ToolCall, completion_json
from mockbifrost.wire.jsontypes import Json, encode
from mockbifrost.wire.mold import Mold, Slot
from mockbifrost.wire.profiles import DOCUMENTED
from mockbifrost.wire.request import ChatRequest, validate
from mockbifrost.wire.upstream import (
    raw_chunk_json,
    raw_completion_json,
    raw_request_json,
    raw_usage_json,
)
from mockbifrost.wire.usage import Usage, usage_json
from tests.strategies import ANNOTATIONS, AUDIO, IDS, JSON, NAMES, OBJECTS, REQUESTS, TEXTS

# -- the request

BODIES = st.builds(
    lambda body, further: {**further, **body},
    REQUESTS,
    st.fixed_dictionaries(
        {},
        optional={
            "stream": st.none() | st.booleans(),
            "stream_options": st.none() | st.just({"include_usage": False, "include_obfuscation": True}),
            "fallbacks": st.lists(IDS),
            "extra_params": OBJECTS,
            "max_completion_tokens": st.none() | st.integers(1, 100),
            "reasoning_max_tokens": st.integers(1, 100),
            "reasoning_display": TEXTS,
            "x_own": JSON,
        },
    ),
)
GONE = {"model", "stream", "stream_options", "fallbacks", "extra_params", "max_tokens", "max_completion_tokens"}


@given(BODIES, st.booleans())
def test_declared_keys_go_to_the_provider_as_they_are_and_no_others(body: dict[str, Any], stream: bool) -> None:
    found = raw_request_json(body, "gpt-4o", stream=stream)

    kept = {key: value for key, value in body.items() if key in ChatRequest.model_fields and value is not None}
    assert {key: value for key, value in found.items() if key not in GONE} == {
        key: value for key, value in kept.items() if key not in GONE
    }
    assert found["model"] == "gpt-4o"
    assert not {"fallbacks", "extra_params", "max_tokens", "x_own"} & set(found)


@given(BODIES, st.booleans())
def test_what_is_sent_is_a_request_and_would_be_sent_on_unchanged(body: dict[str, Any], stream: bool) -> None:
    found = raw_request_json(body, "gpt-4o", stream=stream)

    validate(found)
    assert encode(raw_request_json(found, "gpt-4o", stream=stream)) == encode(found)


@given(BODIES, st.booleans())
def test_usage_is_asked_for_on_streams_alone(body: dict[str, Any], stream: bool) -> None:
    found: dict[str, Any] = raw_request_json(body, "gpt-4o", stream=stream)

    assert found.get("stream") is (True if stream else None)
    if stream:
        assert found["stream_options"] == {**(body.get("stream_options") or {}), "include_usage": True}
    else:
        assert "stream_options" not in found


@given(BODIES)
def test_the_clients_body_is_left_as_it_was(body: dict[str, Any]) -> None:
    before = orjson.dumps(body)

    raw_request_json(body, "gpt-4o", stream=True)

    assert orjson.dumps(body) == before


@dataclass(frozen=True, slots=True)
class Sent:
    id: str
    body: dict[str, Any]
    wanted: str
    stream: bool = False


SENT = (
    Sent("the model without its prefix", {"model": "openai/gpt-4o"}, '{"model":"gpt-4o"}'),
    Sent("the limit under its newer name", {"max_tokens": 5}, '{"model":"gpt-4o","max_completion_tokens":5}'),
    Sent(
        "which wins",
        {"max_tokens": 5, "max_completion_tokens": 7},
        '{"model":"gpt-4o","max_completion_tokens":7}',
    ),
    Sent(
        "unless it is null",
        {"max_completion_tokens": None, "max_tokens": 5},
        '{"model":"gpt-4o","max_completion_tokens":5}',
    ),
    Sent(
        "what is the gateway's own, and what nobody knows, is gone",
        {"temperature": 0, "messages": [], "fallbacks": ["a/b"], "extra_params": {"y": 1}, "x": 1, "user": None},
        '{"model":"gpt-4o","messages":[],"temperature":0}',
    ),
    Sent(
        "a stream",
        {"stream": True, "messages": []},
        '{"model":"gpt-4o","messages":[],"stream":true,"stream_options":{"include_usage":true}}',
        stream=True,
    ),
    Sent("no stream", {"stream": True, "stream_options": {"include_usage": True}}, '{"model":"gpt-4o"}'),
)


@pytest.mark.parametrize("case", SENT, ids=lambda case: case.id)
def test_the_request(case: Sent) -> None:
    assert encode(raw_request_json(case.body, "gpt-4o", stream=case.stream)).decode() == case.wanted


# -- what came back

MESSAGES = st.builds(
    Message,
    content=st.none() | TEXTS,
    refusal=st.none() | TEXTS,
    reasoning=st.none() | TEXTS,
    audio=st.none() | AUDIO,
    annotations=st.none() | st.lists(ANNOTATIONS, max_size=2),
    tool_calls=st.lists(st.builds(ToolCall, NAMES, TEXTS, st.none() | IDS), max_size=3).map(tuple),
)
MANY = st.lists(MESSAGES, min_size=1, max_size=3).map(
    lambda messages: [Choice(index, message, "stop") for index, message in enumerate(messages)]
)
EXTRAS = Extras("gpt-4o-2024-08-06", "fp_1", "default")
VALUES = [b'"id"', b"5", b"9", b"11", b"", b"", b"", b""] + [b'"call_%d"' % number for number in range(9)]


def filled(value: Json) -> Any:
    return orjson.loads(Mold.of(encode(value)).fill(VALUES))


@given(MANY, st.booleans())
def test_the_holes_are_those_of_the_gateways_answer(choices: list[Choice], computed: bool) -> None:
    usage = Usage(1, 1, 2, computed=computed)
    ours = completion_json(DOCUMENTED, choices, EXTRAS, usage=usage_json(DOCUMENTED, usage), extra_fields={})
    raw = raw_completion_json(choices, EXTRAS, usage=raw_usage_json(usage))

    assert sorted(Mold.of(encode(raw)).slots) == sorted(Mold.of(encode(ours)).slots)


def joined(chunks: Sequence[Any], choice: int) -> tuple[dict[str, str], dict[int, Any]]:
    """What a naive client makes of the chunks of one choice: its texts, and its tool calls by index."""
    texts: dict[str, str] = {}
    calls: dict[int, Any] = {}
    for one in [one for chunk in chunks for one in chunk["choices"] if one["index"] == choice]:
        for key, value in one["delta"].items():
            if isinstance(value, str) and key != "role":
                texts[key] = texts.get(key, "") + value
        for call in one["delta"].get("tool_calls", ()):
            known = calls.setdefault(call["index"], {"id": call.get("id"), "name": None, "arguments": ""})
            known["name"] = call["function"].get("name", known["name"])
            known["arguments"] += call["function"]["arguments"]
    return texts, calls


@given(MANY, st.sampled_from(FRAGMENTS))
def test_the_chunks_say_what_the_plain_answer_says(choices: list[Choice], fragments: Fragments) -> None:
    deltas = cut_choices(choices, Pace(), fragments, iter([0.0] * 10_000))
    chunks = [filled(raw_chunk_json(delta, EXTRAS)) for delta in deltas]
    plain = filled(raw_completion_json(choices, EXTRAS, usage=None))

    for choice in plain["choices"]:
        message = choice["message"]
        texts, calls = joined(chunks, choice["index"])
        for key in ("content", "refusal", "reasoning"):
            assert texts.get(key, "") == (message.get(key) or "")
        assert [calls[index] for index in sorted(calls)] == [
            {"id": call["id"], **call["function"]} for call in message.get("tool_calls", ())
        ]
        ends = [one["finish_reason"] for chunk in chunks for one in chunk["choices"] if one["index"] == choice["index"]]
        assert (ends[:-1], ends[-1]) == ([None] * (len(ends) - 1), choice["finish_reason"])


@dataclass(frozen=True, slots=True)
class Plain:
    id: str
    choices: tuple[Choice, ...]
    wanted: str
    extras: Extras = EXTRAS
    usage: Usage | None = None


HEAD = '{"id":"id","object":"chat.completion","created":5,"model":"gpt-4o-2024-08-06","choices":'
PLAINS = (
    Plain(
        "text",
        (Choice(0, Message("Hi"), "stop"),),
        HEAD
        + '[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null,"annotations":[]},"logprobs":null,'
        '"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3},'
        '"service_tier":"default","system_fingerprint":"fp_1"}',
        usage=Usage(1, 2, 3),
    ),
    Plain(
        "no usage, tier or fingerprint; parts, log probabilities and lists as they came",
        (Choice(0, Message([{"type": "text", "text": "a"}]), None, {"content": []}),),
        HEAD + '[{"index":0,"message":{"role":"assistant","content":[{"type":"text","text":"a"}],"refusal":null,'
        '"annotations":[]},"logprobs":{"content":[]},"finish_reason":null}],"system_fingerprint":null,"citations":["c"]}',
        Extras("gpt-4o-2024-08-06", citations=["c"]),
    ),
    Plain(
        "tool calls have no index, and ids are drawn over all choices",
        (
            Choice(0, Message(tool_calls=(ToolCall("f", "{}"), ToolCall("g", "", "own"))), "tool_calls"),
            Choice(1, Message(tool_calls=(ToolCall("f", "{"),)), "tool_calls"),
        ),
        HEAD + '[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":['
        '{"id":"call_0","type":"function","function":{"name":"f","arguments":"{}"}},'
        '{"id":"own","type":"function","function":{"name":"g","arguments":""}}],"refusal":null,"annotations":[]},'
        '"logprobs":null,"finish_reason":"tool_calls"},{"index":1,"message":{"role":"assistant","content":null,"tool_calls":['
        '{"id":"call_2","type":"function","function":{"name":"f","arguments":"{"}}],"refusal":null,"annotations":[]},'
        '"logprobs":null,"finish_reason":"tool_calls"}],"service_tier":"default","system_fingerprint":"fp_1"}',
    ),
    Plain(
        "what OpenAI does not say comes last",
        (
            Choice(
                0,
                Message(
                    "Hi",
                    refusal="No",
                    audio={"id": "a"},
                    reasoning="Hm",
                    reasoning_details=[{}],
                    annotations=[{"type": "x"}],
                    extra={"name": "n"},
                ),
                "stop",
            ),
        ),
        HEAD + '[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":"No","annotations":[{"type":"x"}],'
        '"audio":{"id":"a"},"reasoning":"Hm","reasoning_details":[{}],"name":"n"},"logprobs":null,"finish_reason":"stop"}],'
        '"service_tier":"default","system_fingerprint":"fp_1"}',
    ),
)


@pytest.mark.parametrize("case", PLAINS, ids=lambda case: case.id)
def test_the_plain_answer(case: Plain) -> None:
    usage = raw_usage_json(case.usage) if case.usage is not None else None

    found = raw_completion_json(case.choices, case.extras, usage=usage)

    assert Mold.of(encode(found)).fill(VALUES).decode() == case.wanted


@dataclass(frozen=True, slots=True)
class Piece:
    id: str
    delta: Delta
    wanted: str


CHUNK = (
    '{"id":"id","object":"chat.completion.chunk","created":5,"model":"gpt-4o-2024-08-06","service_tier":"default",'
    '"system_fingerprint":"fp_1","choices":'
)
CALL = ToolCall("f", "{}")
PIECES = (
    Piece(
        "the role",
        Delta({"role": "assistant", "content": ""}),
        '{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}',
    ),
    Piece(
        "text",
        Delta({"content": "Hi"}, choice=1, logprobs={"content": []}),
        '{"index":1,"delta":{"content":"Hi"},"logprobs":{"content":[]},"finish_reason":null}',
    ),
    Piece(
        "reasoning, which is not said twice",
        Delta({"reasoning": "Hm"}),
        '{"index":0,"delta":{"reasoning":"Hm"},"logprobs":null,"finish_reason":null}',
    ),
    Piece(
        "a call begins",
        Delta({"refusal": None, "role": "assistant"}, (CallDelta(1, "", CALL, number=3),)),
        '{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":1,"id":"call_3","type":"function",'
        '"function":{"name":"f","arguments":""}}],"refusal":null},"logprobs":null,"finish_reason":null}',
    ),
    Piece(
        "a call goes on",
        Delta({}, (CallDelta(0, "{"), CallDelta(1, "}", repeated=CALL))),
        '{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}},'
        '{"index":1,"function":{"name":"f","arguments":"}"}}]},"logprobs":null,"finish_reason":null}',
    ),
    Piece(
        "the end",
        Delta({}, finish_reason="stop"),
        '{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}',
    ),
)


@pytest.mark.parametrize("case", PIECES, ids=lambda case: case.id)
def test_a_chunk(case: Piece) -> None:
    found = Mold.of(encode(raw_chunk_json(case.delta, EXTRAS))).fill(VALUES).decode()

    assert found == f'{CHUNK}[{case.wanted}],"usage":null}}'


@dataclass(frozen=True, slots=True)
class Counted:
    id: str
    usage: Usage
    wanted: str
    cost: Json = None


COUNTED = (
    Counted("zeros", Usage(0, 0, 0), '{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}'),
    Counted(
        "details in OpenAI's words, others after them",
        Usage(
            9,
            8,
            17,
            {"image_tokens": 1, "cached_read_tokens": 2, "cached_write_tokens": 3},
            {"citation_tokens": 4, "audio_tokens": 5},
        ),
        '{"prompt_tokens":9,"completion_tokens":8,"total_tokens":17,"prompt_tokens_details":{"cached_tokens":2,'
        '"audio_tokens":0,"image_tokens":1,"cached_write_tokens":3},"completion_tokens_details":{"reasoning_tokens":0,'
        '"audio_tokens":5,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0,"citation_tokens":4}}',
    ),
    Counted(
        "further counts and what it reports as its cost",
        Usage(1, 1, 2, extra={"search_units": 3}),
        '{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,"search_units":3,"cost":0.5}',
        cost=0.5,
    ),
)


@pytest.mark.parametrize("case", COUNTED, ids=lambda case: case.id)
def test_the_usage(case: Counted) -> None:
    assert encode(raw_usage_json(case.usage, case.cost)).decode() == case.wanted


def test_the_holes_of_a_computed_usage() -> None:
    found = Mold.of(encode(raw_usage_json(Usage(1, 2, 3, computed=True))))

    assert found.slots == (Slot.PROMPT_TOKENS, Slot.TOTAL_TOKENS)
