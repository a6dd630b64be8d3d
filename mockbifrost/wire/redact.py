"""Secrets taken out of what people may read: headers that carry them, and texts that look like keys."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

SECRET_HEADERS: Final = frozenset(
    {
        "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-goog-api-key", "x-bf-vk",
        "x-bf-api-key", "x-bf-api-key-id", "x-amz-security-token",
    }
)  # fmt: skip
SHAPES: Final[Mapping[str, str]] = {
    "openai-key": r"\bsk-[A-Za-z0-9_\-]{8,}",
    "public-key": r"\bpk-[A-Za-z0-9_\-]{16,}",
    "groq-key": r"\bgsk_[A-Za-z0-9]{16,}",
    "xai-key": r"\bxai-[A-Za-z0-9]{16,}",
    "google-key": r"\bAIza[A-Za-z0-9_\-]{30,}",
    "github-token": r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
    "aws-key": r"\bAKIA[A-Z0-9]{16}",
    "huggingface-token": r"\bhf_[A-Za-z0-9]{20,}",
    "slack-token": r"\bxox[baprs]-[A-Za-z0-9\-]{10,}",
    "jwt": r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{5,}",
}
"""What keys look like, by the kind of key. Regular expressions without groups that capture."""
_KEY: Final = re.compile("|".join(SHAPES.values()))
HIDDEN: Final = "[redacted]"


SHORT: Final = 16
"""Characters: what is not longer is a key that somebody wrote for a test, and no secret."""
_BEGINNING: Final = 9


def hinted(secret: str) -> str:
    """A secret as far as it takes to tell it from another one: of each word that is longer than a test's key its beginning."""
    return " ".join([f"{word[:_BEGINNING]}…" if len(word) > SHORT else word for word in secret.split(" ")])


def redact_text(text: str) -> str:
    """The text without anything that has the shape of a key."""
    return _KEY.sub(HIDDEN, text)


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by name; those that carry secrets keep only their name."""
    return {name: HIDDEN if name.lower() in SECRET_HEADERS else redact_text(value) for name, value in headers.items()}


def redact(value: Any) -> Any:
    """A JSON value with all its texts redacted."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {redact_text(key): redact(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [redact(inner) for inner in value]
    return value
