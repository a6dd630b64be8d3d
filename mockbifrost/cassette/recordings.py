"""Recordings as a provider: which interaction answers an attempt, in the order in which they were recorded, and what came nearest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import orjson

from mockbifrost.cassette.answers import Heard, heard, replayed, source_of
from mockbifrost.cassette.blanks import BLANK, Blanks
from mockbifrost.cassette.interaction import Cassette, Interaction, Source
from mockbifrost.cassette.keys import NOTHING, Asked, Ignore, Key, Redact
from mockbifrost.errors import Finding
from mockbifrost.match.attempt import Attempt
from mockbifrost.match.conversation import Conversation
from mockbifrost.provider.answer import Draft, Failure, RawAnswer, Said, StubRef
from mockbifrost.provider.chunks import cut_choices
from mockbifrost.provider.connection import ConnectionFault
from mockbifrost.provider.pace import INSTANT
from mockbifrost.provider.protocol import Reached
from mockbifrost.provider.tally import Tally, Use
from mockbifrost.seeds import digest
from mockbifrost.wire.headers import HOP_BY_HOP
from mockbifrost.wire.jsontypes import object_in

OnEnd = Literal["repeat", "miss"]
PLACEHOLDER: Final = b"[redacted"
"""What stands in a body where something was taken out before it was written down."""


@dataclass(frozen=True, slots=True)
class Matching:
    """How recordings are found: what of a body does not count, whether a stream answers only a request for one (`exact`), and what
    comes after the last recording of a request."""

    ignore: Ignore = NOTHING
    exact: bool = False
    on_end: OnEnd = "miss"
    redact: Redact | None = None


DEFAULT: Final = Matching()


class Recording:
    """One interaction as it is played. What it says is worked out when it is first asked for, and once."""

    def __init__(self, interaction: Interaction, source: Source) -> None:
        self.interaction = interaction
        self.source = source
        self.stream = interaction.response.is_stream
        name = interaction.about.name or f"{interaction.file.rpartition('/')[2]}#{interaction.number}"
        self.ref = StubRef(name, interaction.file, interaction.line)
        self._raw: RawAnswer | None = None
        self._heard: Heard | Failure | ConnectionFault | None = None
        self._drafts: dict[bool, Draft] = {}

    def said(self, attempt: Attempt, *, anew: bool = False) -> Said:
        """What it says to an attempt. A gateway's response is played as it is where the request is of the same kind; `anew`: never."""
        kind_fits = attempt.stream == self.stream or self.interaction.response.status >= 400
        if self.source == "gateway" and kind_fits and not anew:
            if self._raw is None:
                self._raw = replayed(self.interaction.response)
            return self._raw
        told = self.told
        if not isinstance(told, Heard):
            return told
        answer = told.transcript.answer(self._draft(told, stream=attempt.stream), attempt.draws)
        return replace(answer, headers=self._headers(), fault=told.fault)

    @property
    def told(self) -> Heard | Failure | ConnectionFault:
        """What it says as a provider."""
        if self._heard is None:
            self._heard = heard(self.interaction)
        return self._heard

    def fails(self, attempt: Attempt) -> bool:
        """Whether nothing of an answer comes of it."""
        if self.interaction.response.status >= 400:
            return True
        told = self.told if self.source == "provider" else None
        if isinstance(told, Heard):
            return told.fault is not None and told.fault.fails(stream=attempt.stream, answered=True)
        return isinstance(told, ConnectionFault) and told.fails(stream=attempt.stream, answered=False)

    def _draft(self, told: Heard, *, stream: bool) -> Draft:
        draft = self._drafts.get(stream)
        if draft is None:
            transcript = told.transcript
            deltas = transcript.deltas
            if stream and not deltas:  # it was no stream: all of it comes when the whole had come
                deltas = cut_choices(transcript.choices, INSTANT.with_latency(transcript.latency_s), "openai", iter(()))
            needed = stream or told.fault is not None
            draft = transcript.draft(
                () if stream else transcript.choices, deltas if needed else (), transcript.latency_s
            )
            self._drafts[stream] = draft
        return draft

    def _headers(self) -> Mapping[str, str]:
        if self.source == "gateway":
            return {}
        return {name: text for name, text in self.interaction.response.headers if name not in HOP_BY_HOP}


@dataclass(slots=True)
class _Group:
    """The recordings of one request, in their order: those of plain answers and those of streams."""

    plain: list[Recording] = field(default_factory=list)
    streamed: list[Recording] = field(default_factory=list)
    id: str = ""

    def fitting(self, stream: bool, exact: bool) -> tuple[list[Recording], str]:
        """Those that a request is answered from, with what counts them."""
        own, other = (self.streamed, self.plain) if stream else (self.plain, self.streamed)
        takes_other = not own and not exact
        return (other if takes_other else own), self.id + (" s" if stream != takes_other else " p")


