"""Records the cassettes anew: `python -m tests.record`.

Here a scenario stands for the real gateway, so that it runs anywhere; to record the real one, give its address instead:
`MockBifrost(upstream="https://bifrost.example", …)`, and its key in MOCKBIFROST_UPSTREAM_KEY.
"""

from pathlib import Path

from mockbifrost import MockBifrost
from openai import OpenAI

from support_desk.drafts import draft, stream

CASSETTES = Path(__file__).parent / "cassettes"
GATEWAY = """
version: 1
stubs:
  - when: {user: parcel}
    reply: I am sorry that your parcel is late. It will be with you tomorrow.
    pace: {chunk: word}
"""
TICKET = "My parcel is late."


def record(cassette: Path, upstream: str) -> None:
    """Ask what the tests ask, once plain and once streamed."""
    with (
        MockBifrost(upstream=upstream, cassette=cassette, record_mode="all") as recorder,
        OpenAI(base_url=recorder.base_url, api_key="not-used") as client,
    ):
        draft(client, TICKET)
        list(stream(client, TICKET))


if __name__ == "__main__":
    with MockBifrost(GATEWAY, port=8080, mock_headers=False) as gateway:
        record(CASSETTES / "parcel.yaml", gateway.base_url)
