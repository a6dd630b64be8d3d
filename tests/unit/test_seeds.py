"""Everything drawn depends on its key and on nothing else."""

import subprocess
import sys
import uuid
from dataclasses import fields, replace
from itertools import islice
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mockbifrost.seeds import ALPHABET, Draws, digest

NAMES = st.text(st.characters(exclude_characters="\x1f"), max_size=10)
DRAWS = st.builds(
    Draws,
    st.integers(),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**40),
    NAMES,
    st.integers(0, 100),
)
OTHER: dict[str, st.SearchStrategy[Any]] = {
    "seed": st.integers(),
    "fingerprint": st.binary(min_size=16, max_size=16),
    "occurrence": st.integers(0, 2**40),
    "provider": NAMES,
    "attempt": st.integers(0, 100),
}


@given(DRAWS, NAMES, st.data())
def test_a_draw_depends_on_each_part_of_its_key(draws: Draws, purpose: str, data: st.DataObject) -> None:
    part = data.draw(st.sampled_from(sorted(OTHER)))
    other = replace(draws, **{part: data.draw(OTHER[part])})
    assume(other != draws)

    assert draws.token(purpose) != other.token(purpose)


@given(DRAWS, NAMES, NAMES)
def test_a_draw_depends_on_its_purpose(draws: Draws, one: str, other: str) -> None:
    assert (draws.token(one) == draws.token(other)) == (one == other)


def test_the_law_above_names_every_part() -> None:
    assert {field.name for field in fields(Draws)} == set(OTHER)


@given(DRAWS, NAMES)
def test_the_same_key_gives_the_same(draws: Draws, purpose: str) -> None:
    again = replace(draws)

    assert draws.token(purpose) == again.token(purpose)
    assert draws.unit(purpose) == again.unit(purpose)
    assert list(islice(draws.units(purpose), 20)) == list(islice(again.units(purpose), 20))


@given(DRAWS, NAMES, st.integers(1, 64))
def test_a_token_is_made_of_letters_and_digits(draws: Draws, purpose: str, length: int) -> None:
    token = draws.token(purpose, length)

    assert len(token) == length
    assert set(token) <= set(ALPHABET)


@given(DRAWS, NAMES, st.integers(1, 128))
def test_hexadecimal_digits_are_as_many_as_asked(draws: Draws, purpose: str, length: int) -> None:
    found = draws.hexadecimal(purpose, length)

    assert len(found) == length
    assert set(found) <= set("0123456789abcdef")


@given(DRAWS, NAMES)
def test_a_uuid_has_the_form_of_version_4(draws: Draws, purpose: str) -> None:
    found = uuid.UUID(draws.uuid(purpose))

    assert (found.version, found.variant) == (4, uuid.RFC_4122)
    assert str(found) == draws.uuid(purpose)


@given(DRAWS, NAMES)
def test_numbers_stay_in_their_range(draws: Draws, purpose: str) -> None:
    assert 0 <= draws.unit(purpose) < 1
    assert all(0 <= unit < 1 for unit in islice(draws.units(purpose), 30))


@given(DRAWS, st.integers(-50, 50), st.integers(0, 100))
def test_a_whole_number_lies_within_both_bounds(draws: Draws, low: int, span: int) -> None:
    assert low <= draws.integer("x", low, low + span) <= low + span


def test_all_of_a_range_and_of_a_row_come_up() -> None:
    draws = [Draws(0, b"", occurrence) for occurrence in range(200)]

    assert {each.integer("x", 3, 7) for each in draws} == {3, 4, 5, 6, 7}
    assert {each.choice("x", "abc") for each in draws} == {"a", "b", "c"}


def test_numbers_are_spread_evenly() -> None:
    units = list(islice(Draws(1, b"").units("x"), 10_000))

    tenths = [sum(number / 10 <= unit < (number + 1) / 10 for unit in units) for number in range(10)]
    assert all(900 < count < 1100 for count in tenths)


@given(st.lists(NAMES, max_size=4), st.lists(NAMES, max_size=4))
def test_a_digest_depends_on_all_parts_and_their_borders(one: list[str], other: list[str]) -> None:
    assume(one and other)

    assert (digest(*one) == digest(*other)) == (one == other)


@pytest.mark.parametrize("size", [1, 16, 64])
def test_a_digest_has_its_size(size: int) -> None:
    assert len(digest("x", None, 5, size=size)) == size


def test_the_values_are_the_same_in_every_process_and_version() -> None:
    """Pinned: a change here changes every answer that people have stored."""
    draws = Draws(7, bytes(16), 2, "openai", 1)

    assert draws.token("id", 12) == "deSnSfmF2VI6"
    assert draws.uuid("id") == "45949d56-6767-4bd6-9b76-b871835811ba"
    assert draws.integer("x", 0, 999) == 805
    assert draws.unit("x") == 0.23643346768975126


def test_nothing_depends_on_the_hash_seed() -> None:
    program = "from mockbifrost.seeds import Draws; print(Draws(7, bytes(16)).token('id'))"

    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }

    assert found == {Draws(7, bytes(16)).token("id") + "\n"}
