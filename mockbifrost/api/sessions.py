"""What every server has in common for those who hold it: an address, and sessions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mockbifrost.api.session import Session
from mockbifrost.cassette.recordings import OnEnd
from mockbifrost.clock import ClockMode
from mockbifrost.serve.addresses import BASE
from mockbifrost.wire.profiles import ProfileName


@dataclass(frozen=True, slots=True)
class Opening:
    """What a new session is to be. None: as the server has it."""

    id: str | None
    seed: int | None
    speed: float | None
    clock: ClockMode | None
    version: ProfileName | None
    ignore: Sequence[str] | None
    exact: bool | None
    on_end: OnEnd | None


class AnyServer(ABC):
    """A server that sessions are had from: in this process, in one of its own, or elsewhere."""

    @property
    @abstractmethod
    def url(self) -> str:
        """`http://HOST:PORT`."""

    @property
    def base_url(self) -> str:
        """What a client is given to reach the default session."""
        return self.url + BASE

    def open_session(
        self,
        id: str | None = None,
        *,
        seed: int | None = None,
        speed: float | None = None,
        clock: ClockMode | None = None,
        version: ProfileName | None = None,
        ignore: Sequence[str] | None = None,
        exact: bool | None = None,
        on_end: OnEnd | None = None,
    ) -> Session:
        """A new session that lasts until it is finished. Raises UsageError where it can't be had.

        `seed` and `version` beat those of the files, `speed` the server's; `ignore`, `exact` and `on_end` say how the cassettes are
        matched that are loaded into this session. Without an id it gets one that no other has.
        """
        return self._open(Opening(id, seed, speed, clock, version, ignore, exact, on_end))

    @abstractmethod
    def _open(self, opening: Opening) -> Session:
        """The session that is asked for. Raises UsageError where it can't be had."""

    @contextmanager
    def session(
        self,
        id: str | None = None,
        *,
        seed: int | None = None,
        speed: float | None = None,
        clock: ClockMode | None = None,
        version: ProfileName | None = None,
        ignore: Sequence[str] | None = None,
        exact: bool | None = None,
        on_end: OnEnd | None = None,
        verify: bool = True,
    ) -> Iterator[Session]:
        """A new session for the length of a block, verified when it is left without an exception.

        The arguments are those of `open_session`. Raises UsageError where the session can't be had.
        """
        session = self._open(Opening(id, seed, speed, clock, version, ignore, exact, on_end))
        try:
            yield session
            if verify:
                session.verify()
        finally:
            session.finish()
