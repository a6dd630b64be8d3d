"""A session answers whatever a client sends, and the same in every process, order and form."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockbifrost.gateway.cache import lookup_of
from mockbifrost.gateway.configuration import CacheRules
from mockbifrost.match.conversation import Conversation
from mockbifrost.playback.player import WHOLE
from mockbifrost.playback.timeline import timeline_of
from mockbifrost.provider.answer import Answer, Draft
from mockbifrost.scenario.compile import compile_stub
from mockbifrost.scenario.load import stub_from_mapping
from mockbifrost.scenario.stubs import Stub
from mockbifrost.session.session import Received, as_json
from mockbifrost.wire.request import ChatRequest, validate
from tests.harness import (
    PROFILE_NAMES,
    ask,
    ask_in,
    begin,
    chat,
    folded,
    open_session,
    read,
    retry,
    session_with,
    stubs,
)
from tests.strategies import JSON, PACES, PATIENT, REPLIES, REQUESTS

ROOT = Path(__file__).resolve().parents[3]
WILD = stubs(
    """
    - {when: {body: {"length(tools)": 2}}, reply: tools}
    - {when: {messages: [{tool_call: a}, x]}, reply: tail}
    - {when: {tool_result: {json: {a: 1}}}, reply: result}
    - {when: {user: x}, echo: true}
    - {when: {system: s}, reply: "{{ user }} {{ turn }} {{ results }}"}
    - {when: {stream: true}, reply: {tool_calls: [{a: {b: "{{ task }}"}}], reasoning: r}}
    - {when: {n: 2}, auto: true}
    - {reply: {content: [a, b], logprobs: true}}
    """,
    before="gateway: {providers: {openai: {validate: false}, groq: {}}}",
)
FIELDS = st.dictionaries(st.sampled_from(sorted(ChatRequest.model_fields)), JSON, max_size=6)
BODIES = st.one_of(
    st.binary(max_size=50),
    JSON.map(lambda value: json.dumps(value).encode()),
    FIELDS.map(lambda fields: json.dumps(fields).encode()),
    st.builds(lambda one, other: json.dumps({**one, **other}).encode(), REQUESTS, FIELDS),
)
HEADER_NAMES = st.sampled_from([b"x-stainless-retry-count", b"origin", b"x-request-id", b"x-bf-vk", b"a"])
HEADERS = st.lists(st.tuples(HEADER_NAMES, st.binary(max_size=8)), max_size=3)


@given(st.lists(st.tuples(BODIES, HEADERS), min_size=1, max_size=3), st.sampled_from(PROFILE_NAMES))
def test_whatever_a_client_sends_gets_an_answer(
    requests: list[tuple[bytes, list[tuple[bytes, bytes]]]], version: Any
) -> None:
    """A status, a body that is what its type says, a journal entry that can be shown; never an exception."""
    session = open_session(WILD, version=version)
    for body, headers in requests:
        response = read(session.ask(Received("POST", "/", headers, body)))

        assert 200 <= response.status < 600
        if response.header("content-type") == "application/json":
            assert isinstance(response.json(), dict)
        else:
            assert response.chunks
        assert json.dumps(response.entry.to_json())


@given(REQUESTS, REPLIES, PACES, st.booleans(), st.sampled_from(PROFILE_NAMES))
def test_the_same_seed_gives_the_same_bytes(
    body: dict[str, Any], reply: dict[str, Any], pace: dict[str, Any], stream: bool, version: Any
) -> None:
    """Bodies and heads, whatever was asked before, and at every speed."""
    asked = {**body, "stream": stream}
    stub = {"reply": reply, "pace": pace}
    fresh, used = [session_with(stub, version=version, gateway=PATIENT) for _session in range(2)]
    ask_in(used, chat("something else"))

    one, other = begin(fresh, asked), begin(used, asked)

    assert read(one).body == read(other).body
    assert read(one).headers == read(other).headers
    for speed in (1.0, 1000.0):
        assert read(one, timeline_of(one.outcome, speed)).body == read(one).body


@given(REQUESTS, REPLIES, PACES, st.sampled_from(["documented", "2.2"]))
def test_a_stream_says_what_the_plain_answer_says(
    body: dict[str, Any], reply: dict[str, Any], pace: dict[str, Any], version: Any
) -> None:
    """The same words, calls, reasons and counts, and the same id. (1.6 drops refusals from streams.)"""
    session = session_with({"reply": reply, "pace": pace}, version=version, gateway=PATIENT)

    plain = ask_in(session, body).json()
    stream = ask_in(session, {**body, "stream": True})

    last = stream.chunks[-1]
    assert {chunk["id"] for chunk in stream.chunks} == {plain["id"]}
    assert last["usage"] == plain["usage"] or (plain["usage"] is None and not any(last["usage"].values()))
    assert last.get("citations") == plain.get("citations")
    for choice, ended in zip(plain["choices"], last["choices"], strict=True):
        assert ended["finish_reason"] == choice["finish_reason"]
        assert said(folded(stream.deltas(choice["index"]))) == said(choice["message"])


def said(message: dict[str, Any]) -> dict[str, Any]:
    """What a message says, in one form for both: parts joined, tool calls flat, nothing empty."""
    content = message.get("content") or ""
    if isinstance(content, list):
        content = "\n\n".join(part["text"] for part in content)
    calls = [
        {"id": call["id"], "name": call.get("name") or call["function"]["name"], "arguments": call_arguments(call)}
        for call in message.get("tool_calls", ())
    ]
    whole = {key: message.get(key) for key in ("refusal", "reasoning", "reasoning_content", "annotations")}
    return {key: value for key, value in {**whole, "content": content, "tool_calls": calls}.items() if value}


def call_arguments(call: dict[str, Any]) -> Any:
    return call["arguments"] if "arguments" in call else call["function"]["arguments"]


DRAWN = stubs(
    """
    - {when: {user: "1"}, reply: {faker: {paragraph: {}}, logprobs: true}}
    - {when: {user: "2"}, active: {probability: 0.5}, reply: {tool_calls: [{a: {}}, {b: {}}]}}
    - {pace: {ttft: 1s, tokens_per_second: 9, jitter: 0.5}, reply: "{{ fake.name() }} of {{ fake.city() }}"}
    """
)
PROGRAM = """
from tests.harness import ask, chat
from tests.unit.session.test_session_session import DRAWN
for number in range(6):
    for stream in (False, True):
        response = ask(DRAWN, chat(str(number), stream=stream, n=2), version="2.2", seed=3)
        print(response.headers, response.body)
