"""Drafts: what the code does with answers, with retries, and with streams that break off."""

import pytest
from mockbifrost import Session
from openai import OpenAI

from support_desk.drafts import APOLOGY, Interrupted, draft, stream

TICKET = "My parcel is late."


def test_the_model_writes_the_draft(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="parcel", system="short and friendly").reply("It comes tomorrow.")

    assert draft(client, TICKET).text == "It comes tomorrow."


def test_a_busy_provider_is_asked_again(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(user="parcel").error("overloaded", retry_after="10ms").times(2)
    mockbifrost.when(user="parcel").reply("It comes tomorrow.")

    assert draft(client, TICKET).text == "It comes tomorrow."
    assert [len(call.requests) for call in mockbifrost.calls] == [3]  # one call, of three requests


@pytest.mark.parametrize("failure", ["rate_limited", "overloaded", "server_error"])
def test_an_outage_ends_in_an_apology(mockbifrost: Session, client: OpenAI, failure: str) -> None:
    mockbifrost.when(user="parcel").error(failure, retry_after="10ms")

    assert draft(client, TICKET).text == APOLOGY


def test_a_stream_comes_piece_by_piece(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(stream=True).reply("It comes tomorrow.").pace(chunk="word")

    assert list(stream(client, TICKET)) == ["It", " comes", " tomorrow."]


def test_a_stream_that_breaks_off_is_not_taken_for_a_reply(mockbifrost: Session, client: OpenAI) -> None:
    mockbifrost.when(stream=True).reply("It comes tomorrow.").pace(chunk="word").upstream("cut", after_chunks=2)

    with pytest.raises(Interrupted) as caught:
        list(stream(client, TICKET))

    assert caught.value.so_far == "It comes"
