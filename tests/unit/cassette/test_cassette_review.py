"""What `check` says of cassettes that can be read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mockbifrost.cassette.interaction import About, Interaction
from mockbifrost.cassette.review import review_cassette
from tests.recorded import cassette, chunk, events, interaction, said

INSTEAD = "which plays in its place; remove one of the two"
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def asked(text: str = "hi", **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}


def found(*interactions: Interaction) -> list[str]:
    return [str(one) for one in review_cassette(cassette(*interactions), now=NOW)]


def expiring(expires: str, recorded_at: str | None = "2026-08-01T00:00:00Z") -> Interaction:
    return interaction(asked(), said("a"), about=About(recorded_at=recorded_at, expires=expires))


def test_a_good_cassette_has_no_findings() -> None:
    stream = events(chunk({"content": "a"}), chunk({}, "stop"))

    assert found(
        interaction(asked("a"), said("a"), times_ms=[5]),
        interaction(asked("b", stream=True), stream, times_ms=[1, 2, 3]),
        interaction(asked("c"), {"error": {"message": "no"}}, status=503),
        interaction(asked("d"), b"", status=502),
        expiring("200d"),
        expiring("2026-11-26"),
    ) == [f"refund.yaml: warning: interaction 6 has the request and the answer of interaction 5, {INSTEAD}"]


@pytest.mark.parametrize(
    ("expires", "when"),
    [
        ("2026-11-25", "expired today, on 2026-11-26"),
        ("2026-10-01", "expired 55d ago, on 2026-10-02"),
        ("2026-11-24T12:00:00Z", "expired 2d ago, on 2026-11-24"),
        ("90d", "expired 27d ago, on 2026-10-30"),
        ("1M", "expired 87d ago, on 2026-08-31"),
    ],
)
def test_an_interaction_that_is_too_old(expires: str, when: str) -> None:
    assert found(expiring(expires)) == [
        f"refund.yaml: interaction 1 {when}; record it again, or look what has changed with `mockbifrost drift`"
    ]


@pytest.mark.parametrize(
    ("expires", "recorded_at", "why"),
    [
        ("soon", "2026-08-01T00:00:00Z", "which is neither a date nor an age"),
        ("2026-13-01", "2026-08-01T00:00:00Z", "which is neither a date nor an age"),
        ("90d", None, "an age, and no `recorded_at` to count it from"),
        ("90d", "in May", "an age, and `recorded_at: in May` is no time to count it from"),
    ],
)
def test_an_age_that_says_nothing(expires: str, recorded_at: str | None, why: str) -> None:
    assert found(expiring(expires, recorded_at)) == [
        f"refund.yaml: interaction 1 has `expires: {expires}`, {why}; write a date as 2027-03-31, or an age as 90d"
    ]


def test_an_age_beyond_all_dates_never_comes() -> None:
    assert found(expiring("9999999Y")) == []


def test_a_request_that_always_got_the_same_answer() -> None:
    keys_turned = {"messages": asked()["messages"], "model": "gpt-4o"}
    first, second = interaction(asked(), said("a"), about=About(name="greets")), interaction(keys_turned, said("a"))

    assert found(first, second, interaction(asked(), said("a"))) == [
        f"refund.yaml: warning: interaction 2 has the request and the answer of interaction 1 (greets), {INSTEAD}",
        f"refund.yaml: warning: interaction 3 has the request and the answer of interaction 1 (greets), {INSTEAD}",
    ]


def test_answers_that_differ_in_their_ids_and_times_alone_say_the_same() -> None:
    plain = [interaction(asked(), said("a", id=id_, created=at)) for id_, at in (("one", 1), ("two", 2))]
    streamed = [
        interaction(asked(stream=True), events(chunk({"content": "a"}, id=id_), chunk({}, "stop", id=id_)))
        for id_ in ("one", "two")
    ]

    assert found(*plain) == [
        f"refund.yaml: warning: interaction 2 has the request and the answer of interaction 1, {INSTEAD}"
    ]
    assert found(*streamed) == found(*plain)


def test_answers_in_turn_are_no_duplicates() -> None:
    failed = interaction(asked(), {"error": {"message": "no"}}, status=503)
    streamed = interaction(asked(stream=True), events(chunk({"content": "a"}), chunk({}, "stop")))

    assert found(failed, failed, interaction(asked(), said("a"))) == []
    assert found(interaction(asked(), said("a")), streamed) == []


def test_an_interaction_of_another_endpoint_is_never_played() -> None:
    other = interaction(b"", {"data": []}, method="GET", uri="https://api.example.org/v1/models", line=7)

    assert found(other) == [
        "refund.yaml:7:1: warning: interaction 1 asks GET /v1/models and is never played; only POST …/chat/completions is; remove it"
    ]


@pytest.mark.parametrize(
    ("body", "answer", "status", "why"),
    [
        (b"{broken", said("a"), 200, "the body of its request is no JSON object"),
        (b"[1]", said("a"), 200, "the body of its request is no JSON object"),
        (b"{}", {"object": "list"}, 200, "its body is no JSON with `choices`"),
        (b"{}", {"choices": []}, 200, "its answer holds no choices"),
        (b"{}", b"oops", 200, "its body is no JSON with `choices`"),
        (b"{}", b"<html>", 200, "its body is a page of HTML"),
        (b"{}", b"", 200, "its body is empty"),
        (b"{}", [b": nothing\n\n"], 200, "its body holds no events of a stream"),
        (b"{}", [b"data: oops\n\n"], 200, "an event of its stream is no JSON with `choices`"),
        (b"{}", said("a"), 304, "its status 304 is neither an answer nor an error"),
    ],
)
def test_an_interaction_that_answers_nothing(body: bytes, answer: Any, status: int, why: str) -> None:
    [text] = found(interaction(body, answer, status=status))

    assert text.startswith(f"refund.yaml: interaction 1 can't be played: {why}")
    assert text.endswith("; record it again, or remove it")


def test_many_of_a_kind_are_told_once() -> None:
    many = [interaction(asked(str(number)), b"oops") for number in range(11)]

    assert found(*many, expiring("1d")) == [
        "refund.yaml: interaction 1 can't be played: its body is no JSON with `choices` (and 10 more interactions of this file); "
        "record it again, or remove it",
        "refund.yaml: interaction 12 expired 116d ago, on 2026-08-02; record it again, or look what has changed with `mockbifrost drift`",
    ]
    assert len(found(*many[:10])) == 10
