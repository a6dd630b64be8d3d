"""Generated requests and answers for every Python client, and the proof that nothing unknown comes out of it.

Each client has a table of what it may raise, made from clients.md. What is not in it fails the test, and so does an answer of
400 or more that raises nothing.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from mockbifrost import MockBifrost, Session
from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS
from mockbifrost.vocabulary.gateway_errors import GATEWAY_ERRORS
from tests.schemas import PARAMETERS
from tests.strategies import ARGUMENTS, CHOICES, COUNTS, NAMES, REPLIES, REQUESTS, SAID, SOME

COUNT: Final = 1_000
TIMEOUT_S: Final = 20.0
"""What a client waits at most: a server that never answers is a failure, not a test that hangs."""
SAME: Final = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
"""With a seed: the same requests in every run, whatever the profile."""

Behaviour = Mapping[str, Any]


class Stop(BaseModel):
    """A part of a nested output."""

    city: str = Field(min_length=2)
    nights: int = Field(ge=1, le=14)


class Trip(BaseModel):
    """A nested output."""

    kind: Literal["business", "leisure"]
    stops: list[Stop] = Field(min_length=1, max_length=4)
    price: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """What the client asks, and what comes of it: `behaviour` once, then answers of `auto`, until an agent ends; None: a miss.

    `kind` names the sort of answer; `fails`: its status is 400 or more. `fault` is what is wrong with the body.
    """

    kind: str
    behaviour: Behaviour | None
    request: Mapping[str, Any]
    fault: Mapping[str, Any]
    stream: bool
    fails: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """The last answer that the client got, as the session's journal has it."""

    case: Case
    status: int
    type: str | None = None
    code: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Allowed:
    """An exception that a client may raise: its full name, after which answers, and why. `when` None: after any of these statuses."""

    name: str
    statuses: tuple[int, ...]
    reason: str
    when: Callable[[Seen], bool] | None = None

    def explains(self, error: BaseException, seen: Seen) -> bool:
        """Whether this is what the client raises after such an answer."""
        return name_of(error) == self.name and seen.status in self.statuses and (self.when is None or self.when(seen))


def broke_off(seen: Seen) -> bool:
    """Whether the stream ended with an error among its chunks."""
    return seen.case.kind == "broken stream"


def name_of(error: BaseException) -> str:
    """The exception's class, not one of its parents."""
    return f"{type(error).__module__.partition('.')[0]}.{type(error).__name__}"


OPENAI_STATUSES: Final = (
    Allowed("openai.BadRequestError", (400,), "a status has a class; e.code, e.type and e.body come from `error`"),
    Allowed("openai.AuthenticationError", (401,), "as 400"),
    Allowed("openai.PermissionDeniedError", (403,), "as 400"),
    Allowed("openai.NotFoundError", (404,), "as 400"),
    Allowed("openai.ConflictError", (409,), "as 400, when its retries are spent"),
    Allowed("openai.UnprocessableEntityError", (422,), "as 400"),
    Allowed("openai.RateLimitError", (429,), "as 400, when its retries are spent"),
    Allowed("openai.InternalServerError", (500, 502, 503, 504, 529), "as 400, when its retries are spent"),
    Allowed("openai.APIStatusError", (402, 408, 413, 499), "the statuses without a class of their own"),
    Allowed("openai.APIError", (200,), "an error in the middle of a stream, after the text before it", broke_off),
)
"""What openai-python raises, and every client that hands its exceptions on. Source: clients.md 3."""


# What the provider, or the gateway, does

SOURCES: Final = st.lists(
    st.builds(
        lambda title, end: {
            "type": "url_citation",
            "url_citation": {"start_index": 0, "end_index": end, "title": title, "url": "https://example.org"},
        },
        SAID,
        COUNTS,
    ),
    max_size=2,
)
"""Annotations as OpenAI has them: pydantic-ai takes no answer without their `url`."""


