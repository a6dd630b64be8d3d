"""Secrets taken out of what people may read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.wire.redact import HIDDEN, hinted, redact, redact_headers, redact_text
from tests.strategies import JSON, TEXTS

KEYS = (
    "sk-abcdefgh12345678",
    "sk-proj-Ab_12-cdefgh",
    "sk-bf-team-alpha",
    "pk-abcdefghijklmnop1234",
    "gsk_abcdefghijklmnop12",
    "xai-abcdefghijklmnop12",
    "AIzaSyA-1234567890_abcdefghijklmnopqr",
    "ghp_abcdefghijklmnopqrstuv",
    "github_pat_11ABCDEFG0abcdefghijkl",
    "AKIAIOSFODNN7EXAMPLE",
    "hf_abcdefghijklmnopqrstuv",
    "xoxb-1234567890-abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcDEF123",
)


@pytest.mark.parametrize("key", KEYS)
def test_what_has_the_shape_of_a_key_is_hidden(key: str) -> None:
    assert redact_text(f"my key is {key}, keep it") == f"my key is {HIDDEN}, keep it"


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("sk-bf-team-alpha", "sk-bf-team-alpha"),
        ("sk-bf-0123456789a", "sk-bf-012…"),
        ("Bearer sk-bf-0123456789a", "Bearer sk-bf-012…"),
        ("a=0123456789012345; b=0123456789012345", "a=0123456… b=0123456…"),
        ("", ""),
    ],
)
def test_of_a_long_secret_the_beginning_is_shown(secret: str, shown: str) -> None:
    assert hinted(secret) == shown


@pytest.mark.parametrize(
    "text", ["sk-", "task-force-management", "sk-short", "eyJ.eyJ.x", "AKIA", "chatcmpl-abcdefghij"]
)
def test_other_words_stay(text: str) -> None:
    assert redact_text(text) == text


CARRIERS = (
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "X-Api-Key",
    "Api-Key",
    "X-Goog-Api-Key",
    "X-Bf-Vk",
    "X-Bf-Api-Key",
    "X-Bf-Api-Key-Id",
)


@pytest.mark.parametrize("name", CARRIERS)
def test_a_header_that_carries_a_secret_keeps_only_its_name(name: str) -> None:
    assert redact_headers({name: "anything", name.lower(): "else"}) == {name: HIDDEN, name.lower(): HIDDEN}


def test_other_headers_are_redacted_as_texts_are() -> None:
    assert redact_headers({"x-note": f"use {KEYS[0]}", "accept": "*/*"}) == {"x-note": f"use {HIDDEN}", "accept": "*/*"}


def test_keys_and_values_of_json_are_redacted() -> None:
    value = {"messages": [{"content": f"key {KEYS[1]}"}], KEYS[0]: (1, None, True, 2.5)}

    assert redact(value) == {"messages": [{"content": f"key {HIDDEN}"}], HIDDEN: [1, None, True, 2.5]}


@given(TEXTS, st.sampled_from(KEYS), TEXTS)
def test_no_key_survives_between_blanks(before: str, key: str, after: str) -> None:
    assert key not in redact_text(f"{before} {key} {after}")


@given(JSON)
def test_redacting_twice_is_redacting_once(value: Any) -> None:
    once = redact(value)

    assert redact(once) == once
