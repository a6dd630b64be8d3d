"""The journal: what it holds, what it hides, and how it stays small."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.gateway.configuration import unnamed
from mockbifrost.playback.player import Played
from mockbifrost.session.journal import OVERHEAD, Entry, Journal
from tests.harness import ask_in, begin, chat, open_session, read, retry, session_with, stubs

KEY = "sk-proj-abcdefgh12345678"
PRICED = """
gateway:
  version: "1.6"
  pricing: {openai/gpt-4o: {input: 1000, output: 4000}}
"""


def entry(number: int = 1, size: int = 0) -> Entry:
    return Entry(number, "test", 1, None, 0.0, "POST", "/", (), b" " * size)


def entries() -> Iterator[Entry]:
    number = 0
    while True:
        number += 1
        yield entry(number)


STEPS = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 3_000)),
    st.tuples(st.just("grow"), st.integers(0, 3_000)),
    st.tuples(st.just("clear"), st.just(0)),
)


@given(st.integers(1, 5), st.integers(1_000, 20_000), st.lists(STEPS, max_size=40))
def test_a_journal_stays_within_its_bounds(most: int, most_bytes: int, steps: list[tuple[str, int]]) -> None:
    """Whatever comes and whenever it grows, also entries that fell out long ago; only the newest may be too large."""
    journal = Journal(most, most_bytes)
    made: list[Entry] = []
    cleared = 0
    for step, size in steps:
        if step == "add":
            made.append(entry(journal.count + 1, size))
            journal.add(made[-1])
        elif step == "grow" and made:
            journal.grow(made[size % len(made)], size)
        elif step == "clear":
            journal.clear()
            cleared = len(made)
        held = list(journal)
        assert held == made[len(made) - len(held) :]
        assert len(journal) == len(held) <= most
        assert sum(one.size for one in held) <= most_bytes or len(held) == 1
        assert journal.count == len(made)
        assert journal.dropped == len(made) - cleared - len(held)


@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=8))
def test_no_more_is_dropped_than_must_be(sizes: list[int]) -> None:
    journal = Journal(100, sum(sizes) + OVERHEAD * len(sizes))

    for size in sizes:
        journal.add(entry(size=size))

    assert len(journal) == len(sizes)


def test_an_answer_that_ends_after_its_entry_fell_out_takes_no_room() -> None:
    """A long stream ends when two thousand other requests have come: the journal goes on as before."""
    journal = Journal(2, 10 * OVERHEAD)
    first = entry()
    for one in [first, entry(2), entry(3)]:
        journal.add(one)

    journal.grow(first, 100 * OVERHEAD)
    journal.add(entry(4))

    assert [one.number for one in journal] == [3, 4]


def test_a_cleared_journal_counts_on_and_has_lost_nothing() -> None:
    session = open_session(stubs("- reply: x"), journal=Journal(entries=1))
    ask_in(session, chat())
    ask_in(session, chat())
    assert session.journal.dropped == 1

    session.reset()

    assert (len(session.journal), session.journal.dropped) == (0, 0)
    assert ask_in(session, chat()).entry.number == 3


def test_an_entry_says_what_came_and_what_went() -> None:
    session = open_session(stubs("- {name: greeting, reply: Hello}", before=PRICED))
    session.clock.advance(3.25)

    found = ask_in(session, chat(n=1), headers={**retry(0), "X-Note": "a"}).entry.to_json()

    response = found.pop("response")
    assert found == {
        "n": 1,
        "session": "test",
        "call": 1,
        "retry": 0,
        "at_s": 3.25,
        "request": {
            "method": "POST",
            "path": "/pydanticai/v1/chat/completions",
            "headers": {"x-stainless-retry-count": "0", "x-note": "a"},
            "body": chat(n=1),
        },
        "stub": {"name": "greeting", "file": "test.yaml", "line": 6},
        "trail": [
            {
                "provider": "openai",
                "model": "gpt-4o",
                "key": "openai-key-1",
                "try": 0,
                "fallback": 0,
                "stub": {"name": "greeting", "file": "test.yaml", "line": 6},
                "outcome": "answer",
                "status": 200,
                "at_s": 3.25,
                "took_s": 0.0,
            }
        ],
        "usage": {"prompt_tokens": 8, "completion_tokens": 1, "total_tokens": 9},
        "cost": {"total_cost": 0.012},
    }
    assert response["status"] == 200
    assert response["headers"]["x-bifrost-provider"] == "openai"
    assert response["body"]["choices"][0]["message"]["content"] == "Hello"


def test_a_stream_has_its_chunks_counted_and_its_text() -> None:
    response = ask_in(session_with("Hello there"), chat(stream=True))

    found = response.entry.to_json()["response"]
    assert (found["chunks"], found["text"]) == (2, response.body.decode())
    assert "body" not in found


def test_secrets_are_hidden_where_they_are_read_and_kept_where_they_are_used() -> None:
    session = open_session(stubs("- {when: {headers: {authorization: abcdefgh}}, reply: 'key {{ user }}'}"))

    response = ask_in(session, chat(KEY), headers={"Authorization": f"Bearer {KEY}", "x-a": KEY})

    assert response.text == f"key {KEY}"
    assert KEY not in str(response.entry.to_json())
    assert response.entry.to_json()["request"]["headers"] == {"authorization": "[redacted]", "x-a": "[redacted]"}
    assert response.entry.body == chat(KEY)


def test_a_client_that_left_is_noted_with_the_chunks_it_had() -> None:
    session = session_with("Hello there")
    exchange = begin(session, chat(stream=True))

    session.finish(exchange, Played(closed=True, chunks=1))

    assert exchange.entry.to_json()["client_closed_at_chunk"] == 1
    assert exchange.entry.to_json()["usage"] == {"prompt_tokens": 8, "completion_tokens": 1, "total_tokens": 9}
    assert "client_closed_at_chunk" not in ask_in(session, chat()).entry.to_json()


def test_an_entry_is_there_before_its_answer_has_ended() -> None:
    session = session_with("Hello")

    exchange = begin(session, chat())

    assert list(session.journal) == [exchange.entry]
    assert exchange.entry.status == 200
    assert not {"usage", "cost"} & exchange.entry.to_json().keys()
    assert read(exchange).text == "Hello"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(b"{", "{", id="broken"),
        pytest.param(b"\xff\xfe", "\ufffd\ufffd", id="no text"),
        pytest.param(b"[1]", [1], id="no object"),
        pytest.param(f'{{"model": "{KEY}'.encode(), '{"model": "[redacted]', id="broken with a key"),
        pytest.param(b"[" * 250 + b"]" * 250, "[" * 250 + "]" * 250, id="deep"),
    ],
)
def test_a_body_of_any_form_can_be_shown(body: bytes, shown: Any) -> None:
    """As JSON where it is, else as text."""
    found = ask_in(session_with("Hello"), body).entry.to_json()

    assert found["request"]["body"] == shown
    assert orjson.dumps(found)


def test_an_entry_shows_the_cache_and_what_a_hit_was_charged() -> None:
    """As the answer tells it; the provider's tokens are not paid twice."""
    session = session_with("Hello", gateway={"pricing": {"openai/gpt-4o": {"input": 1000, "output": 4000}}})

    responses = [ask_in(session, chat(), headers={"x-bf-cache-key": "k"}) for _time in range(2)]
    miss, hit = [response.entry.to_json() for response in responses]

    for response, shown in zip(responses, (miss, hit), strict=True):
        assert shown["cache"] == response.json()["extra_fields"]["cache_debug"]
    assert (miss["cache"]["cache_hit"], miss["cost"]) == (False, {"total_cost": 0.012})
    assert hit["cache"]["cache_hit"]
    assert hit["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    assert "cost" not in hit
    assert [trace["outcome"] for trace in hit["trail"]] == ["cached"]
    assert "cache" not in ask_in(session, chat()).entry.to_json()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("sk-bf-team-a", "team-a", id="named"),
        pytest.param("sk-bf-team-b", unnamed("sk-bf-team-b"), id="without a name"),
        pytest.param("sk-bf-team-c", "[redacted]", id="named like a key"),
        pytest.param(None, None, id="none"),
    ],
)
def test_a_virtual_key_is_shown_by_its_name_alone(value: str | None, shown: str | None) -> None:
    keys = {"sk-bf-team-a": {"name": "team-a"}, "sk-bf-team-b": {}, "sk-bf-team-c": {"name": KEY}}
    session = session_with("Hello", gateway={"virtual_keys": keys})

    found = ask_in(session, chat(), headers={"x-bf-vk": value} if value else None).entry.to_json()

    assert found.get("virtual_key") == shown
    assert "sk-" not in str(found)


