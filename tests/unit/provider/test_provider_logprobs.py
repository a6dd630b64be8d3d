"""Log probabilities that are drawn: the same for the same draws, and as a provider's would be."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.provider.logprobs import drawn_logprobs
from mockbifrost.provider.tokens import split_tokens
from mockbifrost.seeds import Draws
from mockbifrost.wire.completion import Message
from tests.strategies import TEXTS

DRAWS = Draws(7, b"print")


@given(TEXTS, st.integers(0, 20), st.integers(0, 2**32))
def test_there_is_one_entry_for_each_token(text: str, top: int, seed: int) -> None:
    found: Any = drawn_logprobs(Message(text), Draws(seed, b"print"), 0, top)

    assert [entry["token"] for entry in found["content"]] == split_tokens(text)
    for entry in found["content"]:
        assert list(entry) == ["bytes", "logprob", "token", "top_logprobs"]
        assert entry["bytes"] == list(entry["token"].encode())
        assert entry["logprob"] <= 0
        assert len(entry["top_logprobs"]) == top


@given(TEXTS.filter(bool), st.integers(1, 20))
def test_alternatives_begin_with_the_token_and_fall(text: str, top: int) -> None:
    found: Any = drawn_logprobs(Message(text), DRAWS, 0, top)

    for entry in found["content"]:
        alternatives = entry["top_logprobs"]
        said = {key: entry[key] for key in ("bytes", "logprob", "token")}
        assert alternatives[0] == said
        assert len({other["token"] for other in alternatives}) == top
        falling = [other["logprob"] for other in alternatives]
        assert falling == sorted(falling, reverse=True)


def test_the_same_draws_give_the_same_and_each_choice_its_own() -> None:
    message = Message("Hello there")

    assert drawn_logprobs(message, DRAWS, 0, 2) == drawn_logprobs(message, DRAWS, 0, 2)
    assert drawn_logprobs(message, DRAWS, 0, 2) != drawn_logprobs(message, DRAWS, 1, 2)


def test_a_refusal_has_its_own() -> None:
    assert list(drawn_logprobs(Message(refusal="No"), DRAWS, 0, 0)) == ["refusal"]
    assert list(drawn_logprobs(Message("Hi", refusal="No"), DRAWS, 0, 0)) == ["content", "refusal"]


def test_nothing_said_has_an_empty_list() -> None:
    assert drawn_logprobs(Message(), DRAWS, 0, 5) == {"content": []}