class Recordings:
    """The recordings of a session. Finding one does not depend on how many there are. Immutable: what was played is counted elsewhere.

    `scope` keeps the counts of the same recordings apart where they are played for two reasons.
    """

    def __init__(self, cassettes: Sequence[Cassette] = (), matching: Matching = DEFAULT, scope: str = "") -> None:
        self.matching = matching
        self._scope = scope
        self.all: tuple[Recording, ...] = tuple(
            [
                Recording(interaction, source_of(interaction))
                for cassette in cassettes
                for interaction in cassette.interactions
                if interaction.request.is_chat
            ]
        )
        self._groups: dict[tuple[Source, Key], _Group] = {}
        self._sources: set[Source] = set()
        self._blanks: dict[Source, Blanks[_Group]] = {"gateway": Blanks(), "provider": Blanks()}
        self._redacts = False
        self.left_out: list[Finding] = [finding for cassette in cassettes for finding in _elsewhere(cassette)]
        """Warnings: what of the cassettes is never played."""
        for recording in self.all:
            self._add(recording)

    def __len__(self) -> int:
        return len(self.all)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self.all)

    def _add(self, recording: Recording) -> None:
        body = object_in(recording.interaction.request.body)
        if body is None:
            self.left_out.append(_no_request(recording.interaction))
            return
        self._redacts = self._redacts or PLACEHOLDER in recording.interaction.request.body
        source = recording.source
        asked = Asked(body, self.matching.ignore)
        key = asked.of_gateway() if source == "gateway" else asked.of_provider(asked.model)
        group = self._groups.get((source, key))
        if group is None:
            id_ = "recording " + digest(self._scope, source, key.digest, key.model, *key.fallbacks, size=8).hex()
            group = self._groups[source, key] = _Group(id=id_)
            if BLANK.encode() in recording.interaction.request.body:
                self._blanks[source].add(asked.normal(source), key, group)
        (group.streamed if recording.stream else group.plain).append(recording)
        self._sources.add(source)

    def ask(self, attempt: Attempt, tally: Tally) -> Reached:
        """The next recording of this request, if there is one."""
        forked = tally.fork()
        recording = self.find(attempt, forked)
        if recording is None:
            return Reached(None, None, forked)
        return Reached(recording.said(attempt), recording.ref, forked)

    def find(self, attempt: Attempt, tally: Tally) -> Recording | None:
        """The same, counted in the tally: an error is spent by the attempt, an answer by the call, so that a retry gets it again."""
        for group in self._groups_of(attempt):
            found, counter = group.fitting(attempt.stream, self.matching.exact)
            if not found:
                continue
            use = tally.use_of(counter)
            place = use.place if use is not None else tally.count(counter)
            if place >= len(found):
                if self.matching.on_end == "miss":
                    continue
                place = len(found) - 1
            recording = found[place]
            if use is None:
                tally.add(counter)
                if not recording.fails(attempt):
                    tally.spend(counter, Use(0, place))
            return recording
        return None

    def _groups_of(self, attempt: Attempt) -> Iterator[_Group]:
        """The recordings of a gateway that was asked the same, then those of a provider; then those that blanks make the same."""
        asked = attempt.conversation.once(self, self._asked)
        keys: list[tuple[Source, Key]] = []
        if "gateway" in self._sources:
            keys.append(("gateway", asked.of_gateway()))
        if "provider" in self._sources:
            models = dict.fromkeys((attempt.served_model, attempt.model, asked.model))
            keys += [("provider", asked.of_provider(model)) for model in models]
        exact = [group for key in keys if (group := self._groups.get(key)) is not None]
        yield from exact
        for source, key in keys:
            if self._blanks[source]:
                for group in self._blanks[source].find(asked.normal(source), key):
                    if group not in exact:
                        yield group

    def _asked(self, conversation: Conversation) -> Asked:
        return Asked(self.comparable(conversation.body), self.matching.ignore)

    def comparable(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """A request's body as the recorded ones are: redacted, where anything was."""
        redact = self.matching.redact
        if not self._redacts or redact is None:
            return body
        found: Mapping[str, Any] = orjson.loads(redact(orjson.dumps(body)))
        return found

    def unplayed(self, counts: Mapping[str, int]) -> list[Recording]:
        """Those that nothing was answered from so far, by the session's counters."""
        found: list[Recording] = []
        for group in self._groups.values():
            for recordings, mark in ((group.plain, " p"), (group.streamed, " s")):
                found += recordings[counts.get(group.id + mark, 0) :]
        return sorted(found, key=lambda recording: (recording.interaction.file, recording.interaction.number))

    def of_the_same(self, attempt: Attempt) -> list[Recording]:
        """Those of the very request, of the other kind or played already."""
        return [one for group in self._groups_of(attempt) for one in (*group.plain, *group.streamed)]


def _elsewhere(cassette: Cassette) -> Iterator[Finding]:
    """One finding for all interactions of a file that ask something else than a chat completion."""
    others = [interaction for interaction in cassette.interactions if not interaction.request.is_chat]
    if others:
        first = others[0]
        more = f", and {len(others) - 1} more ask other things" if len(others) > 1 else ""
        text = f"interaction {first.number} asks {first.request.method} {first.request.path}{more}: never played"
        hint = "only POST …/chat/completions is"
        yield Finding(cassette.file, first.line, 1 if first.line else 0, "", text, hint, "warning")


def _no_request(interaction: Interaction) -> Finding:
    text = f"interaction {interaction.number} is never played: the body of its request is no JSON object"
    column = 1 if interaction.line else 0
    return Finding(interaction.file, interaction.line, column, "", text, "record it again, or remove it", "warning")


NO_RECORDINGS: Final = Recordings()
