"""A session's clock: what it shows in each mode, and that it never runs back."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.clock import CLOCK_MODES, EPOCH_S, Clock, ClockMode, Deadline


@dataclass(slots=True)
class Time:
    """Real time, as a test moves it."""

    now: float = 1_000.0
    wall: float = field(default=2_000_000_000.0)

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds

    def clock(self, mode: ClockMode) -> Clock:
        return Clock(mode, monotonic=lambda: self.now, wall=lambda: self.wall)


@pytest.mark.parametrize(("mode", "elapsed_s"), [("fixed", 30.0), ("flow", 42.5), ("real", 42.5)])
def test_only_a_fixed_clock_stands_still(mode: ClockMode, elapsed_s: float) -> None:
    time = Time()
    clock = time.clock(mode)

    time.pass_by(12.5)
    clock.advance(30)

    assert clock.elapsed_s() == elapsed_s


@pytest.mark.parametrize(
    ("mode", "created"), [("fixed", EPOCH_S + 30), ("flow", EPOCH_S + 30), ("real", 2_000_000_000 + 42)]
)
def test_what_answers_report(mode: ClockMode, created: int) -> None:
    """The start plus what was advanced, in whole seconds; wall time when real: a flowing clock gives the same bytes."""
    time = Time()
    clock = time.clock(mode)

    time.pass_by(12.5)
    clock.advance(30.4)

    assert clock.created() == created


def test_the_start_is_the_first_of_january_2026() -> None:
    assert Clock().created() == 1_767_225_600
    assert Clock().elapsed_s() == 0.0


MOVES = st.one_of(
    st.tuples(st.just("pass"), st.floats(0, 1e6)),
    st.tuples(st.just("advance"), st.floats(0, 1e6)),
    st.tuples(st.just("mode"), st.sampled_from(CLOCK_MODES)),
)


@given(st.sampled_from(CLOCK_MODES), st.lists(MOVES, max_size=12))
def test_a_clock_never_runs_back(mode: ClockMode, moves: list[tuple[str, object]]) -> None:
    """Whatever passes, is advanced or switched, and it counts exactly what it should."""
    time = Time()
    clock = time.clock(mode)
    wanted = before = 0.0
    for name, value in moves:
        if name == "mode":
            assert isinstance(value, str)
            mode = next(one for one in CLOCK_MODES if one == value)
            clock.set_mode(mode)
        else:
            assert isinstance(value, float)
            if name == "pass":
                time.pass_by(value)
            else:
                clock.advance(value)
            wanted += value if name == "advance" or mode != "fixed" else 0.0
        assert clock.elapsed_s() >= before - 1e-6
        before = clock.elapsed_s()
        assert before == pytest.approx(wanted, abs=1e-3)


def test_a_restart_is_zero_and_keeps_the_mode() -> None:
    time = Time()
    clock = time.clock("flow")
    time.pass_by(5)
    clock.advance(5)

    clock.restart()

    assert (clock.elapsed_s(), clock.created(), clock.mode) == (0.0, EPOCH_S, "flow")
    time.pass_by(2)
    assert clock.elapsed_s() == 2.0


@pytest.mark.parametrize("seconds", [-1.0, -0.001, float("inf"), float("nan")])
def test_a_clock_is_advanced_by_lengths_of_time_only(seconds: float) -> None:
    clock = Clock()

    with pytest.raises(ValueError, match=f"a clock can't be advanced by {seconds} s: only forward"):
        clock.advance(seconds)

    assert clock.elapsed_s() == 0.0


def test_a_clock_of_its_own_reads_real_time() -> None:
    clock = Clock("real")

    assert clock.elapsed_s() >= 0.0
    assert clock.created() > EPOCH_S - 10 * 365 * 86_400


def test_a_deadline_that_has_passed_leaves_nothing() -> None:
    assert Deadline.after(0).left_s == 0
    assert Deadline.after(-1).left_s == 0
    assert 0 < Deadline.after(3600).left_s <= 3600
