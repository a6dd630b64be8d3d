"""Faults of the provider's connection: the table of kinds, where in an answer they happen, what they leave, what they delay."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mockbifrost.provider.chunks import cut_choices
from mockbifrost.provider.connection import (
    FAULTS,
    HALF,
    PLACE_NAMES,
    START,
    ConnectionFault,
    Kind,
    Place,
    PlaceName,
    cut_at,
    delayed,
)
from mockbifrost.provider.fragments import FRAGMENTS
from mockbifrost.provider.pace import Pace
from mockbifrost.wire.chunk import CallDelta, Delta
from mockbifrost.wire.completion import Choice, Message, ToolCall
from tests.strategies import SAID

LETTERS = st.text("abé€😀 ", max_size=12)


@st.composite
def streams(draw: st.DrawFn) -> tuple[Delta, ...]:
    """The increments of an answer, as a provider sends them."""
    count = draw(st.integers(1, 2))
    choices = []
    for index in range(count):
        calls = tuple([ToolCall("f", draw(LETTERS)) for _call in range(draw(st.integers(0, 2)))])
        message = Message(draw(LETTERS), reasoning=draw(st.none() | LETTERS), tool_calls=calls)
        choices.append(Choice(index, message, "tool_calls" if calls else "stop"))
    pace = Pace(
        draw(st.sampled_from([0.0, 0.5])),
        draw(st.sampled_from([None, 10.0])),
        0.0,
        draw(st.sampled_from(["char", "token", "whole", 3])),
    )
    return cut_choices(choices, pace, draw(st.sampled_from(FRAGMENTS)), iter(()))


def content_of(deltas: tuple[Delta, ...], choice: int | None = None) -> str:
    return "".join([str(one.fields.get("content", "")) for one in deltas if choice in (None, one.choice)])


PLACES = (
    st.builds(Place, st.just("after_chunks"), st.integers(0, 12))
    | st.builds(Place, st.just("bytes"), st.integers(1, 30))
    | st.builds(Place, st.just("text"), st.just(0), st.text("abé€😀 ", min_size=1, max_size=3))
    | st.builds(Place, st.sampled_from([*PLACE_NAMES, "half"]))
)


def test_the_table_has_every_kind_in_the_order_of_the_language() -> None:
    assert tuple(FAULTS) == get_args(Kind)
    assert get_args(PlaceName) == PLACE_NAMES
    assert [row.name for row in FAULTS.values() if row.needs_answer] == ["slow", "cut", "stall", "malformed", "no_done"]
    assert [row.name for row in FAULTS.values() if row.placed] == ["cut", "stall", "malformed", "error_event"]


def test_an_error_event_needs_an_answer_unless_it_comes_first() -> None:
    assert not ConnectionFault("error_event").needs_answer
    assert ConnectionFault("error_event", Place("after_chunks", 1)).needs_answer
    assert ConnectionFault("error_event", Place("done")).needs_answer
    assert not ConnectionFault("reset").needs_answer
    assert ConnectionFault("cut").needs_answer


@given(streams(), PLACES)
def test_a_place_lies_within_the_answer(deltas: tuple[Delta, ...], place: Place) -> None:
    kept = cut_at(deltas, place)

    assert kept is None or 0 <= kept <= len(deltas)


@given(streams(), st.integers(0, 12))
def test_so_many_chunks_with_content_come_before(deltas: tuple[Delta, ...], count: int) -> None:
    kept = cut_at(deltas, Place("after_chunks", count))

    if kept is None:
        assert sum(delta.is_content for delta in deltas) < count
    else:
        assert sum(delta.is_content for delta in deltas[:kept]) == count
        assert deltas[kept - 1].is_content if count else kept == 0


@given(streams(), st.text("abé€😀 ", min_size=1, max_size=3))
def test_a_text_is_said_in_the_last_chunk_that_came_and_not_before(deltas: tuple[Delta, ...], text: str) -> None:
    kept = cut_at(deltas, Place("text", text=text))

    if kept is None:
        assert not any(text in content_of(deltas, choice) for choice in (0, 1))
    else:
        assert any(text in content_of(deltas[:kept], choice) for choice in (0, 1))
        assert not any(text in content_of(deltas[: kept - 1], choice) for choice in (0, 1))


@given(streams(), st.integers(1, 30))
def test_the_chunks_that_came_lie_within_so_many_bytes(deltas: tuple[Delta, ...], count: int) -> None:
    kept = cut_at(deltas, Place("bytes", count))

    if kept is None:
        assert len(content_of(deltas).encode()) < count
    else:
        assert len(content_of(deltas[:kept]).encode()) <= count
        assert len(content_of(deltas[:kept]).encode()) == count or len(content_of(deltas[: kept + 1]).encode()) > count


@given(streams())
def test_named_places(deltas: tuple[Delta, ...]) -> None:
    finish = cut_at(deltas, Place("finish"))
    assert finish is not None
    assert deltas[finish].finish_reason is not None
    assert all(delta.finish_reason is None for delta in deltas[:finish])
    assert cut_at(deltas, Place("usage")) == cut_at(deltas, Place("done")) == len(deltas)

    tools = cut_at(deltas, Place("tool_arguments"))
    has_arguments = [any(call.arguments for call in delta.calls) for delta in deltas]
    assert has_arguments[: tools or 0] == [False] * ((tools or 1) - 1) + [True] * bool(tools)
    assert (tools is None) == (not any(has_arguments))

    thinks = [bool(delta.fields.get("reasoning")) for delta in deltas]
    reasoning = cut_at(deltas, Place("reasoning"))
    assert thinks[: reasoning or 0] == [False] * ((reasoning or 1) - 1) + [True] * bool(reasoning)
    assert (reasoning is None) == (not any(thinks))


@given(streams())
def test_half_is_some_of_it_and_never_its_end(deltas: tuple[Delta, ...]) -> None:
    kept = cut_at(deltas, HALF)

    assert kept is not None
    assert 0 < kept < len(deltas)
    count, came = (sum(delta.is_content for delta in part) for part in (deltas, deltas[:kept]))
    assert came == (count + 1) // 2


def test_each_choice_says_a_text_for_itself() -> None:
    deltas = (Delta({"content": "Pa"}, choice=1), Delta({"content": "ris"}), Delta({"content": "ris"}, choice=1))

    assert cut_at(deltas, Place("text", text="Paris")) == 3


def test_scripted_details_are_reasoning_too() -> None:
    assert cut_at((Delta({"reasoning_details": [{"text": "a"}]}),), Place("reasoning")) == 1


def test_an_increment_whose_content_is_no_text_has_no_bytes() -> None:
    assert cut_at((Delta({"content": None}), Delta({"content": "a"})), Place("bytes", 1)) == 2


def test_half_a_surrogate_pair_has_bytes() -> None:
    assert cut_at((Delta({"content": "\ud800"}),), Place("bytes", 3)) == 1


@pytest.mark.parametrize("place", [*map(Place, PLACE_NAMES), HALF, Place("text", text="a"), Place("bytes", 1)])
def test_nothing_has_only_a_beginning(place: Place) -> None:
    assert cut_at((), place) is None
    assert cut_at((), START) == 0


def test_a_call_is_content_and_its_name_no_arguments() -> None:
    deltas = (
        Delta({"role": "assistant"}, (CallDelta(0, "", ToolCall("f", "{}")),)),
        Delta({}, (CallDelta(0, "{}"),)),
    )

    assert cut_at(deltas, Place("after_chunks", 1)) == 1
    assert cut_at(deltas, Place("tool_arguments")) == 2


FAILS = {  # (plain, stream) with an answer; (plain, stream) alone, None: it can't be
    "reset": ((True, True), (True, True)),
    "no_response": ((True, True), (True, True)),
    "empty": ((True, False), (True, False)),
    "html": ((True, True), (True, True)),
    "not_json": ((True, True), (True, True)),
    "truncated": ((True, False), (True, True)),
    "not_sse": ((False, True), (True, True)),
    "slow": ((False, False), None),
    "cut": ((True, False), None),
    "stall": ((True, False), None),
    "malformed": ((True, False), None),
    "no_done": ((False, False), None),
    "error_event": ((True, False), (True, True)),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_whether_anything_is_left_of_an_answer(kind: Kind) -> None:
    answered, alone = FAILS[kind]
    placed = ConnectionFault(kind, Place("after_chunks", 1), for_s=1.0 if kind == "slow" else None)

    assert tuple(placed.fails(stream=stream, answered=True) for stream in (False, True)) == answered
    if alone is not None:
        at_the_start = replace(placed, place=START)
        assert tuple(at_the_start.fails(stream=stream, answered=False) for stream in (False, True)) == alone


@pytest.mark.parametrize("kind", ["cut", "stall", "malformed", "error_event"])
def test_before_the_first_chunk_nothing_is_left(kind: Kind) -> None:
    assert ConnectionFault(kind).fails(stream=True, answered=True)


def test_a_silence_that_ends_leaves_the_answer() -> None:
    assert not ConnectionFault("stall", for_s=1.0).fails(stream=False, answered=True)


@given(streams(), PLACES, st.sampled_from(["stall", "slow", "cut"]), st.none() | st.sampled_from([0.25, 90.0]))
def test_what_is_late_comes_as_much_later_and_nothing_else_changes(
    deltas: tuple[Delta, ...], place: Place, kind: Kind, for_s: float | None
) -> None:
    assume(for_s is None or kind != "cut")
    fault = ConnectionFault(kind, place, for_s)

    late, latency_s = delayed(fault, deltas, 2.0)

    shifts = [after.at_s - before.at_s for before, after in zip(deltas, late, strict=True)]
    assert [replace(delta, at_s=0.0) for delta in late] == [replace(delta, at_s=0.0) for delta in deltas]
    assert [delta.at_s for delta in late] == sorted(delta.at_s for delta in late)
    kept = 0 if kind == "slow" else cut_at(deltas, place)
    if for_s is None or kept is None:
        assert (late, latency_s) == (deltas, 2.0)
    else:
        first = min(kept, len(deltas) - 1)
        assert shifts[:first] == [0.0] * first
        assert shifts[first:] == pytest.approx([for_s] * (len(deltas) - first))
        assert latency_s == 2.0 + for_s


@pytest.mark.parametrize("place", [Place("usage"), Place("done")])
def test_where_all_has_come_only_the_end_is_late(place: Place) -> None:
    deltas = (Delta({"content": "a"}), Delta({"content": "b"}), Delta({}, finish_reason="stop"))

    late, latency_s = delayed(ConnectionFault("stall", place, 5.0), deltas, 1.0)

    assert ([delta.at_s for delta in late], latency_s) == ([0.0, 0.0, 5.0], 6.0)


def test_a_plain_answer_without_increments_is_late_as_a_whole() -> None:
    assert delayed(ConnectionFault("slow", for_s=20.0), (), 1.0) == ((), 21.0)


@given(SAID)
def test_a_place_is_the_start_only_before_the_first_chunk(text: str) -> None:
    assert START.is_start
    assert not any(place.is_start for place in (Place("after_chunks", 1), Place("text", text=text), HALF))
