"""Interactions for the tests of cassettes: examples, and what hypothesis may draw."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import orjson
from hypothesis import strategies as st

from mockbifrost.cassette.interaction import About, Headers, Interaction, Piece, RecordedRequest, RecordedResponse
from tests.strategies import JSON, TEXTS

URI = "http://127.0.0.1:9000/pydanticai/v1/chat/completions"
ASKED = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Wie heißt du? 😀"}]}
ANSWERED = {"id": "chatcmpl-1", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Anna"}}]}
JSON_TYPE = (("content-type", "application/json"),)
STREAM_TYPE = (("content-type", "text/event-stream"),)


def stream_of(*deltas: str) -> bytes:
    """A stream whose deltas are these."""
    chunks = [{"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"content": delta}}]} for delta in deltas]
    return b"".join([b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks]) + b"data: [DONE]\n\n"


def recorded(
    asked: object = ASKED,
    answered: object = ANSWERED,
    *,
    headers: Headers = JSON_TYPE,
    pieces: tuple[Piece, ...] = (),
    status: int = 200,
    uri: str = URI,
    about: About | None = None,
) -> Interaction:
    """An interaction; what is asked and answered is bytes, or a value that becomes JSON."""
    body = asked if isinstance(asked, bytes) else orjson.dumps(asked)
    answer = answered if isinstance(answered, bytes) else orjson.dumps(answered)
    response = RecordedResponse(status, "OK", headers, answer, pieces)
    return Interaction(RecordedRequest("POST", uri, JSON_TYPE, body), response, about or About())


def streamed(*deltas: str) -> Interaction:
    """A streamed interaction, with a piece for each event."""
    body = stream_of(*deltas)
    sizes = [len(part) + 2 for part in body.split(b"\n\n")[:-1]]
    pieces = tuple([Piece(10 * at, size) for at, size in enumerate(sizes, 1)])
    return recorded(answered=body, headers=STREAM_TYPE, pieces=pieces)


def told(interaction: Interaction) -> tuple[RecordedRequest, RecordedResponse, About]:
    """An interaction without its place in a file."""
    return interaction.request, interaction.response, interaction.about


# Everything that a body may consist of: lines that begin and end with blanks, other line ends, what YAML takes for its own.
_LINES = st.one_of(
    TEXTS,
    st.text(st.sampled_from(" \t\n\r-#:'\"[]{}|>&*!%@`\\\x85\u2028\ufeff\x00\x7fé😀a0"), max_size=20),
    st.sampled_from(["data: [DONE]", "- request:", "---", "...", "version: 1", "interactions:", "  ", "\t", "null"]),
)
LINES = st.lists(_LINES, max_size=6).map("\n".join)
JSON_BODIES = st.one_of(
    JSON.map(orjson.dumps),
    JSON.map(lambda found: json.dumps(found).encode()),
    JSON.map(lambda found: orjson.dumps(found) + b"\n"),
    JSON.map(lambda found: orjson.dumps(found, option=orjson.OPT_INDENT_2)),
    st.dictionaries(TEXTS, TEXTS, min_size=1).map(lambda found: orjson.dumps(found).replace(b"<", b"\\u003c")),
)
BODIES = st.one_of(
    LINES.map(str.encode), JSON_BODIES, st.binary(max_size=300), st.lists(TEXTS).map(lambda it: stream_of(*it))
)
_NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True).filter(lambda name: name != "content-encoding")
_VALUES = st.one_of(
    st.text(st.characters(codec="latin-1"), max_size=30),
    st.sampled_from(["true", "1", "null", "~", "", " a ", "a: b", "12:30"]),
)
HEADERS: st.SearchStrategy[Headers] = st.dictionaries(
    _NAMES, st.lists(_VALUES, min_size=1, max_size=2), max_size=4
).map(lambda found: tuple([(name, text) for name, texts in found.items() for text in texts]))
_SOME_TEXT = st.none() | st.text(max_size=30) | st.sampled_from(["2026-11-26T19:23:50Z", "90d", "2.2"])
ABOUTS = st.builds(
    About,
    recorded_at=_SOME_TEXT,
    source=st.sampled_from([None, "gateway", "provider"]),
    gateway=_SOME_TEXT,
    client=_SOME_TEXT,
    upstream=_SOME_TEXT,
    name=_SOME_TEXT,
    expires=_SOME_TEXT,
)


@st.composite
def interactions(draw: st.DrawFn) -> Interaction:
    """Any interaction."""
    body = draw(BODIES)
    borders = sorted(draw(st.lists(st.integers(0, len(body)), max_size=30)))
    ends = [*borders, len(body)]
    sizes = [end - start for start, end in zip([0, *borders], ends, strict=True)]
    times = sorted(draw(st.lists(st.integers(0, 10**6), min_size=len(sizes), max_size=len(sizes))))
    pieces = tuple([Piece(at, size) for at, size in zip(times, sizes, strict=True)]) if draw(st.booleans()) else ()
    uri = draw(
        st.sampled_from([URI, URI + "?a=b&c=%20", "https://user@[::1]:9/x#y"]) | st.text(min_size=1, max_size=40)
    )
    method = draw(st.sampled_from(["POST", "GET", "NO"]))
    request = RecordedRequest(method, uri, draw(HEADERS), draw(BODIES))
    response = RecordedResponse(draw(st.integers(100, 599)), draw(st.text(max_size=20)), draw(HEADERS), body, pieces)
    return Interaction(request, response, draw(ABOUTS))


def document(*items: Any, **keys: Any) -> bytes:
    """A file of another tool: items given as plain values, written by PyYAML."""
    import yaml

    return yaml.safe_dump({"interactions": list(items), **keys}, encoding="utf-8")


def vcr_item(**changes: Any) -> dict[str, Any]:
    """An item as vcrpy writes it."""
    return {
        "request": {"method": "POST", "uri": URI, "headers": {"Accept": ["*/*"]}, "body": '{"a":1}'},
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"Content-Type": ["application/json"]},
            "body": {"string": '{"b":2}'},
            **changes,
        },
    }


def packed(raw: bytes) -> bytes:
    """Bytes as gzip, the same every time."""
    return gzip.compress(raw, mtime=0)


def asking(interaction: Interaction, **changes: Any) -> Interaction:
    """The same with another request."""
    return replace(interaction, request=replace(interaction.request, **changes))


def answering(interaction: Interaction, **changes: Any) -> Interaction:
    """The same with another response."""
    return replace(interaction, response=replace(interaction.response, **changes))
