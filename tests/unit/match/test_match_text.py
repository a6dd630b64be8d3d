"""Matchers of texts: what fits, and what each says that it wants."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.match import text
from mockbifrost.match.text import TextMatcher
from mockbifrost.scenario.expect import text_matcher
from mockbifrost.scenario.text_model import TextMatcherModel
from tests.strategies import TEXTS


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    written: object
    wants: str
    fits: tuple[str, ...]
    fails: tuple[str, ...]


CASES = (
    Case("a text", "refund", "contains 'refund'", ("refund", "a refund!"), ("Refund", "", "re fund")),
    Case("a pattern", "/^re.und$/", "matches /^re.und$/", ("refund",), ("a refund", "Refund")),
    Case("a pattern, any case", "/REFUND/i", "matches /REFUND/i", ("a Refund",), ("re fund",)),
    Case("a pattern over lines", "/^b$/m", "matches /^b$/m", ("a\nb",), ("ab",)),
    Case("a pattern with dots for line ends", "/a.b/s", "matches /a.b/s", ("a\nb",), ("ab",)),
    Case("a path is no pattern", "/a/b", "contains '/a/b'", ("x/a/b",), ("a",)),
    Case("equals", {"equals": "a b"}, "equals 'a b'", ("a b",), ("a b ", "A b")),
    Case("equals nothing", {"equals": ""}, "equals ''", ("",), (" ",)),
    Case("equals, any case", {"equals": "ß", "ignore_case": True}, "equals 'ß', any case", ("SS",), ("x",)),
    Case("contains, any case", {"contains": "B", "ignore_case": True}, "contains 'B', any case", ("abc",), ("ac",)),
    Case("starts", {"starts_with": "ab"}, "starts with 'ab'", ("abc",), ("cab", "Abc")),
    Case("starts, any case", {"starts_with": "a", "ignore_case": True}, "starts with 'a', any case", ("AB",), ("ba",)),
    Case("ends", {"ends_with": "ab"}, "ends with 'ab'", ("cab",), ("abc", "cAb")),
    Case("ends, any case", {"ends_with": "ab", "ignore_case": True}, "ends with 'ab', any case", ("cAB",), ("abc",)),
    Case("regex", {"regex": "b{2}"}, "matches /b{2}/", ("abbc",), ("abc",)),
    Case("regex, any case", {"regex": "b{2}", "ignore_case": True}, "matches /b{2}/", ("aBbc",), ("abc",)),
    Case("glob", {"glob": "a*[!b]?"}, "fits the glob 'a*[!b]?'", ("a-cc", "acc"), ("abc", "a", "xacc")),
    Case("glob over lines", {"glob": "a*z"}, "fits the glob 'a*z'", ("a\nz",), ("a",)),
    Case("glob, any case", {"glob": "A?", "ignore_case": True}, "fits the glob 'A?'", ("ab",), ("b",)),
    Case("not", {"not": "a"}, "not (contains 'a')", ("b", ""), ("ab",)),
    Case("any", {"any": ["a", {"equals": "b"}]}, "any of (contains 'a'; equals 'b')", ("xa", "b"), ("xb",)),
    Case("all", {"all": ["a", {"not": "b"}]}, "contains 'a' and not (contains 'b')", ("a",), ("ab", "c")),
    Case(
        "several tests",
        {"starts_with": "a", "contains": "b", "not": {"ends_with": "c"}},
        "contains 'b' and starts with 'a' and not (ends with 'c')",
        ("ab", "a b d"),
        ("abc", "ba"),
    ),
)


def matcher_of(written: object) -> TextMatcher:
    return text_matcher(TextMatcherModel.model_validate(written))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_matcher_fits_what_it_says(case: Case) -> None:
    matcher = matcher_of(case.written)

    assert matcher.wants == case.wants
    assert [got for got in case.fits if not matcher.fits(got)] == []
    assert [got for got in case.fails if matcher.fits(got)] == []


Make = Callable[..., TextMatcher]
MAKERS = st.sampled_from([text.contains, text.equals, text.starts_with, text.ends_with])


@given(MAKERS, TEXTS, TEXTS, st.booleans())
def test_what_fits_holds_the_literal_of_the_index(make: Make, wanted: str, got: str, ignore_case: bool) -> None:
    """Else the index would leave out a stub that matches."""
    matcher = make(wanted, ignore_case=ignore_case)

    if matcher.fits(got) and matcher.contains is not None:
        assert matcher.contains in got


@given(MAKERS, TEXTS, TEXTS)
def test_any_case_fits_more(make: Make, wanted: str, got: str) -> None:
    if make(wanted).fits(got):
        assert make(wanted, ignore_case=True).fits(got)


@given(TEXTS, TEXTS)
def test_a_relaxed_matcher_fits_whatever_the_strict_one_does(wanted: str, got: str) -> None:
    for make in (text.contains, text.equals, text.starts_with, text.ends_with):
        matcher = make(wanted)
        if matcher.fits(got) and matcher.relaxed is not None:
            assert matcher.relaxed(got), make.__name__


@given(st.lists(TEXTS, min_size=1, max_size=3), TEXTS)
def test_not_any_is_all_not(wanted: list[str], got: str) -> None:
    one = text.negated(text.any_of([text.contains(each) for each in wanted]))
    other = text.all_of([text.negated(text.contains(each)) for each in wanted])

    assert one.fits(got) == other.fits(got)
