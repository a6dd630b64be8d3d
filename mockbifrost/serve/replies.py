"""Small answers that no session has a part in."""

from __future__ import annotations

from dataclasses import dataclass

from mockbifrost.serve.asgi import Send
from mockbifrost.wire.envelope import WireError, error_json
from mockbifrost.wire.headers import JSON_TYPE, RawHeaders
from mockbifrost.wire.jsontypes import Json, encode
from mockbifrost.wire.profiles import DOCUMENTED


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole response."""

    status: int
    body: bytes
    headers: RawHeaders


def plain_json(value: Json, status: int = 200) -> Reply:
    """A JSON document."""
    return Reply(status, encode(value), [(b"content-type", JSON_TYPE)])


def refusal(status: int, kind: str, message: str) -> Reply:
    """An error of the server itself, in the gateway's envelope, marked as the mock's own."""
    error = WireError(message, status, type=f"mockbifrost_{kind}", error_type=f"mockbifrost_{kind}", code=kind)
    headers = [(b"content-type", JSON_TYPE), (b"x-mockbifrost-error", kind.encode()), (b"x-should-retry", b"false")]
    return Reply(status, error_json(DOCUMENTED, error), headers)


async def send_reply(send: Send, reply: Reply) -> None:
    """Send it."""
    headers = [*reply.headers, (b"content-length", b"%d" % len(reply.body))]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
