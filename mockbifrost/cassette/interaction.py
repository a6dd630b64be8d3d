"""What a cassette holds: interactions, each a request and its response with borders, times and where it came from. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from mockbifrost.errors import Finding
from mockbifrost.values import value

Source = Literal["gateway", "provider"]
"""Who answered: a Bifrost, whose answers are replayed as they are, or a provider, around which the gateway is simulated."""
SOURCES: Final[tuple[Source, ...]] = ("gateway", "provider")
Headers = tuple[tuple[str, str], ...]
"""Names in lower case, in the order in which they came; a name may come twice."""
CHAT: Final = "/chat/completions"


@value
class Piece:
    """A piece of a body as the upstream sent it: so many bytes, so many milliseconds after it had been asked."""

    at_ms: int
    size: int


@value
class RecordedRequest:
    """What was asked. `body` is never compressed."""

    method: str
    uri: str
    headers: Headers
    body: bytes

    @property
    def path(self) -> str:
        """The path of the address."""
        return urlsplit(self.uri).path

    @property
    def is_chat(self) -> bool:
        """Whether it asks for a chat completion, at whatever base address."""
        return self.method == "POST" and self.path.rstrip("/").endswith(CHAT)


@value
class RecordedResponse:
    """What was answered. `body` is never compressed; `pieces` are its borders and times, none where nobody wrote them down."""

    status: int
    reason: str
    headers: Headers
    body: bytes
    pieces: tuple[Piece, ...] = ()

    def header(self, name: str) -> str | None:
        """The first header of that name, which is in lower case."""
        return next((text for key, text in self.headers if key == name), None)

    @property
    def is_stream(self) -> bool:
        """Whether the body is a stream of events."""
        kind = self.header("content-type")
        if kind is not None:
            return kind.partition(";")[0].strip().lower() == "text/event-stream"
        return self.body.startswith(b"data:")

    @property
    def took_ms(self) -> int:
        """When its last byte had come; 0 where nobody wrote it down."""
        return self.pieces[-1].at_ms if self.pieces else 0


@value
class About:
    """Where an interaction came from: what the file says beside the request and the response. Times are ISO 8601, UTC.

    `gateway` is the release that answered, `client` the user agent, `name` what `replay` may call it, `expires` a date or
    an age (`90d`) after which `check` complains.
    """

    recorded_at: str | None = None
    source: Source | None = None
    gateway: str | None = None
    client: str | None = None
    upstream: str | None = None
    name: str | None = None
    expires: str | None = None


UNKNOWN: Final = About()


@value
class Interaction:
    """One request with its response. `number` counts from 1 in its file; `line` is where it begins, 0 where that is not known."""

    request: RecordedRequest
    response: RecordedResponse
    about: About = UNKNOWN
    file: str = ""
    number: int = 0
    line: int = 0

    @property
    def label(self) -> str:
        """How messages call it: `file#number`, with its name where it has one."""
        return f"{self.file}#{self.number}" + (f" ({self.about.name})" if self.about.name else "")


@dataclass(frozen=True, slots=True)
class Cassette:
    """A file of interactions that could be read; `warnings` are what was left out of it, and why."""

    file: str
    interactions: tuple[Interaction, ...]
    warnings: tuple[Finding, ...] = ()
