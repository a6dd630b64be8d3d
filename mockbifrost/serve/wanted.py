"""What the control API is sent: read, checked, and refused with words that help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Final, get_args

import orjson
from starlette.requests import Request

from mockbifrost.cassette.keys import Ignore
from mockbifrost.cassette.recordings import Matching, OnEnd
from mockbifrost.clock import CLOCK_MODES, LONGEST_S
from mockbifrost.errors import CassetteError, Finding, ScenarioError, UsageError
from mockbifrost.scenario.compile import NO_DEFAULTS
from mockbifrost.scenario.load import defaults_from_mapping, load_sent, stub_from_mapping
from mockbifrost.scenario.loaded import LoadedStub
from mockbifrost.scenario.model import DefaultsModel
from mockbifrost.serve.body import BodyRefused, read_body
from mockbifrost.serve.replies import Reply, refusal
from mockbifrost.serve.settings import MOST_BODY_BYTES, checked_speed
from mockbifrost.session.registry import LONGEST_ID
from mockbifrost.session.sent import USES, SentFile
from mockbifrost.session.verify import PATIENCE_S, Checks
from mockbifrost.vocabulary.durations import parse_duration
from mockbifrost.vocabulary.node import described, did_you_mean, in_quotes, shortened
from mockbifrost.vocabulary.settings import GatewaySettings
from mockbifrost.wire.jsontypes import encode
from mockbifrost.wire.profiles import PROFILES

_OF_A_SESSION: Final = ("id", "seed", "speed", "clock", "version")
_OF_A_FILE: Final = ("name", "text", "use", "line")
_OF_MATCHING: Final = ("ignore", "exact", "on_end")
LARGEST_LINE: Final = 1_000_000_000
MOST_PATIENCE_S: Final = 20.0
"""So long nobody waits for open responses at the most."""


class Bad(Exception):
    """A request to the control API that can't be done: why, with the status, the name of the error, and what stands beside it."""

    def __init__(
        self, message: str, status: int = 400, kind: str = "bad_request", more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.more = more or {}

    def reply(self) -> Reply:
        """The error in the envelope, and all else beside it."""
        reply = refusal(self.status, self.kind, str(self))
        if not self.more:
            return reply
        return Reply(reply.status, encode({**orjson.loads(reply.body), **self.more}), reply.headers)


def refused(error: ScenarioError | CassetteError) -> Bad:
    """A scenario or a cassette that can't be used, with all that is wrong with it."""
    kind = "bad_scenario" if isinstance(error, ScenarioError) else "bad_cassette"
    return Bad(str(error), kind=kind, more={"findings": [_finding_json(finding) for finding in error.findings]})


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "file": finding.source,
        "line": finding.line,
        "column": finding.column,
        "key_path": finding.key_path,
        "message": finding.message,
        "hint": finding.hint,
    }


