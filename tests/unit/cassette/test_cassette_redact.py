"""No secret reaches a file, wherever it stands in an interaction, and what is no secret stays as it is."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mockbifrost.cassette.interaction import About, Headers, Interaction, Piece, RecordedRequest, RecordedResponse
from mockbifrost.cassette.redact import Found, Redactor
from mockbifrost.cassette.secret_spans import KINDS, SIGNS
from mockbifrost.cassette.writing import interaction_text
from mockbifrost.errors import UsageError
from tests.strategies import TEXTS
from tests.unit.cassette.recorded import (
    BODIES,
    JSON_TYPE,
    STREAM_TYPE,
    URI,
    answering,
    asking,
    interactions,
    recorded,
    stream_of,
    streamed,
    told,
)

SHAPES = {
    "openai-key": r"sk-[A-Za-z0-9_-]{20,40}|sk-proj-[A-Za-z0-9_-]{20,60}",
    "anthropic-key": r"sk-ant-api03-[A-Za-z0-9_-]{20,60}",
    "virtual-key": r"sk-bf-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{12}",
    "google-key": r"AIza[A-Za-z0-9_-]{35}",
    "aws-key": r"(AKIA|ASIA)[A-Z0-9]{16}",
    "github-token": r"gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{30}",
    "gitlab-token": r"glpat-[A-Za-z0-9_-]{20}",
    "slack-token": r"xox[baprs]-[0-9]{10}-[A-Za-z0-9]{20}",
    "huggingface-token": r"hf_[A-Za-z0-9]{34}",
    "groq-key": r"gsk_[A-Za-z0-9]{40}",
    "xai-key": r"xai-[A-Za-z0-9]{60}",
    "stripe-key": r"(sk|rk)_(live|test)_[A-Za-z0-9]{24}",
    "jwt": r"eyJ[A-Za-z0-9_-]{20}\.[A-Za-z0-9_-]{30}\.[A-Za-z0-9_-]{20}",
    "private-key": r"-----BEGIN (RSA )?PRIVATE KEY-----\n[A-Za-z0-9+/]{40}\n[A-Za-z0-9+/]{20}==\n-----END (RSA )?PRIVATE KEY-----",
}
SECRETS = st.sampled_from(sorted(SHAPES)).flatmap(lambda kind: st.from_regex(f"(?:{SHAPES[kind]})", fullmatch=True))
AROUND = st.sampled_from(["", " ", "\n", '"', "my key: ", "é", "?", "(", "\t", "“", "\\", "```\n"])
REDACTOR = Redactor()
KEY = "sk-proj-abcdefghijklmnop1234"
PLACE = "[redacted:openai-key:3827d9ff]"


def cleaned(interaction: Interaction) -> Interaction:
    return REDACTOR.redacted(interaction)[0]


@st.composite
def with_secret(draw: st.DrawFn) -> tuple[str, Interaction]:
    """A secret, and an interaction that has it somewhere."""
    secret = draw(SECRETS)
    text = draw(AROUND) + secret + draw(AROUND)
    place = draw(
        st.sampled_from(
            [
                "header",
                "query",
                "text",
                "escaped",
                "arguments",
                "deep",
                "delta",
                "split",
                "split arguments",
                "about",
                "answer",
            ]
        )
    )
    one = recorded()
    if place == "header":
        line = text.replace("\n", " ")
        sent = (("authorization", f"Bearer {secret}"), ("user-agent", line.encode().decode("latin-1")))
        one = answering(asking(one, headers=sent), headers=(("set-cookie", line), ("x-request-id", line)))
    elif place == "query":
        name = draw(st.sampled_from(["key", "q", "%20", "api_key"]))
        one = asking(one, uri=f"https://me:{secret}@host/v1?a=b&{name}=%20{secret}#x".replace("\n", "%0A"))
    elif place == "text":
        one = answering(asking(one, body=text.encode()), body=b"\xff" + text.encode())
    elif place == "escaped":
        ascii_only = json.dumps({"a": [text], text: 1}).replace("-", draw(st.sampled_from(["-", "\\u002d"])))
        one = recorded(ascii_only.encode(), ascii_only.encode())
    elif place == "arguments":
        call = {"function": {"name": "f", "arguments": json.dumps({"deep": json.dumps([text])})}}
        one = recorded({"messages": [{"tool_calls": [call]}]}, {"tool_calls": [call]})
    elif place == "deep":
        one = recorded({"messages": [{"content": [{"type": "text", "text": text}]}]})
    elif place == "about":
        one = recorded(about=About(client=f"x {secret}", upstream=f"http://u:{secret}@h/?key={secret}", name=secret))
    elif place == "answer":
        one = recorded(answered={"choices": [{"message": {"content": text}}]})
    else:
        parts = [text] if place == "delta" else cut(draw, text)
        if place == "split arguments":
            parts = cut(draw, json.dumps({"path": text}))
            calls = [{"index": 0, "function": {"arguments": part}} for part in parts]
            body = b"".join(
                [
                    b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": {"tool_calls": [it]}}]}) + b"\n\n"
                    for it in calls
                ]
            )
            one = recorded(answered=body, headers=STREAM_TYPE)
        else:
            one = streamed(*parts)
    return secret, one


def cut(draw: st.DrawFn, text: str) -> list[str]:
    places = sorted({0, len(text), *draw(st.lists(st.integers(0, len(text)), max_size=8))})
    return [text[start:end] for start, end in pairwise(places)]


@given(with_secret())
def test_no_secret_is_written(drawn: tuple[str, Interaction]) -> None:
    secret, interaction = drawn

    text = interaction_text(cleaned(interaction))

    half = secret[len(secret) // 2 :]
    for form in (text, text.replace("\n", ""), spoken(text)):
        assert secret not in form
        assert half not in form
        assert half.replace("\n", "\\n") not in form


def spoken(text: str) -> str:
    """What the deltas of a stream say together."""
    parts = []
    for line in text.splitlines():
        if line.strip().startswith("data: {"):
            delta = json.loads(line.strip()[6:])["choices"][0]["delta"]
            parts.append(
                delta.get("content") or delta.get("tool_calls", [{}])[0].get("function", {}).get("arguments", "")
            )
    return "".join(parts)


@given(with_secret())
def test_redacting_twice_is_redacting_once(drawn: tuple[str, Interaction]) -> None:
    once = cleaned(drawn[1])

    again, counts = REDACTOR.redacted(once)

    assert told(again) == told(once)
    assert counts == Counter()
    assert REDACTOR.secrets_in(once) == ()


@given(with_secret())
def test_a_secret_is_found_where_it_stands(drawn: tuple[str, Interaction]) -> None:
    secret, interaction = drawn
    if interaction.about != About():
        return

    found = REDACTOR.secrets_in(interaction)

    assert found
    for one in found:
        assert secret[len(secret) // 2 :] not in one.hint


@given(interactions())
def test_the_pieces_add_up_and_json_stays_json(interaction: Interaction) -> None:
    found = cleaned(interaction)

    assert sum([piece.size for piece in found.response.pieces]) == (
        len(found.response.body) if found.response.pieces else 0
    )


@given(with_secret(), st.data())
def test_the_pieces_of_a_redacted_body_add_up(drawn: tuple[str, Interaction], data: st.DataObject) -> None:
    response = drawn[1].response
    borders = sorted({len(response.body), *data.draw(st.lists(st.integers(1, len(response.body)), max_size=9))})
    sizes = [end - start for start, end in zip([0, *borders], borders, strict=False)]
    pieces = tuple([Piece(at, size) for at, size in enumerate(sizes)])

    found = cleaned(answering(drawn[1], pieces=pieces)).response

    assert sum([piece.size for piece in found.pieces]) == len(found.body)
    assert all(piece.size > 0 for piece in found.pieces)


@given(with_secret())
def test_what_was_json_is_json_still(drawn: tuple[str, Interaction]) -> None:
    before, after = drawn[1], cleaned(drawn[1])

    assert is_json(before.request.body) <= is_json(after.request.body)
    assert is_json(before.response.body) <= is_json(after.response.body)
    events = [line[6:] for line in after.response.body.splitlines() if line.startswith(b"data: {")]
    assert all(map(is_json, events)) or not before.response.is_stream


def is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


@given(BODIES)
def test_a_body_without_secrets_stays_as_it_is(body: bytes) -> None:
    assert REDACTOR.redacted_body(body) == body


@given(
    st.lists(st.sampled_from([KEY, "AKIA0123456789ABCDEF", "?key=", "x", " ", "Bearer ", "[redacted]", "sk-", "0" * 9]))
)
def test_what_stands_side_by_side_is_redacted_once_for_all(parts: list[str]) -> None:
    once = REDACTOR.redacted_body("".join(parts).encode())

    assert REDACTOR.redacted_body(once) == once


def test_the_same_secret_gets_the_same_placeholder_everywhere() -> None:
    half = len(KEY) // 2
    asked = {"messages": [{"content": f"use {KEY}\nand\n{KEY}"}], "user": "sk-proj-other-0123456789"}
    one = recorded(asked, stream_of(KEY[:half], KEY[half:]), headers=STREAM_TYPE, uri=f"{URI}?q={KEY}")

    found = cleaned(one)

    assert json.loads(found.request.body)["messages"][0]["content"] == f"use {PLACE}\nand\n{PLACE}"
    assert found.request.uri == f"{URI}?q={PLACE}"
    assert found.response.body == stream_of(PLACE, "")
    assert PLACE not in json.loads(found.request.body)["user"]


def test_a_secret_in_pieces_keeps_the_rest_of_its_deltas_and_moves_the_borders() -> None:
    one = streamed("My key is sk-proj-abcd", "efghijkl", "mnop1234, you see", "!")

    found = cleaned(one)

    wanted = streamed(f"My key is {PLACE}", "", ", you see", "!")
    assert told(found) == told(wanted)


def test_a_border_inside_a_secret_moves_to_its_end() -> None:
    body = f"a {KEY} b {KEY}".encode()
    one = recorded(
        answered=body, pieces=(Piece(1, 5), Piece(2, 10), Piece(3, len(KEY)), Piece(4, len(body) - 15 - len(KEY)))
    )

    found = cleaned(one).response

    assert found.body == f"a {PLACE} b {PLACE}".encode()
    assert found.pieces == (Piece(1, 2 + len(PLACE)), Piece(3, len(f" b {PLACE}")))


def test_what_is_taken_out_is_counted_by_kind() -> None:
    one = recorded(
        {"a": KEY, "b": f"see http://h/?password=hunter2&x=1 {KEY}"}, uri=f"http://me:pw@h/?token=abc&key={KEY}"
    )
    one = answering(one, headers=(*JSON_TYPE, ("set-cookie", "a=b"), ("set-cookie", "c=d"), ("date", "today")))

    found, counts = REDACTOR.redacted(one)

    assert counts == {"openai-key": 3, "query": 2, "userinfo": 1, "header set-cookie": 2, "header date": 1}
    assert found.request.uri == f"http://h/?token=[redacted:query]&key={PLACE}"
    assert b"?password=[redacted:query]&x=1" in found.request.body


def test_of_an_address_the_user_goes_even_behind_a_secret_with_slashes() -> None:
    pem = "-----BEGIN PRIVATE KEY-----%0Aab/cd%0A-----END PRIVATE KEY-----"

    assert cleaned(recorded(uri=f"https://me:{pem}@host/v1")).request.uri == "https://host/v1"


REQUEST_HEADERS: Headers = (
    ("accept", "*/*"),
    ("authorization", "Bearer sk-bf-demo"),
    ("content-type", "application/json"),
    ("content-length", "3"),
    ("cookie", "a=b"),
    ("host", "h"),
    ("user-agent", "pydantic-ai/2.68"),
    ("x-stainless-lang", "python"),
    ("x-stainless-os", "Linux"),
    ("x-bf-cache-key", "k"),
    ("x-bf-dim-team", "a"),
    ("x-bf-vk", "sk-bf-demo"),
    ("x-bf-api-key", "name"),
    ("x-bf-api-key-id", "id"),
    ("x-bf-eh-authorization", "Bearer x"),
    ("x-api-key", "k"),
)
RESPONSE_HEADERS: Headers = (
    ("content-type", "application/json"),
    ("x-bifrost-provider", "openai"),
    ("x-ratelimit-remaining-requests", "1"),
    ("retry-after", "2"),
    ("retry-after-ms", "20"),
    ("x-request-id", "r"),
    ("openai-processing-ms", "3"),
    ("x-should-retry", "false"),
    ("cache-control", "no-cache"),
    ("openai-organization", "acme"),
    ("openai-project", "proj_1"),
    ("cf-ray", "x"),
    ("set-cookie", "a=b"),
    ("date", "today"),
)


def test_headers_are_kept_by_a_list_of_those_that_are_needed() -> None:
    request = RecordedRequest("POST", URI, REQUEST_HEADERS, b"")

    found = cleaned(Interaction(request, RecordedResponse(200, "OK", RESPONSE_HEADERS, b"")))

    assert [name for name, _text in found.request.headers] == [
        "accept",
        "content-type",
        "user-agent",
        "x-stainless-lang",
        "x-bf-cache-key",
        "x-bf-dim-team",
    ]
    assert found.response.headers == RESPONSE_HEADERS[:9]


@pytest.mark.parametrize(
    "text",
    [
        "sk-bf-demo",
        "sk-bf-team-a",
        "Bearer token",
        "The Bearer authentication-scheme-of-http",
        "task-force-management",
        "?a=b&c=d",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert REDACTOR.redacted_body(text.encode()) == text.encode()


@given(st.sampled_from(KINDS), st.data())
def test_whatever_is_a_secret_holds_a_sign_of_its_kind(kind: tuple[str, str], data: st.DataObject) -> None:
    name, shape = kind
    text = data.draw(st.from_regex(re.compile(shape, re.ASCII)))

    assert any(sign in text for sign in SIGNS[name])


def test_a_bearer_in_a_body_is_a_secret() -> None:
    found = REDACTOR.redacted_body(b'{"a": "Authorization: Bearer abcdef0123456789abcdef"}')

    assert found.startswith(b'{"a": "Authorization: Bearer [redacted:bearer:')


def test_own_patterns_are_secrets_too() -> None:
    redactor = Redactor([r"\bMüller-\d+", "z*"])

    assert redactor.redacted_body('{"a":"Herr Müller-17"}'.encode()) == b'{"a":"Herr [redacted:pattern]"}'
    assert redactor.redacted_body(b'{"a":"M\\u00fcller-17"}') == b'{"a":"[redacted:pattern]"}'
    assert redactor.redacted(streamed("Herr Mü", "ller", "-1"))[1] == {"pattern": 1}


@given(
    TEXTS.map(str.encode), st.lists(st.sampled_from([r"\d+", ".*", "[a-z]{3}", r"redacted", r"\W+", "e"]), max_size=3)
)
@example(b"sk-proj-abcdefghijklmnop1234", [r"\d+"])
def test_own_patterns_redact_once_for_all(body: bytes, patterns: list[str]) -> None:
    redactor = Redactor(patterns)
    once = redactor.redacted_body(body)

    assert redactor.redacted_body(once) == once


def test_a_bad_pattern_is_refused() -> None:
    with pytest.raises(UsageError, match=r"redact: '\(' is no regular expression: missing \), unterminated subpattern"):
        Redactor(["ok", "("])


def test_secrets_in_existing_files_are_told_with_their_place_and_no_more_than_a_hint() -> None:
    one = recorded(
        {"a": KEY}, stream_of("sk-proj-abc", "defghijklmnop1234"), headers=STREAM_TYPE, uri=f"http://me@h/?key={KEY}"
    )
    sent = (("authorization", f"Bearer {KEY}"), ("x-bf-vk", "sk-bf-demo"), ("x-note", KEY), ("cookie", "a"))
    one = answering(asking(one, headers=sent), headers=(*STREAM_TYPE, ("set-cookie", "[redacted]")))

    assert REDACTOR.secrets_in(one) == (
        Found("request uri", "userinfo", "…@"),
        Found("request uri", "openai-key", "sk-proj-a…"),
        Found("request header authorization", "header", "sk-proj-a…"),
        Found("request header x-note", "openai-key", "sk-proj-a…"),
        Found("request header cookie", "header", "…"),
        Found("request body", "openai-key", "sk-proj-a…"),
        Found("response body", "openai-key", "sk-proj-a…"),
    )


def test_events_that_are_no_json_or_have_a_key_twice_do_not_stop_the_others() -> None:
    odd = b'data: {"delta": {"a": "x", "a": "y"}}\n\ndata: {odd\n\ndata: [1]\n\n'
    body = odd + stream_of("sk-proj-abcd", "efghijklmnop1234")

    found: Any = cleaned(recorded(answered=body, headers=STREAM_TYPE)).response.body

    assert found == odd + stream_of(PLACE, "")
