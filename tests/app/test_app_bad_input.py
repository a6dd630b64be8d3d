"""What bad input gets, profile by profile: the gateway's own error where it has one, and never silence."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from mockbifrost.vocabulary.providers import KNOWN_PROVIDERS
from mockbifrost.wire.profiles import ProfileName
from tests.app.in_process import PATH, Answer, App

PROFILES: tuple[ProfileName, ...] = ("documented", "1.6", "2.2")
EXTRA: dict[str, dict[str, Any]] = {"documented": {}, "1.6": {}, "2.2": {"routing_info": {}}}
LOCAL_STATUS = {"documented": 400, "1.6": 500, "2.2": 400}
LOCAL_STREAM_STATUS = {"documented": 400, "1.6": 500, "2.2": 500}
SCENARIO = "version: 1\nstubs: [{when: {user: hello}, reply: Hello.}]\n"
LIMIT = 100_000


@pytest.fixture(scope="module", params=PROFILES)
def profile(request: pytest.FixtureRequest) -> ProfileName:
    chosen: ProfileName = request.param
    return chosen


@pytest.fixture(scope="module")
def app(profile: ProfileName) -> Iterator[App]:
    running = App(SCENARIO, version=profile, most_body_bytes=LIMIT)
    yield running
    running.close()


@pytest.fixture(autouse=True)
def _still_serving(app: App) -> Iterator[None]:
    yield
    assert app.chat(chat()).json()["choices"][0]["message"]["content"] == "Hello."


def chat(**more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}], **more}


def is_invalid_json(answer: Answer, profile: ProfileName) -> str:
    """The decoder's text, once the rest of the answer is known to be the gateway's."""
    body = answer.json()
    cause = body["error"].get("error")
    assert body == {
        "is_bifrost_error": False,
        "error": {"error": cause, "message": "Invalid JSON"},
        "extra_fields": EXTRA[profile],
    }
    assert answer.status == LOCAL_STATUS[profile]
    assert answer.header("connection") == (None if profile == "1.6" else "close")
    assert answer.header("x-mockbifrost-error") is None
    assert answer.header("content-type") == "application/json"
    assert cause
    return str(cause)


NO_JSON = {
    "white space": b" \r\n\t",
    "a word": b"hello",
    "cut": json.dumps(chat()).encode()[:-1],
    "more than one": b'{"model":"a"}{"model":"b"}',
    "a trailing comma": b'{"model":"gpt-4o",}',
    "single quotes": b"{'model': 'gpt-4o'}",
    "a comment": b'{"model":"gpt-4o"} // that is it',
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(chat()).encode(),
    "no UTF-8": b'{"model":"\xff\xfe"}',
    "overlong UTF-8": b'{"model":"\xc0\x80"}',
    "a surrogate in UTF-8": b'{"model":"\xed\xa0\x80"}',
    "UTF-16": json.dumps(chat()).encode("utf-16"),
    "a lone surrogate": b'{"model":"gpt-4o","messages":[{"role":"user","content":"\\ud83d"}]}',
    "NUL": b"\x00",
    "NUL in a text": b'{"model":"gpt\x00"}',
    "a line end in a text": b'{"model":"gpt\n4o"}',
    "NaN": b'{"model":"gpt-4o","temperature":NaN}',
    "Infinity": b'{"model":"gpt-4o","temperature":-Infinity}',
    "a number beyond all bounds": b'{"model":"gpt-4o","temperature":1e400}',
    "a huge whole number": b'{"model":"gpt-4o","seed":1' + b"0" * 400 + b"}",
    "1 MB of brackets": b"[" * LIMIT,
    "1 MB of braces": b'{"a":' * (LIMIT // 5),
    "1 MB of both": b'[{"a":' * (LIMIT // 6),
    "closed brackets": b"[" * 10_000 + b"]" * 10_000,
    "legal, but deep": b'{"x":' + b"[" * 500 + b"]" * 500 + b"}",
    "legal, but too deep to be shown again": b'{"extra_params":{"x":' + b"[" * 248 + b"]" * 248 + b"}}",
    "a form": b"model=gpt-4o&messages=hello",
    "gzip without saying so": gzip.compress(json.dumps(chat()).encode()),
    "random bytes": bytes(range(256)),
    "a list": b"[]",
    "null": b"null",
    "a text": b'"gpt-4o"',
    "a number": b"-0.5e-7",
}


@pytest.mark.parametrize("name", NO_JSON)
def test_what_is_no_json_object(app: App, profile: ProfileName, name: str) -> None:
    assert is_invalid_json(app.chat(NO_JSON[name]), profile)


def test_what_is_no_json_object_in_pieces(app: App, profile: ProfileName) -> None:
    assert is_invalid_json(app.chat(b"[" * 50_000, pieces=1000), profile)


STRINGS = ["model", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier"]
STRINGS += ["reasoning_effort", "reasoning_display", "verbosity", "prompt_cache_isolation_key"]
INTEGERS = ["max_tokens", "max_completion_tokens", "top_k", "top_logprobs", "n", "seed", "reasoning_max_tokens"]
NUMBERS = ["temperature", "top_p", "frequency_penalty", "presence_penalty"]
BOOLEANS = ["stream", "logprobs", "parallel_tool_calls", "store"]
OBJECTS = ["response_format", "audio", "prediction", "metadata", "web_search_options", "stream_options", "reasoning"]
OBJECTS += ["extra_params", "prompt_cache_options", "logit_bias"]
LISTS = ["messages", "tools", "fallbacks", "modalities"]
TEXT, WHOLE, HALF, TRUE = "text", 3, 0.5, True
LIST: Any = []
OBJECT: Any = {"a": 1}
NO_WRONG: list[tuple[str, Any]] = []
WRONG = (
    NO_WRONG
    + [(name, value) for name in STRINGS for value in (WHOLE, HALF, TRUE, LIST, OBJECT)]
    + [(name, value) for name in INTEGERS for value in (TEXT, "3", HALF, TRUE, LIST, OBJECT)]
    + [(name, value) for name in NUMBERS for value in (TEXT, "0.5", TRUE, LIST, OBJECT)]
    + [(name, value) for name in BOOLEANS for value in (TEXT, "true", WHOLE, 1, 0, LIST, OBJECT)]
    + [(name, value) for name in OBJECTS for value in (TEXT, WHOLE, TRUE, LIST)]
    + [(name, value) for name in LISTS for value in (TEXT, WHOLE, TRUE, OBJECT)]
    + [("stop", value) for value in (WHOLE, TRUE, OBJECT, [1])]
    + [("tool_choice", value) for value in (WHOLE, TRUE, LIST)]
    + [("fallbacks", [{"provider": "openai", "model": "gpt-4o"}]), ("modalities", [1]), ("logit_bias", {"1": "x"})]
    + [("stream_options", {"include_usage": "yes"}), ("reasoning", {"effort": 1}), ("reasoning", {"max_tokens": "x"})]
    + [("messages", [value]) for value in (TEXT, WHOLE, None, LIST)]
    + [("messages", [{"role": value}]) for value in (WHOLE, LIST, OBJECT)]
    + [("messages", [{"role": "user", "content": value}]) for value in (WHOLE, TRUE, OBJECT, [TEXT], [LIST], [None])]
    + [("messages", [{"role": "user", "tool_call_id": 3}]), ("messages", [{"role": "user", "name": {}}])]
    + [("messages", [{"role": "assistant", "tool_calls": value}]) for value in (TEXT, OBJECT, [TEXT], [{"id": 1}])]
    + [("messages", [{"role": "assistant", "tool_calls": [{"function": {"arguments": {}}}]}])]
    + [("tools", [value]) for value in (TEXT, {"type": 1}, {"function": TEXT}, {"function": {"name": 1}})]
    + [("tools", [{"function": {"name": "f", "parameters": LIST}}]), ("tools", [{"function": {}}])]
    + [("tools", [{"function": {"name": "f", "strict": "yes"}}])]
)


@pytest.mark.parametrize(("field", "value"), WRONG, ids=[f"{name}={json.dumps(value)}" for name, value in WRONG])
def test_a_declared_field_of_the_wrong_type(app: App, profile: ProfileName, field: str, value: Any) -> None:
    cause = is_invalid_json(app.chat(chat(**{field: value})), profile)

    assert field in cause


def test_the_decoders_texts_are_the_gateways(app: App, profile: ProfileName) -> None:
    content = is_invalid_json(app.chat(chat(messages=[{"role": "user", "content": 3}])), profile)
    parts = is_invalid_json(app.chat(chat(messages=[{"role": "user", "content": ["x"]}])), profile)
    choice = is_invalid_json(app.chat(chat(tool_choice=3)), profile)
    efforts = is_invalid_json(app.chat(chat(reasoning_effort="low", reasoning={"effort": "low"})), profile)

    assert "content field is neither a string nor an array of Content blocks" in content
    assert "content field is neither a string nor an array of Content blocks" in parts
    assert "tool_choice field is neither a string nor a ChatToolChoiceStruct object" in choice
    assert "both reasoning_effort and reasoning.effort cannot be present at the same time" in efforts


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param({"messages": [{"role": "user", "content": "hello"}]}, "provider", id="no model"),
        pytest.param(chat(model=""), "provider", id="an empty model"),
        pytest.param({}, "provider", id="an empty object"),
        pytest.param(chat(model="openai/"), "model", id="a provider alone"),
    ],
)
def test_a_model_that_leads_nowhere(
    app: App, profile: ProfileName, body: dict[str, Any], kind: str, stream: bool
) -> None:
    answer = app.chat({**body, "stream": stream})

    found = answer.json()
    said = f"could not auto resolve a {kind} for the request, please specify a {kind} explicitly"
    assert found["error"] == {"message": f"{kind} is required" if profile == "1.6" else said}
    assert found["is_bifrost_error"] is False
    assert "status_code" not in found
    assert answer.status == (LOCAL_STREAM_STATUS if stream else LOCAL_STATUS)[profile]
    assert answer.header("content-type") == "application/json"


def test_an_empty_body_lacks_a_model_and_is_no_bad_json(app: App, profile: ProfileName) -> None:
    assert "provider" in app.chat(b"").json()["error"]["message"]


@pytest.mark.parametrize("messages", [None, []], ids=["none", "empty"])
def test_missing_messages_are_the_providers_business(app: App, profile: ProfileName, messages: Any) -> None:
    answer = app.chat({"model": "gpt-4o", **({} if messages is None else {"messages": messages})})

    body = answer.json()
    assert (answer.status, body["status_code"], body["error"]["type"]) == (400, 400, "invalid_request_error")
    assert body["error"]["param"] == "messages"
    assert body["extra_fields"]["provider"] == "openai"


@pytest.mark.parametrize("model", ["nobody/gpt-4o", "meta-llama/Llama-3", "/", "a/b/c", "OpenAI/gpt-4o", "gpt 4o\n\t"])
def test_an_unknown_prefix_belongs_to_the_name(app: App, profile: ProfileName, model: str) -> None:
    answer = app.chat(chat(model=model))

    body = answer.json()
    assert (answer.status, body["model"], body["extra_fields"]["provider"]) == (200, model, "openai")
    assert model not in KNOWN_PROVIDERS


def test_a_model_beyond_latin_1(app: App, profile: ProfileName) -> None:
    answer = app.chat(chat(model="модель-🙂"))

    assert answer.json()["model"] == "модель-🙂"


def test_a_key_that_is_there_twice_counts_the_last_time(app: App, profile: ProfileName) -> None:
    body = json.dumps(chat()).encode()[:-1] + b',"model":"gpt-5"}'

    assert app.chat(body).json()["model"] == "gpt-5"


@pytest.mark.parametrize(
    "more",
    [
        {"unknown": {"deep": [1, None, "x"]}},
        {"seed": 2**63 - 1},
        {"seed": 2**64 - 1},
        {"seed": -(2**63)},
        {"temperature": 5e-324},
        {"x": 1e308},
        {"x": 10**100},
        {"x": -0.0},
        {"": "an empty key", "\x00": 1, "é": 2},
        {"user": "x" * 50_000},
        {"metadata": {str(number): number for number in range(1000)}},
        {"x": json.loads("[" * 150 + "]" * 150)},
        {"messages": [{"role": "user", "content": "hello"}] * 500},
        {"stream": None, "tools": None, "n": None, "stop": None},
        {"stop": "one"},
        {"max_tokens": 10**15},
    ],
    ids=lambda more: str(more)[:40],
)
def test_what_is_odd_but_legal_is_answered(app: App, profile: ProfileName, more: dict[str, Any]) -> None:
    assert app.chat(chat(**more)).status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_the_content_type_is_not_looked_at(app: App, profile: ProfileName, kind: str) -> None:
    assert app.chat(chat(), headers=((b"content-type", kind.encode()),)).status == 200


def test_a_body_over_the_limit(app: App, profile: ProfileName) -> None:
    fits = json.dumps(chat(user="x" * (LIMIT - 100))).encode()
    for body, pieces in ((b" " * (LIMIT + 1), 1), (b" " * (LIMIT * 3), 100), (b" " * (LIMIT * 20), 7)):
        answer = app.chat(body, pieces=pieces)

        assert (answer.status, answer.header("connection")) == (413, "close")
        assert answer.json()["error"] == {
            "type": "mockbifrost_too_large",
            "code": "too_large",
            "message": f"The body is larger than {LIMIT} bytes, the most that is read here.\n  do: send a smaller one",
        }
    assert app.chat(fits, pieces=10).status == 200


PACKED = json.dumps(chat()).encode()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(PACKED, mtime=0)),
        ("x-gzip", gzip.compress(PACKED, mtime=0)),
        ("GZip ", gzip.compress(PACKED, 0, mtime=0)),
        ("deflate", zlib.compress(PACKED)),
        ("identity", PACKED),
        ("", PACKED),
    ],
)
def test_a_packed_body_is_unpacked(app: App, profile: ProfileName, encoding: str, body: bytes) -> None:
    answer = app.chat(body, headers=((b"content-encoding", encoding.encode()),), pieces=3)

    assert answer.status == 200


@pytest.mark.parametrize(
    ("encoding", "body", "status", "message"),
    [
        pytest.param("gzip", PACKED, 400, "invalid compressed request body: Error -3 while", id="not packed"),
        pytest.param(
            "gzip",
            gzip.compress(PACKED, mtime=0)[:-9],
            400,
            "invalid compressed request body: unexpected EOF",
            id="cut",
        ),
        pytest.param(
            "gzip",
            gzip.compress(PACKED, mtime=0)[:-4] + b"....",
            400,
            "invalid compressed request body: ",
            id="checksum",
        ),
        pytest.param(
            "gzip", gzip.compress(PACKED, mtime=0) * 2, 400, "invalid compressed request body: there is more", id="two"
        ),
        pytest.param("deflate", b"\x00", 400, "invalid compressed request body: ", id="deflate"),
        pytest.param(
            "gzip",
            gzip.compress(b" " * (LIMIT * 50)),
            413,
            f"decompressed request body exceeds max allowed size of {LIMIT} bytes",
            id="a bomb",
        ),
    ],
)
def test_a_body_that_is_badly_packed(
    app: App, profile: ProfileName, encoding: str, body: bytes, status: int, message: str
) -> None:
    answer = app.chat(body, headers=((b"content-encoding", encoding.encode()),))

    error = answer.json()
    assert (answer.status, error["status_code"], list(error["error"])) == (status, status, ["message"])
    assert error["error"]["message"].startswith(message)
    assert answer.header("x-mockbifrost-error") is None


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x" * 1000, "\xe9"])
def test_an_encoding_that_is_not_known(app: App, profile: ProfileName, encoding: str) -> None:
    answer = app.chat(PACKED, headers=((b"content-encoding", encoding.encode("latin-1")),))

    assert (answer.status, answer.header("x-mockbifrost-error")) == (400, "encoding")
    assert answer.json()["error"]["message"] == (
        f"The content encoding {encoding[:50]!r} is not known here.\n  do: send gzip, deflate, or the body as it is"
    )


def test_an_empty_body_needs_no_unpacking(app: App, profile: ProfileName) -> None:
    assert app.chat(b"", headers=((b"content-encoding", b"gzip"),)).json()["error"]["message"] != ""


@pytest.mark.parametrize("n", [0, -1, 129, 10**6, 2**63])
def test_more_choices_than_there_can_be(app: App, profile: ProfileName, n: int) -> None:
    answer = app.chat(chat(n=n))

    assert (answer.status, answer.json()["error"]["param"]) == (400, "n")


def test_a_bug_of_the_server_is_answered_in_the_envelope(
    app: App, profile: ProfileName, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: object) -> None:
        raise ZeroDivisionError("<oops>")

    with monkeypatch.context() as patch:
        patch.setattr("mockbifrost.session.session.Session.ask", fail)
        answer = app.chat(chat())

    assert (answer.status, answer.header("x-mockbifrost-error")) == (500, "internal")
    assert answer.header("x-should-retry") == "false"
    assert answer.json()["error"]["message"] == (
        "A bug of mockbifrost: ZeroDivisionError: <oops>\n  do: report it, with the server's log"
    )
    assert f"A bug of mockbifrost: POST {PATH} failed." in caplog.text


def test_more_sessions_than_the_limit(profile: ProfileName) -> None:
    small = App(SCENARIO, version=profile, most_sessions=2)
    try:
        paths = [f"/s/{id}{PATH}" for id in ("a", "b", "c", "a")]
        answers = [small.ask("POST", path, json.dumps(chat()).encode()) for path in paths]
        listed = small.ask("GET", "/__mockbifrost/sessions").json()
    finally:
        small.close()

    assert [answer.status for answer in answers] == [200, 200, 400, 200]
    assert answers[2].header("x-mockbifrost-error") == "too_many_sessions"
    assert answers[2].json()["error"]["message"].startswith("There are 2 sessions, and no more are made.\n  do: ")
    assert [session["id"] for session in listed] == ["a", "b"]
