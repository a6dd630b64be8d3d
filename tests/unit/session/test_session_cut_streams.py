"""A stream that was cut, and a client that takes what came for the whole."""

from typing import Any

import pytest

from mockbifrost.playback.player import Played
from mockbifrost.session.session import Session
from mockbifrost.session.verify import Checks, verify
from tests.harness import ask_in, begin, chat, open_session, stubs

HALF = (
    "- {times: 1, when: {user: story}, reply: One two three four., upstream: {cut: {after_chunks: 2}}}\n- reply: Fine."
)
SAID = [{"role": "user", "content": "A story, please"}]
CUT = "The stream of request 1 (user 'A story, please') was cut after 2 chunks, and "
ADVICE = "take a stream that ends with an error, or without a finish_reason, for a failure: raise, or ask again"


def half_told() -> tuple[Session, str]:
    """A session in which an answer was cut, and the part that came."""
    session = open_session(stubs(HALF))
    response = ask_in(session, chat("A story, please", stream=True))
    assert '"content":" two"' in response.body.decode()
    assert '"content":" three"' not in response.body.decode()
    return session, "One two"


def on_with(part: str) -> dict[str, Any]:
    """A request that goes on after an answer."""
    messages = [*SAID, {"role": "assistant", "content": part}, {"role": "user", "content": "And then?"}]
    return {"model": "gpt-4o", "messages": messages}


def test_who_goes_on_with_a_part_as_if_it_were_all_is_told() -> None:
    session, part = half_told()
    ask_in(session, on_with(part))

    (problem,) = verify(session).problems
    first, came, do = problem.split("\n")
    assert first == CUT + "request 2 goes on as if what had come were the whole answer."
    assert came.startswith(f"  came: {part!r}, then the error 'provider closed the stream ")
    assert do == f"  do: in the code under test, {ADVICE}"


def test_white_space_around_the_part_makes_no_difference() -> None:
    session, part = half_told()
    ask_in(session, on_with(f" {part}\n"))

    assert len(verify(session).problems) == 1


@pytest.mark.parametrize(
    "later",
    [
        [chat("A story, please")],
        [chat("A story, please", stream=True), on_with("One two")],
        [on_with("Something else.")],
    ],
    ids=["asked again", "asked again and went on", "went on with something else"],
)
def test_who_asks_again_or_goes_on_otherwise_is_not(later: list[dict[str, Any]]) -> None:
    session, _part = half_told()
    for body in later:
        ask_in(session, body)

    assert verify(session).problems == ()


def test_that_nothing_was_asked_again_is_a_remark_and_with_conduct_a_problem() -> None:
    session, _part = half_told()

    (remark,) = [one for one in verify(session).remarks if "cut" in one]
    (problem,) = verify(session, checks=Checks(conduct=True)).problems
    first, came, do = problem.split("\n")
    assert first == CUT + "nothing was asked again."
    assert came.startswith("  came: 'One two', then the error ")
    assert do == f"  do: in the code under test, {ADVICE}"
    assert remark == first


def test_a_tool_call_of_a_cut_stream_that_is_answered_is_told() -> None:
    reply = "{tool_calls: [{name: look, arguments: {what: everything there is}}]}"
    session = open_session(
        stubs(f"- {{times: 1, reply: {reply}, upstream: {{cut: {{at: tool_arguments}}}}}}\n- reply: Fine.")
    )
    begun = ask_in(session, chat("Look", stream=True))
    id = begun.body.decode().split('"id":"call')[1].split('"')[0]
    call = {"id": f"call{id}", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Look"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "nothing"},
    ]
    ask_in(session, {"model": "gpt-4o", "messages": messages})

    (problem,) = verify(session).problems
    assert f"\n  came: {call['id']}, then the error " in problem


@pytest.mark.parametrize(
    "stub",
    [
        "- reply: One two three.",
        "- {reply: One two three., upstream: no_done}",
        "- {reply: One two three., upstream: {slow: 1s}}",
        "- {reply: One two three., upstream: {cut: {at: usage}}}",
        "- error: overloaded",
    ],
)
def test_a_whole_answer_and_an_error_are_no_cut_streams(stub: str) -> None:
    session = open_session(stubs(stub))
    ask_in(session, chat("hi", stream=True))

    assert verify(session, checks=Checks(conduct=True)).text() == ""


def test_an_end_that_looks_good_is_a_cut_stream_too() -> None:
    """As release 1.6 passes on a provider that hangs up: no error, no finish_reason."""
    session = open_session(stubs("- {reply: One two three., upstream: {cut: {after_chunks: 1}}}"), version="1.6")
    ask_in(session, chat("hi", stream=True))

    (problem,) = verify(session, checks=Checks(conduct=True)).problems
    assert problem.startswith(
        "The stream of request 1 (user 'hi') was cut after 1 chunk, and nothing was asked again.\n"
    )
    assert "\n  came: 'One', then its end, without a finish_reason\n" in problem


def test_a_stream_without_chunks_is_a_cut_stream_too() -> None:
    quirks = "gateway: {quirks: [upstream_death_is_success, no_role_delta]}"
    session = open_session(stubs("- {reply: One two., upstream: {cut: {after_chunks: 0}}}", before=quirks))
    response = ask_in(session, chat("hi", stream=True))

    assert response.status == 200
    (problem,) = verify(session, checks=Checks(conduct=True)).problems
    assert problem.startswith("The stream of request 1 (user 'hi') was cut before its first chunk, and nothing")
    assert "\n  came: no text, then its end, without a finish_reason\n" in problem


def test_a_client_that_has_left_before_knows_that_it_is_not_the_whole() -> None:
    session = open_session(stubs(HALF))
    session.finish(begin(session, chat("A story, please", stream=True)), Played(True, 2))
    ask_in(session, on_with("One two"))

    assert verify(session, checks=Checks(conduct=True)).text() == ""


def test_what_was_said_before_the_cut_is_no_part_of_it() -> None:
    """The same words stand in the conversation already, when the stream is cut."""
    session = open_session(stubs(HALF))
    before = [*SAID, {"role": "assistant", "content": "One two"}, *SAID]
    ask_in(session, {"model": "gpt-4o", "messages": before, "stream": True})
    ask_in(session, {"model": "gpt-4o", "messages": [*before, {"role": "user", "content": "Hello?"}]})

    assert verify(session).problems == ()
