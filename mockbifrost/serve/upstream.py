"""Asks an upstream over HTTP/1.1. What it sends is handed over piece by piece as it comes, never buffered; compressed bodies are opened."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from mockbifrost.cassette.hearing import Break, BreakKind
from mockbifrost.cassette.interaction import Headers
from mockbifrost.serve.upstream_log import keep_secrets_out_of_logs
from mockbifrost.serve.upstream_settings import UpstreamSettings
from mockbifrost.values import value

if TYPE_CHECKING:
    import httpx2

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_REDIRECTS: Final = 3
MOST_CONNECTIONS: Final = 200
CONNECT_S: Final = 10.0
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_ERRNO: Final = re.compile(r"\[Errno (-?\d+)\]")

_CONNECTIONS_OWN: Final = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding",
        "upgrade", "host", "content-length", "content-encoding", "accept-encoding", "expect",
    }
)  # fmt: skip
_KEY_CARRIERS: Final = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})
_OF_SESSIONS: Final = "mb-"
"""How an API key begins that only names a session of ours."""


class UpstreamBroke(Exception):
    """An upstream that can't be asked, or whose answer breaks off."""

    def __init__(self, kind: BreakKind, cause: str) -> None:
        super().__init__(cause)
        self.kind = kind
        self.cause = cause

    def at(self, at_s: float) -> Break:
        """When it broke, in seconds since it had been asked."""
        return Break(self.kind, self.cause, at_s)


@value
class Patience:
    """So many seconds for the beginning of an answer, and for each further piece of it."""

    first_s: float
    gap_s: float


@value
class Posted:
    """A request as it is sent to an upstream."""

    url: str
    headers: Headers
    body: bytes


