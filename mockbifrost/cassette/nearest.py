"""Why no recording answered: those of the same request that can't, and those whose requests differ least, with what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from operator import itemgetter
from typing import Any, Final

import orjson

from mockbifrost.cassette.interaction import SOURCES, Source
from mockbifrost.cassette.keys import normalised
from mockbifrost.cassette.recordings import Recording, Recordings
from mockbifrost.match.attempt import Attempt
from mockbifrost.match.compare import SHOWN, likeness, shown
from mockbifrost.match.expectation import Mismatch
from mockbifrost.match.near_miss import NEAREST, NearMiss
from mockbifrost.provider.tally import Tally
from mockbifrost.wire.jsontypes import object_in
from mockbifrost.wire.redact import redact_text
from mockbifrost.wire.upstream import raw_request_json

LOOKED_AT: Final = 20
"""Of so many recordings the last messages are compared letter by letter."""
LETTERS: Final = 500
DIFFERENCES: Final = 6
"""So many differences of one recording are told."""
_BEFORE: Final = 24
"""So many characters before the place where two texts part are shown."""


def near_misses(recordings: Recordings, attempt: Attempt, tally: Tally) -> list[NearMiss]:
    """The recordings that came nearest, the nearest first."""
    same = recordings.of_the_same(attempt)
    if same:
        reason = _why_not(recordings, same, attempt, tally)
        return [_miss(recording, 1, (), reason) for recording in same[-NEAREST:]]
    body = recordings.comparable(attempt.conversation.body)
    came = {source: _compared(body, source, recordings) for source in SOURCES}
    apart = [(_distance(_recorded(one, recordings), came[one.source]), at) for at, one in enumerate(recordings)]
    words = _words(_last(body))
    nearest: list[tuple[float, int, Mapping[str, Any]]] = []
    for distance, at in sorted(apart)[:LOOKED_AT]:
        recorded = _recorded(recordings.all[at], recordings)
        nearest.append((distance - 0.5 * _alike(recorded, words), at, recorded))
    nearest.sort(key=itemgetter(0, 1))
    found = [(recordings.all[at], recorded) for _distance, at, recorded in nearest[:NEAREST]]
    return [_differing(one, recorded, came[one.source]) for one, recorded in found]


def _last(body: Mapping[str, Any]) -> Any:
    messages = _list(body.get("messages"))
    return messages[-1] if messages else None


def _alike(recorded: Mapping[str, Any], text: str) -> float:
    """How alike the last messages are, letter by letter, from 0 to 1: too slow for all recordings."""
    return SequenceMatcher(None, _words(_last(recorded))[:LETTERS], text[:LETTERS]).quick_ratio()


def _why_not(recordings: Recordings, same: Sequence[Recording], attempt: Attempt, tally: Tally) -> str:
    kinds = {recording.stream for recording in same}
    if recordings.matching.exact and attempt.stream not in kinds:
        return (
            "was asked "
            + ("for a stream" if True in kinds else "without a stream")
            + ", and recordings must fit exactly (`exact`)"
        )
    count = len(same)
    return "was played already" if count == 1 else f"all {count} recordings of this request were played already"


def _miss(recording: Recording, fields: int, mismatches: tuple[Mismatch, ...], reason: str = "") -> NearMiss:
    ref = recording.ref
    return NearMiss(ref.name, ref.source, ref.line, fields, mismatches, reason)


def _compared(body: Mapping[str, Any], source: Source, recordings: Recordings) -> dict[str, Any]:
    """A body as it counts beside recordings of this source: what a gateway was asked, or what a provider was."""
    if source == "provider":
        model = body.get("model")
        body = raw_request_json(body, model.rpartition("/")[2] if isinstance(model, str) else "", stream=False)
    return normalised(body, recordings.matching.ignore)


def _recorded(recording: Recording, recordings: Recordings) -> Mapping[str, Any]:
    return _compared(object_in(recording.interaction.request.body) or {}, recording.source, recordings)


def _distance(want: Mapping[str, Any], got: Mapping[str, Any]) -> float:
    """How far two bodies are apart: messages count for most."""
    keys = (want.keys() | got.keys()) - {"messages"}
    apart = float(sum([want.get(key) != got.get(key) for key in keys]))
    theirs, ours = _list(want.get("messages")), _list(got.get("messages"))
    apart += 2.0 * abs(len(theirs) - len(ours))
    for one, other in zip(theirs, ours, strict=False):
        if one != other:
            apart += 2.0 - likeness(_words(one), _words(other))
    return apart


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _words(message: Any) -> str:
    content = message.get("content") if isinstance(message, Mapping) else None
    return content if isinstance(content, str) else orjson.dumps(content).decode()


def _differing(recording: Recording, want: Mapping[str, Any], got: Mapping[str, Any]) -> NearMiss:
    found = list(differences(want, got))
    told = found[:DIFFERENCES]
    if len(found) > DIFFERENCES:
        told.append(Mismatch(f"… and {len(found) - DIFFERENCES} more", "", ""))
    return _miss(recording, max(len(want), len(found)), tuple(told))


def differences(want: Any, got: Any, path: str = "") -> Iterator[Mismatch]:
    """What differs between what was recorded and what came, place by place."""
    if isinstance(want, Mapping) and isinstance(got, Mapping):
        for key in {**want, **got}:
            here = f"{path}.{key}" if path else str(key)
            if key not in got:
                yield Mismatch(here, _shown(want[key]), "nothing")
            elif key not in want:
                yield Mismatch(here, "nothing", _shown(got[key]))
            else:
                yield from differences(want[key], got[key], here)
    elif isinstance(want, list) and isinstance(got, list):
        for number, (one, other) in enumerate(zip(want, got, strict=False)):
            yield from differences(one, other, f"{path}[{number}]")
        if len(want) != len(got):
            number = min(len(want), len(got))
            longer = want if len(want) > len(got) else got
            sides = (_shown(longer[number]), "nothing") if longer is want else ("nothing", _shown(longer[number]))
            yield Mismatch(f"{path}[{number}]", *sides)
    elif type(want) is not type(got) or want != got:
        if isinstance(want, str) and isinstance(got, str):
            yield _texts(path, want, got)
        else:
            yield Mismatch(path, _shown(want), _shown(got))


def _texts(path: str, want: str, got: str) -> Mismatch:
    """Two texts, from shortly before the place where they part."""
    start = 0
    if max(len(want), len(got)) > SHOWN:
        start = next(
            (at for at, (one, other) in enumerate(zip(want, got, strict=False)) if one != other),
            min(len(want), len(got)),
        )
        start = max(0, start - _BEFORE)
    lead = "…" if start else ""
    note = f"from character {start}" if start else ""
    return Mismatch(path, _shown(lead + want[start:]), _shown(lead + got[start:]), note, likeness(want, got))


def _shown(value: Any) -> str:
    """A value as an explanation shows it: cut where it is long, without what looks like a key."""
    return shown(
        redact_text(value) if isinstance(value, str) else orjson.loads(redact_text(orjson.dumps(value).decode()))
    )
