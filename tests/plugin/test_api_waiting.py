"""Waiting for requests and for their ends: in threads, on event loops, at the end of a test; and what comes after it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mockbifrost import MockBifrost, Session, SessionFinishedError, UsageError, VerificationError
from mockbifrost.session.registry import LATE, LateRequest
from mockbifrost.session.verify import settled
from tests.inside import port_of, state_of
from tests.plugin.saying import say
from tests.socket.raw_http import Connection, ask

SOON_S = 20.0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


def hanging(mock: Session) -> Connection:
    """A client whose stream has begun and goes on for long."""
    mock.when(user="slow").name("tortoise").reply("one two three").pace(tokens_per_second=0.001, chunk="word", speed=1)
    connection = Connection(port_of(mock))
    connection.send_chat("slow", mock, stream=True)
    connection.head()
    return connection


def test_a_request_that_came_already_is_had_at_once(mock: Session) -> None:
    mock.when().reply("Yes.")
    say(mock, "first")
    say(mock, "second")

    assert mock.wait_for(user="second", timeout=0) == mock.last
    assert mock.wait_for(2, timeout=0).number == 2


def test_a_request_that_comes_later_is_waited_for(mock: Session, pool: ThreadPoolExecutor) -> None:
    mock.when().reply("Yes.")
    waiting = pool.submit(mock.wait_for, 3, 2 * SOON_S, user="go")
    say(mock, "other")
    for _number in range(3):
        say(mock, "go")

    found = waiting.result(SOON_S)  # before its time is up it must have been told
    assert (found.number, found.text.count("Yes.")) == (4, 1)


def test_it_is_its_end_that_is_waited_for(mock: Session, pool: ThreadPoolExecutor) -> None:
    connection = hanging(mock)
    assert mock.wait_for(user="slow", started=True).open
    waiting = pool.submit(mock.wait_for, timeout=2 * SOON_S, user="slow")
    with pytest.raises(VerificationError) as error:
        mock.wait_for(user="slow", timeout="10ms")
    connection.close()

    assert waiting.result(SOON_S).client_closed_at_chunk is not None
    lines = str(error.value).split("\n")
    assert lines[0] == "Waited 0.01 s for 1 request with user='slow', got 1, 1 of them still open."
    assert lines[2].endswith("'tortoise', still open")
    assert lines[3] == "  do: let the code under test read the stream to its end or close it, or wait with started=True"


def test_what_never_comes_shows_what_came_instead(mock: Session) -> None:
    mock.when().name("all").reply("Yes.")
    say(mock, "hello")

    with pytest.raises(VerificationError) as error:
        mock.wait_for(2, 0.01, user="Hello", started=True)
    assert str(error.value) == (
        "Waited 0.01 s for 2 requests with user='Hello', got none.\n"
        "  came:\n"
        "    1. call 1, 200 plain, user 'hello', answered by 'all'\n"
        "  nearest: request 1, 1 of 1 fields differ:\n"
        "    user  wanted contains 'Hello'  got 'hello'  (differs only in case: use ignore_case)\n"
        "  do: check that the code under test asks in the meantime, mend what is sought, or give it more time with timeout="
    )


@pytest.mark.parametrize("timeout", ["soon", "-1s"])
def test_a_timeout_that_is_none_is_refused(mock: Session, timeout: str) -> None:
    with pytest.raises(UsageError, match=r"^wait_for: "):
        mock.wait_for(timeout=timeout)


def test_nothing_can_not_be_waited_for(mock: Session) -> None:
    with pytest.raises(UsageError, match="count=0; 1 is the least"):
        mock.wait_for(0)


def test_async_code_waits_while_its_other_tasks_go_on(mock: Session) -> None:
    mock.when().reply("Yes.")

    async def scenario() -> int:
        waiting = asyncio.create_task(mock.wait_for_async(2, "20s", user="go"))
        await asyncio.gather(*[asyncio.to_thread(say, mock, said) for said in ("other", "go", "go")])
        return (await waiting).number

    assert asyncio.run(scenario()) in (2, 3)


def test_async_code_is_told_what_did_not_come(mock: Session) -> None:
    async def scenario() -> None:
        await mock.wait_for_async(timeout=0.01, user="never")

    with pytest.raises(VerificationError, match=r"^Waited 0\.01 s for 1 request with user='never', got none\."):
        asyncio.run(scenario())


def test_async_code_that_waits_can_be_cancelled(mock: Session) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(0.01):
            await mock.wait_for_async(timeout="1h")

    with pytest.raises(TimeoutError):
        asyncio.run(scenario())
    assert mock.requests == ()


def test_nobody_listens_any_more_who_has_stopped_waiting(mock: Session) -> None:
    for _time in range(3):
        with pytest.raises(VerificationError):
            mock.wait_for(timeout=0.001)

    assert state_of(mock).journal._waiting == []


def test_verify_waits_for_what_is_open(mock: Session, pool: ThreadPoolExecutor) -> None:
    mock.when(user="later").reply("Yes.").pace(ttft="100ms", speed=1)
    answering = pool.submit(say, mock, "later")
    mock.wait_for(started=True)

    mock.verify()
    assert not mock.last.open
    answering.result()


def test_a_response_that_stays_open_is_a_problem_until_the_client_has_left(mock: Session) -> None:
    connection = hanging(mock)

    with pytest.raises(VerificationError) as error:
        mock.verify()
    assert str(error.value).startswith("Request 1 (user 'slow') is still being answered, by 'tortoise' (")
    assert str(error.value).endswith(
        ").\n  do: read the stream to its end, close it, or cancel the call before the test ends"
    )
    mock.verify(open=False)
    connection.close()
    mock.verify()


def test_what_the_provider_never_says_is_no_problem_once_the_client_has_left(server: MockBifrost) -> None:
    with server.session(version="1.6") as mock:
        mock.when().upstream("no_response")
        with Connection(server.port) as connection:
            connection.send_chat("hi", mock, stream=True)
            mock.wait_for(started=True)
        mock.wait_for()


def test_each_check_can_be_left_out(mock: Session) -> None:
    mock.when(user="never").name("never").reply("No.")
    say(mock, "hello")

    with pytest.raises(VerificationError) as error:
        mock.verify(unmatched=False)
    assert str(error.value).startswith("Stub 'never' (")
    with pytest.raises(VerificationError) as error:
        mock.verify(unused=False)
    assert str(error.value).endswith("has swallowed that\n\nNot used: never.")
    mock.verify(unused=False, unmatched=False)


def test_the_server_can_wait_itself(server: MockBifrost, mock: Session) -> None:
    """What the control API does, on the server's loop."""
    connection = hanging(mock)
    loop = server._loop
    assert loop is not None
    journal = state_of(mock).journal
    asyncio.run_coroutine_threadsafe(settled(journal, 0.001), loop).result()
    assert [request.open for request in mock.requests] == [True]
    waiting = asyncio.run_coroutine_threadsafe(settled(journal, 20), loop)
    connection.close()

    waiting.result()
    assert [request.open for request in mock.requests] == [False]
    assert journal._waiting == []


