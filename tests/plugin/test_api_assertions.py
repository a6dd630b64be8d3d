"""What a test may say about the requests that came, and what it is told where that is wrong."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from mockbifrost import MockBifrost, ScenarioError, Session, UsageError, VerificationError
from mockbifrost.api.assertions import KEYS, LISTED, OUTCOME, errors_of, search_of, traffic
from mockbifrost.api.words import Sought
from mockbifrost.scenario.when_model import WhenModel
from tests.inside import port_of
from tests.plugin.saying import say
from tests.socket.raw_http import Connection, ask, request_bytes

TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


def told(call: Any, *args: Any, **keys: Any) -> str:
    """The text of the failure."""
    with pytest.raises(VerificationError) as error:
        call(*args, **keys)
    assert isinstance(error.value, AssertionError)
    return str(error.value)


@pytest.fixture
def seen(mock: Session) -> Session:
    """A session with a call that was retried, a stream, and a miss."""
    mock.when(user="status").name("down").error("overloaded").times(1).per("attempt")
    mock.when(user="status").name("up").reply("All is well.")
    mock.when(user="story", stream=True).name("teller").reply("Once upon a time.")
    say(mock, "status?", headers={"x-stainless-retry-count": "0"})
    say(mock, "status?", headers={"x-stainless-retry-count": "1"})
    say(mock, "a story", stream=True, model="anthropic/claude-sonnet-4-5")
    say(mock, "sk-abcdefghijklmnopqrstuv", tools=TOOLS)
    return mock


SEEN = (
    "  came:\n"
    "    1. call 1, 529 plain, user 'status?', answered by 'down'\n"
    "    2. call 1 (retry 1), 200 plain, user 'status?', answered by 'up'\n"
    "    3. call 2, 200 stream, user 'a story', answered by 'teller'\n"
    "    4. call 3, 400 plain, user '[redacted]', not answered: no_match\n"
)


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, [1, 2, 3, 4]),
        ({"user": "status"}, [1, 2]),
        ({"user": {"regex": "^a"}}, [3]),
        ({"provider": "anthropic"}, [3]),
        ({"model": "gpt-*"}, [1, 2, 4]),
        ({"tools": ["look"]}, [4]),
        ({"stream": True}, [3]),
        ({"headers": {"x-stainless-retry-count": "1"}}, [2]),
        ({"body": {"tools[0].function.name": "look"}}, [4]),
        ({"turn": 1}, []),
        ({"status": 200}, [2, 3]),
        ({"status": [400, 529]}, [1, 4]),
        ({"streamed": True}, [3]),
        ({"streamed": False}, [1, 2, 4]),
        ({"error": "no_match"}, [4]),
        ({"error": "overloaded_error"}, [1]),
        ({"error": True}, [1, 4]),
        ({"error": False, "user": "status"}, [2]),
    ],
)
def test_requests_are_found_by_the_keys_of_when_and_by_what_became_of_them(
    seen: Session, wanted: Any, numbers: list[int]
) -> None:
    assert [request.number for request in seen.find(**wanted)] == numbers


def test_an_attempt_of_a_fallback_is_found(mock: Session) -> None:
    mock.when(provider="openai").error("overloaded")
    mock.when(provider="anthropic").reply("In its place.")
    say(mock, fallbacks=["anthropic/claude-sonnet-4-5"])

    assert len(mock.find(provider="anthropic", fallback=1)) == len(mock.find(provider="openai", fallback=0)) == 1
    assert mock.find(provider="gemini") == mock.find(provider="anthropic", fallback=0) == ()


def test_what_can_be_sought_is_what_when_takes_and_what_became_of_it() -> None:
    written = {field.alias or name for name, field in WhenModel.model_fields.items()}

    assert Sought.__required_keys__ | Sought.__optional_keys__ == set(KEYS) == written | set(OUTCOME)


def test_a_body_that_can_not_be_understood_fits_no_expectation(mock: Session) -> None:
    ask(port_of(mock), "POST", f"/s/{mock.id}/v1/chat/completions", b"{")
    ask(port_of(mock), "POST", f"/s/{mock.id}/v1/chat/completions", b'{"model": 1}')

    assert len(mock.find()) == 2
    assert mock.find(turn=0) == ()
    assert "    body  wanted a request that can be understood  got a body that can't be understood\n" in told(
        mock.assert_called, turn=0
    )


def test_a_key_that_is_none_names_the_line_of_the_test_and_the_nearest_key(mock: Session) -> None:
    with pytest.raises(
        UsageError, match=r"test_api_assertions\.py:\d+: requests are not sought by 'statuss'; did you"
    ) as error:
        mock.find(statuss=200)  # type: ignore[call-arg]
    assert str(error.value).endswith("did you mean 'status'?")
    with pytest.raises(ScenarioError, match=r"test_api_assertions\.py:\d+:1: when\.user\.contain: unknown key"):
        mock.assert_order({"user": {"contain": "x"}})


def test_calls_are_counted_and_their_retries_are_not(seen: Session) -> None:
    seen.assert_called()
    seen.assert_called(user="status")
    seen.assert_called(1, user="status")
    seen.assert_called(times=2, user="status", requests=True)
    seen.assert_called(0, user="refund")
    seen.assert_called(1, status=529)
    seen.assert_not_called(user="refund")


def test_no_call_that_fits_shows_what_came_and_the_nearest(seen: Session) -> None:
    assert told(seen.assert_called, user="Story", status=200) == (
        "Wanted at least 1 call with user='Story', status=200, got none.\n"
        + SEEN
        + "  nearest: request 3, 1 of 2 fields differ:\n"
        "    user  wanted contains 'Story'  got 'a story'  (differs only in case: use ignore_case)\n"
        "  do: mend what is sought, or check what the code under test sends"
    )


def test_other_numbers_of_calls_say_which(seen: Session) -> None:
    assert told(seen.assert_called, 2, user="status") == (
        "Wanted 2 calls with user='status', got 1.\n"
        + SEEN
        + "  do: if the code under test need not ask more often, say times=1; else look for why it does not"
    )
    assert told(seen.assert_called, 1, user="status", requests=True) == (
        "Wanted 1 request with user='status', got 2.\n"
        + SEEN
        + "  do: if the code under test should ask that often, say times=2; else look for why it asks again"
    )


def test_a_request_that_must_not_come(seen: Session) -> None:
    assert told(seen.assert_not_called, user="status") == (
        "Wanted no request with user='status', got requests 1, 2.\n"
        + SEEN
        + "  do: check why the code under test asks for this, or narrow what must not come"
    )


def test_where_nothing_came_that_is_said(mock: Session) -> None:
    assert told(mock.assert_called) == (
        "Wanted at least 1 call, got none.\n"
        "  came: no request at all\n"
        "  do: mend what is sought, or check what the code under test sends"
    )


STATUS: Sought = {"user": "status"}
STORY: Sought = {"user": "story"}
MISS: Sought = {"error": "no_match"}


def test_an_order_that_holds(seen: Session) -> None:
    seen.assert_order()
    seen.assert_order(STATUS, STORY, MISS)
    seen.assert_order(STATUS, MISS)
    seen.assert_order({}, {}, {}, strict=True)
    seen.assert_order(STATUS, STORY, MISS, strict=True)


@pytest.mark.parametrize(
    ("order", "strict", "first", "do"),
    [
        (
            [STORY, STATUS],
            False,
            "Wanted as call 2 of the order one with user='status', but it came too early: request 1.",
            "check",
        ),
        (
            [STATUS, MISS],
            True,
            "Wanted as call 2 of the order one with error='no_match', but request 3 came in its place.",
            "check",
        ),
        ([{}, {}, {}, {}], False, "Wanted as call 4 of the order one, but it came too early: request 1.", "check"),
        (
            [STATUS, {"user": "end"}],
            False,
            "Wanted as call 2 of the order one with user='end', but none came.",
            "check",
        ),
        ([STATUS], True, "Wanted 1 call in this order and no other, got request 3 as well.", "if the further"),
    ],
)
def test_an_order_that_does_not_hold(seen: Session, order: list[Sought], strict: bool, first: str, do: str) -> None:
    text = told(seen.assert_order, *order, strict=strict)

    assert text.startswith(f"{first}\n{SEEN}")
    assert text.splitlines()[-1].startswith(f"  do: {do}")


def test_a_cancelled_request_is_waited_for(server: MockBifrost, mock: Session) -> None:
    mock.when(user="slow").reply("one two three").pace(tokens_per_second=0.001, chunk="word", speed=1)
    mock.when(user="quick").reply("one two three")
    with Connection(server.port) as connection:
        connection.send_chat("slow", mock, stream=True)
        connection.head()
        while b"one" not in connection.chunk():
            pass
        closing = threading.Timer(0.05, connection.close)
        closing.start()
        mock.assert_cancelled(user="slow")
        closing.join()
    say(mock, "quick")

    (left,) = mock.find(user="slow")
    assert left.client_closed_at_chunk == 1
    text = told(mock.assert_cancelled, user="quick")
    assert text.startswith(
        "Wanted a cancelled request with user='quick', but none was cancelled.\n  came:\n    1. call 1, 200 stream, "
    )
    assert "\n    1. call 1, 200 stream, user 'slow', answered by" in text
    assert ", cancelled after 1 chunk\n" in text
    assert "\n  do: close the stream or cancel the call" in text
    assert told(mock.assert_cancelled, user="other").startswith(
        "Wanted a cancelled request with user='other', but none came."
    )


def test_of_many_requests_the_first_and_the_latest_are_listed(mock: Session) -> None:
    mock.when().reply("Yes.")
    for number in range(30):
        say(mock, f"number {number}" + "!" * 100)

    lines = traffic(mock.requests)
    assert len(lines) == LISTED + 2
    assert lines[5].startswith("    5. call 5, 200 plain, user 'number 4!!!")
    assert lines[6] == "    … 10 more"
    assert lines[7].startswith("    16. ")
    assert max([len(line) for line in lines]) < 250


def test_secrets_are_in_no_failure(mock: Session) -> None:
    secret = "sk-abcdefghijklmnopqrstuv"
    mock.when(user="x").reply("Yes.")
    say(mock, secret)

    texts = [told(mock.assert_called, user=f"not {secret}"), told(mock.verify)]
    assert [secret in text for text in texts] == [False, False]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ('{"error": {"type": "a", "code": "b"}}', ("a", "b")),
        ('{"error": {"type": "a", "code": null}}', ("a",)),
        ('{"error": "text"}', ("503",)),
        ("<html>", ("503",)),
    ],
)
def test_errors_are_known_by_type_and_code(mock: Session, body: str, names: tuple[str, ...]) -> None:
    mock.when().raw(status=503, text=body)
    say(mock)

    assert errors_of(mock.last) == names


def test_an_error_in_a_stream_is_found(mock: Session) -> None:
    mock.when().reply("one two three").upstream("cut", after_chunks=1)
    say_cut = request_bytes("POST", f"/s/{mock.id}/v1/chat/completions", _streamed())
    with Connection(port_of(mock)) as connection:
        connection.send(say_cut)
        connection.response()

    assert mock.find(error=True, status=200, streamed=True) == mock.requests
    assert mock.find(error=False) == ()
    assert errors_of(mock.last) == ("in_stream",)


def _streamed() -> bytes:
    return b'{"model": "gpt-4o", "stream": true, "messages": [{"role": "user", "content": "hi"}]}'


def test_a_search_repeats_what_was_wanted() -> None:
    search = search_of({"user": "a", "status": 200, "error": False}, "test.py", 3)

    assert (search.words, search.fields) == ("user='a', status=200, error=False", 3)
