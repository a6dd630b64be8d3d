"""Texts drawn for patterns match them, or none is given; never without an end."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockbifrost.scenario.patterns import matching
from mockbifrost.seeds import Draws


def text_of(pattern: str, seed: int = 0, stretch: int = 0) -> str | None:
    return matching(pattern, Draws(seed, b"").units("test"), stretch)


ATOMS = st.sampled_from(
    ["a", r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", ".", "[a-f]", "[^a-f]", r"[^\d]", "[é-ÿ]", r"\.", "ß", "[^a]"]
)
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "+?"])).map(
            lambda part: f"(?:{part[0]}){part[1]}"
        ),
        inner.map(lambda part: f"({part})"),
    ),
    max_leaves=6,
)


@settings(max_examples=100)
@given(PATTERNS, st.integers(0, 3), st.integers(0, 11), st.booleans())
def test_a_text_matches_its_pattern(pattern: str, seed: int, stretch: int, whole: bool) -> None:
    pattern = f"^{pattern}$" if whole else pattern

    text = text_of(pattern, seed, stretch)

    assert text is not None
    assert re.search(pattern, text)
    assert text_of(pattern, seed, stretch) == text


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("^abc$", "abc"),
        (r"^a{3}$", "aaa"),
        (r"^(?P<x>ab)(?P=x)$", "abab"),
        (r"^(?<x>ab)\1$", "abab"),
        (r"^\(?<a>$", None),
        (r"^[\u00e9]$", "é"),
        (r"^(?>a)b$", "ab"),
        (r"^a++$", None),
    ],
)
def test_a_pattern_with_one_text_gives_it(pattern: str, text: str | None) -> None:
    found = text_of(pattern)

    assert found is not None
    assert re.search(pattern.replace("(?<x>", "(?P<x>"), found)
    assert text is None or found == text


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        r"\p{L}",
        "a$b",
        "^(?!a)a$",
        "[^\\x00-\\U0010ffff]",
        "a{2000}",
        "((a{1000}){1000}){1000}",
        r"(a)?(?(1)b|c)",
        "[\\ud800]",
        "(" * 2000 + "a" + ")" * 2000,
    ],
    ids=lambda pattern: pattern[:20],
)
def test_a_pattern_that_cant_be_met_gives_none(pattern: str) -> None:
    assert text_of(pattern) is None


def test_a_set_that_looks_nested_is_read() -> None:
    """Python warns of them, and warnings are errors here."""
    text = text_of("^[[a]$")

    assert text is not None
    assert text in "[a"


def test_stretched_repetitions_are_longer() -> None:
    assert [len(text_of("^a*$", stretch=stretch) or "") for stretch in (8, 9, 10)] == [34, 38, 42]


def test_all_but_ascii_is_found() -> None:
    text = text_of(r"^[^\x00-\x7f]+$")

    assert text is not None
    assert not text.isascii()
