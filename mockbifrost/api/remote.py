"""A server in another process or container, and its sessions, over the control API."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from mockbifrost.api.link import Entries
from mockbifrost.api.loading import Given
from mockbifrost.api.request import Place
from mockbifrost.api.sending import cassettes_of, files_of, stub_json
from mockbifrost.api.session import Session
from mockbifrost.api.sessions import AnyServer, Opening
from mockbifrost.clock import ClockMode, Deadline, pause
from mockbifrost.errors import CassetteError, Finding, ScenarioError, SessionFinishedError, UsageError
from mockbifrost.gateway.ledger import Row
from mockbifrost.scenario.load import stub_from_mapping
from mockbifrost.serve.addresses import BASE, CONTROL, CONTROL_TOKEN, is_loopback, session_path
from mockbifrost.session.registry import LateRequest
from mockbifrost.session.sent import SentFile
from mockbifrost.session.session import StubState
from mockbifrost.session.verify import ALL_BUT_CONDUCT, Checks, Verdict

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
LOOK_AGAIN_S: Final = 0.05
"""So long nobody asks while something is waited for."""
PATIENCE_S: Final = 30.0
"""So long the control API may be silent."""
SHOWN: Final = 200
"""So many characters are shown of an answer that makes no sense."""


class Unreachable(UsageError):
    """Nothing listens at the address, or it does not answer."""


def connect(url: str, token: str | None = None) -> RemoteBifrost:
    """The server at an address, such as `http://127.0.0.1:8080`, for sessions of it. Raises UsageError where none answers there.

    `token`: what its control API wants on an address that is not loopback; left out, what MOCKBIFROST_CONTROL_TOKEN holds.
    """
    server = RemoteBifrost(url, token)
    try:
        server.version  # noqa: B018 - asking is what finds out
    except BaseException:
        server.close()
        raise
    return server


class RemoteBifrost(AnyServer):
    """A server that runs elsewhere and goes on when this is closed; sessions that were opened here and are still open then end.

    Files are read here and sent. Usable from several threads, and in a process that was forked.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = _checked_url(url)
        self._control = ControlClient(self._url, token if token is not None else os.environ.get(CONTROL_TOKEN) or None)
        self._opened: dict[str, Session] = {}

    @property
    def url(self) -> str:
        """Its address."""
        return self._url

    @property
    def port(self) -> int:
        """The port of its address."""
        parts = urlsplit(self._url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def version(self) -> str:
        """The version of mockbifrost that runs there. Raises UsageError where it can't be reached."""
        found = self._control.ask("GET", "/version")
        version = found.get("version") if isinstance(found, dict) else None
        return version if isinstance(version, str) else self._control.no_sense("GET", "/version", 200, str(found))

    def _open(self, opening: Opening) -> Session:
        wanted = {key: getattr(opening, key) for key in ("id", "seed", "speed", "clock", "version")}
        ignore = None if opening.ignore is None else list(opening.ignore)
        matching = {"ignore": ignore, "exact": opening.exact, "on_end": opening.on_end}
        made = self._control.ask("POST", "/sessions", wanted)["id"]
        session = Session(RemoteLink(self._control, made, self._url + session_path(made), self._forget, matching))
        self._opened[made] = session
        return session

    def _forget(self, id: str) -> None:
        self._opened.pop(id, None)

    def close(self) -> None:
        """End the sessions that are still open, and the connections; safe to call twice."""
        for session in tuple(self._opened.values()):
            session.finish()
        self._control.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RemoteLink:
    """A session of a server elsewhere."""

    def __init__(
        self, control: ControlClient, id: str, url: str, forget: Callable[[str], None], matching: Mapping[str, Any]
    ) -> None:
        self._control = control
        self._id = id
        self._url = url
        self._forget = forget
        self._matching = matching

    def _ask(self, method: str, path: str = "", value: Any = None, **query: str) -> Any:
        return self._control.ask(method, self._path(path), value, **query)

    def _path(self, path: str) -> str:
        return f"/sessions/{quote(self._id, safe='')}{path}"

    @property
    def id(self) -> str:
        """The session's id."""
        return self._id

    @property
    def url(self) -> str:
        """Its address."""
        return self._url

    def put(
        self, id: str, stub: Mapping[str, object], source: str, line: int, defaults: Mapping[str, object] | None = None
    ) -> None:
        """Check the stub here, and put it into its place there, with the cassettes that it replays."""
        stub_from_mapping(stub, source, line)
        replayed = list(cassettes_of(stub, source))
        if replayed:
            self._send(replayed)
        under = {"defaults": stub_json(defaults).decode()} if defaults else {}
        self._ask("PUT", f"/stubs/{quote(id, safe='')}", stub_json(stub), file=source, line=str(line), **under)

    def load(self, given: Given, source: str, line: int) -> None:
        """Read here, then add all at once."""
        self._send(files_of(given, source, line))

    def _send(self, files: Sequence[SentFile]) -> None:
        rows = [{"name": file.name, "text": file.text, "use": file.use, "line": file.line} for file in files]
        self._ask("POST", "/files", {"files": rows, **self._matching})

    def stubs(self) -> Sequence[StubState]:
        """All stubs."""
        return [
            StubState(row["id"], row.get("name"), row["file"], row["line"], row["used"], row["added"])
            for row in self._ask("GET", "/stubs")["stubs"]
        ]

    def clear_stubs(self) -> int:
        """Remove those that were added."""
        return int(self._ask("DELETE", "/stubs")["removed"])

    def journal(self) -> Sequence[Mapping[str, Any]]:
        """All entries, without what looks like a key."""
        entries: list[Mapping[str, Any]] = self._ask("GET", "/journal")["entries"]
        return entries

    def ledger(self) -> Sequence[Row]:
        """What was charged."""
        return [Row(**row) for row in self._ask("GET", "/ledger")["rows"]]

    def clock(self) -> tuple[ClockMode, float]:
        """Mode and elapsed seconds."""
        clock = self._ask("GET")["clock"]
        return clock["mode"], clock["elapsed_s"]

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._ask("POST", "/clock", {"advance": seconds})

    def set_mode(self, mode: ClockMode) -> None:
        """Change the mode of the clock."""
        self._ask("POST", "/clock", {"mode": mode})

    def set_gate(self, name: str, open_: bool) -> None:
        """Open or close a gate."""
        self._ask("POST", f"/gates/{quote(name, safe='')}", {"state": "open" if open_ else "close"})

    def reset(self) -> None:
        """Forget what was counted, noted and cached."""
        self._ask("POST", "/reset")

    def snapshot(self) -> Mapping[str, Any]:
        """Remember all that answers depend on."""
        found: Mapping[str, Any] = self._ask("POST", "/snapshots")
        return found

    def rollback(self, number: int, *, forget: bool = False) -> None:
        """Put it back to a snapshot."""
        self._ask("POST", "/rollback", {"number": number, "forget": forget})

    def watch(self, enough: Callable[[Entries], T | None], timeout_s: float) -> T | None:
        """The journal is asked for again every few hundredths of a second."""
        deadline = Deadline.after(timeout_s)
        found = enough(self.journal())
        while found is None and deadline.left_s:
            pause(min(LOOK_AGAIN_S, deadline.left_s))
            found = enough(self.journal())
        return found

    def late(self) -> Sequence[LateRequest]:
        """What came after the end, as long as the server remembers."""
        return [
            LateRequest(row["number"], row["after_s"], row["method"], row["path"], row.get("said"))
            for row in self._ask("GET", "/late")["late"]
        ]

    def verify(self, own: Collection[str], checks: Checks = ALL_BUT_CONDUCT) -> Verdict:
        """What is wrong; the server waits for what is open."""
        wanted = {"own": sorted(own), **asdict(checks)}
        status, found = self._control.answer("POST", self._path("/verify"), wanted)
        if status not in (200, 409):
            self._control.refuse(found)
        return Verdict(tuple(found["problems"]), tuple(found["remarks"]))

    def unplayed(self) -> Sequence[Place]:
        """Those not played, in the order of their files."""
        return [Place(row["name"], row["file"], row["line"]) for row in self._ask("GET", "/unplayed")["unplayed"]]

    def finish(self) -> None:
        """End the session, if it is still there."""
        self._forget(self._id)
        try:
            self._ask("DELETE")
        except (SessionFinishedError, Unreachable):
            return


class ControlClient:
    """The control API of a server, as its errors are raised here. The client is made when it is first asked, once a process."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url
        self._token = token
        self._client: httpx2.Client | None = None
        self._process = 0

    def _made(self) -> httpx2.Client:
        import httpx2

        if self._client is None or self._process != os.getpid():  # a fork must not share its parent's connections
            headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
            loopback = is_loopback(urlsplit(self._url).hostname or "")
            self._client = httpx2.Client(headers=headers, timeout=PATIENCE_S, trust_env=not loopback)
            self._process = os.getpid()
        return self._client

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None and self._process == os.getpid():
            self._client.close()
        self._client = None

    def ask(self, method: str, path: str, value: Any = None, **query: str) -> Any:
        """The answer to a request, whose body is bytes, or a value for JSON. Raises what a session of this process would."""
        status, found = self.answer(method, path, value, **query)
        if status >= 400:
            self.refuse(found)
        return found

    def answer(self, method: str, path: str, value: Any = None, **query: str) -> tuple[int, Any]:
        """Status and JSON of the answer; raises UsageError where there is none, or it makes no sense."""
        import httpx2

        body = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
        try:
            response = self._made().request(method, self._url + CONTROL + path, content=body, params=query or None)
        except httpx2.TimeoutException:
            raise Unreachable(
                f"the server at {self._url} does not answer within {PATIENCE_S:g} s; look at its log, and start it again"
            ) from None
        except httpx2.HTTPError as error:
            raise Unreachable(
                f"the server at {self._url} can't be reached: {str(error) or type(error).__name__}; "
                "start it with `mockbifrost serve`, or give the address where it runs"
            ) from None
        try:
            found = json.loads(response.content)
        except ValueError:
            found = None
        if not isinstance(found, dict) or (response.status_code >= 400 and not _is_ours(found)):
            self.no_sense(method, path, response.status_code, response.text)
        return response.status_code, found

    def no_sense(self, method: str, path: str, status: int, text: str) -> NoReturn:
        """Raise UsageError: what answers there is no mockbifrost."""
        raise UsageError(
            f"what listens at {self._url} is no mockbifrost: it answers {method} {CONTROL}{path} with {status} {text[:SHOWN]!r}; "
            "give the address where one runs"
        )

    def refuse(self, found: Mapping[str, Any]) -> NoReturn:
        """Raise what an error of the control API stands for."""
        code, message = found["error"]["code"], found["error"]["message"]
        if code == "bad_scenario":
            raise ScenarioError(_findings(found))
        if code == "bad_cassette":
            raise CassetteError(_findings(found))
        if code == "unknown_session":
            raise SessionFinishedError(f"the server at {self._url} has no such session any more: {message}")
        raise UsageError(message)


def _is_ours(found: Mapping[str, Any]) -> bool:
    error = found.get("error")
    return isinstance(error, dict) and isinstance(error.get("code"), str) and isinstance(error.get("message"), str)


def _findings(found: Mapping[str, Any]) -> list[Finding]:
    return [
        Finding(row["file"], row["line"], row["column"], row["key_path"], row["message"], row["hint"])
        for row in found["findings"]
    ]


def _checked_url(url: str) -> str:
    """The address of a server, also where the base URL of clients is given. Raises UsageError."""
    try:
        parts = urlsplit(url.strip())
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} can't be read as an address: {error}; give it as http://HOST:PORT") from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(f"{url!r} can't be the address of a server: give it as http://HOST:PORT")
    path = parts.path.rstrip("/").removesuffix(BASE)
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))
