"""`chunks`: increments written out; nothing is split, and a plain answer says what they add up to."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.harness import PROFILE_NAMES, Response, ask_in, chat, folded, session_with


def streamed(*chunks: Mapping[str, Any] | str, version: Any = "documented", **more: Any) -> Response:
    stub = {"reply": {"chunks": list(chunks), **more}}
    return ask_in(session_with(stub, version=version), chat(stream=True))


def plain(*chunks: Mapping[str, Any] | str) -> Any:
    return ask_in(session_with({"reply": {"chunks": list(chunks)}}), chat()).json()


def reasons(response: Response) -> list[Any]:
    return [[choice["finish_reason"] for choice in chunk["choices"]] for chunk in response.chunks]


def call(index: int, name: str | None = None, arguments: str = "", id: str | None = None) -> dict[str, Any]:
    function: dict[str, Any] = {"arguments": arguments}
    if name is not None:
        function = {"name": name, "arguments": arguments}
    return {"index": index, "function": function} | ({} if id is None else {"id": id})


def test_each_increment_is_a_chunk() -> None:
    response = streamed({"role": "assistant", "content": "Hel"}, "lo", {"reasoning": "hm"}, {"x": 1})

    assert response.deltas() == [
        {"role": "assistant", "content": "Hel"},
        {"content": "lo"},
        {"reasoning": "hm", "reasoning_details": [{"index": 0, "type": "reasoning.text", "text": "hm"}]},
        {"x": 1},
        {},
    ]
    assert reasons(response) == [[None], [None], [None], [None], ["stop"]]


def test_an_end_of_its_own_becomes_the_gateways_last_chunk() -> None:
    assert reasons(streamed("Hi", {"finish_reason": "length"})) == [[None], ["length"]]


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_an_end_that_came_with_content_is_sent_with_it(version: Any) -> None:
    """And not again in the last chunk. Source: wire.md 4.3."""
    response = streamed({"content": "Hi", "finish_reason": "length"}, version=version)

    found = [chunk["choices"][0].get("finish_reason") for chunk in response.chunks]
    assert found == ["length", None]


def test_an_end_that_came_with_what_is_dropped_is_not_lost() -> None:
    """1.6 drops refusals; the reason is remembered."""
    response = streamed("Hi", {"refusal": "No", "finish_reason": "content_filter"}, version="1.6")

    assert [chunk["choices"][0].get("finish_reason") for chunk in response.chunks] == [None, "content_filter"]


def test_an_end_that_came_with_the_role_alone() -> None:
    assert reasons(streamed({"role": "assistant", "finish_reason": "stop"})) == [[None], ["stop"]]


def test_the_plain_answer_is_what_they_add_up_to() -> None:
    body = plain(
        {"role": "assistant", "content": "Hel", "reasoning": "h"},
        {"content": "lo", "reasoning": "m", "refusal": "N"},
        {"refusal": "o", "finish_reason": "length"},
    )

    (choice,) = body["choices"]
    assert choice["finish_reason"] == "length"
    message = choice["message"]
    assert (message["content"], message["reasoning"], message["refusal"]) == ("Hello", "hm", "No")


def test_calls_add_up_by_index() -> None:
    chunks: Sequence[Mapping[str, Any]] = [
        {"tool_calls": [call(0, "a", '{"x"', "one")]},
        {"tool_calls": [call(1, "b"), call(0, None, ":1}")]},
        {"tool_calls": [call(1, None, "{}")]},
    ]

    (choice,) = plain(*chunks)["choices"]
    calls = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert [(one["id"][:5], one["function"]) for one in calls] == [
        ("one", {"name": "a", "arguments": '{"x":1}'}),
        ("call_", {"name": "b", "arguments": "{}"}),
    ]
    assert [(one["id"], one["arguments"]) for one in folded(streamed(*chunks).deltas())["tool_calls"]] == [
        (one["id"], one["function"]["arguments"]) for one in calls
    ]


def test_calls_may_have_any_index_and_any_choice() -> None:
    """Their drawn ids are the same plain and streamed."""
    chunks = [{"index": 0, "tool_calls": [call(5, "a")]}, {"index": 2, "tool_calls": [call(0, "b")]}]

    plainly = [choice["message"]["tool_calls"][0]["id"] for choice in plain(*chunks)["choices"]]
    response = streamed(*chunks)

    assert [folded(response.deltas(index))["tool_calls"][0]["id"] for index in (0, 2)] == plainly
    assert len(set(plainly)) == 2


def test_arguments_may_be_written_as_json() -> None:
    written = {"tool_calls": [{"function": {"name": "a", "arguments": {"x": 1}}}]}

    assert folded(streamed(written).deltas())["tool_calls"][0]["arguments"] == '{"x":1}'


def test_choices_end_each_with_its_own_reason() -> None:
    response = streamed({"content": "a", "index": 1}, {"content": "b"}, {"index": 1, "finish_reason": "length"})

    last = response.chunks[-1]["choices"]
    assert [(choice["index"], choice["finish_reason"]) for choice in last] == [(0, "stop"), (1, "length")]
    assert [chunk["choices"][0]["index"] for chunk in response.chunks[:-1]] == [1, 0]


def test_a_choice_without_its_neighbours_keeps_its_index() -> None:
    last = streamed({"content": "a", "index": 2}).chunks[-1]["choices"]

    assert [(choice["index"], choice["finish_reason"]) for choice in last] == [(2, "stop")]


def test_log_probabilities_go_with_their_increment() -> None:
    first, second, _last = streamed({"content": "a", "logprobs": {"content": []}}, "b").chunks

    assert first["choices"][0]["logprobs"] == {"content": []}
    assert second["choices"][0]["logprobs"] is None


def test_usage_and_names_are_those_of_the_reply() -> None:
    last = streamed("a b", id="mine", usage={"prompt_tokens": 1, "completion_tokens": 1}).chunks[-1]

    assert (last["id"], last["usage"]["total_tokens"]) == ("mine", 2)
    assert streamed("one two").chunks[-1]["usage"]["completion_tokens"] == 2


def test_increments_are_paced() -> None:
    pace = {"ttft": "100ms", "tokens_per_second": 10}
    session = session_with({"reply": {"chunks": ["a", " b c", {"role": "assistant"}]}, "pace": pace}, version="2.2")

    latencies = [chunk["extra_fields"]["latency"] for chunk in ask_in(session, chat(stream=True)).chunks]

    assert latencies == [100, 200, 0, 300]
