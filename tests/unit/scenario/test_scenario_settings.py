"""What is wrong with settings of the gateway, told where they stand when the file is read: each text whole."""

from __future__ import annotations

import pytest

from mockbifrost.errors import ScenarioError
from mockbifrost.scenario.load import load_text
from tests.harness import ask_in, chat, session_with

FOREVER = "999999999999999Y"


def found(gateway: str) -> list[str]:
    """What is found in a section of one line; without the file, the line and `gateway.`."""
    with pytest.raises(ScenarioError) as caught:
        load_text(f"version: 1\ngateway: {gateway}\n", "a.yaml")
    return [str(finding).removeprefix("a.yaml:2:").replace(": gateway.", ": ", 1) for finding in caught.value.findings]


CASES = {
    "{fallbacks: {openai/x: [5]}}": '34: fallbacks["openai/x"][0]: must be provider/model, got the number 5; write it as in openai/gpt-4o',
    "{fallbacks: {openai/x: [groq]}}": "34: fallbacks[\"openai/x\"][0]: must be provider/model, got the text 'groq'; "
    "write it as in openai/gpt-4o",
    "{fallbacks: {openai/x: groq/y}}": "33: fallbacks[\"openai/x\"]: must be a list, got the text 'groq/y'",
    "{fallbacks: {opnai/x: [groq/y]}}": "23: fallbacks[\"opnai/x\"]: names the provider 'opnai', which is not configured; "
    "did you mean 'openai'?",
    "{fallbacks: {openai/x: [house/y]}}": "23: fallbacks[\"openai/x\"]: names the provider 'house', which is not configured; "
    "add it to `gateway.providers`, as in `house: {}`",
    "{fallbacks: {'*/x': [groq/y]}}": "23: fallbacks[\"*/x\"]: names the provider '*', which is not configured; "
    "only the model may be a glob: write an entry for each provider, as in openai/*",
    "{providers: {groq: {}}, pricing: {openai/x: {input: 1}}}": "44: pricing[\"openai/x\"]: names the provider 'openai', "
    "which is not configured; add it to `gateway.providers`, as in `openai: {}`",
    "{virtual_keys: {sk-bf-a: {providers: {opnai: []}}}}": "48: virtual_keys.sk-bf-a.providers.opnai: names the provider 'opnai', "
    "which is not configured; did you mean 'openai'?",
    "{virtual_keys: {sk-bf-a: {budgets: [{limit: -1}]}}}": "54: virtual_keys.sk-bf-a.budgets[0].limit: "
    "must be at least 0, got the number -1",
    "{virtual_keys: {sk-bf-a: {budgets: [{limit: 1, resets: 0}]}}}": "65: virtual_keys.sk-bf-a.budgets[0].resets: "
    "a budget can't reset all the time; write a duration above zero, as in 1d",
    "{virtual_keys: {sk-bf-a: {rate_limit: {requests: 0/1m}}}}": "59: virtual_keys.sk-bf-a.rate_limit.requests: "
    "'0/1m' lets nothing pass for ever; give it a number and a time above zero, as in 10/1m",
    "{virtual_keys: {sk-bf-a: {budget: {limit: 1}}}}": "36: virtual_keys.sk-bf-a.budget: unknown key 'budget'; did you mean 'budgets'?",
    "{virtual_keys: {sk-bf-a: {expires: '2026-01-32'}}}": "45: virtual_keys.sk-bf-a.expires: '2026-01-32' is no date and time; "
    'write it as in "2026-01-02T12:00:00Z"',
    "{providers: {openai: {keys: [{name: a}, {name: a}]}}}": "50: providers.openai.keys[1]: there are two keys named 'a'; "
    "give each a name of its own",
    "{providers: {openai: {keys: [{name: a, weight: 1e308}]}}}": "57: providers.openai.keys[0].weight: must be at most 100000, "
    "got the number 1e+308",
    "{providers: {openai: {keys: [{name: a, weight: -1}]}}}": "57: providers.openai.keys[0].weight: must be at least 0, got the number -1",
    "{providers: {openai: {max_retries: -1}}}": "45: providers.openai.max_retries: must be at least 0, got the number -1",
    "{providers: {openai: {timeout: 0}}}": "41: providers.openai.timeout: must be more than 0, got the number 0",
    "{providers: {openai: {retry_backoff: {initial: 6s}}}}": "57: providers.openai.retry_backoff.initial: "
    "`initial` is longer than `max`; raise `max`",
    "{cache: {threshold: 2}}": "30: cache.threshold: must be at most 1, got the number 2",
    "{cache: {similar: [[a, b]]}}": "29: cache.similar[0]: must be two texts and a similarity from 0 to 1, got a list; "
    'write ["refund please", "I want my money back", 0.93]',
    "{required_headers: [x a]}": "30: required_headers[0]: 'x a' can't be the name of a header",
    "{quirks: [no_role]}": "20: quirks[0]: 'no_role' is not the name of a quirk; did you mean 'no_role_delta'?",
}  # fmt: skip


@pytest.mark.parametrize(("gateway", "finding"), CASES.items())
def test_what_is_wrong_is_told_where_it_stands(gateway: str, finding: str) -> None:
    assert found(gateway) == [finding]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    "gateway",
    [
        {"providers": {"openai": {"keys": [{"name": "a", "weight": 1e5}, {"name": "b", "weight": 1e5}]}, "groq": {}}},
        {
            "providers": {
                "openai": {"keys": [{"name": "a", "weight": 0.001}, {"name": "b", "weight": 0.001}]},
                "groq": {},
            }
        },
        {
            "providers": {
                "openai": {"max_retries": 100, "retry_backoff": {"initial": FOREVER, "max": FOREVER}},
                "groq": {"timeout": "1ms", "stream_idle_timeout": "1ms"},
            }
        },
        {"providers": {"openai": {"max_retries": 100, "retry_backoff": {"initial": 0, "max": 0}}, "groq": {}}},
        {"virtual_keys": {"sk-bf-a": {"rate_limit": {"requests": f"999999999999999/{FOREVER}"}, "expires": FOREVER}}},
        {"pricing": {"openai/*": {"input": 1e12, "output": 1e-320}}, "cache": {"ttl": FOREVER, "default_key": "k"}},
    ],
    ids=["heavy keys", "light keys", "long waits", "no waits", "large limits", "dear and cheap"],
)
def test_no_setting_that_is_accepted_stops_an_answer(gateway: dict[str, object], stream: bool) -> None:
    session = session_with(
        {"when": {"user": "busy", "provider": "openai"}, "error": "rate_limited"}, "Hello", gateway=gateway
    )

    for text in ("hi", "busy"):
        response = ask_in(session, chat(text, stream=stream, fallbacks=["groq/x"]), headers={"x-bf-vk": "sk-bf-a"})
        assert (response.status, response.text) == (200, "Hello")


def test_a_header_that_is_required_twice_is_missed_once() -> None:
    response = ask_in(session_with("Hello", gateway={"required_headers": ["x-a", "X-A"]}), chat())

    assert response.error["message"] == "missing required headers: x-a"
