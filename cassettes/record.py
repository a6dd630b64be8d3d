"""Records the cassettes of this folder anew, from the shipped scenarios served as a gateway: `python cassettes/record.py`.

An answer that says what was recorded leaves its file as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from mockbifrost import MockBifrost

HERE: Final = Path(__file__).resolve().parent
SCENARIOS: Final = HERE.parent / "scenarios"
ADDRESS: Final = "/chat/completions"
TOOLS: Final = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": properties, "required": list(properties)},
        },
    }
    for name, properties in (
        ("lookup_order", {"order_id": {"type": "string"}}),
        ("refund_order", {"order_id": {"type": "string"}, "amount": {"type": "number"}}),
    )
]
RESULTS: Final = {"lookup_order": '{"id": "42", "total": 19.9, "state": "delivered"}', "refund_order": "refunded"}


@dataclass(frozen=True, slots=True)
class Example:
    """One cassette: what is asked, and the session of the upstream that is asked."""

    name: str
    body: Mapping[str, Any]
    session: str = ""


def says(user: str, **more: Any) -> dict[str, Any]:
    """A request that ends with a user's text."""
    return {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": user}], **more}


EXAMPLES: Final = (
    Example("plain", says("hello")),
    Example("streamed", says("Speak slowly, please.", stream=True)),
    Example("tool-loop", says("I want a refund for order 42.", tools=TOOLS)),
    Example("error", says("error: rate_limited")),
    Example("fallback", says("Who answers?"), "failover"),
)


def record(folder: Path, *, port: int = 0, speed: float = 1.0) -> None:
    """Record all examples into a folder."""
    with MockBifrost(SCENARIOS, port=port, speed=speed, version="2.2", mock_headers=False) as upstream:
        for example in EXAMPLES:
            origin = f"{upstream.url}/s/{example.session}/pydanticai/v1" if example.session else upstream.base_url
            with _recorder(origin, folder / f"{example.name}.yaml") as client:
                _converse(client, dict(example.body))


@contextmanager
def _recorder(origin: str, file: Path) -> Iterator[httpx2.Client]:
    """A client of a server that records into the file, errors too."""
    with (
        MockBifrost(upstream=origin, cassette=file, record_mode="all", record_errors=True) as server,
        httpx2.Client(base_url=server.base_url, trust_env=False, headers={"user-agent": "examples"}) as client,
    ):
        yield client


def _converse(client: httpx2.Client, body: dict[str, Any]) -> None:
    """Ask, and call the tools that are asked for, until there is an answer."""
    while True:
        response = client.post(ADDRESS, json=body)
        if body.get("stream") or response.status_code != 200:
            return
        message = response.json()["choices"][0]["message"]
        calls = message.get("tool_calls")
        if not calls:
            return
        results = [
            {"role": "tool", "tool_call_id": call["id"], "content": RESULTS[call["function"]["name"]]} for call in calls
        ]
        body = {**body, "messages": [*body["messages"], message, *results]}


if __name__ == "__main__":
    record(HERE, port=8080)
    sys.stdout.write(f"{len(EXAMPLES)} cassettes in {HERE.name}/ are up to date.\n")
