"""What was recorded once, replayed without a network: `python -m tests.record` makes the cassette."""

import pytest
from mockbifrost import Session
from openai import OpenAI

from support_desk.drafts import draft, stream

TICKET = "My parcel is late."


@pytest.mark.mockbifrost(cassette="cassettes/parcel.yaml")
def test_the_recorded_draft(mockbifrost: Session, client: OpenAI) -> None:
    found = draft(client, TICKET)

    assert found.text == "I am sorry that your parcel is late. It will be with you tomorrow."
    assert found.provider == "openai"
    assert found.dollars > 0
    assert "".join(stream(client, TICKET)) == found.text
    assert {request.stub.name for request in mockbifrost.requests if request.stub} == {"parcel.yaml#1", "parcel.yaml#2"}


def test_a_recording_does_not_answer_another_question(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.load("tests/cassettes/parcel.yaml")
    mockbifrost.when(user="broken").reply("Send it back, please.")

    assert draft(client, "My parcel is broken.").text == "Send it back, please."
