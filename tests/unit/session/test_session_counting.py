"""What is counted, and by what: attempts for what fails, calls for what answers. Source: scenario-language.md."""

from dataclasses import dataclass

import pytest

from mockbifrost.session.session import Session
from tests.harness import ask_in, begin, chat, open_session, read, retry, stubs


def texts(session: Session, count: int, user: str = "hi") -> list[str]:
    """What so many calls are told: the answer, or the status."""
    return [told(session, user) for _call in range(count)]


def told(session: Session, user: str = "hi", *, count: int | None = None) -> str:
    response = ask_in(session, chat(user), headers=None if count is None else retry(count))
    return response.text if response.status == 200 else response.entry.error or str(response.status)


@dataclass(frozen=True, slots=True)
class Case:
    """Plain calls of the same user, each without retries."""

    id: str
    stubs: str
    told: list[str]


CASES = (
    Case("times", "- {times: 2, reply: a}\n- reply: b", ["a", "a", "b", "b"]),
    Case("times of an error", "- {times: 2, error: overloaded}\n- reply: b", ["529", "529", "b", "b"]),
    Case("times and nothing else", "- {times: 1, reply: a}", ["a", "no_match", "no_match"]),
    Case("first", "- {active: {first: 2}, reply: a}\n- reply: b", ["a", "a", "b"]),
    Case("after", "- {active: {after: 2}, reply: a}\n- reply: b", ["b", "b", "a", "a"]),
    Case("every", "- {active: {every: 3}, reply: a}\n- reply: b", ["b", "b", "a", "b", "b", "a"]),
    Case("after and first", "- {active: {after: 3, first: 5}, reply: a}\n- reply: b", ["b", "b", "b", "a", "a", "b"]),
    Case("every and first", "- {active: {every: 2, first: 4}, reply: a}\n- reply: b", ["b", "a", "b", "a", "b", "b"]),
    Case("a sequence", "- sequence: [a, b]", ["a", "b", "sequence_exhausted", "sequence_exhausted"]),
    Case("a sequence that steps aside", "- {sequence: [a, b], on_end: pass}\n- reply: c", ["a", "b", "c", "c"]),
    Case("a sequence that repeats", "- {sequence: [a, b], on_end: repeat}", ["a", "b", "b", "b"]),
    Case("a sequence that cycles", "- {sequence: [a, b], on_end: cycle}", ["a", "b", "a", "b", "a"]),
    Case("a sequence with failures", "- sequence: [{error: overloaded}, a, {gateway_error: internal}, b]",
         ["529", "a", "500", "b"]),
    Case("a sequence a few times", "- {sequence: [a, b, c], times: 2}\n- reply: d", ["a", "b", "d"]),
    Case("a sequence at times", "- {sequence: [a, b], active: {every: 2}}\n- reply: c", ["c", "a", "c", "b", "c"]),
    Case("two that take turns", "- {active: {every: 2}, reply: even}\n- {times: 1, reply: odd}\n- reply: later",
         ["odd", "even", "later", "even"]),
    Case("the first that fits", "- {when: {user: x}, reply: a}\n- reply: b\n- reply: c", ["b", "b"]),
    Case("priority", "- reply: low\n- {priority: 5, times: 1, reply: high}\n- {priority: 9, times: 1, reply: highest}",
         ["highest", "high", "low"]),
    Case("a priority below nothing", "- {priority: -1, reply: last}\n- {times: 1, reply: first}", ["first", "last"]),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_calls_are_told_in_turn(case: Case) -> None:
    assert texts(open_session(stubs(case.stubs)), len(case.told)) == case.told


def test_only_attempts_that_fit_are_counted() -> None:
    session = open_session(stubs("- {when: {user: x}, times: 1, reply: a}\n- reply: b"))

    assert [told(session, user) for user in ("y", "x", "y", "x")] == ["b", "a", "b", "b"]


RETRIES = (
    ("- {times: 2, error: overloaded}\n- reply: ok", [0, 1, 2], ["529", "529", "ok"]),
    ("- sequence: [{error: overloaded}, ok, next]", [0, 1, 1, 0], ["529", "ok", "next", "sequence_exhausted"]),
    ("- {times: 1, reply: ok}\n- reply: next", [0, 1, 2, 0, 1], ["ok", "ok", "ok", "next", "next"]),
    ("- sequence: [a, b]", [0, 1, 0, 1], ["a", "a", "b", "b"]),
    ("- {sequence: [a, b], on_end: pass}\n- reply: c", [0, 1, 0, 1, 0, 1], ["a", "a", "b", "b", "c", "c"]),
    ("- {times: 1, per: attempt, reply: a}\n- reply: b", [0, 1], ["a", "b"]),
    ("- {sequence: [a, b], per: attempt}", [0, 1], ["a", "b"]),
    ("- {times: 1, per: call, error: overloaded}\n- reply: b", [0, 1, 0], ["529", "529", "b"]),
    ("- {active: {after: 1}, reply: a}\n- reply: b", [0, 1, 0, 1], ["b", "b", "a", "a"]),
    ("- {active: {every: 2}, error: overloaded}\n- reply: b", [0, 1, 0], ["b", "529", "b"]),
    ("- {times: 1, raw: {status: 503}}\n- reply: b", [0, 1], ["503", "b"]),
)


@pytest.mark.parametrize(("written", "retries", "wanted"), RETRIES)
def test_a_retry_gets_past_what_fails_and_gets_again_what_answered(
    written: str, retries: list[int], wanted: list[str]
) -> None:
    """What fails is spent by the attempt, what answers by the call; `per` says otherwise."""
    session = open_session(stubs(written))

    assert [told(session, count=count) for count in retries] == wanted


def test_a_retry_never_eats_the_next_calls_answer() -> None:
    """Two calls with the same body at once: the retry of one gets its own step again."""
    session = open_session(stubs("- sequence: [one, two]"))
    one = begin(session, chat(), headers=retry(0))
    two = begin(session, chat(), headers=retry(0))

    again = read(begin(session, chat(), headers=retry(1)))

    assert [read(one).text, read(two).text, again.text] == ["one", "two", "one"]
    assert again.body == read(one).body


def test_a_retry_gets_the_same_bytes() -> None:
    session = open_session(stubs("- reply: {faker: {sentence: {}}}"))

    first, again, other = [ask_in(session, chat(), headers=retry(count)) for count in (0, 1, 0)]

    assert first.body == again.body != other.body


def test_streamed_and_plain_calls_are_different_calls_of_one_stub() -> None:
    session = open_session(stubs("- sequence: [one, two]"))

    assert ask_in(session, chat(stream=True)).text == "one"
    assert ask_in(session, chat()).text == "two"


def test_scope_conversation_gives_each_conversation_its_own_place() -> None:
    session = open_session(stubs("- {sequence: [one, two], scope: conversation}"))

    assert [told(session, user) for user in ("a", "b", "a", "b", "a")] == [
        "one",
        "one",
        "two",
        "two",
        "sequence_exhausted",
    ]


def test_a_conversation_is_its_first_user_message_and_its_system_text() -> None:
    session = open_session(stubs("- {sequence: [one, two, three], scope: conversation}"))
    system = [{"role": "system", "content": "s"}]
    first = [{"role": "user", "content": "a"}]
    later = [*first, {"role": "assistant", "content": "one"}, {"role": "user", "content": "b"}]

    asked = [first, later, system + first, system + later, first]
    assert [ask_in(session, chat(messages=messages)).text for messages in asked] == [
        "one",
        "two",
        "one",
        "two",
        "three",
    ]


def test_times_count_all_conversations_together() -> None:
    session = open_session(stubs("- {sequence: [one, two], scope: conversation, times: 3}\n- reply: other"))

    assert [told(session, user) for user in ("a", "b", "a", "b")] == ["one", "one", "two", "other"]


def test_what_the_mock_could_not_do_is_not_counted() -> None:
    """A template that fails, a sequence that has ended: mend the scenario and the same call goes on."""
    session = open_session(stubs("- {when: {user: t}, times: 1, reply: '{{ tool.x }}'}\n- reply: b"))

    assert [told(session, "t"), told(session, "t")] == ["template", "template"]
    assert session.counters.counts == {}


def test_uses_tell_how_often_each_answered() -> None:
    session = open_session(stubs("- {times: 1, error: overloaded}\n- {name: b, reply: b}\n- reply: c"))

    for count in (0, 1, 2):
        told(session, count=count)

    assert list(session.uses().values()) == [1, 1, 0]


def test_a_reset_begins_anew() -> None:
    session = open_session(stubs("- {sequence: [a, b], active: {gate: g}}\n- reply: closed"))
    session.gates["g"] = True
    session.clock.advance(60)
    assert told(session) == "a"

    session.reset()

    assert told(session) == "closed"
    assert (session.clock.elapsed_s(), session.journal.count) == (0.0, 2)
    session.gates["g"] = True
    assert told(session) == "a"


def test_the_last_conversations_keep_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockbifrost.session.session.CONVERSATIONS", 2)
    session = open_session(stubs("- {sequence: [one, two], scope: conversation}"))

    assert [told(session, user) for user in ("a", "b", "c", "b", "a")] == ["one", "one", "one", "two", "one"]
    assert len([key for key in session.counters.counts if " in " in key]) == 2
