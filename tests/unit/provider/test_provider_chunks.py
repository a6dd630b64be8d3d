"""How a provider streams: the increments add up to the message, whatever is said and however it is cut."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.provider.chunks import cut_choices, split_text
from mockbifrost.provider.fragments import FRAGMENTS, Fragments, cut_calls, split_inside_escapes
from mockbifrost.provider.increments import join_deltas
from mockbifrost.provider.pace import Cut, Pace
from mockbifrost.seeds import Draws
from mockbifrost.wire.chunk import Delta
from mockbifrost.wire.completion import Choice, Message, ToolCall
from tests.strategies import ANNOTATIONS, AUDIO, JSON, NAMES, TEXTS

WORDS: tuple[Cut, ...] = ("token", "word", "char", "whole")
CUTS: st.SearchStrategy[Cut] = st.sampled_from(WORDS) | st.integers(1, 50)
CALLS = st.builds(ToolCall, NAMES, TEXTS, st.none() | NAMES)
MESSAGES = st.builds(
    Message,
    st.none() | TEXTS,
    refusal=st.none() | TEXTS,
    audio=st.none() | AUDIO,
    reasoning=st.none() | TEXTS,
    reasoning_details=st.none() | st.lists(JSON, max_size=2),
    annotations=st.none() | st.lists(ANNOTATIONS, max_size=2),
    tool_calls=st.lists(CALLS, max_size=3).map(tuple),
)
UNITS = Draws(0, b"").units("test")


def cut(messages: Sequence[Message], how: Cut = "token", fragments: Fragments = "openai") -> tuple[Delta, ...]:
    choices = [Choice(index, message, f"reason {index}") for index, message in enumerate(messages)]
    return cut_choices(choices, Pace(chunk=how), fragments, UNITS)


def arguments(deltas: Sequence[Delta], choice: int) -> dict[int, str]:
    """What the pieces of each call add up to, by index."""
    found: dict[int, str] = {}
    for delta in deltas:
        for call in delta.calls if delta.choice == choice else ():
            found[call.index] = found.get(call.index, "") + call.arguments
    return found


@given(TEXTS, CUTS)
def test_the_pieces_of_a_text_are_the_text(text: str, how: Cut) -> None:
    pieces = split_text(text, how)

    assert "".join(pieces) == text
    assert all(pieces)


@pytest.mark.parametrize(
    ("how", "pieces"),
    [
        ("token", ["Hello", " there", ",", " it", " costs", " 12", ".", "5", " €!"]),
        ("word", ["Hello", " there,", " it", " costs", " 12.5", " €!"]),
        ("char", list("Hello there, it costs 12.5 €!")),
        ("whole", ["Hello there, it costs 12.5 €!"]),
        (10, ["Hello ther", "e, it cost", "s 12.5 €!"]),
    ],
)
def test_a_text_is_cut_as_asked(how: Cut, pieces: list[str]) -> None:
    assert split_text("Hello there, it costs 12.5 €!", how) == pieces


@given(st.lists(MESSAGES, min_size=1, max_size=3), CUTS, st.sampled_from(FRAGMENTS))
def test_the_increments_add_up_to_the_message(messages: list[Message], how: Cut, fragments: Fragments) -> None:
    deltas = cut(messages, how, fragments)

    said = join_deltas(deltas)
    for index, message in enumerate(messages):
        found: dict[str, Any] = dict(said[index])
        assert (found.get("content") or None) == (message.content or None)
        assert found.get("refusal") == (message.refusal or None)
        assert found.get("reasoning") == (message.reasoning or None)
        assert found.get("annotations") == message.annotations
        assert found["role"] == "assistant"
        calls = arguments(deltas, index)
        assert [calls[number] for number in sorted(calls)] == [call.arguments for call in message.tool_calls]


@given(AUDIO, CUTS)
def test_the_increments_of_audio_add_up(audio: dict[str, Any], how: Cut) -> None:
    found: dict[str, Any] = {}
    for delta in cut([Message(audio=audio)], how):
        piece: Any = delta.fields.get("audio", {})
        for key, value in piece.items():
            found[key] = found[key] + value if key in ("data", "transcript") and key in found else value

    assert {"data": "", "transcript": "", **found} == audio


@given(MESSAGES, CUTS, st.sampled_from(FRAGMENTS))
def test_a_stream_begins_with_the_role_and_ends_with_the_reason(
    message: Message, how: Cut, fragments: Fragments
) -> None:
    deltas = cut([message], how, fragments)

    assert [number for number, delta in enumerate(deltas) if "role" in delta.fields] == [0]
    assert [number for number, delta in enumerate(deltas) if delta.finish_reason] == [len(deltas) - 1]
    assert deltas[-1] == Delta({}, finish_reason="reason 0")


def test_a_message_that_only_calls_says_its_role_with_the_first_call() -> None:
    first, *_rest = cut([Message(tool_calls=(ToolCall("f", "{}"),))])

    assert first.fields == {"role": "assistant"}
    assert first.calls[0].start == ToolCall("f", "{}")


def test_parts_are_streamed_as_one_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]

    assert join_deltas(cut([Message(parts)]))[0]["content"] == "a\n\nb"


def test_choices_come_in_turns() -> None:
    deltas = cut([Message("a b c"), Message("d e")], "word")

    assert [delta.choice for delta in deltas] == [0, 1, 0, 1, 0, 1, 0, 1, 0]


def test_log_probabilities_come_with_the_words_they_are_of() -> None:
    """Those of a refusal too; what can't be cut comes whole with the last piece."""
    entries: list[Any] = [{"token": token} for token in ("No", " way")]
    logprobs: dict[str, Any] = {"refusal": entries, "tokens": ["No", " way"]}

    _role, *said, end = cut_choices([Choice(0, Message(refusal="No way"), "stop", logprobs)], Pace(), "openai", UNITS)

    assert [delta.logprobs for delta in said] == [
        {"refusal": entries[:1]},
        {"refusal": entries[1:], "tokens": ["No", " way"]},
    ]
    assert end.logprobs is None


