"""The control API under /__mockbifrost: what tests and people ask of a running server. JSON in, JSON out."""

from __future__ import annotations

import hmac
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, Final

import orjson
import yaml
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from mockbifrost import __version__
from mockbifrost.cassette.recordings import DEFAULT, Matching, Recording
from mockbifrost.clock import CLOCK_MODES
from mockbifrost.errors import CassetteError, ScenarioError, UsageError
from mockbifrost.scenario.load import load_sent
from mockbifrost.serve.addresses import BASE, CONTROL, session_path
from mockbifrost.serve.asgi import Message, Receive, Send
from mockbifrost.serve.body import ClientGone
from mockbifrost.serve.replies import plain_json, refusal, send_reply
from mockbifrost.serve.settings import ServerSettings
from mockbifrost.serve.wanted import (
    Bad,
    body_of,
    checked_stub_id,
    joined,
    object_of,
    only,
    refused,
    wanted_cassette,
    wanted_checks,
    wanted_files,
    wanted_rollback,
    wanted_session,
    wanted_span,
    wanted_stub,
)
from mockbifrost.serve.watch import METRICS_TYPE, MOST_LISTENERS, Listener, Watch
from mockbifrost.session.explain import explain
from mockbifrost.session.journal import Entry
from mockbifrost.session.loading import load
from mockbifrost.session.registry import Refused, Sessions
from mockbifrost.session.sent import SentFile, put, take
from mockbifrost.session.session import Session, as_json
from mockbifrost.session.verify import settled, verify
from mockbifrost.wire.headers import RequestHeaders
from mockbifrost.wire.request import InvalidBody

ROOT: Final = CONTROL
_OPEN: Final = (f"{ROOT}/ready", f"{ROOT}/version")
_NDJSON: Final = "application/x-ndjson"
_DESCRIPTION: Final = "openapi.yaml"
_REFUSED: Final = {"session_in_use": 409, "too_many_sessions": 409, "bad_session": 400}
"""The statuses of a session that can't be had."""
_AUTHORIZATION: Final = b"authorization"
SHOWN: Final = 10
"""So many sessions are named where one is not found."""
_FILTERS: Final = {
    "matched": (re.compile("true|false|yes|no|1|0", re.IGNORECASE), "true or false"),
    "model": (re.compile(".*", re.DOTALL), "a model"),
    "status": (re.compile("[0-9]{1,3}"), "a status"),
    "since": (re.compile("[0-9]{1,18}"), "the number of an entry"),
}
Handler = Callable[[Request], Awaitable[Response]]


