from __future__ import annotations

from dataclasses import replace
from string import Formatter

import pytest

from mockbifrost.vocabulary.gateway_errors import FILL_INS, GATEWAY_ERRORS, gateway_error
from mockbifrost.wire.profiles import PROFILES

REQUEST = [
    "virtual_key_required", "virtual_key_not_found", "virtual_key_inactive", "virtual_key_expired",
    "missing_required_headers", "invalid_json", "no_provider", "no_model", "unsupported_operation", "request_cancelled",
    "queue_full", "shutting_down", "internal",
]  # fmt: skip
TARGET = [
    "provider_blocked", "model_blocked", "budget_exceeded", "token_limited", "request_limited", "rate_limited",
    "no_keys", "no_key_for_model", "no_eligible_keys", "credentials_exhausted", "provider_timeout", "connection_failed",
]  # fmt: skip


def test_the_names_and_scopes_are_those_of_the_language() -> None:
    assert [name for name, error in GATEWAY_ERRORS.items() if error.scope == "request"] == REQUEST
    assert [name for name, error in GATEWAY_ERRORS.items() if error.scope == "target"] == TARGET


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", GATEWAY_ERRORS)
def test_every_placeholder_has_a_fill_in(name: str, profile: str) -> None:
    error = gateway_error(name, profile)
    for text in (error.message, error.cause or ""):
        assert {field for _, field, _, _ in Formatter().parse(text) if field is not None} <= set(FILL_INS)
        assert "{" not in text.format_map(FILL_INS)


@pytest.mark.parametrize("name", GATEWAY_ERRORS)
def test_documented_says_what_2_2_says_without_the_classification(name: str) -> None:
    assert gateway_error(name, "documented") == replace(gateway_error(name, "2.2"), classification=None)
    assert gateway_error(name, "2.2") is GATEWAY_ERRORS[name]


@pytest.mark.parametrize("name", GATEWAY_ERRORS)
def test_late_1_x_classifies_nothing(name: str) -> None:
    assert gateway_error(name, "1.6").classification is None


STATUSES = {  # wire.md 6.1 to 6.3, gateway-behaviour.md 4.2; None: no status_code in the body
    "virtual_key_required": (401, 401),
    "virtual_key_not_found": (401, 401),
    "virtual_key_inactive": (403, 403),
    "virtual_key_expired": (403, 403),
    "missing_required_headers": (400, 400),
    "invalid_json": (None, None),
    "no_provider": (None, None),
    "no_model": (None, None),
    "unsupported_operation": (None, None),
    "request_cancelled": (499, 499),
    "queue_full": (None, 503),
    "shutting_down": (None, 503),
    "internal": (500, 500),
    "provider_blocked": (403, 403),
    "model_blocked": (403, 403),
    "budget_exceeded": (402, 402),
    "token_limited": (429, 429),
    "request_limited": (429, 429),
    "rate_limited": (429, 429),
    "no_keys": (None, None),
    "no_key_for_model": (None, None),
    "no_eligible_keys": (503, 503),
    "credentials_exhausted": (502, 502),
    "provider_timeout": (504, 504),
    "connection_failed": (None, 502),
}


@pytest.mark.parametrize("name", GATEWAY_ERRORS)
def test_statuses_by_profile(name: str) -> None:
    assert (gateway_error(name, "1.6").status, gateway_error(name, "2.2").status) == STATUSES[name]


@pytest.mark.parametrize(
    ("name", "profile", "kind", "message"),
    [
        (
            "virtual_key_required",
            "2.2",
            "virtual_key_required",
            "virtual key is required. Provide a virtual key via the x-bf-vk header.",
        ),
        ("virtual_key_inactive", "1.6", "virtual_key_blocked", "Virtual key is inactive"),
        ("virtual_key_inactive", "2.2", "access_blocked", "virtual key is inactive"),
        ("virtual_key_expired", "1.6", "virtual_key_blocked", "Virtual key has expired"),
        ("missing_required_headers", "2.2", "missing_required_headers", "missing required headers: x-tenant-id"),
        ("no_provider", "1.6", None, "provider is required"),
        ("no_model", "1.6", None, "model is required"),
        (
            "no_provider",
            "2.2",
            None,
            "could not auto resolve a provider for the request, please specify a provider explicitly",
        ),
        ("provider_blocked", "1.6", "provider_blocked", "Provider 'openai' is not allowed for this virtual key"),
        ("provider_blocked", "2.2", "provider_blocked", "Provider 'openai' is not allowed for virtual key 'team-a'"),
        (
            "budget_exceeded",
            "2.2",
            "budget_exceeded",
            "Budget exceeded: vk_model_config * budget exceeded: 105.5000 >= 100.0000 dollars",
        ),
        (
            "token_limited",
            "2.2",
            "token_limited",
            "Rate limit exceeded: rate limit violated for vk_model_config * : "
            "[token limit exceeded (1500/1000, resets every 1h)]",
        ),
        (
            "rate_limited",
            "1.6",
            "rate_limited",
            "Rate limit check failed: rate limit violated for vk_model_config * : "
            "[token limit exceeded (1500/1000, resets every 1h), request limit exceeded (10/10, resets every 1m)]",
        ),
        ("no_keys", "2.2", None, "no keys found for provider: openai and model: gpt-4o"),
    ],
)
def test_texts(name: str, profile: str, kind: str | None, message: str) -> None:
    error = gateway_error(name, profile)
    assert error.type == kind
    assert error.message.format_map(FILL_INS) == message


def test_only_transport_failures_are_bifrost_errors() -> None:
    found = {name for name, error in GATEWAY_ERRORS.items() if error.is_bifrost_error}
    assert found == {"request_cancelled", "provider_timeout", "connection_failed"}


def test_an_unknown_name_or_profile_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        gateway_error("nonsense", "2.2")
    with pytest.raises(KeyError):
        gateway_error("no_keys", "3.0")
