"""`extra_fields`: what the gateway adds about the way a request took."""

from dataclasses import dataclass

import pytest

from mockbifrost.wire.extra_fields import Route, answer_fields, error_fields, routing_info
from mockbifrost.wire.jsontypes import encode
from mockbifrost.wire.profiles import DOCUMENTED, V1_6, V2_2, Profile

ROUTE = Route("chat_completion", "openai", "gpt-4o", "gpt-4o", "key-1")
DEPLOYED = Route("chat_completion", "azure", "gpt-4o", "my-deployment", "key-1")
FALLEN = Route("chat_completion", "groq", "llama", "llama", "key-2", 1, "openai", "gpt-4o")


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    profile: Profile
    route: Route
    wanted: str


CASES = (
    Case(
        "documented",
        DOCUMENTED,
        ROUTE,
        '{"request_type":"chat_completion","provider":"openai","model_requested":"gpt-4o","latency":5,"chunk_index":3}',
    ),
    Case(
        "documented, a deployment",
        DOCUMENTED,
        DEPLOYED,
        '{"request_type":"chat_completion","provider":"azure","model_requested":"gpt-4o",'
        '"model_deployment":"my-deployment","latency":5,"chunk_index":3}',
    ),
    Case(
        "2.2, a deployment",
        V2_2,
        DEPLOYED,
        '{"request_type":"chat_completion","routing_info":{"provider":"azure","model":"gpt-4o","key":"key-1",'
        '"resolved_key_alias":{"model_id":"my-deployment"}},'
        '"provider":"azure","original_model_requested":"gpt-4o","resolved_model_used":"my-deployment","latency":5,'
        '"chunk_index":3}',
    ),
    Case(
        "1.6, a fallback",
        V1_6,
        FALLEN,
        '{"request_type":"chat_completion","routing_info":{"provider":"groq","model":"llama","key":"key-2",'
        '"is_fallback":true,"primary_provider":"openai","primary_model":"gpt-4o"},"provider":"groq",'
        '"original_model_requested":"llama","resolved_model_used":"llama","latency":5,"chunk_index":3}',
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_an_answer_says_who_served_it(case: Case) -> None:
    assert encode(answer_fields(case.profile, case.route, latency_ms=5, chunk_index=3)).decode() == case.wanted


def test_the_upstreams_latency_stands_beside_the_whole() -> None:
    fields = answer_fields(V2_2, ROUTE, latency_ms=5, upstream_latency=True)

    assert list(fields)[-3:] == ["latency", "upstream_latency", "chunk_index"]
    assert fields["upstream_latency"] == 5


def test_additions_come_last() -> None:
    fields = answer_fields(V2_2, ROUTE, latency_ms=5, additions={"cache_debug": {"cache_hit": False}})

    assert list(fields)[-2:] == ["chunk_index", "cache_debug"]


def test_the_primary_is_named_only_for_a_fallback() -> None:
    assert routing_info(Route("", "a", "b", "b", "c", 0, "x", "y")) == {"provider": "a", "model": "b", "key": "c"}
    assert routing_info(Route()) == {}


@pytest.mark.parametrize("profile", [DOCUMENTED, V1_6])
def test_an_error_before_a_request_was_understood_has_no_fields(profile: Profile) -> None:
    assert error_fields(profile, None, latency_ms=None, error_type="caller_model_unknown") == {}


def test_but_in_2_2_an_empty_routing_and_its_class() -> None:
    assert error_fields(V2_2, None, latency_ms=None, error_type="caller_model_unknown") == {
        "routing_info": {},
        "error_type": "caller_model_unknown",
    }
