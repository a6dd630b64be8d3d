"""Chunks: which increments the gateway passes on, and what each says."""

from dataclasses import dataclass, replace

import pytest

from mockbifrost.wire.chunk import CallDelta, Delta, chunk_json, delta_json, forwarded, last_chunk_json
from mockbifrost.wire.completion import Extras, ToolCall
from mockbifrost.wire.jsontypes import encode
from mockbifrost.wire.mold import Mold
from mockbifrost.wire.profiles import DOCUMENTED, V1_6, V2_2, Profile

CALL = ToolCall("f", "{}", "c")
ROLE = Delta({"role": "assistant", "content": ""})
EVERYWHERE = ("documented", "1.6", "2.2")


@dataclass(frozen=True, slots=True)
class Passed:
    id: str
    delta: Delta
    by: tuple[str, ...]


PASSED = (
    Passed("the role alone", ROLE, ("documented", "2.2")),
    Passed("the role with text", Delta({"role": "assistant", "content": "Hi"}), EVERYWHERE),
    Passed("the role with a call", Delta({"role": "assistant"}, (CallDelta(0, "", CALL),)), EVERYWHERE),
    Passed("text", Delta({"content": "Hi"}), EVERYWHERE),
    Passed("empty text", Delta({"content": ""}), ()),
    Passed("reasoning", Delta({"reasoning": "Hm"}), EVERYWHERE),
    Passed("a refusal", Delta({"refusal": "No"}), ("documented", "2.2")),
    Passed("annotations", Delta({"annotations": [{}]}), ("documented", "2.2")),
    Passed("a refusal with text", Delta({"refusal": "No", "content": "Hi"}), EVERYWHERE),
    Passed("arguments", Delta({}, (CallDelta(0, "{"),)), EVERYWHERE),
    Passed("no arguments", Delta({}, (CallDelta(0, ""),)), EVERYWHERE),
    Passed("the end", Delta({}, finish_reason="stop"), ()),
)


@pytest.mark.parametrize("profile", [DOCUMENTED, V1_6, V2_2], ids=lambda profile: profile.name)
@pytest.mark.parametrize("case", PASSED, ids=lambda case: case.id)
def test_the_gateway_passes_on_what_says_something(case: Passed, profile: Profile) -> None:
    assert forwarded(profile, case.delta) is (profile.name in case.by)


@dataclass(frozen=True, slots=True)
class Said:
    id: str
    delta: Delta
    wanted: str
    profile: Profile = DOCUMENTED


SAID = (
    Said("role first", Delta({"content": "", "role": "assistant"}), '{"role":"assistant","content":""}'),
    Said("content that is null is left out", Delta({"content": None, "refusal": "No"}), '{"refusal":"No"}'),
    Said(
        "all keys in the gateway's order, unknown ones last",
        Delta({"x": 1, "annotations": [], "audio": {"id": "a"}, "refusal": "r", "content": "c", "role": "assistant"}),
        '{"role":"assistant","content":"c","refusal":"r","audio":{"id":"a"},"annotations":[],"x":1}',
    ),
    Said(
        "reasoning makes its own details",
        Delta({"reasoning": "Hm"}),
        '{"reasoning":"Hm","reasoning_details":[{"index":0,"type":"reasoning.text","text":"Hm"}]}',
    ),
    Said(
        "details as given",
        Delta({"reasoning": "Hm", "reasoning_details": []}),
        '{"reasoning":"Hm","reasoning_details":[]}',
    ),
    Said(
        "2.2 says reasoning twice",
        Delta({"reasoning": "Hm", "reasoning_details": []}),
        '{"reasoning":"Hm","reasoning_details":[],"reasoning_content":"Hm"}',
        V2_2,
    ),
    Said(
        "the start of a call has its id, its type and its name",
        Delta({}, (CallDelta(1, "{", CALL),)),
        '{"tool_calls":[{"index":1,"type":"function","id":"c","function":{"name":"f","arguments":"{"}}]}',
    ),
    Said(
        "a continuation has arguments alone",
        Delta({}, (CallDelta(0, "{"),)),
        '{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}',
    ),
    Said(
        "with a name that is null in 1.6",
        Delta({}, (CallDelta(0, "{"),)),
        '{"tool_calls":[{"index":0,"function":{"name":null,"arguments":"{"}}]}',
        V1_6,
    ),
    Said(
        "and in 2.2",
        Delta({}, (CallDelta(0, "{"),)),
        '{"tool_calls":[{"index":0,"function":{"name":null,"arguments":"{"}}]}',
        V2_2,
    ),
    Said(
        "unless it says the name again",
        Delta({}, (CallDelta(0, "{", repeated=CALL),)),
        '{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{"}}]}',
    ),
)


