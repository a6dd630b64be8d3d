"""The traffic of a session in a few lines, for the report of a test that failed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mockbifrost.errors import MockBifrostError
from mockbifrost.vocabulary.node import counted

if TYPE_CHECKING:
    from mockbifrost.api import Place, Request, Session, Try

SHOWN: Final = 20
"""So many requests of a session are shown, the last ones."""
_LONGEST: Final = 4_000
"""Characters of the explanation of one request."""


def traffic(session: Session, root: Path) -> str:
    """What came in and who answered, a line for each request and for each attempt where there was more than one."""
    try:
        requests, calls = session.requests, len(session.calls)
    except MockBifrostError as error:
        return f"session {session.id}: {error}"
    if not requests:
        return f"session {session.id}: no request came in; clients are given {session.base_url}"
    head = f"session {session.id}: {counted(len(requests), 'request')} in {counted(calls, 'call')}"
    if len(requests) > SHOWN:
        head += f", the last {SHOWN} of them:"
    lines = [head]
    for request in requests[-SHOWN:]:
        lines.append("  " + _line(request, root))
        if len(request.trail) > 1:
            lines += ["      " + _attempt(one, root) for one in request.trail]
    return "\n".join(lines)


def unanswered(session: Session) -> list[str]:
    """Why the mock itself had no answer, for the last requests."""
    try:
        requests = session.requests[-SHOWN:]
    except MockBifrostError:
        return []
    return [
        f"Request {one.number}: {_cut(one.message or one.error or '')}" for one in requests if one.error is not None
    ]


def _line(request: Request, root: Path) -> str:
    body: object = request.body
    said: Mapping[str, object] = body if isinstance(body, Mapping) else {}
    retry = f" retry {request.retry}" if request.retry else ""
    stream = " stream" if said.get("stream") is True else ""
    model = said.get("model", "no model")
    status = str(request.status or "no answer yet")
    line = (
        f"#{request.number} call {request.call}{retry}  {_cut(str(model), 100)}{stream}  {status} {_who(request, root)}"
    )
    line += f", took {_took_s(request):g} s"
    if request.client_closed_at_chunk is not None:
        line += f", the client left at chunk {request.client_closed_at_chunk}"
    if request.open:
        line += ", still open"
    return line


def _who(request: Request, root: Path) -> str:
    if request.error is not None:
        return f"{request.error}: no answer of any script"
    if request.stub is not None:
        return f"by {_place(request.stub, root)}"
    outcome = request.trail[-1].outcome if request.trail else "refusal"
    return {"cached": "from the gateway's cache", "refusal": "by the gateway itself"}.get(outcome, "by the upstream")


def _attempt(one: Try, root: Path) -> str:
    by = f" by {_place(one.stub, root)}" if one.stub is not None else ""
    fallback = f" fallback {one.fallback}" if one.fallback else ""
    kind = f" {one.type}" if one.type else ""
    return (
        f"{one.provider}/{one.model}{fallback} try {one.number}: {one.outcome} {one.status}{kind}{by}, {one.took_s:g} s"
    )


def _place(place: Place, root: Path) -> str:
    """The name, with the place as it is seen from the project."""
    try:
        file = os.path.relpath(place.file, root) if os.path.isabs(place.file) else place.file
    except ValueError:  # on another drive
        file = place.file
    file = place.file if file.startswith("..") else file
    where = f"{file}:{place.line}" if place.line else file
    return f"{place.name!r} ({where})" if place.name else where


def _took_s(request: Request) -> float:
    return round(max([one.at_s + one.took_s - request.at_s for one in request.trail], default=0.0), 6)


def _cut(text: str, most: int = _LONGEST) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text) - most} more characters)"