def whole(reply: Mapping[str, Any], sources: Sequence[Any]) -> dict[str, Any]:
    """The reply with annotations that are whole, and audio in base64: as a provider has them."""
    found = dict(reply)
    if "annotations" in found:
        found["annotations"] = list(sources)
    if "audio" in found:
        found["audio"] = {**found["audio"], "data": base64.b64encode(found["audio"]["data"].encode()).decode()}
    return found


WHOLE_REPLIES: Final = st.builds(whole, REPLIES, SOURCES)
WHOLE_CHOICES: Final = st.builds(whole, CHOICES, SOURCES)
CALLS: Final = st.lists(
    st.builds(lambda name, arguments: {"name": name, "arguments": arguments}, NAMES, ARGUMENTS), min_size=1, max_size=3
)
CHUNKS: Final = st.lists(SAID | st.builds(lambda text: {"reasoning": text}, SOME), min_size=1, max_size=4)
TEXT_REPLIES: Final = st.builds(
    lambda text, finish: {"content": text, **finish}, SOME, st.sampled_from([{}, {"finish_reason": "length"}])
)


FAILURE_SHAPES: Final = st.sampled_from(["openai", "openai", "string", "html", "empty", "plain_text"])
FAILURE_HEADERS: Final = st.sampled_from(
    [{}, {"retry-after": "1"}, {"retry-after-ms": "1"}, {"x-should-retry": "false"}]
)


BROKEN_STREAM: Final[Behaviour] = {
    "raw": {
        "events": [
            {
                "data": {
                    "id": "chatcmpl-2",
                    "object": "chat.completion.chunk",
                    "created": 1767225600,
                    "model": "gpt-4o",
                    "choices": [
                        {"index": 0, "delta": {"role": "assistant", "content": "So far so"}, "finish_reason": None}
                    ],
                }
            },
            {
                "data": {
                    "is_bifrost_error": True,
                    "status_code": 503,
                    "error": {"type": "server_error", "message": "upstream died mid-stream"},
                    "extra_fields": {"provider": "openai", "request_type": "chat_completion_stream"},
                }
            },
        ]
    }
}
"""What the gateway sends when the provider fails in the middle: an error among the chunks, and no `[DONE]`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A sort of answer, what it may be, and how many cases it gets. `fault` is laid over the body."""

    kind: str
    behaviour: st.SearchStrategy[Behaviour | None]
    count: int
    fails: bool = False
    fault: Mapping[str, Any] = field(default_factory=dict)
    streams: bool = False


def answers(lacks: Sequence[str] = ()) -> dict[str, st.SearchStrategy[Behaviour | None]]:
    """The sorts of answers that are none of the errors with a name. `lacks`: keys of `reply` that the client can't take."""

    def able(reply: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in reply.items() if key not in lacks}

    return {
        "auto": st.just({"auto": True}),
        "echo": st.just({"echo": True}),
        "reply": st.builds(lambda reply: {"reply": able(reply)}, WHOLE_REPLIES),
        "text": st.builds(lambda reply: {"reply": reply}, TEXT_REPLIES),
        "tool calls": st.builds(lambda calls: {"reply": {"tool_calls": calls}}, CALLS),
        "refusal": st.builds(lambda text: {"reply": {"refusal": text}}, SOME),
        "choices": st.builds(
            lambda choices: {"reply": {"choices": [able(choice) for choice in choices]}},
            st.lists(WHOLE_CHOICES, min_size=1, max_size=3),
        ),
        "chunks": st.builds(lambda chunks: {"reply": {"chunks": chunks}}, CHUNKS),
        "miss": st.none(),
    }


def failing(name: str) -> st.SearchStrategy[Behaviour | None]:
    """An error of a provider, in every shape of its body, with headers that clients look at."""
    return st.builds(
        lambda shape, headers: {"error": {"name": name, "shape": shape, "headers": headers}},
        FAILURE_SHAPES,
        FAILURE_HEADERS,
    )


