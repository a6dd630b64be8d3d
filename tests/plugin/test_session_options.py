"""What a session is made with: a speed of its own, and how the cassettes are matched that it loads; what of them was not played."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mockbifrost import MockBifrost, RemoteBifrost, UsageError, connect
from mockbifrost.api import AnyServer
from mockbifrost.cassette.writing import write_cassette
from tests.plugin.saying import say
from tests.recorded import interaction, said


@pytest.fixture(params=["here", "elsewhere"])
def any_server(request: pytest.FixtureRequest, server: MockBifrost) -> Iterator[AnyServer]:
    """In this process, or reached as one that runs elsewhere is."""
    if request.param == "here":
        yield server
        return
    remote: RemoteBifrost = connect(server.url)
    with remote:
        yield remote


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    """Two answers to `hello`, one to `bye`."""
    path = tmp_path / "two.yaml"
    bodies = [({"user": "ann"}, "hello", "One."), ({"user": "ann"}, "hello", "Two."), ({}, "bye", "Bye.")]
    write_cassette(
        path,
        [
            interaction({"model": "gpt-4o", "messages": [{"role": "user", "content": asked}], **more}, said(answer))
            for more, asked, answer in bodies
        ],
    )
    return path


def test_a_speed_scales_the_waits_of_its_session(any_server: AnyServer) -> None:
    with any_server.session(speed=1e6, verify=False) as session:
        session.when(user="hello").reply("After 29 seconds.").pace(ttft="29s")

        assert say(session).json()["choices"][0]["message"]["content"] == "After 29 seconds."


@pytest.mark.parametrize("speed", [-1, float("inf"), "fast", True])
def test_what_is_no_speed_is_refused(server: MockBifrost, speed: float) -> None:
    with pytest.raises(UsageError, match="can't be a speed: 0 waits for nothing, 1 as written, 2 twice as fast"):
        server.open_session(speed=speed)


def test_cassettes_are_matched_as_their_session_says(any_server: AnyServer, cassette: Path) -> None:
    with any_server.session(ignore=["user"], on_end="repeat", verify=False) as session:
        session.load(cassette)

        answers = [say(session, user=name).json()["choices"][0]["message"]["content"] for name in ("ann", "bob", "cid")]
        assert answers == ["One.", "Two.", "Two."]
    with any_server.session(verify=False) as session:
        session.load(cassette)

        assert [say(session, user=name).status for name in ("ann", "bob")] == [200, 400]


def test_exact_sessions_answer_no_stream_with_what_was_none(any_server: AnyServer, cassette: Path) -> None:
    for exact, status in ((False, 200), (True, 400)):
        with any_server.session(exact=exact, verify=False) as session:
            session.load(cassette)

            assert say(session, user="ann", stream=True).status == status


def test_what_was_not_played_is_told_in_its_order(any_server: AnyServer, cassette: Path) -> None:
    with any_server.session(verify=False) as session:
        assert list(session.unplayed) == []
        session.load(cassette)
        assert [place.label for place in session.unplayed] == ["two.yaml#1", "two.yaml#2", "two.yaml#3"]
        say(session, user="ann")

        assert [(place.name, place.file) for place in session.unplayed] == [
            ("two.yaml#2", str(cassette)),
            ("two.yaml#3", str(cassette)),
        ]
        assert all(place.line for place in session.unplayed)
