"""uvicorn, set up for this server: no access log, no headers of its own but the date, and word of when it listens."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn

from mockbifrost.serve.app import Application
from mockbifrost.serve.protocol import TransportProtocol

KEEP_ALIVE_S = 75
GRACE_S = 1

Ready = Callable[[asyncio.AbstractEventLoop], None]


class Listener(uvicorn.Server):
    """Serves an application on a bound socket; `ready` is called on the event loop once requests are accepted."""

    def __init__(self, app: Application, ready: Ready) -> None:
        config = uvicorn.Config(
            app,
            http=TransportProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
        )
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, then the news."""
        await super().startup(sockets)
        if self.started:
            self._ready(asyncio.get_running_loop())

    def run_on(self, bound: socket.socket) -> None:
        """Serve until `should_exit` is set, or a signal comes in the main thread."""
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            runner.run(self.serve(sockets=[bound]))
