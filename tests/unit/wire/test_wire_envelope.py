"""The error envelope: its keys, its escapes, its status."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given

from mockbifrost.wire.envelope import WireError, error_json, error_mold, http_status
from mockbifrost.wire.extra_fields import Route
from mockbifrost.wire.profiles import DOCUMENTED, V1_6, V2_2, Profile
from tests.strategies import JSON, TEXTS

ROUTE = Route("chat_completion", "openai", "gpt-4o", "gpt-4o", "key-1")
FALLEN = Route("chat_completion", "groq", "llama", "llama", "key-2", 1, "openai", "gpt-4o")


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    error: WireError
    wanted: str
    profile: Profile = DOCUMENTED
    route: Route | None = None
    latency_ms: int | None = None


CASES = (
    Case("least", WireError("Oh"), '{"is_bifrost_error":false,"error":{"message":"Oh"},"extra_fields":{}}'),
    Case(
        "2.2 always has a routing",
        WireError("Oh"),
        '{"is_bifrost_error":false,"error":{"message":"Oh"},"extra_fields":{"routing_info":{}}}',
        V2_2,
    ),
    Case(
        "all of it, in order",
        WireError("Oh", 504, "outer", "inner", "code", {"a": 1}, "cause", "event", True, "class"),
        '{"event_id":"event","type":"outer","is_bifrost_error":true,"status_code":504,"error":{"error":"cause",'
        '"type":"inner","code":"code","message":"Oh","param":{"a":1},"event_id":"event"},"extra_fields":{'
        '"routing_info":{"provider":"openai","model":"gpt-4o","key":"key-1"},"provider":"openai",'
        '"original_model_requested":"gpt-4o","resolved_model_used":"gpt-4o","request_type":"chat_completion",'
        '"latency":7,"error_type":"class"}}',
        V2_2,
        ROUTE,
        7,
    ),
    Case(
        "1.6 has neither routing, latency nor class",
        WireError("Oh", 504, classification="class"),
        '{"is_bifrost_error":false,"status_code":504,"error":{"message":"Oh"},"extra_fields":{"provider":"openai",'
        '"original_model_requested":"gpt-4o","resolved_model_used":"gpt-4o","request_type":"chat_completion"}}',
        V1_6,
        ROUTE,
        7,
    ),
    Case(
        "documented names the model in its own way",
        WireError("Oh", 504),
        '{"is_bifrost_error":false,"status_code":504,"error":{"message":"Oh"},"extra_fields":{"provider":"openai",'
        '"model_requested":"gpt-4o","request_type":"chat_completion"}}',
        DOCUMENTED,
        ROUTE,
    ),
    Case(
        "a fallback that failed",
        WireError("Oh", 504),
        '{"is_bifrost_error":false,"status_code":504,"error":{"message":"Oh"},"extra_fields":{"routing_info":{'
        '"provider":"groq","model":"llama","key":"key-2","is_fallback":true,"primary_provider":"openai",'
        '"primary_model":"gpt-4o"},"provider":"groq","original_model_requested":"llama","resolved_model_used":"llama",'
        '"request_type":"chat_completion"}}',
        V2_2,
        FALLEN,
    ),
    Case(
        "signs of HTML are escaped inside error",
        WireError("<a> & <b>", type="<type>", error_type="a&b", cause="<cause>", param=[">"]),
        '{"type":"<type>","is_bifrost_error":false,"error":{"error":"\\u003ccause\\u003e","type":"a\\u0026b",'
        '"message":"\\u003ca\\u003e \\u0026 \\u003cb\\u003e","param":["\\u003e"]},"extra_fields":{}}',
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_an_error_has_the_gateways_keys_in_its_order(case: Case) -> None:
    found = error_json(case.profile, case.error, route=case.route, latency_ms=case.latency_ms)

    assert found.decode() == case.wanted


def test_only_error_is_escaped() -> None:
    found = error_json(V2_2, WireError("&"), route=Route("chat_completion", "a&b"))

    assert b'"message":"\\u0026"' in found
    assert b'"provider":"a&b"' in found


@given(TEXTS, TEXTS, JSON)
def test_escapes_change_no_meaning(message: str, cause: str, param: Any) -> None:
    found = json.loads(error_json(V2_2, WireError(message, cause=cause, param=param)))

    assert found["error"]["message"] == message
    assert found["error"]["error"] == cause
    assert found["error"].get("param") == param


def test_a_mold_of_an_error_has_no_holes() -> None:
    mold = error_mold(DOCUMENTED, WireError("Oh"))

    assert mold.fill([]) == error_json(DOCUMENTED, WireError("Oh"))


@dataclass(frozen=True, slots=True)
class Status:
    id: str
    profile: Profile
    error: WireError
    plain: int
    stream: int


@pytest.mark.parametrize(
    "case",
    [
        Status("its own", V1_6, WireError("", 429), 429, 429),
        Status("local, documented", DOCUMENTED, WireError(""), 400, 400),
        Status("local, 1.6", V1_6, WireError(""), 500, 500),
        Status("local, 2.2", V2_2, WireError(""), 400, 500),
        Status("transport, documented", DOCUMENTED, WireError("", is_bifrost_error=True), 500, 500),
        Status("transport, 1.6", V1_6, WireError("", is_bifrost_error=True), 500, 500),
        Status("transport, 2.2", V2_2, WireError("", is_bifrost_error=True), 500, 500),
    ],
    ids=lambda case: case.id,
)
def test_an_error_without_a_status_gets_the_profiles(case: Status) -> None:
    assert http_status(case.profile, case.error, stream=False) == case.plain
    assert http_status(case.profile, case.error, stream=True) == case.stream
