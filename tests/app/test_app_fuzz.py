"""Whatever comes in, what goes out is a whole answer, a whole stream or an error in the gateway's envelope."""

from __future__ import annotations

import copy
import json
import string
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mockbifrost.serve.app import CHAT_PATHS
from mockbifrost.wire.profiles import ProfileName
from tests.app.in_process import PATH, Answer, App
from tests.strategies import INT_64, JSON, REQUESTS

FUZZ = settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
PROFILES: tuple[ProfileName, ...] = ("documented", "1.6", "2.2")
SCENARIO = r"""
version: 1
defaults: {pace: {ttft: 10ms, tokens_per_second: 100, jitter: 0.3}}
stubs:
  - {name: json path, when: {body: {'messages[0].content[0].text': x, 'length(stop || `[]`)': 3}}, reply: Path.}
  - {name: headers, when: {headers: {x-odd: "/^[^a]+$/"}}, reply: Header.}
  - {name: tail, when: {messages: [{role: assistant, tool_call: "*"}, {role: tool}]}, reply: "{{ results }}"}
  - {name: result, when: {tool_result: {json: {a: 1}}}, reply: Result.}
  - {name: tools, when: {tools: [a, b], turn: "1.."}, reply: {tool_calls: [{a: '{"x": "{{ turn }}"}'}]}}
  - {name: schema, when: {response_format: json}, reply: '{"a": 1}'}
  - {name: template, when: {user: a}, reply: "{{ user }} {{ task }} {{ system }} {{ model }} {{ params.temperature | default(1) }}"}
  - {name: words, when: {user: "/[b-f]/i", n: 2}, reply: {faker: {sentence: {}}, logprobs: true}}
  - {name: echo, when: {last: {role: user}, stream: true}, echo: true}
  - {name: thinks, when: {turn: 0, provider: openai}, reply: {content: Yes., reasoning: "{{ messages | length }}"}}
  - {name: fails, when: {user: z}, error: overloaded}
"""
STATUSES = {"documented": {200, 400, 413, 529}, "1.6": {200, 400, 413, 500, 529}, "2.2": {200, 400, 413, 500, 529}}


@pytest.fixture(scope="module", params=PROFILES)
def profile(request: pytest.FixtureRequest) -> ProfileName:
    chosen: ProfileName = request.param
    return chosen


@pytest.fixture(scope="module")
def app(profile: ProfileName) -> Iterator[App]:
    running = App(SCENARIO, version=profile, most_body_bytes=100_000)
    yield running
    running.close()


def is_whole(answer: Answer) -> None:
    """A completion, a stream that ends as it should, or an error in the envelope."""
    assert answer.header("x-mockbifrost-error") not in ("internal", "template"), answer.body
    if answer.header("content-type") == "text/event-stream":
        *events, done, rest = answer.body.split(b"\n\n")
        assert (answer.status, done, rest) == (200, b"data: [DONE]", b"")
        for event in events:
            assert event.startswith(b"data: {")
            assert json.loads(event[6:])["object"] == "chat.completion.chunk"
        return
    assert answer.header("content-type") == "application/json"
    body = answer.json()
    if answer.status == 200:
        assert body["object"] == "chat.completion"
        assert body["choices"]
        return
    assert {"is_bifrost_error", "error", "extra_fields"} <= set(body)
    assert isinstance(body["error"]["message"], str)
    assert body["error"]["message"]
    assert body.get("status_code", answer.status) == answer.status


def is_noted(app: App) -> None:
    """The journal shows the last request."""
    session = app.sessions.find("default")
    assert session is not None
    since = session.journal.count - 1
    shown = app.ask("GET", f"/__mockbifrost/sessions/default/journal?since={since}")
    assert (shown.status, len(shown.json()["entries"])) == (200, 1)