@pytest.mark.parametrize("case", SAID, ids=lambda case: case.id)
def test_a_delta_says_what_came(case: Said) -> None:
    assert encode(delta_json(case.profile, case.delta)).decode() == case.wanted


def test_a_drawn_id_is_that_of_the_call_over_all_choices() -> None:
    start = CallDelta(0, "", ToolCall("f", "{}"), number=3)

    assert Mold.of(encode(delta_json(V2_2, Delta({}, (start,))))).slots == (8 + 3,)


def bytes_of(chunk: object) -> str:
    return Mold.of(encode(chunk)).fill([b'"ID"', b"7"]).decode()  # type: ignore[arg-type]


EXTRAS = Extras("m", "fp", "flex", citations=["c"])


def test_a_chunk_on_the_way_has_no_usage_and_no_lists() -> None:
    assert bytes_of(chunk_json(DOCUMENTED, Delta({"content": "Hi"}, choice=2), EXTRAS, extra_fields={})) == (
        '{"id":"ID","choices":[{"index":2,"finish_reason":null,"logprobs":null,"delta":{"content":"Hi"}}],"created":7,'
        '"model":"m","object":"chat.completion.chunk","service_tier":"flex","system_fingerprint":"fp","usage":null,'
        '"extra_fields":{}}'
    )


def test_1_6_leaves_out_what_is_null() -> None:
    assert bytes_of(chunk_json(V1_6, Delta({"content": "Hi"}), Extras("m"), extra_fields={})) == (
        '{"id":"ID","choices":[{"index":0,"delta":{"content":"Hi"}}],"created":7,'
        '"model":"m","object":"chat.completion.chunk","system_fingerprint":"","usage":null,"extra_fields":{}}'
    )


@pytest.mark.parametrize("profile", [DOCUMENTED, V1_6, V2_2], ids=lambda profile: profile.name)
def test_a_reason_that_came_with_content_is_sent_with_it(profile: Profile) -> None:
    delta = replace(Delta({"content": "Hi"}), finish_reason="length")

    assert '"finish_reason":"length"' in bytes_of(chunk_json(profile, delta, EXTRAS, extra_fields={}))


def test_log_probabilities_come_with_their_text() -> None:
    delta = Delta({"content": "Hi"}, logprobs={"content": []})

    assert '"logprobs":{"content":[]},"log_probs":{"content":[]}' in bytes_of(
        chunk_json(DOCUMENTED, delta, EXTRAS, extra_fields={})
    )


def test_the_last_chunk_has_the_reasons_the_usage_and_the_lists_but_no_fingerprint() -> None:
    found = last_chunk_json(
        DOCUMENTED, {2: None, 0: "stop"}, EXTRAS, usage={"total_tokens": 3}, extra_fields={"latency": 1}
    )

    assert bytes_of(found) == (
        '{"id":"ID","choices":[{"index":0,"finish_reason":"stop","logprobs":null,"delta":{}},'
        '{"index":2,"finish_reason":null,"logprobs":null,"delta":{}}],"created":7,"model":"m",'
        '"object":"chat.completion.chunk","service_tier":"flex","system_fingerprint":"",'
        '"usage":{"total_tokens":3},"extra_fields":{"latency":1},"citations":["c"]}'
    )


def test_the_last_chunk_of_1_6_leaves_out_a_reason_that_there_was_not() -> None:
    found = last_chunk_json(V1_6, {0: None, 1: "stop"}, Extras("m"), usage=None, extra_fields={})

    assert '"choices":[{"index":0,"delta":{}},{"index":1,"finish_reason":"stop","delta":{}}]' in bytes_of(found)
