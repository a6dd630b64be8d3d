"""What a client shows of the gateway, told as one story to all of them.

openai is down, also when it is asked again; anthropic takes over; the second time the cache answers. The prices are nobody's
own, so that a client that reckons for itself is found out.
"""

from __future__ import annotations

from typing import Any, Final

from mockbifrost import Session

STORY: Final = """\
version: 1
gateway:
  providers: {openai: {max_retries: 1}, anthropic: {}}
  fallbacks: {openai/gpt-4o: [anthropic/claude-sonnet-4-5]}
  pricing: {anthropic/claude-sonnet-4-5: {input: 2.50, cache_read: 1.00, output: 12.00}}
stubs:
  - when: {provider: openai}
    error: overloaded
  - when: {provider: anthropic, tools: Weather}
    reply:
      tool_calls: [{Weather: {city: Oslo, celsius: -3}}]
      usage: {prompt_tokens: 120, prompt_tokens_details: {cached_tokens: 100}, completion_tokens: 30}
  - when: {provider: anthropic}
    reply:
      content: Hello from Claude.
      usage: {prompt_tokens: 120, prompt_tokens_details: {cached_tokens: 100}, completion_tokens: 30}
"""
CACHED: Final = {"x-bf-cache-key": "story"}
MODEL: Final = "claude-sonnet-4-5"
PROVIDER: Final = "anthropic"
COST: Final = {"input_tokens_cost": 0.00015, "output_tokens_cost": 0.00036, "total_cost": 0.00051}
"""20 tokens at the full price and 100 from the provider's cache; 30 of the answer."""
FREE: Final = {"total_cost": 0}
SHOWN: Final = [(COST, PROVIDER, False), (FREE, PROVIDER, True)]
"""What there is to see when the same is asked twice: what it cost, who served it, whether the cache did."""
ATTEMPTS: Final = [
    ["openai error", "openai error", "anthropic answer"],
    ["openai error", "openai error", "anthropic cached"],
]
"""What no client sees of it."""


def shown(cost: Any, extra_fields: Any) -> tuple[Any, Any, Any]:
    """One line of `SHOWN`, from `usage.cost` and `extra_fields` as a client has them."""
    return cost, extra_fields["provider"], extra_fields["cache_debug"]["cache_hit"]


def attempts(session: Session) -> list[list[str]]:
    """Of each HTTP request, whom the gateway asked and what came of it."""
    return [[f"{one.provider} {one.outcome}" for one in request.trail] for request in session.requests]
