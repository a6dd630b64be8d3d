"""`usage` in each profile: what is left out, what is said twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from mockbifrost.wire.jsontypes import encode
from mockbifrost.wire.mold import Mold, Slot
from mockbifrost.wire.profiles import DOCUMENTED, PROFILES, V1_6, V2_2, Profile
from mockbifrost.wire.usage import Usage, usage_json


def text_of(profile: Profile, usage: Usage | None) -> str:
    return encode(usage_json(profile, usage)).decode()


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    usage: Usage | None
    wanted: Mapping[str, str] = field(default_factory=dict)


CASES = (
    Case(
        "counts",
        Usage(12, 8, 20),
        dict.fromkeys(PROFILES, '{"prompt_tokens":12,"completion_tokens":8,"total_tokens":20}'),
    ),
    Case(
        "zeros",
        Usage(0, 0, 0),
        {
            "documented": '{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}',
            "1.6": '{"total_tokens":0}',
            "2.2": '{"total_tokens":0}',
        },
    ),
    Case(
        "the provider sent none",
        None,
        {
            "documented": '{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}',
            "1.6": '{"total_tokens":0}',
            "2.2": '{"total_tokens":0}',
        },
    ),
    Case(
        "empty details",
        Usage(1, 1, 2, {}, {}),
        {
            "documented": '{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens":1,'
            '"completion_tokens_details":{},"total_tokens":2}',
            "1.6": '{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens":1,'
            '"completion_tokens_details":{},"total_tokens":2}',
            "2.2": '{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},'
            '"completion_tokens":1,"completion_tokens_details":{},"total_tokens":2}',
        },
    ),
)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_each_profile_leaves_out_what_it_leaves_out(case: Case, profile: Profile) -> None:
    assert text_of(profile, case.usage) == case.wanted[profile.name]


@dataclass(frozen=True, slots=True)
class Details:
    id: str
    profile: Profile
    given: Mapping[str, Any]
    wanted: Mapping[str, Any]


@pytest.mark.parametrize(
    "case",
    [
        Details("read", DOCUMENTED, {"cached_tokens": 8}, {"cached_read_tokens": 8, "cached_tokens": 8}),
        Details(
            "reads and writes are one number in 1.6",
            V1_6,
            {"cached_tokens": 8, "cached_write_tokens": 3},
            {"cached_read_tokens": 8, "cached_write_tokens": 3, "cached_tokens": 11},
        ),
        Details(
            "and two in 2.2",
            V2_2,
            {"cached_read_tokens": 8, "cache_write_tokens": 3},
            {"cached_read_tokens": 8, "cached_write_tokens": 3, "cached_tokens": 8, "cache_write_tokens": 3},
        ),
        Details(
            "the order of the gateway's types",
            DOCUMENTED,
            {"image_tokens": 3, "audio_tokens": 2, "text_tokens": 1, "cached_tokens": 0},
            {"text_tokens": 1, "audio_tokens": 2, "image_tokens": 3, "cached_tokens": 0},
        ),
        Details(
            "its own name beats the provider's",
            DOCUMENTED,
            {"cached_tokens": 1, "cached_read_tokens": 2},
            {"cached_read_tokens": 2, "cached_tokens": 2},
        ),
    ],
    ids=lambda case: case.id,
)
def test_cached_tokens_are_said_in_both_names(case: Details) -> None:
    found = usage_json(case.profile, Usage(1, 1, 2, case.given))["prompt_tokens_details"]

    assert encode(found) == encode(dict(case.wanted))


def test_details_of_the_completion_stand_in_order_without_zeros() -> None:
    given = {"reasoning_tokens": 5, "audio_tokens": 0, "text_tokens": 1}

    found = usage_json(DOCUMENTED, Usage(1, 6, 7, None, given))

    assert encode(found["completion_tokens_details"]) == b'{"text_tokens":1,"reasoning_tokens":5}'


def test_further_counts_and_the_cost_come_last() -> None:
    found = usage_json(V2_2, Usage(1, 1, 2, extra={"search_units": 3}), cost={"total_cost": 0.5})

    assert encode(found) == (
        b'{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,"search_units":3,"cost":{"total_cost":0.5}}'
    )


def test_what_was_counted_here_goes_into_holes() -> None:
    """So the rest of the answer is encoded once for all prompts."""
    mold = Mold.of(encode(usage_json(V2_2, Usage(1, 8, 1, computed=True))))

    assert mold.slots == (Slot.PROMPT_TOKENS, Slot.TOTAL_TOKENS)
    assert mold.fill([b"", b"", b"12", b"20"]) == b'{"prompt_tokens":12,"completion_tokens":8,"total_tokens":20}'
