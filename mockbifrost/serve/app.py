"""The application: which path leads where. The endpoint comes first, by a look-up; the control API has routes of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from mockbifrost.gateway.models import listing
from mockbifrost.serve.addresses import BASE, CONTROL, IN_SESSION
from mockbifrost.serve.asgi import Message, Receive, Send
from mockbifrost.serve.body import BodyRefused, ClientGone, read_body
from mockbifrost.serve.chat_endpoint import ChatEndpoint
from mockbifrost.serve.replies import Reply, plain_json, refusal, send_reply
from mockbifrost.serve.settings import MOST_BODY_BYTES
from mockbifrost.session.asked import said_in
from mockbifrost.session.registry import DEFAULT, Refused, Sessions
from mockbifrost.session.session import Session
from mockbifrost.wire.envelope import WireError, error_json, http_status
from mockbifrost.wire.headers import JSON_TYPE, RequestHeaders, cors, origin_allowed

if TYPE_CHECKING:
    from mockbifrost.serve.control import Control

PREFIXES: Final = ("/pydanticai", "/openai", "/langchain", "/litellm")
CHAT_PATHS: Final = frozenset(
    [prefix + version + "/chat/completions" for prefix in PREFIXES for version in ("/v1", "")]
    + ["/v1/chat/completions"]
)
MODELS_PATHS: Final = frozenset(
    [prefix + version + "/models" for prefix in PREFIXES for version in ("/v1", "")] + ["/v1/models"]
)
CLEAR_ID: Final = "/api/cache/clear/"
CLEAR_KEY: Final = "/api/cache/clear-by-key/"

LOG: Final = logging.getLogger("mockbifrost")
_KEY_HEADERS: Final = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key")
_KEY: Final = b"mb-"


class Application:
    """The ASGI application of a server."""

    def __init__(self, sessions: Sessions, chat: ChatEndpoint, control: Callable[[], Control]) -> None:
        self._sessions = sessions
        self._chat = chat
        self._control = control

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request. What fails here is a bug of the server, and even that is answered in the envelope."""
        if scope["type"] != "http":
            return
        try:
            await self._answer(scope, receive, send)
        except Exception as error:
            LOG.exception("A bug of mockbifrost: %s %s failed.", scope["method"], scope["path"])
            text = f"A bug of mockbifrost: {type(error).__name__}: {error}\n  do: report it, with the server's log"
            await send_reply(send, refusal(500, "internal", text))

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        named: str | None = None
        if path.startswith(IN_SESSION):
            named, slash, rest = path[len(IN_SESSION) :].partition("/")
            path = slash + rest
        if path in CHAT_PATHS and scope["method"] == "POST":
            id = named_session(scope, named)
            session = self._sessions.get(id)
            if isinstance(session, Refused):
                if session.kind == "session_finished":
                    await self._came_late(id, scope, receive)
                await send_reply(send, _for_browsers(scope, refusal(400, session.kind, session.message)))
                return
            await self._chat(scope, receive, session)
            return
        if path.startswith(CONTROL):
            await self._control()(scope, receive, send)
            return
        await send_reply(send, _for_browsers(scope, self._around(scope, path, named)))

    async def _came_late(self, id: str, scope: Message, receive: Receive) -> None:
        """Tell a finished session of a request that is refused."""
        said: str | None = None
        with suppress(BodyRefused, ClientGone):
            said = said_in(await read_body(receive, scope["headers"], MOST_BODY_BYTES))
        self._sessions.came_late(id, scope["method"], scope["path"], said)

    def _session(self, scope: Message, named: str | None) -> Session | Refused:
        """The session of a request around the endpoint; a finished one is told of it."""
        id = named_session(scope, named)
        found = self._sessions.get(id)
        if isinstance(found, Refused) and found.kind == "session_finished":
            self._sessions.came_late(id, scope["method"], scope["path"])
        return found

    def _around(self, scope: Message, path: str, named: str | None) -> Reply:
        """The endpoints around the endpoint, and hints where a path is nearly right."""
        method: str = scope["method"]
        if method == "OPTIONS":
            return _preflight(scope)
        if path == "/health":
            return plain_json({"status": "ok"}) if method in ("GET", "HEAD") else _wrong_method(path, method, "GET")
        if path in MODELS_PATHS:
            if method not in ("GET", "HEAD"):
                return _wrong_method(path, method, "GET")
            return self._models(scope, named)
        if path.startswith((CLEAR_ID, CLEAR_KEY)):
            return self._cleared(scope, path, named) if method == "DELETE" else _wrong_method(path, method, "DELETE")
        if path in CHAT_PATHS:
            return _wrong_method(path, method, "POST")
        return refusal(404, "unknown_path", hint_for(method, scope["path"], path))

    def _models(self, scope: Message, named: str | None) -> Reply:
        """What may be asked; with `?provider=` of one provider, with a virtual key what that allows."""
        session = self._session(scope, named)
        if isinstance(session, Refused):
            return refusal(400, session.kind, session.message)
        wanted = parse_qs(scope["query_string"].decode("latin-1")).get("provider", [None])[0]
        found = listing(session.gateway, RequestHeaders(scope["headers"]), wanted)
        return _error(session, found) if isinstance(found, WireError) else plain_json(found)

    def _cleared(self, scope: Message, path: str, named: str | None) -> Reply:
        """Clear the cache of a session: one entry, or all of one key.

        Source: gateway-behaviour.md 2.6. INFERRED: what is not there counts as cleared; an empty id or key is the invalid one.
        """
        session = self._session(scope, named)
        if isinstance(session, Refused):
            return refusal(400, session.kind, session.message)
        by_key = path.startswith(CLEAR_KEY)
        name = path[len(CLEAR_KEY if by_key else CLEAR_ID) :]
        if not name:
            return _error(session, WireError(f"Invalid cache {'key' if by_key else 'ID'}", 400))
        if by_key:
            for key in {name, name.encode().decode("latin-1")}:  # as settings have it, and as a header carries it
                session.gateway_state.cache.clear_key(key)
        else:
            session.gateway_state.cache.clear(name)
        return plain_json({"message": "Cache cleared successfully"})


