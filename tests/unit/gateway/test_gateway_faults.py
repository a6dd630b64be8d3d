"""What clients and the journal see of a provider's connection that breaks, by profile, plain and streamed; and of a client that leaves.

Time is the session's clock and the script. Source: wire.md 4.6 and 6.3, gateway-behaviour.md 1.6 and 1.7.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockbifrost.playback.player import Played
from mockbifrost.provider.connection import FAULTS
from mockbifrost.wire.profiles import ProfileName
from tests.harness import PROFILE_NAMES, Response, ask_in, begin, chat, read, session_with
from tests.strategies import PATIENT, REPLIES, REQUESTS

TIMED_OUT = (
    "request timed out (default is 30 seconds). You can increase it by setting the default_request_timeout_in_seconds in the "
    "network_config or in UI - Providers > Provider Name > Network Config."
)
FAILED = "failed to execute HTTP request to provider API"
EMPTY = "empty response received from provider"
HTML = "HTML response received from provider"
UNREADABLE = "failed to unmarshal response from provider API"
NO_STREAM = "provider returned non-SSE response for streaming request"
CLOSED = "provider closed the stream before sending a completion marker (upstream connection ended mid-stream)"
IDLE = "stream idle timeout: no data received within configured window"
READ = "Error reading stream: connection reset by peer"
START_S = 10.0


@dataclass(frozen=True, slots=True)
class Sees:
    """What a client sees: the status; of a stream how many words; how it ends: `answer`, `zeros`, `nothing`, or an error's message.

    `at_s` is when it ends, in seconds of the script; `tries` how often the provider was asked.
    """

    status: int
    ends: str
    at_s: float
    words: int = 0
    tries: int = 1


def fails(status: int, message: str, at_s: float, tries: int = 1) -> Sees:
    return Sees(status, message, at_s, tries=tries)


OK = Sees(200, "answer", 5.0, 4)
OK_STREAM = Sees(200, "answer", 4.0, 4)
HANGS = Sees(200, "hangs", 0.0)


@dataclass(frozen=True, slots=True)
class Row:
    """A fault of four words, a second each, and what becomes of it: plain, streamed; `old` are those of 1.6 where they differ."""

    fault: Any
    plain: Sees
    stream: Sees
    old_plain: Sees | None = None
    old_stream: Sees | None = None

    def seen(self, version: ProfileName, stream: bool) -> Sees:
        """By profile."""
        newest, old = (self.stream, self.old_stream) if stream else (self.plain, self.old_plain)
        return old if version == "1.6" and old is not None else newest


def both(fault: Any, newest: Sees, old: Sees | None = None, old_stream: Sees | None = None) -> Row:
    """A fault that is the same plain and streamed."""
    return Row(fault, newest, newest, old, old_stream or old)


NOTHING = Sees(200, "nothing", 1.0)
ROWS: Mapping[str, Row] = {
    "reset": both("reset", fails(502, FAILED, 2.002, 2), fails(500, FAILED, 2.002, 2)),
    "no response": both("no_response", fails(504, TIMED_OUT, 30), old_stream=HANGS),
    "empty": Row("empty", fails(500, EMPTY, 1), NOTHING),
    "html": both("html", fails(502, HTML, 1)),
    "html with a status": both({"html": {"status": 503}}, fails(503, HTML, 1)),
    "not json": both("not_json", fails(502, UNREADABLE, 1), fails(500, UNREADABLE, 1)),
    "truncated": Row(
        "truncated", fails(502, FAILED, 5), Sees(200, CLOSED, 2, 2), fails(500, FAILED, 5), Sees(200, "zeros", 2, 2)
    ),
    "not sse": Row("not_sse", OK, fails(500, NO_STREAM, 1)),
    "slow": Row({"slow": "20s"}, Sees(200, "answer", 25, 4), Sees(200, "answer", 24, 4)),
    "too slow": both({"slow": "40s"}, fails(504, TIMED_OUT, 30), old_stream=Sees(200, "answer", 44, 4)),
    "cut at the start": Row(
        {"cut": {"after_chunks": 0}}, fails(502, FAILED, 5), fails(500, CLOSED, 1), fails(500, FAILED, 5), NOTHING
    ),
    "cut": Row(
        {"cut": {"after_chunks": 3}},
        fails(502, FAILED, 5),
        Sees(200, CLOSED, 3, 3),
        fails(500, FAILED, 5),
        Sees(200, "zeros", 3, 3),
    ),
    "cut by a reset": Row(
        {"cut": {"after_chunks": 3, "how": "reset"}},
        fails(502, FAILED, 5),
        Sees(200, READ, 3, 3),
        fails(500, FAILED, 5),
    ),
    "cut before the usage": Row(
        {"cut": {"at": "usage"}}, fails(502, FAILED, 5), Sees(200, "zeros", 4, 4), fails(500, FAILED, 5)
    ),
    "stall at the start": both({"stall": {"after_chunks": 0}}, fails(504, TIMED_OUT, 30), old_stream=HANGS),
    "stall": Row({"stall": {"after_chunks": 2}}, fails(504, TIMED_OUT, 30), Sees(200, IDLE, 62, 2)),
    "stall that ends": Row(
        {"stall": {"after_chunks": 2, "for": "5s"}}, Sees(200, "answer", 10, 4), Sees(200, "answer", 9, 4)
    ),
    "stall that ends too late": Row(
        {"stall": {"after_chunks": 2, "for": "70s"}}, fails(504, TIMED_OUT, 30), Sees(200, IDLE, 62, 2)
    ),
    "malformed at the start": Row(
        {"malformed": {"after_chunks": 0}},
        fails(502, UNREADABLE, 5),
        fails(502, UNREADABLE, 1),
        fails(500, UNREADABLE, 5),
        fails(500, UNREADABLE, 1),
    ),
    "malformed": Row(
        {"malformed": {"after_chunks": 2}},
        fails(502, UNREADABLE, 5),
        Sees(200, UNREADABLE, 2, 2),
        fails(500, UNREADABLE, 5),
    ),
    "no done": Row("no_done", OK, OK_STREAM),
    "error first": Row({"error_event": "overloaded"}, fails(529, "Overloaded", 5), fails(529, "Overloaded", 1)),
    "error": Row(
        {"error_event": {"name": "overloaded", "after_chunks": 2}},
        fails(529, "Overloaded", 5),
        Sees(200, "Overloaded", 2, 2),
    ),
}
STUB = {"reply": "one two three four", "pace": {"ttft": "1s", "tokens_per_second": 1}}


def seen_of(response: Response) -> Sees:
    """What a response shows."""
    outcome = response.exchange.outcome
    at_s = outcome.waited_s + outcome.cast.times_s[-1]
    tries = len(outcome.trail)
    if outcome.end == "hold":
        assert response.body == b""
        return Sees(response.status, "hangs", at_s, tries=tries)
    if response.header("content-type") == "application/json":
        ends = "answer" if response.status == 200 else response.error["message"]
        return Sees(response.status, ends, at_s, len(response.text.split()) if ends == "answer" else 0, tries)
    events = response.body.decode().split("\n\n")
    assert events.pop() == ""
    bodies = [json.loads(event.removeprefix("data: ")) for event in events if event != "data: [DONE]"]
    words = sum([bool(body["choices"][0]["delta"].get("content")) for body in bodies if "choices" in body])
    if events[-1] != "data: [DONE]":
        return Sees(response.status, bodies[-1]["error"]["message"], at_s, words, tries)
    if not bodies:
        return Sees(response.status, "nothing", at_s, words, tries)
    return Sees(response.status, "answer" if bodies[-1]["usage"]["total_tokens"] else "zeros", at_s, words, tries)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("name", ROWS)
def test_what_a_client_sees_of_a_fault(name: str, version: ProfileName, stream: bool) -> None:
    row = ROWS[name]
    session = session_with({**STUB, "upstream": row.fault}, version=version, gateway={"cost": "none"})
    session.clock.advance(START_S)

    response = ask_in(session, chat(stream=stream))

    wanted = row.seen(version, stream)
    assert seen_of(response) == wanted
    check_trail(response, wanted)
    if response.status >= 400:
        assert response.json().get("status_code") in (response.status, None)
        assert session.gateway_state.ledger.total().requests == 0


def check_trail(response: Response, wanted: Sees) -> None:
    """The tries follow each other, the first when the request came, the last ends when the response does."""
    trail = response.exchange.outcome.trail
    assert trail[0].at_s == START_S
    assert trail[-1].at_s + trail[-1].took_s == pytest.approx(START_S + wanted.at_s)
    good = wanted.ends in ("answer", "zeros", "nothing", "hangs")
    assert {one.outcome for one in trail} == {"answer" if good else "error"}
    assert {one.status for one in trail} == {wanted.status}


def test_every_kind_of_fault_has_a_row() -> None:
    kinds = {row.fault if isinstance(row.fault, str) else next(iter(row.fault)) for row in ROWS.values()}
    assert kinds == set(FAULTS)


@pytest.mark.parametrize(
    "name", ["reset", "not json", "html", "html with a status", "empty", "no response", "error first"]
)
@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_what_fails_before_anything_was_sent_falls_back(name: str, version: ProfileName) -> None:
    """In scripted time: the fallback is asked when the primary has failed."""
    stubs = ({"when": {"provider": "openai"}, **STUB, "upstream": ROWS[name].fault}, {"reply": "Mended."})
    session = session_with(*stubs, version=version, gateway={"cost": "none"})

    response = ask_in(session, chat(fallbacks=["groq/llama"]))

    failed_s = ROWS[name].seen(version, stream=False).at_s
    assert (response.status, response.text) == (200, "Mended.")
    assert response.exchange.outcome.trail[-1].at_s == pytest.approx(failed_s)


@pytest.mark.parametrize("name", ["truncated", "cut", "stall", "malformed", "error"])
@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_what_fails_in_a_stream_is_not_mended(name: str, version: ProfileName) -> None:
    stubs = ({"when": {"provider": "openai"}, **STUB, "upstream": ROWS[name].fault}, {"reply": "Mended."})
    providers = {"openai": {"max_retries": 3}, "groq": {}}
    session = session_with(*stubs, version=version, gateway={"cost": "none", "providers": providers})

    response = ask_in(session, chat(fallbacks=["groq/llama"], stream=True))

    assert seen_of(response) == ROWS[name].seen(version, stream=True)


RETRIED: Mapping[str, bool] = {
    "reset": True,
    "truncated": True,
    "cut": True,
    "html": True,
    "not json": True,
    "empty": False,
    "no response": False,
}


@pytest.mark.parametrize("name", RETRIED)
def test_which_faults_of_a_plain_answer_are_retried(name: str) -> None:
    """Failures of the network and what looks like a 5xx are, timeouts and other errors of the gateway's own are not."""
    session = session_with(
        {**STUB, "upstream": ROWS[name].fault}, gateway={"cost": "none", "providers": {"openai": {"max_retries": 1}}}
    )

    tries = len(ask_in(session, chat()).exchange.outcome.trail)

    assert tries == (1 + RETRIED[name] + (name == "reset"))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(("ttft", "status"), [("7s", 200), ("8s", 504)])
