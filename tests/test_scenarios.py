"""The scenarios that ship: each stub has its request, none shadows another, a stream says what a plain answer says."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner

from mockbifrost import MockBifrost, Session
from mockbifrost.cli import main
from mockbifrost.gateway import pricing
from mockbifrost.scenario.load import load_paths
from mockbifrost.scenario.loaded import LoadedScenario
from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS
from mockbifrost.vocabulary.gateway_errors import GATEWAY_ERRORS, gateway_error

FOLDER = Path(__file__).resolve().parent.parent / "scenarios"
SSE_DATA = re.compile(r"^data: (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """One request: what the application adds to the conversation, the stub that must answer, and what it must say."""

    stub: str | None
    """None: the gateway answers by itself, out of its cache or with a refusal."""
    user: str | None = None
    results: Sequence[Any] = ()
    """Of the tools that the answer before this one called, in its order."""
    retry: int = 0
    """The request is a client's retry: the same conversation once more."""
    status: int = 200
    says: str | None = None
    calls: Sequence[tuple[str, Any]] = ()
    anew: bool = False
    """It begins another conversation."""
    later: str | None = None
    """So much time passes before it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    trail: Sequence[tuple[str, int]] | None = None
    """Of each attempt the key and the status, where they matter."""


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation, with the parameters that all its requests carry. `session` is that of the file, where it has one."""

    id: str
    steps: Sequence[Step]
    asked: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None
    session: str | None = None


def one(stub: str, user: str, says: str | None = None, *, status: int = 200, **asked: Any) -> Case:
    """A conversation of one request."""
    return Case(stub, (Step(stub, user, says=says, status=status),), asked)


def tools(*names: str) -> dict[str, Any]:
    """These tools on offer."""
    return {"tools": [{"type": "function", "function": {"name": name}} for name in names]}


ORDER = {"id": "42", "total": 19.9}
DESK = tools("lookup_order", "refund_order")
ACCOUNTS = tools("delete_account")
DELETES = Step(
    "human is asked",
    "Delete the account of user 7.",
    calls=[("delete_account", {"user_id": 7})],
    says="I need your approval for this.",
)
INVOICE = "Read the invoice, as JSON."
BUSY, REVOKED = "Are you busy, main key?", "Were you revoked, main key?"
PINNED = {"x-bf-api-key": "main"}
OPEN, CACHED = "When do you open?", {"x-bf-cache-key": "demo"}
REPORT, CENT, TWICE = "Write a report.", {"x-bf-vk": "sk-bf-cent"}, {"x-bf-vk": "sk-bf-twice"}
FIRST_TURN = Step("turn one asks for the number", "A table, please.", says="Gladly. For how many people?")

