"""When a provider says what, in scripted seconds."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.provider.chunks import cut_choices, timed
from mockbifrost.provider.pace import INSTANT, Pace
from mockbifrost.seeds import Draws
from mockbifrost.wire.chunk import CallDelta, Delta
from mockbifrost.wire.completion import Choice, Message, ToolCall

MIDDLE = itertools.repeat(0.5)
"""Draws that change nothing."""
ROLE = Delta({"role": "assistant", "content": ""})
END = Delta({}, finish_reason="stop")


def times(pace: Pace, *deltas: Delta) -> list[float]:
    return [delta.at_s for delta in timed(deltas, pace, MIDDLE)]


def test_without_a_pace_all_is_due_at_once() -> None:
    assert times(INSTANT, ROLE, Delta({"content": "a"}), END) == [0, 0, 0]


def test_the_first_content_comes_at_the_ttft_and_the_rest_at_the_rate() -> None:
    """Each further increment when its tokens have been said; the role comes with the first, the end with the last."""
    pace = Pace(ttft_s=0.3, tokens_per_second=10)

    found = times(pace, ROLE, Delta({"content": "Hi"}), Delta({"content": " you there"}), Delta({"content": "."}), END)

    assert found == pytest.approx([0.3, 0.3, 0.5, 0.6, 0.6])


def test_calls_take_the_time_of_their_tokens() -> None:
    pace = Pace(tokens_per_second=10)
    start = Delta({"role": "assistant"}, (CallDelta(0, "", ToolCall("get time", "")),))

    found = times(pace, start, Delta({}, (CallDelta(0, '{"a":1}'),)), Delta({}, (CallDelta(0, ""),)), END)

    assert found == pytest.approx([0.0, 0.5, 0.6, 0.6])


def test_a_plain_answer_takes_the_ttft_and_its_tokens() -> None:
    assert Pace(ttft_s=0.3, tokens_per_second=10).latency_s(6, MIDDLE) == pytest.approx(0.9)
    assert Pace(ttft_s=0.3).latency_s(6, MIDDLE) == pytest.approx(0.3)
    assert INSTANT.latency_s(6, MIDDLE) == 0.0


@given(st.floats(0, 10), st.floats(0.1, 1000), st.floats(0, 1), st.integers(1, 50), st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_its_part(ttft_s: float, rate: float, jitter: float, tokens: int, unit: float) -> None:
    pace = Pace(ttft_s, rate, jitter)
    plain = ttft_s + tokens / rate

    found = pace.latency_s(tokens, itertools.repeat(unit))

    assert plain * (1 - jitter) - 1e-9 <= found <= plain * (1 + jitter) + 1e-9
    assert pace.first_s(itertools.repeat(unit)) <= ttft_s * (1 + jitter) + 1e-9


@given(st.floats(0, 1), st.integers(0, 2**32))
def test_time_never_runs_back(jitter: float, seed: int) -> None:
    choices = [Choice(index, Message("a b c d e f"), "stop") for index in range(2)]

    deltas = cut_choices(choices, Pace(1, 3, jitter, "word"), "openai", Draws(seed, b"").units("pace"))

    assert [delta.at_s for delta in deltas] == sorted(delta.at_s for delta in deltas)


@pytest.mark.parametrize(
    ("pace", "constant"),
    [
        (Pace(), True),
        (Pace(1, 10), True),
        (Pace(jitter=0.5), True),
        (Pace(1, jitter=0.5), False),
        (Pace(tokens_per_second=1, jitter=0.5), False),
    ],
)
def test_a_pace_without_chance_is_constant(pace: Pace, constant: bool) -> None:
    assert pace.constant is constant