def test_timeouts_of_the_settings_hold(ttft: str, status: int, stream: bool) -> None:
    """In scripted time; of a stream, that of its first chunk."""
    gateway = {"cost": "none", "providers": {"openai": {"timeout": "7.5s", "stream_idle_timeout": "2s"}}}
    session = session_with({"reply": "Hello", "pace": {"ttft": ttft}}, gateway=gateway)

    response = ask_in(session, chat(stream=stream))

    assert response.status == status
    if status == 504:
        assert response.exchange.outcome.trail[0].took_s == 7.5
        assert (response.error["message"], response.error["type"]) == (TIMED_OUT, "request_timed_out")


@pytest.mark.parametrize(("rate", "words"), [(0.6, 4), (0.4, 1)])
def test_a_gap_longer_than_the_idle_timeout_ends_a_stream(rate: float, words: int) -> None:
    gateway = {"cost": "none", "providers": {"openai": {"stream_idle_timeout": "2s"}}}
    session = session_with({"reply": "one two three four", "pace": {"tokens_per_second": rate}}, gateway=gateway)

    seen = seen_of(ask_in(session, chat(stream=True)))

    assert (seen.ends, seen.words) == ("answer" if words == 4 else IDLE, words)


def test_an_error_in_a_stream_is_told_like_an_error_of_the_gateway() -> None:
    session = session_with({**STUB, "upstream": ROWS["error"].fault}, version="2.2")

    *_chunks, event, rest = ask_in(session, chat(stream=True)).body.decode().split("\n\n")

    body = json.loads(event.removeprefix("data: "))
    assert rest == ""
    assert list(body) == ["is_bifrost_error", "error", "extra_fields"]
    assert body["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    assert body["extra_fields"]["request_type"] == "chat_completion_stream"
    assert (body["extra_fields"]["provider"], body["extra_fields"]["latency"]) == ("openai", 2000)


PLACES = st.integers(0, 12)


@settings(max_examples=100, deadline=None)
@given(
    REQUESTS,
    REPLIES,
    PLACES,
    st.sampled_from(["cut", "stall", "malformed", "error_event"]),
    st.sampled_from(PROFILE_NAMES),
    st.booleans(),
)
def test_a_stream_that_breaks_off_is_the_beginning_of_the_whole_one(
    request: dict[str, Any], reply: dict[str, Any], count: int, kind: str, version: ProfileName, raw: bool
) -> None:
    """Byte for byte, so many chunks, then one event that tells of the error (or an end that looks good); and at their times."""
    body = {**request, "stream": True}
    gateway = {**PATIENT, "raw": {"request": raw, "response": raw}}
    more = {"message": "Broke."} if kind == "error_event" else {}
    fault = {kind: {"after_chunks": count, **more}}
    pace = {"ttft": "1s", "tokens_per_second": 10}
    whole = begin(session_with({"reply": reply, "pace": pace}, version=version, gateway=gateway), body)
    broken = begin(
        session_with({"reply": reply, "pace": pace, "upstream": fault}, version=version, gateway=gateway), body
    )

    if broken.outcome.status != 200:
        assert read(broken).json()["error"]["message"]
        return
    if broken.outcome.end == "hold":  # silent from the start, which 1.6 waits for
        assert (read(broken).body, version, kind) == (b"", "1.6", "stall")
        return
    events, wanted = [read(one).body.decode().split("\n\n")[:-1] for one in (broken, whole)]
    if events == wanted:
        return  # it never gets to the place
    ending = 2 if events[-1] == "data: [DONE]" and len(events) > 1 else 1
    assert events[:-ending] == wanted[: len(events) - ending]
    kept = len(events) - ending
    assert broken.outcome.cast.times_s[:kept] == whole.outcome.cast.times_s[:kept]
    if ending == 1 and events[-1] != "data: [DONE]":
        assert "error" in json.loads(events[-1].removeprefix("data: "))
    else:
        assert version == "1.6"


PRICED = {"pricing": {"openai/gpt-4o": {"input": 1_000_000, "output": 1_000_000}}}
CACHED = {"x-bf-cache-key": "k"}


@pytest.mark.parametrize("chunks", range(5))
def test_a_client_that_leaves_is_charged_what_it_was_sent_and_nothing_is_stored(chunks: int) -> None:
    """The prompt whole, of the completion its share."""
    session = session_with("one two three four", gateway=PRICED)

    ask_in(session, chat(stream=True), headers=CACHED, played=Played(closed=True, chunks=chunks))

    total = session.gateway_state.ledger.total()
    assert (total.requests, total.prompt_tokens, total.completion_tokens, total.total_tokens) == (
        1,
        8,
        chunks,
        8 + chunks,
    )
    assert total.cost == pytest.approx(8 + chunks)
    assert len(session.gateway_state.cache) == 0
    again = ask_in(session, chat(stream=True), headers=CACHED)
    assert again.chunks[-1]["extra_fields"]["cache_debug"]["cache_hit"] is False


@pytest.mark.parametrize("count", range(1, 4))
def test_a_stream_that_its_provider_breaks_off_is_charged_by_what_came_of_it(count: int) -> None:
    fault = {"cut": {"after_chunks": count}}
    session = session_with({"reply": "one two three four", "upstream": fault}, gateway=PRICED)

    ask_in(session, chat(stream=True), headers=CACHED)

    total = session.gateway_state.ledger.total()
    assert (total.requests, total.completion_tokens, total.cost) == (1, count, 8 + count)
    assert len(session.gateway_state.cache) == 0


def test_a_client_that_leaves_a_stream_that_breaks_off_is_charged_a_part_of_the_part() -> None:
    session = session_with({"reply": "one two three four", "upstream": {"cut": {"after_chunks": 2}}}, gateway=PRICED)

    ask_in(session, chat(stream=True), played=Played(closed=True, chunks=1))

    assert session.gateway_state.ledger.total().completion_tokens == 1


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_place_that_an_answer_never_gets_to_breaks_nothing(stream: bool) -> None:
    whole = ask_in(session_with("one two"), chat(stream=stream))
    for kind in ("cut", "stall", "malformed"):
        stub = {"reply": "one two", "upstream": {kind: {"after_chunks": 9}}}
        assert ask_in(session_with(stub), chat(stream=stream)).body == whole.body
