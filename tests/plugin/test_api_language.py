"""What a session says of all its stubs, and steps of a sequence written as stubs are."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from mockbifrost import MockBifrost, ScenarioError, Session, Step, UsageError, step
from tests.inside import state_of
from tests.plugin.saying import say


def line_above() -> str:
    """This file and the line above the caller's."""
    frame = inspect.stack()[1]
    return f"{frame.filename}:{frame.lineno - 1}"


def latency_ms(mock: Session, said: str) -> int:
    return int(say(mock, said).json()["extra_fields"]["latency"])


def test_defaults_hold_for_stubs_that_are_begun_later(mock: Session) -> None:
    mock.when(user="before").reply("x")
    mock.defaults(pace={"ttft": "2s"}, model="named-later")
    mock.when(user="after").reply("x")
    mock.when(user="own pace").reply("x").pace(ttft="1s")
    mock.when(user="own model").reply("x", model="mine")
    mock.when(user="echo").echo()
    mock.when(user="steps").sequence("x", step.reply("x").pace(ttft="3s"))

    models = [say(mock, said).json()["model"] for said in ("before", "after", "own pace", "own model", "echo")]
    assert models == ["gpt-4o", "named-later", "named-later", "mine", "named-later"]
    said = ("before", "after", "own pace", "own model", "echo", "steps", "steps")
    assert [latency_ms(mock, one) for one in said] == [0, 2000, 1000, 2000, 2000, 2000, 3000]


def test_a_later_default_takes_the_place_of_an_earlier_one_of_its_key(mock: Session) -> None:
    mock.defaults(pace={"ttft": "2s"})
    mock.defaults(model="other")
    stub = mock.when(user="hello").reply("x")
    mock.defaults(pace={"ttft": "1s"})

    assert (latency_ms(mock, "hello"), say(mock).json()["model"]) == (2000, "other")
    stub.times(9)
    assert latency_ms(mock, "hello") == 2000


def test_defaults_that_are_wrong_are_told_at_once_and_change_nothing(mock: Session) -> None:
    with pytest.raises(ScenarioError) as error:
        mock.defaults(model="other", pace={"tftt": "1s"})
    place = line_above()
    assert str(error.value) == f"{place}:1: pace.tftt: unknown key 'tftt'; did you mean 'ttft'?"
    mock.when(user="hello").reply("x")
    assert say(mock).json()["model"] == "gpt-4o"


def test_settings_are_laid_over_the_sessions(server: MockBifrost, mock: Session) -> None:
    mock.when().reply("x")
    mock.configure(version="1.6", providers={"mine": {}})
    mock.configure(fallbacks={"mine/a": ["mine/b"]})

    gateway = state_of(mock).gateway
    assert (gateway.profile.name, list(gateway.providers), gateway.fallbacks) == (
        "1.6",
        ["mine"],
        {"mine/a": ("mine/b",)},
    )
    with server.session(verify=False) as other:
        assert "openai" in state_of(other).gateway.providers


def test_settings_that_are_wrong_name_the_line_of_the_test(mock: Session) -> None:
    with pytest.raises(ScenarioError) as error:
        mock.configure(providers={"mine": {"timeot": "1s"}})
    place = line_above()
    assert str(error.value).startswith(f"{place}:1: gateway.providers.mine.timeot: unknown key 'timeot'; did you mean")


def test_a_step_has_all_that_a_stub_may_do() -> None:
    steps = [
        (step.reply("x"), {"reply": "x"}),
        (step.reply("x", finish_reason="length"), {"reply": {"content": "x", "finish_reason": "length"}}),
        (step.reply(content=None), {"reply": {"content": None}}),
        (step.reply(), {"reply": {}}),
        (step.error("overloaded"), {"error": {"name": "overloaded"}}),
        (step.gateway_error(message="No."), {"gateway_error": {"message": "No."}}),
        (step.auto().pace("slow"), {"auto": True, "pace": {"name": "slow"}}),
        (step.echo().cache("miss"), {"echo": True, "cache": "miss"}),
        (step.forward(), {"forward": True}),
        (step.raw(json=None), {"raw": {"json": None}}),
        (step.replay(Path("a.yaml"), 2, with_="x"), {"replay": {"cassette": "a.yaml", "interaction": 2, "with": "x"}}),
        (step.upstream("stall", for_="1s"), {"upstream": {"stall": {"for": "1s"}}}),
        (step.reply("x").cache("hit", similarity=0.9), {"reply": "x", "cache": {"hit": True, "similarity": 0.9}}),
    ]

    assert [one.mapping() for one, _mapping in steps] == [mapping for _one, mapping in steps]
    assert step.mapping() == {}


def test_a_step_can_begin_others(mock: Session) -> None:
    wait: Step = step.pace(ttft="2s")
    mock.when(user="hello").sequence(wait.reply("One."), wait.error("overloaded"), wait.reply("Three."), on_end="cycle")

    answers = [say(mock) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 529, 200, 200]
    assert [answer.text for answer in (answers[0], *answers[2:])] == ["One.", "Three.", "One."]


def test_a_step_that_does_nothing_names_the_line_of_the_test(mock: Session) -> None:
    with pytest.raises(ScenarioError) as error:
        mock.when().sequence("One.", step.pace("slow"))
    place = line_above()
    assert str(error.value).startswith(f"{place}:1: sequence[1]: does nothing; give it one of reply, error")


def test_null_and_nothing_are_told_apart(mock: Session) -> None:
    mock.when(user="null").reply(content=None, tool_calls=["ping"])
    mock.when(user="nothing").reply(tool_calls=["ping"])

    assert say(mock, "null").json()["choices"][0]["message"]["content"] is None
    assert say(mock, "nothing").json()["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "ping"


@pytest.mark.parametrize(
    ("twice", "said"),
    [
        (lambda: step.reply("a", content="b"), "reply: `content` is given twice, by position and by name; keep one"),
        (lambda: step.error("conflict", name="a"), "error: `name` is given twice, by position and by name; keep one"),
        (lambda: step.pace("slow", name="a"), "pace: `name` is given twice, by position and by name; keep one"),
    ],
    ids=["reply", "error", "pace"],
)
def test_what_is_given_twice_is_refused(twice: Any, said: str) -> None:
    with pytest.raises(UsageError) as error:
        twice()
    assert str(error.value) == said
