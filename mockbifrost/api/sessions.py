"""What every server has in common for those who hold it: an address, and sessions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from mockbifrost.api.session import Session
from mockbifrost.clock import ClockMode
from mockbifrost.serve.addresses import BASE
from mockbifrost.wire.profiles import ProfileName


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

    @abstractmethod
    def open_session(
        self,
        id: str | None = None,
        *,
        seed: int | None = None,
        clock: ClockMode | None = None,
        version: ProfileName | None = None,
    ) -> Session:
        """A new session that lasts until it is finished. Raises UsageError where it can't be had."""

    @contextmanager
    def session(
        self,
        id: str | None = None,
        *,
        seed: int | None = None,
        clock: ClockMode | None = None,
        version: ProfileName | None = None,
        verify: bool = True,
    ) -> Iterator[Session]:
        """A new session for the length of a block, verified when it is left without an exception.

        `seed` and `version` beat those of the files. Raises UsageError where the session can't be had.
        """
        session = self.open_session(id, seed=seed, clock=clock, version=version)
        try:
            yield session
            if verify:
                session.verify()
        finally:
            session.finish()
