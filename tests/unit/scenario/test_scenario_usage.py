"""`usage`: computed, given, or none; and what of it is counted."""

from typing import Any

import pytest

from tests.harness import PROFILE_NAMES, ask_in, chat, session_with


def usage(reply: Any, version: Any = "documented", **more: Any) -> Any:
    """Of the plain answer and of the stream, without what it cost."""
    session = session_with({"reply": reply}, version=version, gateway={"cost": "none"})
    plain = ask_in(session, chat(**more)).json()["usage"]
    streamed = ask_in(session, chat(**more, stream=True)).chunks[-1]["usage"]
    return plain, streamed


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_it_is_computed_and_the_same_streamed(version: Any) -> None:
    """Three to prime, four for the message, one for `hi`; two said."""
    plain, streamed = usage("Hello there", version)

    assert plain == streamed
    assert (plain["prompt_tokens"], plain["completion_tokens"], plain["total_tokens"]) == (8, 2, 10)


def test_reasoning_and_pictures_are_told_apart() -> None:
    parts = [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}, {"type": "text", "text": "hi"}]
    message = [{"role": "user", "content": parts}]

    plain, _streamed = usage({"content": "Hello there", "reasoning": "Hm hm hm"}, messages=message)

    assert plain == {
        "prompt_tokens": 8 + 85,
        "prompt_tokens_details": {"image_tokens": 85, "cached_tokens": 0},
        "completion_tokens": 5,
        "completion_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 98,
    }


def test_another_prompt_is_another_count_of_the_same_stub() -> None:
    session = session_with("Hello")

    counts = [ask_in(session, chat("word " * number)).json()["usage"]["prompt_tokens"] for number in (1, 2, 50)]

    assert counts == [7 + 2, 7 + 3, 7 + 51]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(
            {"prompt_tokens": 3, "completion_tokens": 4},
            {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
            id="the total is filled in",
        ),
        pytest.param(
            {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 5},
            {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 5},
            id="a total as written",
        ),
        pytest.param(
            {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}},
            {
                "prompt_tokens": 3,
                "prompt_tokens_details": {"cached_read_tokens": 2, "cached_tokens": 2},
                "completion_tokens": 0,
                "total_tokens": 3,
            },
            id="details",
        ),
        pytest.param(
            {"prompt_tokens": 1, "completion_tokens": 1, "search_units": 2, "audio_seconds": 1.5},
            {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "search_units": 2, "audio_seconds": 1.5},
            id="further counts",
        ),
    ],
)
def test_what_is_given_replaces_it_whole(given: dict[str, Any], wanted: dict[str, Any], stream: bool) -> None:
    plain, streamed = usage({"content": "Hello there", "usage": given})

    assert (streamed if stream else plain) == wanted


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_a_provider_that_sent_none(version: Any) -> None:
    """Null in a plain answer, zeros on the last chunk. Source: wire.md 4.3."""
    plain, streamed = usage({"content": "Hello", "usage": None}, version)

    assert plain is None
    zeros = {"prompt_tokens": 0, "completion_tokens": 0} if version == "documented" else {}
    assert streamed == {**zeros, "total_tokens": 0}


def test_every_chunk_but_the_last_has_none() -> None:
    chunks = ask_in(session_with("Hello there"), chat(stream=True)).chunks

    assert [chunk["usage"] is None for chunk in chunks] == [True, True, True, False]


@pytest.mark.parametrize("options", [None, {"include_usage": False}, {"include_usage": True}])
def test_the_client_need_not_ask_for_it(options: Any) -> None:
    chunks = ask_in(session_with("Hello"), chat(stream=True, stream_options=options)).chunks

    assert chunks[-1]["usage"]["total_tokens"] > 0
