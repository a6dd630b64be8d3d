"""What `replay` names in a scenario, found among the cassettes: neither side knows the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from mockbifrost.cassette.format import read_cassette
from mockbifrost.cassette.interaction import Cassette
from mockbifrost.cassette.keys import Ignore
from mockbifrost.cassette.nearest import near_misses
from mockbifrost.cassette.recordings import Matching, Recording, Recordings
from mockbifrost.cassette.redact import Redactor
from mockbifrost.errors import CassetteError, Finding, ScenarioError, UsageError
from mockbifrost.match.attempt import Attempt
from mockbifrost.match.near_miss import in_words
from mockbifrost.provider.answer import Answer, Broken, RawAnswer, Said
from mockbifrost.provider.pace import Pace
from mockbifrost.provider.tally import Tally
from mockbifrost.scenario import compile as compiling
from mockbifrost.scenario.compile import Written, reply_script
from mockbifrost.scenario.pace_model import PaceModel
from mockbifrost.scenario.replay_model import MATCH, ReplayModel
from mockbifrost.scenario.reply_model import ReplyModel
from mockbifrost.scenario.scripts import Counting, Script, Tools
from mockbifrost.scenario.stubs import paste_stub
from mockbifrost.vocabulary.node import did_you_mean

MOST_LISTED: Final = 5
_SAID: Final = (
    "content", "reasoning", "reasoning_details", "tool_calls", "refusal", "annotations", "audio", "logprobs", "finish_reason",
    "choices", "fragments", "message",
)  # fmt: skip
"""The keys of a reply that say what one choice says."""


class ReplayFiles:
    """The cassettes that scenarios name, each read once. `sent` are those that need not be looked for, by their paths."""

    def __init__(self, sent: Mapping[Path, Cassette] | None = None) -> None:
        self._read: dict[Path, Cassette] = dict(sent or {})

    def script(self, model: ReplayModel, pace: Pace, anew: bool, place: Written) -> Script:
        """What plays the recording. Raises ScenarioError where there is no such cassette or interaction."""
        cassette = self._cassette(model, place)
        try:
            matching = Matching(Ignore(model.ignore or ()), model.exact, model.on_end, Redactor().redacted_body)
        except UsageError as error:
            raise _refused(place, str(error)) from None
        recordings = Recordings([cassette], matching, f"{place.source}:{place.line}")

        def making(recording: Recording) -> Script | None:
            return _anew(recording, model.with_, pace, place) if anew else None

        if model.interaction == MATCH:
            return MatchScript(recordings, making, pace.speed)
        recording = self._named(recordings, cassette, model.interaction, place)
        return ReplayScript(recording, making(recording), pace.speed)

    def _cassette(self, model: ReplayModel, place: Written) -> Cassette:
        path = Path(place.source).parent / model.cassette
        known = self._read.get(path)
        if known is None:
            try:
                known = self._read[path] = read_cassette(path)
            except CassetteError as error:
                raise ScenarioError([replace_place(finding, place) for finding in error.findings]) from None
        return known

    def _named(self, recordings: Recordings, cassette: Cassette, wanted: int | str, place: Written) -> Recording:
        for recording in recordings:
            interaction = recording.interaction
            if wanted in (interaction.number, interaction.about.name):
                return recording
        if isinstance(wanted, int):
            count = len(cassette.interactions)
            hint = f"it has {count}; write a number from 1 to {count}" if count else "it is empty"
            raise _refused(place, f"{cassette.file} has no interaction {wanted} that is a chat completion", hint)
        names = [one.about.name for one in cassette.interactions if one.about.name]
        hint = did_you_mean(wanted, names) or (
            f"its names are {', '.join(names[:MOST_LISTED])}" if names else "none of them has a name"
        )
        raise _refused(place, f"{cassette.file} has no interaction called {wanted!r}", hint)


def replace_place(finding: Finding, place: Written) -> Finding:
    """What is wrong with a cassette, where the scenario names it."""
    return Finding(place.source, place.line, 1, "replay", str(finding))


def _refused(place: Written, message: str, hint: str = "") -> ScenarioError:
    return ScenarioError([Finding(place.source, place.line, 1, "replay", message, hint)])


def _anew(recording: Recording, over: ReplyModel | None, pace: Pace, place: Written) -> Script:
    """The recording in the words of a scenario, with what is laid over it."""
    from mockbifrost.cassette.spoken import pace_of, reply_of

    if recording.interaction.response.status >= 400:
        raise _refused(
            place,
            f"{recording.interaction.label} is an error, so nothing can be laid over it",
            "remove `with` and `pace`",
        )
    said: dict[str, Any] = dict(reply_of(recording.interaction))
    given = over.model_dump(exclude_unset=True, by_alias=True) if over is not None else {}
    for key in _replaced(given):
        said.pop(key, None)
    try:
        model = ReplyModel.model_validate({**said, **given})
        own = PaceModel.model_validate(pace_of(recording.interaction) or {})
    except ValidationError as error:
        raise _refused(place, f"{recording.interaction.label} can't be told anew: {error.errors()[0]['msg']}") from None
    base = compiling.pace_of(own, Pace(speed=pace.speed))
    return reply_script(model, base if pace == Pace(speed=pace.speed) else pace, place.defaults)


def _replaced(given: Mapping[str, Any]) -> tuple[str, ...]:
    """What was recorded that has no place beside what is given."""
    if "choices" in given or "chunks" in given:
        return _SAID
    return ("content",) if "faker" in given else ()


@dataclass(frozen=True, slots=True)
class ReplayScript:
    """One interaction; `anew` is what says it otherwise than it was recorded."""

    recording: Recording
    anew: Script | None
    speed: float | None

    def fails(self, attempt: Attempt) -> bool:
        """As it was recorded."""
        return self.recording.fails(attempt)

    def perform(self, attempt: Attempt, tools: Tools) -> Said:
        """What it says to this attempt."""
        if self.anew is not None:
            return self.anew.perform(attempt, tools)
        return _at(self.recording.said(attempt), self.speed)


@dataclass(frozen=True)
class MatchScript(Counting):
    """The interactions of a cassette that were asked the same, in their order."""

    recordings: Recordings
    making: Callable[[Recording], Script | None]
    speed: float | None
    made: dict[int, Script | None] = field(default_factory=dict, compare=False, repr=False)

    def fails(self, attempt: Attempt) -> bool:
        """What it will play is not known before it is counted."""
        return False

    def perform(self, attempt: Attempt, tools: Tools) -> Said:
        """What it says to this attempt where nothing is counted."""
        return self.play(attempt, tools, Tally({}, {}, {}))

    def play(self, attempt: Attempt, tools: Tools, tally: Tally) -> Said:
        """What it says to this attempt; where nothing was recorded for it, the error that says so."""
        recording = self.recordings.find(attempt, tally)
        if recording is None:
            misses = near_misses(self.recordings, attempt, tally)
            return Broken("no_match", in_words(attempt, misses, 0, paste_stub(attempt), len(self.recordings)))
        number = recording.interaction.number
        if number not in self.made:
            self.made[number] = self.making(recording)
        anew = self.made[number]
        return anew.perform(attempt, tools) if anew is not None else _at(recording.said(attempt), self.speed)


def _at(said: Said, speed: float | None) -> Said:
    """The same at a stub's own speed."""
    if speed is None:
        return said
    if isinstance(said, Answer):
        return replace(said, draft=replace(said.draft, speed=speed, molds={}))
    return replace(said, speed=speed) if isinstance(said, RawAnswer) else said
