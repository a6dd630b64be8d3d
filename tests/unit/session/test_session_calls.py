"""Which requests belong together. Source of the rules: scenario-language.md, "What is counted"."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.session.calls import BODIES, DONE_CALLS, OPEN_CALLS, Call, Calls

PRINT = b"print"


@dataclass(slots=True)
class Known:
    """A call as the rules see it: the retry of its last request, and how that stands."""

    retry: int | None
    open: bool = True
    badly: bool = False


class Rules:
    """The rules word by word, in order of age and without any bound."""

    def __init__(self) -> None:
        self.calls: list[Known] = []

    def begin(self, retry: int | None) -> int:
        before = [
            number
            for number, call in enumerate(self.calls)
            if retry and call.retry is not None and call.retry == retry - 1
        ]
        waiting = [number for number in before if self.calls[number].open or self.calls[number].badly]
        if not before:
            self.calls.append(Known(retry))
            return len(self.calls) - 1
        number = waiting[0] if waiting else before[-1]
        self.calls[number] = Known(retry)
        return number

    def end(self, number: int, retry: int | None, badly: bool) -> None:
        if self.calls[number].retry == retry:
            self.calls[number] = Known(retry, open=False, badly=badly)


BEGIN = st.tuples(st.just("begin"), st.none() | st.integers(0, 3), st.just(value=False))
END = st.tuples(st.just("end"), st.integers(0, 20), st.booleans())


@given(st.lists(BEGIN | END, max_size=14))
def test_any_interleaving_of_requests_keeps_the_rules(steps: list[tuple[str, int | None, bool]]) -> None:
    """A retry joins the oldest call that waits for it, else the newest that could; all else is a call of its own."""
    calls, rules = Calls(), Rules()
    running: list[tuple[Call, int, int | None]] = []
    for step, number, badly in steps:
        if step == "begin":
            running.append((calls.begin(PRINT, False, number), rules.begin(number), number))
        elif running:
            call, known, retry = running.pop((number or 0) % len(running))
            calls.end(PRINT, False, call, retry, badly=badly)
            rules.end(known, retry, badly)
        assert [call.number - 1 for call, _known, _retry in running] == [known for _call, known, _retry in running]


def ended(calls: Calls, retry: int | None, *, badly: bool = False) -> Call:
    call = calls.begin(PRINT, False, retry)
    calls.end(PRINT, False, call, retry, badly=badly)
    return call


def test_without_the_header_every_request_is_a_call_of_its_own() -> None:
    calls = Calls()

    assert [ended(calls, None, badly=True).number for _request in range(3)] == [1, 2, 3]


def test_a_first_request_is_never_joined_to_another() -> None:
    calls = Calls()

    assert [ended(calls, 0).number for _request in range(3)] == [1, 2, 3]


def test_a_retry_joins_the_call_that_failed() -> None:
    calls = Calls()
    first, second = ended(calls, 0, badly=True), ended(calls, 0)

    again = calls.begin(PRINT, False, 1)

    assert again is first is not second
    assert (again.requests, again.retry, again.open) == (2, 1, True)


def test_of_several_that_failed_the_oldest_is_joined() -> None:
    calls = Calls()
    rows = [ended(calls, 0, badly=True) for _call in range(3)]

    assert [calls.begin(PRINT, False, 1) for _retry in rows] == rows


def test_a_client_may_give_up_and_ask_again_while_the_first_is_open() -> None:
    calls = Calls()
    call = calls.begin(PRINT, False, 0)

    assert calls.begin(PRINT, False, 1) is call

    calls.end(PRINT, False, call, 0, badly=True)
    assert call.open, "the end of an earlier request says nothing about the last"
    assert calls.begin(PRINT, False, 2) is call


def test_one_that_ended_well_is_joined_where_none_failed() -> None:
    """The client lost a good answer: the newest it can have been."""
    calls = Calls()
    older, newer = ended(calls, 0), ended(calls, 0)

    assert calls.begin(PRINT, False, 1) is newer
    assert calls.begin(PRINT, False, 1) is older
    assert calls.begin(PRINT, False, 1).number == 3


def test_a_retry_that_fits_nothing_is_a_call_of_its_own_and_may_be_retried() -> None:
    calls = Calls()
    ended(calls, 0, badly=True)

    lost = ended(calls, 2, badly=True)

    assert lost.number == 2
    assert calls.begin(PRINT, False, 3) is lost


def test_another_body_or_form_is_another_call() -> None:
    calls = Calls()
    ended(calls, 0, badly=True)

    assert calls.begin(b"other", False, 1).number == 2
    assert calls.begin(PRINT, True, 1).number == 3


def test_occurrences_count_calls_of_one_body_streamed_and_plain_apart() -> None:
    calls = Calls()

    found = [calls.begin(PRINT, stream, None).occurrence for stream in (False, False, True, False, True)]

    assert found == [0, 1, 0, 2, 1]
    assert calls.begin(b"other", False, None).occurrence == 0


def test_a_retry_has_the_occurrence_of_its_call() -> None:
    calls = Calls()
    first = ended(calls, 0, badly=True)
    ended(calls, 0)

    assert calls.begin(PRINT, False, 1).occurrence == first.occurrence == 0


def test_a_request_that_is_not_understood_is_a_call_alone() -> None:
    calls = Calls()

    assert (calls.alone().number, calls.alone().number) == (1, 2)


def test_so_many_calls_are_remembered_and_no_more() -> None:
    calls = Calls()
    waiting = [ended(calls, 0, badly=True) for _call in range(OPEN_CALLS + 1)]
    assert calls.begin(PRINT, False, 1) is waiting[1]

    calls = Calls()
    done = [ended(calls, 0) for _call in range(DONE_CALLS + 1)]
    assert [calls.begin(PRINT, False, 1) for _retry in range(DONE_CALLS)] == done[:0:-1]
    assert calls.begin(PRINT, False, 1) not in done


def test_so_many_bodies_are_remembered() -> None:
    """The one that was asked longest ago is forgotten: it begins anew."""
    calls = Calls()
    for number in range(BODIES):
        calls.begin(b"%d" % number, False, None)
    assert calls.begin(b"0", False, None).occurrence == 1

    calls.begin(b"new", False, None)

    assert calls.begin(b"0", False, None).occurrence == 2
    assert calls.begin(b"1", False, None).occurrence == 0


@pytest.mark.parametrize("badly", [False, True])
def test_a_request_may_end_after_its_body_was_forgotten(badly: bool) -> None:
    calls = Calls()
    call = calls.begin(PRINT, False, 0)
    for number in range(BODIES):
        calls.begin(b"%d" % number, False, None)

    calls.end(PRINT, False, call, 0, badly=badly)

    assert not call.open
