"""Templates: every name, every place, and what happens when one fails. Fake data is in here too: it is drawn the same way."""

from typing import Any

import pytest

from mockbifrost.scenario.templates import NAMES
from tests.harness import Response, ask, ask_in, chat, open_session, retry, session_with, stubs

TOOLS = [
    {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}},
    {"id": "2", "type": "function", "function": {"name": "find", "arguments": "{}"}},
]
ROUND: list[dict[str, Any]] = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "go"},
    {"role": "assistant", "content": None, "tool_calls": TOOLS},
    {"role": "tool", "tool_call_id": "1", "content": '{"state": "sent", "items": [1, 2]}'},
    {"role": "tool", "tool_call_id": "2", "content": "plain"},
]


def said(template: str, body: dict[str, Any] | None = None, **headers: str) -> str:
    response = ask_in(session_with(template), body or chat(), headers=headers)
    assert response.status == 200, response.error["message"]
    return response.text


CASES = {
    "user": ("{{ user }}", chat("hi"), "hi"),
    "task": ("{{ task }}", chat(messages=ROUND), "go"),
    "system": ("{{ system }}", chat(messages=ROUND), "be kind"),
    "messages": ("{{ messages|length }} {{ messages[-1].content }}", chat(messages=ROUND), "5 plain"),
    "model": ("{{ model }}", chat(model="openai/gpt-5"), "gpt-5"),
    "provider": ("{{ provider }}", chat(model="groq/llama"), "groq"),
    "turn": ("{{ turn }}", chat(messages=ROUND), "1"),
    "attempt": ("{{ attempt }}", chat(), "0"),
    "params": ("{{ params.temperature }} {{ params['x-y'] }}", {**chat(temperature=0.5), "x-y": 1}, "0.5 1"),
    "headers": ("{{ headers['x-tenant'] }}", chat(), "acme"),
    "tool": ("{{ tool.look.state }} {{ tool.look['items'][1] }} {{ tool.find }}", chat(messages=ROUND), "sent 2 plain"),
    "results": ("{{ results|length }} {{ results[0].state }} {{ results[1] }}", chat(messages=ROUND), "2 sent plain"),
    "fake": ("{{ fake.random_int(5, 5) }}", chat(), "5"),
    "occurrence": ("{{ occurrence }}", chat(), "0"),
}


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_known_to_templates(name: str) -> None:
    template, body, wanted = CASES[name]

    assert said(template, body, **{"X-Tenant": "acme"}) == wanted


def test_what_the_request_has_not_is_empty_where_it_is_a_text_and_undefined_where_it_is_not() -> None:
    assert said("[{{ system }}] {{ results }}") == "[] []"
    assert said("{{ 'yes' if params.seed is defined else 'no' }}") == "no"
    assert said("{{ user }}", chat(messages=ROUND)) == "go", "the task, where the conversation ends with results"


def test_the_latest_result_of_a_tool_counts() -> None:
    again = [*ROUND, ROUND[2], {**ROUND[3], "content": '{"state": "lost"}'}, ROUND[4]]

    assert said("{{ tool.look.state }}", chat(messages=again)) == "lost"


def test_numbers_of_any_size_may_be_multiplied() -> None:
    assert said("{{ 3000000 * 3000000 * (turn + 1) }}") == "9000000000000"
    assert said("{{ 'ab' * (turn + 2) }} {{ 2.5 * 2 }}") == "abab 5.0"


def test_a_text_without_braces_is_no_template() -> None:
    assert said("100 % {x} }} {# y #}") == "100 % {x} }} {# y #}"


def test_statements_work_and_line_ends_stay() -> None:
    assert said("{% for word in user.split() %}{{ loop.index }}{{ word }}\n{% endfor %}", chat("a b")) == "1a\n2b\n"


PLACES = (
    ({"reply": {"content": "{{ user }}"}}, lambda body: body["choices"][0]["message"]["content"]),
    ({"reply": {"content": ["a", "{{ user }}"]}}, lambda body: body["choices"][0]["message"]["content"][3:]),
    ({"reply": {"refusal": "{{ user }}"}}, lambda body: body["choices"][0]["message"]["refusal"]),
    ({"reply": {"reasoning": "{{ user }}"}}, lambda body: body["choices"][0]["message"]["reasoning"]),
    (
        {"reply": {"tool_calls": [{"name": "a", "arguments": "{{ user }}"}]}},
        lambda body: body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"],
    ),
    ({"error": {"status": 503, "message": "{{ user }}"}}, lambda body: body["error"]["message"]),
    ({"gateway_error": {"message": "{{ user }}"}}, lambda body: body["error"]["message"]),
)


@pytest.mark.parametrize(("stub", "reads"), PLACES)
def test_each_place_that_takes_templates_fills_them_in(stub: dict[str, Any], reads: Any) -> None:
    assert reads(ask_in(session_with(stub), chat('He said "hi" <b>')).json()) == 'He said "hi" <b>'


def test_arguments_that_are_a_mapping_stay_json_whatever_is_filled_in() -> None:
    stub = {"reply": {"tool_calls": [{"a": {"q": "{{ user }}", "list": ["{{ turn }}", 1], "plain": "x"}}]}}

    (call,) = ask_in(session_with(stub), chat('"quoted"\n\\')).message["tool_calls"]

    assert call["function"]["arguments"] == '{"q":"\\"quoted\\"\\n\\\\","list":["0",1],"plain":"x"}'


