"""An event loop whose time is told by what waits on it: it jumps to the next timer, so nothing sleeps."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.SelectSelector):
    """Takes no time, and tells the loop how much would have passed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; else the time has come that was waited for."""
        found = super().select(0)
        if not found:
            assert timeout is not None, "everything waits for something that will never happen"
            self.now += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that begins at zero seconds."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds of waiting so far."""
        return self._jumping.now


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives, in no time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)
