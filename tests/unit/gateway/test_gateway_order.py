"""In which order a request is checked, what ends it, and what a fallback mends: whole scenarios.

Source: scenario-language.md, "Which stub answers"; gateway-behaviour.md 1.2, 1.3 and 4.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from mockbifrost.gateway.configuration import VirtualKey
from mockbifrost.session.session import Session
from mockbifrost.wire.profiles import ProfileName
from tests.harness import PROFILE_NAMES, Response, ask_in, chat, session_with

KEY = "sk-bf-a"
ANSWER = {"name": "answer", "reply": "Hello."}
BY_GROQ = {"name": "by groq", "when": {"provider": "groq"}, "reply": "By groq."}
FALLBACK = ["groq/llama"]


def trail(response: Response) -> list[tuple[str, str, int]]:
    """Where each attempt went, how it ended, its status."""
    return [(one.provider, one.outcome, one.status) for one in response.exchange.outcome.trail]


def type_of(response: Response) -> Any:
    """The name of an error: at the top where the gateway refuses, else inside, else its message."""
    body = response.json()
    return body.get("type") or body["error"].get("type") or body["error"]["message"]


class Obstacles:
    """A request that everything stands against, in the order in which it is checked; `mend` takes the first away."""

    def __init__(self, version: ProfileName) -> None:
        self.version = version
        self.headers: dict[str, str] = {}
        self.body = chat(temperature=3)
        self.key: dict[str, Any] = {
            "name": "a",
            "active": False,
            "expires": "1s",
            "providers": {"anthropic": ["*"]},
            "rate_limit": {"requests": "1/1m"},
            "budgets": [{"limit": 0}],
        }
        self.settings: dict[str, Any] = {
            "required_headers": ["x-team"],
            "require_virtual_key": True,
            "providers": {"openai": {"keys": [{"name": "main", "models": ["gpt-5"]}]}, "groq": {}},
        }
        self.stub: dict[str, Any] = {"gateway_error": "shutting_down"}

    def ask(self, **more: Any) -> Response:
        """Two seconds into a session in which the virtual key was used once."""
        settings = {**self.settings, "virtual_keys": {KEY: self.key}}
        session = session_with(self.stub, BY_GROQ, version=self.version, gateway=settings)
        session.clock.advance(2)
        used = use_key(session)
        session.gateway_state.limits.charge(used, tokens=10, dollars=0.5, now_s=1)
        return ask_in(session, {**self.body, **more}, headers=self.headers)


def use_key(session: Session) -> VirtualKey:
    assert session.gateway.virtual_keys is not None
    return session.gateway.virtual_keys[KEY]


BLOCKED: Mapping[ProfileName, str] = {
    "documented": "access_blocked",
    "1.6": "virtual_key_blocked",
    "2.2": "access_blocked",
}


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_what_stands_against_a_request_is_found_in_this_order(version: ProfileName) -> None:
    case = Obstacles(version)

    def found(status: int | None, type: str) -> None:
        response = case.ask()
        assert (type_of(response)) == type
        assert status in (response.status, None)

    found(400, "missing_required_headers")
    case.headers["x-team"] = "t"
    found(401, "virtual_key_required")
    case.headers["x-bf-vk"] = "sk-bf-unknown"
    found(401, "virtual_key_not_found")
    case.headers["x-bf-vk"] = KEY
    found(None, "provider is shutting down")  # a peek at the stub: the gateway itself refuses, whatever the key may do
    case.stub = {"raw": {"status": 418, "json": {"type": "written out"}}}
    found(418, "written out")
    case.stub = {"reply": "Stored.", "cache": "hit"}
    found(403, BLOCKED[version])
    assert "inactive" in case.ask().error["message"].lower()
    case.key["active"] = True
    found(403, BLOCKED[version])
    assert "expired" in case.ask().error["message"].lower()
    del case.key["expires"]
    found(403, "provider_blocked")
    case.key["providers"] = {"openai": ["gpt-5"]}
    found(403, "model_blocked")
    del case.key["providers"]
    found(429, "request_limited")
    del case.key["rate_limit"]
    found(402, "budget_exceeded")
    del case.key["budgets"]
    assert case.ask().text == "Stored."  # a hit asks neither for a key nor whether the provider takes the request
    case.stub = {"error": "overloaded"}
    assert "no keys found that support model" in case.ask().error["message"]
    del case.settings["providers"]
    found(400, "invalid_request_error")
    case.body = chat()
    found(529, "overloaded_error")
    case.stub = ANSWER
    assert case.ask().text == "Hello."


REQUEST_ERRORS: Mapping[str, Mapping[str, Any]] = {
    "missing_required_headers": {"required_headers": ["x-team"]},
    "virtual_key_required": {"require_virtual_key": True},
    "virtual_key_not_found": {"virtual_keys": {}},
    "inactive": {"virtual_keys": {KEY: {"active": False}}},
    "expired": {"virtual_keys": {KEY: {"expires": "0s"}}},
}


@pytest.mark.parametrize("name", REQUEST_ERRORS)
def test_what_is_wrong_with_the_request_is_mended_by_no_fallback(name: str) -> None:
    headers = {"x-bf-vk": KEY} if name != "virtual_key_required" else {}
    session = session_with(ANSWER, gateway=REQUEST_ERRORS[name])

    response = ask_in(session, chat(fallbacks=FALLBACK), headers=headers)

    assert response.status in (400, 401, 403)
    assert len(trail(response)) <= 1
    assert session.counters.counts == {}


@pytest.mark.parametrize("model", ["openai/", ""])
def test_a_request_that_goes_nowhere_is_mended_by_no_fallback(model: str) -> None:
    response = ask_in(session_with(ANSWER), chat(model=model, fallbacks=FALLBACK))

    assert response.status == 400
    assert trail(response) == []


TARGET_ERRORS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any], int]] = {
    "provider_blocked": ({"virtual_keys": {KEY: {"providers": {"groq": ["*"]}}}}, {}, 403),
    "model_blocked": ({"virtual_keys": {KEY: {"providers": {"groq": ["*"], "openai": ["x"]}}}}, {}, 403),
    "no keys": ({"providers": {"openai": {"keys": []}, "groq": {}}}, {}, 400),
    "no key for the model": (
        {"providers": {"openai": {"keys": [{"name": "a", "models": ["x"]}]}, "groq": {}}},
        {},
        400,
    ),
    "no configured provider": ({"providers": {"groq": {}}}, {}, 400),
    "a bad request": ({"providers": {"openai": {}, "groq": {"validate": False}}}, {"temperature": 3}, 400),
}


@pytest.mark.parametrize("name", TARGET_ERRORS)
def test_what_fails_one_target_falls_back(name: str) -> None:
    settings, more, status = TARGET_ERRORS[name]
    gateway = {"virtual_keys": {KEY: {}}, **settings}
    session = session_with(BY_GROQ, ANSWER, gateway=gateway)
    body = chat(model="openai/gpt-4o", **more)

    alone = ask_in(session, body, headers={"x-bf-vk": KEY})
    mended = ask_in(session, {**body, "fallbacks": FALLBACK}, headers={"x-bf-vk": KEY})

    assert alone.status == status
    assert (mended.status, mended.text) == (200, "By groq.")
    assert [one[0] for one in trail(mended)] == ["openai", "groq"]
    assert trail(mended)[0][2] == status


@pytest.mark.parametrize("limits", [{"budgets": [{"limit": 0}]}, {"rate_limit": {"requests": "1/1m"}}])
def test_a_limit_of_the_virtual_key_holds_for_fallbacks_too(limits: Mapping[str, Any]) -> None:
    """Each is checked, and the primary's refusal is what the client sees."""
    session = session_with(ANSWER, gateway={"virtual_keys": {KEY: limits}})
    session.gateway_state.limits.charge(use_key(session), tokens=1, dollars=1, now_s=0)

    response = ask_in(session, chat(fallbacks=[*FALLBACK, "mistral/m"]), headers={"x-bf-vk": KEY})

    assert response.status in (402, 429)
    assert trail(response) == [(one, "refusal", response.status) for one in ("openai", "groq", "mistral")]
    assert response.json()["extra_fields"]["provider"] == "openai"