def plans(faults: Mapping[str, Mapping[str, Any]], *, lacks: Sequence[str] = (), each: int = 6) -> tuple[Plan, ...]:
    """A thousand cases: `each` for every error that has a name and every fault, and the rest shared by the other answers."""
    found = [Plan(f"error {name}", failing(name), each, fails=True) for name in PROVIDER_ERRORS]
    found += [
        Plan(f"gateway error {name}", st.just({"gateway_error": name}), each, fails=True) for name in GATEWAY_ERRORS
    ]
    found += [Plan(f"fault {name}", st.just({"auto": True}), each, True, fault) for name, fault in faults.items()]
    found.append(Plan("broken stream", st.just(BROKEN_STREAM), each, streams=True))
    others = answers(lacks)
    rest = COUNT - sum(plan.count for plan in found)
    found += [
        Plan(kind, behaviour, -(-rest // len(others)), behaviour is others["miss"])
        for kind, behaviour in others.items()
    ]
    return tuple(found)


FAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "too hot": {"temperature": 2.5},
    "no choice": {"n": 0},
    "too many stops": {"stop": ["a", "b", "c", "d", "e"]},
    "unasked log probabilities": {"logprobs": False, "top_logprobs": 3},
    "unknown effort": {"reasoning_effort": "heroic"},
    "too low a penalty": {"presence_penalty": -3.0},
    "no token": {"max_tokens": 0},
}
"""Parameters that a provider refuses with a 400."""
_ASKS: Final = {"role": "user", "content": "a"}
_CALL: Final = {"id": "x", "type": "function", "function": {"name": "a", "arguments": "{}"}}
FAULTY_BODIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "no messages": {"messages": []},
    "unknown choice": {"tool_choice": {"type": "function", "function": {"name": "unknown"}}},
    "no tools": {"tools": []},
    "orphan result": {"messages": [_ASKS, {"role": "tool", "tool_call_id": "x", "content": "b"}]},
    "unanswered call": {"messages": [{"role": "assistant", "content": None, "tool_calls": [_CALL]}, _ASKS]},
    "broken schema": {
        "tools": [{"type": "function", "function": {"name": "a", "parameters": {"type": "no such type"}}}]
    },
}
"""The same, for clients that send what they are given."""


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """A request as OpenAI's SDK takes it; its tools may have parameters."""
    request = dict(draw(REQUESTS))
    if "tools" in request and draw(st.booleans()):
        names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
        request["tools"] = [
            {"type": "function", "function": {"name": name, "parameters": draw(PARAMETERS)}} for name in names
        ]
        named = {"type": "function", "function": {"name": names[0]}}
        request["tool_choice"] = draw(st.sampled_from(["auto", "none", "required", named]))
    return request


def cases(plan: Plan, asked: st.SearchStrategy[Mapping[str, Any]]) -> st.SearchStrategy[Case]:
    """The cases of a plan."""
    return st.builds(
        lambda behaviour, request, stream: Case(plan.kind, behaviour, request, plan.fault, stream, plan.fails),
        plan.behaviour,
        asked,
        st.just(plan.streams) if plan.streams else st.booleans(),
    )


# How it is sent, and what may come of it


@contextmanager
def serving(server: MockBifrost, case: Case) -> Iterator[Session]:
    """A session of its own for a case, so that nothing of one reaches the next."""
    with server.session(verify=False) as session:
        if case.behaviour is not None:
            then = [] if case.fails and not case.fault else [{"auto": True}]
            session.load({"version": 1, "stubs": [{**case.behaviour, "times": 1}, *then]})
        yield session


def headers_for(session: Session) -> dict[str, str]:
    """How a client that is kept for all cases reaches the session of one."""
    return {"x-mockbifrost-session": session.id}


def answer_of(session: Session, case: Case) -> Seen:
    """The last answer. Fails where none was asked for, or where the mock itself failed."""
    entry = session.last
    assert {one.error for one in session.requests} <= {None, "no_match"}, entry.text
    if entry.status < 400:
        return Seen(case, entry.status)
    assert entry.response is not None
    body = entry.response.body
    error = body.get("error", {})
    return Seen(case, entry.status, error.get("type"), error.get("code"), error.get("message", ""))


