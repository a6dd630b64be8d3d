"""What openai-python is answered by an upstream is recorded whole, and it is answered the same when that is played."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from openai import OpenAI

from mockbifrost import MockBifrost
from mockbifrost.cassette.format import read_cassette
from mockbifrost.serve.recorder import quarantine_path
from mockbifrost.serve.upstream_settings import upstream_of

SCENARIO = """
version: 1
stubs:
  - when: {tools: [lookup_order], turn: 0}
    reply: {tool_calls: [{name: lookup_order, arguments: {order_id: "42"}}]}
  - reply: "The parcel has left on Monday."
"""


def conversation(base_url: str) -> list[str]:
    """A tool is called, and the rest is streamed."""
    with OpenAI(base_url=base_url, api_key="sk-bf-test", max_retries=0) as client:
        called = client.chat.completions.create(
            model="openai/gpt-4o",
            messages=[{"role": "user", "content": "Where is my parcel?"}],
            tools=[{"type": "function", "function": {"name": "lookup_order", "parameters": {"type": "object"}}}],
        )
        (call,) = called.choices[0].message.tool_calls or []
        assert call.type == "function"
        streamed = client.chat.completions.create(
            model="openai/gpt-4o",
            messages=[
                {"role": "user", "content": "Where is my parcel?"},
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": call.id,
                            "type": "function",
                            "function": {"name": call.function.name, "arguments": call.function.arguments},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": call.id, "content": "left on Monday"},
            ],
            stream=True,
        )
        said = [chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices]
    return [call.function.arguments, "".join(said)]


@pytest.mark.parametrize("kind", ["gateway", "provider"])
def test_a_conversation_is_recorded_and_played(tmp_path: Path, kind: Literal["gateway", "provider"]) -> None:
    file = tmp_path / "parcel.yaml"
    with MockBifrost([SCENARIO]) as other:
        upstream = upstream_of(other.base_url, kind)
        with MockBifrost(upstream=upstream, cassette=file, record_mode="once") as server:
            live = conversation(server.base_url)
    with MockBifrost(file) as server, server.session() as session:
        played = conversation(session.base_url)

    assert live == ['{"order_id":"42"}', "The parcel has left on Monday."]
    assert played == live
    assert len(read_cassette(file).interactions) == 2
    assert not quarantine_path(file).exists()
