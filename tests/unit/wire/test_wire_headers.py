"""Heads: legal bytes whatever a scenario or a client says, by profile, in the names of the captures."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.wire.extra_fields import Route
from mockbifrost.wire.headers import (
    EVENT_STREAM,
    JSON_TYPE,
    RequestHeaders,
    base_headers,
    decoded,
    handed_on,
    header_value,
    id_headers,
    origin_allowed,
    provider_headers,
    route_headers,
    virtual_key,
)
from mockbifrost.wire.profiles import DOCUMENTED, PROFILES, V1_6, V2_2, Profile

ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""Text with half surrogate pairs and control characters too."""
ROUTE = Route("chat_completion", "openai", "gpt-4o", "gpt-4o-2026", "key-1")
FALLEN = Route("chat_completion", "anthropic", "claude", "claude", "key-2", 2, "openai", "gpt-4o")


@given(ANY_TEXT)
def test_a_header_value_is_legal_whatever_is_said(text: str) -> None:
    """RFC 9110 5.5: visible characters, blanks, tabs and bytes above 127; nothing that ends a line."""
    found = header_value(text)

    assert all(byte == 0x09 or 0x20 <= byte <= 0x7E or byte >= 0x80 for byte in found)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_printable_ascii_stays_as_it_is(text: str) -> None:
    assert header_value(text) == text.encode()


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    text: str
    wanted: bytes


@pytest.mark.parametrize(
    "case",
    [
        Case("latin-1", "Grüße", b"Gr\xfc\xdfe"),
        Case("beyond latin-1", "10 € für Zoë", b"10 %E2%82%AC f%C3%BCr Zo%C3%AB"),
        Case("line ends", "a\r\nb\nc", b"a  b c"),
        Case("tab", "a\tb", b"a\tb"),
        Case("zero", "a\x00b", b"a b"),
        Case("half a surrogate pair", "a\ud83d€", b"a %E2%82%AC"),
    ],
    ids=lambda case: case.id,
)
def test_what_no_header_can_hold_is_written_another_way(case: Case) -> None:
    assert header_value(case.text) == case.wanted


@pytest.mark.parametrize(
    "origin",
    ["http://localhost", "https://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:5173", "https://[::1]"],
)
def test_pages_of_this_machine_may_call(origin: str) -> None:
    assert origin_allowed(origin)


@pytest.mark.parametrize(
    "origin", ["", "null", "https://example.org", "http://localhost.example.org", "http://127.0.0.10", "localhost"]
)
def test_other_pages_may_not(origin: str) -> None:
    assert not origin_allowed(origin)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_an_allowed_origin_is_named_with_its_rights(profile: Profile, stream: bool) -> None:
    found = base_headers(profile, JSON_TYPE, stream=stream, origin="http://localhost:3000")

    assert [pair for pair in found if pair[0].startswith(b"access-control") or pair[0] == b"vary"] == [
        (b"access-control-allow-origin", b"http://localhost:3000"),
        (b"access-control-allow-methods", b"GET, POST, PUT, DELETE, PATCH, OPTIONS, HEAD"),
        (
            b"access-control-allow-headers",
            b"Content-Type, Authorization, X-Requested-With, X-Stainless-Timeout, X-Api-Key, X-OpenAI-Agents-SDK, "
            b"X-Operation-ID",
        ),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-max-age", b"86400"),
        (b"vary", b"Origin"),
    ]


def test_a_plain_answer_begins_with_the_server_and_the_type() -> None:
    assert base_headers(V1_6, JSON_TYPE, stream=False, origin=None) == [
        (b"server", b"fasthttp"),
        (b"content-type", b"application/json"),
    ]


def test_a_stream_says_that_it_is_not_to_be_kept() -> None:
    assert base_headers(DOCUMENTED, EVENT_STREAM, stream=True, origin="https://example.org") == [
        (b"server", b"fasthttp"),
        (b"content-type", b"text/event-stream"),
        (b"access-control-allow-origin", b"*"),
        (b"cache-control", b"no-cache"),
        (b"connection", b"keep-alive"),
    ]


def test_the_route_is_named() -> None:
    assert route_headers(V1_6, ROUTE, latency_ms=1.5) == [
        (b"x-bifrost-provider", b"openai"),
        (b"x-bifrost-original-model", b"gpt-4o"),
        (b"x-bifrost-resolved-model", b"gpt-4o-2026"),
        (b"x-bifrost-request-type", b"chat_completion"),
    ]


def test_a_fallback_has_an_index_from_one_on() -> None:
    found = dict(route_headers(DOCUMENTED, FALLEN, latency_ms=None))

    assert found[b"x-bifrost-fallback-index"] == b"2"


