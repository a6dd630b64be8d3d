"""The language, key by key: what each shorthand stands for, and the whole text of each refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mockbifrost.errors import ScenarioError
from mockbifrost.scenario.load import stub_from_mapping
from mockbifrost.scenario.model import BEHAVIOURS, STEP_BEHAVIOURS, StubModel


def stub(**keys: Any) -> StubModel:
    return stub_from_mapping(keys, "test.py", 7).model


def refusals(data: Mapping[str, object]) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        stub_from_mapping(data, "t", 7)
    return [str(finding).removeprefix("t:7:1: ") for finding in caught.value.findings]


def when(**keys: Any) -> Any:
    return stub(when=keys, reply="a").when


def reply(**keys: Any) -> Any:
    return stub(reply=keys).reply


def test_a_stub_has_defaults() -> None:
    made = stub(reply="Hello")
    assert made.reply is not None
    assert made.reply.content == "Hello"
    assert (made.name, made.active, made.times, made.per, made.priority, made.required) == (
        None,
        None,
        None,
        None,
        0,
        False,
    )
    assert (made.on_end, made.scope, made.pace, made.echo) == ("miss", None, None, False)
    assert made.when.model_fields_set == set()


@pytest.mark.parametrize(
    ("data", "behaviour"),
    [
        ({"reply": "a"}, "reply"),
        ({"error": "overloaded"}, "error"),
        ({"gateway_error": "no_keys"}, "gateway_error"),
        ({"sequence": ["a"]}, "sequence"),
        ({"echo": True}, "echo"),
        ({"echo": {}}, "echo"),
        ({"auto": True}, "auto"),
        ({"auto": {}}, "auto"),
        ({"raw": {"text": "a"}}, "raw"),
    ],
    ids=repr,
)
def test_each_behaviour_stands_alone(data: dict[str, object], behaviour: str) -> None:
    assert getattr(stub(**data), behaviour)
    other = "raw" if behaviour == "reply" else "reply"
    both = {**data, other: {"text": "a"} if other == "raw" else "a"}
    assert len([line for line in refusals(both) if "has no place; keep one" in line]) == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, [f"does nothing; give it one of {', '.join(BEHAVIOURS)}"]),
        ({"when": {"user": "a"}}, [f"does nothing; give it one of {', '.join(BEHAVIOURS)}"]),
        ({"repyl": "a"}, ["repyl: unknown key 'repyl'; did you mean 'reply'?"]),
        ({"reply": "a", "echo": True}, ["echo: has the behaviour `reply` already, so `echo` has no place; keep one"]),
        (
            {"reply": "a", "on_end": "miss"},
            ["on_end: `on_end` belongs to `sequence`; remove it, or write the steps of a sequence"],
        ),
        (
            {"reply": "a", "scope": "conversation"},
            ["scope: `scope` belongs to `sequence`; remove it, or write the steps of a sequence"],
        ),
        ({"reply": "a", "times": 0}, ["times: must be at least 1, got the number 0"]),
        ({"reply": "a", "times": "2"}, ["times: must be a whole number, got the text '2'"]),
        ({"reply": "a", "times": 1.5}, ["times: must be a whole number, got the number 1.5"]),
        ({"reply": "a", "times": True}, ["times: must be a whole number, got true"]),
        ({"reply": "a", "times": None}, ["times: `times` has no value; give it one, or remove the line"]),
        (
            {"reply": "a", "times": 2, "active": {"first": 2}},
            ["times: `times` and `active.first` say the same; keep one"],
        ),
        ({"reply": "a", "per": "request"}, ["per: must be 'call' or 'attempt', got the text 'request'"]),
        ({"reply": "a", "per": "cal"}, ["per: must be 'call' or 'attempt', got the text 'cal'; did you mean 'call'?"]),
        ({"reply": "a", "priority": 1.5}, ["priority: must be a whole number, got the number 1.5"]),
        (
            {"reply": "a", "required": 0},
            ["required: must be true, false or a number of uses from 1 on, got the number 0"],
        ),
        (
            {"reply": "a", "required": "x"},
            ["required: must be true, false or a number of uses from 1 on, got the text 'x'"],
        ),
        ({"reply": "a", "name": ""}, ["name: must not be empty"]),
        ({"reply": "a", "name": 3}, ['name: must be text, got the number 3; put it in quotes: "3"']),
        ({"echo": False}, ["echo: must be true, got false"]),
        ({"auto": 3}, ["auto: must be true, got the number 3"]),
        ({"echo": "x"}, ["echo: must be true, got the text 'x'"]),
        ({"sequence": []}, ["sequence: must not be empty"]),
        ({"sequence": "a"}, ["sequence: must be a list, got the text 'a'"]),
        (
            {"sequence": [3]},
            [
                "sequence[0]: must be text (a reply) or a mapping of one behaviour, got the number 3; put it in "
                'quotes: "3"'
            ],
        ),
        ({"sequence": [{}]}, [f"sequence[0]: does nothing; give it one of {', '.join(STEP_BEHAVIOURS)}"]),
        (
            {"sequence": [{"sequence": ["a"]}]},
            ["sequence[0].sequence: unknown key 'sequence'; `sequence` belongs to the stub itself"],
        ),
        ({"sequence": ["a"], "scope": "session"}, ["scope: must be 'conversation', got the text 'session'"]),
        ({"reply": "a", "ttft": "3s"}, ["ttft: unknown key 'ttft'; `ttft` belongs under `pace`"]),
        (
            {"reply": "a", "status": 3},
            ["status: unknown key 'status'; `status` belongs under `error`, under `gateway_error` or under `raw`"],
        ),
        ({"reply": "a", "content": "b"}, ["content: unknown key 'content'; `content` belongs under `reply`"]),
        ({"reply": "a", "stubs": []}, ["stubs: unknown key 'stubs'; `stubs` belongs at the top of the file"]),
        (
            {"reply": "a", "xyz": 1},
            [
                f"xyz: unknown key 'xyz'; known are {', '.join(StubModel.known_keys())}",
            ],
        ),
    ],
    ids=repr,
)
def test_stubs_that_are_refused(data: dict[str, object], expected: list[str]) -> None:
    assert refusals(data) == expected


def test_all_that_is_wrong_with_one_stub_is_said_at_once() -> None:
    assert refusals({"when": {"usr": "a"}, "error": "overloded", "reply": 3, "on_end": "miss", "times": None}) == [
        "times: `times` has no value; give it one, or remove the line",
        "error: has the behaviour `reply` already, so `error` has no place; keep one",
        "on_end: `on_end` belongs to `sequence`; remove it, or write the steps of a sequence",
        "when.usr: unknown key 'usr'; did you mean 'user'?",
        "reply: must be text or a mapping such as {content: …, tool_calls: […]}, got the number 3; put it in quotes: "
        '"3"',
    ]


@pytest.mark.parametrize(("given", "kept"), [(True, True), (False, False), (1, 1), (3, 3)], ids=repr)
def test_required_is_a_flag_or_a_number(given: object, kept: object) -> None:
    made = stub(reply="a", required=given)
    assert made.required == kept
    assert type(made.required) is type(kept)


def test_a_sequence_keeps_its_steps_in_order() -> None:
    made = stub(
        sequence=["a", {"error": "overloaded", "pace": "slow"}, {"echo": True}], on_end="cycle", scope="conversation"
    )
    assert made.sequence is not None
    first, second, third = made.sequence
    assert first.reply is not None
    assert first.reply.content == "a"
    assert second.error is not None
    assert (second.error.name, second.pace and second.pace.name, third.echo) == ("overloaded", "slow", True)
    assert (made.on_end, made.scope) == ("cycle", "conversation")


class TestActive:
    def test_all_keys(self) -> None:
        made = stub(
            reply="a",
            active={
                "first": 5, "after": 3, "every": 2, "probability": 0.1, "gate": "g",
                "from": "10s", "until": "60s", "period": "2m",
            },
        )  # fmt: skip
        active = made.active
        assert active is not None
        assert (active.first, active.after, active.every) == (5, 3, 2)
        assert (active.from_, active.until, active.period) == (10.0, 60.0, 120.0)
        assert (active.probability, active.gate) == (0.1, "g")

    @pytest.mark.parametrize(
        ("active", "expected"),
        [
            ({}, ["active: says nothing; give it one of first, after, every, from, until, period, probability, gate"]),
            ({"first": 0}, ["active.first: must be at least 1, got the number 0"]),
            ({"after": -1}, ["active.after: must be at least 0, got the number -1"]),
            ({"every": 0}, ["active.every: must be at least 1, got the number 0"]),
            ({"probability": 1.1}, ["active.probability: must be at most 1, got the number 1.1"]),
            ({"probability": -0.1}, ["active.probability: must be at least 0, got the number -0.1"]),
            ({"gate": ""}, ["active.gate: must not be empty"]),
            ({"from": 10}, ["active.from: a duration needs a unit: write 10ms or 10s"]),
            (
                {"after": 3, "first": 3},
                ["active.first: never active: after the first 3, and only the first 3; raise `first`"],
            ),
            (
                {"from": "10s", "until": "10s"},
                ["active.until: never active: `until` is not after `from`; raise `until`"],
            ),
            ({"period": "10s"}, ["active.period: `period` repeats a window; give it `from`, `until` or both"]),
            ({"period": 0, "from": "1s"}, ["active.period: `period` ends before its window does; raise `period`"]),
            ({"from": "10s", "period": "10s"}, ["active.period: `period` ends before its window does; raise `period`"]),
            (
                {"from": "1s", "until": "20s", "period": "10s"},
                ["active.period: `period` ends before its window does; raise `period`"],
            ),
            ({"form": "1s"}, ["active.form: unknown key 'form'; did you mean 'from'?"]),
            ("2", ["active: must be a mapping, got the text '2'"]),
        ],
        ids=repr,
    )
    def test_refusals(self, active: object, expected: list[str]) -> None:
        assert refusals({"reply": "a", "active": active}) == expected

    @pytest.mark.parametrize(
        "active",
        [
            {"after": 3, "first": 4},
            {"from": 0},
            {"until": "5s", "period": "5s"},
            {"from": "1s", "until": "5s", "period": "5s"},
            {"from": "1s", "period": "5s"},
            {"probability": 0},
            {"probability": 1},
        ],
        ids=repr,
    )
    def test_borders_that_are_allowed(self, active: dict[str, object]) -> None:
        assert stub(reply="a", active=active).active is not None


class TestWhen:
    @pytest.mark.parametrize(
        ("value", "field", "expected"),
        [
            ("refund", "contains", "refund"),
            ("/refund/", "regex", "refund"),
            ("/a/b/", "regex", "a/b"),
            ("//", "contains", "//"),
            ("/a/x", "contains", "/a/x"),
            ("a/b/", "contains", "a/b/"),
            ({"equals": ""}, "equals", ""),
            ({"starts_with": "a"}, "starts_with", "a"),
            ({"ends_with": "a"}, "ends_with", "a"),
            ({"glob": "a*"}, "glob", "a*"),
            ({"regex": "a", "flags": "i"}, "flags", "i"),
            ({"contains": "a", "ignore_case": True}, "ignore_case", True),
        ],
        ids=repr,
    )
    def test_text_matchers(self, value: object, field: str, expected: object) -> None:
        assert getattr(when(user=value).user, field) == expected

    def test_flags_of_a_regular_expression(self) -> None:
        matcher = when(user="/a.b/ims").user
        assert (matcher.regex, matcher.flags, matcher.contains) == ("a.b", "ims", None)

    def test_matchers_nest(self) -> None:
        matcher = when(user={"not": "a", "any": ["b", {"equals": "c"}], "all": ["/d/"]}).user
        assert matcher.not_.contains == "a"
        assert [one.contains or one.equals for one in matcher.any_] == ["b", "c"]
        assert matcher.all_[0].regex == "d"

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (
                42,
                "when.user: must be text, /a regular expression/ or a mapping such as {contains: …}, got the number "
                '42; put it in quotes: "42"',
            ),
            (
                True,
                "when.user: must be text, /a regular expression/ or a mapping such as {contains: …}, got true; put "
                'it in quotes: "True"',
            ),
            ([], "when.user: must be text, /a regular expression/ or a mapping such as {contains: …}, got a list"),
            (None, "when.user: `user` has no value; give it one, or remove the line"),
            ("", "when.user: an empty text fits everything; remove the line, or write {equals: ''} for an empty text"),
            (
                {},
                "when.user: tests nothing; give it one of equals, contains, starts_with, ends_with, regex, glob, "
                "not, any, all",
            ),
            (
                {"ignore_case": True},
                "when.user: tests nothing; give it one of equals, contains, starts_with, ends_with, regex, glob, "
                "not, any, all",
            ),
            ({"contain": "a"}, "when.user.contain: unknown key 'contain'; did you mean 'contains'?"),
            ("/(/", "when.user: is not a regular expression: missing ), unterminated subpattern at position 0"),
            ({"regex": "["}, "when.user.regex: is not a regular expression: unterminated character set at position 0"),
            (
                {"regex": "/a/i"},
                "when.user.regex: a pattern under `regex` is written without slashes around it; "
                "remove them; for a pattern that has them, write [/] instead",
            ),
            ({"regex": "a", "flags": "x"}, "when.user.flags: must be of the letters i, m and s, got the text 'x'"),
            ({"equals": "a", "flags": "i"}, "when.user.flags: `flags` belong to `regex`"),
            ({"any": []}, "when.user.any: must not be empty"),
            ({"any": "a"}, "when.user.any: must be a list, got the text 'a'"),
            (
                {"all": [3]},
                "when.user.all[0]: must be text, /a regular expression/ or a mapping such as {contains: …}, got the "
                'number 3; put it in quotes: "3"',
            ),
            ("/" + "(" * 5000 + "/", "when.user: the regular expression is nested too deeply"),
            ({"regex": "a", "ignore_case": "yes"}, "when.user.ignore_case: must be true or false, got the text 'yes'"),
        ],
        ids=lambda value: repr(value)[:60],
    )
    def test_text_matchers_that_are_refused(self, value: object, expected: str) -> None:
        assert refusals({"when": {"user": value}, "reply": "a"}) == [expected]

    @pytest.mark.parametrize(
        ("value", "spans"),
        [
            (0, ((0, 0),)),
            (3, ((3, 3),)),
            ([1, 2], ((1, 1), (2, 2))),
            ("1..", ((1, None),)),
            ("..2", ((0, 2),)),
            ("0..2", ((0, 2),)),
            ("2..2", ((2, 2),)),
            (["0..2", 5], ((0, 2), (5, 5))),
        ],
        ids=repr,
    )
    def test_numbers_are_spans(self, value: object, spans: object) -> None:
        assert when(turn=value).turn == spans
        assert when(attempt=value).attempt == spans
        assert when(fallback=value).fallback == spans

    @pytest.mark.parametrize("value", [-1, True, 1.5, "x", "..", "-1..2", {}, [None]], ids=repr)
    def test_what_is_no_number_is_refused(self, value: object) -> None:
        [line] = refusals({"when": {"turn": value}, "reply": "a"})
        wanted = 'when.turn: must be a number from 0 on, a list of numbers or a range such as "1.." or "0..2", got '
        assert line.startswith(wanted)

    def test_ranges_and_lists_that_never_hold_are_refused(self) -> None:
        assert refusals({"when": {"turn": "2..1"}, "reply": "a"}) == [
            "when.turn: the range '2..1' is empty; write \"1..2\""
        ]
        assert refusals({"when": {"turn": []}, "reply": "a"}) == [
            "when.turn: an empty list never holds; name a number, or remove the line"
        ]

    def test_names_and_globs(self) -> None:
        made = when(provider="openai", model=["gpt-4o*", "claude"], tools=[])
        assert (made.provider, made.model, made.tools) == (("openai",), ("gpt-4o*", "claude"), ())
        assert when(tools="a").tools == ("a",)
        assert when().tools is None

    @pytest.mark.parametrize(
        ("keys", "expected"),
        [
            ({"model": []}, "when.model: must not be empty"),
            ({"model": [""]}, "when.model[0]: must not be empty"),
            ({"provider": 3}, "when.provider: must be a list, got the number 3"),
            ({"model": [3]}, 'when.model[0]: must be text, got the number 3; put it in quotes: "3"'),
            ({"stream": "true"}, "when.stream: must be true or false, got the text 'true'"),
            ({"n": 0}, "when.n: must be at least 1, got the number 0"),
            ({"messages": []}, "when.messages: must not be empty"),
            ({"messages": [{}]}, "when.messages[0]: says nothing; write what is expected, or remove it"),
            (
                {"messages": [{"role": "usr"}]},
                "when.messages[0].role: must be 'system', 'developer', 'user', 'assistant' or 'tool', got the text "
                "'usr'; did you mean 'user'?",
            ),
            ({"last": {"rol": "user"}}, "when.last.rol: unknown key 'rol'; did you mean 'role'?"),
            ({"last": {}}, "when.last: says nothing; write what is expected, or remove it"),
            (
                {"last": 3},
                "when.last: must be text, a text matcher or a mapping of role and text, got the number 3; put it in "
                'quotes: "3"',
            ),
            ({"tool_result": []}, "when.tool_result: must not be empty"),
            ({"tool_result": {}}, "when.tool_result: says nothing; write what is expected, or remove it"),
            ({"tool_result": {"nme": "a"}}, "when.tool_result.nme: unknown key 'nme'; did you mean 'name'?"),
            ({"tool_result": 3}, "when.tool_result: must be a list, got the number 3"),
            ({"headers": {"a b": "c"}}, "when.headers[\"a b\"]: 'a b' can't be the name of a header"),
            ({"headers": {"A": "c", "a": "d"}}, "when.headers.a: 'a' and 'A' are the same header; keep one"),
            ({"headers": ["a"]}, "when.headers: must be a mapping, got a list"),
            (
                {"body": {"a[": 3}},
                "when.body[\"a[\"]: 'a[' is not a JMESPath expression: Invalid jmespath expression: Incomplete "
                "expression",
            ),
            ({"body": {"a": {"contain": "x"}}}, "when.body.a.contain: unknown key 'contain'; did you mean 'contains'?"),
        ],
        ids=repr,
    )
    def test_refusals(self, keys: dict[str, object], expected: str) -> None:
        assert refusals({"when": keys, "reply": "a"}) == [expected]

    def test_last_is_a_matcher_or_a_mapping(self) -> None:
        assert when(last="a").last.text.contains == "a"
        assert when(last={"equals": "a"}).last.text.equals == "a"
        last = when(last={"role": "user", "text": "/a/"}).last
        assert (last.role, last.text.regex) == ("user", "a")

    def test_messages(self) -> None:
        first, second, third, fourth = when(
            messages=["hi", {"role": "assistant", "tool_call": "f"}, {"tool_result": "f"}, {"starts_with": "a"}]
        ).messages
        assert first.text.contains == "hi"
        assert (second.role, second.tool_call) == ("assistant", ("f",))
        assert third.tool_result.name == "f"
        assert fourth.text.starts_with == "a"

    def test_tool_results(self) -> None:
        assert [one.name for one in when(tool_result="f").tool_result] == ["f"]
        [result] = when(tool_result={"name": "f", "id": "call_1", "text": "ok", "json": None}).tool_result
        assert (result.name, result.id, result.text.contains, result.json_) == ("f", "call_1", "ok", None)
        assert "json_" in result.model_fields_set
        assert len(when(tool_result=["f", {"json": {"a": 1}}]).tool_result) == 2

    def test_headers_may_be_absent_on_purpose(self) -> None:
        headers = when(headers={"x-a": None, "x-b": "c"}).headers
        assert headers["x-a"] is None
        assert headers["x-b"].contains == "c"

    def test_the_body_by_path(self) -> None:
        body = when(
            body={"model": "gpt", "temperature": 0.5, "a": {"equals": "b"}, "tools": [], "x": {"k": 1}, "y": None}
        ).body
        assert body["model"].text.contains == "gpt"
        assert body["a"].text.equals == "b"
        values = {path: check.value for path, check in body.items() if check.text is None}
        assert values == {"temperature": 0.5, "tools": [], "x": {"k": 1}, "y": None}


class TestReply:
    def test_a_text_is_the_content(self) -> None:
        assert stub(reply="Hello").reply == reply(content="Hello")

    def test_null_content_and_usage_are_told_from_absent_ones(self) -> None:
        assert {"content", "usage"} <= reply(content=None, usage=None).model_fields_set
        assert not {"content", "usage"} & reply(finish_reason="stop").model_fields_set

    def test_content_parts(self) -> None:
        assert reply(content=["a", {"type": "image_url", "url": "b"}]).content == (
            {"type": "text", "text": "a"},
            {"type": "image_url", "url": "b"},
        )

    @pytest.mark.parametrize(
        ("call", "name", "arguments", "id"),
        [
            ({"f": {"a": 1}}, "f", {"a": 1}, None),
            ({"f": "{broken"}, "f", "{broken", None),
            ({"f": None}, "f", {}, None),
            ("f", "f", {}, None),
            ({"name": "f"}, "f", {}, None),
            ({"name": {"a": 1}}, "name", {"a": 1}, None),
            ({"name": "f", "arguments": "{", "id": "call_1"}, "f", "{", "call_1"),
        ],
        ids=repr,
    )
    def test_tool_calls(self, call: object, name: str, arguments: object, id: str | None) -> None:
        [made] = reply(tool_calls=[call]).tool_calls
        assert (made.name, made.arguments, made.id) == (name, arguments, id)

    @pytest.mark.parametrize(
        ("given", "calls"),
        [
            ("sentence", {"sentence": None}),
            ({"paragraphs": 3}, {"paragraphs": 3}),
            ({"name": {}, "city": None}, {"name": {}, "city": None}),
        ],
        ids=repr,
    )
    def test_faker(self, given: object, calls: object) -> None:
        assert reply(faker=given).faker == calls

    def test_every_other_key(self) -> None:
        made = reply(
            reasoning="r",
            reasoning_details=[{"type": "reasoning.text"}],
            fragments="per_char",
            refusal="no",
            annotations=[{"type": "url_citation"}],
            audio={"id": "a"},
            citations=["u"],
            search_results=[{"title": "t"}],
            videos=[{"url": "v"}],
            choices=["a", {"content": "b", "finish_reason": "length"}],
            logprobs=True,
            finish_reason="anything",
            usage={"prompt_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 2}},
            model="m",
            id="",
            created=0,
            system_fingerprint="fp",
            service_tier="flex",
            message={"name": "n"},
            latency="1.5s",
            headers={"x-a": "{{ user }}"},
            body={"a": [1]},
        )
        assert [choice.content for choice in made.choices] == ["a", "b"]
        assert (made.latency, made.id, made.created, made.logprobs, made.fragments) == (1.5, "", 0, True, "per_char")
        assert made.usage.model_dump(exclude_unset=True) == {
            "prompt_tokens": 1,
            "completion_tokens_details": {"reasoning_tokens": 2},
        }
        assert reply(logprobs={"content": []}).logprobs == {"content": []}
        assert reply(chunks=["a", {"reasoning": "b"}]).chunks == ({"content": "a"}, {"reasoning": "b"})

    @pytest.mark.parametrize(
        ("keys", "expected"),
        [
            (
                {"content": 42},
                "reply.content: must be text, a list of content parts or null, got the number 42; put it in quotes: "
                '"42"',
            ),
            ({"content": {"a": 1}}, "reply.content: must be text, a list of content parts or null, got a mapping"),
            (
                {"content": [3]},
                "reply.content: content part 0 must be text or a mapping with a `type`, got the number 3",
            ),
            (
                {"content": [{"text": "a"}]},
                "reply.content: content part 0 must be text or a mapping with a `type`, got a mapping",
            ),
            ({"content": "a", "faker": "name"}, "reply.faker: `faker` makes the content; keep `content` or `faker`"),
            ({"faker": 3}, "reply.faker: must name methods of Faker, as in {paragraphs: 3}, got the number 3"),
            ({"faker": {}}, "reply.faker: must name methods of Faker, as in {paragraphs: 3}, got a mapping"),
            (
                {"faker": {"_x": 1}},
                "reply.faker: '_x' can't be a method of Faker; write one of its names, as in {sentence: {}}",
            ),
            ({"tool_calls": {"f": {}}}, "reply.tool_calls: must be a list, got a mapping"),
            (
                {"tool_calls": [3]},
                'reply.tool_calls[0]: must be a mapping such as {lookup_order: {order_id: "42"}}, got the number 3; '
                'put it in quotes: "3"',
            ),
            (
                {"tool_calls": [{"f": 3}]},
                "reply.tool_calls[0]: arguments must be a mapping, or text that is sent as it is, got the number 3",
            ),
            (
                {"tool_calls": [{"f": {}, "g": {}}]},
                "reply.tool_calls[0]: must be one call; write each tool as an item of the list: - lookup_order: "
                '{order_id: "42"}',
            ),
            ({"tool_calls": [{"nme": "f", "arguments": {}}]}, "reply.tool_calls[0]: `name` is missing"),
            (
                {"fragments": "x"},
                "reply.fragments: must be 'openai', 'one_chunk', 'per_char', 'split_escape', 'interleaved' or "
                "'name_repeated', got the text 'x'",
            ),
            ({"logprobs": 3}, "reply.logprobs: must be true, false or a mapping as on the wire, got the number 3"),
            ({"finish_reason": ""}, "reply.finish_reason: must not be empty"),
            ({"usage": {"prompt_tokens": -1}}, "reply.usage.prompt_tokens: must be at least 0, got the number -1"),
            (
                {"usage": {"total_token": 1}},
                "reply.usage.total_token: unknown key 'total_token'; did you mean 'total_tokens'?",
            ),
            (
                {"usage": {"prompt_tokens_details": {"cached": 1}}},
                "reply.usage.prompt_tokens_details.cached: unknown key 'cached'; did you mean 'cached_tokens'?",
            ),
            ({"created": -1}, "reply.created: must be at least 0, got the number -1"),
            ({"latency": 3}, "reply.latency: a duration needs a unit: write 3ms or 3s"),
            ({"headers": {"x": 3}}, 'reply.headers.x: must be text, got the number 3; put it in quotes: "3"'),
            ({"headers": {"x": "a\nb"}}, "reply.headers.x: a header can't hold the character '\\n'"),
            (
                {"headers": {"x": "日"}},
                "reply.headers.x: a header can't hold the character '日'; only Latin-1 is allowed",
            ),
            ({"headers": {"X": "a", "x": "b"}}, "reply.headers.x: 'x' and 'X' are the same header; keep one"),
            ({"chunks": []}, "reply.chunks: must not be empty"),
            ({"chunks": [3]}, "reply.chunks[0]: must be a mapping, got the number 3"),
            (
                {"chunks": ["a"], "content": "b"},
                "reply.content: `chunks` says the whole answer, so `content` has no place beside it; keep one",
            ),
            ({"choices": []}, "reply.choices: must not be empty"),
            (
                {"choices": [{"usage": {}}]},
                "reply.choices[0].usage: `usage` belongs to the whole answer, not to one of its choices; move it up "
                "to `reply`",
            ),
            ({"body": []}, "reply.body: must be a mapping, got a list"),
            ({"reasoning": None}, "reply.reasoning: `reasoning` has no value; give it one, or remove the line"),
            ({"contnt": "a"}, "reply.contnt: unknown key 'contnt'; did you mean 'content'?"),
            (
                {"status": 500},
                "reply.status: unknown key 'status'; `status` belongs under `error`, under `gateway_error` or under "
                "`raw`",
            ),
        ],
        ids=repr,
    )
    def test_refusals(self, keys: dict[str, object], expected: str) -> None:
        assert expected in refusals({"reply": keys})

    @pytest.mark.parametrize(
        "keys",
        [
            {"content": "{{ user "},
            {"content": ["{{ user "]},
            {"content": [{"type": "text", "text": "{{ user "}]},
            {"reasoning": "{{ user "},
            {"refusal": "{{ user "},
            {"tool_calls": [{"f": "{{ user "}]},
            {"tool_calls": [{"f": {"a": "{{ user "}}]},
            {"headers": {"x": "{{ user "}},
        ],
        ids=repr,
    )
    def test_templates_must_compile(self, keys: dict[str, object]) -> None:
        [line] = refusals({"reply": keys})
        assert "the template " in line
        assert "can't be read" in line

    def test_templates_that_are_too_deep_are_refused(self) -> None:
        [line] = refusals({"reply": "{{ " + "(" * 5000 + " }}"})
        assert line == "reply: the template '{{ " + "(" * 56 + "…' is too deep or too large"

    def test_quotes_of_templates_inside_arguments(self) -> None:
        assert reply(tool_calls=[{"f": {"a": "{{ results['x'] }}", "b": ['{{ results["x"] }}']}}]).tool_calls

    @pytest.mark.parametrize(
        "written",
        [
            {"tool_calls": [{"f": {"a": "{{ user", "b": "}}"}}]},
            {"content": [{"type": "image_url", "image_url": {"url": "{{ user"}}]},
        ],
        ids=["arguments", "a part"],
    )
    def test_each_text_inside_a_value_must_be_a_whole_template(self, written: dict[str, Any]) -> None:
        [line] = refusals({"reply": written})
        assert "the template '{{ user' can't be read: " in line


class TestFailures:
    def test_an_error_by_name(self) -> None:
        error = stub(error="rate_limited").error
        assert error is not None
        assert error.model_fields_set == {"name"}
        assert error.shape == "openai"

    def test_a_name_with_something_laid_over_it(self) -> None:
        error = stub(error={"name": "rate_limited", "retry_after": "2s", "code": None, "headers": {"a": "b"}}).error
        assert error is not None
        assert (error.name, error.retry_after, error.code) == ("rate_limited", 2.0, None)
        assert "code" in error.model_fields_set
        assert "type" not in error.model_fields_set

    def test_an_error_written_out(self) -> None:
        error = stub(
            error={"status": 418, "type": "t", "code": "c", "message": "m", "param": [1], "shape": "html"}
        ).error
        assert error is not None
        assert (error.status, error.type, error.code, error.message, error.param, error.shape) == (
            418,
            "t",
            "c",
            "m",
            [1],
            "html",
        )

    def test_a_gateway_error(self) -> None:
        error = stub(gateway_error={"name": "budget_exceeded", "message": "m", "type": None}).gateway_error
        assert error is not None
        assert error.model_fields_set == {"name", "message", "type"}
        assert stub(gateway_error={"message": "m", "status": None}).gateway_error is not None

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (
                {"error": "overloded"},
                "error: 'overloded' is not the name of a provider's error; did you mean 'overloaded'?",
            ),
            (
                {"error": "budget_exceeded"},
                "error: 'budget_exceeded' is not the name of a provider's error; write `gateway_error: "
                "budget_exceeded`",
            ),
            (
                {"error": "zzz"},
                "error: 'zzz' is not the name of a provider's error; known are bad_request, context_length, "
                "content_filter, "
                "unauthorized, forbidden, model_not_found, request_timeout, conflict, too_large, unprocessable, "
                "rate_limited, "
                "insufficient_quota, server_error, bad_gateway, unavailable, gateway_timeout, overloaded",
            ),
            (
                {"error": 503},
                "error: must be the name of an error, or a mapping such as {status: 503, message: …}, got the number "
                "503; write {status: 503}",
            ),
            ({"error": {"name": 3}}, "error.name: must be the name of a provider's error, got the number 3"),
            ({"error": {}}, "error: needs a `name` or a `status`; write {status: 503}, or a name such as overloaded"),
            ({"error": {"status": 399}}, "error.status: must be at least 400, got the number 399"),
            ({"error": {"status": 600}}, "error.status: must be at most 599, got the number 600"),
            (
                {"error": {"status": 500, "shape": "xml"}},
                "error.shape: must be 'openai', 'string', 'html', 'empty' or 'plain_text', got the text 'xml'",
            ),
            (
                {"error": {"status": 500, "retry_after": 2}},
                "error.retry_after: a duration needs a unit: write 2ms or 2s",
            ),
            (
                {"error": {"status": 500, "code": 3}},
                'error.code: must be text, got the number 3; put it in quotes: "3"',
            ),
            (
                {"error": {"status": 500, "message": "{{ "}},
                "error.message: the template '{{ ' can't be read: unexpected 'end of template'",
            ),
            (
                {"error": {"status": 500, "headers": {"A": "b", "a": "b"}}},
                "error.headers.a: 'a' and 'A' are the same header; keep one",
            ),
            (
                {"error": {"status": 500, "headers": {"Retry-After": "1"}, "retry_after": "1s"}},
                "error.retry_after: `retry_after` and the header retry-after say the same; keep one",
            ),
            (
                {"gateway_error": "overloaded"},
                "gateway_error: 'overloaded' is not the name of a gateway's error; write `error: overloaded`",
            ),
            (
                {"gateway_error": "no_key"},
                "gateway_error: 'no_key' is not the name of a gateway's error; did you mean 'no_keys'?",
            ),
            (
                {"gateway_error": {}},
                "gateway_error: needs a `name` or a `message`; write {message: …, status: 403}, or a name such as "
                "budget_exceeded",
            ),
            (
                {"gateway_error": {"name": "no_keys", "param": 1}},
                "gateway_error.param: unknown key 'param'; `param` belongs under `error`",
            ),
        ],
        ids=repr,
    )
    def test_refusals(self, data: dict[str, object], expected: str) -> None:
        assert refusals(data) == [expected]


class TestRaw:
    def test_everything(self) -> None:
        raw = stub(
            raw={
                "status": 502,
                "headers": {"X-A": "b"},
                "delay": "1s",
                "events": [
                    {"data": {"a": 1}, "event": "e", "id": "1", "comment": "c"},
                    {"raw": "x"},
                    {"sleep": "2s"},
                    {"data": None},
                ],
                "done": True,
                "eol": "crlf",
                "split": 3,
                "end": "close",
            }
        ).raw
        assert raw is not None
        assert (raw.status, raw.delay, raw.done, raw.eol, raw.split, raw.end) == (502, 1.0, True, "crlf", 3, "close")
        assert raw.events is not None
        assert [event.model_fields_set for event in raw.events] == [
            {"data", "event", "id", "comment"},
            {"raw"},
            {"sleep"},
            {"data"},
        ]
        assert raw.events[2].sleep == 2.0

    def test_the_bodies(self) -> None:
        as_json = stub(raw={"json": None}).raw
        assert as_json is not None
        assert "json_" in as_json.model_fields_set
        encoded = stub(raw={"base64": " aGVs\n bG8= "}).raw
        assert encoded is not None
        assert encoded.base64 == "aGVsbG8="
        empty = stub(raw={"status": 204}).raw
        assert empty is not None
        assert empty.model_fields_set == {"status"}
        assert as_json.model_dump(exclude={"json_"}) == {
            "status": 200, "headers": None, "delay": 0.0, "text": None, "base64": None, "events": None, "done": False,
            "eol": "lf", "split": None, "one_write": False, "end": "clean",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("raw", "expected"),
        [
            ("x", "raw: must be a mapping, got the text 'x'"),
            ({"status": 199}, "raw.status: must be at least 200, got the number 199"),
            ({"status": 600}, "raw.status: must be at most 599, got the number 600"),
            ({"text": "a", "json": 1}, "raw.text: has `json` already, so `text` has no place; keep one body"),
            (
                {"base64": "a"},
                "raw.base64: is not base64: Invalid base64-encoded string: number of data characters (1) cannot be 1 "
                "more than a multiple of 4",
            ),
            ({"base64": "é"}, "raw.base64: is not base64: string argument should contain only ASCII characters"),
            ({"text": "a", "done": True}, "raw.done: `done` belongs to `events`"),
            ({"text": "a", "eol": "lf"}, "raw.eol: `eol` belongs to `events`"),
            ({"text": "a", "split": 0}, "raw.split: must be at least 1, got the number 0"),
            (
                {"text": "a", "split": 1, "one_write": True},
                "raw.split: `one_write` and `split` contradict each other; keep one",
            ),
            ({"events": [{}]}, "raw.events[0]: says nothing; write {data: …}"),
            (
                {"events": ["a"]},
                "raw.events[0]: must be a mapping of data, event, id, comment, raw or sleep, got the text 'a'",
            ),
            (
                {"events": [{"raw": "a", "id": "b"}]},
                "raw.events[0].raw: `raw` stands alone in its event; make it an event of its own",
            ),
            (
                {"events": [{"sleep": "1s", "data": "b"}]},
                "raw.events[0].sleep: `sleep` stands alone in its event; make it an event of its own",
            ),
            (
                {"events": [{"event": "a\nb"}]},
                "raw.events[0].event: must be one line; use `raw` to write broken events",
            ),
            ({"text": "a", "end": "cut"}, "raw.end: must be 'clean' or 'close', got the text 'cut'"),
            ({"text": "a", "delay": "-1s"}, "raw.delay: a duration can't be negative: -1s"),
        ],
        ids=repr,
    )
    def test_refusals(self, raw: object, expected: str) -> None:
        assert refusals({"raw": raw}) == [expected]


class TestPace:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("slow", {"name": "slow"}),
            ({"name": "typing", "speed": 1}, {"name": "typing", "speed": 1.0}),
            ({"ttft": "350ms", "tokens_per_second": 60}, {"ttft": 0.35, "tokens_per_second": 60.0}),
            ({"jitter": 0.2, "chunk": 3}, {"jitter": 0.2, "chunk": 3}),
            ({"chunk": "whole"}, {"chunk": "whole"}),
            ({"ttft": 0, "jitter": 1, "speed": 0}, {"ttft": 0.0, "jitter": 1.0, "speed": 0.0}),
        ],
        ids=repr,
    )
    def test_paces(self, given: object, expected: dict[str, object]) -> None:
        pace = stub(reply="a", pace=given).pace
        assert pace is not None
        assert pace.model_dump(exclude_unset=True) == expected

    @pytest.mark.parametrize(
        ("pace", "expected"),
        [
            ("slw", "pace: 'slw' is not the name of a pace; did you mean 'slow'?"),
            (
                3,
                "pace: must be a name (instant, typing, slow) or a mapping such as {ttft: 200ms, tokens_per_second: "
                "60}, got the number 3",
            ),
            ({"ttft": 200}, "pace.ttft: a duration needs a unit: write 200ms or 200s"),
            ({"tokens_per_second": 0}, "pace.tokens_per_second: must be more than 0, got the number 0"),
            ({"tokens_per_second": "x"}, "pace.tokens_per_second: must be a number, got the text 'x'"),
            ({"jitter": 1.1}, "pace.jitter: must be at most 1, got the number 1.1"),
            (
                {"chunk": 0},
                "pace.chunk: must be token, word, char, whole or a number of characters from 1 on, got the number 0",
            ),
            (
                {"chunk": "words"},
                "pace.chunk: must be token, word, char, whole or a number of characters from 1 on, got the text "
                "'words'; did you mean 'word'?",
            ),
            ({"speed": -1}, "pace.speed: must be at least 0, got the number -1"),
        ],
        ids=repr,
    )
    def test_refusals(self, pace: object, expected: str) -> None:
        assert refusals({"reply": "a", "pace": pace}) == [expected]
