"""What an interaction says, in the words of the scenario language."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mockbifrost.cassette.interaction import About
from mockbifrost.cassette.spoken import Unspoken, behaviour_of, error_of, literal, literal_tree, pace_of, reply_of
from mockbifrost.scenario.model import StubModel
from mockbifrost.scenario.templates import Template, is_template
from tests.recorded import call, chunk, events, gateway, interaction, said
from tests.strategies import REPLIES

ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
HEAD = {"model": "gpt-4o", "id": "chatcmpl-1", "created": 1_770_000_000}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


def reply(answer: Any, **more: Any) -> dict[str, Any]:
    """What is said beside id, time and model."""
    found = reply_of(interaction(ASKED, answer, **more))
    return {key: item for key, item in found.items() if key not in HEAD}


@given(st.text(st.sampled_from("{}%#'\"\\\r\n a-") | st.characters(exclude_categories=["Cs"])))
@example("{{ a }}\r\nb\r")
def test_a_literal_text_is_said_as_it_is(text: str) -> None:
    written = literal(text)

    assert (Template(written).render({}) if is_template(written) else written) == text
    assert literal_tree({"a": [text, 1, None]}) == {"a": [written, 1, None]}


def test_a_plain_answer() -> None:
    assert reply_of(interaction(ASKED, said("Hello."))) == {
        **HEAD,
        "content": "Hello.",
        "finish_reason": "stop",
        "usage": USAGE,
    }


def test_everything_that_a_provider_may_say() -> None:
    message = {
        "content": "Hello.",
        "reasoning_content": "Hm.",
        "refusal": "No.",
        "annotations": [{"type": "url_citation"}],
        "audio": {"id": "a", "data": "AAAA"},
        "tool_calls": [call("f", '{"a": 1}')],
        "name": "bot",
    }
    answer = said(
        message,
        service_tier="flex",
        system_fingerprint="fp_1",
        search_results=[{"title": "T"}],
        videos=[{"url": "v"}],
        citations=["https://example.org", 7],
    )
    answer["choices"][0]["logprobs"] = {"content": [{"token": "Hello."}]}

    assert reply(answer) == {
        "content": "Hello.",
        "reasoning": "Hm.",
        "tool_calls": [{"name": "f", "arguments": '{"a": 1}', "id": "call_1"}],
        "refusal": "No.",
        "annotations": [{"type": "url_citation"}],
        "audio": {"id": "a", "data": "AAAA"},
        "message": {"name": "bot"},
        "logprobs": {"content": [{"token": "Hello."}]},
        "finish_reason": "tool_calls",
        "usage": USAGE,
        "system_fingerprint": "fp_1",
        "service_tier": "flex",
        "search_results": [{"title": "T"}],
        "videos": [{"url": "v"}],
        "citations": ["https://example.org"],
    }


def test_a_stream_says_what_its_chunks_add_up_to() -> None:
    rows = events(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo."}),
        chunk({"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        chunk({}, "tool_calls"),
        chunk(None, usage=USAGE),
    )

    assert reply(rows) == {
        "content": "Hello.",
        "tool_calls": [{"name": "f", "arguments": "{}", "id": "call_1"}],
        "finish_reason": "tool_calls",
        "usage": USAGE,
    }


def test_several_choices() -> None:
    choices = [
        {"index": index, "message": {"content": text}, "finish_reason": "stop"} for index, text in enumerate("ab")
    ]

    assert reply(said("", choices=choices))["choices"] == [
        {"content": "a", "finish_reason": "stop"},
        {"content": "b", "finish_reason": "stop"},
    ]


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        (said("a", usage=None), None),
        (
            said("a", usage={"prompt_tokens": 1, "completion_tokens": 2}),
            {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        ),
        (
            said(
                "a",
                usage={
                    **USAGE,
                    "prompt_tokens_details": {"cached_tokens": 3, "audio_tokens": 0},
                    "queue_time": 0.1,
                    "search_units": 2,
                },
            ),
            {**USAGE, "prompt_tokens_details": {"cached_tokens": 3}, "search_units": 2},
        ),
        (
            said("a", usage={**USAGE, "prompt_tokens_details": {"cached_read_tokens": 3, "cached_tokens": 3}}),
            {**USAGE, "prompt_tokens_details": {"cached_read_tokens": 3}},
        ),
        (
            said("a", usage={**USAGE, "completion_tokens_details": {"reasoning_tokens": 2}}),
            {**USAGE, "completion_tokens_details": {"reasoning_tokens": 2}},
        ),
    ],
)
def test_usage_is_what_the_language_has_a_key_for(answer: Any, usage: Any) -> None:
    assert reply(answer)["usage"] == usage


def test_a_providers_stream_without_usage_leaves_it_to_the_gateway() -> None:
    assert "usage" not in reply(events(chunk({"content": "a"}), chunk({}, "stop")))


def test_the_cost_is_the_providers_never_the_gateways() -> None:
    assert reply(said("a", usage={**USAGE, "cost": 0.25}))["cost"] == 0.25
    assert "cost" not in reply(
        said("a", usage={**USAGE, "cost": {"total_cost": 1}}, extra_fields={"provider": "openai"})
    )


@given(REPLIES, st.booleans())
def test_what_is_said_can_be_written_into_a_scenario(scripted: dict[str, Any], stream: bool) -> None:
    from tests.harness import session_with
    from tests.recorded import recorded_in

    session = session_with({"reply": {key: item for key, item in scripted.items() if key != "latency"}})
    one = recorded_in(session, {**ASKED, "stream": stream})

    StubModel.model_validate({**behaviour_of(one), "pace": pace_of(one)})


@pytest.mark.parametrize(
    ("answer", "status", "headers", "error"),
    [
        (
            {"error": {"message": "Slow {{ down }}", "type": "requests", "code": "rate_limit_exceeded", "param": None}},
            429,
            [("retry-after", "20"), ("x-request-id", "7")],
            {
                "status": 429,
                "message": "Slow {{ '{{' }} down }}",
                "type": "requests",
                "code": "rate_limit_exceeded",
                "headers": {"retry-after": "20"},
            },
        ),
        (
            {"error": {"message": "No", "code": 402, "param": "model"}},
            402,
            [],
            {"status": 402, "message": "No", "code": "402", "param": "model"},
        ),
        ({"error": "No"}, 500, [], {"status": 500, "shape": "string", "message": "No"}),
        (b"<html>", 502, [], {"status": 502, "shape": "html"}),
        (b"", 503, [], {"status": 503, "shape": "empty"}),
        (b"No.", 500, [], {"status": 500, "shape": "plain_text", "message": "No."}),
    ],
)
def test_an_error_of_a_provider(answer: Any, status: int, headers: Any, error: Any) -> None:
    one = interaction(ASKED, answer, status=status, headers=headers)

    assert error_of(one) == behaviour_of(one) == {"error": error}
    StubModel.model_validate({"error": error})


@pytest.mark.parametrize("version", ["documented", "1.6", "2.2"])
@pytest.mark.parametrize(
    "name",
    [
        "virtual_key_required",
        "provider_blocked",
        "token_limited",
        "no_keys",
        "provider_timeout",
        "queue_full",
        "internal",
    ],
)
def test_an_error_of_the_gateway_itself_by_its_name(name: str, version: Any) -> None:
    [one] = gateway(f"version: 1\nstubs: [{{gateway_error: {name}}}]", ASKED, version=version).interactions

    found = error_of(one)["gateway_error"]
    assert found["name"] == name
    StubModel.model_validate({"gateway_error": found})


def test_an_error_that_the_gateway_hands_on_is_the_providers() -> None:
    [one] = gateway("version: 1\nstubs: [{error: rate_limited}]", ASKED, version="2.2").interactions

    error = error_of(one)["error"]
    assert (error["status"], error["type"], error["code"]) == (429, "requests", "rate_limit_exceeded")


def test_an_error_of_the_gateway_without_a_name() -> None:
    stub = "{gateway_error: {status: 403, message: Not you., type: denied, code: c, error_type: e}}"
    [one] = gateway(f"version: 1\nstubs: [{stub}]", ASKED).interactions

    assert error_of(one)["gateway_error"] == {
        "status": 403,
        "message": "Not you.",
        "type": "denied",
        "code": "c",
        "error_type": "e",
    }


@pytest.mark.parametrize(
    ("rows", "upstream"),
    [
        (
            events(chunk({"content": "a"}), {"error": {"message": "No", "type": "t"}}, done=False),
            {"error_event": {"at": "finish", "message": "No", "type": "t"}},
        ),
        (events(chunk({"content": "a"}), chunk({}, "stop"), done=False), "no_done"),
        (events(chunk({"content": "a"}), done=False), {"cut": {"at": "finish"}}),
        (events(chunk({"content": "a"}), b"data: {oops\n\n"), {"malformed": {"at": "finish"}}),
    ],
)
def test_a_stream_that_broke(rows: list[bytes], upstream: Any) -> None:
    found = behaviour_of(interaction(ASKED, rows))

    assert found["upstream"] == upstream
    StubModel.model_validate(found)


@pytest.mark.parametrize(
    ("answer", "status", "why"),
    [
        (b"oops", 200, "its answer is none: the body is no JSON with `choices`"),
        (b"", 200, "its answer is none: the body is empty"),
        ([b": no event\n\n"], 200, "its answer is none: the stream holds no events"),
        (said("a"), 304, "it was answered with status 304, which is neither an answer nor an error"),
    ],
)
def test_what_is_neither_an_answer_nor_an_error(answer: Any, status: int, why: str) -> None:
    one = interaction(ASKED, answer, status=status)

    with pytest.raises(Unspoken, match=why):
        behaviour_of(one)
    with pytest.raises(Unspoken, match="it is no error"):
        error_of(one)


STREAM = events(
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "one two"}),
    chunk({"content": " three four five"}),
    chunk({}, "stop"),
)


@pytest.mark.parametrize(
    ("one", "pace"),
    [
        (interaction(ASKED, said("a")), {}),
        (interaction(ASKED, said("a"), times_ms=[420]), {"ttft": "420ms"}),
        (interaction(ASKED, {"error": {"message": "a"}}, status=500, times_ms=[70]), {"ttft": "70ms"}),
        (interaction(ASKED, STREAM), {}),
        (interaction(ASKED, STREAM, times_ms=[100, 200, 1200, 1300, 1300]), {"ttft": "200ms", "tokens_per_second": 3}),
        (interaction(ASKED, STREAM, times_ms=[0, 0, 0, 0, 9]), {}),
        (
            interaction(
                ASKED,
                events(*[chunk({"content": text}) for text in ("ab", "cd", "e")], chunk({}, "stop")),
                times_ms=[5] * 5,
            ),
            {"ttft": "5ms", "chunk": 2},
        ),
        (
            interaction(
                ASKED, events(*[chunk({"content": text}) for text in "abc"], chunk({}, "stop")), times_ms=[5] * 5
            ),
            {"ttft": "5ms", "chunk": "char"},
        ),
        (
            interaction(ASKED, events(chunk({"content": "one two three"}), chunk({}, "stop")), times_ms=[5] * 3),
            {"ttft": "5ms", "chunk": "whole"},
        ),
    ],
)
def test_pace_is_read_from_the_times_of_the_pieces(one: Any, pace: Any) -> None:
    assert pace_of(one) == pace


def test_the_source_in_the_file_wins() -> None:
    answer = said("a", usage={**USAGE, "cost": 0.5})
    one = interaction(ASKED, answer, about=About(source="gateway"))

    assert "cost" not in reply_of(one)
