from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.vocabulary.durations import UNITS_MS, format_duration, parse_duration

KNOWN = "write a number and a unit (ms, s, m, h, d, w, M, Q, Y), as in 350ms, 1.5s or 1m30s"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("350ms", 0.35),
        ("0.35s", 0.35),
        ("2s", 2.0),
        ("3m", 180.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
        ("1w", 604800.0),
        ("1M", 2592000.0),
        ("1Q", 7776000.0),
        ("1Y", 31536000.0),
        ("1m30s", 90.0),
        ("1h0.5m20ms", 3630.02),
        (" 5s ", 5.0),
        ("0", 0.0),
        ("0.0", 0.0),
        ("0ms", 0.0),
        (0, 0.0),
        (0.0, 0.0),
    ],
    ids=repr,
)
def test_duration_is_seconds(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (350, "a duration needs a unit: write 350ms or 350s"),
        (0.35, "a duration needs a unit: write 0.35ms or 0.35s"),
        ("20", "a duration needs a unit: write 20ms or 20s"),
        ("-5s", "a duration can't be negative: -5s"),
        (-1, "a duration can't be negative: -1"),
        ("5 min", f"'5 min' is not a duration: {KNOWN}"),
        ("1m 30s", f"'1m 30s' is not a duration: {KNOWN}"),
        ("5S", f"'5S' is not a duration: {KNOWN}"),
        ("1e3s", f"'1e3s' is not a duration: {KNOWN}"),
        ("٣s", f"'٣s' is not a duration: {KNOWN}"),
        ("", f"'' is not a duration: {KNOWN}"),
        (math.inf, f"'inf' is not a duration: {KNOWN}"),
        ("9" * 16 + "s", f"'{'9' * 16}s' is not a duration: {KNOWN}"),
        (True, f"True is not a duration: {KNOWN}"),
    ],
    ids=repr,
)
def test_what_is_no_duration_is_refused_with_the_way_to_write_it(text: str | float, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        parse_duration(text)
    assert str(caught.value) == message


@given(st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(sorted(UNITS_MS))), min_size=1, max_size=4))
def test_pieces_add_up(pieces: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in pieces)
    assert parse_duration(text) == sum(number * UNITS_MS[unit] for number, unit in pieces) / 1000


@given(st.integers(0, 10**12))
def test_a_formatted_duration_reads_back_to_the_millisecond(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.text() | st.integers() | st.floats())
def test_anything_else_is_a_number_or_a_value_error(text: str | float) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert seconds >= 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.35, "350ms"), (90, "1m30s"), (86400, "1d"), (694861.5, "8d1h1m1s500ms")]
)
def test_format_is_the_shortest(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
