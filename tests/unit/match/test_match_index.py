"""The index leaves out only what can't hold, and keeps the order."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.match.expectation import Expectation, Key
from mockbifrost.match.index import FEW, Index
from mockbifrost.scenario.expect import expectation_of
from mockbifrost.scenario.load import stub_from_mapping
from tests.harness import attempt, chat

WORDS = st.text(st.sampled_from("ab A\nß"), min_size=1, max_size=4)
"""Few letters, so that texts often hold one another."""
PLAIN = st.one_of(
    WORDS,
    *[st.builds(lambda key, word: {key: word}, st.just(key), WORDS) for key in ("equals", "starts_with", "ends_with")],
    st.builds(lambda word: {"contains": word, "ignore_case": True}, WORDS),
    st.builds(lambda word: {"glob": f"*{word}*"}, WORDS),
    st.builds(lambda word: {"regex": word}, WORDS),
)
MATCHERS = PLAIN | st.one_of(
    st.builds(lambda one: {"not": one}, PLAIN),
    st.builds(lambda many: {"any": many}, st.lists(PLAIN, min_size=1, max_size=2)),
    st.builds(lambda many, one: {"all": many, "contains": one}, st.lists(PLAIN, min_size=1, max_size=2), WORDS),
)
WHENS = st.fixed_dictionaries(
    {}, optional={"user": MATCHERS, "task": MATCHERS, "system": MATCHERS, "stream": st.booleans(), "turn": st.just(0)}
)
TEXTS = st.lists(WORDS, max_size=4).map("".join)


def expectation(when: Mapping[str, Any]) -> Expectation:
    return expectation_of(stub_from_mapping({"when": when, "reply": "x"}, "test.yaml", 1).model.when)


@given(st.lists(WHENS, max_size=12), TEXTS, TEXTS, st.booleans())
def test_candidates_are_all_that_hold_in_order(
    whens: list[Mapping[str, Any]], user: str, system: str, answered: bool
) -> None:
    """Compared with trying every expectation in turn."""
    expectations = [expectation(when) for when in whens]
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    if answered:
        messages.append({"role": "assistant", "content": "ok"})
    asked = attempt({"model": "gpt-4o", "messages": messages})

    found = list(Index([one.key for one in expectations]).candidates(asked.conversation))

    holding = [number for number, one in enumerate(expectations) if one.holds(asked)]
    assert found == sorted(set(found))
    assert [number for number in found if expectations[number].holds(asked)] == holding


@given(WHENS, TEXTS, TEXTS)
def test_what_holds_has_no_mismatch(when: Mapping[str, Any], user: str, system: str) -> None:
    """The predicate that matches is the one that explains."""
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    asked = attempt({"model": "gpt-4o", "messages": messages})
    wanted = expectation(when)

    assert wanted.holds(asked) == (wanted.mismatches(asked) == ())


def keys(count: int) -> list[Key | None]:
    return [Key("user", f"word {number:04}") for number in range(count)]


def test_the_work_does_not_grow_with_the_number_of_stubs() -> None:
    """Of ten thousand expectations one is left to compare."""
    found = Index(keys(10_000)).candidates(attempt(chat("this is word 4711.")).conversation)

    assert list(found) == [4711]


def test_a_few_are_all_compared() -> None:
    found = Index(keys(FEW)).candidates(attempt(chat("nothing")).conversation)

    assert list(found) == list(range(FEW))


def test_those_without_a_literal_are_always_candidates() -> None:
    found = Index([None, *keys(FEW), None]).candidates(attempt(chat("word 0001")).conversation)

    assert list(found) == [0, 2, 5]


def test_nothing_said_leaves_those_without_a_literal() -> None:
    found = Index([*keys(FEW), None]).candidates(attempt({"model": "gpt-4o"}).conversation)

    assert list(found) == [FEW]


def test_a_literal_inside_another_is_found_too() -> None:
    literals: list[Key | None] = [Key("user", text) for text in ("a", "ab", "b", "abc", "abcd", "abc")]

    found = Index(literals).candidates(attempt(chat("xabcx")).conversation)

    assert list(found) == [0, 1, 2, 3, 5]
