"""Failures of providers and refusals of the gateway as clients see them: statuses, words, shapes, headers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from mockbifrost.gateway.failures import classify
from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS
from mockbifrost.vocabulary.gateway_errors import GATEWAY_ERRORS
from mockbifrost.wire.profiles import ProfileName
from tests.harness import PROFILE_NAMES, ask, chat, stubs


def error(written: str, version: ProfileName = "documented", **more: Any) -> Any:
    return ask(stubs(f"- error: {written}"), chat(**more), version=version)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", PROVIDER_ERRORS)
def test_a_named_error_says_what_its_row_says(name: str, stream: bool) -> None:
    """A stream that fails before its first chunk is an ordinary error: status and JSON."""
    row = PROVIDER_ERRORS[name]

    response = error(name, stream=stream)

    wanted = {
        "type": row.type,
        "code": row.code,
        "message": row.message.replace("{model}", "gpt-4o"),
        "param": row.param,
    }
    assert response.status == response.json()["status_code"] == row.status
    assert response.error == {key: value for key, value in wanted.items() if value is not None}
    assert response.header("content-type") == "application/json"
    assert not response.json()["is_bifrost_error"]


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    written: str
    wanted: Mapping[str, Any]
    status: int = 503


CASES = (
    Case("a status alone", "{status: 503}", {"message": "The provider failed with status 503."}),
    Case(
        "all of it",
        "{status: 418, type: t, code: c, message: m, param: [1]}",
        {"type": "t", "code": "c", "message": "m", "param": [1]},
        418,
    ),
    Case(
        "a name with another message",
        "{name: unavailable, message: Later.}",
        {"type": "server_error", "message": "Later."},
    ),
    Case(
        "a name without its type",
        "{name: rate_limited, type: null, message: m, status: 503}",
        {"code": "rate_limit_exceeded", "message": "m"},
    ),
    Case("the model", "{status: 503, message: 'no {model} here'}", {"message": "no gpt-4o here"}),
    Case("a template", "{status: 503, message: 'no {{ model }} for {{ user }}'}", {"message": "no gpt-4o for hi"}),
    Case("html", "{status: 503, shape: html}", {"message": "HTML response received from provider"}),
    Case("plain text", "{status: 503, shape: plain_text, message: Oh}", {"message": "provider API error: Oh"}),
    Case("a text in JSON", "{status: 503, shape: string, message: Oh}", {"message": "Oh"}),
    Case("nothing, 503", "{status: 503, shape: empty}", {"message": "provider server error (503)"}),
    Case(
        "nothing, 401",
        "{name: unauthorized, shape: empty}",
        {"message": "authentication failed: unauthorized (401) - check your API key"},
        401,
    ),
    Case(
        "nothing, 403",
        "{status: 403, shape: empty}",
        {"message": "access forbidden (403) - your API key may not have permission for this operation"},
        403,
    ),
    Case("nothing, 404", "{status: 404, shape: empty}", {"message": "resource not found (404)"}, 404),
    Case("nothing, 429", "{status: 429, shape: empty}", {"message": "rate limit exceeded (429)"}, 429),
    Case(
        "nothing, 418",
        "{status: 418, shape: empty}",
        {"message": "empty response received from provider (HTTP 418)"},
        418,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_written_error_is_handed_on(case: Case) -> None:
    response = error(case.written)

    assert (response.status, response.error) == (case.status, case.wanted)


@pytest.mark.parametrize(
    ("status", "code", "wanted"),
    [
        (400, None, "caller_invalid_request"),
        (404, "model_not_found", "caller_model_not_available"),
        (401, None, "provider_auth_failed"),
        (403, None, "provider_auth_failed"),
        (402, None, "provider_billing"),
        (429, "insufficient_quota", "provider_billing"),
        (429, "rate_limit_exceeded", "provider_rate_limited"),
        (408, None, "provider_timeout"),
        (504, "504", "provider_timeout"),
        (503, None, "provider_overloaded"),
        (529, None, "provider_overloaded"),
        (500, None, "provider_server_error"),
        (502, "502", "provider_server_error"),
    ],
)
def test_2_2_classifies_a_failure(status: int, code: str | None, wanted: str) -> None:
    assert classify(status, code) == wanted

    written = f"{{status: {status}, code: {f'{code!r}' if code else 'null'}}}"
    assert error(written, "2.2").json()["extra_fields"]["error_type"] == wanted
    assert "error_type" not in error(written, "1.6").json()["extra_fields"]


@pytest.mark.parametrize(
    ("written", "headers"),
    [
        pytest.param("2s", {"retry-after": "2"}, id="seconds"),
        pytest.param("0s", {"retry-after": "0"}, id="none"),
        pytest.param("1m", {"retry-after": "60"}, id="a minute"),
        pytest.param("1.5s", {"retry-after": "2", "retry-after-ms": "1500"}, id="a fraction"),
        pytest.param("20ms", {"retry-after": "1", "retry-after-ms": "20"}, id="milliseconds"),
    ],
)
@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_retry_after_is_handed_on(version: ProfileName, written: str, headers: Mapping[str, str]) -> None:
    response = error(f"{{name: rate_limited, retry_after: {written}}}", version)

    assert {name: value for name, value in response.headers if name.startswith("retry-after")} == headers


def test_headers_of_a_failing_provider_are_handed_on_but_for_the_connections_own() -> None:
    response = error("{status: 503, headers: {X-Trace: 'for {{ user }}', Connection: close, Date: now}}")

    assert response.header("x-trace") == "for hi"
    assert (response.header("connection"), response.header("date")) == (None, None)


@pytest.mark.parametrize("behaviour", ["error: {status: 503, headers", "reply: {content: x, headers"])
@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_the_request_id_of_a_provider_beats_the_gateways(version: ProfileName, behaviour: str) -> None:
    response = ask(stubs(f"- {behaviour}: {{X-Request-Id: req_1}}}}"), chat(), version=version)

    assert [value for name, value in response.headers if name == "x-request-id"] == ["req_1"]


def test_a_retry_after_may_be_a_date() -> None:
    response = error("{status: 429, headers: {Retry-After: 'Thu, 01 Jan 2026 00:00:10 GMT'}}")

    assert response.header("retry-after") == "Thu, 01 Jan 2026 00:00:10 GMT"


@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("name", GATEWAY_ERRORS)
def test_a_gateway_error_has_no_place_left_open(name: str, version: ProfileName) -> None:
    response = ask(stubs(f"- gateway_error: {name}"), chat(), version=version)

    text = response.body.decode()
    assert "{cause}" not in text
    assert "{" not in response.error["message"]
    assert response.status == response.json().get("status_code", response.status) >= 400


@dataclass(frozen=True, slots=True)
class Refused:
    id: str
    written: str
    version: ProfileName
    status: int
    body: Mapping[str, Any]


REFUSED = (
    Refused(
        "a policy",
        "model_blocked",
        "2.2",
        403,
        {
            "type": "model_blocked",
            "is_bifrost_error": False,
            "status_code": 403,
            "error": {"message": "Model 'gpt-4o' is not allowed for this virtual key"},
        },
    ),
    Refused(
        "older words",
        "virtual_key_inactive",
        "1.6",
        403,
        {
            "type": "virtual_key_blocked",
            "is_bifrost_error": False,
            "status_code": 403,
            "error": {"message": "Virtual key is inactive"},
        },
    ),
    Refused(
        "newer words",
        "virtual_key_inactive",
        "documented",
        403,
        {
            "type": "access_blocked",
            "is_bifrost_error": False,
            "status_code": 403,
            "error": {"message": "virtual key is inactive"},
        },
    ),
    Refused(
        "a local one, older",
        "no_keys",
        "1.6",
        500,
        {
            "is_bifrost_error": False,
            "error": {
                "error": "no keys found for provider: openai and model: gpt-4o",
                "message": "no keys found for provider: openai and model: gpt-4o",
            },
        },
    ),
    Refused(
        "the transport, older",
        "connection_failed",
        "1.6",
        500,
        {
            "is_bifrost_error": True,
            "error": {
                "error": "connection refused",
                "message": "network error occurred while connecting to provider API "
                "(DNS lookup, connection refused, etc.)",
            },
        },
    ),
    Refused(
        "written out",
        "{message: No., status: 451, type: outer, error_type: inner, code: c}",
        "documented",
        451,
        {
            "type": "outer",
            "is_bifrost_error": False,
            "status_code": 451,
            "error": {"type": "inner", "code": "c", "message": "No."},
        },
    ),
    Refused(
        "laid over a name",
        "{name: budget_exceeded, message: Spent., type: null, status: null}",
        "1.6",
        500,
        {"is_bifrost_error": False, "error": {"message": "Spent."}},
    ),
)


def test_the_message_of_a_refusal_is_a_template() -> None:
    response = ask(stubs("- gateway_error: {message: 'no {{ model }} for {{ user }}, {provider}'}"), chat("<me>"))

    assert response.error == {"message": "no gpt-4o for <me>, {provider}"}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_a_refusal_of_the_gateway_by_profile(case: Refused) -> None:
    response = ask(stubs(f"- gateway_error: {case.written}"), chat(), version=case.version)

    body = response.json()
    del body["extra_fields"]
    assert (response.status, body) == (case.status, case.body)


def test_a_failure_comes_after_the_ttft() -> None:
    response = ask(stubs("- {error: overloaded, pace: {ttft: 250ms}}"), chat(), version="2.2")

    assert response.json()["extra_fields"]["latency"] == 250
    assert response.exchange.outcome.cast.times_s == (0.25,)


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://example.org"])
def test_errors_follow_the_rules_of_cors_too(origin: str) -> None:
    response = ask(stubs("- error: overloaded"), chat(), headers={"origin": origin}, version="2.2")

    allowed = origin.startswith("http://localhost")
    assert response.header("access-control-allow-origin") == (origin if allowed else "")
    assert response.header("access-control-allow-credentials") == ("true" if allowed else None)
