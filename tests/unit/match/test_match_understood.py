"""Requests that were understood before are not parsed again, and mean the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.match.understood import LARGEST, MOST_BODIES, Reader
from mockbifrost.wire.request import InvalidBody, fingerprint, validate
from tests.harness import chat
from tests.strategies import REQUESTS


@given(st.lists(REQUESTS, min_size=1, max_size=4), st.booleans())
def test_remembering_changes_nothing(bodies: list[dict[str, Any]], stream: bool) -> None:
    reader = Reader()
    for body in [*bodies, *bodies]:
        asked = {**body, "stream": stream}

        found = reader.read(json.dumps(asked).encode())

        assert found.conversation.body == asked
        assert found.conversation.request == validate(asked)
        assert found.fingerprint == fingerprint(body)
        assert found.stream is stream


def test_the_same_bytes_are_understood_once() -> None:
    reader, body = Reader(), json.dumps(chat()).encode()

    assert reader.read(body) is reader.read(body)


def test_the_memory_is_bounded() -> None:
    """After more bodies than it holds the first is parsed anew, and a large one always is."""
    reader = Reader()
    first = reader.read(b'{"model":"first"}')
    large = json.dumps(chat("x" * LARGEST)).encode()

    for number in range(MOST_BODIES + 1):
        reader.read(b'{"model":"%d"}' % number)

    assert reader.read(b'{"model":"first"}') is not first
    assert reader.read(large) is not reader.read(large)


def test_what_is_not_understood_is_not_remembered() -> None:
    reader = Reader()

    for _again in range(2):
        with pytest.raises(InvalidBody):
            reader.read(b"{")
