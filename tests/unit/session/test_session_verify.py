"""What a session saw against what it expected, in whole sentences."""

import pytest

from mockbifrost.session.assembly import assemble
from mockbifrost.session.journal import Journal
from mockbifrost.session.registry import Sessions
from mockbifrost.session.session import Session
from mockbifrost.session.verify import Checks, verify
from tests.harness import ask_in, begin, chat, open_session, retry, stubs


def test_a_session_that_saw_what_it_expected_has_nothing_to_say() -> None:
    session = open_session(stubs("- {required: true, reply: a}"))
    ask_in(session, chat())

    assert verify(session).text() == ""


def test_an_unmatched_request_is_told_with_its_whole_explanation() -> None:
    session = open_session(stubs("- {when: {user: x}, reply: a}"))
    miss = ask_in(session, chat())

    verdict = verify(session)

    assert verdict.problems == (
        "Request 1 (POST /pydanticai/v1/chat/completions) was not answered by any script:\n"
        + miss.error["message"]
        + "\n  note: the client got status 400; if the code under test went on, it has swallowed that",
    )
    assert verdict.remarks == ("Not used: test.yaml:3.",)


def test_an_exhausted_sequence_and_a_template_that_fails_are_problems_too() -> None:
    session = open_session(stubs("- {when: {user: s}, sequence: [a]}\n- '{{ tool.x }}'"))
    for user in ("s", "s", "t"):
        ask_in(session, chat(user))

    assert [problem.split(" ")[1] for problem in verify(session).problems] == ["2", "3"]


def test_errors_that_were_scripted_are_no_problem() -> None:
    session = open_session(stubs("- {times: 1, error: overloaded}\n- gateway_error: internal"))
    ask_in(session, chat())
    ask_in(session, chat())
    ask_in(session, b"{")

    assert verify(session).problems == ()


def test_stubs_of_files_that_nothing_used_are_only_listed() -> None:
    session = open_session(stubs("- {name: first, when: {user: x}, reply: a}\n- {when: {user: y}, reply: b}"))

    assert verify(session).text() == "Not used: first, test.yaml:4."


UNUSED = (
    "Stub 'first' (test.yaml:3) was never used.\n"
    "  nearest: no request came\n"
    "  do: check why the code under test asked for nothing, or remove the stub"
)


def test_a_required_stub_must_be_used() -> None:
    assert verify(open_session(stubs("- {name: first, required: true, reply: a}"))).text() == UNUSED


def test_a_stub_of_the_test_itself_must_be_used() -> None:
    session = open_session(stubs("- {name: first, reply: a}"))
    (stub,) = session.stubs

    assert verify(session, own=[stub.id]).text() == UNUSED


@pytest.mark.parametrize(("calls", "said"), [(1, 1), (2, None), (3, 3)])
def test_a_number_of_uses_is_exact(calls: int, said: int | None) -> None:
    session = open_session(stubs("- {name: first, required: 2, reply: a}"))
    for _call in range(calls):
        ask_in(session, chat())

    wanted = (
        f"Stub 'first' (test.yaml:3) was used {said} times, 2 were required.\n"
        "  do: check what the code under test asks, or change `required`"
    )
    assert verify(session).text() == (wanted if said else "")


def test_a_call_that_is_retried_uses_its_answer_once() -> None:
    session = open_session(stubs("- {required: 1, reply: a}"))
    for count in (0, 1, 2):
        ask_in(session, chat(), headers=retry(count))

    assert verify(session).problems == ()


def test_a_miss_that_fell_out_of_the_journal_still_fails() -> None:
    session = open_session(stubs("- when: {user: known}\n  reply: a"), journal=Journal(entries=1))
    ask_in(session, chat("another"))
    ask_in(session, chat("known"))
    ask_in(session, chat("known"))

    assert verify(session).text() == "1 more were not answered either and have left the journal."


def test_answers_that_fell_out_of_the_journal_are_no_problem() -> None:
    session = open_session(stubs("- reply: a"), journal=Journal(entries=1))
    ask_in(session, chat())
    ask_in(session, chat())

    assert verify(session).text() == ""


def test_a_reset_forgets_what_was_not_answered() -> None:
    session = open_session("version: 1", journal=Journal(entries=1))
    ask_in(session, chat())
    ask_in(session, chat())

    session.reset()

    assert verify(session).text() == ""


