"""Cassettes of every dialect are read, and what is wrong with one is told with the number of the interaction."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
import yaml
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.cassette import compression, format
from mockbifrost.cassette.format import LARGEST_BYTES, looks_like_cassette, read_cassette, read_text
from mockbifrost.cassette.interaction import Interaction, Piece
from mockbifrost.cassette.writing import HEAD, interaction_text
from mockbifrost.errors import CassetteError
from tests.strategies import JSON
from tests.unit.cassette.recorded import URI, document, packed, recorded, streamed, told, vcr_item


def read_one(raw: bytes) -> Interaction:
    (found,) = read_text(raw, "a.yaml").interactions
    return found


def refusals(raw: bytes) -> list[str]:
    with pytest.raises(CassetteError) as caught:
        read_text(raw, "a.yaml")
    return [str(finding) for finding in caught.value.findings]


def ours(*interactions: Interaction) -> bytes:
    return (HEAD + "".join(map(interaction_text, interactions))).encode()


def test_plain_files_of_vcrpy_are_read() -> None:
    found = read_one(document(vcr_item(), version=1, metadata={"tool": "x"}))

    assert (found.request.method, found.request.uri, found.request.headers) == ("POST", URI, (("accept", "*/*"),))
    assert found.request.body == b'{"a":1}'
    assert (found.response.status, found.response.reason, found.response.body) == (200, "OK", b'{"b":2}')
    assert (found.file, found.number, found.line) == ("a.yaml", 1, 2)
    assert found.request.is_chat


def test_a_file_without_a_version_and_headers_of_single_texts_are_read() -> None:
    item = vcr_item(headers={"Retry-After": "2", "X-N": 3, "X-B": b"raw"})

    assert read_one(document(item)).response.headers == (("retry-after", "2"), ("x-b", "raw"), ("x-n", "3"))


@given(JSON)
def test_parsed_bodies_become_compact_json(body: Any) -> None:
    item = vcr_item()
    item["request"] = {"method": "POST", "uri": URI, "parsed_body": body}
    item["response"] = {"status": {"code": 200}, "headers": {}, "parsed_body": {"é": body}}

    found = read_one(document(item, version=1))

    assert json.loads(found.request.body) == body
    assert found.response.body.startswith('{"é":'.encode())


def test_files_of_cassetter_are_read() -> None:
    text = f"""\
version: 1
interactions:
- recorded_at: 2026-08-22T10:00:00Z
  request:
    method: POST
    uri: {URI}
    headers: {{content-type: application/json}}
    body: {{type: json, content: {{model: gpt-4o}}}}
  response:
    status: 200
    headers: {{}}
    body:
      type: text
      content: |
        data: 1
- request: {{method: GET, uri: {URI}, body: {{type: none}}}}
  response: {{status: 404, body: {{type: binary, content: /wA=}}}}