"""


def test_processes_with_different_hash_seeds_give_the_same_bytes() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }

    assert len(found) == 1
    assert found.pop().count("chatcmpl-") > 12


@settings(max_examples=12)
@given(st.permutations(range(12)))
def test_the_order_of_different_requests_changes_nothing(order: list[int]) -> None:
    session = open_session(DRAWN, seed=3)

    bodies = {number: ask_in(session, chat(str(number), stream=number % 2 == 0)).body for number in order}

    assert bodies == {
        number: ask(DRAWN, chat(str(number), stream=number % 2 == 0), seed=3).body for number in range(12)
    }


def test_another_seed_gives_other_bytes() -> None:
    assert ask(DRAWN, chat("1"), seed=1).body != ask(DRAWN, chat("1"), seed=2).body


def test_the_same_request_again_is_another_occurrence() -> None:
    session = open_session(stubs("- reply: '{{ occurrence }}'"))

    responses = [ask_in(session, chat()) for _call in range(3)]

    assert [response.text for response in responses] == ["0", "1", "2"]
    assert len({response.json()["id"] for response in responses}) == 3


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "²", "100000", "1, 2"])
def test_a_count_of_retries_that_is_none_is_left_aside(text: str) -> None:
    session = session_with("x")
    ask_in(session, chat(), headers=retry(0))

    again = ask_in(session, chat(), headers={"x-stainless-retry-count": text})

    assert (again.exchange.call.number, again.entry.retry) == (2, None)


def compiled(name: str, **stub: Any) -> Stub:
    model = stub_from_mapping({"name": name, "reply": name, **stub}, "test.py", 1).model
    return compile_stub(model, id=name, source="test.py", line=1)


def test_stubs_that_a_test_adds_come_before_those_of_files_in_the_order_added() -> None:
    session = open_session(stubs("- {name: file, reply: file}\n- {name: high, times: 1, priority: 1, reply: high}"))
    session.add([compiled("first", times=1), compiled("second", times=1)])
    session.add([compiled("third", times=1)])

    assert [ask_in(session, chat()).text for _call in range(5)] == ["high", "first", "second", "third", "file"]


def test_a_stub_is_put_into_the_place_of_the_one_with_its_id() -> None:
    session = open_session("version: 1")
    session.add([compiled("a"), compiled("b")])

    session.put(compiled("a", reply="mended"))
    session.put(compiled("c"))

    assert [stub.id for stub in session.stubs] == ["a", "b", "c"]
    assert ask_in(session, chat()).text == "mended"


def test_a_reset_empties_ledger_and_cache() -> None:
    session = session_with("x")
    session.gateway_state.ledger.charge("team", "openai", "gpt-4o", cost=1.0)
    conversation = Conversation(validate(chat()), chat())
    lookup = lookup_of(CacheRules(default_key="k"), conversation, {}, "openai", "gpt-4o")
    assert lookup is not None
    session.gateway_state.cache.store(lookup, Answer(Draft(), "a", 0, "gpt-4o", ""), 10, 0.0)
    session.reset()

    assert (session.gateway_state.ledger.rows(), len(session.gateway_state.cache)) == ([], 0)


def test_a_session_shows_itself() -> None:
    session = session_with("x")
    session.gates["g"] = True
    session.clock.advance(1.5)
    ask_in(session, chat())

    assert as_json(session) == {
        "id": "test",
        "requests": 1,
        "stubs": 1,
        "clock": {"mode": "fixed", "elapsed_s": 1.5},
        "gates": {"g": True},
    }


def test_an_error_before_the_body_was_read_is_in_the_journal() -> None:
    session = session_with("x")

    response = read(session.unread(Received("POST", "/", (), b""), 413, "Too large.", "too_large"))

    assert (response.status, response.error["message"], response.entry.error) == (413, "Too large.", "too_large")
    assert response.header("x-mockbifrost-error") == "too_large"
    assert list(session.journal) == [response.entry]


def test_the_time_of_an_answer_is_that_of_the_sessions_clock() -> None:
    session = session_with("x")
    session.clock.advance(90.7)

    assert ask_in(session, chat()).json()["created"] == 1_767_225_600 + 90


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_a_clients_request_id_comes_back_where_the_profile_has_one(version: Any) -> None:
    response = ask(stubs("- reply: x"), chat(), headers={"x-request-id": "mine"}, version=version)

    assert response.header("x-request-id") == ("mine" if version == "2.2" else None)


def test_an_answer_on_its_way_through_a_reset_leaves_nothing_behind() -> None:
    session = session_with("Hello.", gateway={"pricing": {"openai/gpt-4o": {"input": 1}}})
    begun = begin(session, chat(), headers={"x-bf-cache-key": "k"})

    session.reset()
    session.finish(begun, WHOLE)

    assert session.gateway_state.ledger.rows() == []
    assert len(session.gateway_state.cache) == 0
