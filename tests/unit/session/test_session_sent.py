"""Files that were sent to a session: how many cassettes are kept for stubs to replay."""

from __future__ import annotations

from pathlib import Path

from mockbifrost.cassette.format import read_text
from mockbifrost.session.session import MOST_KEPT
from tests.harness import open_session


def test_the_latest_cassettes_are_kept_and_no_more() -> None:
    session = open_session("version: 1\nstubs: []\n")
    cassettes = [read_text(b"version: 1\ninteractions: []\n", f"{number}.yaml") for number in range(MOST_KEPT + 3)]
    for cassette in cassettes:
        session.keep({Path(cassette.file): cassette})
    session.keep({Path("3.yaml"): cassettes[0]})

    assert [str(path) for path in session.kept] == [*[f"{number}.yaml" for number in range(4, MOST_KEPT + 3)], "3.yaml"]
    assert session.kept[Path("3.yaml")] is cassettes[0]