def test_each_fallback_is_governed_by_itself() -> None:
    """One that the virtual key may not ask is passed over; the next one serves."""
    gateway = {"virtual_keys": {KEY: {"providers": {"openai": ["*"], "mistral": ["small"]}}}}
    session = session_with({"when": {"provider": "openai"}, "error": "unavailable"}, ANSWER, gateway=gateway)

    response = ask_in(session, chat(fallbacks=[*FALLBACK, "mistral/large", "mistral/small"]), headers={"x-bf-vk": KEY})

    assert trail(response) == [
        ("openai", "error", 503),
        ("groq", "refusal", 403),
        ("mistral", "refusal", 403),
        ("mistral", "answer", 200),
    ]
    assert response.header("x-bifrost-fallback-index") == "3"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_each_fallback_is_cached_by_itself(stream: bool) -> None:
    """A failing primary stores nothing and is asked again; the fallback then answers from what it had said."""
    session = session_with({"when": {"provider": "openai"}, "error": "unavailable"}, ANSWER)
    body = chat(fallbacks=FALLBACK, stream=stream)

    first, second = [ask_in(session, body, headers={"x-bf-cache-key": "k"}) for _time in range(2)]

    assert trail(first) == [("openai", "error", 503), ("groq", "answer", 200)]
    assert trail(second) == [("openai", "error", 503), ("groq", "cached", 200)]
    debug = (second.chunks[-1] if stream else second.json())["extra_fields"]["cache_debug"]
    assert (debug["cache_hit"], debug["requested_provider"], debug["requested_model"]) == (True, "groq", "llama")
    assert len(session.gateway_state.cache) == 1


