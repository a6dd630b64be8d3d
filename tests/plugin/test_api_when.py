"""`when(…)` and what may follow it: one to one with the scenario language."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from mockbifrost import ScenarioError, Session, UsageError, VerificationError
from mockbifrost.api.words import OnEnd
from tests.inside import port_of
from tests.plugin.saying import say
from tests.socket.raw_http import PATH, Response, ask


def here() -> str:
    """This file and the line of the caller."""
    frame = inspect.stack()[1]
    return f"{frame.filename}:{frame.lineno}"


def retried(count: int) -> dict[str, str]:
    return {"x-stainless-retry-count": str(count)}


def test_a_reply_is_a_text(mock: Session) -> None:
    mock.when(user="hello").reply("Hi, {{ user }}.")

    assert say(mock).text == "Hi, hello."


def test_a_reply_may_have_all_its_keys(mock: Session) -> None:
    mock.when().reply(
        "Look.",
        tool_calls=[{"look": {"at": 1}}],
        usage={"prompt_tokens": 1, "completion_tokens": 2},
        finish_reason="length",
        id="mine",
    )

    answer = say(mock).json()
    (choice,) = answer["choices"]
    assert (answer["id"], choice["finish_reason"], choice["message"]["content"]) == ("mine", "length", "Look.")
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at":1}'}
    assert answer["usage"]["total_tokens"] == 3


def test_a_reply_may_be_nothing_but_keys(mock: Session) -> None:
    mock.when().reply(refusal="No.")

    assert say(mock).json()["choices"][0]["message"]["refusal"] == "No."


def test_an_error_by_name_and_by_its_keys(mock: Session) -> None:
    mock.when(user="name").error("rate_limited")
    mock.when(user="keys").error(status=418, message="Short and stout.")
    mock.when(user="both").error("overloaded", message="Full.")

    answers = [say(mock, said) for said in ("name", "keys", "both")]
    assert [answer.status for answer in answers] == [429, 418, 529]
    assert [answer.json()["error"]["message"] for answer in answers[1:]] == ["Short and stout.", "Full."]


def test_an_error_of_the_gateway(mock: Session) -> None:
    mock.when(user="name").gateway_error("budget_exceeded")
    mock.when(user="keys").gateway_error(status=451, message="Not here.")

    assert (say(mock, "name").status, say(mock, "keys").status) == (402, 451)


def test_a_sequence(mock: Session) -> None:
    mock.when().sequence("One.", {"error": "overloaded"}, {"reply": {"content": "Three."}})

    answers = [say(mock) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 529, 200, 400]
    assert answers[3].json()["error"]["code"] == "sequence_exhausted"


@pytest.mark.parametrize(("on_end", "fourth"), [("repeat", "Two."), ("cycle", "Two."), ("pass", "Aside.")])
def test_what_comes_after_a_sequence(mock: Session, on_end: OnEnd, fourth: str) -> None:
    mock.when().sequence("One.", "Two.", on_end=on_end)
    mock.when().reply("Aside.")

    assert [say(mock).text for _ in range(4)][3] == fourth


def test_a_sequence_for_each_conversation(mock: Session) -> None:
    mock.when().sequence("One.", "Two.", scope="conversation")

    assert [say(mock, said).text for said in ("a", "b", "a", "b")] == ["One.", "One.", "Two.", "Two."]


def test_an_echo(mock: Session) -> None:
    mock.when().echo()

    assert say(mock, "and back").text == "and back"


def test_a_raw_answer(mock: Session) -> None:
    mock.when().raw(status=202, json={"odd": True}, headers={"x-odd": "1"})

    answer = say(mock)
    assert (answer.status, answer.json(), answer.header("x-odd")) == (202, {"odd": True}, "1")


def test_times(mock: Session) -> None:
    mock.when().reply("Twice.").times(2)
    mock.when().reply("Then.")

    assert [say(mock).text for _ in range(3)] == ["Twice.", "Twice.", "Then."]


def test_a_modifier_may_come_before_what_it_does(mock: Session) -> None:
    mock.when().times(1).name("early").reply("Once.")

    answers = [say(mock) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 400]
    assert answers[0].header("x-mockbifrost-stub") == "early"


def test_active(mock: Session) -> None:
    mock.when().reply("Third.").active(after=2, first=3)
    mock.when().reply("Later.").active(from_="10s", until="20s")
    mock.when().reply("Else.")

    said = [say(mock).text for _ in range(4)]
    mock.clock.advance("15s")
    said.append(say(mock).text)
    mock.clock.advance(10)
    said.append(say(mock).text)
    assert said == ["Else.", "Else.", "Third.", "Else.", "Later.", "Else."]


def test_a_gate(mock: Session) -> None:
    mock.when().reply("Open.").active(gate="door")
    mock.when().reply("Closed.")
    door = mock.gate("door")

    said = [say(mock).text]
    door.open()
    said.append(say(mock).text)
    door.close()
    said.append(say(mock).text)
    assert said == ["Closed.", "Open.", "Closed."]


def test_per(mock: Session) -> None:
    mock.when(user="answers").reply("First.").times(1).per("attempt")
    mock.when(user="fails").error("overloaded").times(1).per("call")
    mock.when().reply("Second.")

    by_attempt = [say(mock, "answers", headers=retried(count)).text for count in (0, 1)]
    by_call = [say(mock, "fails", headers=retried(count)).status for count in (0, 1, 0)]
    assert by_attempt == ["First.", "Second."]
    assert by_call == [529, 529, 200]


def test_priority(mock: Session) -> None:
    mock.when().reply("Low.").priority(-1)
    mock.when().reply("Middle.")
    high = mock.when().reply("High.").priority(5).times(1)

    assert [say(mock).text for _ in range(2)] == ["High.", "Middle."]
    high.priority(-2).times(5)
    assert say(mock).text == "Middle."


def test_pace(mock: Session) -> None:
    mock.when(user="name").reply("Slowly.").pace("slow")
    mock.when(user="keys").reply("One two.").pace(ttft="2s", tokens_per_second=1, chunk="whole")

    assert say(mock, "name").json()["extra_fields"]["latency"] > 0
    first, *_rest = say(mock, "keys", stream=True).events()
    assert first["extra_fields"]["latency"] == 2000


def test_a_fault_of_the_providers_connection_by_name_and_by_its_settings(mock: Session) -> None:
    alone = mock.when(user="alone").upstream("reset")
    named = mock.when(user="named").upstream("cut", after_chunks=2, how="reset").reply("One two three.")
    keys = mock.when(user="keys").auto().upstream(slow="20s")
    late = mock.when(user="late").reply("One.").upstream("stall", for_="90s")

    faults = [stub.mapping()["upstream"] for stub in (alone, named, keys, late)]
    assert faults == ["reset", {"cut": {"after_chunks": 2, "how": "reset"}}, {"slow": "20s"}, {"stall": {"for": "90s"}}]
    assert all(stub.complete for stub in (alone, named, keys, late))


def test_a_fault_of_an_answer_waits_for_its_answer(mock: Session) -> None:
    stub = mock.when(user="hello").upstream("no_done")

    assert not stub.complete
    assert stub.reply("Yes.").complete
    assert say(mock).text == "Yes."


def test_the_outcome_of_the_cache_by_name_and_by_its_settings(mock: Session) -> None:
    mock.when(user="hit").reply("Yes.").cache("hit")
    mock.when(user="alike").reply("Yes.").cache(hit="semantic", similarity=0.9)
    mock.when(user="miss").cache("miss").reply("Yes.")

    debugs = [say(mock, text).json()["extra_fields"]["cache_debug"] for text in ("hit", "alike", "miss")]
    assert [debug.get("hit_type") for debug in debugs] == ["direct", "semantic", None]
    assert (debugs[1]["similarity"], debugs[2]["cache_hit"]) == (0.9, False)


def test_required(mock: Session) -> None:
    mock.when(user="twice").name("twice").reply("Yes.").required(2)
    mock.when(user="never").name("optional").reply("Yes.").required(False)
    say(mock, "twice")

    with pytest.raises(VerificationError) as error:
        mock.verify()
    assert str(error.value).startswith("Stub 'twice' (")
    assert "was used 1 times, 2 were required.\n" in str(error.value)
    assert str(error.value).endswith("\n\nNot used: optional.")
    say(mock, "twice")
    mock.verify()


def test_name(mock: Session) -> None:
    mock.when(user="named").name("the one").reply("Yes.")
    mock.when(user="nameless").reply("Yes.")
    line = here().rpartition(":")

    assert say(mock, "named").header("x-mockbifrost-stub") == "the one"
    assert say(mock, "nameless").header("x-mockbifrost-stub") == f"{line[0]}:{int(line[2]) - 1}"


def test_stubs_answer_in_the_order_in_which_they_were_added(mock: Session) -> None:
    first = mock.when().reply("First.")
    mock.when().reply("Second.")
    first.times(1)  # changed in place: it stays the first, and what it has counted stays

    assert [say(mock).text for _ in range(2)] == ["First.", "Second."]


def test_a_change_keeps_what_was_counted(mock: Session) -> None:
    stub = mock.when().reply("Yes.")
    say(mock)
    stub.times(1)

    assert say(mock).status == 400


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ({"usr": "x"}, "when.usr: unknown key 'usr'; did you mean 'user'?"),
        ({"turn": "many"}, "when.turn: "),
        ({"user": {"contain": "x"}}, "when.user.contain: unknown key 'contain'; did you mean 'contains'?"),
        ({"user": 3}, "when.user: "),
        ({"body": {"a[": 1}}, "is not a JMESPath expression"),
    ],
    ids=["misspelt", "turn", "matcher", "number", "path"],
)
def test_a_wrong_expectation_names_the_line_of_the_test(mock: Session, expected: dict[str, Any], said: str) -> None:
    when = mock.when(**expected)
    place = here().rpartition(":")

    with pytest.raises(ScenarioError) as error:
        when.reply("Yes.")
    (finding,) = error.value.findings
    assert str(finding).startswith(f"{place[0]}:{int(place[2]) - 1}:1: ")
    assert said in str(finding)
    assert say(mock).json()["error"]["code"] == "no_match"


def test_a_wrong_reply_names_the_line_of_the_test(mock: Session) -> None:
    place = here().rpartition(":")
    with pytest.raises(ScenarioError) as error:
        mock.when().reply("x", finish="stop")  # type: ignore[call-arg]  # that is the point

    assert str(error.value) == (
        f"{place[0]}:{int(place[2]) + 2}:1: reply.finish: unknown key 'finish'; did you mean 'finish_reason'?"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda stub: stub.times(0),
        lambda stub: stub.active(sometimes=True),
        lambda stub: stub.per("day"),
        lambda stub: stub.priority("high"),
        lambda stub: stub.required("yes"),
        lambda stub: stub.pace("lightning"),
        lambda stub: stub.upstream("cutt"),
        lambda stub: stub.cache("hit", similarity=0.9),
        lambda stub: stub.name(""),
        lambda stub: stub.error("overloaded"),
        lambda stub: stub.sequence("a", "b", on_end="repeat"),
    ],
    ids=["times", "active", "per", "priority", "required", "pace", "upstream", "cache", "name", "error", "sequence"],
)
def test_a_wrong_change_is_refused_and_undone(mock: Session, change: Any) -> None:
    stub = mock.when(user="hello").reply("As before.")

    with pytest.raises(ScenarioError):
        change(stub)
    assert say(mock).text == "As before."
    assert stub.mapping() == {"when": {"user": "hello"}, "reply": "As before."}
    stub.times(2)
    assert [say(mock).status for _ in range(2)] == [200, 400]


def test_an_error_name_that_is_not_known_gets_the_nearest(mock: Session) -> None:
    with pytest.raises(ScenarioError, match="did you mean 'overloaded'"):
        mock.when().error("overload")


def test_what_no_file_could_hold_is_refused(mock: Session) -> None:
    with pytest.raises(ScenarioError):
        mock.when().reply("x", body={"a": object()})


def test_plain_python_values_are_taken(mock: Session) -> None:
    mock.when(tools=("a", "b"), turn=range(0, 1)[0]).reply("x", body={"nested": ({"a": (1, 2)},)})
    tools = [{"type": "function", "function": {"name": name}} for name in "ab"]

    assert say(mock, tools=tools).json()["nested"] == [{"a": [1, 2]}]


def test_a_stub_without_behaviour_is_told_when_the_session_is_verified(mock: Session) -> None:
    place = here().rpartition(":")
    mock.when(user="x")

    with pytest.raises(UsageError) as error:
        mock.verify()
    assert str(error.value) == (
        f"the stub at {place[0]}:{int(place[2]) + 1} does nothing: "
        "say `.reply(…)`, `.error(…)` or `.sequence(…)` after when(…)"
    )


def test_many_keys_of_when_must_all_hold(mock: Session) -> None:
    mock.when(
        provider="anthropic",
        model="claude-*",
        user={"regex": "^hel+o$"},
        system="be kind",
        turn=0,
        stream=False,
        n=2,
        headers={"x-team": "a", "x-other": None},
        body={"temperature": 0.5},
    ).reply("Found.")
    body: dict[str, Any] = {
        "model": "anthropic/claude-sonnet-4-5",
        "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}],
        "n": 2,
        "temperature": 0.5,
    }

    def asked(team: str, **more: Any) -> Response:
        raw = json.dumps({**body, **more}).encode()
        return ask(port_of(mock), "POST", f"/s/{mock.id}{PATH}", raw, headers={"x-team": team})

    assert asked("a").text == "Found."
    misses = [asked("b"), asked("a", n=1), asked("a", temperature=0.4), asked("a", stream=True)]
    assert [miss.json()["error"]["code"] for miss in misses] == ["no_match"] * 4
