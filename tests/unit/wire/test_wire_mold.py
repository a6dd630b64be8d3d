"""Bytes with holes: filling a mold is the same as encoding with the values, whatever is said around the holes."""

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.wire.jsontypes import encode
from mockbifrost.wire.mold import Mold, Slot, hole
from tests.strategies import JSON, TEXTS

SLOTS = 20
VALUES = st.lists(JSON, min_size=SLOTS, max_size=SLOTS)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a hole belongs."""

    slot: int


PLACES = st.builds(Place, st.integers(0, SLOTS - 1))
LIKE_HOLES = st.sampled_from(["\xff0000\xff", "\\xff0000\\xff", "ÿ0001ÿ", '"\xff0002\xff"'])
"""Texts that look as a hole does."""
TREES: st.SearchStrategy[Any] = st.recursive(
    PLACES | JSON | LIKE_HOLES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | LIKE_HOLES, inner, max_size=4),
    max_leaves=12,
)


def replaced(tree: Any, values: list[Any] | None) -> Any:
    """The tree with the values in its places, or with holes."""
    if isinstance(tree, Place):
        return hole(tree.slot) if values is None else values[tree.slot]
    if isinstance(tree, dict):
        return {key: replaced(inner, values) for key, inner in tree.items()}
    return [replaced(inner, values) for inner in tree] if isinstance(tree, list) else tree


def filled(mold: Mold, values: list[Any]) -> bytes:
    return mold.fill([encode(value) for value in values])


@given(TREES, VALUES)
def test_filling_is_encoding_with_the_values(tree: Any, values: list[Any]) -> None:
    """Nothing that a user or a scenario says is taken for a hole, and no hole is missed."""
    assert filled(Mold.of(encode(replaced(tree, None))), values) == encode(replaced(tree, values))


@given(st.lists(TREES, min_size=1, max_size=4), VALUES)
def test_joined_molds_fill_as_each_of_them(trees: list[Any], values: list[Any]) -> None:
    molds = [Mold.of(encode(replaced(tree, None))) for tree in trees]

    assert filled(Mold.joined(molds), values) == b"".join([filled(mold, values) for mold in molds])


def test_bytes_without_a_hole_are_one_literal() -> None:
    mold = Mold.of(b'{"a":1}')

    assert (mold.literals, mold.slots) == ((b'{"a":1}',), ())
    assert mold.fill([]) == b'{"a":1}'


def test_a_hole_may_be_used_twice_and_stand_at_the_ends() -> None:
    mold = Mold.of(encode([hole(Slot.ID), hole(Slot.CREATED), hole(Slot.ID)])[1:-1])

    assert mold.literals == (b"", b",", b",", b"")
    assert mold.fill([b'"x"', b"7"]) == b'"x",7,"x"'


def test_the_ids_of_calls_follow_the_fixed_slots() -> None:
    mold = Mold.of(encode([hole(Slot.CALL), hole(Slot.CALL + 1)]))

    assert mold.slots == (8, 9)
    assert max(slot for slot in Slot if slot is not Slot.CALL) < Slot.CALL
