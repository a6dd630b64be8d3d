"""One test for each row of the table of profiles, wire.md 0.1, each through a whole scenario."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from mockbifrost.wire.profiles import PROFILES, ProfileName
from tests.harness import PROFILE_NAMES, Response, ask, ask_in, chat, open_session, stubs

TEXT = stubs("- reply: Hello")
CALL = stubs("- reply: {tool_calls: [{f: {}}]}")
PRICED_REPLY = "- reply: {content: Hi, usage: {prompt_tokens: 2, completion_tokens: 1}}"


def plain(version: ProfileName, scenario: str = TEXT, **more: Any) -> Response:
    return ask(scenario, chat(**more), version=version)


def stream(version: ProfileName, scenario: str = TEXT, **more: Any) -> Response:
    return ask(scenario, chat(stream=True, **more), version=version)


def error(version: ProfileName, name: str, **more: Any) -> Response:
    return ask(stubs(f"- gateway_error: {name}"), chat(**more), version=version)


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    shows: Callable[[ProfileName], Any]
    documented: Any
    v1_6: Any
    v2_2: Any

    def wanted(self, version: ProfileName) -> Any:
        return {"documented": self.documented, "1.6": self.v1_6, "2.2": self.v2_2}[version]


def answer_fields(version: ProfileName) -> list[str]:
    return list(plain(version).json()["extra_fields"])


def logprobs_without_asking(version: ProfileName) -> dict[str, Any]:
    (choice,) = plain(version).json()["choices"]
    return {key: value for key, value in choice.items() if key in ("logprobs", "log_probs")}


def names_of_logprobs(version: ProfileName) -> list[str]:
    (choice,) = plain(version, logprobs=True).json()["choices"]
    return [key for key in choice if key in ("logprobs", "log_probs")]


def finish_reason_on_the_way(version: ProfileName) -> list[Any]:
    return [chunk["choices"][0].get("finish_reason", "left out") for chunk in stream(version).chunks]


def roles(version: ProfileName) -> list[dict[str, Any]]:
    return [delta for delta in stream(version).deltas() if "role" in delta]


def role_with_content(version: ProfileName) -> list[dict[str, Any]]:
    scenario = stubs("- reply: {chunks: [{role: assistant, content: Hi}]}")
    return [delta for delta in stream(version, scenario).deltas() if "role" in delta]


def last_byte(version: ProfileName) -> bytes:
    return plain(version).body[-1:]


def upstream_latency(version: ProfileName) -> list[bool]:
    """Of a plain answer, of a chunk on the way, of the last chunk."""
    chunks = stream(version).chunks
    return ["upstream_latency" in body["extra_fields"] for body in (plain(version).json(), chunks[0], chunks[-1])]


def continuation(version: ProfileName) -> dict[str, Any]:
    calls = [call for delta in stream(version, CALL).deltas() for call in delta.get("tool_calls", ())]
    found: dict[str, Any] = calls[1]["function"]
    return found


def ids(version: ProfileName) -> list[str]:
    names = ("x-request-id", "x-bifrost-trace-id")
    return [name for name in names if plain(version).header(name) and error(version, "no_keys").header(name)]


def allowed_origin(version: ProfileName) -> list[str | None]:
    """Without an Origin: of a plain answer, of a stream, of an error."""
    responses = (plain(version), stream(version), error(version, "no_keys"))
    return [response.header("access-control-allow-origin") for response in responses]


def which_errors_fall_back(version: ProfileName) -> list[int]:
    scenario = stubs("- {when: {provider: openai, user: x}, error: %s}\n- {when: {provider: groq}, reply: ok}")
    names = ("bad_request", "unauthorized", "rate_limited", "server_error")
    asked = chat("x", fallbacks=["groq/llama"])
    return [ask(scenario % name, asked, version=version).status for name in names]


def cost(version: ProfileName) -> Any:
    """Of two tokens asked and one said, one dollar each, plain and on the last chunk of a stream: the same."""
    scenario = stubs(PRICED_REPLY, before="gateway: {pricing: {openai/gpt-4o: {input: 1000000, output: 1000000}}}")
    found = [
        response["usage"].get("cost")
        for response in (plain(version, scenario).json(), stream(version, scenario).chunks[-1])
    ]
    assert found[0] == found[1]
    return found[0]


def cost_without_a_price(version: ProfileName) -> bool:
    return "cost" in plain(version, model="gpt-nobody-knows").json()["usage"]


def cost_that_a_provider_reports(version: ProfileName) -> Any:
    return plain(version, stubs("- reply: {content: Hi, cost: 0.5}")).json()["usage"].get("cost")


def usage(version: ProfileName) -> dict[str, Any]:
    counts = "{prompt_tokens: 3, prompt_tokens_details: {cached_tokens: 2}, completion_tokens: 0}"
    scenario = stubs(f"- reply: {{content: Hi, usage: {counts}}}", before="gateway: {cost: none}")
    found: dict[str, Any] = plain(version, scenario).json()["usage"]
    return found


def cache_debug(version: ProfileName) -> list[list[str]]:
    """Without a cache key, of a miss, of a hit: its keys in their order."""
    session = open_session(TEXT, version=version)
    keyless = ask_in(session, chat("x"))
    asked = [keyless, *[ask_in(session, chat(), headers={"x-bf-cache-key": "k"}) for _time in range(2)]]
    return [list(response.json()["extra_fields"].get("cache_debug", ())) for response in asked]


def local_error(version: ProfileName) -> list[int]:
    """Without a status of its own: plain, and for a stream that has not begun."""
    return [error(version, "no_keys").status, error(version, "no_keys", stream=True).status]


def bifrost_headers(version: ProfileName) -> list[str]:
    return [name for name, _value in plain(version).headers if name.startswith("x-bifrost-") and "trace" not in name]


def security_headers(version: ProfileName) -> bool:
    return plain(version).header("x-frame-options") == "DENY"


def reasoning_twice(version: ProfileName) -> bool:
    return "reasoning_content" in plain(version, stubs("- reply: {reasoning: Hm}")).message


def refusals_in_streams(version: ProfileName) -> str:
    return "".join(delta.get("refusal", "") for delta in stream(version, stubs("- reply: {refusal: Never}")).deltas())


def error_fields(version: ProfileName) -> list[str]:
    return list(error(version, "budget_exceeded").json()["extra_fields"])


def invalid_json(version: ProfileName) -> tuple[int, str | None]:
    response = ask(TEXT, b"{", version=version)
    return response.status, response.header("connection")


NAMES = ["x-bifrost-provider", "x-bifrost-original-model", "x-bifrost-resolved-model", "x-bifrost-request-type"]
ROUTING = [f"x-bifrost-routing-info-{name}" for name in ("provider", "model", "key")] + [
    "x-bifrost-upstream-latency-ms"
]
ROLE: Mapping[str, Any] = {"role": "assistant", "content": ""}
TWINS = {"prompt_tokens": 3, "prompt_tokens_details": {"cached_read_tokens": 2, "cached_tokens": 2}, "total_tokens": 3}
NEWEST = {
    **TWINS,
    "prompt_tokens_details": {"cached_read_tokens": 2, "cached_tokens": 2, "cache_write_tokens": 0},
}
NULL_NAME = {"name": None, "arguments": "{}"}
ROUTED = ["request_type", "routing_info", "provider", "original_model_requested", "resolved_model_used", "latency"]
MODELS = ["provider", "original_model_requested", "resolved_model_used", "request_type"]
MISS = ["cache_hit", "cache_id"]
HIT = [*MISS, "hit_type", "requested_provider", "requested_model"]
ROWS = (
    Row(
        "extra_fields",
        answer_fields,
        ["request_type", "provider", "model_requested", "latency", "chunk_index"],
        [*ROUTED, "upstream_latency", "chunk_index"],
        [*ROUTED, "upstream_latency", "chunk_index"],
    ),
    Row("logprobs where none are", logprobs_without_asking, {"logprobs": None}, {}, {"logprobs": None}),
    Row("log_probs beside logprobs", names_of_logprobs, ["logprobs", "log_probs"], ["logprobs"], ["logprobs"]),
    Row(
        "finish_reason on middle chunks",
        finish_reason_on_the_way,
        [None, None, "stop"],
        ["left out", "stop"],
        [None, None, "stop"],
    ),
    Row("the role-only first chunk", roles, [ROLE], [], [ROLE]),
    Row("a role with content", role_with_content, *[[{"role": "assistant", "content": "Hi"}]] * 3),
    Row("a line end after a plain body", last_byte, b"}", b"}", b"\n"),
    Row("upstream_latency", upstream_latency, [False, False, False], [True, False, False], [True, False, True]),
    Row("continuation of a tool call", continuation, {"arguments": "{}"}, NULL_NAME, NULL_NAME),
    Row("request id headers", ids, [], [], ["x-request-id", "x-bifrost-trace-id"]),
    Row("Access-Control-Allow-Origin", allowed_origin, [None, "*", None], [None, "*", None], ["", "", ""]),
    Row("which errors fall back", which_errors_fall_back, *[[200, 200, 200, 200]] * 3),
    Row(
        "usage.cost",
        cost,
        {"input_tokens_cost": 2.0, "output_tokens_cost": 1.0, "total_cost": 3.0},
        None,
        {
            "input_cost": 2.0,
            "input_cost_details": {"text_cost": 2.0},
            "output_cost": 1.0,
            "output_cost_details": {"text_cost": 1.0},
            "total_cost": 3.0,
        },
    ),
    Row("usage.cost without a price", cost_without_a_price, *[False] * 3),
    Row("usage.cost that a provider reports", cost_that_a_provider_reports, *[{"total_cost": 0.5}] * 3),
    Row("usage", usage, {**TWINS, "completion_tokens": 0}, TWINS, NEWEST),
    Row("cache_debug", cache_debug, [[], MISS, HIT], [[], MISS, HIT], [[], MISS, [*HIT, "cache_hit_latency"]]),
    Row("a local error without a status", local_error, [400, 400], [500, 500], [400, 500]),
    Row("x-bifrost headers", bifrost_headers, NAMES, NAMES, [*NAMES, *ROUTING]),
    Row("security headers", security_headers, False, False, True),
    Row("reasoning_content", reasoning_twice, False, False, True),
    Row("refusals in streams", refusals_in_streams, "Never", "", "Never"),
    Row(
        "extra_fields of an error",
        error_fields,
        ["provider", "model_requested", "request_type"],
        MODELS,
        ["routing_info", *MODELS, "latency", "error_type"],
    ),
    Row("invalid JSON", invalid_json, (400, "close"), (500, None), (400, "close")),
)


@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_profile_does_as_its_column_says(row: Row, version: ProfileName) -> None:
    assert row.shows(version) == row.wanted(version)


def test_the_documented_profile_is_the_default() -> None:
    assert ask(TEXT, chat()).body == plain("documented").body


def test_a_scenario_chooses_and_the_caller_beats_it() -> None:
    scenario = stubs("- reply: Hello", before='gateway: {version: "2.2"}')

    assert ask(scenario, chat()).body == plain("2.2").body
    assert ask(scenario, chat(), version="1.6").body == plain("1.6").body


def test_a_profile_is_known_by_its_name() -> None:
    assert [name for name, profile in PROFILES.items() if profile.name == name] == list(PROFILE_NAMES)
