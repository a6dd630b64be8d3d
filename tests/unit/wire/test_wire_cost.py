"""`usage.cost` in the shape of each profile."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mockbifrost.wire.cost import Parts, cost_json, reported_json
from mockbifrost.wire.jsontypes import Json, encode
from mockbifrost.wire.profiles import DOCUMENTED, PROFILES, V1_6, V2_2, Profile
from tests.golden.openapi import ROOT

AMOUNTS = st.sampled_from([0.0, 0.1, 0.2]) | st.floats(0, 1000)
PARTS: st.SearchStrategy[Parts] = st.builds(Parts, **{field.name: AMOUNTS for field in fields(Parts)})
EVERY = st.sampled_from(list(PROFILES.values()))

FLAT = {
    "input_tokens_cost",
    "output_tokens_cost",
    "reasoning_tokens_cost",
    "citation_tokens_cost",
    "search_queries_cost",
    "request_cost",
    "total_cost",
}


def values_of(parts: Parts) -> list[float]:
    return [getattr(parts, field.name) for field in fields(parts)]


@given(PARTS)
def test_the_total_is_the_sum_of_the_parts_in_their_order(parts: Parts) -> None:
    a, b, c, d, e, request, f, g, h, reasoning, citation, search = values_of(parts)

    assert parts.total == (((((a + b) + c) + d) + e) + request) + (((((f + g) + h) + reasoning) + citation) + search)


@given(EVERY, PARTS)
def test_the_total_is_always_there_and_else_nothing_is_zero(profile: Profile, parts: Parts) -> None:
    found = cost_json(profile, parts)

    assert found.pop("total_cost") == parts.total
    assert all(found.values())
    assert all(all(details.values()) for details in found.values() if isinstance(details, dict))


@given(st.sampled_from([DOCUMENTED, V1_6]), PARTS)
def test_the_flat_keys_add_up_to_the_total(profile: Profile, parts: Parts) -> None:
    found: dict[str, Any] = cost_json(profile, parts)

    assert set(found) <= FLAT
    assert sum([amount for key, amount in found.items() if key != "total_cost"]) == pytest.approx(found["total_cost"])


@given(PARTS)
def test_the_nested_details_add_up_to_their_cost_and_the_costs_to_the_total(parts: Parts) -> None:
    found: dict[str, Any] = cost_json(V2_2, parts)

    for side in ("input", "output"):
        details = found.get(f"{side}_cost_details", {})
        assert sum(details.values()) == pytest.approx(found.get(f"{side}_cost", 0.0))
    assert found.get("input_cost", 0.0) + found.get("output_cost", 0.0) == found["total_cost"]


@pytest.mark.skipif(not ROOT.is_dir(), reason="the OpenAPI files lie only beside the project's own checkout")
@given(st.sampled_from([DOCUMENTED, V1_6]), PARTS)
def test_the_flat_shape_is_as_documented(profile: Profile, parts: Parts) -> None:
    schema = yaml.safe_load((ROOT / "schemas" / "inference" / "usage.yaml").read_text(encoding="utf-8"))["BifrostCost"]
    found = cost_json(profile, parts)

    assert list(Draft202012Validator(schema).iter_errors(found)) == []
    assert set(found) <= set(schema["properties"]) == FLAT


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    parts: Parts
    flat: str
    nested: str


CASES = (
    Case("nothing", Parts(), '{"total_cost":0.0}', '{"total_cost":0.0}'),
    Case(
        "tokens",
        Parts(text_input=0.5, text_output=0.25),
        '{"input_tokens_cost":0.5,"output_tokens_cost":0.25,"total_cost":0.75}',
        '{"input_cost":0.5,"input_cost_details":{"text_cost":0.5},'
        '"output_cost":0.25,"output_cost_details":{"text_cost":0.25},"total_cost":0.75}',
    ),
    Case(
        "everything",
        Parts(1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0),
        '{"input_tokens_cost":31.0,"output_tokens_cost":448.0,"reasoning_tokens_cost":512.0,"citation_tokens_cost":1024.0,'
        '"search_queries_cost":2048.0,"request_cost":32.0,"total_cost":4095.0}',
        '{"input_cost":63.0,"input_cost_details":{"text_cost":1.0,"audio_cost":2.0,"image_cost":4.0,"cached_read_cost":8.0,'
        '"cached_write_cost":16.0,"request_cost":32.0},"output_cost":4032.0,"output_cost_details":{"text_cost":64.0,'
        '"audio_cost":128.0,"image_cost":256.0,"reasoning_cost":512.0,"citation_cost":1024.0,"search_queries_cost":2048.0},'
        '"total_cost":4095.0}',
    ),
    Case(
        "unrounded",
        Parts(text_input=0.1, text_output=0.2),
        '{"input_tokens_cost":0.1,"output_tokens_cost":0.2,"total_cost":0.30000000000000004}',
        '{"input_cost":0.1,"input_cost_details":{"text_cost":0.1},'
        '"output_cost":0.2,"output_cost_details":{"text_cost":0.2},"total_cost":0.30000000000000004}',
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_cost_on_the_wire(case: Case) -> None:
    assert encode(cost_json(DOCUMENTED, case.parts)).decode() == case.flat
    assert encode(cost_json(V1_6, case.parts)).decode() == case.flat
    assert encode(cost_json(V2_2, case.parts)).decode() == case.nested


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_what_the_provider_reports_is_an_object_in_any_case(profile: Profile) -> None:
    parts: Mapping[str, Json] = {"total_cost": 0.5, "surcharge": [1]}

    assert reported_json(0.0625688) == {"total_cost": 0.0625688}
    assert reported_json(0) == {"total_cost": 0}
    assert reported_json(parts) == parts
