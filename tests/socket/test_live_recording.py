"""What an upstream answers is written down when it has ended: as it came, without secrets, once however many listened."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mockbifrost import MockBifrost
from mockbifrost.cassette.format import read_cassette
from mockbifrost.cassette.interaction import Interaction
from mockbifrost.cassette.record_mode import RecordMode
from mockbifrost.errors import CassetteError, MockBifrostError, RecordRefusedError, UsageError
from mockbifrost.serve.recorder import RecordSettings, prepare, quarantine_path
from mockbifrost.serve.upstream_settings import Kind, upstream_of
from tests.socket.raw_http import DEADLINE_S, Connection, Response, chat, chat_body, request_bytes, until
from tests.socket.upstreams import COMPLETION, PLAIN, STREAM, Behaviour, Line, upstream

PATH = "/pydanticai/v1/chat/completions"


@contextmanager
def recording(
    address: str, file: Path, mode: RecordMode = "all", kind: Kind = "gateway", **options: Any
) -> Iterator[MockBifrost]:
    """A server that records what an upstream answers."""
    with MockBifrost(upstream=upstream_of(address, kind), cassette=file, record_mode=mode, **options) as server:
        yield server


def recorded(file: Path) -> tuple[Interaction, ...]:
    """What stands in a file."""
    return read_cassette(file).interactions if file.exists() else ()


def streams(*parts: bytes) -> Behaviour:
    """A stream of these parts that ends well."""

    def behave(line: Line) -> None:
        line.stream()
        for part in parts:
            line.chunk(part)
        line.chunk(b"")

    return behave


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where to record to."""
    return tmp_path / "made" / "demo.yaml"


def test_an_answer_stands_in_the_file_when_its_client_has_it(file: Path) -> None:
    with upstream(lambda line: line.plain(PLAIN, x_request_id="r")) as other, recording(other.url, file) as server:
        response = chat(server.port, "hi", headers={"user-agent": "tests/1"})
        (one,) = recorded(file)

    assert response.body == PLAIN
    assert (one.request.method, one.request.uri) == ("POST", other.url + PATH)
    assert one.request.body == chat_body("hi")
    assert (one.response.status, one.response.body) == (200, PLAIN)
    assert [piece.size for piece in one.response.pieces] == [len(PLAIN)]
    assert (one.about.source, one.about.client, one.about.upstream) == ("gateway", "tests/1", other.url)
    assert one.about.recorded_at is not None
    assert one.about.recorded_at.endswith("Z")


def test_a_stream_keeps_its_borders_and_times(file: Path) -> None:
    parts = (STREAM[0][:20], STREAM[0][20:] + STREAM[1], *STREAM[2:])
    read = threading.Semaphore(0)

    def behave(line: Line) -> None:
        line.stream()
        for part in parts:
            line.chunk(part)
            assert read.acquire(timeout=DEADLINE_S)
        line.chunk(b"")

    with upstream(behave) as other, recording(other.url, file) as server, Connection(server.port) as client:
        client.send_path(PATH, chat_body("hi", stream=True))
        client.head()
        for part in parts:
            assert client.chunk() == part
            read.release()
        assert client.chunk() == b""
        (one,) = recorded(file)

    assert one.response.body == b"".join(STREAM)
    assert [piece.size for piece in one.response.pieces] == [len(part) for part in parts]
    times = [piece.at_ms for piece in one.response.pieces]
    assert times == sorted(times)


def test_what_was_recorded_is_played_as_it_was(file: Path) -> None:
    with upstream(streams(*STREAM)) as other, recording(other.url, file) as server:
        live = chat(server.port, "hi", stream=True)
    with MockBifrost(file) as server:
        played = chat(server.port, "hi", stream=True)

    assert played.body == live.body == b"".join(STREAM)
    assert played.chunks == STREAM


def test_each_session_is_played_all_of_a_recording_in_its_order(file: Path) -> None:
    run(file, "all", ["a", "a"], "A1", "A2")
    with (
        MockBifrost(file) as server,
        server.session() as one,
        server.session() as other,
        Connection(server.port) as client,
    ):
        said = [client.chat("a", path=f"/s/{session.id}{PATH}").text for session in (one, other, other, one)]

    assert said == ["A1", "A1", "A2", "A2"]


