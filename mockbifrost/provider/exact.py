"""Exact counts of tokens, with the tokenizers of OpenAI's models: an optional extra whose vocabulary comes with its package."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from mockbifrost.provider.tokens import TokenCounter

NEWEST: Final = "o200k_base"
"""The encoding for models that the package does not know: that of OpenAI's current ones."""
MOST_MODELS: Final = 64


@lru_cache(maxsize=MOST_MODELS)
def encoding_name(model: str) -> str:
    """The name of the encoding that a model uses."""
    import bpe_openai  # an extra, imported when first used

    try:
        return str(bpe_openai.encoding_name_for_model(model))
    except (bpe_openai.UnsupportedModelError, KeyError):
        return NEWEST


class ExactTokens:
    """Counters by encoding; nothing is downloaded."""

    def __init__(self) -> None:
        self._counters: dict[str, TokenCounter] = {}

    def __call__(self, model: str) -> TokenCounter:
        """The counter for a model."""
        import bpe_openai

        name = encoding_name(model)
        counter = self._counters.get(name)
        if counter is None:
            encoding = bpe_openai.get_encoding(name)
            counter = self._counters[name] = TokenCounter(count=lambda text: len(encoding.encode_ordinary(text)))
        return counter