@pytest.mark.parametrize(
    ("script", "answered"),
    [
        pytest.param({"raw": {"status": 418, "json": {}}}, 418, id="raw"),
        pytest.param({"gateway_error": "request_cancelled"}, 499, id="cancelled"),
        pytest.param({"gateway_error": "queue_full"}, 200, id="another"),
    ],
)
def test_what_acts_for_the_whole_request_is_found_by_a_peek_or_where_it_stands(
    script: Mapping[str, Any], answered: int
) -> None:
    """Found first, it acts at once and counts once; found at a later try it ends the request, or fails that target."""
    body = chat(fallbacks=FALLBACK)
    stub = {"name": "gate", "when": {"provider": "openai"}, **script}
    first = session_with(stub, BY_GROQ)

    response = ask_in(first, body)

    assert [one[0] for one in trail(response)] == ["openai"]
    assert response.status == (answered if answered != 200 else 503)
    assert list(first.uses().values()) == [1, 0]

    steps = {"when": {"provider": "openai"}, "sequence": [{"error": "unavailable"}, script]}
    later = session_with(steps, BY_GROQ, gateway={"providers": {"openai": {"max_retries": 1}, "groq": {}}})

    response = ask_in(later, body)

    assert response.status == answered
    assert [one[0] for one in trail(response)] == ["openai", "openai"] + (["groq"] if answered == 200 else [])


def test_a_refusal_by_limits_spends_no_stub() -> None:
    session = session_with({**ANSWER, "times": 1}, gateway={"virtual_keys": {KEY: {"providers": {"groq": ["*"]}}}})

    refused = ask_in(session, chat(), headers={"x-bf-vk": KEY})
    served = ask_in(session, chat())

    assert (refused.status, served.status) == (403, 200)


