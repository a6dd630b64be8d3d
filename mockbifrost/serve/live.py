"""Requests that a live upstream answers: it is asked, its pieces go out as they come, and the gateway decides with what was heard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson

from mockbifrost.cassette.answers import Heard, handed_on, heard
from mockbifrost.cassette.hearing import Break, StreamHearing
from mockbifrost.cassette.interaction import About, Headers, Interaction, RecordedRequest
from mockbifrost.clock import sleep_until
from mockbifrost.gateway.configuration import ProviderRules
from mockbifrost.gateway.deviations import NEEDS_ALL
from mockbifrost.gateway.outcome import Telling
from mockbifrost.match.attempt import Attempt
from mockbifrost.playback.player import Played, play
from mockbifrost.playback.timeline import Timeline, timeline_of
from mockbifrost.provider.answer import Broken, RawAnswer, Said
from mockbifrost.provider.connection import ConnectionFault
from mockbifrost.serve.fetch import Fetch
from mockbifrost.serve.protocol import Responder
from mockbifrost.serve.upstream import Incoming, Patience, Upstream, posted
from mockbifrost.session.session import Exchange, Received, Session
from mockbifrost.wire.chunk import Delta
from mockbifrost.wire.headers import HOP_BY_HOP, encoded
from mockbifrost.wire.upstream import raw_request_json

if TYPE_CHECKING:
    from mockbifrost.serve.recorder import Recorder

LOG: Final = logging.getLogger("mockbifrost")
_OURS: Final = ("x-mockbifrost-session", "x-mockbifrost-call", "x-mockbifrost-stub")
"""Headers of an upstream that is a server like this one: each marks its own."""

Mark = Callable[[Timeline], None]


class Live:
    """The upstream of one server, and what is recorded of it."""

    def __init__(self, upstream: Upstream, recorder: Recorder | None, speed: float) -> None:
        self.upstream = upstream
        self.recorder = recorder
        self.speed = speed
        self._shared: dict[bytes, Fetch] = {}
        self._running: set[Fetch] = set()

    async def answer(
        self, exchange: Exchange, received: Received, session: Session, responder: Responder, mark: Mark, started: float
    ) -> Played:
        """Answer a request whose outcome is pending. `mark` adds our own headers; `started`: when the request had been read."""
        answering = _Answering(self, exchange, received, session, responder, mark, started)
        task = asyncio.current_task()
        assert task is not None  # this is a coroutine
        left = False

        def leave() -> None:
            nonlocal left
            left = True
            task.cancel()

        if responder.gone:
            return answering.abandoned()
        responder.on_leaving(leave)
        try:
            await answering.hear()
        except asyncio.CancelledError:
            if not left:
                raise
            task.uncancel()
            return answering.abandoned()
        finally:
            responder.on_leaving(None)
        return answering.played or await answering.play()

    def fetch(self, exchange: Exchange, received: Received, attempt: Attempt, patience: Patience) -> Fetch:
        """Ask the upstream; while recording, whoever asks what is being asked already listens to that."""
        settings = self.upstream.settings
        body = received.body
        if settings.kind == "provider":
            told = raw_request_json(attempt.conversation.body, attempt.served_model, stream=exchange.stream)
            body = orjson.dumps(told)
        request = posted(settings, received.raw_headers, body)
        recorder = self.recorder
        if recorder is None:
            return self._begun(Fetch(self.upstream, request, patience, self._ended))
        key = recorder.shared_key(request, stream=exchange.stream)
        shared = self._shared.get(key)
        if shared is not None and not shared.given_up:
            return shared

        def finished(fetch: Fetch) -> None:
            if self._shared.get(key) is fetch:
                del self._shared[key]
            self._ended(fetch)
            recorder.take(fetch)

        found = self._shared[key] = self._begun(Fetch(self.upstream, request, patience, finished))
        return found

    def _begun(self, fetch: Fetch) -> Fetch:
        self._running.add(fetch)
        return fetch

    def _ended(self, fetch: Fetch) -> None:
        self._running.discard(fetch)

    async def close(self) -> None:
        """Stop asking, and write down what there is of it."""
        for fetch in tuple(self._running):
            await fetch.stop()
        await self.upstream.close()


class _Answering:
    """One request on its way. Lives for one call of `Live.answer`."""

    def __init__(
        self,
        live: Live,
        exchange: Exchange,
        received: Received,
        session: Session,
        responder: Responder,
        mark: Mark,
        started: float,
    ) -> None:
        self.live = live
        self.exchange = exchange
        self.received = received
        self.session = session
        self.speed = live.speed if session.speed is None else session.speed
        self.responder = responder
        self.mark = mark
        self.loop = asyncio.get_running_loop()
        self.heard_at = started
        """The loop's time at which `lived_s` of scripted time had passed."""
        self.lived_s = 0.0
        self.chunks = 0
        self.so_far: Callable[[], Said] | None = None
        self.played: Played | None = None

    @property
    def provider_rules(self) -> ProviderRules:
        """Those of the provider that is asked."""
        attempt, undecided = self.exchange.awaited, self.exchange.undecided
        assert attempt is not None
        assert undecided is not None
        return undecided.gateway.providers.get(attempt.provider) or ProviderRules()

    async def hear(self) -> None:
        """Ask until nothing is pending any more, or the answer has been sent."""
        while (attempt := self.exchange.outcome.pending) is not None:
            await self.until(self.exchange.outcome.waited_s)
            whole = self.exchange.outcome.whole
            fetch = self.live.fetch(self.exchange, self.received, attempt, self.patience(whole))
            fetch.join()
            try:
                incoming = await fetch.begun()
                if whole:
                    await self.pass_on(fetch, incoming)
                elif incoming is not None and self.exchange.stream and incoming.is_stream and incoming.status < 400:
                    await self.tell(fetch, incoming, attempt)
                else:
                    await fetch.end()
                    self.decide(self.said(fetch, attempt), fetch)
            finally:
                fetch.leave()
            if fetch.broke is not None and not whole:
                LOG.warning("%s", self.sentence(fetch.broke))
            if self.played is not None:
                return

    def patience(self, whole: bool) -> Patience:
        """A gateway has as long as the operator gives it, a provider as long as the simulated gateway waits for it."""
        if whole or self.live.upstream.settings.kind == "gateway":
            return Patience(self.live.upstream.settings.timeout_s, self.live.upstream.settings.timeout_s)
        rules = self.provider_rules
        return Patience(rules.timeout_s, rules.stream_idle_timeout_s if self.exchange.stream else rules.timeout_s)

    async def until(self, scripted_s: float) -> None:
        """Wait as the script does between two attempts; what an upstream took has passed already."""
        if self.speed:
            await sleep_until(self.heard_at + (scripted_s - self.lived_s) / self.speed)
        self.lived_s, self.heard_at = scripted_s, self.loop.time()

    def decide(self, said: Said, fetch: Fetch, broken: str | None = None) -> None:
        """Decide again; the scripted time is now where the upstream's is."""
        self.lived_s += fetch.took_s or fetch.now_s()
        self.heard_at = self.loop.time()
        self.session.hear(self.exchange, said, broken)

    def sentence(self, broke: Break) -> str:
        """What became of the upstream."""
        return f"The upstream {self.live.upstream.settings.origin} {broke.cause}."

    async def play(self) -> Played:
        """Send what was decided, which nobody has been sent a part of."""
        outcome = self.exchange.outcome
        if outcome.broken is not None:
            LOG.warning("%s", outcome.message)
        speed = self.speed if outcome.speed is None else outcome.speed
        timeline = timeline_of(outcome, self.speed)
        self.mark(timeline)
        self.responder.begin(timeline)
        started = self.heard_at - (self.lived_s / speed if speed else 0.0)
        return await play(timeline, self.responder, started)

    def abandoned(self) -> Played:
        """The client has left: what it was sent is what there was."""
        if self.so_far is not None:
            self.session.hear(self.exchange, self.so_far())
        return Played(True, self.chunks)

    async def write(self, data: bytes) -> None:
        """Write a piece, and wait while the client reads too slowly."""
        if data:
            self.responder.write(data, last=False)
        if self.responder.full:
            await self.responder.drained()

    # ------------------------------------------------------------------------------------------------------- a gateway

    async def pass_on(self, fetch: Fetch, incoming: Incoming | None) -> None:
        """A gateway's response as it comes; the last piece of a known length when it is written down."""
        if incoming is None:
            self.unreached(fetch)
            return
        headers = tuple([pair for pair in handed_on(incoming.headers) if pair[0] not in _OURS])
        timeline = Timeline(incoming.status, encoded(headers), b"", length=incoming.length)
        self.so_far = lambda: self.raw(fetch, headers)
        self.mark(timeline)
        self.responder.begin(timeline)
        size, last = 0, b""
        async for _at_s, data in fetch.follow():
            size += len(data)
            self.chunks += 1
            if incoming.length is not None and size >= incoming.length:
                last += data
            else:
                await self.write(data)
        if fetch.broke is None:
            self.decide(self.raw(fetch, headers), fetch)
            self.responder.write(last, last=True)
        elif not self.responder.begun:
            self.unreached(fetch)
            return
        else:
            self.decide(self.raw(fetch, headers), fetch, self.sentence(fetch.broke))
            LOG.warning("%s", self.sentence(fetch.broke))
            self.responder.cut()
        self.played = Played(False, self.chunks)

    def raw(self, fetch: Fetch, headers: Headers) -> RawAnswer:
        """What came, written out."""
        incoming = fetch.incoming
        assert incoming is not None
        return RawAnswer(incoming.status, headers, tuple(fetch.pieces))

    def unreached(self, fetch: Fetch) -> None:
        """A gateway that said nothing."""
        self.so_far = None
        broke = fetch.broke
        assert broke is not None  # it did not begin, or had nothing to say
        name = "provider_timeout" if broke.kind == "silent" else "request_failed"
        self.decide(Broken("upstream", self.sentence(broke), name, fetch.took_s), fetch)

    # ------------------------------------------------------------------------------------------------------ a provider

    def said(self, fetch: Fetch, attempt: Attempt) -> Said:
        """What a provider said that did not stream, or should not have."""
        broke, incoming, stream = fetch.broke, fetch.incoming, self.exchange.stream
        if broke is not None or incoming is None:
            assert broke is not None
            return broke.alone(begun=incoming is not None)
        response = fetch.response()
        request = RecordedRequest("POST", fetch.request.url, (), b"")
        told = heard(Interaction(request, response, About(source="provider")))
        if not isinstance(told, Heard):
            return told
        if stream or response.is_stream:
            return ConnectionFault("not_sse" if stream else "not_json", took_s=fetch.took_s)
        transcript = told.transcript
        answer = transcript.answer(transcript.draft(transcript.choices, (), fetch.took_s), attempt.draws)
        headers = {name: text for name, text in response.headers if name not in HOP_BY_HOP}
        return replace(answer, headers=headers, fault=told.fault)

    async def tell(self, fetch: Fetch, incoming: Incoming, attempt: Attempt) -> None:
        """A provider's stream: the gateway commits at its first good chunk, and passes on each further one when it comes."""
        undecided = self.exchange.undecided
        assert undecided is not None
        hearing = StreamHearing(dict(incoming.headers), attempt.draws)
        at_once = not undecided.gateway.quirks & NEEDS_ALL
        telling: Telling | None = None
        sent, before_s = 0, 0.0
        async for at_s, data in fetch.follow():
            new = hearing.feed(data, at_s)
            if telling is not None:
                sent += await self.send(telling.more(new))
            elif new and at_once:
                self.session.hear(self.exchange, hearing.so_far())
                self.so_far = hearing.so_far
                outcome = self.exchange.outcome
                if outcome.telling is None:  # too late, and decided otherwise
                    self.so_far = None
                    self.lived_s += fetch.now_s()
                    self.heard_at = self.loop.time()
                    return
                if outcome.cast.size:
                    telling = outcome.telling
                    self.begin()
                    sent += await self.send(
                        [
                            (mold.fill(outcome.values), content)
                            for mold, content in zip(outcome.cast.frames, outcome.cast.content, strict=True)
                        ]
                    )
            if hearing.done or (telling is not None and self.is_late(new, before_s)):
                break
            before_s = at_s if new else before_s
        self.so_far = None
        self.decide(hearing.said(fetch.broke, fetch.now_s()), fetch)
        if telling is not None:
            await self.finish(sent)

    def is_late(self, new: list[Delta], before_s: float) -> bool:
        """Whether the gateway had given up before this came."""
        return bool(new) and bool(before_s) and new[0].at_s - before_s > self.provider_rules.stream_idle_timeout_s

    def begin(self) -> None:
        """The response begins: from now on it is this answer, whatever becomes of it."""
        outcome = self.exchange.outcome
        timeline = Timeline(outcome.status, outcome.headers, b"")
        self.mark(timeline)
        self.responder.begin(timeline)

    async def send(self, frames: list[tuple[bytes, bool]]) -> int:
        """Write frames; how many they were."""
        self.chunks += sum([content for _frame, content in frames])
        await self.write(b"".join([frame for frame, _content in frames]))
        return len(frames)

    async def finish(self, sent: int) -> None:
        """The frames that follow those that were sent, and the end."""
        outcome = self.exchange.outcome
        cast = outcome.cast
        rest = b"".join([mold.fill(outcome.values) for mold in cast.frames[sent:]])
        self.chunks += sum(cast.content[sent:])
        if outcome.end == "hold":
            await self.write(rest)
            await self.loop.create_future()  # until the client leaves
        self.responder.write(rest, last=True)
        self.played = Played(False, self.chunks)
