"""A provider's stream as it is heard while it comes: increments one by one, and at any time the answer so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal

import orjson

from mockbifrost.cassette.answers import error_in, event_error
from mockbifrost.provider.answer import Answer
from mockbifrost.provider.connection import ConnectionFault, How, Place
from mockbifrost.provider.increments import joined_choices, numbered
from mockbifrost.provider.transcript import NoAnswer, StreamReader, Transcript
from mockbifrost.seeds import Draws
from mockbifrost.values import value
from mockbifrost.wire.chunk import Delta
from mockbifrost.wire.headers import HOP_BY_HOP
from mockbifrost.wire.sse import DONE_DATA, Decoder, Event

BreakKind = Literal["reset", "closed", "silent"]
_HOW: Final[Mapping[BreakKind, How]] = {"reset": "reset", "closed": "fin", "silent": "fin"}


@value
class Break:
    """How a connection broke off `at_s` seconds after it had been asked, in the words of whoever noticed."""

    kind: BreakKind
    cause: str
    at_s: float

    def alone(self, *, begun: bool) -> ConnectionFault:
        """As a provider's fault that leaves nothing of an answer; `begun`: a part of a plain one had come."""
        if self.kind == "silent":
            return ConnectionFault("no_response", took_s=self.at_s)
        return ConnectionFault(
            "truncated" if begun else "reset", how=_HOW[self.kind], took_s=self.at_s, cause=self.cause
        )


class StreamHearing:
    """One stream of a provider. What was given out of it stays as it is, whatever comes later; ids that nobody gave are drawn."""

    def __init__(self, headers: Mapping[str, str], draws: Draws) -> None:
        self._headers = {name: text for name, text in headers.items() if name not in HOP_BY_HOP}
        self._draws = draws
        self._reader = StreamReader(gateway=False)
        self._decoder = Decoder()
        self._deltas: list[Delta] = []
        self._head: Transcript | None = None
        self._drawn = 0
        self._fault: ConnectionFault | None = None
        self._ended = False
        self.done = False
        """Whether nothing more is to be heard: it has said `[DONE]`, or something that ends it."""

    def feed(self, data: bytes, at_s: float) -> list[Delta]:
        """The increments that are complete with these bytes. Those of one chunk are one increment each."""
        before = len(self._deltas)
        for event in self._decoder.feed(data):
            if self.done:
                break
            self._take(event, at_s)
        return self._deltas[before:]

    def _take(self, event: Event, at_s: float) -> None:
        if event.data == DONE_DATA:
            self.done = self._ended = True
            return
        place = Place("increments", len(self._deltas))
        try:
            chunk = orjson.loads(event.data)
            if not isinstance(chunk, dict):
                raise NoAnswer("an event is no object")
            if error_in(chunk) is not None or event.event == "error":
                self._fault = ConnectionFault("error_event", place, error=event_error(chunk), took_s=at_s)
                self.done = True
                return
            self._deltas += [self._with_ids(delta) for delta in self._reader.take(chunk, at_s)]
        except (orjson.JSONDecodeError, NoAnswer):
            self._fault = ConnectionFault("malformed", place, took_s=at_s)
            self.done = True

    def _with_ids(self, delta: Delta) -> Delta:
        """With an id for each call that begins without one."""
        calls = []
        for call in delta.calls:
            if call.start is not None and call.start.id is None:
                drawn = "call_" + self._draws.token(f"call-{self._drawn}", 24)
                self._drawn += 1
                call = replace(call, start=replace(call.start, id=drawn))
            calls.append(call)
        return replace(delta, calls=tuple(calls)) if calls else delta

    def so_far(self) -> Answer:
        """The answer as an open one; its name, model and time stay as they are now."""
        answer = self._answer(0.0)
        return replace(answer, open=True)

    def said(self, broke: Break | None, at_s: float) -> Answer | ConnectionFault:
        """All that came, with the fault that ended it, if one did. `broke` None: the connection ended as it should."""
        fault = self._fault
        place = Place("increments", len(self._deltas))
        if fault is None and not self._ended:
            why = any(delta.finish_reason is not None for delta in self._deltas)
            if broke is not None and broke.kind == "silent":
                fault = ConnectionFault("stall", place) if self._deltas else broke.alone(begun=False)
            elif broke is not None and not (why and broke.kind == "closed"):
                fault = ConnectionFault("cut", place, how=_HOW[broke.kind], took_s=broke.at_s, cause=broke.cause)
            elif why:
                fault = ConnectionFault("no_done")
            elif self._deltas:
                fault = ConnectionFault("cut", place, took_s=at_s)
            else:
                fault = ConnectionFault("not_sse" if self._decoder.pending else "empty", took_s=at_s)
        if fault is not None and not self._deltas:
            return replace(fault, place=Place("after_chunks"))
        return replace(self._answer(at_s), fault=fault)

    def _answer(self, took_s: float) -> Answer:
        deltas = numbered(self._deltas)
        transcript = self._reader.told(joined_choices(deltas), deltas, took_s)
        if self._head is None:
            self._head = transcript
        head = self._head
        transcript = replace(
            transcript,
            id=head.id,
            created=head.created,
            model=head.model,
            system_fingerprint=head.system_fingerprint,
            service_tier=head.service_tier,
        )
        answer = transcript.answer(transcript.draft(transcript.choices, deltas, took_s), self._draws)
        return replace(answer, headers=self._headers)
