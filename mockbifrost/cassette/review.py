"""What is wrong with cassettes that can be read all the same: too old, never played, played as something else. For `mockbifrost check`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final

from mockbifrost.cassette.answers import Heard, heard
from mockbifrost.cassette.interaction import Cassette, Interaction
from mockbifrost.cassette.record_mode import says_the_same
from mockbifrost.errors import Finding
from mockbifrost.provider.answer import Failure
from mockbifrost.vocabulary.durations import format_duration, parse_duration
from mockbifrost.wire.request import InvalidBody, canonical, parse_body

MOST_OF_A_KIND: Final = 10
"""Of more findings of one kind in a file only the first is told, with their number."""
_KINDS: Final = ("expired", "other endpoint", "unreadable", "duplicate", "expires")


def review_cassette(cassette: Cassette, *, now: datetime) -> list[Finding]:
    """All that is wrong with one file, in the order of its interactions. `now` is a time with a zone."""
    rows = [*_each(cassette.interactions, now), *_duplicates(cassette.interactions)]
    found: list[tuple[int, Finding]] = []
    for kind in _KINDS:
        own = sorted([(number, finding) for name, number, finding in rows if name == kind], key=lambda row: row[0])
        found += own if len(own) <= MOST_OF_A_KIND else [_first_of(own)]
    return [finding for _number, finding in sorted(found, key=lambda row: row[0])]


_Row = tuple[str, int, Finding]


def _first_of(own: list[tuple[int, Finding]]) -> tuple[int, Finding]:
    number, first = own[0]
    message = f"{first.message} (and {len(own) - 1} more interactions of this file)"
    return number, Finding(first.source, first.line, first.column, first.key_path, message, first.hint, first.severity)


def _each(interactions: Iterable[Interaction], now: datetime) -> Iterator[_Row]:
    for interaction in interactions:
        yield from _age(interaction, now)
        if not interaction.request.is_chat:
            message = f"asks {interaction.request.method} {interaction.request.path} and is never played"
            hint = "only POST …/chat/completions is; remove it"
            yield "other endpoint", interaction.number, _finding(interaction, message, hint, error=False)
            continue
        reason = _unplayable(interaction)
        if reason is not None:
            hint = "record it again, or remove it"
            yield "unreadable", interaction.number, _finding(interaction, f"can't be played: {reason}", hint)


def _finding(interaction: Interaction, message: str, hint: str, *, error: bool = True) -> Finding:
    column = 1 if interaction.line else 0
    text = f"interaction {_called(interaction)} {message}"
    return Finding(interaction.file, interaction.line, column, "", text, hint, "error" if error else "warning")


def _called(interaction: Interaction) -> str:
    return f"{interaction.number}" + (f" ({interaction.about.name})" if interaction.about.name else "")


def _age(interaction: Interaction, now: datetime) -> Iterator[_Row]:
    expires = interaction.about.expires
    if expires is None:
        return
    try:
        end = _end_of(expires, interaction.about.recorded_at)
    except ValueError as error:
        hint = "write a date as 2027-03-31, or an age as 90d"
        yield "expires", interaction.number, _finding(interaction, f"has `expires: {expires}`, {error}", hint)
        return
    if now > end:
        since = format_duration((now - end) // timedelta(days=1) * 86_400)
        ago = f"{since} ago" if since != "0s" else "today"
        message = f"expired {ago}, on {end.date().isoformat()}"
        hint = "record it again, or look what has changed with `mockbifrost drift`"
        yield "expired", interaction.number, _finding(interaction, message, hint)


def _end_of(expires: str, recorded_at: str | None) -> datetime:
    """The last instant. A date holds to its end, in UTC; an age counts from the recording. Raises ValueError."""
    try:
        age_s = parse_duration(expires)
    except ValueError:
        age_s = None
    try:
        if age_s is None:
            if len(expires.strip()) == len("2027-03-31"):
                day = date.fromisoformat(expires.strip())
                return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
            return _instant(expires)
    except (ValueError, OverflowError):
        raise ValueError("which is neither a date nor an age") from None
    if recorded_at is None:
        raise ValueError("an age, and no `recorded_at` to count it from")
    try:
        return _instant(recorded_at) + timedelta(seconds=age_s)
    except ValueError:
        raise ValueError(f"an age, and `recorded_at: {recorded_at}` is no time to count it from") from None
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text.strip())
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _unplayable(interaction: Interaction) -> str | None:
    """Why a recording answers nothing, in words; None for one that does."""
    try:
        parse_body(interaction.request.body)
    except InvalidBody as error:
        return f"the body of its request is no JSON object ({error})"
    status = interaction.response.status
    if status < 200 or 300 <= status < 400:
        return f"its status {status} is neither an answer nor an error"
    said = heard(interaction)
    if isinstance(said, Failure):
        return None
    if not isinstance(said, Heard):
        return _WHY.get(said.kind)
    return None if said.transcript.choices else "its answer holds no choices"


_WHY: Final = {
    "empty": "its body is empty",
    "html": "its body is a page of HTML",
    "not_json": "its body is no JSON with `choices`",
    "not_sse": "its body holds no events of a stream",
    "malformed": "an event of its stream is no JSON with `choices`",
}


def _duplicates(interactions: Iterable[Interaction]) -> Iterator[_Row]:
    """Requests that always got the same answer: the first says it all. Where answers differ, their order counts."""
    asked: dict[tuple[object, ...], list[Interaction]] = {}
    for interaction in interactions:
        if interaction.request.is_chat:
            asked.setdefault(_question(interaction), []).append(interaction)
    for first, *others in asked.values():
        if not all(says_the_same(first.response, one.response) for one in others):
            continue
        for one in others:
            message = f"has the request and the answer of interaction {_called(first)}, which plays in its place"
            yield "duplicate", one.number, _finding(one, message, "remove one of the two", error=False)


def _question(interaction: Interaction) -> tuple[object, ...]:
    request = interaction.request
    try:
        body = parse_body(request.body)
    except InvalidBody:
        return request.path, request.body, False
    return request.path, canonical(body), body.get("stream") is True
