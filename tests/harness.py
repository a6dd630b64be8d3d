"""Asks a scenario in process: a session, no socket, no waiting. What the server adds is tested over sockets."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mockbifrost.cassette.interaction import (
    About,
    Cassette,
    Interaction,
    Piece,
    RecordedRequest,
    RecordedResponse,
    Source,
)
from mockbifrost.cassette.recordings import NO_RECORDINGS, Recordings
from mockbifrost.clock import Clock
from mockbifrost.gateway.configure import gateway_of
from mockbifrost.match.attempt import Attempt, Moment
from mockbifrost.match.conversation import Conversation
from mockbifrost.playback.player import WHOLE, Played
from mockbifrost.playback.timeline import Timeline, timeline_of
from mockbifrost.provider.tokens import BuiltInTokens
from mockbifrost.scenario.compile import compile_stub
from mockbifrost.scenario.fake import FakeData
from mockbifrost.scenario.load import load_text, stub_from_mapping
from mockbifrost.scenario.scripts import Tools
from mockbifrost.scenario.stubs import Layer, Stubs
from mockbifrost.seeds import Draws
from mockbifrost.session.assembly import assemble
from mockbifrost.session.journal import Entry, Journal
from mockbifrost.session.providers import Providers
from mockbifrost.session.session import Exchange, Received, Session
from mockbifrost.vocabulary.settings import GatewaySettings
from mockbifrost.wire.headers import RequestHeaders
from mockbifrost.wire.profiles import ProfileName
from mockbifrost.wire.request import fingerprint, validate
from mockbifrost.wire.sse import Decoder

PATH = "/pydanticai/v1/chat/completions"
PROFILE_NAMES: tuple[ProfileName, ...] = ("documented", "1.6", "2.2")
SOURCE = "test.yaml"


@dataclass(frozen=True, slots=True)
class Response:
    """One response as a client would read it, and the exchange behind it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    exchange: Exchange

    def json(self) -> Any:
        """The body of a plain answer or an error."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def entry(self) -> Entry:
        """The journal's entry."""
        return self.exchange.entry

    @property
    def error(self) -> Any:
        """`error` of the envelope."""
        return self.json()["error"]

    @property
    def message(self) -> Any:
        """The message of the only choice of a plain answer."""
        (choice,) = self.json()["choices"]
        return choice["message"]

    @property
    def chunks(self) -> list[Any]:
        """The chunks of a stream that ended as it should, without `[DONE]`."""
        *events, done, rest = self.body.decode().split("\n\n")
        assert (done, rest) == ("data: [DONE]", "")
        return [json.loads(event.removeprefix("data: ")) for event in events]

    @property
    def text(self) -> str:
        """What the first choice says."""
        if self.exchange.outcome.stream:
            return "".join([delta.get("content") or "" for delta in self.deltas()])
        return str(self.json()["choices"][0]["message"]["content"])

    def deltas(self, choice: int = 0) -> list[Any]:
        """The deltas of one choice of a stream."""
        return [one["delta"] for chunk in self.chunks for one in chunk["choices"] if one["index"] == choice]


def stubs(text: str, *, before: str = "") -> str:
    """A scenario of these stubs, a YAML list; `before` are the other keys of the file."""
    head, items = textwrap.dedent(before).strip(), textwrap.dedent(text).strip()
    return "\n".join(filter(None, ["version: 1", head, "stubs:", textwrap.indent(items, "  ")]))


def chat(user: str | None = "hi", /, **more: Any) -> dict[str, Any]:
    """The body of a request that ends with a user's text; `model` and `messages` replace what it says of them."""
    said = [] if user is None else [{"role": "user", "content": user}]
    return {"model": "gpt-4o", "messages": said, **more}


def open_session(
    scenario: str,
    *,
    version: ProfileName | None = None,
    seed: int = 0,
    clock: Clock | None = None,
    journal: Journal | None = None,
    id: str = "test",
    recordings: Recordings = NO_RECORDINGS,
) -> Session:
    """A session with the stubs of a scenario, with recordings after them, and a clock that stands still."""
    assembly = assemble([load_text(scenario, SOURCE)], recordings, version=version)
    blueprint = assembly.common
    tools = Tools(BuiltInTokens(), FakeData())
    return Session(
        id,
        Providers(Stubs(blueprint.files, tools), [blueprint.recordings]),
        blueprint.gateway,
        seed=seed,
        clock=clock or Clock("fixed"),
        journal=journal,
    )