ODD_VALUES = st.one_of(
    JSON,
    INT_64,
    st.sampled_from([None, True, "", " ", "\x00", "0", 0, -1, 129, 2**63, 2**64, 10**25, 5e-324, 1e308, -0.0, [], {}]),
    st.sampled_from([[[]], [{}], {"": None}, [None], "\u2028", "\ud7ff", "\U0010ffff", "{{ 1/0 }}", "/(/", "x" * 300]),
    st.integers(1, 300).map(lambda depth: json.loads("[" * depth + "]" * depth)),
    st.integers(1, 300).map(lambda depth: json.loads('{"a":' * depth + "1" + "}" * depth)),
)


def places_of(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a body where something stands: the container and its key or index."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        for key in keys:
            found.append((value, key))
            found += places_of(value[key])
    return found


@st.composite
def mutated_requests(draw: st.DrawFn) -> dict[str, Any]:
    """A good request in which some values were replaced, removed, doubled or added."""
    body = copy.deepcopy(draw(REQUESTS))
    body["stream"] = draw(st.booleans())
    for _ in range(draw(st.integers(0, 4))):
        place, key = draw(st.sampled_from(places_of(body) or [(body, "model")]))
        how = draw(st.sampled_from(["replace", "remove", "add", "double"]))
        if how == "replace":
            place[key] = copy.deepcopy(draw(ODD_VALUES))
        elif how == "remove":
            del place[key]
        elif isinstance(place, list):
            place.append(copy.deepcopy(place[key]) if how == "double" else copy.deepcopy(draw(ODD_VALUES)))
        else:
            place[draw(st.sampled_from(sorted(KNOWN)) | st.text(max_size=5))] = copy.deepcopy(draw(ODD_VALUES))
        if not body:
            break
    return body


KNOWN = {
    *("model", "messages", "stream", "fallbacks", "max_tokens", "temperature", "top_p", "logit_bias", "logprobs", "n"),
    *(
        "top_logprobs",
        "seed",
        "stop",
        "user",
        "service_tier",
        "response_format",
        "tools",
        "tool_choice",
        "store",
        "role",
    ),
    *("reasoning", "reasoning_effort", "modalities", "audio", "metadata", "stream_options", "extra_params", "content"),
    *("name", "tool_calls", "tool_call_id", "function", "arguments", "refusal", "type", "text", "id", "parameters"),
}


@FUZZ
@given(body=mutated_requests())
def test_any_request_that_was_tampered_with(app: App, profile: ProfileName, body: dict[str, Any]) -> None:
    answer = app.chat(body)

    assert answer.status in STATUSES[profile]
    is_whole(answer)
    is_noted(app)


@FUZZ
@given(body=REQUESTS, stream=st.booleans())
def test_any_good_request(app: App, profile: ProfileName, body: dict[str, Any], stream: bool) -> None:
    answer = app.chat({**body, "stream": stream})

    is_whole(answer)
    assert answer.status in (200, 529) or answer.json()["error"]["code"] == "no_match"


GOOD = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "aé🙂"}], "stream": True}).encode()


