"""Waits for what a server does on its own time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(look: Callable[[], T | None], *, within_s: float = 10.0) -> T:
    """What `look` finds, as soon as it finds something; fails when the deadline has passed."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"nothing came within {within_s} s"
        pause.wait(0.002)
    return found