def begin(session: Session, body: Mapping[str, Any] | bytes, *, headers: Mapping[str, str] | None = None) -> Exchange:
    """A request that has been decided and whose answer is still on its way; end it with `session.finish`."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    return session.ask(Received("POST", PATH, pairs, raw))


def read(exchange: Exchange, timeline: Timeline | None = None) -> Response:
    """The response of an exchange."""
    timeline = timeline or timeline_of(exchange.outcome, 0)
    body = timeline.body + b"".join([frame.mold.fill(timeline.values) for frame in timeline.frames])
    headers = tuple([(name.decode(), value.decode("latin-1")) for name, value in timeline.headers])
    return Response(timeline.status, headers, body, exchange)


def ask_in(
    session: Session,
    body: Mapping[str, Any] | bytes,
    *,
    headers: Mapping[str, str] | None = None,
    played: Played = WHOLE,
) -> Response:
    """The answer of a session to one more request; `played` says whether the client stayed to the end."""
    exchange = begin(session, body, headers=headers)
    session.finish(exchange, played)
    return read(exchange)


def ask(
    scenario: str,
    body: Mapping[str, Any] | bytes,
    *,
    headers: Mapping[str, str] | None = None,
    version: ProfileName | None = None,
    seed: int = 0,
) -> Response:
    """The answer of a scenario to the first request of a new session."""
    return ask_in(open_session(scenario, version=version, seed=seed), body, headers=headers)


def recorded(
    body: Mapping[str, Any],
    response: Response,
    *,
    number: int = 1,
    source: Source | None = None,
    times_ms: Sequence[int] = (),
    uri: str = "http://upstream.test" + PATH,
) -> Interaction:
    """A response as a recorder would have it: an event a piece, at these times, else all at once."""
    size = len(response.body)
    ends = [event.end for event in Decoder().feed(response.body)] if response.exchange.outcome.stream else [size]
    starts = [0, *ends[:-1]]
    pieces = [Piece(at_ms, end - start) for at_ms, start, end in zip(times_ms, starts, ends, strict=False)]
    return Interaction(
        RecordedRequest("POST", uri, (("content-type", "application/json"),), json.dumps(body).encode()),
        RecordedResponse(response.status, "", response.headers, response.body, tuple(pieces)),
        About(source=source),
        "cassettes/test.yaml",
        number,
    )


def provider_response(body: Mapping[str, Any] | bytes, status: int = 200, **headers: str) -> RecordedResponse:
    """What a provider answered, written out."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = {"content-type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
    return RecordedResponse(status, "", tuple(pairs.items()), raw)


def cassette_of(*interactions: Interaction | tuple[Mapping[str, Any], RecordedResponse]) -> Cassette:
    """A cassette; a pair is a body that a provider was asked, and its answer."""
    found: list[Interaction] = []
    for number, one in enumerate(interactions, 1):
        if not isinstance(one, Interaction):
            request = RecordedRequest(
                "POST", "https://provider.test/v1/chat/completions", (), json.dumps(one[0]).encode()
            )
            one = Interaction(request, one[1], file="cassettes/test.yaml")
        found.append(replace(one, number=number))
    return Cassette("cassettes/test.yaml", tuple(found))


def retry(count: int) -> dict[str, str]:
    """The header in which the OpenAI SDKs count their retries."""
    return {"x-stainless-retry-count": str(count)}


def attempt(
    body: Mapping[str, Any] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    provider: str = "openai",
    model: str = "gpt-4o",
    number: int = 0,
    fallback: int = 0,
    elapsed_s: float = 0.0,
) -> Attempt:
    """One ask of a provider, for what compares or performs without a session."""
    body = chat() if body is None else body
    print_ = fingerprint(body)
    return Attempt(
        Conversation(validate(body), body),
        RequestHeaders([(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]),
        provider,
        model,
        Moment(elapsed_s, 1_767_225_600, 0, 0),
        Draws(0, print_, 0, provider),
        f"{provider}-key-1",
        number,
        fallback,
    )


def folded(deltas: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The message that a client makes of deltas: texts joined, tool calls by index, the rest as it came last."""
    found: dict[str, Any] = {}
    calls: dict[int, dict[str, Any]] = {}
    for delta in deltas:
        for key, value in delta.items():
            if key == "tool_calls":
                _fold_calls(calls, value)
            elif isinstance(value, str) and key != "role":
                found[key] = found.get(key, "") + value
            else:
                found[key] = value
    if calls:
        found["tool_calls"] = [calls[index] for index in sorted(calls)]
    return found


def _fold_calls(calls: dict[int, dict[str, Any]], pieces: Sequence[Mapping[str, Any]]) -> None:
    for piece in pieces:
        call = calls.setdefault(piece["index"], {"id": None, "name": None, "arguments": ""})
        call["id"] = piece.get("id") or call["id"]
        call["name"] = piece["function"].get("name") or call["name"]
        call["arguments"] += piece["function"]["arguments"]


def session_with(
    *stubs: Mapping[str, Any] | str,
    version: ProfileName = "documented",
    seed: int = 0,
    gateway: Mapping[str, Any] | None = None,
) -> Session:
    """A session with stubs given as plain values, a text being a reply. Any text goes, also what YAML can't hold."""
    compiled = [
        compile_stub(stub_from_mapping(stub, SOURCE, number).model, id=f"stub-{number}", source=SOURCE, line=number)
        for number, stub in enumerate([{"reply": stub} if isinstance(stub, str) else stub for stub in stubs], 1)
    ]
    tools = Tools(BuiltInTokens(), FakeData())
    settings = GatewaySettings.model_validate(gateway or {})
    return Session("test", Providers(Stubs(Layer(compiled), tools)), gateway_of(settings, version), seed=seed)