class Control:
    """The control API as an ASGI application; on an address that others can reach it wants a token."""

    def __init__(
        self,
        sessions: Sessions,
        settings: ServerSettings,
        watch: Watch | None = None,
        matching: Matching = DEFAULT,
    ) -> None:
        self._sessions = sessions
        self._settings = settings
        self._watch = watch or Watch()
        self._matching = matching
        of = self._of
        self.table: Mapping[str, Mapping[str, Handler]] = {
            "/ready": {"GET": self._ready},
            "/version": {"GET": self._version},
            "/sessions": {"GET": self._list, "POST": self._create},
            "/sessions/{id}": {"GET": of(self._show), "DELETE": of(self._finish)},
            "/sessions/{id}/stubs": {"GET": of(self._stubs), "POST": of(self._add), "DELETE": of(self._clear)},
            "/sessions/{id}/stubs/{stub}": {"PUT": of(self._put)},
            "/sessions/{id}/files": {"POST": of(self._files)},
            "/sessions/{id}/cassettes": {"POST": of(self._cassette)},
            "/sessions/{id}/journal": {"GET": of(self._journal)},
            "/sessions/{id}/journal/{n}": {"GET": of(self._entry)},
            "/sessions/{id}/calls": {"GET": of(self._calls)},
            "/sessions/{id}/verify": {"POST": of(self._verify)},
            "/sessions/{id}/late": {"GET": self._late},
            "/sessions/{id}/explain": {"POST": of(self._explain)},
            "/sessions/{id}/ledger": {"GET": of(self._ledger)},
            "/sessions/{id}/unplayed": {"GET": of(self._unplayed)},
            "/sessions/{id}/reset": {"POST": of(self._reset)},
            "/sessions/{id}/snapshots": {"POST": of(self._snapshot)},
            "/sessions/{id}/rollback": {"POST": of(self._rollback)},
            "/sessions/{id}/clock": {"POST": of(self._clock)},
            "/sessions/{id}/gates/{name}": {"POST": of(self._gate)},
            "/events": {"GET": self._events},
            "/metrics": {"GET": self._metrics},
            "/openapi.json": {"GET": self._description},
        }
        """What there is, by path and method."""
        routes = [Route(ROOT + _any_name(path), _Methods(methods)) for path, methods in self.table.items()]
        self._router: ASGIApp = Router(routes, redirect_slashes=False, default=self._unknown)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request to the control API."""
        fault = self._closed(scope)
        if fault is not None:
            await send_reply(send, refusal(*fault))
            return
        try:
            await self._router(scope, receive, send)
        except Bad as error:
            await send_reply(send, error.reply())
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
        given = next((value for name, value in scope["headers"] if name == _AUTHORIZATION), b"")
        if hmac.compare_digest(given, b"Bearer " + settings.control_token.encode()):
            return None
        return (
            401,
            "unauthorized",
            "The control API wants `Authorization: Bearer $MOCKBIFROST_CONTROL_TOKEN` on this address.",
        )

    async def _unknown(self, scope: Message, receive: Receive, send: Send) -> None:
        whole = [path[1:] for path in self.table if path.count("/") == 1]
        of_a_session = dict.fromkeys([path.split("/")[3] for path in self.table if path.count("/") > 2])
        has = f"{', '.join(whole)}, and of a session {', '.join(of_a_session)}"
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
                raise Bad(f"There is no session {id!r}; there are: {known or 'none yet'}.", 404, "unknown_session")
            return await handler(request, session)

        return handle

    async def _ready(self, _request: Request) -> Response:
        return _json({"status": "ready", "sessions": list(self._sessions.names)})

    async def _version(self, _request: Request) -> Response:
        return _json({"version": __version__})

    async def _description(self, _request: Request) -> Response:
        return _json(description())

    async def _list(self, request: Request) -> Response:
        return _json([_shown(request, session) for session in self._sessions])

    async def _create(self, request: Request) -> Response:
        wanted = wanted_session(await object_of(request))
        made = self._sessions.create(**wanted)
        if isinstance(made, Refused):
            raise Bad(made.message, _REFUSED[made.kind], made.kind)
        return _json(_shown(request, made), 201)

    async def _show(self, request: Request, session: Session) -> Response:
        return _json(_shown(request, session))

    async def _finish(self, _request: Request, session: Session) -> Response:
        self._sessions.finish(session.id)
        return _json({"id": session.id, "finished": True})

    async def _stubs(self, _request: Request, session: Session) -> Response:
        return _json({"stubs": [stub.to_json() for stub in session.stub_states()]})

    async def _add(self, request: Request, session: Session) -> Response:
        body = await body_of(request)
        try:
            sent = load_sent(body, f"sent {session.loads + 1}", session.gateway.settings)
            ids = load(session, [sent])
        except ScenarioError as error:
            raise refused(error) from None
        return _json({"added": _stubs_json(session, ids)}, 201)

    async def _put(self, request: Request, session: Session) -> Response:
        id = request.path_params["stub"]
        if any(stub.id == id and not stub.added for stub in session.stub_states()):
            raise Bad(
                f"Stub {id!r} is a file's; put another one in front of it, under another id.", 409, "stub_of_a_file"
            )
        checked_stub_id(id)
        stub, defaults = await wanted_stub(request, session.loads + 1, session.gateway.settings)
        try:
            put(session, id, stub, defaults)
        except ScenarioError as error:
            raise refused(error) from None
        (state,) = _stubs_json(session, {id})
        return _json(state)

    async def _files(self, request: Request, session: Session) -> Response:
        return self._taken(session, *await wanted_files(request, self._matching))

    async def _cassette(self, request: Request, session: Session) -> Response:
        return self._taken(session, [await wanted_cassette(request, session.loads + 1)], self._matching)

    def _taken(self, session: Session, sent: list[SentFile], matching: Matching) -> Response:
        try:
            ids, recordings = take(session, sent, matching)
        except (ScenarioError, CassetteError) as error:
            raise refused(error) from None
        return _json({"added": _stubs_json(session, ids), "recordings": recordings}, 201)

    async def _clear(self, _request: Request, session: Session) -> Response:
        return _json({"removed": session.clear_stubs()})

    async def _reset(self, request: Request, session: Session) -> Response:
        session.reset()
        return _json(_shown(request, session))

    async def _snapshot(self, _request: Request, session: Session) -> Response:
        try:
            return _json(session.snapshot(), 201)
        except UsageError as error:
            raise Bad(str(error), 409, "too_many_snapshots") from None

    async def _rollback(self, request: Request, session: Session) -> Response:
        number, forget = await wanted_rollback(request)
        try:
            session.rollback(number, forget=forget)
        except UsageError as error:
            raise Bad(str(error), 404, "unknown_snapshot") from None
        return _json(_shown(request, session))

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
        raise Bad(f"The journal of session {session.id!r} has no entry {number}.", 404, "unknown_entry")

    async def _calls(self, _request: Request, session: Session) -> Response:
        calls: dict[int, list[Entry]] = {}
        for entry in session.journal:
            calls.setdefault(entry.call, []).append(entry)
        rows = [
            {"call": number, "status": entries[-1].status, "requests": [entry.to_json() for entry in entries]}
            for number, entries in calls.items()
        ]
        return _json({"calls": rows})

    async def _verify(self, request: Request, session: Session) -> Response:
        own, checks = await wanted_checks(request)
        unknown = own - {stub.id for stub in session.stubs}
        if unknown:
            text = (
                f"There is no stub {min(unknown)!r} in session {session.id!r}: was it removed? GET …/stubs lists them."
            )
            raise Bad(text, 404, "unknown_stub")
        if checks.open:
            await settled(session.journal, checks.patience_s)
        verdict = verify(session, own, checks)
        found = {"problems": list(verdict.problems), "remarks": list(verdict.remarks)}
        if verdict.problems:
            raise Bad(verdict.text(), 409, "not_verified", found)
        return _json(found)

    async def _late(self, request: Request) -> Response:
        return _json({"late": [late.to_json() for late in self._sessions.late(request.path_params["id"])]})

    async def _explain(self, request: Request, session: Session) -> Response:
        headers = [pair for pair in request.scope["headers"] if pair[0] != _AUTHORIZATION]
        try:
            found = explain(session, await body_of(request), RequestHeaders(headers))
        except InvalidBody as error:
            raise Bad(
                f"This is no request that can be understood: {error}; send the body of a chat completion."
            ) from None
        answers = found.answers
        told: dict[str, Any] = {
            "text": found.text(),
            "answers": None if answers is None else _stubs_json(session, {answers.id})[0],
            "plays": None if found.plays is None else _recording_json(found.plays),
            "refused": found.refused,
            "others": [other.to_json() for other in found.others],
        }
        return _json({key: value for key, value in told.items() if value is not None})

    async def _events(self, request: Request) -> Response:
        listeners = self._watch.listeners
        listener = Listener(only(request, "session").get("session"))
        if len(listeners) >= MOST_LISTENERS:
            text = f"{len(listeners)} clients listen to events already; let one of them leave."
            raise Bad(text, 409, "too_many_listeners")

        async def heard() -> AsyncIterator[bytes]:
            listeners.add(listener)
            try:
                async for event in listener.events():
                    yield event
            finally:
                listeners.discard(listener)

        return StreamingResponse(heard(), media_type="text/event-stream", headers={"cache-control": "no-cache"})

    async def _metrics(self, _request: Request) -> Response:
        return Response(self._watch.metrics(len(tuple(self._sessions))), headers={"content-type": METRICS_TYPE})

    async def _ledger(self, _request: Request, session: Session) -> Response:
        return _json(session.gateway_state.ledger.to_json())

    async def _unplayed(self, _request: Request, session: Session) -> Response:
        found = session.providers.unplayed(session.counters.counts)
        rows = [{"name": one.ref.name, "file": one.ref.source, "line": one.ref.line} for one in found]
        return _json({"unplayed": rows})

    async def _clock(self, request: Request, session: Session) -> Response:
        wanted = await object_of(request)
        mode = wanted.pop("mode", None)
        advance = wanted.pop("advance", None)
        if wanted or (mode is None and advance is None):
            raise Bad('The clock takes {"advance": "5m"} and {"mode": "fixed" | "flow" | "real"}.')
        if mode is not None and mode not in CLOCK_MODES:
            raise Bad(f"{mode!r} is no mode of the clock; fixed, flow and real are.")
        seconds = 0.0 if advance is None else wanted_span(advance)
        if mode is not None:
            session.clock.set_mode(mode)
        session.clock.advance(seconds)
        return _json(_shown(request, session))

    async def _gate(self, request: Request, session: Session) -> Response:
        wanted = await object_of(request)
        state = wanted.get("state")
        if state not in ("open", "close") or len(wanted) != 1:
            raise Bad('A gate takes {"state": "open"} or {"state": "close"}.')
        session.gates[request.path_params["name"]] = state == "open"
        return _json(_shown(request, session))


class _Methods:
    """The handlers of one path, as an ASGI application; other methods are told which there are."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        handler = self._handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            methods = joined(tuple(self._handlers), "and")
            text = f"{request.method} {scope['path']} is not possible: this path takes {methods} only."
            raise Bad(text, 405, "wrong_method")
        response = await handler(request)
        await response(scope, receive, send)