def wanted_session(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a new session is to be; null is as good as left out."""
    for key in given:
        if key not in _OF_A_SESSION:
            known = joined([f'"{name}"' for name in _OF_A_SESSION], "and")
            raise Bad(_advised(f"A session takes {known}, not {shortened(key)!r}", did_you_mean(key, _OF_A_SESSION)))
    wanted = {key: value for key, value in given.items() if value is not None}
    id, seed = wanted.get("id", ""), wanted.get("seed", 0)
    if not isinstance(id, str):
        raise Bad(_advised(f"id must be text, got {described(id)}", in_quotes(id)))
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise Bad(f"seed must be a whole number, got {described(seed)}.")
    try:
        checked_speed(wanted.get("speed", 0))
    except UsageError:
        raise Bad(f"speed must be a number from 0, got {described(wanted['speed'])}.") from None
    _one_of("clock", wanted, CLOCK_MODES)
    _one_of("version", wanted, tuple(PROFILES))
    return wanted


def _one_of(key: str, wanted: Mapping[str, Any], known: Sequence[str]) -> None:
    value = wanted.get(key, known[0])
    if value not in known:
        hint = in_quotes(value) if str(value) in known else did_you_mean(value, known)
        raise Bad(_advised(f"{key} must be {joined(known, 'or')}, got {described(value)}", hint))


def _advised(text: str, hint: str) -> str:
    return f"{text}; {hint}" if hint.endswith("?") else f"{text}; {hint}." if hint else f"{text}."


def joined(words: Sequence[str], last: str) -> str:
    """Words with commas, and with `last` before the last of them."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


async def body_of(request: Request) -> bytes:
    """The body. Raises Bad where it is too large."""
    try:
        return await read_body(request.receive, (), MOST_BODY_BYTES)
    except BodyRefused as error:
        raise Bad(error.message, error.status, error.kind) from None


async def object_of(request: Request) -> dict[str, Any]:
    """The body as a JSON object; an empty one has no keys."""
    return _json_object(await body_of(request))


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise Bad(f"The body is no JSON: {error}.") from None
    if not isinstance(value, dict):
        raise Bad("The body must be a JSON object.")
    return value


def wanted_span(value: object) -> float:
    """How far a clock is moved: a duration, or seconds as a number."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        seconds = float(value) if number else parse_duration(value)  # type: ignore[arg-type]  # it refuses what is none
    except (ValueError, OverflowError) as error:
        raise Bad(f"advance: {error}") from None
    if not 0 <= seconds <= LONGEST_S:
        raise Bad(f"advance: time can't be moved by {seconds:g} s: only forward, and by years at most.")
    return seconds


def only(request: Request, *known: str) -> dict[str, str]:
    """The parameters of the query. Raises Bad for one that is not known."""
    for key in request.query_params:
        if key not in known:
            raise Bad(_advised(f"There is no parameter {key[:50]!r}; there are {joined(known, 'and')}", ""))
    return dict(request.query_params)


def checked_stub_id(id: str) -> None:
    """Raises Bad for what can't be the id of a stub."""
    if not id or len(id) > LONGEST_ID or not id.isprintable() or " " in id or "/" in id:
        text = f"{id[:50]!r} is no id of a stub: 1 to {LONGEST_ID} printable characters without blanks and `/` are."
        raise Bad(text)


async def wanted_stub(request: Request, number: int, base: GatewaySettings) -> tuple[LoadedStub, DefaultsModel]:
    """The stub that is sent: with `?file=` and `?line=` in JSON, as code that adds it there has it; else one in YAML or JSON.

    `?defaults=` in JSON are those that hold for it in that code.
    """
    query = only(request, "file", "line", "defaults")
    body = await body_of(request)
    try:
        if "file" in query:
            value = _json_object(body)
            file, line = query["file"], _line(query.get("line", "1"))
            defaults = defaults_from_mapping(_json_object(query.get("defaults", "").encode()), file, line)
            return stub_from_mapping(value, file, line), defaults
        for key in ("line", "defaults"):
            if key in query:
                raise Bad(f"`{key}` belongs to `file`: give both, or neither.")
        sent = load_sent(body, f"sent {number}", base)
    except ScenarioError as error:
        raise refused(error) from None
    if len(sent.model.stubs) != 1 or sent.model.model_fields_set - {"version", "stubs"}:
        raise Bad("One stub is put here; POST a list of stubs or a scenario to …/stubs.")
    return LoadedStub(sent.model.stubs[0], sent.source, sent.stub_lines[0]), NO_DEFAULTS


async def wanted_rollback(request: Request) -> tuple[int, bool]:
    """The number of the snapshot, and whether it is forgotten then."""
    given = await object_of(request)
    number, forget = given.pop("number", None), given.pop("forget", False)
    if given or not isinstance(number, int) or isinstance(number, bool) or not isinstance(forget, bool):
        raise Bad('A session is rolled back with {"number": 1}, and with "forget": true for good.')
    return number, forget


def _line(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 9 and int(text):
        return int(text)
    raise Bad(f"line must be the number of a line, not {text[:50]!r}.")


async def wanted_files(request: Request, matching: Matching) -> tuple[list[SentFile], Matching]:
    """Files with their names and texts, and how the recordings among them are found where they are not as others are."""
    given = await object_of(request)
    rows = given.pop("files", None)
    if not isinstance(rows, list):
        raise Bad('Files are sent as {"files": [{"name": "refund.yaml", "text": "…"}]}.')
    found = [_wanted_file(row, number) for number, row in enumerate(rows)]
    return found, _matching(given, matching)


def _matching(given: Mapping[str, Any], matching: Matching) -> Matching:
    for key in given:
        if key not in _OF_MATCHING:
            raise Bad(_advised(f"Files are not sent with {shortened(key)!r}", did_you_mean(key, _OF_MATCHING)))
    wanted = {key: value for key, value in given.items() if value is not None}
    if not isinstance(wanted.get("exact", False), bool):
        raise Bad(f"exact must be true or false, got {described(wanted['exact'])}.")
    _one_of("on_end", wanted, get_args(OnEnd))
    if "ignore" in wanted:
        paths = wanted["ignore"]
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise Bad(f"ignore must be a list of texts, got {described(paths)}.")
        try:
            wanted["ignore"] = Ignore(paths)
        except UsageError as error:
            raise Bad(str(error)) from None
    return replace(matching, **wanted)


def _wanted_file(row: Any, number: int) -> SentFile:
    place = f"files[{number}]"
    if not isinstance(row, dict):
        raise Bad(f"{place} must be an object with a name and a text, got {described(row)}.")
    for key in row:
        if key not in _OF_A_FILE:
            raise Bad(_advised(f"{place} has no key {shortened(key)!r}", did_you_mean(key, _OF_A_FILE)))
    name, text, line = row.get("name"), row.get("text"), row.get("line", 0)
    if not isinstance(name, str) or not name:
        raise Bad(f"{place}.name must be what messages call the file, got {described(name)}.")
    if not isinstance(text, str):
        raise Bad(f"{place}.text must be the text of the file, got {described(text)}.")
    if not isinstance(line, int) or isinstance(line, bool) or not 0 <= line < LARGEST_LINE:
        raise Bad(f"{place}.line must be the number of a line, got {described(line)}.")
    _one_of("use", row, USES)
    return SentFile(name, text, row.get("use", "scenario"), line)


async def wanted_cassette(request: Request, number: int) -> SentFile:
    """The text of a cassette; `?file=` is what messages call it."""
    name = only(request, "file").get("file") or f"cassette {number}"
    try:
        return SentFile(name, (await body_of(request)).decode("utf-8-sig"), "cassette")
    except UnicodeDecodeError as error:
        raise Bad(f"The cassette is not UTF-8: byte {error.start} can't be read; send it as UTF-8.") from None


async def wanted_checks(request: Request) -> tuple[frozenset[str], Checks]:
    """The ids of stubs that must have been used, and what is a problem."""
    given = await object_of(request)
    own = given.pop("own", [])
    patience_s = given.pop("patience_s", PATIENCE_S)
    known = [field.name for field in fields(Checks) if field.type == "bool"]
    flags = all(key in known and isinstance(value, bool) for key, value in given.items())
    if not flags or not isinstance(own, list) or not all(isinstance(one, str) for one in own):
        keys = ", ".join([f'"{name}": true | false' for name in known])
        raise Bad(
            f'verify takes {{"own": ["id of a stub that must have been used"], {keys}, "patience_s": 1}}, or nothing.'
        )
    number = isinstance(patience_s, int | float) and not isinstance(patience_s, bool)
    if not number or not 0 <= patience_s <= MOST_PATIENCE_S:
        raise Bad(f"patience_s must be a number of seconds from 0 to {MOST_PATIENCE_S:g}, got {described(patience_s)}.")
    return frozenset(own), Checks(**given, patience_s=float(patience_s))
