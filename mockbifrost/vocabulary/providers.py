"""The gateway's own names of providers. Source: gateway-behaviour.md 5."""

from __future__ import annotations

from typing import Final

KNOWN_PROVIDERS: Final = (
    "openai", "azure", "anthropic", "bedrock", "bedrock_mantle", "cohere", "vertex", "mistral", "ollama", "opencode-go", "opencode-zen",
    "groq", "sgl", "parasail", "perplexity", "cerebras", "deepseek", "gemini", "openrouter", "elevenlabs", "huggingface", "nebius", "xai",
    "replicate", "vllm", "runway", "runware", "fireworks", "sarvam", "wafer", "github-copilot", "databricks", "typesafe",
)  # fmt: skip