def test_scripted_details_of_reasoning_come_whole() -> None:
    details: list[Any] = [{"type": "reasoning.summary", "summary": "S"}]

    deltas = cut([Message("x", reasoning="a b", reasoning_details=details)])

    assert deltas[1].fields == {"reasoning": "a b", "reasoning_details": details}


CALL = ToolCall("f", '{"a":"\\u00e9\\n"}', "c")


@pytest.mark.parametrize(
    ("how", "pieces"),
    [
        ("openai", ["", '{"', "a", '":', '"\\', "u", "00", "e", "9", "\\", "n", '"}']),
        ("one_chunk", ['{"a":"\\u00e9\\n"}']),
        ("per_char", ["", *'{"a":"\\u00e9\\n"}']),
        ("split_escape", ["", '{"a":"\\u0', "0e9\\", 'n"}']),
        ("interleaved", ["", '{"', "a", '":', '"\\', "u", "00", "e", "9", "\\", "n", '"}']),
        ("name_repeated", ["", '{"', "a", '":', '"\\', "u", "00", "e", "9", "\\", "n", '"}']),
    ],
)
def test_a_call_is_cut_as_asked(how: Fragments, pieces: list[str]) -> None:
    found = cut_calls([CALL], how)

    assert [piece.arguments for piece in found] == pieces
    assert [piece.start for piece in found] == [CALL, *[None] * (len(pieces) - 1)]
    assert [piece.repeated for piece in found[1:]] == [CALL if how == "name_repeated" else None] * (len(pieces) - 1)


def test_every_style_is_shown() -> None:
    assert FRAGMENTS == ("openai", "one_chunk", "per_char", "split_escape", "interleaved", "name_repeated")


def test_interleaved_calls_come_in_turns() -> None:
    found = cut_calls([ToolCall("a", "1 2"), ToolCall("b", "3")], "interleaved", calls_before=2)

    assert [(piece.index, piece.number, piece.arguments) for piece in found] == [
        (0, 2, ""),
        (1, 3, ""),
        (0, 2, "1"),
        (1, 3, "3"),
        (0, 2, " 2"),
    ]


@given(st.lists(CALLS, max_size=3), st.sampled_from(FRAGMENTS), st.integers(0, 5))
def test_each_call_starts_once_with_its_name(calls: list[ToolCall], how: Fragments, before: int) -> None:
    found = cut_calls(calls, how, before)

    assert sorted((piece.index, piece.number) for piece in found if piece.start) == [
        (index, before + index) for index in range(len(calls))
    ]
    started: set[int] = set()
    for piece in found:
        assert piece.start is not None or piece.index in started
        started.add(piece.index)


@given(TEXTS | JSON.map(lambda value: json.dumps(value)))
def test_cutting_inside_escapes_loses_nothing(text: str) -> None:
    pieces = split_inside_escapes(text)

    assert "".join(pieces) == text
    assert all(pieces)


@given(st.lists(TEXTS, min_size=1, max_size=8), CUTS)
def test_log_probabilities_stay_with_their_text(tokens: list[str], how: Cut) -> None:
    """In order, none lost, and each at the latest where its token ends."""
    entries: list[Any] = [{"token": token, "logprob": -1.0} for token in tokens]
    choice = Choice(0, Message("".join(tokens)), "stop", {"content": entries})

    deltas = [delta for delta in cut_choices([choice], Pace(chunk=how), "openai", UNITS) if delta.fields.get("content")]

    given = [list(delta.logprobs["content"]) for delta in deltas if delta.logprobs]  # type: ignore[arg-type]
    assert [entry for part in given for entry in part] == (entries if deltas else [])
    said = read = 0
    for delta, part in zip(deltas, given, strict=True):
        said += len(str(delta.fields["content"]))
        read += sum(len(entry["token"]) for entry in part)
        assert read <= said
