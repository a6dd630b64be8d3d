"""`active`: when a stub answers, and the words in which it says why it does not."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.scenario.activity import Activity, Window
from tests.harness import ask, ask_in, attempt, chat, open_session, retry, stubs


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    activity: Activity
    reached: int
    says: str | None
    elapsed_s: float = 0.0
    gates: tuple[str, ...] = ()


CASES = (
    Case("nothing limits it", Activity(), 10_000, None),
    Case("still free", Activity(first=2), 1, None),
    Case("used up", Activity(first=2), 2, "was used 2 of 2 times"),
    Case("too early", Activity(after=2), 1, "is active only after 2 attempts, this is number 2"),
    Case("late enough", Activity(after=2), 2, None),
    Case("not this one", Activity(every=3), 3, "is active every 3 attempts, this is number 4"),
    Case("every third", Activity(every=3), 5, None),
    Case("a window to come", Activity(window=Window(10)), 0, "is not active now: clock at 2.5s, active from 10s", 2.5),
    Case("a window that is open", Activity(window=Window(10, 60)), 0, None, 10),
    Case(
        "a window that is over",
        Activity(window=Window(10, 60)),
        0,
        "is not active now: clock at 60s, active from 10s until 60s",
        60,
    ),
    Case("a window that comes again", Activity(window=Window(10, 60, 120)), 0, None, 130),
    Case(
        "and goes again",
        Activity(window=Window(10, 60, 120)),
        0,
        "is not active now: clock at 180s, active from 10s until 60s of every 120s",
        180,
    ),
    Case("a closed gate", Activity(gate="g"), 0, "waits for the gate 'g', which is closed"),
    Case("an open gate", Activity(gate="g"), 0, None, gates=("g",)),
    Case("another gate", Activity(gate="g"), 0, "waits for the gate 'g', which is closed", gates=("h",)),
    Case("never", Activity(probability=0), 0, "is active with probability 0, and 0.032 was drawn"),
    Case("always", Activity(probability=1), 0, None),
    Case("the first reason counts", Activity(first=1, gate="g"), 1, "was used 1 of 1 times"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_stub_is_active_or_says_why_not(case: Case) -> None:
    asked = attempt(elapsed_s=case.elapsed_s)

    assert case.activity.why_not(case.reached, asked, dict.fromkeys(case.gates, True), "label") == case.says


@given(st.integers(0, 30), st.none() | st.integers(1, 20), st.integers(0, 20), st.none() | st.integers(1, 10))
def test_all_conditions_must_hold(reached: int, first: int | None, after: int, every: int | None) -> None:
    parts = [Activity(first=first), Activity(after=after), Activity(every=every)]
    whole = Activity(first=first, after=after, every=every)

    active = [part.why_not(reached, attempt(), {}, "") is None for part in (*parts, whole)]
    assert active[-1] is all(active[:-1])


@given(st.integers(0, 100), st.integers(1, 100), st.integers(1, 100), st.integers(0, 10), st.integers(0, 300))
def test_a_window_with_a_period_comes_again(start: int, length: int, rest: int, times: int, at: int) -> None:
    period = start + length + rest
    window = Window(start, start + length, period)

    assert window.holds(times * period + at) == window.holds(at % period)
    assert window.holds(times * period + start)
    assert not window.holds(times * period + start + length)


def test_the_sessions_clock_opens_and_closes_a_window() -> None:
    session = open_session(stubs("- {active: {from: 10s, until: 1m, period: 2m}, reply: in}\n- reply: out"))

    told = []
    for seconds in (0, 10, 49, 1, 60, 10):
        session.clock.advance(seconds)
        told.append(ask_in(session, chat()).text)

    assert told == ["out", "in", "in", "out", "out", "in"]


def test_a_gate_is_closed_at_first_and_opened_by_the_test() -> None:
    session = open_session(stubs("- {active: {gate: ready}, reply: in}\n- reply: out"))

    told = []
    for open_ in (None, True, False):
        if open_ is not None:
            session.gates["ready"] = open_
        told.append(ask_in(session, chat()).text)

    assert told == ["out", "in", "out"]


HALF = stubs("- {name: half, active: {probability: 0.5}, reply: in}\n- reply: out")


def test_probability_is_drawn_from_the_seed() -> None:
    """The same requests to the same seed are told the same; another seed is another draw."""
    asked = [chat(str(number)) for number in range(100)]

    rows = [[ask(HALF, body, seed=seed).text for body in asked] for seed in (1, 1, 2)]

    assert rows[0] == rows[1] != rows[2]
    assert 35 < rows[0].count("in") < 65


def test_probability_does_not_depend_on_the_order_of_requests() -> None:
    asked = [chat(str(number)) for number in range(20)]
    one, other = open_session(HALF), open_session(HALF)

    told = [ask_in(one, body).text for body in asked]

    assert [ask_in(other, body).text for body in reversed(asked)] == told[::-1]


def test_each_request_of_a_call_draws_anew() -> None:
    """Else a client that retries would meet the same failure for ever."""
    session = open_session(stubs("- {active: {probability: 0.5}, error: overloaded}\n- reply: ok"))

    told = [ask_in(session, chat(), headers=retry(count)).status for count in range(12)]

    assert {200, 529} == set(told)


def test_two_stubs_draw_apart() -> None:
    scenario = stubs(
        "- {name: a, active: {probability: 0.5}, reply: a}\n- {name: b, active: {probability: 0.5}, reply: b}"
    )
    told = {ask(scenario, chat(str(number))).status for number in range(20)}
    answers = {ask(scenario, chat(str(number))).body[-20:] for number in range(20)}

    assert told == {200, 400}
    assert answers


def test_a_draw_does_not_depend_on_where_a_stub_stands() -> None:
    """A stub without a name that moves down the file draws as before; another stub draws otherwise."""
    half = "{active: {probability: 0.5}, reply: in}"
    here = stubs(f"- {half}\n- reply: out")
    below = stubs(f"- {{when: {{user: never}}, reply: x}}\n\n\n- {half}\n- reply: out")
    other = stubs("- {active: {probability: 0.5}, reply: in else}\n- reply: out")
    asked = [chat(str(number)) for number in range(30)]

    one, moved, another = [[ask(scenario, body).text[:2] for body in asked] for scenario in (here, below, other)]

    assert one == moved != another


def test_a_files_seed_draws_for_its_stubs_and_explains_them() -> None:
    """What the miss says was drawn is what was drawn."""
    scenario = stubs("- {active: {probability: 0.5}, reply: in}", before="seed: 9")

    for number in range(20):
        response = ask(scenario, chat(str(number)), seed=number)
        if response.status != 200:
            reason = response.entry.near_misses[0].reason
            assert reason.startswith("is active with probability 0.5, and 0.")
            assert float(reason.split("and ")[1].split()[0]) >= 0.5
        assert response.status == ask(scenario, chat(str(number)), seed=0).status


def test_a_retry_is_told_the_reason_of_its_call() -> None:
    """The call came too early, and so does its retry, however many others have come since."""
    session = open_session(stubs("- {active: {after: 1}, reply: a}"))
    ask_in(session, chat(), headers=retry(0))
    ask_in(session, chat(), headers=retry(0))

    again = ask_in(session, chat(), headers=retry(1))

    assert again.entry.near_misses[0].reason == "is active only after 1 attempts, this is number 1"
