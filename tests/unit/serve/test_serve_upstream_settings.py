"""Which upstream an address means."""

from __future__ import annotations

import pytest

from mockbifrost.errors import UsageError
from mockbifrost.serve.upstream import posted
from mockbifrost.serve.upstream_settings import Kind, upstream_of


@pytest.mark.parametrize(
    ("address", "url", "kind"),
    [
        ("http://localhost:8080", "http://localhost:8080/pydanticai/v1/chat/completions", "gateway"),
        ("http://localhost:8080/", "http://localhost:8080/pydanticai/v1/chat/completions", "gateway"),
        ("http://gw/litellm/v1/", "http://gw/litellm/v1/chat/completions", "gateway"),
        ("http://gw/openai/v1/chat/completions", "http://gw/openai/v1/chat/completions", "gateway"),
        ("http://gw/s/mine/pydanticai/v1", "http://gw/s/mine/pydanticai/v1/chat/completions", "gateway"),
        ("https://api.openai.com", "https://api.openai.com/v1/chat/completions", "provider"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions", "provider"),
        ("https://API.groq.com", "https://API.groq.com/openai/v1/chat/completions", "provider"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1/chat/completions", "provider"),
        (" https://api.x.ai?a=b#c ", "https://api.x.ai/v1/chat/completions?a=b", "provider"),
    ],
)
def test_an_address_says_where_the_endpoint_is_and_who_answers_there(address: str, url: str, kind: Kind) -> None:
    found = upstream_of(address)

    assert (found.url, found.kind) == (url, kind)


def test_the_kind_may_be_told() -> None:
    assert upstream_of("http://127.0.0.1:9", "provider").url == "http://127.0.0.1:9/v1/chat/completions"
    assert upstream_of("https://api.openai.com", "gateway").url.endswith("/pydanticai/v1/chat/completions")


def test_messages_name_no_more_than_the_origin() -> None:
    assert upstream_of("https://api.x.ai:444/v1?key=secret").origin == "https://api.x.ai:444"


@pytest.mark.parametrize("address", ["https://user:secret@host", "http://secret@host/v1"])
def test_credentials_in_an_address_are_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(UsageError, match="MOCKBIFROST_UPSTREAM_KEY") as caught:
        upstream_of(address)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "localhost:8080", "ftp://host", "http://", "http://[::1", "http://host:x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError):
        upstream_of(address)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("inf"), float("nan")])
def test_a_timeout_is_a_length_of_time(timeout_s: float) -> None:
    with pytest.raises(UsageError, match="can't be a timeout"):
        upstream_of("http://x", timeout_s=timeout_s)


def test_a_body_that_was_decompressed_is_not_sent_as_compressed() -> None:
    request = posted(upstream_of("http://x"), [(b"Content-Encoding", b"gzip"), (b"X-A", b"1")], b"{}")

    assert request.headers == (("x-a", "1"), ("accept-encoding", "identity"))