def test_all_texts_of_one_answer_share_what_was_drawn() -> None:
    """And each call draws anew, but for a retry."""
    session = session_with({"reply": {"content": "{{ fake.name() }}", "reasoning": "{{ fake.name() }}"}})

    one, again, other = [ask_in(session, chat(), headers=retry(count)) for count in (0, 1, 0)]

    assert one.message == again.message
    assert one.message["content"] != other.message["content"]
    assert one.message["content"] != one.message["reasoning"]


def test_a_stub_that_fills_in_is_not_remembered_for_another_request() -> None:
    session = session_with("{{ user }}")

    assert [ask_in(session, chat(user)).text for user in ("a", "b", "a")] == ["a", "b", "a"]


MUST_NOT, LARGER = "does what templates must not", "makes something larger than 1000000"


def failed(stub: Any, body: dict[str, Any] | None = None) -> Response:
    response = ask_in(session_with(stub), body or chat())
    assert (response.status, response.entry.error) == (400, "template")
    return response


KNOWN = f"there are {', '.join(NAMES)}"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        pytest.param(
            "{{ tool.look.state }}",
            f"names something that is not there: 'dict object' has no attribute 'look'; {KNOWN} (no tool results yet)",
            id="no such result",
        ),
        pytest.param(
            "{{ params.seed }}",
            f"names something that is not there: 'dict object' has no attribute 'seed'; {KNOWN} (no tool results yet)",
            id="no such parameter",
        ),
        pytest.param("{{ 1 / 0 }}", "failed: ZeroDivisionError: division by zero", id="an error of its own"),
        pytest.param("{{ turn * 'x' ~ 'x' * 2000000 }}", f"{MUST_NOT}: * {LARGER}", id="a row that is too long"),
        pytest.param("{{ 2000000 * [turn] }}", f"{MUST_NOT}: * {LARGER}", id="a list that is too long"),
        pytest.param("{{ params.n * 'x' * 2000000 }}", f"{MUST_NOT}: * {LARGER}", id="as often as the client says"),
        pytest.param(
            "{{ 'x' * 900000 ~ 'x' * 900000 }}", "made 1800000 characters; the most is 1000000", id="too long"
        ),
        pytest.param("{{ 2 ** (9999999 + turn) }}", f"{MUST_NOT}: ** {LARGER}", id="a number that is too long"),
        pytest.param("{{ '\\ud83d' }}", "made half a surrogate pair, which is no character", id="half a character"),
    ],
)
def test_a_template_that_fails_says_why_and_what_to_do(template: str, why: str) -> None:
    """Never an empty string, never a simulated error."""
    response = failed(template, chat(n=1))

    assert response.error["message"] == (
        f"Stub 'test.yaml:1' (test.yaml:1) could not answer: the template {template!r} {why}.\n"
        "  do: mend the text at test.yaml:1"
    )
    assert response.header("x-mockbifrost-error") == "template"
    assert response.header("x-should-retry") == "false"


def test_it_names_the_results_that_there_are() -> None:
    message = failed("{{ tool.other }}", chat(messages=ROUND)).error["message"]

    assert "(tool.look, tool.find)" in message


@pytest.mark.parametrize(
    "template",
    ["{{ user.__class__ }}", "{{ ''.__class__.__mro__ }}", "{{ messages.append(1) }}", "{{ params.update(a=1) }}"],
)
def test_a_template_is_kept_in_its_sandbox(template: str) -> None:
    failed(template)


@pytest.mark.parametrize("place", ["refusal", "reasoning"])
def test_a_template_fails_in_a_stream_before_it_begins(place: str) -> None:
    response = failed({"reply": {place: "{{ tool.x }}"}}, chat(stream=True))

    assert response.header("content-type") == "application/json"


def test_faker_says_what_its_providers_say() -> None:
    response = ask_in(session_with({"reply": {"faker": {"random_int": {"min": 7, "max": 7}, "words": 2}}}), chat())

    number, *words = response.text.split("\n\n")
    assert number == "7"
    assert len(words) == 2


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_faker_is_drawn_from_the_seed_and_the_request(stream: bool) -> None:
    scenario = stubs("- reply: {faker: {paragraph: {}}}")

    found = [
        ask(scenario, chat(user, stream=stream), seed=seed).text
        for user, seed in (("a", 1), ("a", 1), ("b", 1), ("a", 2))
    ]

    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_streamed_fake_data_is_the_plain_one() -> None:
    session = open_session(stubs("- reply: {faker: {sentence: {}}}"))

    assert ask_in(session, chat()).text == ask_in(session, chat(stream=True)).text


@pytest.mark.parametrize(
    ("faker", "why"),
    [
        ({"no_such_thing": {}}, "Faker has no method 'no_such_thing'"),
        ({"seed_instance": 5}, "Faker has no method 'seed_instance'"),
        ({"random_int": {"most": 5}}, "Faker's random_int failed: TypeError: "),
    ],
)
def test_fake_data_that_is_not_there_is_a_failure_of_the_mock(faker: dict[str, Any], why: str) -> None:
    assert (
        failed({"reply": {"faker": faker}})
        .error["message"]
        .startswith(f"Stub 'test.yaml:1' (test.yaml:1) could not answer: {why}")
    )


def test_a_template_can_not_reseed_fake_data() -> None:
    failed("{{ fake.seed_instance(5) }}")