"""

    first, second = read_text(text.encode(), "a.yaml").interactions

    assert first.about.recorded_at == "2026-08-22T10:00:00Z"
    assert (first.request.body, first.response.status, first.response.body) == (
        b'{"model":"gpt-4o"}',
        200,
        b"data: 1\n",
    )
    assert (second.request.body, second.response.body, second.response.status) == (b"", b"\xff\x00", 404)
    assert (first.line, second.line) == (3, 16)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", packed(b"hello")),
        ("gzip", packed(b"hel") + packed(b"lo")),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", zlib.compress(b"hello", wbits=-15)),
        ("br", brotli.compress(b"hello")),
        ("zstd", zstd.compress(b"hello")),
        ("GZIP, br", brotli.compress(packed(b"hello"))),
    ],
)
def test_compressed_bodies_are_decoded(encoding: str, body: bytes) -> None:
    headers = {"content-encoding": [encoding], "content-length": ["99"], "x": ["y"]}

    found = read_one(document(vcr_item(headers=headers, body={"string": body})))

    assert found.response.body == b"hello"
    assert found.response.headers == (("x", "y"),)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity", "odd"])
@pytest.mark.parametrize("body", ["hello", b"hello"], ids=["text", "bytes"])
def test_a_body_that_was_decoded_already_is_taken_as_it_is(encoding: str, body: Any) -> None:
    found = read_one(document(vcr_item(headers={"content-encoding": [encoding]}, body={"string": body})))

    assert found.response.body == b"hello"
    assert found.response.header("content-encoding") == encoding


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", packed(b"hello" * 99)[:-9]),
        ("gzip", b"\xff\xfe"),
        ("deflate", zlib.compress(b"hello" * 99)[:-9]),
        ("br", brotli.compress(bytes(range(256)) * 9)[:-9]),
        ("br", b"\xff" * 20),
        ("zstd", zstd.compress(b"hello" * 99)[:-5]),
        ("zstd", b"\x28\xb5\x2f\xfd\x00\xff\xff\xff"),
    ],
)
def test_wrong_compression_is_refused_with_its_interaction(encoding: str, body: bytes) -> None:
    bad = vcr_item(headers={"content-encoding": [encoding]}, body={"string": body})

    (text,) = refusals(document(vcr_item(), bad))

    assert "interactions[1].response.body.string: in interaction 2 the body of the response is" in text


PACKERS: dict[str, Any] = {"gzip": packed, "br": brotli.compress, "zstd": zstd.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("encoding", PACKERS)
def test_what_a_body_is_decoded_to_is_bounded(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "LARGEST_DECODED_BYTES", 1000)
    pack = PACKERS[encoding]

    assert compression.decoded(pack(b"a" * 1000), encoding) == b"a" * 1000
    with pytest.raises(compression.UndecodableError, match="larger than 64 MB"):
        compression.decoded(pack(b"a" * 1001), encoding)


RESPONSE = "{status: {code: 200}, body: {string: b}}"


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ("{request: {uri: a}}", "interactions[0]: in interaction 1 there is no response"),
        (f"{{response: {RESPONSE}}}", "interactions[0]: in interaction 1 there is no request"),
        ("null", "interactions[0]: in interaction 1 is no request and response, but nothing (null)"),
        (f"{{request: [], response: {RESPONSE}}}", "the request must be a mapping, got a list"),
        (f"{{request: {{}}, response: {RESPONSE}}}", "the request has no uri that is text"),
        (
            "{request: {uri: a}, response: {}}",
            "interactions[0].response.status: in interaction 1 the response has no status",
        ),
        ("{request: {uri: a}, response: {status: {code: 20}}}", "no status between 100 and 599, but the number 20"),
        ("{request: {uri: a, body: 3}, response: {status: 200}}", "the body of the request must be text or !!binary"),
        ("{request: {uri: a}, response: {status: 200, body: {string: [1]}}}", "response.body.string: in interaction 1"),
        ("{request: {uri: a, headers: 3}, response: {status: 200}}", "the headers of the request must be a mapping"),
        ("{request: {uri: a, headers: {x: {}}}, response: {status: 200}}", "request.headers.x: in interaction 1"),
        ("{request: {uri: a}, response: {status: 200, body: {type: binary, content: '='}}}", "is no base64"),
        ("{request: {uri: a}, response: {status: 200, body: {type: odd}}}", "is of an unknown kind: the text 'odd'"),
        (
            "{request: {uri: a, parsed_body: !!binary YQ==}, response: {status: 200}}",
            "the body of the request can't be JSON",
        ),
    ],
)
def test_what_is_wrong_with_an_interaction_is_told(item: str, text: str) -> None:
    (found,) = refusals(f"version: 1\ninteractions: [{item}]\n".encode())

    assert text in found


def test_all_findings_of_a_file_are_told_at_once() -> None:
    bad = vcr_item()
    del bad["response"]

    found = refusals(document(bad, vcr_item(), bad, version=1))

    assert [text.split(":")[:2] for text in found] == [["a.yaml", "2"], ["a.yaml", "26"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "a.yaml:2:1: is not YAML"),
        ("- 1", "a.yaml: must be a mapping, got a list"),
        ("hello", "a.yaml: must be a mapping, got the text 'hello'"),
        ("- request: {}\n", "a.yaml: was written by vcrpy before 1.0"),
        ("stubs: []", "a.yaml: has no `interactions`"),
        ("interactions: 3", "a.yaml: interactions: `interactions` must be a list, got the number 3"),
        ("version: 2\ninteractions: []", "a.yaml: version: must be version 1, got the number 2"),
        (
            "interactions: []\nx: !!python/object/apply:os.system [id]",
            "a.yaml:2:4: holds the tag !!python/object/apply:os.system",
        ),
        ("interactions: []\nx: !odd 1", "a.yaml:2:4: holds the tag !odd, which is not read; put a plain value there"),
        ("interactions: []\nx: !!binary a", "a.yaml:2:4: holds wrong base64"),
        ("interactions: []\na: &a {b: 1}\nc: {<<: *a}", "a.yaml:3:5: holds merge keys"),
        ("interactions: " + "[" * 5000, "nesting depth"),
        ("interactions: []\nx: \0", "a.yaml:2:4: holds the character U+0000, which is not allowed"),
    ],
)
def test_a_file_that_is_no_cassette_is_refused(text: str, message: str) -> None:
    (found,) = refusals(text.encode())

    assert found.startswith(message) or (message == "nesting depth" and message in found)


def test_what_is_wrong_in_the_text_names_the_interaction() -> None:
    raw = ours(recorded()) + interaction_text(recorded()).replace("status:", "status: !odd").encode()

    (found,) = refusals(raw + interaction_text(recorded()).encode())

    assert found.startswith("a.yaml:76:13: ")
    assert "interactions[1]: in interaction 2: the file holds the tag !odd" in found


def test_aliases_that_grow_without_bound_are_refused() -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    item = f"- request: {{uri: {URI}, parsed_body: *a11}}\n  response: {{status: 200}}\n"

    (found,) = refusals(("\n".join(lines) + "\ninteractions:\n" + item).encode())

    assert "in interaction 1 the body of the request can't be JSON: it is larger than 64 MB" in found


def test_an_endless_body_is_refused() -> None:
    text = f"interactions:\n- request: {{uri: {URI}, parsed_body: &a [*a]}}\n  response: {{status: 200}}\n"

    assert "stand inside one another" in refusals(text.encode())[0]


def test_aliases_and_the_tags_of_vcrpy_are_read() -> None:
    text = f"""\
