"""Fixtures of aimock become stubs; what has no counterpart is told with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.convert.aimock import from_aimock, is_aimock
from mockbifrost.convert.converted import Converted
from mockbifrost.errors import CassetteError
from tests.harness import ask, ask_in, chat, open_session
from tests.recorded import call

GREETS = {"match": {"userMessage": "hello"}, "response": {"content": "Hi!"}}


def converted(*fixtures: Any) -> Converted:
    return from_aimock([("fixtures.json", json.dumps({"fixtures": fixtures}))], "fixtures")


def stubs(*fixtures: Any) -> list[Any]:
    found: list[Any] = yaml.safe_load(converted(*fixtures).text)["stubs"]
    return found


def stub(match: Any, response: Any = GREETS["response"], **more: Any) -> Any:
    """The only stub of a fixture, without its name."""
    [found] = stubs({"match": match, "response": response, **more})
    del found["name"]
    return found


def told(*fixtures: Any) -> list[str]:
    """What is told of fixtures, without the file."""
    return [f"{one.key_path}: {one.advice}" for one in converted(*fixtures).findings]


def test_how_a_scenario_reads() -> None:
    text = '{"fixtures": [\n  {"match": {"userMessage": "hello"},\n   "response": {"content": "Hi {{you}}!"}}]}'

    assert from_aimock([("greet.json", text)], "greet").text == (
        "# yaml-language-server: $schema=./scenario.schema.json\n"
        "# Converted from greet.json.\n"
        "version: 1\n"
        "name: greet\n"
        "stubs:\n"
        "  # from greet.json:2\n"
        "  - name: hello\n"
        "    when:\n"
        "      task: hello\n"
        "    reply: Hi {{ '{{' }}you}}!\n"
    )


@pytest.mark.parametrize(
    ("match", "when"),
    [
        ({}, None),
        ({"userMessage": "hello"}, {"task": "hello"}),
        ({"userMessage": "/a/"}, {"task": {"contains": "/a/"}}),
        ({"userMessage": "hello", "hasToolResult": False}, {"user": "hello"}),
        ({"userMessage": "hello", "hasToolResult": True}, {"task": "hello", "last": {"role": "tool"}}),
        ({"hasToolResult": False}, {"last": {"role": "user"}}),
        ({"systemMessage": "You are"}, {"system": "You are"}),
        ({"systemMessage": ["You", "are"]}, {"system": {"all": ["You", "are"]}}),
        ({"toolCallId": "call_1"}, {"tool_result": {"id": "call_1"}}),
        (
            {"toolCallId": "call_1", "toolResultContains": "no", "hasToolResult": True},
            {"tool_result": {"id": "call_1", "text": "no"}},
        ),
        ({"toolName": "f"}, {"tools": "f"}),
        ({"model": "gpt-4o"}, {"model": ["gpt-4o", "gpt-4o-[0-9]*"]}),
        ({"model": "a*"}, {"model": ["a[*]", "a[*]-[0-9]*"]}),
        ({"turnIndex": 0}, {"turn": 0}),
        ({"responseFormat": "json_object"}, {"response_format": {"equals": "json_object"}}),
        ({"responseFormat": "json_schema"}, {"body": {"response_format.type": {"equals": "json_schema"}}}),
        ({"context": "a", "endpoint": "chat"}, {"headers": {"x-aimock-context": {"equals": "a"}}}),
    ],
)
def test_a_match_becomes_conditions(match: Any, when: Any) -> None:
    assert stub(match).get("when") == when


@pytest.mark.parametrize(
    ("response", "does"),
    [
        ({"content": "Hi!"}, {"reply": "Hi!"}),
        ({"content": {"a": [1, "b"]}}, {"reply": '{"a":[1,"b"]}'}),
        (
            {
                "toolCalls": [
                    {"name": "f", "arguments": {"a": 1}},
                    {"name": "g", "arguments": '{"b": 2}', "id": "c"},
                    {"name": "h"},
                ]
            },
            {
                "reply": {
                    "tool_calls": [
                        {"name": "f", "arguments": {"a": 1}},
                        {"name": "g", "arguments": '{"b": 2}', "id": "c"},
                        {"name": "h"},
                    ]
                }
            },
        ),
        (
            {"toolCalls": [{"name": "f", "arguments": {"a": "{{ b }}"}}]},
            {"reply": {"tool_calls": [{"name": "f", "arguments": '{"a":"{{ \'{{\' }} b }}"}'}]}},
        ),
        (
            {"toolCalls": [{"name": "f", "arguments": [1]}]},
            {"reply": {"tool_calls": [{"name": "f", "arguments": "[1]"}]}},
        ),
        (
            {
                "blocks": [
                    {"type": "text", "text": "a"},
                    {"type": "text", "text": "b"},
                    {"type": "toolCall", "name": "f", "arguments": {}},
                ]
            },
            {"reply": {"content": "ab", "tool_calls": [{"name": "f"}]}},
        ),
        (
            {
                "content": "a",
                "reasoning": "Hm {{.",
                "finishReason": "length",
                "model": "m",
                "id": "i",
                "created": 7,
                "systemFingerprint": "fp",
                "role": "assistant",
                "usage": {
                    "prompt_tokens": 1,
                    "completion_tokens": 2,
                    "prompt_tokens_details": {"cached_tokens": 1},
                    "cost": 0.5,
                },
            },
            {
                "reply": {
                    "content": "a",
                    "reasoning": "Hm {{ '{{' }}.",
                    "finish_reason": "length",
                    "model": "m",
                    "id": "i",
                    "created": 7,
                    "system_fingerprint": "fp",
                    "usage": {
                        "prompt_tokens": 1,
                        "completion_tokens": 2,
                        "prompt_tokens_details": {"cached_tokens": 1},
                    },
                    "cost": 0.5,
                }
            },
        ),
        (
            {"error": {"message": "No {{", "type": "t", "code": "c", "param": "p"}, "status": 429, "retryAfter": 2},
            {
                "error": {
                    "status": 429,
                    "type": "t",
                    "code": "c",
                    "param": "p",
                    "message": "No {{ '{{' }}",
                    "retry_after": "2s",
                }
            },
        ),
        ({"error": {"message": "No"}}, {"error": {"status": 500, "message": "No"}}),
        ({"json": {"a": 1}}, {"raw": {"json": {"a": 1}}}),
        ({"json": [1], "status": 503}, {"raw": {"status": 503, "json": [1]}}),
    ],
)
def test_a_response_becomes_what_the_stub_does(response: Any, does: Any) -> None:
    assert stub({}, response) == does


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"chunkSize": 5}, {"pace": {"chunk": 5}}),
        ({"latency": 50}, {"pace": {"ttft": "50ms", "tokens_per_second": 100}}),
        ({"latency": 50, "chunkSize": 8}, {"pace": {"chunk": 8, "ttft": "50ms", "tokens_per_second": 40}}),
        (
            {"streamingProfile": {"ttft": 200, "tps": 30, "jitter": 0.1}},
            {"pace": {"ttft": "200ms", "tokens_per_second": 30, "jitter": 0.1}},
        ),
        (
            {"recordedTimings": {"ttftMs": 100, "interChunkDelaysMs": [], "totalDurationMs": 300}, "replaySpeed": 2},
            {"pace": {"ttft": "100ms", "tokens_per_second": 10, "speed": 2}},
        ),
        (
            {"recordedTimings": {"ttftMs": 100, "interChunkDelaysMs": [50, 50], "totalDurationMs": 999}},
            {"pace": {"ttft": "100ms", "tokens_per_second": 20}},
        ),
        ({"truncateAfterChunks": 3}, {"upstream": {"cut": {"after_chunks": 2, "how": "reset"}}}),
        ({"chaos": {"latencyMs": 70}}, {"pace": {"ttft": "70ms"}}),
        ({"metadata": {"systemHash": "a"}}, {}),
    ],
)
def test_how_it_is_sent(more: Any, found: Any) -> None:
    assert stub({}, **more) == {"reply": "Hi!", **found}


def test_faults_that_are_drawn_stand_in_front_in_their_order() -> None:
    chaos = {"disconnectRate": 0.1, "dropRate": 0.2, "rateLimitRate": 0.3, "malformedRate": 0.4}
    rows = stubs({**GREETS, "chaos": chaos})

    assert [(row["active"]["probability"], row.get("error") or row.get("upstream")) for row in rows[:-1]] == [
        (0.2, "server_error"),
        (0.4, "not_json"),
        (0.3, "rate_limited"),
        (0.1, "reset"),
    ]
    assert all(row["when"] == {"task": "hello"} for row in rows)
    assert [row["name"] for row in rows] == [
        "hello fails",
        "hello fails (2)",
        "hello fails (3)",
        "hello fails (4)",
        "hello",
    ]


def sequenced(index: int, text: str, user: str = "status") -> Any:
    return {"match": {"userMessage": user, "sequenceIndex": index}, "response": {"content": text}}


def test_a_sequence_is_one_stub_that_steps_aside_at_its_end() -> None:
    text = converted(
        sequenced(1, "second"),
        GREETS,
        sequenced(0, "first"),
        sequenced(0, "other", "other"),
        {"match": {"userMessage": "status"}, "response": {"content": "always"}},
    ).text
    session = open_session(text)

    assert [ask_in(session, chat("status?", seed=number)).text for number in range(4)] == [
        "first",
        "second",
        "always",
        "always",
    ]
    assert ask_in(session, chat("other")).text == "other"
    assert "# from fixtures.json:1, fixtures.json:1\n" in text


def test_the_first_fixture_that_matches_answers_however_many_tool_rounds_ago_the_user_spoke() -> None:
    text = converted(
        GREETS,
        {"match": {"toolCallId": "call_1"}, "response": {"content": "Never."}},
        {"match": {}, "response": {"content": "Else."}},
    ).text
    rounds = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "tool_calls": [call("f")]},
        {"role": "tool", "tool_call_id": "call_1", "content": "a"},
    ]

    assert ask(text, chat(None, messages=rounds)).text == "Hi!"
    assert ask(text, chat("bye")).text == "Else."


@pytest.mark.parametrize(
    ("fixture", "texts"),
    [
        (
            {"match": {"userMesage": "a"}},
            ["fixtures[0].match.userMesage: has no counterpart in a scenario, and is left out"],
        ),
        (
            {"match": {"userMessage": ""}},
            ["fixtures[0].match.userMessage: is empty and fits every request, so it is left out"],
        ),
        ({"match": {"model": 7}}, ["fixtures[0].match.model: has a value that aimock does not take, and is left out"]),
        (
            {"match": {"turnIndex": 1}},
            [
                "fixtures[0].match.turnIndex: holds for this turn alone, where aimock takes the nearest turn before it; "
                "change the scenario where that matters"
            ],
        ),
        (
            {"disconnectAfterMs": 5},
            ["fixtures[0].disconnectAfterMs: has no counterpart in a scenario, and is left out"],
        ),
        ({"chaos": {"other": 1}}, ["fixtures[0].chaos.other: has no counterpart in a scenario, and is left out"]),
        (
            {"response": {"content": "a", "webSearches": []}},
            ["fixtures[0].response.webSearches: has no counterpart in a scenario, and is left out"],
        ),
        (
            {"response": {"content": "a", "role": "user"}},
            ["fixtures[0].response.role: is not assistant, and is left out"],
        ),
        (
            {"response": {"content": "a", "usage": {"input_tokens": 1}}},
            ["fixtures[0].response.usage.input_tokens: has no counterpart in a scenario, and is left out"],
        ),
        (
            {"response": {"error": {"message": "a"}, "status": 200}},
            ["fixtures[0].response.status: is no error, so 500 stands in its place"],
        ),
        (
            {"response": {"blocks": [{"type": "toolCall", "name": "f"}, {"type": "text", "text": "a"}]}},
            ["fixtures[0].response.blocks: puts text behind a tool call; here the text comes first"],
        ),
        (
            {"response": {"content": "a", "toolCalls": [{"arguments": {}}]}},
            ["fixtures[0].response.toolCalls[0].name: is missing, so the call is left out"],
        ),
        ({"response": {"content": "a"}, "chaos": 7}, ["fixtures[0].chaos: must be a mapping, and is left out"]),
        (
            {"truncateAfterChunks": 1},
            [
                "fixtures[0].truncateAfterChunks: breaks the provider's connection here, "
                "and the gateway tells its client so in an error event; change the scenario where that matters"
            ],
        ),
    ],
)
def test_what_has_no_counterpart_is_told(fixture: Any, texts: list[str]) -> None:
    assert told({**GREETS, **fixture}) == texts


@pytest.mark.parametrize(
    ("fixture", "what"),
    [
        ({"match": {"inputText": "a"}, "response": {"embedding": [0.1]}}, "embedding"),
        ({"match": {"endpoint": "image"}, "response": {"image": {"url": "a"}}}, "image"),
        ({"match": {}, "response": {"transcription": {"text": "a"}}}, "transcription"),
    ],
)
def test_a_fixture_of_another_endpoint_is_left_out(fixture: Any, what: str) -> None:
    assert told(GREETS, fixture) == [f"fixtures[1]: answers another endpoint ({what}), and is left out"]
    assert len(stubs(GREETS, fixture)) == 1


def test_a_fixture_that_says_nothing_is_left_out() -> None:
    assert told(GREETS, {"match": {}, "response": {}}) == [
        "fixtures[1].response: says nothing that a scenario could say, so the fixture is left out"
    ]


def test_what_is_so_in_general_is_told_once_a_file() -> None:
    rows = [{"match": {"turnIndex": number}, "response": {"content": "a"}} for number in range(3)]

    assert len(told(*rows)) == 1


def test_a_finding_has_its_place() -> None:
    text = '[{"match": {"userMessage": "a"},\n "response": {"content": "b"},\n "disconnectAfterMs": 5}]'
    [finding] = from_aimock([("a.json", text)], "a").findings

    assert (
        str(finding) == "a.json:3:2: warning: [0].disconnectAfterMs: has no counterpart in a scenario, and is left out"
    )


def test_several_files_are_one_scenario() -> None:
    files = [("a.json", json.dumps([GREETS])), ("b.json", json.dumps({"fixtures": [GREETS]}))]
    found = from_aimock(files, "both")

    assert [row["name"] for row in yaml.safe_load(found.text)["stubs"]] == ["hello", "hello (2)"]
    assert "# Converted from a.json, b.json.\n" in found.text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"fixtures": [', "a.json:2:1: is not YAML: "),
        ('{"fixtures": 7}', 'a.json: holds no list of fixtures; write {"fixtures": [...]}'),
        ('{"fixtures": []}', "a.json: holds no fixture that a scenario could say"),
        (
            '[{"match": {}, "response": {"content": "a", "usage": {"prompt_tokens": -1}}}]',
            "a.json: stubs[0].reply.usage.prompt_tokens: can't be said: ",
        ),
    ],
)
def test_what_can_not_be_converted(text: str, why: str) -> None:
    with pytest.raises(CassetteError) as caught:
        from_aimock([("a.json", text)], "a")

    assert str(caught.value).startswith(why)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"fixtures": []}', True),
        ('[{"match": {}, "response": {}}]', True),
        ('\ufeff [{"response": 1}]', True),
        ("[]", False),
        ('[{"match": {}}]', False),
        ('{"interactions": []}', False),
        ("version: 1", False),
        ("{broken", False),
    ],
)
def test_a_file_of_fixtures_is_known_by_what_it_holds(text: str, found: bool) -> None:
    assert is_aimock(text) is found


INNER = (
    "name", "arguments", "type", "text", "message", "prompt_tokens", "ttft", "tps", "jitter", "ttftMs", "interChunkDelaysMs",
    "totalDurationMs", "dropRate", "latencyMs",
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 500) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(INNER) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = {
    "match": [
        "userMessage",
        "systemMessage",
        "model",
        "toolName",
        "toolCallId",
        "hasToolResult",
        "turnIndex",
        "sequenceIndex",
        "odd",
    ],
    "response": [
        "content",
        "toolCalls",
        "blocks",
        "error",
        "status",
        "reasoning",
        "finishReason",
        "usage",
        "role",
        "json",
    ],
}
MORE = ["latency", "chunkSize", "streamingProfile", "recordedTimings", "chaos", "truncateAfterChunks", "odd"]
ROWS = st.fixed_dictionaries(
    {key: st.dictionaries(st.sampled_from(names), VALUES, max_size=4) for key, names in KEYS.items()},
    optional=dict.fromkeys(MORE, VALUES),
)


@given(st.lists(ROWS | VALUES, max_size=3))
def test_any_fixtures_are_converted_or_refused_in_words(rows: list[Any]) -> None:
    try:
        text = from_aimock([("a.json", json.dumps({"fixtures": rows}))], "a").text
    except CassetteError:
        return
    ask(text, chat("hi"))
