from __future__ import annotations

import pytest

from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS

INVALID = "invalid_request_error"
TABLE = [  # scenario-language.md, "Error names"
    ("bad_request", 400, INVALID, None),
    ("context_length", 400, INVALID, "context_length_exceeded"),
    ("content_filter", 400, INVALID, "content_policy_violation"),
    ("unauthorized", 401, INVALID, "invalid_api_key"),
    ("forbidden", 403, INVALID, None),
    ("model_not_found", 404, INVALID, "model_not_found"),
    ("request_timeout", 408, "timeout", None),
    ("conflict", 409, INVALID, None),
    ("too_large", 413, INVALID, None),
    ("unprocessable", 422, INVALID, None),
    ("rate_limited", 429, "requests", "rate_limit_exceeded"),
    ("insufficient_quota", 429, "insufficient_quota", "insufficient_quota"),
    ("server_error", 500, "server_error", None),
    ("bad_gateway", 502, "cf_bad_gateway", "502"),
    ("unavailable", 503, "server_error", None),
    ("gateway_timeout", 504, "cf_gateway_timeout", "504"),
    ("overloaded", 529, "overloaded_error", None),
]


@pytest.mark.parametrize(("name", "status", "kind", "code"), TABLE, ids=[row[0] for row in TABLE])
def test_each_name_of_the_language_has_its_status_type_and_code(
    name: str, status: int, kind: str, code: str | None
) -> None:
    error = PROVIDER_ERRORS[name]
    assert (error.name, error.status, error.type, error.code) == (name, status, kind, code)
    assert error.message


def test_the_table_has_no_other_name() -> None:
    assert list(PROVIDER_ERRORS) == [row[0] for row in TABLE]


def test_only_the_model_is_a_placeholder() -> None:
    for error in PROVIDER_ERRORS.values():
        assert "{" not in error.message.replace("{model}", "")


def test_the_words_are_openais() -> None:
    assert PROVIDER_ERRORS["model_not_found"].message == (
        "The model `{model}` does not exist or you do not have access to it."
    )
    assert PROVIDER_ERRORS["rate_limited"].message.startswith("Rate limit reached for {model} in organization ")
    assert PROVIDER_ERRORS["context_length"].param == "messages"