def test_a_miss_is_no_failure_that_falls_back() -> None:
    response = ask_in(session_with(BY_GROQ), chat(fallbacks=FALLBACK))

    assert response.header("x-mockbifrost-error") == "no_match"
    assert trail(response) == [("openai", "miss", 400)]


def test_a_fallback_that_nothing_answers_is_a_miss_for_the_request() -> None:
    session = session_with({"when": {"provider": "openai"}, "error": "unavailable"})

    response = ask_in(session, chat(fallbacks=FALLBACK))

    assert response.header("x-mockbifrost-error") == "no_match"
    assert [one[:2] for one in trail(response)] == [("openai", "error"), ("groq", "miss")]


@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_when_all_fail_the_primarys_error_is_told_after_all_the_time(stream: bool, version: ProfileName) -> None:
    session = session_with(
        {
            "when": {"provider": "openai"},
            "error": {"name": "unavailable", "headers": {"x-quota": "7"}},
            "pace": {"ttft": "1s"},
        },
        {"when": {"provider": "groq"}, "error": "unauthorized", "pace": {"ttft": "2s"}},
        version=version,
    )

    response = ask_in(session, chat(fallbacks=FALLBACK, stream=stream))

    assert response.status == 503
    assert response.json()["extra_fields"]["provider"] == "openai"
    assert response.header("x-quota") == "7"
    assert response.header("x-bifrost-fallback-index") is None
    outcome = response.exchange.outcome
    assert [(one.at_s, one.took_s) for one in outcome.trail] == [(0, 1), (1, 2)]
    assert outcome.waited_s + outcome.cast.times_s[-1] == 3


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_a_fallback_that_serves_is_told_everywhere(version: ProfileName, stream: bool) -> None:
    """Nothing of the primary is left but where the newest say it themselves. Source: gateway-behaviour.md 1.3."""
    stubs: Sequence[Mapping[str, Any]] = (
        {"when": {"provider": "openai"}, "error": {"name": "rate_limited", "retry_after": "2s"}},
        {"when": {"provider": "groq", "fallback": 1}, "reply": "By groq."},
    )
    response = ask_in(session_with(*stubs, version=version), chat(fallbacks=FALLBACK, stream=stream))

    bodies = response.chunks if stream else [response.json()]
    assert response.text == "By groq."
    for body in bodies:
        fields = body["extra_fields"]
        assert (body["model"], fields["provider"]) == ("llama", "groq")
        assert fields.get("model_requested", fields.get("original_model_requested")) == "llama"
        if version == "2.2":
            info = fields["routing_info"]
            assert (info["is_fallback"], info["primary_provider"], info["primary_model"]) == (True, "openai", "gpt-4o")
    assert response.header("retry-after") is None
    assert response.header("x-bifrost-provider") == "groq"
    assert response.header("x-bifrost-fallback-index") == "1"
    assert response.header("x-bifrost-routing-info-is-fallback") == ("true" if version == "2.2" else None)


def test_fallbacks_of_the_request_beat_those_of_the_settings() -> None:
    gateway = {"fallbacks": {"openai/gpt-4o": ["mistral/m"]}}
    stub = {"when": {"provider": "openai"}, "error": "unavailable"}

    providers = [
        trail(ask_in(session_with(stub, ANSWER, gateway=gateway), body))[-1][0]
        for body in (chat(), chat(fallbacks=FALLBACK), chat(fallbacks=[]), chat(model="gpt-5"))
    ]

    assert providers == ["mistral", "groq", "mistral", "openai"]


def test_a_fallback_of_no_configured_provider_is_passed_over() -> None:
    session = session_with(
        {"when": {"provider": "openai"}, "error": "unavailable"},
        ANSWER,
        gateway={"providers": {"openai": {}, "groq": {}}},
    )

    response = ask_in(session, chat(fallbacks=["mistral/m", "nobody/x", "plain", "groq/", "groq/llama"]))

    assert trail(response) == [("openai", "error", 503), ("groq", "answer", 200)]
    assert response.header("x-bifrost-fallback-index") == "1"
