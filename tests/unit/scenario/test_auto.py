"""`auto`, sentence by sentence of the language: what it answers, plain and streamed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mockbifrost.cli.serve import AUTO
from mockbifrost.provider.tokens import split_tokens
from mockbifrost.scenario.load import load_text
from mockbifrost.session.assembly import assemble
from mockbifrost.session.registry import Sessions
from mockbifrost.session.session import Session
from mockbifrost.session.verify import verify
from tests.harness import Response, ask, ask_in, chat, folded, open_session, stubs

SCENARIO = stubs("- {auto: true}")
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string", "minLength": 3}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
    "required": ["city", "days"],
    "additionalProperties": False,
}


def tool(name: str, parameters: Any = PARAMETERS) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS: dict[str, Any] = {"tools": [tool("first"), tool("second"), tool("third")]}


@dataclass(frozen=True, slots=True)
class Said:
    """An answer in the form that a stream and a plain answer share."""

    content: str | None
    calls: tuple[tuple[str, str], ...]
    finish: str
    reasoning: str | None

    @property
    def names(self) -> list[str]:
        return [name for name, _arguments in self.calls]


def said_of(response: Response, choice: int = 0) -> Said:
    assert response.status == 200, response.body
    if not response.exchange.outcome.stream:
        found = response.json()["choices"][choice]
        message = found["message"]
        calls = tuple(
            [(one["function"]["name"], one["function"]["arguments"]) for one in message.get("tool_calls", ())]
        )
        return Said(message["content"], calls, found["finish_reason"], message.get("reasoning"))
    message = folded(response.deltas(choice))
    parts = [one for chunk in response.chunks for one in chunk["choices"] if one["index"] == choice]
    calls = tuple([(one["name"], one["arguments"]) for one in message.get("tool_calls", ())])
    return Said(message.get("content") or None, calls, parts[-1]["finish_reason"], message.get("reasoning") or None)


def answered(body: Mapping[str, Any], seed: int = 0, choice: int = 0) -> Said:
    """What is answered, which a stream must say in the same words."""
    plain = said_of(ask(SCENARIO, body, seed=seed), choice)
    streamed = said_of(ask(SCENARIO, {**body, "stream": True}, seed=seed), choice)
    assert streamed == plain
    return plain


def after(messages: list[dict[str, Any]], said: Said) -> list[dict[str, Any]]:
    """The conversation with an answer's calls and their results."""
    calls = [
        {"id": f"{len(messages)}-{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for number, (name, arguments) in enumerate(said.calls)
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": f"result of {call['id']}"} for call in calls]
    return [*messages, {"role": "assistant", "content": None, "tool_calls": calls}, *results]


def rounds(most: int = 10, **more: Any) -> list[Said]:
    """An agent's loop: ask, call the tools, ask again, until there is text."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
    found: list[Said] = []
    while len(found) < most and (not found or found[-1].calls):
        found.append(answered({"model": "gpt-4o", "messages": messages, **more}))
        messages = after(messages, found[-1])
    return found


def test_each_offered_tool_is_called_once_then_comes_text() -> None:
    called, done = rounds(**TOOLS)

    assert (called.names, called.finish, called.content) == (["first", "second", "third"], "tool_calls", None)
    assert (done.calls, done.finish) == ((), "stop")
    assert done.content is not None
    assert "first gave result of 1-0; second gave result of 1-1" in done.content


def test_arguments_satisfy_the_schema_of_the_tool() -> None:
    (called, _done) = rounds(**TOOLS)

    for _name, arguments in called.calls:
        assert list(Draft202012Validator(PARAMETERS).iter_errors(json.loads(arguments))) == []


def test_parameters_may_be_a_text_or_left_out_or_broken() -> None:
    offered = [tool("text", json.dumps(PARAMETERS)), tool("none", None), tool("empty", {}), tool("broken", "{")]
    odd = {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}, "required": ["a"]}
    (called, _done) = rounds(tools=[*offered, tool("impossible", odd)])

    arguments = dict(called.calls)
    assert Draft202012Validator(PARAMETERS).is_valid(json.loads(arguments.pop("text")))
    assert arguments == {"none": "{}", "empty": "{}", "broken": "{}", "impossible": "{}"}


def test_a_custom_tool_is_called_with_a_text() -> None:
    (called, _done) = rounds(tools=[{"type": "custom", "custom": {"name": "shout"}}])

    ((name, text),) = called.calls
    assert (name, text[-1]) == ("shout", ".")


def test_tools_are_called_anew_for_the_next_question() -> None:
    messages = after([{"role": "user", "content": "one"}], answered(chat("one", **TOOLS)))
    messages += [{"role": "assistant", "content": "done"}, {"role": "user", "content": "two"}]

    assert answered({"model": "gpt-4o", "messages": messages, **TOOLS}).names == ["first", "second", "third"]


def test_a_forced_tool_is_called_every_time() -> None:
    forced = {"type": "function", "function": {"name": "second"}}

    assert [said.names for said in rounds(3, **TOOLS, tool_choice=forced)] == [["second"]] * 3


def test_a_forced_custom_tool_is_called() -> None:
    custom = [{"type": "custom", "custom": {"name": "shout"}}, tool("first")]
    forced = {"type": "custom", "custom": {"name": "shout"}}

    assert answered(chat(tools=custom, tool_choice=forced)).names == ["shout"]


@pytest.mark.parametrize("none", ["none", {"type": "none"}])
def test_none_is_text(none: Any) -> None:
    (said,) = rounds(**TOOLS, tool_choice=none)

    assert (said.calls, said.finish) == ((), "stop")


@pytest.mark.parametrize("required", ["required", {"type": "required"}])
def test_required_calls_the_last_again_when_all_were_called(required: Any) -> None:
    names = [said.names for said in rounds(3, **TOOLS, tool_choice=required)]

    assert names == [["first", "second", "third"], ["third"], ["third"]]


def test_without_parallel_tool_calls_there_is_one_a_round() -> None:
    found = rounds(**TOOLS, parallel_tool_calls=False)

    assert [said.names for said in found] == [["first"], ["second"], ["third"], []]
    assert [said.names for said in rounds(2, **TOOLS, parallel_tool_calls=True)] == [["first", "second", "third"], []]


@pytest.mark.parametrize(
    ("mode", "names"), [("auto", [["first", "third"], []]), ("required", [["first", "third"], ["third"]])]
)
def test_only_allowed_tools_are_called(mode: str, names: list[list[str]]) -> None:
    allowed = [{"type": "function", "function": {"name": name}} for name in ("third", "first")]
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": allowed}}

    assert [said.names for said in rounds(2, **TOOLS, tool_choice=choice)] == names


@pytest.mark.parametrize("parallel", [True, False])
def test_the_tool_that_ends_a_run_is_called_last_and_alone(parallel: bool) -> None:
    offered = [tool("final_result_Ok"), tool("final_result_Failed"), tool("look"), tool("search")]
    found = rounds(3, tools=offered, tool_choice="required", parallel_tool_calls=parallel)

    expected = [["look", "search"], ["final_result_Ok"], ["final_result_Failed"]]
    assert [said.names for said in found] == (expected if parallel else [["look"], ["search"], ["final_result_Ok"]])


def test_a_json_schema_is_honoured() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "trip", "schema": PARAMETERS}}
    said = answered(chat(response_format=wanted))

    assert said.finish == "stop"
    assert Draft202012Validator(PARAMETERS).is_valid(json.loads(said.content or ""))


def test_a_json_schema_without_a_schema_is_any_json() -> None:
    said = answered(chat(response_format={"type": "json_schema", "json_schema": {"name": "x"}}))

    assert json.loads(said.content or "")


def test_tools_come_before_the_json_that_is_asked_for() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "trip", "schema": PARAMETERS}}
    called, done = rounds(**TOOLS, response_format=wanted)

    assert called.names == ["first", "second", "third"]
    assert Draft202012Validator(PARAMETERS).is_valid(json.loads(done.content or ""))


def test_a_json_object_is_honoured() -> None:
    said = answered(chat("as JSON", response_format={"type": "json_object"}))

    assert isinstance(json.loads(said.content or ""), dict)
    assert answered(chat("as JSON", response_format={"type": "text"})).content is not None


@pytest.mark.parametrize(
    "around",
    [
        "Answer with JSON of this schema:\n\n{}\n\nNothing else.",
        'Not {{this}}, nor {{"a": 1}}, as JSON: ```json\n{}\n```',
    ],
)
@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_schema_in_the_instructions_is_met_in_json_mode(around: str, role: str) -> None:
    """So pydantic-ai's PromptedOutput and instructor's JSON mode ask."""
    instructions = around.format(json.dumps(PARAMETERS, indent=2))
    messages = [{"role": role, "content": instructions}, {"role": "user", "content": "Where to?"}]

    said = answered(chat(messages=messages, response_format={"type": "json_object"}))

    assert Draft202012Validator(PARAMETERS).is_valid(json.loads(said.content or ""))


@pytest.mark.parametrize("instructions", ["{" * 5000, '{"a": ' * 5000, '{"properties": 1}', "{}" * 500])
def test_instructions_without_a_schema_are_no_obstacle_in_json_mode(instructions: str) -> None:
    messages = [{"role": "system", "content": instructions}, {"role": "user", "content": "as JSON"}]

    said = answered(chat(messages=messages, response_format={"type": "json_object"}))

    assert list(json.loads(said.content or "")) == ["answer"]


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_limit_of_tokens_cuts(name: str) -> None:
    cut = answered(chat(**{name: 5}))

    assert cut.finish == "length"
    assert len(split_tokens(cut.content or "")) == 5
    usage = ask(SCENARIO, chat(**{name: 5})).json()["usage"]
    assert usage["completion_tokens"] == 5
    assert answered(chat(**{name: 1000})).finish == "stop"


def test_the_newer_limit_wins() -> None:
    assert len(split_tokens(answered(chat(max_tokens=9, max_completion_tokens=3)).content or "")) == 3


@pytest.mark.parametrize("stop", [" answer", [" answer", "zzz"], ["zzz", " answer to"]])
def test_stop_stops(stop: Any) -> None:
    said = answered(chat(stop=stop))

    assert (said.content, said.finish) == ("An", "stop")


@pytest.mark.parametrize("stop", ["zzz", [], ""])
def test_stop_that_is_not_said_stops_nothing(stop: Any) -> None:
    said = answered(chat(stop=stop))

    assert said.content is not None
    assert said.content.startswith("An answer to “hi”. ")


def test_n_answers_are_drawn() -> None:
    texts = [answered(chat(n=3), choice=choice).content for choice in range(3)]

    assert len(set(texts)) == 3
    assert len(ask(SCENARIO, chat(n=3)).json()["choices"]) == 3


def test_log_probabilities_are_drawn() -> None:
    body = chat(logprobs=True, top_logprobs=2)
    (choice,) = ask(SCENARIO, body).json()["choices"]
    entries = choice["logprobs"]["content"]
    streamed = [
        entry
        for chunk in ask(SCENARIO, {**body, "stream": True}).chunks
        for one in chunk["choices"]
        for entry in (one.get("logprobs") or {}).get("content", ())
    ]

    assert "".join([entry["token"] for entry in entries]) == choice["message"]["content"]
    assert {len(entry["top_logprobs"]) for entry in entries} == {2}
    assert streamed == entries
    assert ask(SCENARIO, chat()).json()["choices"][0].get("logprobs") is None


@pytest.mark.parametrize("more", [{"reasoning_effort": "low"}, {"reasoning": {"effort": "high"}}])
def test_reasoning_effort_adds_reasoning(more: dict[str, Any]) -> None:
    said = answered(chat(**more))

    assert said.reasoning is not None
    assert said.reasoning.startswith("The user wants an answer to “hi”. ")
    assert answered(chat(**more, **TOOLS)).reasoning is not None


@pytest.mark.parametrize(
    "more", [{}, {"reasoning_effort": "none"}, {"reasoning": {"effort": "none"}}, {"reasoning": {}}]
)
def test_without_effort_there_is_no_reasoning(more: dict[str, Any]) -> None:
    assert answered(chat(**more)).reasoning is None


def test_service_tier_is_echoed() -> None:
    assert ask(SCENARIO, chat(service_tier="flex")).json()["service_tier"] == "flex"
    assert ask(SCENARIO, chat(service_tier="flex", stream=True)).chunks[-1]["service_tier"] == "flex"
    assert "service_tier" not in ask(SCENARIO, chat()).json()


OTHERWISE = [{"seed": 1}, {"temperature": 0.5}, {"user": "me"}, {"logit_bias": {"5": 1}}]


@pytest.mark.parametrize("more", OTHERWISE, ids=lambda more: next(iter(more)))
def test_what_only_enters_the_fingerprint_changes_words_and_nothing_else(more: dict[str, Any]) -> None:
    plain, other = ask(SCENARIO, chat()).json(), ask(SCENARIO, chat(**more)).json()
    said, otherwise = (body["choices"][0]["message"].pop("content") for body in (plain, other))

    assert said != otherwise
    assert said.startswith("An answer to “hi”. ")
    assert otherwise.startswith("An answer to “hi”. ")
    for body in (plain, other):
        body.pop("id")
        body["usage"] = None
    assert plain == other


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("more", [{}, TOOLS, {"n": 2, "logprobs": True}, {"reasoning_effort": "low"}])
def test_the_same_is_answered_twice(more: dict[str, Any], stream: bool) -> None:
    first, second = [ask(SCENARIO, chat(stream=stream, **more)) for _time in range(2)]

    assert (first.headers, first.body) == (second.headers, second.body)
    assert ask(SCENARIO, chat(stream=stream, **more), seed=1).body != first.body


def test_a_question_without_text_is_answered() -> None:
    picture = [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
    said = answered({"model": "gpt-4o", "messages": [{"role": "user", "content": picture}]})

    assert said.content is not None
    assert said.content.startswith("An answer to an empty question. ")


def test_a_long_question_is_shortened() -> None:
    said = answered(chat("x" * 100))

    assert said.content is not None
    assert said.content.startswith(f"An answer to “{'x' * 59}…”. ")


def test_serve_without_a_path_answers_so() -> None:
    response = ask(AUTO, chat(**TOOLS))

    assert said_of(response) == said_of(ask(SCENARIO, chat(**TOOLS)))


def lenient(scenario: str) -> Session:
    assembly = assemble([load_text(scenario, "test.yaml")])
    session = Sessions(assembly.common, assembly.named, lenient=True).get("one")
    assert isinstance(session, Session)
    return session


def test_a_lenient_server_answers_a_miss_and_still_calls_it_one() -> None:
    session = lenient(stubs("- {when: {user: x}, reply: a}"))
    response = ask_in(session, chat("hi"))

    assert said_of(response).content == answered(chat("hi")).content
    assert response.entry.error == "no_match"
    assert verify(session).problems
    assert ask_in(session, chat("x")).text == "a"


def test_without_it_a_miss_is_a_miss() -> None:
    session = open_session(stubs("- {when: {user: x}, reply: a}"))

    assert ask_in(session, chat("hi")).status == 400
