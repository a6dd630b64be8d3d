"""uvicorn, set up for this server: no access log, no headers of its own but the date, and word of when it listens."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn

from mockbifrost.serve.app import Application
from mockbifrost.serve.protocol import ConnectionProtocol

KEEP_ALIVE_S = 75
GRACE_S = 1

Ready = Callable[[asyncio.AbstractEventLoop], None]
Closing = Callable[[], Awaitable[None]]


class Listener(uvicorn.Server):
    """Serves an application on a bound socket; `ready` is called on the event loop once requests are accepted, `closing` after the last."""

    def __init__(self, app: Application, ready: Ready, closing: Closing | None = None) -> None:
        config = uvicorn.Config(
            app,
            http=ConnectionProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            interface="asgi3",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=2 * GRACE_S,
        )
        super().__init__(config)
        self._ready = ready
        self._closing = closing

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, then the news."""
        await super().startup(sockets)
        if self.started:
            self._ready(asyncio.get_running_loop())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, but after the time of grace the server hangs up: responses end as if their clients had left."""
        asyncio.get_running_loop().call_later(GRACE_S, self._hang_up)
        await super().shutdown(sockets)
        self._hang_up()  # a second signal does not wait
        tasks = tuple(self.server_state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE_S)
        if self._closing is not None:
            await self._closing()

    def _hang_up(self) -> None:
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but a signal that was obeyed is not raised again: stopping when told to is a success."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    def run_on(self, bound: socket.socket) -> None:
        """Serve until `should_exit` is set, or a signal comes in the main thread."""
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            runner.run(self.serve(sockets=[bound]))