def named_session(scope: Message, named: str | None) -> str:
    """Which session a request is for: by path, else by header, else by API key, else the default one."""
    if named is not None:
        return named
    key: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"x-mockbifrost-session" and value:
            found: str = value.decode("utf-8", "replace")
            return found
        if name in _KEY_HEADERS:
            bare = value[7:] if value[:7].lower() == b"bearer " else value
            if bare.startswith(_KEY):
                key = bare[len(_KEY) :]
    return key.decode("utf-8", "replace") if key else DEFAULT


def _error(session: Session, error: WireError) -> Reply:
    """An error of the gateway's outside the endpoint."""
    profile = session.gateway.profile
    status = http_status(profile, error, stream=False)
    return Reply(status, error_json(profile, error), [(b"content-type", JSON_TYPE)])


def _preflight(scope: Message) -> Reply:
    """A browser asks whether it may. Source: wire.md 8."""
    origin = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"), "")
    return Reply(200, b"", cors(origin)) if origin_allowed(origin) else Reply(403, b"", [])


def _for_browsers(scope: Message, reply: Reply) -> Reply:
    """With what lets a page of this machine read it; a preflight has that already."""
    if scope["method"] != "OPTIONS":
        for name, value in scope["headers"]:
            if name == b"origin" and origin_allowed(value.decode("latin-1")):
                return Reply(reply.status, reply.body, [*reply.headers, *cors(value.decode("latin-1"))])
    return reply


def _wrong_method(path: str, method: str, allowed: str) -> Reply:
    reply = refusal(405, "wrong_method", f"{method} {path} is not possible: this path takes {allowed} only.")
    return Reply(reply.status, reply.body, [*reply.headers, (b"allow", allowed.encode())])


def hint_for(method: str, whole: str, path: str) -> str:
    """What is wrong with a path, and the one that was probably meant."""
    said = f"Route not found: {method} {whole}."
    table: tuple[tuple[Callable[[str], bool], str], ...] = (
        (
            lambda text: text.rstrip("/").endswith("/responses"),
            " This server speaks chat completions, not the Responses API."
            " In pydantic-ai use the model name 'openai-chat:…' or OpenAIChatModel; in the AI SDK use openai.chat('…');"
            " with an OpenAI SDK call client.chat.completions.create(…).",
        ),
        (
            lambda text: "/v1/v1" in text,
            f" The path has /v1 twice: the base URL of a client ends with {BASE}, and it adds no second /v1.",
        ),
        (
            lambda text: text.rstrip("/") == "/chat/completions",
            f" The base URL lacks its path: set it to http://HOST:PORT{BASE}.",
        ),
        (
            lambda text: "//" in text and text.replace("//", "/") in CHAT_PATHS,
            " The path has two slashes in a row: the base URL of a client ends without one.",
        ),
        (lambda text: text.rstrip("/") in CHAT_PATHS, " Leave out the slash at the end."),
    )
    for fits, hint in table:
        if fits(path):
            return said + hint
    return (
        said
        + f" The endpoint is POST {BASE}/chat/completions; also here: GET {BASE}/models, GET /health, {CONTROL}/ready."
    )
