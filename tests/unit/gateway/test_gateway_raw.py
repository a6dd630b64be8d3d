"""What was sent to a provider and what came back, on request; and the provider's own headers. Source: wire.md 3, 3.5, 4.5, 7 and 8."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from mockbifrost.wire.profiles import ProfileName
from tests.harness import PROFILE_NAMES, Response, ask_in, chat, session_with

PROFILES = pytest.mark.parametrize("version", PROFILE_NAMES)
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
REQUEST, RESPONSE = "x-bf-send-back-raw-request", "x-bf-send-back-raw-response"
CLAUDE = "anthropic/claude-sonnet-4-5"


def asked(
    reply: Any = "Hello there",
    *,
    version: ProfileName = "2.2",
    raw: Mapping[str, bool] | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    gateway = {"cost": "none", **({"raw": raw} if raw else {})}
    return ask_in(session_with({"reply": reply}, version=version, gateway=gateway), chat(**more), headers=headers)


def fields_of(response: Response) -> list[Any]:
    """extra_fields of the answer, or of each chunk."""
    bodies = response.chunks if response.exchange.outcome.stream else [response.json()]
    return [body["extra_fields"] for body in bodies]


@STREAMS
@PROFILES
def test_nothing_is_added_unless_it_is_asked_for(version: ProfileName, stream: bool) -> None:
    for fields in fields_of(asked(version=version, stream=stream)):
        assert not {"raw_request", "raw_response", "provider_response_headers"} & fields.keys()


SWITCHES = [
    # setting, header, on in 1.6, on since 2.0
    (False, None, False, False),
    (False, "true", True, True),
    (False, "TRUE", True, True),
    (False, "1", True, True),
    (False, "yes", False, False),
    (True, None, True, True),
    (True, "false", True, False),
    (True, "0", True, False),
    (True, "garbage", True, True),
]


@STREAMS
@PROFILES
@pytest.mark.parametrize(("setting", "header", "old", "newest"), SWITCHES)
@pytest.mark.parametrize("what", ["request", "response"])
def test_settings_and_headers_turn_it_on_and_off(
    what: str, setting: bool, header: str | None, old: bool, newest: bool, version: ProfileName, stream: bool
) -> None:
    """A header turns it on; since 2.0 off as well. Each of the two for itself."""
    headers = {f"x-bf-send-back-raw-{what}": header} if header else {}

    response = asked(version=version, raw={what: setting}, headers=headers, model=CLAUDE, stream=stream)

    found = {key for fields in fields_of(response) for key in fields if key.startswith("raw_")}
    assert found == ({f"raw_{what}"} if (old if version == "1.6" else newest) else set())


@STREAMS
@PROFILES
def test_the_request_is_told_once_as_it_was_sent_on(version: ProfileName, stream: bool) -> None:
    """Without the prefix, the fallbacks and what the gateway does not know; the limit under its newer name."""
    response = asked(
        version=version,
        headers={REQUEST: "true"},
        model=CLAUDE,
        stream=stream,
        max_tokens=5,
        temperature=None,
        fallbacks=["groq/x"],
        unknown=1,
    )

    *on_the_way, last = fields_of(response)
    assert not any("raw_request" in fields for fields in on_the_way)
    streamed = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    assert last["raw_request"] == {
        "model": "claude-sonnet-4-5",
        "messages": chat()["messages"],
        "max_completion_tokens": 5,
        **streamed,
    }


def test_the_request_names_the_deployment() -> None:
    keys = [{"name": "main", "aliases": {"gpt-4o": "our-gpt"}}]
    session = session_with("Hi", gateway={"cost": "none", "providers": {"azure": {"keys": keys}}})

    fields = fields_of(ask_in(session, chat(model="azure/gpt-4o"), headers={REQUEST: "true"}))[0]

    assert fields["raw_request"]["model"] == "our-gpt"


@STREAMS
@PROFILES
def test_an_error_tells_the_request(version: ProfileName, stream: bool) -> None:
    session = session_with({"error": "overloaded"}, version=version)

    response = ask_in(session, chat(stream=stream), headers={REQUEST: "true"})

    assert response.json()["extra_fields"]["raw_request"]["model"] == "gpt-4o"
    assert "raw_request" not in ask_in(session, chat(stream=stream)).json()["extra_fields"]


@PROFILES
def test_a_raw_answer_of_openai_is_the_whole_body(version: ProfileName) -> None:
    """In OpenAI's own order, without anything of the gateway. Source: wire.md 3."""
    response = asked({"content": "Hello", "model": "gpt-4o-2026"}, version=version, headers={RESPONSE: "true"})

    body = response.json()
    assert list(body) == ["id", "object", "created", "model", "choices", "usage", "system_fingerprint"]
    assert body["model"] == "gpt-4o-2026"
    assert body["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": "Hello", "refusal": None, "annotations": []},
        "logprobs": None,
        "finish_reason": "stop",
    }
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    assert "extra_fields" not in body
    assert response.header("x-bifrost-provider") == "openai"


