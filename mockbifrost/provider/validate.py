"""What a provider refuses before it answers: a bad request gets OpenAI's 400, and no script is spent on it."""

from __future__ import annotations

from mockbifrost.provider.answer import Failure
from mockbifrost.wire.request import ChatRequest


def refusal_of(request: ChatRequest) -> Failure | None:
    """OpenAI's answer to a request without messages; None where there are some."""
    if request.messages is None:
        return _invalid("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    if not request.messages:
        message = (
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        return _invalid(message, "messages", "empty_array")
    return None


def _invalid(message: str, param: str, code: str | None) -> Failure:
    return Failure(400, message, "invalid_request_error", code, param)
