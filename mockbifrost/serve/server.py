"""A server: sessions, application and the listener put together, on a socket that is bound before anything starts."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from mockbifrost.cassette.recordings import DEFAULT, Matching
from mockbifrost.errors import ServerStartError
from mockbifrost.provider.answer import Pending
from mockbifrost.serve.addresses import BASE, origin_of
from mockbifrost.serve.app import Application
from mockbifrost.serve.chat_endpoint import ChatEndpoint
from mockbifrost.serve.settings import ServerSettings
from mockbifrost.serve.upstream_settings import UpstreamSettings
from mockbifrost.serve.watch import Watch
from mockbifrost.session.assembly import Assembly
from mockbifrost.session.registry import Sessions

if TYPE_CHECKING:
    from mockbifrost.serve.control import Control
    from mockbifrost.serve.listening import Listener
    from mockbifrost.serve.live import Live
    from mockbifrost.serve.recorder import Recorder

BACKLOG = 2048
LARGEST_PORT = 65_535


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises ServerStartError that names the address."""
    if not 0 <= port <= LARGEST_PORT:
        raise ServerStartError(f"{port} can't be a port: choose one from 1 to {LARGEST_PORT}, or 0 for a free one.")
    try:
        family, kind, proto, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, proto)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(BACKLOG)
            found.setblocking(False)
        except OSError:
            found.close()
            raise
        return found
    except (OSError, UnicodeError, OverflowError) as error:
        raise ServerStartError(_why(host, port, error)) from None


def _why(host: str, port: int, error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is taken by another process; "
            "choose another with --port, or let the system choose with --port 0."
        )
    if number == errno.EACCES:
        return f"Port {port} of {host} may not be used by this user; choose one above 1023 with --port."
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return f"The server can't listen on {host}:{port}: {reason}; choose another --host or --port."


class Server:
    """Serves sessions on one socket. `upstream` answers what nothing else does, and `recorder` writes that down; it stays its maker's.

    `matching` is how recordings are found that a session gets while the server runs.
    """

    def __init__(
        self,
        assembly: Assembly,
        settings: ServerSettings,
        upstream: UpstreamSettings | None = None,
        recorder: Recorder | None = None,
        *,
        matching: Matching = DEFAULT,
    ) -> None:
        self.settings = settings
        self._matching = matching
        self.socket = bind(settings.host, settings.port)
        self.port: int = self.socket.getsockname()[1]
        self.sessions = Sessions(
            assembly.common,
            assembly.named,
            seed=settings.seed,
            version=settings.version,
            clock=settings.clock,
            most=settings.most_sessions,
            lenient=settings.lenient,
            upstream=Pending(whole=upstream.kind == "gateway") if upstream is not None else None,
        )
        self._live: Live | None = None
        if upstream is not None:
            from mockbifrost.serve.live import Live  # the client's library, not wanted where nobody is asked
            from mockbifrost.serve.upstream import Upstream

            self._live = Live(Upstream(upstream), recorder, settings.speed)
        self.watch = Watch()
        chat = ChatEndpoint(
            speed=settings.speed,
            mock_headers=settings.mock_headers,
            most_body_bytes=settings.most_body_bytes,
            live=self._live,
            watch=self.watch,
        )
        self.app = Application(self.sessions, chat, self.control)
        self._listener: Listener | None = None

    @cached_property
    def _control(self) -> Control:
        from mockbifrost.serve.control import Control  # starlette, not wanted before somebody asks

        return Control(self.sessions, self.settings, self.watch, self._matching)

    def control(self) -> Control:
        """The control API, made when it is first asked for."""
        return self._control

    @property
    def origin(self) -> str:
        """`http://host:port`, as a client on this machine reaches it."""
        return origin_of(self.settings.host, self.port)

    @property
    def base_url(self) -> str:
        """What clients are given."""
        return self.origin + BASE

    def run(self, ready: Callable[[asyncio.AbstractEventLoop], None]) -> None:
        """Serve until stopped: by a signal in the main thread, else by `stop`. `ready`: requests are accepted now."""
        from mockbifrost.serve.listening import Listener

        self._listener = Listener(self.app, ready, self._live.close if self._live is not None else None)
        self._listener.run_on(self.socket)

    def stop(self) -> None:
        """Ask a running server to end; from any thread."""
        if self._listener is not None:
            self._listener.should_exit = True

    def close(self) -> None:
        """Free the port."""
        self.socket.close()
