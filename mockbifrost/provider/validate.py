"""What a provider refuses before it answers: a bad request gets OpenAI's 400, and no script is spent on it."""

from __future__ import annotations

from typing import Final

from mockbifrost.provider.answer import Failure
from mockbifrost.wire.request import ChatRequest

MOST_CHOICES: Final = 128
"""So many choices a provider makes; without a bound one request could keep the server busy for ever."""


def refusal_of(request: ChatRequest) -> Failure | None:
    """OpenAI's answer to a request without messages, or for too many choices; None where it is fine."""
    if request.messages is None:
        return _invalid("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    if not request.messages:
        message = (
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        return _invalid(message, "messages", "empty_array")
    if request.n is not None and request.n > MOST_CHOICES:
        message = (
            "Invalid 'n': integer above maximum value. "
            f"Expected a value <= {MOST_CHOICES}, but got {request.n} instead."
        )
        return _invalid(message, "n", "integer_above_max_value")
    return None


def _invalid(message: str, param: str, code: str | None) -> Failure:
    return Failure(400, message, "invalid_request_error", code, param)
