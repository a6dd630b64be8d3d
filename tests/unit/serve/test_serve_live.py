"""Who listens to which asking, where sockets can't tell."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mockbifrost.serve.live import Live
from mockbifrost.serve.recorder import RecordSettings, prepare
from mockbifrost.serve.upstream import Patience
from mockbifrost.serve.upstream_settings import upstream_of

SETTINGS = upstream_of("http://127.0.0.1:1", "gateway")


class Silent:
    """An upstream that says nothing, and takes its time to be left."""

    settings = SETTINGS

    def __init__(self) -> None:
        self.asked = 0
        self.begun = asyncio.Event()
        self.left = asyncio.Event()

    async def ask(self, _request: object, _patience: object) -> Any:
        self.asked += 1
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await self.left.wait()

    async def close(self) -> None:
        """Nothing to close."""


def test_who_asks_again_after_the_last_client_left_does_not_get_what_is_being_cancelled(tmp_path: Path) -> None:
    async def story() -> None:
        upstream: Any = Silent()
        recorder = prepare(RecordSettings(tmp_path / "a.yaml", "all"), SETTINGS, loopback=True).recorder
        live = Live(upstream, recorder, 1)
        exchange: Any = SimpleNamespace(stream=True)
        received: Any = SimpleNamespace(body=b'{"model": "a/b"}', raw_headers=())
        attempt: Any = None

        def asking() -> Any:
            fetch = live.fetch(exchange, received, attempt, Patience(60, 60))
            fetch.join()
            return fetch

        first = asking()
        assert asking() is first
        await upstream.begun.wait()
        first.leave()
        first.leave()
        again = asking()
        assert again is not first
        upstream.left.set()
        await first.end()
        assert asking() is again
        await live.close()
        assert upstream.asked == 2

    asyncio.run(story())