@PROFILES
@pytest.mark.parametrize("reported", [0.5, {"total_cost": 0.5, "upstream": 1}])
def test_a_raw_answer_has_the_cost_that_its_provider_reports(version: ProfileName, reported: Any) -> None:
    """As it was said; the gateway's own form of it stands in its own usage."""
    response = asked({"content": "Hi", "cost": reported}, version=version, headers={RESPONSE: "true"}, model=CLAUDE)

    assert fields_of(response)[0]["raw_response"]["usage"]["cost"] == reported


@PROFILES
def test_raw_chunks_of_openai_are_all_but_the_last(version: ProfileName) -> None:
    """The last is the gateway's own, which counts on. Source: wire.md 4.5."""
    plain = asked(version=version, stream=True)
    response = asked(version=version, headers={RESPONSE: "true"}, stream=True)

    *raw, last = response.chunks
    assert all("extra_fields" not in chunk for chunk in raw)
    assert all(list(chunk)[:4] == ["id", "object", "created", "model"] for chunk in raw)
    assert response.text == plain.text == "Hello there"
    assert last == plain.chunks[-1]
    assert len(response.chunks) == len(plain.chunks)


@STREAMS
@PROFILES
def test_of_other_providers_the_raw_answer_is_beside_the_gateways_own(version: ProfileName, stream: bool) -> None:
    plain = asked(version=version, model=CLAUDE, stream=stream)
    response = asked(version=version, headers={RESPONSE: "true"}, model=CLAUDE, stream=stream)

    fields, without = fields_of(response), fields_of(plain)
    assert [{key: item for key, item in one.items() if key != "raw_response"} for one in fields] == without
    if not stream:
        raw = fields[0]["raw_response"]
        assert (raw["object"], raw["choices"][0]["message"]["content"]) == ("chat.completion", "Hello there")
        assert raw["id"] == response.json()["id"]
        return
    *on_the_way, last = fields
    assert "raw_response" not in last
    said = [one["raw_response"]["choices"][0]["delta"].get("content") or "" for one in on_the_way]
    assert "".join(said) == response.text == "Hello there"


@STREAMS
def test_a_fallback_is_raw_by_what_serves(stream: bool) -> None:
    """OpenAI's answer alone where OpenAI is the fallback; beside the gateway's where it is not."""
    stubs = ({"when": {"fallback": 0}, "error": "unavailable"}, {"reply": "Hello"})
    found = []
    for primary, fallback in (("gpt-4o", CLAUDE), (CLAUDE, "openai/gpt-4o")):
        session = session_with(*stubs, gateway={"cost": "none", "raw": {"response": True}})
        response = ask_in(session, chat(model=primary, fallbacks=[fallback], stream=stream))
        first = response.chunks[0] if stream else response.json()
        found.append("extra_fields" in first)
    assert found == [True, False]


def test_a_hit_tells_of_its_own_request() -> None:
    session = session_with("Hi", gateway={"cost": "none", "cache": {"default_key": "k"}})
    ask_in(session, chat("HI", model=CLAUDE))

    fields = fields_of(ask_in(session, chat("hi", model=CLAUDE), headers={REQUEST: "true", RESPONSE: "true"}))[0]

    assert fields["cache_debug"]["cache_hit"]
    assert fields["raw_request"]["messages"] == chat("hi")["messages"]
    assert list(fields)[-3:] == ["raw_request", "raw_response", "cache_debug"]


HEADERS = {"OpenAI-Processing-Ms": "640", "Connection": "close", "Content-Type": "text/x", "X-Request-Id": "req_1"}


@STREAMS
@PROFILES
def test_headers_of_the_provider_are_handed_on(version: ProfileName, stream: bool) -> None:
    """In the head always; in the body of plain answers, where the profile has it, without those of the connection."""
    response = asked({"content": "Hi", "headers": HEADERS}, version=version, stream=stream)

    assert response.header("openai-processing-ms") == "640"
    assert [value for name, value in response.headers if name == "x-request-id"] == ["req_1"]
    assert response.header("content-type") in ("application/json", "text/event-stream")
    shown = [fields.get("provider_response_headers") for fields in fields_of(response)]
    told = {"openai-processing-ms": "640", "x-request-id": "req_1"}
    assert shown == ([None] * len(shown) if stream or version == "documented" else [told])


@PROFILES
def test_headers_of_the_connection_alone_are_none(version: ProfileName) -> None:
    (fields,) = fields_of(asked({"content": "Hi", "headers": {"Connection": "close"}}, version=version))

    assert "provider_response_headers" not in fields


@STREAMS
def test_raw_bytes_are_the_same_twice(stream: bool) -> None:
    one, other = [asked(headers={REQUEST: "true", RESPONSE: "true"}, stream=stream, model=CLAUDE) for _time in range(2)]

    assert one.body == other.body
    assert json.dumps(one.entry.to_json()["response"]) == json.dumps(other.entry.to_json()["response"])