@pytest.mark.parametrize("header", ["x-bf-vk", "x-api-key", "api-key", "x-goog-api-key", "authorization"])
def test_a_virtual_key_that_a_client_made_up_is_not_shown(header: str) -> None:
    made_up = "sk-bf-x" if header != "x-bf-vk" else "hunter2"
    value = f"Bearer {made_up}" if header == "authorization" else made_up

    found = ask_in(session_with("Hello"), chat(), headers={header: value}).entry.to_json()

    assert found["virtual_key"] == unnamed(made_up)
    assert made_up not in str(found)


def test_what_failed_is_not_charged() -> None:
    found = ask_in(session_with({"error": "overloaded"}), chat()).entry.to_json()

    assert not {"usage", "cost", "cache", "virtual_key"} & found.keys()


def test_an_error_of_the_mock_is_named() -> None:
    response = ask_in(open_session("version: 1"), chat())

    assert (response.entry.error, response.entry.status) == ("no_match", 400)
    assert response.entry.to_json()["error"] == "no_match"
    assert "error" not in ask_in(session_with({"error": "overloaded"}), chat()).entry.to_json()


def test_headers_count_for_the_room_that_an_entry_takes() -> None:
    plain, large = [ask_in(session_with("Hello"), chat(), headers={"x-a": "a" * size}) for size in (1, 5_001)]

    assert large.entry.size - plain.entry.size == 5_000


def test_raw_bytes_are_shown_as_text() -> None:
    response = ask_in(session_with({"raw": {"base64": "/w=="}}), chat())

    assert response.entry.to_json()["response"]["text"] == "\ufffd"
