"""What vcrpy and pytest-recording make of our files: they replay them, without any network, and keep what is ours."""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import vcr  # type: ignore[import-untyped]
from vcr.errors import CannotOverwriteExistingCassetteException  # type: ignore[import-untyped]

from mockbifrost.cassette.format import read_cassette
from mockbifrost.cassette.interaction import About, Interaction
from mockbifrost.cassette.redact import Redactor
from mockbifrost.cassette.tape import Tape
from mockbifrost.cassette.writing import write_cassette
from tests.unit.cassette.recorded import ANSWERED, ASKED, URI, asking, recorded, streamed, told

MATCH = ["method", "uri", "body"]


@pytest.fixture(autouse=True)
def closed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_args: object) -> None:
        raise AssertionError("something was asked of the network")

    monkeypatch.setattr(socket.socket, "connect", refused)


@pytest.fixture
def recordings() -> list[Interaction]:
    """A plain answer, a stream and an error, as a recorder leaves them."""
    found = [
        recorded(about=About(source="gateway")),
        streamed("Grüße ", "an\nalle ", "😀"),
        recorded({"n": 3}, {"e": 1}, status=429),
    ]
    found[1] = asking(found[1], body=json.dumps({**ASKED, "stream": True}).encode())
    return [Redactor().redacted(one)[0] for one in found]


@pytest.fixture
def path(tmp_path: Path, recordings: list[Interaction]) -> Path:
    path = tmp_path / "a.yaml"
    with Tape.open(path) as tape:
        for one in recordings:
            tape.append(one)
    return path


def playing(path: Path, record_mode: str = "none") -> Any:
    return vcr.VCR(record_mode=record_mode, match_on=MATCH).use_cassette(str(path))


def asked_of(path: Path, module: Any, request: Any, record_mode: str = "none") -> Any:
    with playing(path, record_mode), module.Client() as client:
        return client.post(request.uri, content=request.body, headers=list(request.headers))


@pytest.mark.parametrize("module", [httpx, httpx2], ids=lambda module: str(module.__name__))
def test_vcrpy_replays_what_was_recorded(path: Path, recordings: list[Interaction], module: Any) -> None:
    plain, stream, error = [asked_of(path, module, one.request) for one in recordings]

    # vcrpy gives JSON back as it stands in the file: indented.
    assert (plain.status_code, plain.json(), plain.headers["content-type"]) == (200, ANSWERED, "application/json")
    assert (stream.status_code, stream.content) == (200, recordings[1].response.body)
    assert stream.headers["content-type"] == "text/event-stream"
    assert (error.status_code, error.reason_phrase, error.json()) == (429, "OK", {"e": 1})


def test_vcrpy_replays_to_the_standard_library(path: Path, recordings: list[Interaction]) -> None:
    asked = recordings[1].request
    request = urllib.request.Request(URI, data=asked.body, headers=dict(asked.headers), method="POST")

    with playing(path), urllib.request.urlopen(request) as answer:
        assert answer.status == 200
        assert answer.read() == recordings[1].response.body


def test_vcrpy_finds_no_more_than_was_recorded(path: Path, recordings: list[Interaction]) -> None:
    with pytest.raises(CannotOverwriteExistingCassetteException):
        asked_of(path, httpx, asking(recordings[0], body=b'{"other": 1}').request)


def test_vcrpy_keeps_what_is_ours_when_it_saves_again(path: Path, recordings: list[Interaction]) -> None:
    with playing(path, "new_episodes") as cassette:
        for one in recordings:
            cassette.play_response(cassette.requests[recordings.index(one)])
        cassette.dirty = True
    text = path.read_text(encoding="utf-8")
    assert text.rstrip().endswith("version: 1")

    kept = read_cassette(path)

    assert kept.warnings == ()
    for one, wanted in zip(kept.interactions, recordings, strict=True):
        assert (one.request.body, one.response, one.about) == (wanted.request.body, wanted.response, wanted.about)


def test_what_vcrpy_saved_can_be_recorded_to(path: Path, recordings: list[Interaction]) -> None:
    with playing(path, "new_episodes") as cassette:
        cassette.dirty = True
    with Tape.open(path) as tape:
        assert tape.append(recordings[0]) == 4

    found = read_cassette(path).interactions

    assert told(found[3]) == told(recordings[0])
    assert asked_of(path, httpx2, recordings[1].request).content == recordings[1].response.body


TEST = f"""
import httpx2
import pytest

@pytest.mark.vcr
def test_replays():
    answer = httpx2.post({URI!r}, json={ASKED!r})
    assert (answer.status_code, answer.json()) == (200, {ANSWERED!r})

@pytest.mark.vcr("EXTRA")
def test_of_another_file():
    answer = httpx2.post({URI!r}, json={ASKED!r})
    assert answer.json() == {ANSWERED!r}

@pytest.mark.vcr(match_on=["method", "uri", "body"])
def test_without_a_recording():
    with pytest.raises(Exception, match="no recorded interaction matches"):
        httpx2.post({URI!r}, json={{"other": 1}})
"""


def test_pytest_recording_replays_what_was_recorded(pytester: pytest.Pytester, recordings: list[Interaction]) -> None:
    module = pytester.path / "test_it.py"
    module.write_text(TEST.replace("EXTRA", str(pytester.path / "shared.yaml")), encoding="utf-8")
    folder = pytester.path / "cassettes" / "test_it"
    write_cassette(folder / "test_replays.yaml", recordings)
    write_cassette(folder / "test_without_a_recording.yaml", recordings)
    write_cassette(pytester.path / "shared.yaml", recordings)

    # In a process of its own: the plugin patches sockets.
    result = pytester.runpytest_subprocess("--block-network", "-p", "no:cacheprovider", "-W", "default", timeout=120)

    result.assert_outcomes(passed=3)
