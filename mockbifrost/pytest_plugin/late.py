"""Requests that came when their test had ended: taken note of while the server is there, told at the end of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from mockbifrost.api import Session

LATE: Final = "mockbifrost_late"
"""The key under which a worker of xdist hands them on."""
NOTED: Final[pytest.StashKey[list[list[str]]]] = pytest.StashKey()
"""The late requests of this run: the id of the test and the request in words."""
_ENDED: Final[pytest.StashKey[list[tuple[str, Session]]]] = pytest.StashKey()
_MOST: Final = 1_000
"""So many finished sessions a server remembers; older ones have nothing to tell."""
_SHOWN: Final = 20


def ended(config: pytest.Config, test: str, session: Session) -> None:
    """A session of a test was finished."""
    sessions = config.stash.setdefault(_ENDED, [])
    sessions.append((test, session))
    if len(sessions) > 2 * _MOST:
        del sessions[:_MOST]


def take_note(config: pytest.Config) -> None:
    """Ask what came too late for the sessions that were finished, while their server is still there."""
    from mockbifrost.errors import MockBifrostError

    noted = config.stash.setdefault(NOTED, [])
    sessions = config.stash.get(_ENDED, [])
    for test, session in sessions:
        try:
            late = session.late
        except MockBifrostError:  # its server was gone before
            continue
        noted += [[test, str(request)] for request in late]
    sessions.clear()


def told(noted: list[list[str]], strict: bool) -> str:
    """What came too late, by test, and what to do."""
    lines: list[str] = []
    for test in dict.fromkeys([test for test, _request in noted[:_SHOWN]]):
        lines += [test, *[f"  {request}" for owner, request in noted[:_SHOWN] if owner == test]]
    if len(noted) > _SHOWN:
        lines.append(f"and {len(noted) - _SHOWN} more")
    lines.append("  do: end all calls before the test ends: wait for its tasks and threads, and close its clients")
    if strict:
        lines.append(
            "      (they fail this run; `mockbifrost_strict = false` in the settings of pytest lets them pass)"
        )
    return "\n".join(lines)
