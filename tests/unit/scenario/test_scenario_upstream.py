"""`upstream`: what may be written, what is refused, and what the scripts say that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mockbifrost.errors import ScenarioError
from mockbifrost.provider.answer import Answer, Said
from mockbifrost.provider.connection import FAULTS, HALF, START, ConnectionFault, Kind, Place, delayed
from mockbifrost.provider.tally import Tally
from mockbifrost.provider.tokens import BuiltInTokens
from mockbifrost.scenario.compile import compile_stub
from mockbifrost.scenario.fake import FakeData
from mockbifrost.scenario.load import stub_from_mapping
from mockbifrost.scenario.published_schema import scenario_schema
from mockbifrost.scenario.scripts import Tools
from mockbifrost.scenario.stubs import Layer, Stubs
from mockbifrost.scenario.templates import TemplateFailed
from mockbifrost.scenario.upstream_model import KINDS, NAMES
from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS, ProviderError
from tests.harness import attempt, chat

VALIDATOR = Draft202012Validator(scenario_schema())
TOOLS = Tools(BuiltInTokens(), FakeData())
ONE = Place("after_chunks", 1)
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "required": ["a"]}}}


def fits_the_schema(stub: Mapping[str, Any]) -> bool:
    return VALIDATOR.is_valid({"version": 1, "stubs": [stub]})


def refusals(stub: Mapping[str, Any]) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        stub_from_mapping(stub, "t", 7)
    return [str(finding).removeprefix("t:7:1: ") for finding in caught.value.findings]


def performed(stub: Mapping[str, Any], **more: Any) -> Said:
    """What the stub says to a request."""
    compiled = compile_stub(stub_from_mapping(stub, "t", 7).model, id="stub", source="t", line=7)
    return compiled.steps[0].perform(attempt(chat("Where?", **more)), TOOLS)


def fault_of(upstream: Any, **more: Any) -> ConnectionFault:
    said = performed({"reply": "In Paris, of course.", "upstream": upstream}, **more)
    assert isinstance(said, Answer)
    assert said.fault is not None
    return said.fault


def answer_of(stub: Mapping[str, Any], **more: Any) -> Answer:
    said = performed(stub, **more)
    assert isinstance(said, Answer)
    return said


OVERLOADED = PROVIDER_ERRORS["overloaded"]
WRITTEN: tuple[tuple[Any, ConnectionFault], ...] = (
    *[(kind, ConnectionFault(FAULTS[kind].name)) for kind in ("reset", "no_response", "empty", "not_json", "not_sse")],
    ({"reset": True}, ConnectionFault("reset")),
    ({"no_done": {}}, ConnectionFault("no_done")),
    ("no_done", ConnectionFault("no_done")),
    ("truncated", ConnectionFault("truncated", HALF)),
    ("html", ConnectionFault("html", status=502)),
    ({"html": {}}, ConnectionFault("html", status=502)),
    ({"html": {"status": 503}}, ConnectionFault("html", status=503)),
    ({"slow": "20s"}, ConnectionFault("slow", for_s=20.0)),
    ("cut", ConnectionFault("cut", ONE)),
    ({"cut": {"after_chunks": 12, "how": "reset"}}, ConnectionFault("cut", Place("after_chunks", 12), how="reset")),
    ({"cut": {"after_chunks": 0}}, ConnectionFault("cut", START)),
    ({"cut": {"at": "tool_arguments"}}, ConnectionFault("cut", Place("tool_arguments"))),
    ({"cut": {"at": {"name": "done"}}}, ConnectionFault("cut", Place("done"))),
    ({"cut": {"at": {"text": "Paris"}}}, ConnectionFault("cut", Place("text", text="Paris"))),
    ({"cut": {"at": {"bytes": 9}}}, ConnectionFault("cut", Place("bytes", 9))),
    ("stall", ConnectionFault("stall", ONE)),
    ({"stall": {}}, ConnectionFault("stall", ONE)),
    ({"stall": {"after_chunks": 3, "for": "90s"}}, ConnectionFault("stall", Place("after_chunks", 3), 90.0)),
    ({"malformed": {"after_chunks": 2}}, ConnectionFault("malformed", Place("after_chunks", 2))),
    ({"error_event": "overloaded"}, ConnectionFault("error_event", START, error=OVERLOADED)),
    (
        {"error_event": {"after_chunks": 3, "name": "overloaded", "message": "{{ user }}", "type": None, "code": "c"}},
        ConnectionFault(
            "error_event",
            Place("after_chunks", 3),
            error=replace(OVERLOADED, message="Where?", type=None, code="c"),
        ),
    ),
    (
        {"error_event": {"name": "overloaded", "at": "done"}},
        ConnectionFault("error_event", Place("done"), error=OVERLOADED),
    ),
    (
        {"error_event": {"message": "No {model} here.", "type": "t"}},
        ConnectionFault("error_event", START, error=ProviderError("", 500, "t", None, "No gpt-4o here.")),
    ),
)


@pytest.mark.parametrize(("upstream", "wanted"), WRITTEN, ids=repr)
def test_what_is_written_is_what_happens_to_the_answer(upstream: Any, wanted: ConnectionFault) -> None:
    assert fault_of(upstream) == fault_of(upstream, stream=True) == wanted
    assert fits_the_schema({"reply": "a", "upstream": upstream})


@pytest.mark.parametrize("upstream", [row[0] for row in WRITTEN if not row[1].needs_answer], ids=repr)
def test_what_leaves_nothing_of_an_answer_may_stand_alone(upstream: Any) -> None:
    stub = {"upstream": upstream, "pace": {"ttft": "2s", "speed": 3}}

    said = performed(stub)

    assert said == replace(fault_of(upstream), took_s=2.0, speed=3.0)
    assert fits_the_schema(stub)
    assert fits_the_schema({"sequence": [{"upstream": upstream}]})


@pytest.mark.parametrize(("upstream", "wanted"), [row for row in WRITTEN if row[1].needs_answer], ids=repr)
def test_what_happens_to_an_answer_needs_one(upstream: Any, wanted: ConnectionFault) -> None:
    [said] = refusals({"upstream": upstream})

    more = ", or let it come first" if wanted.kind == "error_event" else ""
    assert said == (
        f"upstream: `{wanted.kind}` happens to an answer, and there is none; add `reply`, `auto` or `echo`{more}"
    )
    assert refusals({"sequence": [{"upstream": upstream}]}) == [f"sequence[0].{said}"]
    assert not fits_the_schema({"upstream": upstream})


KNOWN = ", ".join(KINDS)


@pytest.mark.parametrize(
    ("upstream", "said"),
    [
        ("resett", ": 'resett' is not the name of a fault of the provider's connection; did you mean 'reset'?"),
        ("slow", ": `slow` does not say enough; write {slow: 20s}"),
        ("error_event", ": `error_event` does not say enough; write {error_event: overloaded}"),
        (3, ": must be the name of a fault, or a mapping such as {cut: {after_chunks: 12}}, got the number 3"),
        ({}, f": says nothing; give it one of {KNOWN}"),
        ({"rest": True}, ".rest: unknown key 'rest'; did you mean 'reset'?"),
        ({"reset": True, "empty": True}, ".empty: has `reset` already, so `empty` has no place; keep one"),
        ({"reset": False}, ".reset: must be true, got false"),
        ({"reset": None}, ".reset: `reset` has no value; give it one, or remove the line"),
        ({"html": 503}, ".html: must be a mapping such as {status: 502}, got the number 503"),
        ({"html": {"status": 200}}, ".html.status: must be at least 400, got the number 200"),
        ({"slow": 20}, ".slow: a duration needs a unit: write 20ms or 20s"),
        ({"cut": 12}, ".cut: must be a mapping such as {after_chunks: 12, how: reset}, got the number 12"),
        ({"cut": {"after_chunks": -1}}, ".cut.after_chunks: must be at least 0, got the number -1"),
        ({"cut": {"how": "rst"}}, ".cut.how: must be 'fin' or 'reset', got the text 'rst'; did you mean 'reset'?"),
        ({"cut": {"for": "1s"}}, ".cut.for: unknown key 'for'; known are after_chunks, at, how"),
        (
            {"cut": {"after_chunks": 1, "at": "done"}},
            ".cut.at: `after_chunks` and `at` both say where; keep one",
        ),
        (
            {"cut": {"at": "finsh"}},
            ".cut.at: 'finsh' is not the name of a place; did you mean 'finish'?",
        ),
        (
            {"cut": {"at": 3}},
            ".cut.at: must be a place (tool_arguments, reasoning, finish, usage, done), {text: …} or {bytes: 100}, got "
            "the number 3",
        ),
        ({"cut": {"at": {}}}, ".cut.at: says nothing; give it one of name, text, bytes"),
        ({"cut": {"at": {"text": ""}}}, ".cut.at.text: must not be empty"),
        ({"cut": {"at": {"bytes": 0}}}, ".cut.at.bytes: must be at least 1, got the number 0"),
        (
            {"cut": {"at": {"text": "a", "bytes": 1}}},
            ".cut.at.bytes: has `text` already, so `bytes` has no place; keep one",
        ),
        ({"stall": {"for": "x"}}, ".stall.for: 'x' is not a duration: write a number and a unit (ms, s, m, h, d, w, M, Q, Y), as in 350ms, 1.5s or 1m30s"),  # noqa: E501
        ({"malformed": True}, ".malformed: must be a mapping such as {after_chunks: 2}, got true"),
        (
            {"error_event": "overloded"},
            ".error_event: 'overloded' is not the name of a provider's error; did you mean 'overloaded'?",
        ),
        (
            {"error_event": {"after_chunks": 3}},
            ".error_event: needs a `name` or a `message`; write {message: …}, or a name such as overloaded",
        ),
        (
            {"error_event": {"name": "overloaded", "at": "done", "after_chunks": 1}},
            ".error_event.at: `after_chunks` and `at` both say where; keep one",
        ),
        (["reset"], ": must be the name of a fault, or a mapping such as {cut: {after_chunks: 12}}, got a list"),
    ],
    ids=repr,
)  # fmt: skip
def test_refusals(upstream: Any, said: str) -> None:
    assert refusals({"reply": "a", "upstream": upstream}) == [f"upstream{said}"]
    assert not fits_the_schema({"reply": "a", "upstream": upstream})


def test_a_wait_of_no_time_is_none() -> None:
    for upstream, key in (({"slow": 0}, "slow"), ({"stall": {"for": 0}}, "stall.for")):
        said = refusals({"reply": "a", "upstream": upstream})
        assert said == [f"upstream.{key}: must be more than 0, got the number 0"]


@pytest.mark.parametrize(
    ("behaviour", "hint"),
    [
        ({"error": "overloaded"}, "keep one of the two"),
        ({"gateway_error": "no_keys"}, "keep one of the two"),
        ({"raw": {"text": "a"}}, "keep one of the two"),
        ({"sequence": ["a"]}, "give it to the steps"),
    ],
    ids=lambda it: next(iter(it)) if isinstance(it, dict) else it,
)
@pytest.mark.parametrize("upstream", ["reset", "cut"])
def test_beside_what_is_no_answer_it_has_no_place(behaviour: dict[str, Any], hint: str, upstream: str) -> None:
    [key] = behaviour

    assert refusals({**behaviour, "upstream": upstream}) == [
        f"upstream: `upstream` is about the connection that an answer comes over, and `{key}` is none; {hint}"
    ]
    assert not fits_the_schema({**behaviour, "upstream": upstream})


def test_without_a_value_it_is_only_said_once() -> None:
    assert refusals({"upstream": None}) == ["upstream: `upstream` has no value; give it one, or remove the line"]


def test_a_key_of_it_that_stands_in_the_stub_is_told_where_it_belongs() -> None:
    assert refusals({"reply": "a", "cut": {}}) == ["cut: unknown key 'cut'; `cut` belongs under `upstream`"]


def test_every_kind_can_be_written() -> None:
    assert tuple(FAULTS) == KINDS
    assert [kind for kind in KINDS if kind not in NAMES] == ["slow", "error_event"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("behaviour", [{"auto": True}, {"echo": True}, {"reply": {"chunks": ["Where", "?"]}}], ids=repr)
def test_every_answer_may_have_one(behaviour: dict[str, Any], stream: bool) -> None:
    stub = {**behaviour, "upstream": {"cut": {"after_chunks": 2}}}

    said = answer_of(stub, stream=stream, tools=[TOOL])

    assert said.fault == ConnectionFault("cut", Place("after_chunks", 2))
    assert said.draft.deltas == answer_of(stub, stream=True, tools=[TOOL]).draft.deltas
    assert bool(said.draft.choices) != stream
    plain = answer_of(behaviour, stream=stream, tools=[TOOL])
    assert plain.fault is None
    assert replace(said, fault=None) == (replace(plain, draft=said.draft))


def test_only_a_fault_with_a_place_needs_the_stream_of_a_plain_answer() -> None:
    assert answer_of({"reply": "a"}).draft.deltas == ()
    assert answer_of({"reply": "a", "upstream": "truncated"}).draft.deltas == ()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "upstream", [{"slow": "20s"}, {"stall": {"after_chunks": 2, "for": "5s"}}, {"cut": {"after_chunks": 2}}], ids=repr
)
def test_what_only_comes_later_is_later_in_the_draft(upstream: Any, stream: bool) -> None:
    stub = {"reply": "One two three.", "pace": {"ttft": "1s", "tokens_per_second": 2, "chunk": "word"}}
    on_time = answer_of(stub, stream=True).draft.deltas
    before, after = (answer_of(one, stream=stream) for one in (stub, {**stub, "upstream": upstream}))

    assert after.fault is not None
    deltas, latency_s = delayed(after.fault, on_time, before.draft.latency_s)
    assert after.draft.latency_s == latency_s
    if stream:
        assert after.draft.deltas == deltas


def test_a_template_of_an_event_that_fails_is_the_mocks_own_failure() -> None:
    with pytest.raises(TemplateFailed):
        performed({"upstream": {"error_event": {"message": "{{ tool.nothing.here }}"}}})


def told(stubs: list[dict[str, Any]], count: int, **more: Any) -> list[str]:
    """Which stub answers each of so many attempts of one call."""
    compiled = [
        compile_stub(stub_from_mapping(stub, "t", number).model, id=f"{number}", source="t", line=number)
        for number, stub in enumerate(stubs, 1)
    ]
    layer = Stubs(Layer(compiled), TOOLS)
    tally = Tally({}, {}, {})
    found = []
    for _try in range(count):
        reached = layer.ask(attempt(chat("Where?", **more)), tally)
        assert reached is not None
        assert reached.stub is not None
        tally.adopt(reached.tally)
        found.append(str(reached.stub.line))
    return found


@pytest.mark.parametrize(
    ("stub", "plain", "stream"),
    [
        ({"upstream": "reset"}, False, False),
        ({"reply": "a", "upstream": "reset"}, False, False),
        ({"auto": True, "upstream": "no_response"}, False, False),
        ({"echo": True, "upstream": {"cut": {"after_chunks": 0}}}, False, False),
        ({"reply": "a", "upstream": "cut"}, False, True),
        ({"auto": True, "upstream": "malformed"}, False, True),
        ({"reply": "a", "upstream": "truncated"}, False, True),
        ({"upstream": "truncated"}, False, False),
        ({"upstream": "empty"}, False, True),
        ({"reply": "a", "upstream": "not_sse"}, True, False),
        ({"reply": "a", "upstream": {"slow": "1s"}}, True, True),
        ({"reply": "a"}, True, True),
    ],
    ids=repr,
)
def test_a_use_is_spent_by_the_attempt_where_nothing_of_an_answer_came(
    stub: dict[str, Any], plain: bool, stream: bool
) -> None:
    """What is kept answers a retry of the call again."""
    stubs = [{**stub, "times": 1}, {"reply": "Later."}]

    assert told(stubs, 2) == (["1", "1"] if plain else ["1", "2"])
    assert told(stubs, 2, stream=True) == (["1", "1"] if stream else ["1", "2"])


KINDS_ALONE: tuple[Kind, ...] = ("reset", "empty")


@pytest.mark.parametrize("kind", KINDS_ALONE)
def test_a_step_may_be_a_fault(kind: Kind) -> None:
    stub = {"sequence": [{"upstream": kind}, {"reply": "a", "upstream": "cut", "pace": "slow"}]}
    compiled = compile_stub(stub_from_mapping(stub, "t", 7).model, id="stub", source="t", line=7)

    first, second = [step.perform(attempt(chat()), TOOLS) for step in compiled.steps]

    assert first == ConnectionFault(kind)
    assert isinstance(second, Answer)
    assert second.fault is not None
    assert second.fault.place == ONE