@cache
def description() -> Any:
    """The control API in OpenAPI's words."""
    found = yaml.safe_load(files(__package__).joinpath(_DESCRIPTION).read_text(encoding="utf-8"))
    return found | {"info": found["info"] | {"version": __version__}}


def _any_name(path: str) -> str:
    """The path of a route; the name of a gate may have slashes in it."""
    return path.replace("{name}", "{name:path}")


def _stubs_json(session: Session, ids: Collection[str]) -> list[dict[str, Any]]:
    """Those of the session's stubs that have these ids."""
    return [stub.to_json() for stub in session.stub_states() if stub.id in ids]


def _recording_json(recording: Recording) -> dict[str, Any]:
    """Which recording of which cassette."""
    ref = recording.ref
    return {"name": ref.label, "file": ref.source, "line": ref.line or 0}


def _json(value: Any, status: int = 200) -> Response:
    return Response(plain_json(value).body, status, media_type="application/json")


def _shown(request: Request, session: Session) -> dict[str, Any]:
    """A session, and how clients get there from where this request came from."""
    path = session_path(session.id)
    address = {"base_url": str(request.base_url).rstrip("/") + path + BASE, "api_key": f"mb-{session.id}"}
    return as_json(session) | address


def _check_filters(request: Request) -> None:
    for key, value in request.query_params.items():
        if key not in _FILTERS:
            raise Bad(f"The journal has no filter {key!r}; it has {', '.join(_FILTERS)}.")
        pattern, wanted = _FILTERS[key]
        if not pattern.fullmatch(value):
            raise Bad(f"{key} must be {wanted}, not {value[:50]!r}.")


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
