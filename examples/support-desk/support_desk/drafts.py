"""Drafts of replies, for a colleague to send: one request to the gateway, plain or streamed."""

from collections.abc import Iterator
from dataclasses import dataclass

from openai import APIConnectionError, APIError, APIStatusError, OpenAI
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

MODEL = "openai/gpt-4o"
APOLOGY = "Thank you for writing. A colleague will answer you today."


class BudgetSpent(Exception):
    """The team may not ask for more today."""


class Interrupted(Exception):
    """The stream broke off; `so_far` is what had come."""

    def __init__(self, so_far: str) -> None:
        super().__init__(f"the reply broke off after {so_far!r}")
        self.so_far = so_far


@dataclass(frozen=True)
class Draft:
    """A reply, who wrote it, and what it cost in dollars."""

    text: str
    provider: str | None
    dollars: float


def draft(client: OpenAI, ticket: str) -> Draft:
    """A reply to a ticket; an apology where no model can be had. Raises BudgetSpent."""
    try:
        answer = client.chat.completions.create(model=MODEL, messages=conversation(ticket))
    except APIStatusError as error:
        if error.status_code == 402:
            raise BudgetSpent(error.message) from error
        if error.status_code == 429 or error.status_code >= 500:
            return Draft(APOLOGY, None, 0.0)
        raise
    except APIConnectionError:  # also the client's own timeout
        return Draft(APOLOGY, None, 0.0)
    return Draft(answer.choices[0].message.content or "", provider_of(answer), cost_of(answer.usage))


def stream(client: OpenAI, ticket: str) -> Iterator[str]:
    """The same, piece by piece, as a screen shows it. Raises Interrupted where it breaks off."""
    so_far = ""
    try:
        for chunk in client.chat.completions.create(model=MODEL, messages=conversation(ticket), stream=True):
            piece = chunk.choices[0].delta.content if chunk.choices else None
            if piece:
                so_far += piece
                yield piece
    except APIError as error:
        raise Interrupted(so_far) from error


def conversation(ticket: str) -> list[ChatCompletionMessageParam]:
    """What is sent."""
    return [
        {"role": "system", "content": "You draft replies of a support desk. Be short and friendly."},
        {"role": "user", "content": ticket},
    ]


def provider_of(answer: ChatCompletion) -> str | None:
    """Who answered in the end, after the gateway's fallbacks: one of the fields that the gateway adds."""
    provider: str | None = (answer.model_extra or {}).get("extra_fields", {}).get("provider")
    return provider


def cost_of(usage: CompletionUsage | None) -> float:
    """What the gateway says that it cost."""
    cost = (usage.model_extra or {}).get("cost") if usage is not None else None
    return float(cost["total_cost"]) if cost else 0.0