def test_2_2_adds_its_routing_and_the_latency_with_three_decimals() -> None:
    found = route_headers(V2_2, FALLEN, latency_ms=1.5)

    assert found[5:] == [
        (b"x-bifrost-routing-info-provider", b"anthropic"),
        (b"x-bifrost-routing-info-model", b"claude"),
        (b"x-bifrost-routing-info-key", b"key-2"),
        (b"x-bifrost-routing-info-is-fallback", b"true"),
        (b"x-bifrost-routing-info-primary-provider", b"openai"),
        (b"x-bifrost-routing-info-primary-model", b"gpt-4o"),
        (b"x-bifrost-upstream-latency-ms", b"1.500"),
    ]


def test_a_route_that_nobody_served_has_no_headers() -> None:
    assert route_headers(V2_2, Route(), latency_ms=None) == []


def test_ids_are_sent_as_they_are() -> None:
    assert id_headers("req-1", "0" * 32) == [(b"x-request-id", b"req-1"), (b"x-bifrost-trace-id", b"0" * 32)]


def test_a_provider_keeps_its_headers_but_for_those_of_its_connection() -> None:
    given = {"OpenAI-Processing-Ms": "640", "Connection": "close", "Content-Length": "5", "Date": "now", "X-A": "ü"}

    assert provider_headers(given) == [(b"openai-processing-ms", b"640"), (b"x-a", b"\xfc")]


def test_a_header_that_both_have_is_the_providers_and_is_sent_once() -> None:
    head = [(b"server", b"fasthttp"), (b"x-request-id", b"own"), (b"vary", b"Origin")]

    assert handed_on(head, [(b"x-request-id", b"req_1"), (b"x-a", b"1")]) == [
        (b"server", b"fasthttp"),
        (b"vary", b"Origin"),
        (b"x-request-id", b"req_1"),
        (b"x-a", b"1"),
    ]


def test_repeated_request_headers_are_joined() -> None:
    raw = [(b"X-A", b"1"), (b"x-b", b"\xfc"), (b"x-a", b"2")]

    assert decoded(raw) == {"x-a": "1, 2", "x-b": "ü"}


def test_request_headers_are_a_mapping_by_lower_case_name() -> None:
    headers = RequestHeaders([(b"x-a", b"1"), (b"x-a", b"2"), (b"x-b", b"3")])

    assert dict(headers) == {"x-a": "1, 2", "x-b": "3"}
    assert (len(headers), headers["x-b"], headers.get("x-c")) == (2, "3", None)
    assert (headers.first(b"x-a"), headers.first(b"x-c")) == ("1", None)
    assert headers.only(frozenset({b"x-a", b"x-c"})) == {"x-a": "1, 2"}


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        pytest.param({"x-bf-vk": "anything"}, "anything", id="x-bf-vk"),
        pytest.param({"authorization": "Bearer sk-bf-1"}, "sk-bf-1", id="bearer"),
        pytest.param({"authorization": "bearer SK-BF-1 "}, "SK-BF-1", id="any case"),
        pytest.param({"authorization": "Bearer   sk-bf-1"}, "sk-bf-1", id="more blanks"),
        pytest.param({"authorization": "Bearer sk-1"}, None, id="another bearer"),
        pytest.param({"authorization": "Bearer mb-sk-bf-1"}, None, id="the key of a session"),
        pytest.param({"authorization": "sk-bf-1"}, None, id="no bearer"),
        pytest.param({"authorization": "Basic sk-bf-1"}, None, id="another scheme"),
        pytest.param({"authorization": "Bearer sk-1", "api-key": "SK-BF-4"}, "SK-BF-4", id="the next carrier"),
        pytest.param({"x-api-key": "sk-bf-2"}, "sk-bf-2", id="x-api-key"),
        pytest.param({"x-goog-api-key": "sk-bf-3"}, "sk-bf-3", id="x-goog-api-key"),
        pytest.param({"api-key": "sk-bf-4"}, "sk-bf-4", id="api-key"),
        pytest.param({"x-api-key": "sk-2"}, None, id="another key"),
        pytest.param({"x-bf-vk": "a", "authorization": "Bearer sk-bf-1"}, "a", id="x-bf-vk first"),
        pytest.param({"x-bf-vk": "", "x-api-key": "sk-bf-2"}, "sk-bf-2", id="an empty one is none"),
        pytest.param({}, None, id="none"),
    ],
)
def test_a_virtual_key_comes_in_any_of_its_carriers(headers: dict[str, str], wanted: str | None) -> None:
    raw = [(b"host", b"x"), *[(name.encode(), value.encode()) for name, value in headers.items()]]

    assert virtual_key(headers) == wanted
    assert virtual_key(RequestHeaders(raw)) == wanted