def test_late_requests_are_told_to_the_session_they_came_for(server: MockBifrost) -> None:
    with server.session() as other, server.session() as mock:
        mock.when(user="hello").reply("Hello.")
        other.when(user="hello").reply("Of the other.").required(False)
        say(mock, "hello")
        assert [*mock.late] == []
    miss = say(mock, "hello, my key is sk-abcdefghijklmnopqrstuv")
    ask(server.port, "GET", f"/s/{mock.id}/v1/models")
    ask(server.port, "POST", f"/s/{mock.id}/v1/chat/completions", b"x", headers={"content-encoding": "br"})
    ask(server.port, "POST", f"/s/{mock.id}/v1/chat/completions", b"x")

    assert (miss.status, miss.json()["error"]["code"]) == (400, "session_finished")
    first, second, third, fourth = mock.late
    path = f"/s/{mock.id}/pydanticai/v1/chat/completions"
    assert (first.number, first.method, first.path) == (1, "POST", path)
    assert first.said == "user 'hello, my key is [redacted]'"
    assert (second.method, second.said, third.said) == ("GET", None, None)
    assert fourth.said == "a body that can't be understood"
    assert first.after_s <= second.after_s
    assert other.late == ()


def test_only_the_latest_late_requests_are_kept(server: MockBifrost) -> None:
    with server.session() as mock:
        pass
    for number in range(LATE + 2):
        say(mock, f"number {number}")

    assert [(late.number, late.said) for late in mock.late] == [
        (number + 1, f"user 'number {number}'") for number in range(2, LATE + 2)
    ]


def test_late_requests_are_known_when_the_server_has_stopped() -> None:
    with MockBifrost() as server:
        with server.session() as mock:
            pass
        say(mock, "too late")
    assert [late.said for late in mock.late] == ["user 'too late'"]


def test_a_late_request_in_words_and_as_json() -> None:
    assert str(LateRequest(2, 0.25, "POST", "/x", "user 'hi'")) == (
        "late request 2 (POST /x, user 'hi'), 0.250 s after the end of the session"
    )
    assert LateRequest(1, 0.5, "GET", "/x").to_json() == {"number": 1, "after_s": 0.5, "method": "GET", "path": "/x"}


def test_a_finished_session_can_not_be_waited_for(server: MockBifrost) -> None:
    with server.session() as mock:
        pass
    for use in (mock.wait_for, mock.assert_called, mock.find, mock.assert_order, mock.assert_cancelled):
        with pytest.raises(SessionFinishedError):
            use()
