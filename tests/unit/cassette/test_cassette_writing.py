"""What is written reads back as it was: here, with PyYAML's loaders, and with vcrpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import vcr.serialize  # type: ignore[import-untyped]
import yaml
from hypothesis import given
from hypothesis import strategies as st
from vcr.serializers import jsonserializer, yamlserializer  # type: ignore[import-untyped]

from mockbifrost.cassette.format import read_cassette, read_text
from mockbifrost.cassette.interaction import About, Interaction, Piece
from mockbifrost.cassette.writing import HEAD, interaction_text, replace_file, write_cassette
from mockbifrost.cassette.yaml_text import block, content, in_flow, key, scalar
from tests.unit.cassette.recorded import (
    LINES,
    STREAM_TYPE,
    interactions,
    recorded,
    stream_of,
    streamed,
    told,
)

LOADERS = [yaml.SafeLoader, yaml.CSafeLoader]


@pytest.mark.parametrize("loader", LOADERS)
@given(text=LINES)
def test_every_text_is_read_back_as_it_was(loader: Any, text: str) -> None:
    assert yaml.load(f"a:\n  b: {block(text, 4)}\n  c: 1\n", Loader=loader) == {"a": {"b": text, "c": 1}}


@pytest.mark.parametrize("loader", LOADERS)
@given(text=LINES | st.from_regex(r"[A-Za-z:# ,.=+-]{0,8}", fullmatch=True))
def test_every_word_is_read_back_as_it_was(loader: Any, text: str) -> None:
    written = f"a: {scalar(text)}\nb: [{in_flow(text)}, 1]\n{key(text + 'k', 0)}2\n"

    assert yaml.load(written, Loader=loader) == {"a": text, "b": [text, 1], text + "k": 2}


@given(st.binary(max_size=400))
def test_all_bytes_are_read_back_as_they_were(raw: bytes) -> None:
    found = yaml.safe_load(f"a:\n  b: {content(raw, 4)}\n")["a"]["b"]

    assert (found.encode() if isinstance(found, str) else found) == raw


@given(st.lists(interactions(), max_size=3))
def test_a_file_holds_the_interactions_as_they_were(wanted: list[Interaction]) -> None:
    found = read_text((HEAD + "".join(map(interaction_text, wanted))).encode(), "a.yaml")

    assert [told(it) for it in found.interactions] == [told(it) for it in wanted]
    assert [it.number for it in found.interactions] == list(range(1, len(wanted) + 1))
    assert found.warnings == ()


# It splits each address, and refuses some.
FOR_VCRPY = interactions().filter(lambda it: "[" not in it.request.uri)


def restored(response: dict[str, Any]) -> bytes:
    body = response["body"]["string"]
    assert isinstance(body, bytes)
    return body


@given(FOR_VCRPY)
def test_vcrpy_reads_the_same_request_and_response(wanted: Interaction) -> None:
    ((request,), (response,)) = vcr.serialize.deserialize(HEAD + interaction_text(wanted), yamlserializer)

    layouts = response.get("mockbifrost", {})
    assert (request.method, request.uri) == (wanted.request.method, wanted.request.uri)
    # It keeps one value of a request's header.
    assert dict(request.headers) == dict(reversed(wanted.request.headers))
    if "request_layout" not in layouts:
        assert (request.body or b"") == wanted.request.body
    if "layout" not in layouts:
        assert restored(response) == wanted.response.body
    assert response["status"] == {"code": wanted.response.status, "message": wanted.response.reason}
    assert [(name, text) for name, texts in response["headers"].items() for text in texts] == list(
        wanted.response.headers
    )


@given(st.lists(FOR_VCRPY, min_size=1, max_size=2))
def test_what_vcrpy_saves_again_is_still_the_same(wanted: list[Interaction]) -> None:
    text = HEAD + "".join(map(interaction_text, wanted))

    requests, responses = vcr.serialize.deserialize(text, yamlserializer)
    saved = vcr.serialize.serialize({"requests": requests, "responses": responses}, yamlserializer)

    for one, kept in zip(wanted, read_text(saved.encode(), "a.yaml").interactions, strict=True):
        assert kept.about == one.about
        assert kept.response.pieces == one.response.pieces
        assert (kept.request.body, kept.response.body) == (one.request.body, one.response.body)
        assert sorted(kept.response.headers) == sorted(one.response.headers)


def test_an_item_can_be_read_and_compared() -> None:
    about = About(recorded_at="2026-11-26T19:23:50Z", source="gateway", gateway="2.2", client="pydantic-ai/2.68")
    body = stream_of("Grüße ")
    pieces = (Piece(352, 100), Piece(372, len(body) - 100))
    wanted = recorded({"model": "gpt-4o", "stream": True}, body, headers=STREAM_TYPE, pieces=pieces, about=about)

    assert interaction_text(wanted) == (
        """\