def posted(settings: UpstreamSettings, raw_headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Posted:
    """What is sent for a client's request: its headers, but for those of the connection and those that are for us alone."""
    pairs = [(name.decode("latin-1").lower(), text.decode("latin-1")) for name, text in raw_headers]
    dropped = {one.strip().lower() for name, text in pairs if name == "connection" for one in text.split(",")}
    provider = settings.kind == "provider"
    found: list[tuple[str, str]] = []
    for name, text in pairs:
        if name in _CONNECTIONS_OWN or name in dropped or name.startswith("x-mockbifrost-"):
            continue
        if provider and (name.startswith("x-bf-") or name == "content-type"):
            continue
        if name in _KEY_CARRIERS and (settings.key is not None or _names_session(text)):
            continue
        found.append((name, text))
    if provider:
        found.append(("content-type", "application/json"))
    if settings.key is not None:
        found.append(("authorization", f"Bearer {settings.key}"))
    found.append(("accept-encoding", "identity"))
    return Posted(settings.url, tuple(found), body)


def _names_session(text: str) -> bool:
    bare = text[7:] if text[:7].lower() == "bearer " else text
    return bare.strip().startswith(_OF_SESSIONS)


class Incoming:
    """A response that has begun. `length` is that of the body, where it was told and the body is as it was sent."""

    def __init__(self, response: httpx2.Response, patience: Patience) -> None:
        self._response = response
        self._patience = patience
        self.status: int = response.status_code
        self.reason: str = response.reason_phrase
        self.headers: Headers = tuple(
            [(name.decode("latin-1").lower(), text.decode("latin-1")) for name, text in response.headers.raw]
        )
        named = dict(self.headers)
        length = named.get("content-length", "")
        plain = named.get("content-encoding", "identity").strip().lower() in ("", "identity")
        self.length = int(length) if length.isdecimal() and plain else None
        self.is_stream = named.get("content-type", "").partition(";")[0].strip().lower() == "text/event-stream"

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body in the pieces in which it came, decompressed. Raises UpstreamBroke."""
        import httpx2

        gap_s, size = self._patience.gap_s, 0
        stream = self._response.aiter_bytes()
        while True:
            try:
                async with asyncio.timeout(gap_s):
                    data = await anext(stream, None)
            except TimeoutError:
                raise UpstreamBroke("silent", f"fell silent for {gap_s:g} s") from None
            except httpx2.DecodingError as error:
                raise UpstreamBroke("closed", f"sent a body that can't be decompressed: {_short(error)}") from None
            except httpx2.HTTPError as error:
                raise _in_the_middle(error) from None
            if data is None:
                return
            size += len(data)
            if size > MOST_BYTES:
                raise UpstreamBroke("closed", f"sent more than {MOST_BYTES} bytes, the most that is read here")
            if data:
                yield data

    async def close(self) -> None:
        """Have done with it, and with its connection."""
        await self._response.aclose()


class Upstream:
    """The connections of one server to its upstream. Its library is loaded when it is made, not while a request waits."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self.settings = settings
        keep_secrets_out_of_logs()
        self._client = self._made()

    def _made(self) -> httpx2.AsyncClient:
        import httpx2

        return httpx2.AsyncClient(
            http1=True,
            http2=False,
            follow_redirects=False,
            trust_env=not self.settings.loopback,  # a proxy is for what lies outside
            timeout=httpx2.Timeout(None, connect=CONNECT_S),
            # A connection for each request: one that was kept may be closed by the upstream just as it is used again.
            limits=httpx2.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=0),
        )

    async def ask(self, request: Posted, patience: Patience) -> Incoming:
        """Send a request; returns when status and headers have come. Raises UpstreamBroke."""
        client = self._client
        try:
            async with asyncio.timeout(patience.first_s):
                return Incoming(await self._sent(client, request), patience)
        except TimeoutError:
            raise UpstreamBroke("silent", f"sent nothing for {patience.first_s:g} s") from None

    async def _sent(self, client: httpx2.AsyncClient, request: Posted) -> httpx2.Response:
        """The response, behind redirects that stay with the upstream."""
        import httpx2

        url = request.url
        for _again in range(MOST_REDIRECTS + 1):
            made = httpx2.Request("POST", url, headers=list(request.headers), content=request.body)
            try:
                response = await client.send(made, stream=True)
            except httpx2.ConnectTimeout:
                raise UpstreamBroke("silent", f"did not take the connection within {CONNECT_S:g} s") from None
            except httpx2.ConnectError as error:
                raise UpstreamBroke("reset", _why_unreached(error)) from None
            except httpx2.RemoteProtocolError as error:
                raise UpstreamBroke("reset", _no_answer(error)) from None
            except httpx2.HTTPError as error:
                raise UpstreamBroke("reset", f"broke the connection off before it answered{_more(error)}") from None
            except httpx2.InvalidURL as error:
                raise UpstreamBroke("reset", f"has an address that can't be asked: {_short(error)}") from None
            if response.status_code not in _REDIRECTS:
                return response
            target = urljoin(url, response.headers.get("location", ""))
            await response.aclose()
            if response.status_code not in (307, 308) or _origin(target) != _origin(url):
                raise UpstreamBroke("reset", f"redirects ({response.status_code}) elsewhere, which is not followed")
            url = target
        raise UpstreamBroke("reset", f"redirects more than {MOST_REDIRECTS} times")

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _more(error: Exception) -> str:
    text = _short(error)
    return f": {text}" if text else ""


def _why_unreached(error: Exception) -> str:
    """Refused, not found, or no TLS, in words."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ssl.SSLError):
            return f"can't be reached by TLS: {found.reason or found}"
        if isinstance(found, OSError) and found.errno is not None:
            return _of_errno(found.errno)
        found = found.__cause__ or found.__context__
    number = _ERRNO.search(str(error))
    return _of_errno(int(number[1])) if number else f"can't be reached{_more(error)}"


def _of_errno(number: int) -> str:
    if number == errno.ECONNREFUSED:
        return "refused the connection"
    if number < 0:  # of getaddrinfo
        return "can't be found: its name is not known"
    return f"can't be reached: {os.strerror(number)}"


def _no_answer(error: Exception) -> str:
    text = str(error)
    if "disconnected" in text or "without sending" in text:
        return "closed the connection before it answered"
    return f"sent something that is no HTTP{_more(error)}"


def _in_the_middle(error: Exception) -> UpstreamBroke:
    text = str(error)
    kind: BreakKind = "closed" if "incomplete" in text or "without sending complete" in text else "reset"
    how = "closed the connection" if kind == "closed" else "broke the connection off"
    return UpstreamBroke(kind, f"{how} in the middle of its answer")