@st.composite
def mangled(draw: st.DrawFn, good: bytes) -> bytes:
    """Good bytes of which some were replaced, removed or put in."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 5))):
        at, length = draw(st.integers(0, len(data))), draw(st.integers(0, 4))
        data[at : at + length] = draw(
            st.binary(max_size=6) | st.sampled_from([b'"', b"{", b"[", b"\\", b"\r\n", b"\0"])
        )
    return bytes(data)


@FUZZ
@given(body=st.binary(max_size=300) | mangled(GOOD) | st.text(max_size=100).map(str.encode), pieces=st.integers(1, 5))
def test_any_bytes_as_a_body(app: App, profile: ProfileName, body: bytes, pieces: int) -> None:
    answer = app.chat(body, pieces=pieces)

    assert answer.status in STATUSES[profile]
    is_whole(answer)
    is_noted(app)


NAMES = st.text(string.ascii_letters + string.digits + "-_!#$%&'*+.^`|~", min_size=1, max_size=15) | st.sampled_from(
    [
        *("authorization", "x-api-key", "x-bf-vk", "x-mockbifrost-session", "x-stainless-retry-count", "x-request-id"),
        *("content-encoding", "content-type", "accept", "origin", "connection", "upgrade", "expect", "x-odd", "host"),
    ]
)
VALUES = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30),
    st.sampled_from(
        ["gzip", "deflate", "100-continue", "close", "upgrade", "h2c", "websocket", "mb-x", "Bearer mb-", "1"]
    ),
).map(lambda text: text.strip().encode("latin-1"))
FRAMING = {"content-length", "transfer-encoding"}
HEADERS = st.lists(
    st.tuples(NAMES.filter(lambda name: name.lower() not in FRAMING).map(str.encode), VALUES), max_size=6
).map(tuple)
METHODS = st.sampled_from(["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "M-SEARCH"])
SEGMENTS = st.text(max_size=8).map(lambda text: quote(text, safe="")) | st.sampled_from(
    [
        *("s", "v1", "chat", "completions", "models", "pydanticai", "openai", "..", ".", "%2e%2e", "%00", "%ff", ""),
        *("__mockbifrost", "sessions", "default", "journal", "clock", "reset", "gates", "health", "responses", "1"),
    ]
)
PATHS = st.lists(SEGMENTS, max_size=7).map(lambda parts: "/" + "/".join(parts)) | st.sampled_from(sorted(CHAT_PATHS))
QUERIES = st.just("") | st.text(max_size=10).map(lambda text: "?" + quote(text, safe="=&"))


@FUZZ
@given(method=METHODS, path=PATHS, query=QUERIES, headers=HEADERS, body=st.just(GOOD) | st.binary(max_size=50))
def test_any_path_method_and_headers(
    app: App, profile: ProfileName, method: str, path: str, query: str, headers: Any, body: bytes
) -> None:
    answer = app.ask(method, path + query, body, headers=headers)

    assert answer.header("x-mockbifrost-error") != "internal", answer.body
    assert answer.status in {200, 400, 401, 403, 404, 405, 413, 500, 529}
    if method == "HEAD" or (method == "OPTIONS" and not answer.body):
        assert answer.body == b""
    elif answer.status == 200:
        assert answer.header("content-type") in ("application/json", "text/event-stream", "application/x-ndjson")
    else:
        is_whole(answer)
    app.sessions._sessions.clear()


@FUZZ
@given(headers=HEADERS)
def test_any_headers_of_a_good_request(app: App, profile: ProfileName, headers: Any) -> None:
    answer = app.ask("POST", PATH, GOOD, headers=headers)

    is_whole(answer)
    assert answer.status in (200, 400)
    app.sessions._sessions.clear()


REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (len(GOOD), GOOD)
CHUNKED = b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (
    len(GOOD),
    GOOD,
)


@FUZZ
@given(said=mangled(REQUEST) | mangled(CHUNKED) | st.binary(max_size=100), cut=st.integers(0, 200))
def test_any_bytes_on_a_connection(app: App, profile: ProfileName, said: bytes, cut: int) -> None:
    """Nothing may be answered where the request is not whole; what is answered is HTTP, in JSON or events."""
    written = app.hear([said[:cut], said[cut:]])

    if written and not written.startswith(b"HTTP/1.1 100 "):
        assert written.startswith(b"HTTP/1.1 ")
        assert not written.endswith(b"Internal Server Error")
        assert b"Traceback" not in written
        assert b"application/json" in written or b"text/event-stream" in written or b"content-length: 0" in written
    assert app.chat(GOOD).status == 200


CONTROL_PATHS = st.sampled_from(
    [
        "clock",
        "gates/x",
        "reset",
        "journal",
        "journal/1",
        "",
        "journal?since=1&status=2&matched=1&model=*",
        "calls",
        "verify",
        "explain",
        "files",
        "cassettes",
        "cassettes?file=a.yaml",
    ]
).map(lambda path: f"/__mockbifrost/sessions/default/{path}".rstrip("/"))
CONTROL_BODIES = st.one_of(
    st.binary(max_size=40),
    ODD_VALUES.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")),
    st.dictionaries(st.sampled_from(["advance", "mode", "state", "own", "files", "x"]), ODD_VALUES).map(
        lambda v: json.dumps(v).encode()
    ),
    st.dictionaries(st.sampled_from(["name", "text", "use", "line"]), ODD_VALUES).map(
        lambda v: json.dumps({"files": [v]}).encode()
    ),
    st.sampled_from(
        [b'{"advance": "9e9Y"}', b'{"advance": "999999999999999Y"}', b'{"mode": "flow"}', b'{"state": "open"}']
    ),
)


@FUZZ
@given(method=st.sampled_from(["GET", "POST"]), path=CONTROL_PATHS, body=CONTROL_BODIES)
def test_anything_said_to_the_control_api(app: App, profile: ProfileName, method: str, path: str, body: bytes) -> None:
    answer = app.ask(method, path, body)

    assert answer.status in (200, 201, 400, 404, 405, 409)
    assert answer.json() is not None
    is_whole(app.chat(GOOD))


WORDS = st.one_of(
    st.sampled_from(["version", "stubs", "gateway", "seed", "session", "defaults", "providers", "openai", "name"]),
    st.sampled_from(["when", "user", "reply", "content", "raw", "error", "sequence", "times", "active", "<<"]),
    st.sampled_from(["id", "clock", "fixed", "1.6", "x", "\ud83d"]),
)
SENT = st.recursive(
    ODD_VALUES | WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4)
)
STUBS = st.lists(st.fixed_dictionaries({}, optional={"when": SENT, "reply": SENT, "raw": SENT, "error": SENT}))
WRITTEN = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
    (SENT | STUBS | st.fixed_dictionaries({"version": st.just(1), "stubs": STUBS}, optional={"gateway": SENT})).flatmap(
        lambda value: st.sampled_from([json.dumps(value), yaml.safe_dump(value)]).map(
            lambda text: text.encode("utf-8", "surrogatepass")
        )
    ),
    st.dictionaries(st.sampled_from(["id", "seed", "clock", "version"]), SENT).map(lambda v: json.dumps(v).encode()),
    st.sampled_from(
        [b"{}", b'{"id": "fuzzed"}', b"reply: Yes.", b"- Yes.\n- No.\n", b"&a [*a]", b"? [a]\n: b", b"%YAML 9"]
    ),
)
FEEDING = st.lists(
    st.tuples(
        st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS"]),
        st.sampled_from(
            ["", "/fuzzed", "/fuzzed/stubs", "/fuzzed/stubs", "/%F0%9F", "/fuzzed/stubs/x", "/fuzzed/clock"]
        ),
        WRITTEN,
        st.lists(st.tuples(st.just(b"host"), st.sampled_from([b"", b"a b", b"\xff", b"[::1]:8", b"x/y?z#", b"u@h"]))),
    ),
    min_size=1,
    max_size=5,
)


@FUZZ
@given(said=FEEDING)
def test_anything_said_of_sessions_and_stubs(app: App, profile: ProfileName, said: Any) -> None:
    """Every answer is JSON, whatever stubs were added; other sessions hear nothing of them."""
    for method, path, body, headers in said:
        answer = app.ask(method, f"/__mockbifrost/sessions{path}", body, headers=tuple(headers))
        assert answer.status in (200, 201, 400, 404, 405, 409), answer.body
        if method != "HEAD":
            assert answer.header("content-type") == "application/json"
            assert answer.json() is not None
        app.ask("POST", f"/s/fuzzed{PATH}", GOOD)
        shown = app.ask("GET", "/__mockbifrost/sessions/fuzzed/stubs")
        assert shown.status in (200, 404)
        assert shown.json()
    is_whole(app.chat(GOOD))
    app.sessions._sessions.clear()
    app.sessions._finished.clear()
