"""Server-sent events, read back by the rules of the HTML standard, 9.2.6."""

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.wire.sse import DONE, encode_data, encode_event

EOLS = st.sampled_from(["\n", "\r\n", "\r"])
ONE_LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=30)
LINES = st.lists(st.sampled_from(["\r", "\n", "\r\n", "\u2028", "\x85"]) | ONE_LINE, max_size=6).map("".join)


@dataclass(frozen=True, slots=True)
class Event:
    data: str
    event: str
    id: str


def parsed(raw: bytes) -> list[Event]:
    """The events of a stream, as a browser dispatches them."""
    found: list[Event] = []
    data: list[str] = []
    kind = id = ""
    for line in re.split(r"\r\n|\n|\r", raw.decode()):
        if not line:
            if data:
                found.append(Event("\n".join(data), kind, id))
            data, kind = [], ""
            continue
        field, _colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            kind = value
        elif field == "id":
            id = value
    return found


def test_a_chunk_is_one_line_and_an_empty_one() -> None:
    assert encode_data(b'{"a":1}') == b'data: {"a":1}\n\n'
    assert DONE == b"data: [DONE]\n\n"


@given(LINES, ONE_LINE, ONE_LINE.filter(lambda text: "\0" not in text), EOLS)
def test_any_event_reads_back(data: str, event: str, id: str, eol: str) -> None:
    """Ends of lines inside the data become line feeds; U+2028 and its like are none."""
    wanted = re.sub(r"\r\n|\r", "\n", data)

    assert parsed(encode_event(data, event=event, id=id, eol=eol)) == [Event(wanted, event, id)]


@given(LINES, EOLS)
def test_a_comment_is_no_event(comment: str, eol: str) -> None:
    assert parsed(encode_event(None, comment=comment, eol=eol)) == []


@pytest.mark.parametrize(
    ("eol", "wanted"),
    [
        ("\n", b": c\nevent: e\nid: i\ndata: a\ndata: b\n\n"),
        ("\r\n", b": c\r\nevent: e\r\nid: i\r\ndata: a\r\ndata: b\r\n\r\n"),
        ("\r", b": c\revent: e\rid: i\rdata: a\rdata: b\r\r"),
    ],
    ids=["lf", "crlf", "cr"],
)
def test_fields_come_in_order_each_on_its_line(eol: str, wanted: bytes) -> None:
    assert encode_event("a\nb", event="e", id="i", comment="c", eol=eol) == wanted
