"""Response headers by profile, in the order of the captures. Source: wire.md 8, captures 2.2.3-*."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from mockbifrost.wire.extra_fields import Route, routing_info
from mockbifrost.wire.profiles import Profile

RawHeaders: TypeAlias = "list[tuple[bytes, bytes]]"

JSON_TYPE: Final = b"application/json"
EVENT_STREAM: Final = b"text/event-stream"
METHODS: Final = b"GET, POST, PUT, DELETE, PATCH, OPTIONS, HEAD"
REQUEST_HEADERS: Final = (
    b"Content-Type, Authorization, X-Requested-With, X-Stainless-Timeout, X-Api-Key, "
    b"X-OpenAI-Agents-SDK, X-Operation-ID"
)
SECURITY: Final = (
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
_CORS_TAIL: Final = (
    (b"access-control-allow-methods", METHODS),
    (b"access-control-allow-headers", REQUEST_HEADERS),
    (b"access-control-max-age", b"86400"),
    (b"vary", b"Origin"),
)
HOP_BY_HOP: Final = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
        "content-length", "content-type", "content-encoding", "date", "server",
    }
)  # fmt: skip
"""Headers of a provider that the gateway does not hand on."""
_LOCAL_ORIGINS: Final = (
    "http://localhost",
    "https://localhost",
    "http://127.0.0.1",
    "https://127.0.0.1",
    "http://[::1]",
    "https://[::1]",
)


def origin_allowed(origin: str) -> bool:
    """Whether a browser's page may call: only pages of this machine, as the gateway's default is."""
    return any(origin == local or origin.startswith(local + ":") for local in _LOCAL_ORIGINS)


def cors(origin: str) -> RawHeaders:
    """The headers for an allowed origin."""
    return [
        (b"access-control-allow-origin", origin.encode("latin-1", "replace")),
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", REQUEST_HEADERS),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-max-age", b"86400"),
        (b"vary", b"Origin"),
    ]


def base_headers(profile: Profile, content_type: bytes, *, stream: bool, origin: str | None) -> RawHeaders:
    """What every answer of the endpoint begins with, errors too."""
    found: RawHeaders = [(b"server", b"fasthttp"), (b"content-type", content_type)]
    if profile.security_headers:
        found += SECURITY
    if origin is not None and origin_allowed(origin):
        found += cors(origin)
    elif profile.empty_allow_origin:
        found.append((b"access-control-allow-origin", b""))
        found += _CORS_TAIL
    elif stream:
        found.append((b"access-control-allow-origin", b"*"))
    if stream:
        found += ((b"cache-control", b"no-cache"), (b"connection", b"keep-alive"))
    return found


def route_headers(profile: Profile, route: Route, *, latency_ms: float | None) -> RawHeaders:
    """Who served it; known before the first byte, so streams have them too."""
    found: RawHeaders = []
    pairs: list[tuple[bytes, str]] = [
        (b"x-bifrost-provider", route.provider),
        (b"x-bifrost-original-model", route.model),
        (b"x-bifrost-resolved-model", route.resolved_model or route.model),
        (b"x-bifrost-request-type", route.request_type),
        (b"x-bifrost-fallback-index", str(route.fallback) if route.fallback else ""),
    ]
    if profile.routing_headers:
        for name, value in routing_info(route).items():
            # The alias has a header for each of its keys.
            named = (
                {f"alias_{key}": item for key, item in value.items()} if isinstance(value, Mapping) else {name: value}
            )
            for key, item in named.items():
                text = "true" if item is True else str(item)
                pairs.append((b"x-bifrost-routing-info-" + key.replace("_", "-").encode(), text))
        if latency_ms is not None:
            pairs.append((b"x-bifrost-upstream-latency-ms", f"{latency_ms:.3f}"))
    for name_bytes, text in pairs:
        if text:
            found.append((name_bytes, header_value(text)))
    return found


def id_headers(request_id: str, trace_id: str) -> RawHeaders:
    """The gateway's own ids, where the profile has them."""
    return [(b"x-request-id", header_value(request_id)), (b"x-bifrost-trace-id", header_value(trace_id))]


def provider_headers(headers: Mapping[str, str]) -> RawHeaders:
    """A provider's headers as the gateway hands them on: all but the connection's own."""
    return encoded([pair for pair in headers.items() if pair[0].lower() not in HOP_BY_HOP])


def encoded(pairs: Iterable[tuple[str, str]]) -> RawHeaders:
    """Names and values as they are sent: names in lower case."""
    return [(name.lower().encode("latin-1", "replace"), header_value(value)) for name, value in pairs]


def handed_on(head: RawHeaders, provided: RawHeaders) -> RawHeaders:
    """A head with a provider's headers: one that the gateway has too is the provider's. Source: wire.md 8, x-request-id."""
    names = {name for name, _value in provided}
    return [*[pair for pair in head if pair[0] not in names], *provided]


def header_value(text: str) -> bytes:
    """Text as the value of a header: one line, ISO 8859-1, what does not fit as UTF-8 in percent form."""
    if text.isascii() and text.isprintable():
        return text.encode("ascii")
    clean = "".join([char if char.isprintable() or char == "\t" else " " for char in text])
    try:
        return clean.encode("latin-1")
    except UnicodeEncodeError:
        return "".join([char if char.isascii() else _percent(char) for char in clean]).encode("ascii")


def _percent(char: str) -> str:
    return "".join([f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass")])


_CARRIERS: Final = frozenset({b"x-bf-vk", b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key"})


class RequestHeaders(Mapping[str, str]):
    """Headers of a request by lower-case name; decoded when more than one of them is asked for."""

    __slots__ = ("_firsts", "_known", "raw")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self.raw = raw
        self._firsts = dict(reversed(raw))  # of a name that is repeated, the first
        self._known: dict[str, str] | None = None

    def first(self, name: bytes) -> str | None:
        """One header, by its name as it stands on the wire of an ASGI server: in lower case."""
        value = self._firsts.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def marked(self) -> bool:
        """Whether any may be for the gateway: one named `x-bf-…`, an API key, or a bearer that is a virtual key."""
        names = b"\n".join(self._firsts)
        if b"x-bf-" in names or b"api-key" in names:
            return True
        bearer = self._firsts.get(b"authorization")
        return bearer is not None and b"sk-bf-" in bearer.lower()

    def only(self, names: frozenset[bytes]) -> dict[str, str]:
        """Those with these names, and nothing else decoded."""
        return decoded([pair for pair in self.raw if pair[0] in names])

    def _all(self) -> dict[str, str]:
        if self._known is None:
            self._known = decoded(self.raw)
        return self._known

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def virtual_key(headers: Mapping[str, str]) -> str | None:
    """The virtual key of a request, from any of its carriers: the first that holds one. Source: gateway-behaviour.md 4.1."""
    if isinstance(headers, RequestHeaders):  # asked of every request: most have one carrier among many headers
        headers = headers.only(_CARRIERS)
    given = headers.get("x-bf-vk")
    if given:
        return given
    for name in ("authorization", "x-api-key", "x-goog-api-key", "api-key"):
        value = headers.get(name)
        if value and name == "authorization":
            value = value[7:].strip() if value[:7].lower() == "bearer " else None
        if value and value[:6].lower() == "sk-bf-":
            return value
    return None


def decoded(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Request headers by lower-case name; of a repeated one the values are joined by a comma."""
    found: dict[str, str] = {}
    for name, value in raw:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found