interactions:
- request: &r
    uri: {URI}
    method: !!python/unicode 'POST'
    headers: {{a: !!python/tuple [b, c]}}
    body: !!python/object/new:_io.BytesIO {{state: !!python/tuple [!!binary aGVsbG8=, 0, null]}}
  response: {{status: 200}}
- request: *r
  response: {{status: 200}}
"""

    first, second = read_text(text.encode(), "a.yaml").interactions

    assert first.request == second.request
    assert (first.request.body, first.request.headers) == (b"hello", (("a", "b"), ("a", "c")))


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"# nothing\n", HEAD.encode(), b"version: 1\ninteractions: []\n", b"interactions:\n"]
)
def test_an_empty_file_is_an_empty_cassette(raw: bytes) -> None:
    assert read_text(raw, "a.yaml").interactions == ()


def test_other_encodings_are_refused_and_a_byte_order_mark_is_not() -> None:
    raw = ours(recorded())

    assert len(read_text(b"\xef\xbb\xbf" + raw, "a.yaml").interactions) == 1
    assert refusals(raw.replace(b"Anna", b"An\xe9") + b"x: 1\n") == [
        "a.yaml:30:31: is not UTF-8: the byte 0xe9 can't be read; save the file as UTF-8"
    ]
    assert "is not UTF-8" in refusals(raw.decode().encode("utf-16"))[0]


def test_a_file_that_is_too_large_or_not_there_is_refused(tmp_path: Path) -> None:
    with open(tmp_path / "a.yaml", "wb") as file:
        file.truncate(LARGEST_BYTES + 1)

    with pytest.raises(CassetteError, match="is larger than 50 MB; split it into several files"):
        read_cassette(tmp_path / "a.yaml")
    with pytest.raises(CassetteError, match=r"b\.yaml: can't be read: no such file or directory"):
        read_cassette(tmp_path / "b.yaml")


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (HEAD.encode(), True),
        (b"version: 1\nmetadata:\n  a: 1\ninteractions: []\n", True),
        (b'\xef\xbb\xbf"interactions":\n- 1', True),
        (b'{"version": 1, "interactions": [{}]}', True),
        (b'{\n  "interactions" : null}', True),
        (b"version: 1\nstubs:\n- reply: 'interactions:'\n", False),
        (b"stubs:\n- reply: |\n    interactions:\n", False),
        (b'{"stubs": [{"reply": "interactions"}]}', False),
        (b"", False),
        (b"\xff\xfei", False),
    ],
)
def test_cassettes_are_told_from_scenarios_by_their_content(raw: bytes, wanted: bool) -> None:
    assert looks_like_cassette(raw) is wanted


def extras(text: str) -> bytes:
    raw = ours(streamed("a"))
    start, end = raw.index(b"      request_layout"), raw.index(b"    status:")
    return raw[:start] + text.encode() + raw[end:]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pieces: 3", "`pieces` must be a list, got the number 3"),
        ("pieces: [[1]]", "a piece must be two whole numbers"),
        ("pieces: [[1, -2]]", "a piece must be two whole numbers"),
        ("pieces: [[1, true]]", "a piece must be two whole numbers"),
        ("recorded_at: 3", "`recorded_at` must be text, got the number 3; put it in quotes"),
        ("source: somebody", "`source` must be gateway or provider, got 'somebody'"),
        ("layout: odd", "`layout` must be one of indented, indented+newline, "),
        ("layout: indented", "the body of the response is no JSON, though `layout` says so"),
        ("replaces: 0", "`replaces` must be the number of an interaction, got the number 0"),
    ],
)
def test_a_wrong_value_of_ours_is_refused(line: str, message: str) -> None:
    (found,) = refusals(extras(f"      {line}\n"))

    assert f"interactions[0].response.mockbifrost.{line.partition(':')[0]}: in interaction 1 " in found
    assert message in found


def test_an_unknown_key_of_ours_is_warned_of() -> None:
    found = read_text(extras("      odd: 1\n"), "a.yaml")

    (warning,) = found.warnings
    assert str(warning).startswith(
        "a.yaml:3:1: warning: interactions[0].response.mockbifrost.odd: in interaction 1 the key 'odd' of `mockbifrost` is unknown"
    )
    assert len(found.interactions) == 1


def test_pieces_that_do_not_add_up_keep_their_times_with_a_warning() -> None:
    found = read_text(extras("      pieces: [[1, 2]]\n"), "a.yaml")

    assert found.interactions[0].response.pieces == (Piece(1, 2),)
    assert "the pieces add up to 2 bytes, but the body has" in str(found.warnings[0])


def test_an_interaction_that_was_recorded_again_takes_the_place_of_the_first() -> None:
    first, second, third = recorded(answered={"n": 1}), recorded(answered={"n": 2}), recorded(answered={"n": 3})
    newer, newest = recorded(answered={"n": 4}), recorded(answered={"n": 5})
    raw = (
        ours(first, second)
        + (
            interaction_text(newer, replaces=1) + interaction_text(third) + interaction_text(newest, replaces=1)
        ).encode()
    )

    found = read_text(raw, "a.yaml").interactions

    assert [(it.number, it.response.body) for it in found] == [(1, b'{"n":5}'), (2, b'{"n":2}'), (3, b'{"n":3}')]


def test_an_interaction_that_replaces_none_is_one_more_with_a_warning() -> None:
    found = read_text(ours(recorded()) + interaction_text(recorded(), replaces=2).encode(), "a.yaml")

    assert len(found.interactions) == 2
    assert "in interaction 2 `replaces` names interaction 2, which does not stand before it" in str(found.warnings[0])


@given(st.data())
def test_a_file_cut_anywhere_loses_only_what_was_cut(data: st.DataObject) -> None:
    kept, last = [recorded(), streamed("Grüße ", "an\nalle ", "😀")], recorded(answered={"é": [1, "x"]})
    raw, tail = ours(*kept), interaction_text(last).encode()
    cut = data.draw(st.integers(1, len(tail) - 1))

    found = read_text(raw + tail[:cut], "a.yaml")

    complete = cut == len(tail) - 1  # all but the line end
    assert [told(it) for it in found.interactions] == [told(it) for it in [*kept, last][: 2 + complete]]
    assert len(found.warnings) == (not complete)
    for warning in found.warnings:
        assert warning.severity == "warning"
        assert "interaction 3 was cut while it was written, and is left out: " in warning.message
        assert warning.line == raw.count(b"\n") + 1


def test_a_last_item_that_is_whole_and_wrong_is_not_left_out() -> None:
    raw = ours(recorded()) + interaction_text(recorded()).replace("body: |-", "body: !odd |-").encode()

    assert "in interaction 2: the file holds the tag !odd" in refusals(raw)[0]
    item = vcr_item()
    del item["response"]["status"]
    assert "has no status" in refusals(document(vcr_item(), item, version=1))[0]


def test_a_file_of_many_interactions_is_read_in_parts_and_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [recorded(answered={"n": n}) for n in range(7)]
    raw = ours(*items)
    whole = read_text(raw, "a.yaml")
    moved = raw.replace(b"version: 1\n", b"") + b"version: 1\n"
    monkeypatch.setattr(format, "PART", 2)

    assert read_text(raw, "a.yaml") == whole
    assert [told(it) for it in read_text(moved, "a.yaml").interactions] == [told(it) for it in items]
    assert "in interaction 5: the file holds the character U+0001" in refusals(raw.replace(b'"n": 4', b'"n": \x01'))[0]


def test_parts_that_share_an_anchor_are_read_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "PART", 1)
    headers = {"a": ["b"]}
    raw = yaml.dump({"interactions": [vcr_item(headers=headers), vcr_item(headers=headers)]}).encode()
    assert b"*id001" in raw

    assert [it.response.headers for it in read_text(raw, "a.yaml").interactions] == [(("a", "b"),)] * 2


def test_lines_are_known_in_an_indented_list_too() -> None:
    raw = ours(recorded(), recorded())
    head, _, rest = raw.partition(b"interactions:\n")
    moved = head + b"interactions:\n# note\n\n" + b"".join([b"  " + line for line in rest.splitlines(keepends=True)])

    assert [it.line for it in read_text(moved, "a.yaml").interactions] == [5, 43]
