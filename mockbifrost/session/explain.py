"""Which stub or recording answers a request and why the others don't, without counting anything."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mockbifrost.cassette.nearest import near_misses
from mockbifrost.cassette.recordings import Recording
from mockbifrost.gateway.pipeline import Asked, first_attempt
from mockbifrost.match.attempt import Moment
from mockbifrost.match.conversation import Conversation
from mockbifrost.match.near_miss import NearMiss
from mockbifrost.provider.tally import Tally
from mockbifrost.scenario.stubs import Stub
from mockbifrost.session.session import Session
from mockbifrost.wire.headers import RequestHeaders
from mockbifrost.wire.request import fingerprint, parse_body, validate

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Explanation:
    """Who answers, a stub or a recording, what a provider would refuse before that, and what each other stub says to it."""

    answers: Stub | None
    refused: str | None
    others: tuple[NearMiss, ...]
    plays: Recording | None = None

    @property
    def answered(self) -> bool:
        """Whether anything answers."""
        return self.answers is not None or self.plays is not None

    def text(self, most: int = SHOWN) -> str:
        """In lines: who answers, then the others in the order in which they are tried."""
        if self.refused is not None:
            lines = [f"The provider refuses this request before any stub is asked: {self.refused}"]
        elif self.answers is not None:
            lines = [f'Answered by "{self.answers.ref.label}" ({self.answers.ref.place}).']
        elif self.plays is not None:
            lines = [f'Answered by the recording "{self.plays.ref.label}" ({self.plays.ref.place}).']
        else:
            lines = ["Nothing answers this request."]
        for other in self.others[:most]:
            if other.reason:
                lines.append(f"  {other.label}: matches but {other.reason}")
            else:
                lines.append(f"  {other.label}: {len(other.mismatches)} of {other.fields} fields differ")
                lines += [f"    {mismatch}" for mismatch in other.mismatches]
        if len(self.others) > most:
            lines.append(f"  … and {len(self.others) - most} more stubs")
        return "\n".join(lines)


def explain(session: Session, body: bytes, headers: RequestHeaders | None = None) -> Explanation:
    """Explain the primary's first attempt as it would be made now. Raises InvalidBody for a body that can't be understood."""
    parsed = parse_body(body)
    request = validate(parsed)
    print_ = fingerprint(parsed)
    moment = Moment(session.clock.elapsed_s(), session.clock.created(), 0, 0)
    asked = Asked(Conversation(request, parsed), headers or RequestHeaders(()), moment, session.seed, print_)
    attempt, refusal = first_attempt(asked, session.gateway)
    tally = Tally(session.counters.counts, {}, session.gates)
    reached = session.stubs.ask(attempt, tally) if refusal is None else None
    plays: Recording | None = None
    if reached is not None and reached.said is None:
        found = [recordings.find(attempt, reached.tally) for recordings in session.providers.recordings]
        plays = next((recording for recording in found if recording is not None), None)
    answers: Stub | None = None
    others: list[NearMiss] = []
    for stub in session.stubs:
        if reached is not None and reached.said is not None and stub.ref == reached.stub and answers is None:
            answers = stub
            continue
        miss = session.stubs.near_miss(stub, attempt, tally, tally.count(stub.reached_key))
        if answers is not None and not miss.mismatches:
            miss = replace(miss, reason="comes later")
        others.append(miss)
    if answers is None and plays is None:
        for recordings in session.providers.recordings:
            others += near_misses(recordings, attempt, tally)
    return Explanation(answers, refusal.message if refusal is not None else None, tuple(others), plays)