class Proof:
    """Sends cases through one client and holds what comes out to its table."""

    def __init__(self, server: MockBifrost, allowed: Sequence[Allowed]) -> None:
        self._server = server
        self._allowed = allowed
        self.calls = 0
        self.used: set[Allowed] = set()

    def send(self, case: Case, ask: Callable[[Session, Case], object]) -> None:
        """One call of the client; the exceptions that its table explains are what a user sees."""
        note(f"{case}")
        with serving(self._server, case) as session:
            try:
                ask(session, case)
            except Exception as error:
                if not session.requests:
                    raise AssertionError(f"{name_of(error)} before any request: {error}") from error
                seen = answer_of(session, case)
                self._explain(error, seen)
            else:
                seen = answer_of(session, case)
                assert seen.status < 400, f"{seen.status} was taken for an answer"
            assert not case.fails or seen.status >= 400, f"{case.kind} was answered with {seen.status}"
            self.calls += 1

    def _explain(self, error: Exception, seen: Seen) -> None:
        rows = [row for row in self._allowed if row.explains(error, seen)]
        if not rows:
            raise AssertionError(
                f"{name_of(error)} is not in the table for {seen.status} "
                f"(kind {seen.case.kind!r}, stream {seen.case.stream}): {str(error)[:300]}"
            ) from error
        self.used.update(rows)


def prove(
    server: MockBifrost,
    allowed: Sequence[Allowed],
    planned: Sequence[Plan],
    asked: st.SearchStrategy[Mapping[str, Any]],
    *asks: Callable[[Session, Case], object],
) -> None:
    """A thousand cases through each of `asks`. The table holds nothing that never happens."""
    proof = Proof(server, allowed)
    for number, plan in enumerate(planned):

        @seed(number)
        @settings(SAME, max_examples=plan.count)
        @given(case=cases(plan, asked))
        def some(case: Case) -> None:
            for ask in asks:
                proof.send(case, ask)

        some()
    assert proof.calls >= COUNT * len(asks)
    unused = [f"{row.name} after {row.statuses}: {row.reason}" for row in allowed if row not in proof.used]
    assert unused == [], f"never raised: {unused}"


class Complaints(logging.Handler):
    """What the server's thread logs beside its misses."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note it, unless it is the client's, or a miss."""
        miss = record.name == "mockbifrost" and record.levelno == logging.WARNING
        if record.threadName == "mockbifrost" and not miss:
            self.said.append(record.getMessage())


@contextmanager
def quiet_server(capfd: pytest.CaptureFixture[str], client_log: str | None = None) -> Iterator[MockBifrost]:
    """A server that must be whole at the end: it answers, nothing is on stderr, and it logged no more than misses.

    `client_log` is in each line that the client itself writes to stderr.
    """
    complaints = Complaints()
    own, root = logging.getLogger("mockbifrost"), logging.getLogger()
    own.propagate = False  # a thousand misses would bury the report of a failure
    for logger in (own, root):
        logger.addHandler(complaints)
    try:
        with MockBifrost() as server:
            yield server
            with server.session() as session:
                session.when(user="still there?").reply("Yes.")
                _ask_directly(session, "still there?")
    finally:
        own.propagate = True
        for logger in (own, root):
            logger.removeHandler(complaints)
    assert complaints.said == [], complaints.said
    lines = capfd.readouterr().err.splitlines()
    written = [line for line in lines if client_log is None or client_log not in line]
    assert written == [], written[-20:]


def _ask_directly(session: Session, text: str) -> None:
    import httpx2

    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
    answer = httpx2.post(f"{session.base_url}/chat/completions", json=body, timeout=TIMEOUT_S)
    assert (answer.status_code, answer.json()["choices"][0]["message"]["content"]) == (200, "Yes.")
