"""Cassettes in vcrpy's own layout, and in ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.cassette.format import read_text
from mockbifrost.cassette.interaction import About, Interaction
from mockbifrost.convert.cassettes import ours_text, vcr_text
from tests.recorded import chunk, events, gateway, interaction, said

ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
STREAM = interaction(
    {**ASKED, "stream": True},
    events(chunk({"content": "Grüße ☃"}), chunk({}, "stop")),
    times_ms=[1, 2, 3],
    about=About(name="greets", recorded_at="2026-11-26T00:00:00Z"),
)


def read(text: str) -> tuple[Interaction, ...]:
    return read_text(text.encode(), "refund.yaml").interactions


def test_vcrpys_layout_has_nothing_of_ours() -> None:
    headers = [
        ("content-encoding", "gzip"),
        ("content-length", "7"),
        ("set-cookie", "[redacted]"),
        ("x-a", "1"),
        ("x-a", "2"),
    ]
    one = interaction(ASKED, b"oops", headers=headers, status=500)
    document = yaml.safe_load(vcr_text([one, STREAM]))

    assert list(document) == ["interactions", "version"]
    assert [list(row) for row in document["interactions"]] == [["request", "response"]] * 2
    first, second = [row["response"] for row in document["interactions"]]
    assert list(first) == ["body", "headers", "status"]
    assert first["body"] == {"string": "oops"}
    assert first["status"] == {"code": 500, "message": ""}
    assert "content-encoding" not in first["headers"]
    assert "content-length" not in first["headers"]
    assert second["body"]["string"] == STREAM.response.body.decode()


def test_vcrpy_loads_it() -> None:
    from vcr.serialize import deserialize  # type: ignore[import-untyped]
    from vcr.serializers import yamlserializer  # type: ignore[import-untyped]

    found = deserialize(vcr_text([STREAM, interaction(b"", b"\xff\xfe", method="GET")]), yamlserializer)

    requests, responses = found[0], found[1]
    assert (requests[0].uri, requests[0].body) == (STREAM.request.uri, STREAM.request.body)
    assert responses[0]["body"]["string"] == STREAM.response.body
    assert responses[1]["body"]["string"] == b"\xff\xfe"


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_bodies_survive_the_way_there_and_back(asked: bytes, answered: bytes) -> None:
    one = interaction(asked, answered)
    [there] = read(vcr_text([one]))
    [back] = read(ours_text([there]))

    for found in (there, back):
        assert (found.request.body, found.response.body) == (asked, answered)


def test_our_layout_says_who_answered() -> None:
    recorded = gateway("version: 1\nstubs: [Hello.]", ASKED).interactions[0]
    unknown = replace(recorded, about=About())

    assert [one.about.source for one in read(ours_text([unknown, STREAM]))] == ["gateway", "provider"]
    assert read(ours_text([STREAM]))[0].response.pieces == STREAM.response.pieces


@pytest.mark.parametrize("write", [vcr_text, ours_text])
def test_no_secret_is_written(write: Any) -> None:
    secret = "sk-proj-" + "a1B2" * 12
    text = write([interaction({**ASKED, "user": secret}, said(secret), headers=[("x-api-key", secret)])])

    assert secret not in text


def test_a_cassette_without_interactions() -> None:
    assert read(ours_text([])) == read(vcr_text([])) == ()
