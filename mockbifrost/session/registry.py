"""The sessions of a server: made when first named, with the files' stubs and counters of their own; bounded in number."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from mockbifrost.cassette.recordings import NO_RECORDINGS, Recordings
from mockbifrost.clock import Clock, ClockMode, now_s
from mockbifrost.errors import UsageError
from mockbifrost.gateway.configuration import Gateway
from mockbifrost.gateway.configure import of_version
from mockbifrost.match.understood import Reader
from mockbifrost.provider.answer import Pending
from mockbifrost.provider.exact import ExactTokens
from mockbifrost.provider.tokens import BuiltInTokens
from mockbifrost.scenario.auto import Auto
from mockbifrost.scenario.fake import FakeData
from mockbifrost.scenario.scripts import Tools
from mockbifrost.scenario.stubs import Layer, Stubs
from mockbifrost.session.providers import Providers
from mockbifrost.session.session import Session
from mockbifrost.wire.profiles import ProfileName
from mockbifrost.wire.redact import redact_text

DEFAULT: Final = "default"
FINISHED: Final = 1_000
"""So many finished sessions are remembered, so that late requests for them are told apart from new ones."""
LATE: Final = 20
"""So many late requests of each are remembered, the latest."""
LONGEST_ID: Final = 200
MOST_SESSIONS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a new session begins with."""

    files: Layer
    gateway: Gateway
    recordings: Recordings = NO_RECORDINGS


@dataclass(frozen=True, slots=True)
class Refused:
    """A session that can't be had: why, and the name of the error."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class LateRequest:
    """A request that came for a finished session, `after_s` real seconds after its end, and was refused. `number` counts them from 1.

    `said` is its last message in a few words, redacted; None where its body was not read.
    """

    number: int
    after_s: float
    method: str
    path: str
    said: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the control API shows it; without `said` where nothing is known of it."""
        return {key: item for key, item in asdict(self).items() if item is not None}

    def __str__(self) -> str:
        what = f"{self.method} {self.path}" + (f", {self.said}" if self.said is not None else "")
        return f"late request {self.number} ({what}), {self.after_s:.3f} s after the end of the session"


@dataclass(slots=True)
class _Finished:
    """A session that is no more."""

    at_s: float
    late: deque[LateRequest] = field(default_factory=lambda: deque(maxlen=LATE))
    count: int = 0


class Sessions:
    """All sessions by id. `named` are those whose scenario files live in a session of their own.

    `upstream` is what asking it means, where there is one. `seed` and `version` None: as the files say; else they were chosen, and
    nothing that is loaded later changes them.
    """

    def __init__(
        self,
        common: Blueprint,
        named: Mapping[str, Blueprint],
        *,
        seed: int | None = None,
        version: ProfileName | None = None,
        clock: ClockMode = "fixed",
        most: int = MOST_SESSIONS,
        lenient: bool = False,
        upstream: Pending | None = None,
    ) -> None:
        self._upstream = upstream
        self._common = common
        self._named = named
        fake = FakeData()
        self._tools = Tools(BuiltInTokens(), fake)
        self._exact = Tools(ExactTokens(), fake)
        self._reader = Reader()
        self._lenient = Auto(self._tools) if lenient else None
        self._seed = seed
        self._version = version
        self._clock: ClockMode = clock
        self._most = most
        self._sessions: dict[str, Session] = {}
        self._finished: OrderedDict[str, _Finished] = OrderedDict()
        self._made = 0

    def __iter__(self) -> Iterator[Session]:
        return iter(tuple(self._sessions.values()))

    @property
    def names(self) -> tuple[str, ...]:
        """Ids of the sessions that scenario files ask for."""
        return tuple(self._named)

    def get(self, id: str) -> Session | Refused:
        """The session of that id; an unknown one is created, a finished one refused."""
        session = self._sessions.get(id)
        if session is not None:
            return session
        if id in self._finished:
            return Refused(
                "session_finished",
                f"Session {id!r} is finished: this request came too late and was answered by nothing.\n"
                "  do: end all calls before the test ends, or use the session of the running test",
            )
        return self.create(id)

    def came_late(self, id: str, method: str, path: str, said: str | None = None) -> None:
        """Remember a request that was refused because its session is finished."""
        finished = self._finished.get(id)
        if finished is not None:
            finished.count += 1
            finished.late.append(
                LateRequest(finished.count, round(now_s() - finished.at_s, 6), method, redact_text(path), said)
            )

    def late(self, id: str) -> tuple[LateRequest, ...]:
        """What came for a session after its end, as far as it is remembered; the oldest first."""
        finished = self._finished.get(id)
        return tuple(finished.late) if finished is not None else ()

    def find(self, id: str) -> Session | None:
        """The session of that id, if there is one; the default one and those of files are there until they are finished."""
        if id not in self._sessions and id not in self._finished and (id in self._named or id == DEFAULT):
            made = self.create(id)
            return made if isinstance(made, Session) else None
        return self._sessions.get(id)

    def create(
        self,
        id: str | None = None,
        *,
        seed: int | None = None,
        clock: ClockMode | None = None,
        version: ProfileName | None = None,
        speed: float | None = None,
    ) -> Session | Refused:
        """A new session; without an id it gets one that no session has had.

        `seed` and `version` beat those of the files, `speed` the server's.

        Refused where it is in use, the id is no name, or there are too many.
        """
        id = self.new_id() if id is None else id
        if id in self._sessions:
            return Refused(
                "session_in_use", f"session {id!r} is in use already; leave out the id, and a new one is made"
            )
        if not id or len(id) > LONGEST_ID or not id.isprintable() or "/" in id:
            return Refused(
                "bad_session",
                f"{id[:50]!r} is no name of a session: 1 to {LONGEST_ID} printable characters without `/` are",
            )
        if len(self._sessions) >= self._most:
            return Refused(
                "too_many_sessions",
                f"There are {len(self._sessions)} sessions, and no more are made.\n  do: finish those that have done their work",
            )
        blueprint = self._named.get(id, self._common)
        gateway = blueprint.gateway
        tools = self._exact if gateway.exact_tokens else self._tools
        chosen = self._seed if seed is None else seed
        session = Session(
            id,
            Providers(Stubs(blueprint.files, tools, own_seeds=chosen is None), [blueprint.recordings], self._upstream),
            gateway if version is None else of_version(gateway, version),
            seed=chosen or 0,
            own_version=version is None and self._version is None,
            clock=Clock(clock or self._clock),
            reader=self._reader,
            lenient=self._lenient,
            speed=speed,
        )
        self._sessions[id] = session
        self._finished.pop(id, None)
        return session

    def new_id(self) -> str:
        """An id that no session has had: they are counted."""
        while True:
            self._made += 1
            id = f"t{self._made}"
            if id not in self._sessions and id not in self._finished:
                return id

    def finish(self, id: str) -> None:
        """End a session: what comes later for it is refused."""
        if self._sessions.pop(id, None) is None:
            raise UsageError(f"there is no session {id!r} to finish")
        self._finished[id] = _Finished(now_s())
        while len(self._finished) > FINISHED:
            self._finished.popitem(last=False)