- request:
    method: POST
    uri: http://127.0.0.1:9000/pydanticai/v1/chat/completions
    headers:
      content-type: [application/json]
    body: |-
      {
        "model": "gpt-4o",
        "stream": true
      }
  response:
    headers:
      content-type: [text/event-stream]
    body:
      string: |+
        data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"Grüße "}}]}

        data: [DONE]

    mockbifrost:
      recorded_at: '2026-11-26T19:23:50Z'
      source: gateway
      gateway: '2.2'
      client: pydantic-ai/2.68
      request_layout: indented
      pieces: [[352, 100], [372, -5]]
    status:
      message: OK
      code: 200
"""
    ).replace("-5", str(len(body) - 100))


@pytest.mark.parametrize(
    ("body", "layout"),
    [
        (b'{"a":1}', "indented"),
        (b'{"a":1}\n', "indented+newline"),
        (b'{"a": 1, "b": "\\u00e9"}', "spaced"),
        (b'{"a":"\\u003cb\\u003e \\u0026"}', "go"),
        (b'{"a":1.50}', None),
        (b'{\n  "a": 1\n}', None),
        (b'"a"', None),
    ],
)
def test_json_is_shown_indented_where_its_bytes_can_be_given_back(body: bytes, layout: str | None) -> None:
    text = interaction_text(recorded(answered=body))

    assert (f"      layout: {layout}\n" in text) is (layout is not None)
    assert ("\n        {\n" in text) is (layout is not None or b"\n" in body)
    assert read_text((HEAD + text).encode(), "").interactions[0].response.body == body


def test_lines_with_other_ends_stand_on_lines_of_their_own() -> None:
    text = interaction_text(recorded(answered=b"data: 1\r\n\r\ndata: 2\r\n\r\n", headers=STREAM_TYPE))

    assert '      string: "data: 1\\r\\n\\\n        \\r\\n\\\n        data: 2\\r\\n\\\n        \\r\\n"\n' in text


def test_many_pieces_stand_on_lines_of_readable_length() -> None:
    text = interaction_text(streamed(*["word"] * 200))

    assert max(map(len, text.splitlines())) < 130


def test_a_file_without_interactions_is_an_empty_cassette_to_all(tmp_path: Path) -> None:
    write_cassette(tmp_path / "a.yaml", [])

    assert read_cassette(tmp_path / "a.yaml").interactions == ()
    text = (tmp_path / "a.yaml").read_text(encoding="utf-8")
    assert vcr.serialize.deserialize(text, yamlserializer) == ([], [])


def test_a_file_that_can_not_be_written_to_its_end_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"old")

    def half() -> Any:
        yield b"new"
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        replace_file(path, half())

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_keeps_the_mode_of_the_old_one_and_a_link_stays_a_link(tmp_path: Path) -> None:
    path, link = tmp_path / "a.yaml", tmp_path / "link.yaml"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)

    write_cassette(link, [recorded()])

    assert path.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert len(read_cassette(path).interactions) == 1


@given(FOR_VCRPY)
def test_files_of_the_json_serializer_are_read(wanted: Interaction) -> None:
    requests, responses = vcr.serialize.deserialize(HEAD + interaction_text(wanted), yamlserializer)
    try:
        saved = vcr.serialize.serialize({"requests": requests, "responses": responses}, jsonserializer)
    except TypeError:  # it can't hold bytes
        return

    (found,) = read_text(saved.encode(), "a.json").interactions

    assert (found.request.body, found.response.body) == (wanted.request.body, wanted.response.body)