def test_a_server_of_our_own_is_recorded_byte_for_byte(file: Path) -> None:
    scenario = 'version: 1\nstubs:\n  - {reply: "Once upon a time there was a gateway."}\n'
    answers: list[Response] = []
    with MockBifrost([scenario], version="2.2") as other, recording(other.url, file) as server:
        for body in ({}, {"stream": True}):
            answers.append(chat(server.port, "hi", **body))

    assert [one.response.body for one in recorded(file)] == [answer.body for answer in answers]
    assert [one.about.gateway for one in recorded(file)] == ["2.2", "2.2"]


def test_a_provider_is_recorded_as_it_was_asked_and_answered(file: Path) -> None:
    with upstream(streams(*STREAM)) as other, recording(other.url, file, kind="provider") as server:
        live = chat(server.port, "hi", stream=True, model="openai/gpt-4o")
        (one,) = recorded(file)
    with MockBifrost(file) as server:
        played = chat(server.port, "hi", stream=True, model="openai/gpt-4o")

    assert json.loads(one.request.body)["model"] == "gpt-4o"
    assert one.request.uri == other.url + "/v1/chat/completions"
    assert one.about.source == "provider"
    assert one.response.body == b"".join(STREAM)
    assert played.text == live.text == "Once upon a time."


def test_secrets_do_not_reach_the_file(file: Path) -> None:
    key = "sk-proj-" + "a1B2" * 10
    body = json.dumps({**COMPLETION, "note": f"your key is {key}", "id": "own-secret"}).encode()
    with upstream(lambda line: line.plain(body)) as other:
        with recording(other.url, file, redact=["own-[a-z]+"]) as server:
            response = chat(server.port, f"my key is {key}", headers={"authorization": f"Bearer {key}"})
        text = file.read_text(encoding="utf-8")
        with MockBifrost(file, redact=["own-[a-z]+"]) as server:
            played = chat(server.port, f"my key is {key}")

    assert response.body == body
    assert other.heard[0].headers["authorization"] == f"Bearer {key}"
    assert key not in text
    assert "own-secret" not in text
    assert played.status == 200


