"""What has drifted: shapes count, values don't."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mockbifrost.cassette.drift import Drifted, Severity, drift, fails, report_json, report_text
from mockbifrost.cassette.interaction import Interaction, RecordedResponse
from tests.recorded import call, chunk, events, interaction, said
from tests.strategies import JSON

ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


def drifted(was: Any, now: Any, **more: Any) -> list[str]:
    """The lines that say what differs between two answers."""
    return [str(one) for one in drift(interaction(ASKED, was), response(now, **more))]


def response(answer: Any, **more: Any) -> RecordedResponse:
    return interaction(ASKED, answer, **more).response


def other_values(item: Any) -> Any:
    """The same shape, with other texts and numbers; what clients branch on stays."""
    if isinstance(item, dict):
        return {key: inner if key in ("finish_reason", "name") else other_values(inner) for key, inner in item.items()}
    if isinstance(item, list):
        return [other_values(inner) for inner in item]
    if isinstance(item, bool):
        return not item
    if isinstance(item, int | float):
        return item + 1 if abs(item) < 1e15 else item
    return item + "x" if isinstance(item, str) else item


def places(item: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of each field of an object, at any depth."""
    if isinstance(item, dict):
        for key, inner in item.items():
            yield (*path, key)
            yield from places(inner, (*path, key))
    if isinstance(item, list):
        for index, inner in enumerate(item):
            yield from places(inner, (*path, index))


def at(item: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        item = item[step]
    return item


BODIES = st.dictionaries(st.text(max_size=8), JSON, max_size=4)


@given(BODIES)
def test_a_response_does_not_drift_from_itself_nor_from_other_values(body: dict[str, Any]) -> None:
    assert drifted(body, body) == []
    assert drifted(body, other_values(body)) == []


@given(BODIES, st.data())
def test_a_field_that_is_gone_or_new_or_of_another_type_is_found(body: dict[str, Any], data: st.DataObject) -> None:
    body = {**body, "stays": 1}
    where = data.draw(
        st.sampled_from([path for path in places(body) if not any(isinstance(step, int) for step in path)])
    )
    changed = copy.deepcopy(body)
    parent = at(changed, where[:-1])
    was = parent.pop(where[-1])

    [gone] = drift(interaction(ASKED, body), response(changed))
    [new] = drift(interaction(ASKED, changed), response(body))
    assert (gone.kind, gone.severity) == ("gone", "error")
    assert (new.kind, new.severity, new.path) == ("new", "info", gone.path)

    assume(was is not None)
    parent[where[-1]] = True if not isinstance(was, bool) else "text"
    [retyped] = drift(interaction(ASKED, body), response(changed))
    assert (retyped.kind, retyped.severity, retyped.path) == ("type", "error", gone.path)


def test_paths_lead_through_lists_to_the_field() -> None:
    was = said({"tool_calls": [call("f"), call("g")]})
    now = copy.deepcopy(was)
    for one in now["choices"][0]["message"]["tool_calls"]:
        one["function"]["arguments"] = {"a": 1}
        del one["type"]

    assert drifted(was, now) == [
        "error    choices[].message.tool_calls[].type: is gone; it was text",
        "error    choices[].message.tool_calls[].function.arguments: was text, now it is an object",
    ]


def test_a_field_of_some_items_is_there() -> None:
    assert drifted({"rows": [{"a": 1, "b": 2}]}, {"rows": [{"a": 1}, {"b": 2}]}) == []


@pytest.mark.parametrize(("was", "now"), [(None, "text"), ("text", None), ([], [{"a": 1}]), ([{"a": 1}], []), (1, 2.5)])
def test_null_is_an_optional_field_and_an_empty_list_says_nothing(was: Any, now: Any) -> None:
    assert drifted({"field": was}, {"field": now}) == []


def test_an_odd_key_is_quoted_in_a_path() -> None:
    assert drifted({"a.b": {"c d": 1}}, {"a.b": {}}) == ['error    ["a.b"]["c d"]: is gone; it was a number']


def test_other_finish_reasons_are_a_warning_and_tools_that_are_gone_an_error() -> None:
    was = said({"tool_calls": [call("lookup"), call("refund")]})

    assert drifted(was, said({"tool_calls": [call("lookup")]}, finish_reason="stop")) == [
        "error    choices[].message.tool_calls[].function.name: the tools called were lookup, refund, now they are lookup",
        "warning  choices[].finish_reason: the finish reason was tool_calls, now it is stop",
    ]
    more = said({"tool_calls": [call("lookup"), call("refund"), call("apologise")]})
    assert drifted(was, more) == [
        "warning  choices[].message.tool_calls[].function.name: "
        "the tools called were lookup, refund, now they are apologise, lookup, refund"
    ]


def test_chunks_of_a_stream_count_together_however_many_there_are() -> None:
    was = events(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "a"}),
        chunk({}, "stop", usage={"total_tokens": 3}),
    )
    now = events(
        chunk({"role": "assistant", "content": "b"}),
        chunk({"content": "c"}),
        chunk({"content": "d"}),
        chunk({}, "stop", usage={"total_tokens": 4}),
    )

    assert drifted(was, now) == []
    assert drifted(was, events(chunk({"role": "assistant", "content": "b"}), chunk({}, "length"))) == [
        "error    usage: is gone; it was an object",
        "warning  choices[].finish_reason: the finish reason was stop, now it is length",
    ]