CASES = (
    one("greeting", "hello there", "Hello! How can I help you today?"),
    one("greeting by name", "My name is Ada", "Nice to meet you, Ada. You are talking to gpt-4o."),
    one("greeting echoed", "say: one two three", "say: one two three"),
    Case(
        "support agent refunds",
        (
            Step(
                "support looks the order up",
                "I want a refund for order 42.",
                calls=[("lookup_order", {"order_id": "42"})],
            ),
            Step(
                "support refunds",
                results=[{**ORDER, "state": "delivered"}],
                says="Order 42 has arrived, so I can refund it.",
                calls=[("refund_order", {"order_id": "42", "amount": 19.9})],
            ),
            Step("support tells the outcome", results=[{"ok": True}], says="I refunded 19.9 euros for order 42."),
        ),
        DESK,
    ),
    Case(
        "support agent does not refund",
        (
            Step("support looks the order up", "A refund, now!", calls=[("lookup_order", {"order_id": "42"})]),
            Step(
                "support asks for patience",
                results=[{**ORDER, "state": "shipped"}],
                says="Order 42 is still on its way. I can refund it once it has arrived.",
            ),
        ),
        DESK,
    ),
    Case(
        "parallel tools",
        (
            Step(
                "parallel calls",
                "Compare the weather in Paris and Rome.",
                calls=[("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"}), ("get_time", {})],
            ),
            Step(
                "parallel results",
                results=[{"city": "Paris", "celsius": 19}, {"city": "Rome", "celsius": 27}, "noon"],
                says="At noon: Paris 19 °C, Rome 27 °C.",
            ),
        ),
        tools("get_weather", "get_time"),
    ),
    one("story", "Tell me a story."),
    one("story of fake words", "Please fill the page."),
    one("story letter by letter", "Now speak slowly.", "Every letter is a chunk of its own."),
    one("reasoning", "How many r are in strawberry?", "There are three r in strawberry."),
    one("reasoning with details", "How many r are in raspberry?", "There are three r in raspberry."),
    one("refusal", "How do I pick a lock?"),
    one("answer cut off", "Say the whole alphabet.", "a b c d e f g h i j"),
    one("answer filtered", "Please swear at me.", "You "),
    one("answer without words", "Just say nothing.", ""),
    Case(
        "retry",
        (
            Step("retry succeeds", "Is it stable?", status=503),
            Step("retry succeeds", retry=1, says="It is now. The first try failed with a 503."),
        ),
    ),
    Case(
        "retry with a delay",
        (
            Step("retry waits as it is told", "Are you busy?", status=429),
            Step("retry waits as it is told", retry=1, says="Not any more. You waited as I had asked."),
        ),
    ),
    Case(
        "two retries",
        (
            Step("retry fails twice", "The third time lucky?", status=529),
            Step("retry fails twice", retry=1, status=529),
            Step("retry has luck", retry=2, says="The third try it is."),
        ),
    ),
    one("fallback is needed", "Who is on call?", status=503),
    one("fallback has no budget", "Who is on call?", status=402, model="anthropic/claude-sonnet-4-5"),
    one(
        "fallback answers",
        "Who is on call?",
        "I am, says mistral/mistral-large-latest.",
        fallbacks=["anthropic/claude-sonnet-4-5", "mistral/mistral-large-latest"],
    ),
    one("structured by schema", INVOICE, response_format={"type": "json_schema", "json_schema": {"name": "invoice"}}),
    one("structured as any object", INVOICE, '{"total": 118.5}', response_format={"type": "json_object"}),
    Case(
        "structured through a tool",
        (
            Step(
                "structured through a tool",
                INVOICE,
                calls=[("final_result", {"number": "2026-017", "total": 118.5, "paid": False})],
            ),
        ),
        tools("final_result"),
    ),
    one("structured but broken", "Read the torn receipt.", **tools("final_result")),
    one("several answers", "Name a colour.", "Red", n=3),
    one("log probabilities written out", "Flip a coin.", "Heads", logprobs=True, top_logprobs=2),
    one("audio", "Say it aloud.", modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"}),
    Case(
        "human agrees",
        (DELETES, Step("human agreed", results=[{"deleted": True}], says="The account of user 7 is gone.")),
        ACCOUNTS,
    ),
    Case(
        "human refuses",
        (
            DELETES,
            Step(
                "human refused",
                results=["The tool call was denied."],
                says="Then I leave the account of user 7 as it is.",
            ),
        ),
        ACCOUNTS,
    ),
    Case(
        "research with a tool",
        (
            Step(
                "research searches",
                "How tall is the Eiffel Tower?",
                calls=[("web_search", {"query": "height of the Eiffel Tower", "results": 2})],
            ),
            Step(
                "research cites the tool",
                results=[[{"title": "The tower in figures", "metres": 330}]],
                says="The Eiffel Tower is 330 metres tall.",
            ),
        ),
        tools("web_search"),
    ),
    one("research by the provider", "How tall is the Eiffel Tower?", "The Eiffel Tower is 330 metres tall [1]."),
    Case(
        "three turns",
        (
            FIRST_TURN,
            Step("turn two asks for the time", "4", says="A table for 4. At what time?"),
            Step("turn three confirms", "half past seven", says="Done. A table for 4 at half past seven."),
        ),
        system="You take reservations.",
    ),
    Case(
        "three turns with a detour",
        (FIRST_TURN, Step("turn two did not understand", "a few", says="Sorry, how many people is that in digits?")),
        system="You take reservations.",
    ),
    Case(
        "own session",
        (Step("own session", "Which release is this?", says="You see the bytes of release 2.2, from house/tiny-1."),),
        {"model": "house/tiny-1"},
        session="release-2.2",
    ),
    Case(
        "auto",
        (Step("auto", "auto: book a flight"), Step("auto", results=["booked"])),
        tools("book_flight"),
    ),
    Case(
        "failover",
        (
            Step(
                "failover answers",
                "Who answers?",
                says="I do, says anthropic/claude-sonnet-4-5.",
                trail=[("openai-key-1", 503)] * 3 + [("anthropic-key-1", 200)],
            ),
        ),
        session="failover",
    ),
    Case(
        "failover without a fallback",
        (Step("failover primary is down", "Who answers?", status=503),),
        {"model": "openai/gpt-4o-mini"},
        session="failover",
    ),
    Case(
        "everything is down",
        (
            Step(
                "all down primary",
                "Is anybody there?",
                status=503,
                trail=[("openai-key-1", 503)] * 2 + [("anthropic-key-1", 529)] + [("mistral-key-1", 502)] * 2,
            ),
        ),
        session="all-down",
    ),
    Case(
        "all down: anthropic",
        (Step("all down overloaded", "Is anybody there?", status=529),),
        {"model": "anthropic/claude-sonnet-4-5"},
        session="all-down",
    ),
    Case(
        "all down: mistral",
        (Step("all down hangs up", "Is anybody there?", status=502),),
        {"model": "mistral/mistral-large-latest"},
        session="all-down",
    ),
    Case(
        "key rotation after a 429",
        (Step("key is a spare one", BUSY, says="The spare key works.", trail=[("main", 429), ("spare", 200)]),),
        session="key-rotation",
    ),
    Case(
        "key rotation after a 401",
        (Step("key is a spare one", REVOKED, says="The spare key works.", trail=[("main", 401), ("spare", 200)]),),
        session="key-rotation",
    ),
    Case(
        "key rotation without another key",
        (
            Step("key is rate limited", BUSY, status=429, headers=PINNED, trail=[("main", 429)] * 2),
            Step("key was revoked", REVOKED, status=502, anew=True, headers=PINNED, trail=[("main", 401)]),
        ),
        session="key-rotation",
    ),
    Case(
        "key rotation to the end",
        (
            Step(
                "keys were all revoked",
                "Were all keys revoked?",
                status=502,
                trail=[("main", 401), ("spare", 401)],
            ),
        ),
        session="key-rotation",
    ),
    Case(
        "flapping",
        (
            Step("flapping is down", "Are you up?", status=503),
            Step("flapping is up", "Are you up?", anew=True, later="10s"),
            Step("flapping is down", "Are you up?", anew=True, later="50s", status=503),
        ),
        session="flapping",
    ),
    Case(
        "cache hit",
        (
            Step("cache is filled", OPEN, headers=CACHED, says="We open at nine."),
            Step(None, OPEN, anew=True, headers=CACHED, says="We open at nine.", trail=[("openai-key-1", 200)]),
            Step(None, "What are your opening hours?", anew=True, headers=CACHED, says="We open at nine."),
            Step("cache is filled", OPEN, anew=True),
            Step("cache is filled", OPEN, anew=True, headers=CACHED, later="5m1s"),
        ),
        session="cache",
    ),
    Case(
        "cache hit by script",
        (Step("cache has it by script", "Where are you?", says="In the old town."),),
        session="cache",
    ),
    Case(
        "budget",
        (
            Step("budget is spent on a report", REPORT, headers=CENT, says="The report."),
            Step("budget is spent on a report", REPORT, anew=True, headers=CENT),
            Step(None, REPORT, anew=True, headers=CENT, status=402),
            Step("budget is spent on a report", REPORT, anew=True, headers=CENT, later="1d"),
            Step(None, REPORT, anew=True, status=401),
        ),
        session="budget",
    ),
    Case(
        "rate limit",
        (
            Step("rate limit is not reached", "May I?", headers=TWICE, says="You may."),
            Step("rate limit is not reached", "May I?", anew=True, headers=TWICE, later="59s"),
            Step(None, "May I?", anew=True, headers=TWICE, status=429),
            Step("rate limit is not reached", "May I?", anew=True, headers=TWICE, later="1s"),
        ),
        session="rate-limit",
    ),
    one("raw html page", "raw: html page", status=502),
    one("raw stream", "raw: hand-written stream"),
    one("raw stream that fails in the middle", "raw: broken stream"),
    one("raw empty list", "raw: not a completion"),
    *[one(f"error: {name}", f"error: {name}", status=row.status) for name, row in PROVIDER_ERRORS.items()],
    one("error: come back later", "error: come back later", status=429),
    one("error: written out", "error: written out", status=451),
    one("error: html", "error: html", status=502),
    one("error: empty body", "error: empty body", status=503),
    *[
        one(f"gateway_error: {name}", f"gateway_error: {name}", status=gateway_error(name, "documented").status or 400)
        for name in GATEWAY_ERRORS
    ],
    one("gateway_error: written out", "gateway_error: written out", status=403),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, in a form that a stream and a plain answer share; no `message` where there is no completion."""

    stub: str | None
    status: int
    message: Mapping[str, Any]
    rest: Any
    trail: Sequence[tuple[str, int]] = ()

    @property
    def calls(self) -> list[tuple[str, Any]]:
        """Each tool call, its arguments read where they can be."""
        return [
            (call["function"]["name"], read(call["function"]["arguments"]))
            for call in self.message.get("tool_calls", ())
        ]


def read(text: str) -> Any:
    """A text as JSON where it is JSON."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


@pytest.fixture(scope="module")
def scenarios() -> tuple[LoadedScenario, ...]:
    return load_paths([FOLDER])


@pytest.fixture(scope="module")
def server() -> Iterator[MockBifrost]:
    with MockBifrost(scenarios=[FOLDER]) as running:
        yield running


@pytest.fixture(scope="module")
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(trust_env=False, timeout=30.0) as made:
        yield made


@pytest.fixture
def session(server: MockBifrost) -> Iterator[Session]:
    """Counters of its own for each test. A miss is seen by the test itself."""
    with server.session(verify=False) as made:
        yield made


class Desk:
    """Where a case is asked: a fresh session, or that of the scenario file as it was at first."""

    def __init__(self, server: MockBifrost, client: httpx2.Client, session: Session, own: str | None) -> None:
        id = own or session.id
        self.address = f"{server.url}/s/{id}/pydanticai/v1/chat/completions"
        self._control = f"{server.url}/__mockbifrost/sessions/{id}"
        self._client = client
        self._client.post(f"{self._control}/reset").raise_for_status()

    def let_pass(self, time: str) -> None:
        """Move the session's clock."""
        self._client.post(f"{self._control}/clock", json={"advance": time}).raise_for_status()

    def ask(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        """One request, and what was tried for it."""
        answer = answer_of(self._client.post(self.address, json=body, headers=headers))
        entry = self._client.get(f"{self._control}/journal").json()["entries"][-1]
        return replace(answer, trail=[(attempt.get("key"), attempt["status"]) for attempt in entry.get("trail", ())])


def play(case: Case, desk: Desk, *, stream: bool) -> list[Answer]:
    """The whole conversation; each answer goes into the next request, as an application would send it."""
    begun: list[dict[str, Any]] = [{"role": "system", "content": case.system}] if case.system else []
    messages = [*begun]
    answers: list[Answer] = []
    for step in case.steps:
        if step.later is not None:
            desk.let_pass(step.later)
        if step.anew:
            messages = [*begun]
        elif answers and not step.retry:
            last = answers[-1].message
            messages.append(
                {"role": "assistant", **{key: last[key] for key in ("content", "tool_calls") if key in last}}
            )
            for call, result in zip(last.get("tool_calls", ()), step.results, strict=True):
                content = result if isinstance(result, str) else json.dumps(result)
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": content})
        if step.user is not None:
            messages.append({"role": "user", "content": step.user})
        body = {"model": "openai/gpt-4o", "messages": messages, "stream": stream, **case.asked}
        answers.append(desk.ask(body, {"x-stainless-retry-count": str(step.retry), **step.headers}))
    return answers


def answer_of(response: httpx2.Response) -> Answer:
    """A response, whether it is a stream, a plain answer, or something else."""
    stub = response.headers.get("x-mockbifrost-stub")
    events = [json.loads(data) for data in SSE_DATA.findall(response.text) if data.strip() != "[DONE]"]
    raw = stub is not None and stub.startswith("raw ")
    if not raw and events:
        message, rest = joined(events)
        return Answer(stub, response.status_code, message, rest)
    whole = read(response.text)
    if raw or response.status_code != 200:
        return Answer(stub, response.status_code, {}, without_kind(whole))
    (first, *others) = [whole_choice(choice) for choice in whole["choices"]]
    return Answer(stub, response.status_code, first["message"], [first, *others, around(whole)])


def without_kind(error: Any) -> Any:
    """An error without the one thing in which a stream's differs: the name of what was asked."""
    if isinstance(error, dict) and isinstance(error.get("extra_fields"), dict):
        error["extra_fields"].pop("request_type", None)
    return error


def around(body: Mapping[str, Any]) -> dict[str, Any]:
    """What stands beside the choices, but for what only a stream or only a plain answer has."""
    return {
        key: value
        for key, value in body.items()
        if key not in ("choices", "object", "extra_fields", "system_fingerprint")
    }


def whole_choice(choice: Mapping[str, Any]) -> dict[str, Any]:
    """A choice of a plain answer; what is null is as good as absent."""
    message = {key: value for key, value in choice["message"].items() if value is not None and value != ""}
    return {"finish": choice["finish_reason"], "logprobs": choice.get("logprobs"), "message": message}


def joined(events: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], Any]:
    """The chunks of a stream as the answer that they add up to: the first choice's message, and all the rest."""
    choices: dict[int, dict[str, Any]] = {}
    for event in events:
        for part in event["choices"]:
            choice = choices.setdefault(part["index"], {"finish": None, "logprobs": None, "message": {}})
            choice["finish"] = part.get("finish_reason") or choice["finish"]
            if part.get("logprobs"):
                said = choice["logprobs"] or {"content": []}
                choice["logprobs"] = {"content": said["content"] + part["logprobs"]["content"]}
            for key, value in part["delta"].items():
                choice["message"][key] = added(choice["message"].get(key), value)
    ordered = [choices[index] for index in sorted(choices)]
    for choice in ordered:
        choice["message"] = {key: value for key, value in choice["message"].items() if value != ""}
    return ordered[0]["message"], [*ordered, around(events[-1])]


def added(before: Any, more: Any) -> Any:
    """One increment put to what was there: text joined, entries of lists by their index, mappings merged."""
    if isinstance(before, str) and isinstance(more, str):
        return before + more
    if isinstance(before, dict) and isinstance(more, dict):
        return {
            **before,
            **{
                key: value if key in ("index", "type") else added(before.get(key), value) for key, value in more.items()
            },
        }
    if isinstance(more, list) and all(isinstance(entry, dict) and "index" in entry for entry in more):
        entries = {entry["index"]: entry for entry in before or ()}
        for entry in more:
            entries[entry["index"]] = added(entries.get(entry["index"], {}), entry)
        return [entries[index] for index in sorted(entries)]
    return more


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
def test_a_conversation_is_answered_by_the_stubs_it_is_meant_for(
    case: Case, stream: bool, session: Session, server: MockBifrost, client: httpx2.Client
) -> None:
    answers = play(case, Desk(server, client, session, case.session), stream=stream)

    assert [(answer.stub, answer.status) for answer in answers] == [(step.stub, step.status) for step in case.steps]
    for step, answer in zip(case.steps, answers, strict=True):
        if step.says is not None:
            assert answer.message.get("content", "") == step.says
        if step.calls:
            assert answer.calls == list(step.calls)
        if step.trail is not None:
            assert answer.trail == list(step.trail)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
def test_a_stream_says_what_a_plain_answer_says(case: Case, server: MockBifrost, client: httpx2.Client) -> None:
    answers: list[list[Answer]] = []
    for stream in (False, True):
        with server.session(verify=False) as session:
            answers.append(play(case, Desk(server, client, session, case.session), stream=stream))

    plain, streamed = answers
    assert streamed == plain


def test_every_price_is_pinned(
    server: MockBifrost, client: httpx2.Client, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that another release of the catalogue changes no byte, and none has to be imported."""
    asked: list[tuple[str, str]] = []

    def catalogue(provider: str, model: str) -> tuple[pricing.Level, ...]:
        asked.append((provider, model))
        return ()

    monkeypatch.setattr(pricing, "_catalogue", catalogue)

    for case in CASES:
        play(case, Desk(server, client, session, case.session), stream=False)

    assert asked == []


def test_every_stub_of_the_folder_has_its_request(scenarios: tuple[LoadedScenario, ...]) -> None:
    shipped = Counter(stub.name for scenario in scenarios for stub in scenario.model.stubs)

    assert set(shipped) == {step.stub for case in CASES for step in case.steps if step.stub is not None}
    assert [name for name, count in shipped.items() if count > 1] == []


def test_every_file_says_what_it_is(scenarios: tuple[LoadedScenario, ...]) -> None:
    for scenario in scenarios:
        assert scenario.model.name == Path(scenario.source).stem
        assert scenario.model.description, scenario.source


def test_check_finds_nothing() -> None:
    result = CliRunner().invoke(main, ["check", str(FOLDER)])

    assert (result.exit_code, result.output.splitlines()[-1][-11:]) == (0, "all usable.")


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in sorted(FOLDER.glob("*.yaml"))])
def test_the_command_in_the_head_is_answered_by_the_file_itself(
    path: Path, session: Session, server: MockBifrost, client: httpx2.Client
) -> None:
    commands = re.findall(r"^# (curl .+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert commands

    for own in {scenario.model.session for scenario in load_paths([path])} - {None}:
        client.post(f"{server.url}/__mockbifrost/sessions/{own}/reset").raise_for_status()
    for command in commands:
        words = shlex.split(command)
        (address,) = [word for word in words if word.startswith("127.0.0.1:8080/")]
        where = address.removeprefix("127.0.0.1:8080")
        url = server.url + where if where.startswith(("/s/", "/__mockbifrost/")) else session.url + where
        given = [words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H"]
        headers = dict(given)
        response = client.post(url, content=words[words.index("-d") + 1], headers=headers)
        if where.startswith("/__mockbifrost/"):
            assert response.status_code == 200, response.text
            continue

        assert ("-N" in words) == (response.request.content.find(b'"stream": true') > 0)
        assert response.headers["x-mockbifrost-stub"] in path.read_text(encoding="utf-8")
