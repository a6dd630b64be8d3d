"""The control API under /__mockbifrost: what tests and people ask of a running server. JSON in, JSON out."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from mockbifrost import __version__
from mockbifrost.clock import CLOCK_MODES
from mockbifrost.serve.asgi import Message, Receive, Send
from mockbifrost.serve.body import BodyRefused, ClientGone, read_body
from mockbifrost.serve.replies import plain_json, refusal, send_reply
from mockbifrost.serve.settings import MOST_BODY_BYTES, ServerSettings
from mockbifrost.session.journal import Entry
from mockbifrost.session.registry import Sessions
from mockbifrost.session.session import Session, as_json
from mockbifrost.vocabulary.durations import parse_duration

ROOT: Final = "/__mockbifrost"
_OPEN: Final = (f"{ROOT}/ready", f"{ROOT}/version")
_NDJSON: Final = "application/x-ndjson"
SHOWN: Final = 10
"""So many sessions are named where one is not found."""
_FILTERS: Final = {
    "matched": (re.compile("true|false|yes|no|1|0", re.IGNORECASE), "true or false"),
    "model": (re.compile(".*", re.DOTALL), "a model"),
    "status": (re.compile("[0-9]{1,3}"), "a status"),
    "since": (re.compile("[0-9]{1,18}"), "the number of an entry"),
}
Handler = Callable[[Request], Awaitable[Response]]


class _Bad(Exception):
    """A request to the control API that can't be done: why, with the status and the name of the error."""

    def __init__(self, message: str, status: int = 400, kind: str = "bad_request") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class Control:
    """The control API as an ASGI application; on an address that others can reach it wants a token."""

    def __init__(self, sessions: Sessions, settings: ServerSettings) -> None:
        self._sessions = sessions
        self._settings = settings
        session = ROOT + "/sessions/{id}"
        table: tuple[tuple[str, str, Handler], ...] = (
            ("GET", f"{ROOT}/ready", self._ready),
            ("GET", f"{ROOT}/version", self._version),
            ("GET", f"{ROOT}/sessions", self._list),
            ("GET", session, self._of(self._show)),
            ("POST", session + "/reset", self._of(self._reset)),
            ("GET", session + "/journal", self._of(self._journal)),
            ("GET", session + "/journal/{n}", self._of(self._entry)),
            ("POST", session + "/clock", self._of(self._clock)),
            ("POST", session + "/gates/{name}", self._of(self._gate)),
        )
        routes = [Route(path, _Only(method, handler)) for method, path, handler in table]
        self._router: ASGIApp = Router(routes, redirect_slashes=False, default=self._unknown)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request to the control API."""
        fault = self._closed(scope)
        if fault is not None:
            await send_reply(send, refusal(*fault))
            return
        try:
            await self._router(scope, receive, send)
        except _Bad as error:
            await send_reply(send, refusal(error.status, error.kind, str(error)))
        except ClientGone:
            return

    def _closed(self, scope: Message) -> tuple[int, str, str] | None:
        """Why this request may not pass."""
        settings = self._settings
        if settings.loopback or scope["path"] in _OPEN:
            return None
        if not settings.control_token:
            text = "The control API is off on an address that is not loopback. Set MOCKBIFROST_CONTROL_TOKEN to turn it on."
            return 403, "control_off", text
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if hmac.compare_digest(given, b"Bearer " + settings.control_token.encode()):
            return None
        return (
            401,
            "unauthorized",
            "The control API wants `Authorization: Bearer $MOCKBIFROST_CONTROL_TOKEN` on this address.",
        )

    async def _unknown(self, scope: Message, receive: Receive, send: Send) -> None:
        has = "ready, version, sessions, and of a session journal, reset, clock, gates"
        text = f"The control API has no {scope['path']}; it has {has}."
        await send_reply(send, refusal(404, "unknown_path", text))

    def _of(self, handler: Callable[[Request, Session], Awaitable[Response]]) -> Handler:
        """A handler for one session."""

        async def handle(request: Request) -> Response:
            id = request.path_params["id"]
            session = self._sessions.find(id)
            if session is None:
                ids = [one.id for one in self._sessions]
                known = ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
                raise _Bad(f"There is no session {id!r}; there are: {known or 'none yet'}.", 404, "unknown_session")
            return await handler(request, session)

        return handle

    async def _ready(self, _request: Request) -> Response:
        return _json({"status": "ready", "sessions": list(self._sessions.names)})

    async def _version(self, _request: Request) -> Response:
        return _json({"version": __version__})

    async def _list(self, _request: Request) -> Response:
        return _json([as_json(session) for session in self._sessions])

    async def _show(self, _request: Request, session: Session) -> Response:
        return _json(as_json(session))

    async def _reset(self, _request: Request, session: Session) -> Response:
        session.reset()
        return _json(as_json(session))

    async def _journal(self, request: Request, session: Session) -> Response:
        _check_filters(request)
        chosen = [entry for entry in session.journal if _chosen(entry, request)]
        if _NDJSON in request.headers.get("accept", ""):
            lines = b"".join([orjson.dumps(entry.to_json(), default=str) + b"\n" for entry in chosen])
            return Response(lines, media_type=_NDJSON)
        found: dict[str, Any] = {"entries": [entry.to_json() for entry in chosen]}
        if session.journal.dropped:
            found["dropped"] = session.journal.dropped
        return _json(found)

    async def _entry(self, request: Request, session: Session) -> Response:
        number = request.path_params["n"]
        for entry in session.journal:
            if str(entry.number) == number:
                return _json(entry.to_json())
        raise _Bad(f"The journal of session {session.id!r} has no entry {number}.", 404, "unknown_entry")

    async def _clock(self, request: Request, session: Session) -> Response:
        wanted = await _object(request)
        mode = wanted.pop("mode", None)
        advance = wanted.pop("advance", None)
        if wanted or (mode is None and advance is None):
            raise _Bad('The clock takes {"advance": "5m"} and {"mode": "fixed" | "flow" | "real"}.')
        if mode is not None and mode not in CLOCK_MODES:
            raise _Bad(f"{mode!r} is no mode of the clock; fixed, flow and real are.")
        try:
            seconds = 0.0 if advance is None else parse_duration(advance)
        except ValueError as error:
            raise _Bad(f"advance: {error}") from None
        if mode is not None:
            session.clock.set_mode(mode)
        session.clock.advance(seconds)
        return _json(as_json(session))

    async def _gate(self, request: Request, session: Session) -> Response:
        wanted = await _object(request)
        state = wanted.get("state")
        if state not in ("open", "close") or len(wanted) != 1:
            raise _Bad('A gate takes {"state": "open"} or {"state": "close"}.')
        session.gates[request.path_params["name"]] = state == "open"
        return _json(as_json(session))


class _Only:
    """A handler for one method, as an ASGI application; the others are told which it is."""

    def __init__(self, method: str, handler: Handler) -> None:
        self._method = method
        self._handler = handler

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        asked, method = request.method, self._method
        if asked != method and (asked, method) != ("HEAD", "GET"):
            text = f"{asked} {scope['path']} is not possible: this path takes {method} only."
            raise _Bad(text, 405, "wrong_method")
        response = await self._handler(request)
        await response(scope, receive, send)


def _json(value: Any) -> Response:
    return Response(plain_json(value).body, media_type="application/json")


async def _object(request: Request) -> dict[str, Any]:
    try:
        value = orjson.loads(await read_body(request.receive, (), MOST_BODY_BYTES) or b"{}")
    except BodyRefused as error:
        raise _Bad(error.message, error.status, error.kind) from None
    except orjson.JSONDecodeError as error:
        raise _Bad(f"The body is no JSON: {error}.") from None
    if not isinstance(value, dict):
        raise _Bad("The body must be a JSON object.")
    return value


def _check_filters(request: Request) -> None:
    for key, value in request.query_params.items():
        if key not in _FILTERS:
            raise _Bad(f"The journal has no filter {key!r}; it has {', '.join(_FILTERS)}.")
        pattern, wanted = _FILTERS[key]
        if not pattern.fullmatch(value):
            raise _Bad(f"{key} must be {wanted}, not {value[:50]!r}.")


def _chosen(entry: Entry, request: Request) -> bool:
    """Whether the entry passes the filters of the query."""
    query = request.query_params
    matched = query.get("matched")
    if matched is not None and (entry.error is None) != (matched.lower() in ("true", "1", "yes")):
        return False
    model = query.get("model")
    if model is not None:
        body = entry.body
        asked = str(body.get("model", "")) if isinstance(body, dict) else ""
        if not fnmatchcase(asked, model):
            return False
    status, since = query.get("status"), query.get("since")
    if status is not None and status != str(entry.status):
        return False
    return since is None or entry.number > int(since)
