"""Writes down what an upstream answered: each interaction when it has ended, the bad ones into a file of their own."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from mockbifrost.cassette.answers import source_of
from mockbifrost.cassette.format import read_cassette
from mockbifrost.cassette.interaction import About, Cassette, Interaction, RecordedRequest, RecordedResponse
from mockbifrost.cassette.keys import Asked, Ignore
from mockbifrost.cassette.record_mode import Plan, RecordMode, ended_well, plan_of, says_the_same
from mockbifrost.cassette.redact import Redactor
from mockbifrost.cassette.tape import Tape
from mockbifrost.clock import utc_text
from mockbifrost.errors import CassetteError, RecordRefusedError, UsageError
from mockbifrost.serve.fetch import Fetch
from mockbifrost.serve.upstream import Posted
from mockbifrost.serve.upstream_settings import UpstreamSettings
from mockbifrost.session.sources import QUARANTINE
from mockbifrost.values import value
from mockbifrost.wire.jsontypes import object_in

LOG: Final = logging.getLogger("mockbifrost")
_TRACE: Final = "x-bifrost-trace-id"
_ROUTING: Final = b'"routing_info"'
_APART: Final = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})
"""Headers by whose values requests are told apart that are otherwise the same; so are those that begin with `x-bf-`."""

Kind = Literal["recorded", "replaced", "unchanged", "quarantined", "lost"]
"""`quarantined`: it ended badly; `lost`: there was nothing that could be written down, or nowhere to write it."""


@dataclass(frozen=True, slots=True)
class RecordSettings:
    """What is recorded, and where. `redact` are further patterns of secrets, `ignore` what does not tell requests apart.

    `keep_errors`: what ends badly stands with the rest; `any_address`: also where others than this machine can reach the server.
    """

    cassette: Path | None = None
    mode: RecordMode = "none"
    redact: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    keep_errors: bool = False
    any_address: bool = False


@value
class Taken:
    """What became of one interaction. `number` is its place in the file, 0 where it has none; `said` is it in a few words."""

    kind: Kind
    number: int
    said: str


Report = Callable[[Taken], None]


def quarantine_path(cassette: Path) -> Path:
    """Where interactions go that ended badly: `demo.errors.yaml` beside `demo.yaml`."""
    return cassette.with_name(cassette.stem + QUARANTINE)


class Recorder:
    """One cassette that is recorded to. Memory does not grow with what is recorded, but for 16 bytes of a key where order matters."""

    def __init__(
        self, tape: Tape, path: Path, upstream: UpstreamSettings, settings: RecordSettings, report: Report | None = None
    ) -> None:
        self._tape = tape
        self._path = path
        self._upstream = upstream
        self._keep_errors = settings.keep_errors
        self._report = report
        self._redactor = Redactor(settings.redact)
        self._ignore = Ignore(settings.ignore)
        self._errors: Tape | None = None
        self.kinds: Counter[Kind] = Counter()
        """How many interactions were what."""
        self.redacted: Counter[str] = Counter()
        """What was taken out, by kind."""
        self._places: dict[bytes, list[int]] | None = None
        self._asked: Counter[bytes] = Counter()
        if settings.mode == "all":
            self._places = {}
            for interaction in tape.cassette.interactions:
                self._places.setdefault(self._key(interaction), []).append(interaction.number)

    def shared_key(self, request: Posted, *, stream: bool) -> bytes:
        """What requests have in common that may be answered by one and the same asking."""
        body = object_in(request.body) or {}
        found = blake2b(_digest(body, self._ignore, self._upstream.kind), digest_size=16)
        found.update(b"stream" + orjson.dumps(body.get("stream_options")) if stream else b"plain")
        for name, text in sorted(request.headers):
            if name in _APART or name.startswith("x-bf-"):
                found.update(f"\0{name}\0{text}".encode())
        return found.digest()

    def take(self, fetch: Fetch) -> None:
        """Write down what an upstream answered. Never raises: where it can't be written, that is logged, and the client has its answer."""
        interaction = self._interaction(fetch)
        if interaction is None:
            why = fetch.broke.cause if fetch.broke is not None else "said nothing"
            self._note("lost", 0, f"{_said_of(fetch.request)}: the upstream {why}")
            return
        try:
            self._write(interaction, whole=fetch.complete)
        except (CassetteError, RecordRefusedError) as error:
            LOG.error("An answer could not be recorded: %s", error)
            self._note("lost", 0, _in_words(interaction))

    def _write(self, interaction: Interaction, *, whole: bool) -> None:
        clean, counts = self._redactor.redacted(interaction)
        self.redacted.update(counts)
        words = _in_words(interaction)
        if not self._keep_errors and not (whole and ended_well(interaction)):
            self._errors = self._errors or Tape.open(quarantine_path(self._path))
            self._note("quarantined", self._errors.append(clean), words)
            return
        before = self._before(clean) if self._places is not None else None
        if before is None:
            self._note("recorded", self._tape.append(clean), words)
        elif says_the_same(before.response, clean.response):
            self._note("unchanged", before.number, words)
        else:
            about = replace(clean.about, name=before.about.name, expires=before.about.expires)
            self._tape.replace(before.number, replace(clean, about=about))
            self._note("replaced", before.number, words)

    def _before(self, interaction: Interaction) -> Interaction | None:
        """The recorded interaction whose place this one takes: the k-th of a request for the k-th of this run."""
        assert self._places is not None
        key = self._key(interaction)
        place = self._asked[key]
        self._asked[key] += 1
        numbers = self._places.get(key, ())
        return self._tape.cassette.interactions[numbers[place] - 1] if place < len(numbers) else None

    def _key(self, interaction: Interaction) -> bytes:
        body = object_in(interaction.request.body) or {}
        kind = source_of(interaction)
        found = blake2b(_digest(body, self._ignore, kind), digest_size=16)
        found.update(b"stream" if body.get("stream") is True else b"plain")
        return found.digest()

    def _interaction(self, fetch: Fetch) -> Interaction | None:
        """What was asked and answered; None: nothing was answered."""
        if fetch.incoming is None:
            return None
        response = fetch.response()
        request = RecordedRequest("POST", fetch.request.url, fetch.request.headers, fetch.request.body)
        about = About(
            recorded_at=utc_text(),
            source=self._upstream.kind,
            gateway=_release(response) if self._upstream.kind == "gateway" else None,
            client=dict(fetch.request.headers).get("user-agent"),
            upstream=self._upstream.origin,
        )
        return Interaction(request, response, about)

    def _note(self, kind: Kind, number: int, words: str) -> None:
        self.kinds[kind] += 1
        if self._report is not None:
            self._report(Taken(kind, number, words))

    def close(self) -> None:
        """Bring the files into order. Raises RecordRefusedError where that fails; what was recorded can be read all the same."""
        try:
            self._tape.close()
        finally:
            if self._errors is not None:
                self._errors.close()

    def summary(self) -> list[str]:
        """What was recorded, in lines."""
        counts = self.kinds
        lines = [f"{counts['recorded'] + counts['replaced']} recorded into {self._path}"]
        if counts["replaced"]:
            lines[0] += f", {counts['replaced']} of them in the place of others"
        if counts["unchanged"]:
            lines.append(f"{counts['unchanged']} said what was recorded already")
        if counts["quarantined"]:
            lines.append(f"{counts['quarantined']} ended badly and went to {quarantine_path(self._path)}")
        if counts["lost"]:
            lines.append(f"{counts['lost']} could not be recorded")
        if self.redacted:
            taken = ", ".join([f"{count} {kind}" for kind, count in sorted(self.redacted.items())])
            lines.append(f"redacted: {taken}")
        return lines


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a server plays and records: the cassette that it has to play, if it has, and the recorder, if it has one."""

    plan: Plan
    cassette: Cassette | None = None
    recorder: Recorder | None = None


def prepare(
    settings: RecordSettings, upstream: UpstreamSettings | None, *, loopback: bool, report: Report | None = None
) -> Prepared:
    """Open what is recorded to, before anybody listens. `loopback`: only this machine will reach the server.

    Raises UsageError where the settings do not fit together, CassetteError for a cassette that can't be read, RecordRefusedError where
    nothing can be written or others could use the keys that pass through.
    """
    path, mode = settings.cassette, settings.mode
    if mode != "none" and upstream is None and mode == "all":
        raise UsageError("record mode `all` asks an upstream, and there is none; say which with --upstream URL")
    if mode != "none" and path is None:
        raise UsageError(f"record mode `{mode}` needs a file to record to; say which with --cassette FILE")
    if path is None:
        return Prepared(plan_of(mode, recorded=False, upstream=upstream is not None))
    if mode == "none" or upstream is None:
        return Prepared(plan_of("none", recorded=True, upstream=upstream is not None), read_cassette(path))
    if not loopback and not settings.any_address:
        raise RecordRefusedError(
            "Recording passes keys through, and others than this machine could use this address;"
            " listen on 127.0.0.1, or say --record-on-any-address"
        )
    tape = Tape.open(path)
    try:
        plan = plan_of(mode, recorded=bool(tape.cassette.interactions), upstream=True)
        if not plan.records:
            tape.close()
            return Prepared(plan, tape.cassette)
        recorder = Recorder(tape, path, upstream, settings, report)
    except BaseException:
        tape.close()
        raise
    return Prepared(plan, tape.cassette if plan.plays else None, recorder)


def _digest(body: Mapping[str, Any], ignore: Ignore, kind: str) -> bytes:
    asked = Asked(body, ignore)
    key = asked.of_gateway() if kind == "gateway" else asked.of_provider(asked.model)
    return b"\0".join([kind.encode(), key.digest, key.model.encode(), *[one.encode() for one in key.fallbacks]])


def _release(response: RecordedResponse) -> str | None:
    """The release of a gateway, as far as it shows. Source: wire.md 0.1."""
    if response.header(_TRACE) is not None:
        return "2.2"
    return "1.6" if _ROUTING in response.body else None


def _said_of(request: Posted | RecordedRequest) -> str:
    body = object_in(request.body) or {}
    return f"POST {body.get('model', '?')} {'stream' if body.get('stream') is True else 'plain'}"


def _in_words(interaction: Interaction) -> str:
    response = interaction.response
    count = len(response.pieces)
    pieces = f"{count} {'chunk' if count == 1 else 'chunks'}" if response.is_stream else f"{len(response.body)} bytes"
    return f"{_said_of(interaction.request)} {response.status}, {pieces} in {response.took_ms / 1000:.1f} s"