def test_a_stream_that_ends_without_done() -> None:
    chunks = [chunk({"content": "a"}), chunk({}, "stop")]

    assert drifted(events(*chunks), events(*chunks, done=False)) == [
        "error    the stream ended with [DONE], now it ends without [DONE]"
    ]
    assert drifted(events(*chunks, done=False), events(*chunks)) == [
        "info     the stream ended without [DONE], now it ends with [DONE]"
    ]


def test_a_stream_without_events() -> None:
    rows = events(chunk({"content": "a"}))

    assert drifted(rows, events()) == ["error    the body was JSON, now it is a stream without events"]
    assert drifted(events(), events()) == []


def test_status_and_content_type() -> None:
    failed = {"error": {"message": "Slow down."}}

    assert drifted(said("a"), failed, status=429) == ["error    the status was 200, now it is 429"]
    assert drifted(said("a"), events(chunk({"content": "a"}))) == [
        "error    the content type was application/json, now it is text/event-stream"
    ]
    assert drifted(said("a"), b"<html>") == [
        "error    the content type was application/json, now it is text/plain",
        "error    the body was JSON, now it is no JSON",
    ]
    assert drifted(b"oops", b"ouch") == []


def test_errors_are_compared_with_errors() -> None:
    was = interaction(ASKED, {"error": {"message": "a", "code": None}}, status=500)

    assert [str(one) for one in drift(was, response({"error": {"message": "b"}}, status=503))] == [
        "error    the status was 500, now it is 503",
        "error    error.code: is gone; it was null",
    ]


REPORT: list[tuple[Interaction, tuple[Drifted, ...]]] = [
    (interaction(ASKED, said("a"), number=1), ()),
    (
        interaction(ASKED, said("a"), number=2),
        (Drifted("gone", "id", "error", "text", "nothing"), Drifted("new", "cost", "info", "nothing", "a number")),
    ),
    (
        interaction(ASKED, said("a"), number=3),
        (Drifted("finish_reason", "choices[].finish_reason", "warning", "stop", "length"),),
    ),
]


def test_a_report_for_people() -> None:
    assert report_text(REPORT) == (
        "refund.yaml#2:\n"
        "  error    id: is gone; it was text\n"
        "  info     cost: is new: a number\n"
        "refund.yaml#3:\n"
        "  warning  choices[].finish_reason: the finish reason was stop, now it is length\n"
        "3 interactions, 2 drifted: 1 error, 1 warning, 1 new field."
    )
    assert report_text(REPORT[:1]) == "1 interaction: nothing has drifted."


def test_a_report_for_programs() -> None:
    first, second, _third = json.loads(report_json(REPORT))

    assert first == {"file": "refund.yaml", "interaction": 1, "name": None, "drifted": []}
    assert second["drifted"][0] == {
        "kind": "gone",
        "path": "id",
        "severity": "error",
        "recorded": "text",
        "now": "nothing",
    }


@pytest.mark.parametrize(
    ("rows", "fail_on", "failed"),
    [
        (REPORT, "error", True),
        (REPORT[2:], "error", False),
        (REPORT[2:], "warning", True),
        (REPORT[:1], "info", False),
        (REPORT[1:2], "info", True),
    ],
)
def test_a_report_fails_from_a_severity_on(
    rows: list[tuple[Interaction, tuple[Drifted, ...]]], fail_on: Severity, failed: bool
) -> None:
    assert fails(rows, fail_on) is failed