def test_what_is_open_is_told_in_the_order_of_the_requests() -> None:
    session = open_session(stubs("- {name: a, when: {user: hi}, reply: a}"))
    begin(session, chat())
    begin(session, chat())
    ask_in(session, chat("miss"))
    session.journal.open[1].outcome = None  # as long as an upstream has not answered

    first, second, third = verify(session).problems
    assert first == (
        "Request 1 (user 'hi') is still being answered, by 'a' (test.yaml:3).\n"
        "  do: read the stream to its end, close it, or cancel the call before the test ends"
    )
    assert second.startswith("Request 2 (user 'hi') is still being answered, by nothing yet.\n")
    assert third.startswith("Request 3 (POST ")
    assert len(verify(session, checks=Checks(open=False)).problems) == 1


def test_a_stub_that_nothing_used_shows_the_request_that_came_nearest() -> None:
    session = open_session(
        stubs(
            "- {name: taken, when: {user: hi}, reply: a}\n- {name: idle, required: true, when: {user: Hi, turn: 0}, reply: b}"
        )
    )
    ask_in(session, b"{")
    ask_in(session, {"model": "gpt-4o", "messages": [{"role": "assistant", "content": "hi"}]})
    ask_in(session, chat("hi"))

    assert verify(session, checks=Checks(unmatched=False)).text() == (
        "Stub 'idle' (test.yaml:4) was never used.\n"
        "  nearest: request 3 (user 'hi'), 1 of 2 fields differ:\n"
        "    user  wanted contains 'Hi'  got 'hi'  (differs only in case: use ignore_case)\n"
        "  do: mend its `when`, or check what the code under test sends, or remove the stub"
    )


def test_a_stub_behind_another_one_that_fits_is_told_so() -> None:
    session = open_session(
        stubs("- {name: taken, reply: a}\n- {name: idle, required: true, when: {user: hi}, reply: b}")
    )
    ask_in(session, chat("hi"))

    assert verify(session).text() == (
        "Stub 'idle' (test.yaml:4) was never used.\n"
        "  nearest: request 1 (user 'hi') fits it, but 'taken' (test.yaml:3) answered it\n"
        "  do: put this stub before the other one, narrow the other one's `when`, or remove this stub"
    )


def test_a_stub_that_fits_what_the_gateway_refused_was_not_asked() -> None:
    session = open_session(
        stubs("- {name: idle, required: true, reply: b}", before="gateway: {providers: {openai: {keys: []}}}")
    )
    ask_in(session, chat("hi"))

    assert "  nearest: request 1 (user 'hi') fits it, but it was not asked\n" in verify(session).text()


def test_unused_stubs_come_in_the_order_in_which_they_were_written() -> None:
    session = open_session(
        stubs("- {name: a, required: true, reply: a}\n- {name: b, priority: 1, required: true, reply: b}")
    )

    assert [problem.split("'")[1] for problem in verify(session).problems] == ["a", "b"]
    assert verify(session, checks=Checks(unused=False)).text() == "Not used: a, b."


def test_a_lenient_answer_to_a_miss_is_told_as_one() -> None:
    assembly = assemble([])
    session = Sessions(assembly.common, assembly.named, lenient=True).get("one")
    assert isinstance(session, Session)
    ask_in(session, chat())

    assert verify(session).text().endswith("\n  note: the server is lenient and made an answer up")


def test_what_looks_like_a_key_is_in_no_report() -> None:
    session = open_session(stubs("- {required: true, when: {user: x}, reply: a}"))
    ask_in(session, chat("sk-abcdefghijklmnopqrstuv"))

    assert "sk-abc" not in verify(session).text()


def test_a_stub_that_a_miss_has_named_already_is_not_explained_again() -> None:
    session = open_session(stubs("- {name: idle, required: true, when: {user: x}, reply: b}"))
    ask_in(session, chat("hi"))

    told = "Stub 'idle' (test.yaml:3) was never used.\n  nearest: request 1, as told above\n  do: mend its `when`,"
    assert verify(session).problems[1].startswith(told)
    (alone,) = verify(session, checks=Checks(unmatched=False)).problems
    assert "\n    user  wanted contains 'x'  got 'hi'\n" in alone
