"""The built-in splitter and counter: deterministic, and nothing is lost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.provider.tokens import (
    AUDIO_BYTES_PER_TOKEN,
    IMAGE,
    IMAGE_LOW,
    PER_MESSAGE,
    PER_TOOL_CALL,
    PRIMING,
    TokenCounter,
    split_tokens,
    split_words,
)
from mockbifrost.wire.completion import Message, ToolCall
from mockbifrost.wire.request import validate
from tests.strategies import REQUESTS, TEXTS

ANY = TEXTS | st.text(st.sampled_from("a b\n_1é漢😀.,\u00a0\u2028\t'\"{}"), max_size=40)


@given(ANY)
def test_tokens_are_the_text(text: str) -> None:
    assert "".join(split_tokens(text)) == text


@given(ANY)
def test_words_are_the_text(text: str) -> None:
    assert "".join(split_words(text)) == text


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("Hello, world!", ["Hello", ",", " world", "!"]),
        ("internationally", ["internat", "ionally"]),
        ("12345", ["123", "45"]),
        ("snake_case", ["snake", "_", "case"]),
        ("漢字です", ["漢", "字", "で", "す"]),
        ("a\n\n b", ["a", "\n\n ", "b"]),
        ('{"a":1}', ['{"', "a", '":', "1", "}"]),
    ],
)
def test_a_text_is_split_as_providers_roughly_do(text: str, tokens: list[str]) -> None:
    assert split_tokens(text) == tokens


@pytest.mark.parametrize(
    ("text", "words"), [("", []), ("a  b\n c ", ["a", "  b", "\n c", " "]), ("  ", ["  "]), ("one", ["one"])]
)
def test_words_have_the_white_space_before_them(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@given(st.lists(TEXTS, max_size=10))
def test_remembering_changes_no_count(texts: list[str]) -> None:
    """Also where the memory is so small that it is emptied again and again."""
    small = TokenCounter(most_characters=100)

    assert [small.count(text) for text in texts * 2] == [len(split_tokens(text)) for text in texts * 2]


def prompt(*messages: dict[str, Any], **more: Any) -> tuple[int, dict[str, int]]:
    return TokenCounter().prompt(validate({"model": "gpt-4o", "messages": list(messages), **more}))


USER = {"role": "user", "content": "Hello there"}
FRAME = PRIMING + PER_MESSAGE


def test_a_prompt_counts_its_messages_with_their_frames() -> None:
    assert prompt(USER) == (FRAME + 2, {})
    assert prompt(USER, {"role": "user", "content": "x", "name": "bob"}) == (FRAME + 2 + PER_MESSAGE + 2, {})
    assert prompt() == (PRIMING, {})
    assert TokenCounter().prompt(validate({"model": "gpt-4o"})) == (PRIMING, {})


def test_a_prompt_counts_calls_and_tools_and_the_format() -> None:
    calls = [{"id": "c", "function": {"name": "look", "arguments": '{"a":1}'}}]
    tools = [{"type": "function", "function": {"name": "look"}}]
    wanted = {"type": "json_object"}

    assert prompt({"role": "assistant", "content": None, "tool_calls": calls}) == (FRAME + PER_TOOL_CALL + 1 + 5, {})
    with_tools, _details = prompt(USER, tools=tools)
    assert with_tools == FRAME + 2 + len(split_tokens('[{"type":"function","function":{"name":"look"}}]'))
    with_format, _details = prompt(USER, response_format=wanted)
    assert with_format == FRAME + 2 + len(split_tokens('{"type":"json_object"}'))


def test_pictures_and_sound_are_counted_apart_and_in_the_whole() -> None:
    parts = [
        {"type": "text", "text": "Hello there"},
        {"type": "image_url", "image_url": {"url": "a"}},
        {"type": "image_url", "image_url": {"url": "a", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "A" * (AUDIO_BYTES_PER_TOKEN * 2), "format": "wav"}},
    ]

    total, details = prompt({"role": "user", "content": parts})

    assert details == {"image_tokens": IMAGE + IMAGE_LOW, "audio_tokens": 3}
    assert total == FRAME + 2 + IMAGE + IMAGE_LOW + 3


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"type": "image_url"},
        {"type": "image_url", "image_url": "a"},
        {"type": "input_audio"},
        {"type": "input_audio", "input_audio": {"data": 5}},
        {"type": "text"},
        {"type": "text", "text": 5},
        {"type": "file", "file": {}},
    ],
)
def test_a_part_of_any_form_is_counted(part: dict[str, Any]) -> None:
    total, _details = prompt({"role": "user", "content": [part]})

    assert total >= FRAME


def test_a_completion_counts_all_that_was_said() -> None:
    audio = {"data": "A" * AUDIO_BYTES_PER_TOKEN}
    messages = [
        Message("Hello there", reasoning="Hm hm", tool_calls=(ToolCall("look", '{"a":1}'),)),
        Message([{"type": "text", "text": "One two"}, {"type": "other"}], refusal="No", audio=audio),
    ]

    total, details = TokenCounter().completion(messages)

    assert details == {"reasoning_tokens": 2, "audio_tokens": 2}
    assert total == 2 + 2 + (PER_TOOL_CALL + 1 + 5) + 2 + 1 + 2


def test_nothing_said_is_no_token() -> None:
    assert TokenCounter().completion([Message()]) == (0, {})


@given(REQUESTS)
def test_the_same_prompt_has_the_same_count(body: dict[str, Any]) -> None:
    request = validate(body)
    counter = TokenCounter()

    assert counter.prompt(request) == counter.prompt(request) == TokenCounter().prompt(request)