@pytest.mark.parametrize("kind", ["gateway", "provider"])
def test_secrets_do_not_reach_a_log_at_any_level(file: Path, kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    key, cookie = "sk-proj-" + "a1B2" * 10, "monster"
    caplog.set_level(1)

    def behave(line: Line) -> None:
        line.plain(json.dumps({"error": {"message": f"bad key {key}"}}).encode(), 401, set_cookie=cookie, x_note=key)

    with upstream(behave) as other, recording(f"{other.url}/v1?token=swordfish&key={key}", file, kind=kind) as server:
        assert chat(server.port, f"my key is {key}", headers={"authorization": f"Bearer {key}"}).status == 401

    assert "HTTP Request: POST" in caplog.text
    assert not [word for word in ("a1B2a1B2", "swordfish", cookie) if word in caplog.text]


def cut(line: Line) -> None:
    """Breaks off in the middle of a stream."""
    line.stream()
    line.chunk(STREAM[0])


def cut_after_all(line: Line) -> None:
    """Says all, but not that it was all."""
    line.head(content_type="application/json", transfer_encoding="chunked")
    line.chunk(PLAIN)


@pytest.mark.parametrize(
    ("behave", "body"),
    [
        (lambda line: line.plain(b'{"error": {"message": "no"}}', 401), {}),
        (lambda line: line.plain(b"<html>"), {}),
        (cut, {"stream": True}),
        (cut_after_all, {}),
        (streams(*STREAM[:2]), {"stream": True}),
    ],
    ids=["an error", "no JSON", "cut", "cut at the end", "no end"],
)
def test_what_ends_badly_goes_to_a_file_of_its_own(file: Path, behave: Behaviour, body: dict[str, Any]) -> None:
    with upstream(behave) as other, recording(other.url, file) as server, Connection(server.port) as client:
        client.send_path(PATH, chat_body("hi", **body))
        client.head()
        until(lambda: bool(recorded(quarantine_path(file))), "it is in quarantine")

    assert quarantine_path(file).name == "demo.errors.yaml"
    assert recorded(file) == ()


def test_all_that_ends_badly_goes_there(file: Path) -> None:
    with upstream(lambda line: line.plain(b"{}", 500)) as other, recording(other.url, file) as server:
        for text in ("one", "two"):
            chat(server.port, text)

    assert len(recorded(quarantine_path(file))) == 2


def test_where_errors_are_wanted_they_stand_with_the_rest(file: Path) -> None:
    with (
        upstream(lambda line: line.plain(b'{"error": {"message": "no"}}', 401)) as other,
        recording(other.url, file, record_errors=True) as server,
    ):
        chat(server.port, "hi")

    assert [one.response.status for one in recorded(file)] == [401]
    assert not quarantine_path(file).exists()


def test_a_client_that_leaves_before_the_end_leaves_nothing_good(file: Path) -> None:
    def behave(line: Line) -> None:
        line.stream()
        line.chunk(STREAM[0])
        line.gone()

    with upstream(behave) as other, recording(other.url, file) as server:
        with Connection(server.port) as client:
            client.send_path(PATH, chat_body("hi", stream=True))
            client.head()
            client.chunk()
        until(lambda: bool(recorded(quarantine_path(file))), "it is in quarantine")

    assert recorded(quarantine_path(file))[0].response.body == STREAM[0]
    assert recorded(file) == ()


def test_a_client_that_leaves_after_done_has_had_all(file: Path) -> None:
    def behave(line: Line) -> None:
        line.stream()
        for part in STREAM:
            line.chunk(part)
        line.gone()

    with upstream(behave) as other, recording(other.url, file) as server, Connection(server.port) as client:
        client.send_path(PATH, chat_body("hi", stream=True))
        client.head()
        for _part in STREAM:
            client.chunk()
        assert [one.response.body for one in recorded(file)] == [b"".join(STREAM)]

    assert not quarantine_path(file).exists()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_end_of_a_stream_may_come_in_two_pieces(file: Path, end: str) -> None:
    said = [part.replace(b"\n", end.encode()) for part in STREAM[:-1]]
    parts = (*said, f"data: [DONE]{end}".encode(), end.encode())
    with upstream(streams(*parts)) as other, recording(other.url, file) as server:
        live = chat(server.port, "hi", stream=True)
    with MockBifrost(file) as server:
        played = chat(server.port, "hi", stream=True)

    assert live.chunks == parts
    assert played.chunks == parts


def test_a_quarantine_that_cant_be_read_is_told_and_the_client_has_its_answer(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    quarantine_path(file).write_text("interactions: [\n")
    with upstream(lambda line: line.plain(PLAIN, status=401)) as other, recording(other.url, file) as server:
        assert chat(server.port, "hi").body == PLAIN

    assert f"An answer could not be recorded: {quarantine_path(file)}" in caplog.text
    assert quarantine_path(file).read_text() == "interactions: [\n"


def test_an_upstream_that_says_nothing_leaves_nothing(file: Path) -> None:
    with upstream(lambda line: None) as other, recording(other.url, file) as server:
        assert chat(server.port, "hi").status == 502

    assert recorded(file) == ()
    assert not quarantine_path(file).exists()


def test_what_a_stub_answers_is_not_recorded(file: Path) -> None:
    scenario = 'version: 1\nstubs:\n  - {when: {user: hi}, reply: "Scripted."}\n'
    with upstream(lambda line: line.plain(PLAIN)) as other, recording(other.url, file, scenarios=[scenario]) as server:
        chat(server.port, "hi")
        chat(server.port, "what else")

    assert [json.loads(one.request.body)["messages"][0]["content"] for one in recorded(file)] == ["what else"]


class Held:
    """An upstream that sends a first chunk, and the rest when it is told to."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, line: Line) -> None:
        line.stream()
        line.chunk(STREAM[0])
        assert self.go.wait(DEADLINE_S)
        for part in STREAM[1:]:
            line.chunk(part)
        line.chunk(b"")


def test_parallel_requests_for_the_same_ask_once(file: Path) -> None:
    held = Held()
    with (
        upstream(held) as other,
        recording(other.url, file) as server,
        Connection(server.port) as first,
        Connection(server.port) as second,
    ):
        for client in (first, second):
            client.send_path(PATH, chat_body("hi", stream=True))
            client.head()
            assert client.chunk() == STREAM[0]
        held.go.set()
        rest = []
        for client in (first, second):
            said = b""
            while chunk := client.chunk():
                said += chunk
            rest.append(said)

    assert rest == [b"".join(STREAM[1:])] * 2
    assert len(other.heard) == 1
    assert len(recorded(file)) == 1


def test_when_the_first_client_leaves_the_others_go_on(file: Path) -> None:
    held = Held()
    with (
        upstream(held) as other,
        recording(other.url, file) as server,
        server.session(verify=False) as session,
        Connection(server.port) as second,
    ):
        with Connection(server.port) as first:
            for client in (first, second):
                client.send_chat("hi", session, stream=True)
                client.head()
                client.chunk()
        until(lambda: not session.requests[0].open, "the first has left")
        held.go.set()
        rest = b""
        while chunk := second.chunk():
            rest += chunk

    assert rest == b"".join(STREAM[1:])
    assert len(other.heard) == 1
    assert len(recorded(file)) == 1


@pytest.mark.parametrize(
    "others",
    [
        {"body": {"temperature": 1}},
        {"body": {"stream": False}},
        {"headers": {"authorization": "Bearer other"}},
        {"headers": {"x-bf-vk": "sk-bf-other"}},
        {"body": {"stream_options": {"include_usage": True}}},
    ],
    ids=["another body", "no stream", "another key", "another virtual key", "usage wanted"],
)
def test_requests_that_differ_are_asked_apart(file: Path, others: dict[str, Any]) -> None:
    held = Held()
    both = {"stream": True, **others.get("body", {})}
    with (
        upstream(held) as other,
        recording(other.url, file) as server,
        Connection(server.port) as first,
        Connection(server.port) as second,
    ):
        first.send_path(PATH, chat_body("hi", stream=True))
        first.head()
        second.send(request_bytes("POST", PATH, chat_body("hi", **both), headers=others.get("headers")))
        second.head()
        held.go.set()

    assert len(other.heard) == 2


def test_while_nothing_is_recorded_each_request_is_asked() -> None:
    held = Held()
    with (
        upstream(held) as other,
        MockBifrost(upstream=upstream_of(other.url)) as server,
        Connection(server.port) as first,
        Connection(server.port) as second,
    ):
        for client in (first, second):
            client.send_path(PATH, chat_body("hi", stream=True))
            client.head()
        held.go.set()

    assert len(other.heard) == 2


class Numbered:
    """An upstream that answers `1`, `2`, … by itself, or as a list says."""

    def __init__(self, *said: str) -> None:
        self.left = list(said)
        self.asked = 0
        self.lock = threading.Lock()

    def __call__(self, line: Line) -> None:
        with self.lock:
            self.asked += 1
            text = self.left.pop(0) if self.left else str(self.asked)
        choices = [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]
        line.plain(json.dumps({**COMPLETION, "id": f"chatcmpl-{self.asked}", "choices": choices}).encode())


def contents(file: Path) -> list[str]:
    """What the recorded answers say."""
    return [json.loads(one.response.body)["choices"][0]["message"]["content"] for one in recorded(file)]


def run(file: Path, mode: RecordMode, said: list[str], *answers: str) -> tuple[list[str], int]:
    """Ask these, one after the other; what was answered, and how often the upstream was asked."""
    numbered = Numbered(*answers)
    with upstream(numbered) as other, recording(other.url, file, mode) as server:
        found = [chat(server.port, text).text for text in said]
    return found, numbered.asked


def test_once_records_a_new_file_and_then_only_plays(file: Path) -> None:
    assert run(file, "once", ["a", "a", "b"]) == (["1", "2", "3"], 3)
    before = file.read_bytes()
    with upstream(Numbered()) as other, recording(other.url, file, "once") as server:
        assert [chat(server.port, text).text for text in ("a", "a", "b")] == ["1", "2", "3"]
        missed = chat(server.port, "new")

    assert missed.header("x-mockbifrost-error") == "no_match"
    assert other.heard == []
    assert file.read_bytes() == before


def test_new_episodes_plays_what_is_there_and_records_the_rest(file: Path) -> None:
    run(file, "all", ["a", "b"], "A1", "B1")

    assert run(file, "new_episodes", ["a", "c", "a", "b"], "C1", "A2") == (["A1", "C1", "A2", "B1"], 2)
    assert contents(file) == ["A1", "B1", "C1", "A2"]


def test_recording_all_anew_leaves_what_says_the_same_untouched(file: Path) -> None:
    run(file, "all", ["a", "b", "a"], "A1", "B1", "A2")
    before = file.read_bytes()

    assert run(file, "all", ["a", "b", "a"], "A1", "B1", "A2") == (["A1", "B1", "A2"], 3)
    assert file.read_bytes() == before


def test_recording_all_anew_changes_what_says_something_else_and_nothing_more(file: Path) -> None:
    run(file, "all", ["a", "b", "a"], "A1", "B1", "A2")
    before = recorded(file)

    run(file, "all", ["a", "a", "b", "b"], "A1", "A2 is new", "B1", "B2")
    after = recorded(file)

    assert contents(file) == ["A1", "B1", "A2 is new", "B2"]
    assert [one.response for one in after[:2]] == [one.response for one in before[:2]]
    assert [one.about for one in after[:2]] == [one.about for one in before[:2]]


def test_with_mode_none_what_is_there_is_played_and_the_rest_forwarded(file: Path) -> None:
    run(file, "all", ["a"], "A1")
    before = file.read_bytes()

    assert run(file, "none", ["a", "b"], "B1") == (["A1", "B1"], 1)
    assert file.read_bytes() == before


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1"])
def test_recording_refuses_addresses_that_others_can_reach(file: Path, host: str) -> None:
    settings = RecordSettings(file, "all")
    with pytest.raises(RecordRefusedError, match="--record-on-any-address"):
        prepare(settings, upstream_of("http://x"), loopback=False)
    with pytest.raises(RecordRefusedError, match="--record-on-any-address"):
        MockBifrost(upstream="http://x", cassette=file, record_mode="all", host=host).start()

    assert not file.exists()


def test_where_it_is_told_to_it_records_anyway(file: Path) -> None:
    settings = RecordSettings(file, "all", any_address=True)
    prepared = prepare(settings, upstream_of("http://x"), loopback=False)

    assert prepared.recorder is not None
    prepared.recorder.close()


@pytest.mark.parametrize(
    ("settings", "upstream_url", "error"),
    [
        (RecordSettings(None, "all"), "http://x", UsageError),
        (RecordSettings(None, "once"), "http://x", UsageError),
        (RecordSettings(Path("x.yaml"), "all"), None, UsageError),
        (RecordSettings(Path("/dev/null/x.yaml"), "once"), "http://x", RecordRefusedError),
        (RecordSettings(Path("nowhere/x.yaml"), "none"), None, CassetteError),
    ],
    ids=["no file", "no file once", "nobody to ask", "no place", "nothing to play"],
)
def test_what_can_not_be_recorded_or_played_is_refused_before_anybody_listens(
    settings: RecordSettings, upstream_url: str | None, error: type[MockBifrostError]
) -> None:
    with pytest.raises(error):
        prepare(settings, upstream_of(upstream_url) if upstream_url else None, loopback=True)


def test_a_cassette_that_cant_be_read_is_refused_and_left_as_it_is(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("interactions: [\n")

    with pytest.raises(CassetteError):
        MockBifrost(upstream="http://127.0.0.1:1", cassette=file, record_mode="all").start()

    assert file.read_text() == "interactions: [\n"


def test_the_file_that_is_recorded_to_is_not_played_from_a_folder_that_is_served(file: Path) -> None:
    run(file, "all", ["a"], "A1")
    numbered = Numbered("A2")
    with upstream(numbered) as other, recording(other.url, file, "all", scenarios=[file.parent]) as server:
        assert chat(server.port, "a").text == "A2"

    assert contents(file) == ["A2"]


def test_a_full_disk_is_told_and_the_client_has_its_answer(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mockbifrost.cassette.tape.LARGEST_BYTES", 10)
    with upstream(lambda line: line.plain(PLAIN)) as other, recording(other.url, file) as server:
        assert chat(server.port, "hi").body == PLAIN

    assert "An answer could not be recorded" in caplog.text


def test_stopping_in_the_middle_puts_what_came_into_quarantine(file: Path) -> None:
    def behave(line: Line) -> None:
        line.stream()
        line.chunk(STREAM[0])
        line.gone()

    with upstream(behave) as other, waiting(other.url, file) as client:
        client.head()
        client.chunk()

    assert [one.response.body for one in recorded(quarantine_path(file))] == [STREAM[0]]


@contextmanager
def waiting(url: str, file: Path) -> Iterator[Connection]:
    """A client of a recording server that is stopped while the client waits."""
    with recording(url, file) as server:
        client = Connection(server.port)
        client.send_path(PATH, chat_body("hi", stream=True))
        yield client
    client.close()
