from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.wire.sse import Decoder, encode_data, encode_event

EOLS = st.sampled_from(["\n", "\r\n", "\r"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    """The bytes in pieces."""
    places = sorted({0, len(data), *[place % (len(data) + 1) for place in cuts]})
    return [data[start:end] for start, end in pairwise(places)]


@given(st.lists(TEXTS, min_size=1, max_size=6), EOLS, st.lists(st.integers(0, 10_000), max_size=12))
def test_events_are_the_same_however_their_bytes_are_cut(texts: list[str], eol: str, cuts: list[int]) -> None:
    body = b"".join([encode_event(text, eol=eol) for text in texts]) + b"\n"
    decoder = Decoder()

    found = [event.data for piece in cut(body, cuts) for event in decoder.feed(piece)]

    assert found == texts
    assert not decoder.pending


@given(st.lists(st.text(max_size=20), min_size=1, max_size=6))
def test_what_was_encoded_is_decoded(payloads: list[str]) -> None:
    body = b"".join([encode_data(json.dumps(payload).encode()) for payload in payloads])

    events = Decoder().feed(body)

    assert [json.loads(event.data) for event in events] == payloads
    assert events[-1].end == len(body)


def test_the_end_of_an_event_is_the_byte_after_its_empty_line() -> None:
    events = Decoder().feed(b": hello\n\ndata: 1\n\ndata: 2\n\n")

    assert [(event.data, event.end) for event in events] == [("1", 18), ("2", 27)]


@pytest.mark.parametrize(
    ("body", "data", "kind"),
    [
        pytest.param(b"data: a\ndata: b\n\n", ["a\nb"], "", id="lines of one event"),
        pytest.param(b"data:a\n\n", ["a"], "", id="without a space"),
        pytest.param(b"data:  a\n\n", [" a"], "", id="only one space goes"),
        pytest.param(b": comment\n\nid: 3\n\n", [], "", id="nothing to say"),
        pytest.param(b"event: error\ndata: x\n\n", ["x"], "error", id="named"),
        pytest.param(b"data\n\n", [""], "", id="empty data"),
    ],
)
def test_fields_are_read_as_the_standard_says(body: bytes, data: list[str], kind: str) -> None:
    events = Decoder().feed(body)

    assert [event.data for event in events] == data
    assert [event.event for event in events] == [kind] * len(data)


def test_an_event_that_is_not_complete_is_pending() -> None:
    decoder = Decoder()

    assert decoder.feed(b"data: a\n") == []
    assert decoder.pending
