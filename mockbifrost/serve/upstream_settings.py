"""Which upstream a server asks, worked out of the address that its operator gave."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit, urlunsplit

from mockbifrost.errors import UsageError
from mockbifrost.serve.addresses import BASE, is_loopback

Kind = Literal["gateway", "provider"]
"""A Bifrost, whose answers are passed on as they are, or a provider, around which the gateway is simulated."""
UPSTREAM_KEY: Final = "MOCKBIFROST_UPSTREAM_KEY"
"""The variable with the key that the upstream is asked with."""
CHAT: Final = "/chat/completions"
TIMEOUT_S: Final = 60.0

PROVIDERS: Final = {
    "api.openai.com": "/v1",
    "api.cerebras.ai": "/v1",
    "api.cohere.ai": "/compatibility/v1",
    "api.deepseek.com": "/v1",
    "api.fireworks.ai": "/inference/v1",
    "api.groq.com": "/openai/v1",
    "api.mistral.ai": "/v1",
    "api.moonshot.ai": "/v1",
    "api.perplexity.ai": "",
    "api.sambanova.ai": "/v1",
    "api.together.ai": "/v1",
    "api.together.xyz": "/v1",
    "api.x.ai": "/v1",
    "generativelanguage.googleapis.com": "/v1beta/openai",
    "integrate.api.nvidia.com": "/v1",
    "openrouter.ai": "/api/v1",
}
"""Hosts of providers that speak chat completions, with the base of their paths. Source: their API references."""


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """`url` is the endpoint itself. `timeout_s`: how long a gateway may be silent; a provider as long as the simulated gateway waits.

    `key` takes the place of the client's Authorization; None: the client's own headers go through.
    """

    url: str
    kind: Kind
    timeout_s: float = TIMEOUT_S
    key: str | None = None

    @property
    def origin(self) -> str:
        """`scheme://host:port`: how messages and recordings call it."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(urlsplit(self.url).hostname or "")


def upstream_of(
    address: str, kind: Kind | None = None, *, timeout_s: float = TIMEOUT_S, key: str | None = None
) -> UpstreamSettings:
    """The upstream at an address: a server, the base URL that a client is given, or the endpoint. Raises UsageError.

    Without a kind, hosts of known providers are providers, and all others gateways.
    """
    parts = _parts(address)
    if not 0 < timeout_s < math.inf:
        raise UsageError(f"{timeout_s} s can't be a timeout: give it so many seconds as the upstream may be silent")
    host = (parts.hostname or "").lower()
    if kind is None:
        kind = "provider" if host in PROVIDERS else "gateway"
    path = parts.path.rstrip("/")
    if not path.endswith(CHAT):
        path = (path or (BASE if kind == "gateway" else PROVIDERS.get(host, "/v1"))) + CHAT
    return UpstreamSettings(urlunsplit((parts.scheme, parts.netloc, path, parts.query, "")), kind, timeout_s, key)


def _parts(address: str) -> SplitResult:
    try:
        parts = urlsplit(address.strip())
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"The upstream's address can't be read: {error}; give it as http://HOST:PORT") from None
    if parts.username is not None or parts.password is not None:  # not shown again: it holds a secret
        raise UsageError(
            "The upstream's address holds credentials, which others can read from a command line;"
            f" leave them out, and put the key into {UPSTREAM_KEY}"
        )
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"{address!r} can't be an upstream: give it as http://HOST:PORT or https://HOST/PATH")
    return parts


def key_from_environment() -> str | None:
    """The key that the variable holds; an empty one is none."""
    return os.environ.get(UPSTREAM_KEY) or None
