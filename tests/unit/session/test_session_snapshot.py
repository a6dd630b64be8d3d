"""A session's state is put back: requests on their way, and what left the journal, are told apart from what is there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.clock import CLOCK_MODES, Clock, ClockMode
from mockbifrost.playback.player import WHOLE
from mockbifrost.scenario.load import load_text
from mockbifrost.session.journal import Entry, Journal
from mockbifrost.session.loading import load
from tests.harness import ask_in, begin, chat, retry, session_with

MOST = 4


def test_an_answer_on_its_way_through_a_rollback_leaves_nothing_behind() -> None:
    """Another call has its number by now, and is still open: it is not ended in its place."""
    session = session_with("Hello.", gateway={"pricing": {"openai/gpt-4o": {"input": 1}}})
    session.snapshot()
    begun = begin(session, chat(), headers={"x-bf-cache-key": "k", **retry(0)})

    session.rollback(1)
    again = begin(session, chat(), headers=retry(0))
    session.finish(begun, WHOLE)

    assert session.gateway_state.ledger.rows() == []
    assert len(session.gateway_state.cache) == 0
    assert [one.played for one in session.journal] == [None]
    assert (begun.call.number, again.call.number, again.call.open) == (1, 1, True)
    assert begin(session, chat(), headers=retry(1)).call is again.call


def test_what_is_counted_after_a_rollback_does_not_reach_the_snapshot() -> None:
    session = session_with(
        "Hello.", gateway={"virtual_keys": {"sk-bf-a": {"name": "a", "rate_limit": {"requests": "3/1m"}}}}
    )
    keys = {"x-bf-vk": "sk-bf-a", "x-bf-cache-key": "k", **retry(0)}
    ask_in(session, chat(), headers=keys)
    session.snapshot()
    for _ in range(3):
        found = [ask_in(session, chat("other"), headers=keys).status for _ in range(2)]
        rows = session.gateway_state.ledger.rows()
        session.rollback(1)

        assert found == [200, 200]
        assert ([row.requests for row in rows], [row.cached for row in rows]) == ([3], [1])


def entry(number: int, *, failed: bool) -> Entry:
    return Entry(number, "test", 1, None, 0.0, "POST", "/", (), b"", fault="no_match" if failed else None)


@given(st.lists(st.booleans(), max_size=12), st.lists(st.one_of(st.booleans(), st.none()), max_size=12))
def test_a_journal_that_is_cut_has_lost_only_what_came_before(before: list[bool], after: list[bool | None]) -> None:
    """Errors too: those that came later are forgotten, those that fell out are counted. None stands for a reset."""
    journal = Journal(MOST, 10**9)
    for failed in before:
        journal.add(entry(journal.count + 1, failed=failed))
    mark, held = journal.mark(), list(journal)
    for failed_or_reset in after:
        if failed_or_reset is None:
            journal.clear()
        else:
            journal.add(entry(journal.count + 1, failed=failed_or_reset))
    journal.cut(mark)

    left = list(journal)
    assert left == held[len(held) - len(left) :]
    assert len(left) == (0 if None in after else max(0, len(held) - max(0, len(held) + len(after) - MOST)))
    assert (journal.count, journal.dropped) == (len(before), len(before) - len(left))
    assert journal.dropped_errors == sum(before[: len(before) - len(left)])
    assert sum(one.size for one in left) == journal._bytes


@pytest.mark.parametrize("mode", CLOCK_MODES)
@pytest.mark.parametrize("later", CLOCK_MODES)
def test_a_clock_goes_back_to_where_it_stood(mode: ClockMode, later: ClockMode) -> None:
    now = [0.0]
    clock = Clock(mode, monotonic=lambda: now[0], wall=lambda: now[0])
    now[0] += 3
    clock.advance(5)
    before, state = clock.elapsed_s(), clock.saved()
    clock.set_mode(later)
    now[0] += 7
    clock.advance(11)
    clock.restore(state)

    assert (clock.mode, clock.elapsed_s()) == (mode, before)
    now[0] += 1
    assert clock.elapsed_s() == before + (mode != "fixed")


def test_a_call_that_waited_for_its_retry_waits_again() -> None:
    session = session_with({"error": "overloaded"})
    ask_in(session, chat(), headers=retry(0))
    session.snapshot()
    for _ in range(2):
        again = begin(session, chat(), headers=retry(1))
        session.rollback(1)

        assert (again.call.number, again.call.requests) == (1, 2)


def test_the_parts_of_a_gateways_memory_are_copied_one_by_one() -> None:
    session = session_with("Hello.", gateway={"providers": {"openai": {"keys": [{"name": "a"}, {"name": "b"}]}}})
    state = session.gateway_state.copy()
    ask_in(session, chat(), headers={"x-bf-session-id": "s", "x-bf-cache-key": "k"})

    assert session.gateway_state.sticky.find("s", "openai", 0.0) in ("a", "b")
    assert state.sticky.find("s", "openai", 0.0) is None
    assert (state.ledger.total().requests, state.ledger.rows(), len(state.cache)) == (0, [], 0)
    assert session.gateway_state.copy().sticky.find("s", "openai", 0.0) in ("a", "b")


def test_what_is_loaded_after_a_rollback_is_numbered_as_before() -> None:
    session = session_with("Hello.")
    session.snapshot()
    found = []
    for _ in range(2):
        found.append(load(session, [load_text("version: 1\nstubs: [Loaded.]\n", "a.yaml")]))
        session.rollback(1)

    assert found == [frozenset({"loaded#1.0"})] * 2
