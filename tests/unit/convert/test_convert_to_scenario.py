"""A cassette becomes a scenario that answers what was recorded with what was recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mockbifrost.cassette.format import read_cassette
from mockbifrost.cassette.interaction import About, Cassette, Interaction
from mockbifrost.convert.to_scenario import convert_cassette, to_scenario
from mockbifrost.errors import CassetteError
from mockbifrost.scenario.load import load_documents
from mockbifrost.session.review import review
from tests.harness import Response, ask_in, folded, open_session, session_with
from tests.recorded import call, cassette, chunk, events, gateway, interaction, recorded_in, said
from tests.strategies import CONVERSATIONS, IDS, NAMES, PATIENT, REPLIES, TEXTS

TOOLS = [{"type": "function", "function": {"name": "lookup_order"}}]
ORDER = {"role": "user", "content": "Please refund order 42, it never arrived."}
LOOKS_UP = {"role": "assistant", "content": None, "tool_calls": [call("lookup_order", '{"order_id":"42"}')]}
PAID = {"role": "tool", "tool_call_id": "call_1", "content": '{"state":"paid"}'}


LONG = "Please go to the market and buy some bread for us all"


def asked(*messages: Mapping[str, Any] | str, **more: Any) -> dict[str, Any]:
    rows = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]
    return {"model": "gpt-4o", "messages": rows, **more}


def stubs_of(*interactions: Interaction, **more: Any) -> list[Any]:
    """The stubs of a converted cassette."""
    found: list[Any] = yaml.safe_load(to_scenario(cassette(*interactions), **more))["stubs"]
    return found


def whens(*interactions: Interaction) -> list[Any]:
    return [stub.get("when") for stub in stubs_of(*interactions)]


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """What a provider says: text, calls, reasoning, in any texts."""
    names = draw(st.lists(NAMES, max_size=2))
    calls = [
        call(name, draw(st.sampled_from(['{"a":1}', '{"a": "{{ b }}"}', "{}", "{broken", ""])), id=draw(IDS))
        for name in names
    ]
    found: dict[str, Any] = {"content": draw(TEXTS | st.none() if calls else TEXTS)}
    if draw(st.booleans()):
        found["reasoning"] = draw(st.text(min_size=1, max_size=20))
    return found | ({"tool_calls": calls} if calls else {})


USAGES = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(
    lambda row: {"prompt_tokens": row[0], "completion_tokens": row[1], "total_tokens": row[0] + row[1]}
)
REASONS = st.sampled_from(["stop", "length", "tool_calls", "content_filter"])
ERRORS = st.fixed_dictionaries(
    {"message": TEXTS},
    optional={
        "type": st.sampled_from(["requests", "server_error"]),
        "code": st.sampled_from(["a", "rate_limit_exceeded"]),
    },
)


@st.composite
def turns(draw: st.DrawFn) -> Interaction:
    """One request to a provider and its answer: plain, streamed, an error."""
    body = draw(
        st.fixed_dictionaries(
            {"model": st.sampled_from(["gpt-4o", "openai/gpt-4o-mini"]), "messages": CONVERSATIONS},
            optional={
                "tools": st.just(TOOLS),
                "temperature": st.sampled_from([0, 0.5, 1.0]),
                "user": st.sampled_from(["a", "b"]),
            },
        )
    )
    if draw(st.integers(0, 4)) == 0:
        return interaction(
            body, {"error": draw(ERRORS)}, status=draw(st.sampled_from([400, 401, 429, 500, 503])), times_ms=[20]
        )
    message, reason, usage = draw(messages()), draw(REASONS), draw(USAGES)
    if draw(st.booleans()):
        return interaction(body, said(message, finish_reason=reason, usage=usage), times_ms=[draw(st.integers(0, 900))])
    rows = events(*streamed(message), chunk({}, reason), chunk(None, usage=usage))
    times = sorted(draw(st.lists(st.integers(0, 900), min_size=len(rows), max_size=len(rows))))
    return interaction({**body, "stream": True}, rows, times_ms=times)


def streamed(message: Mapping[str, Any]) -> Sequence[Any]:
    """A message in chunks: texts in halves, calls with their arguments in two pieces."""
    found = [chunk({"role": "assistant", "content": ""})]
    for key in ("reasoning", "content"):
        text = message.get(key) or ""
        found += [chunk({key: part}) for part in (text[: len(text) // 2], text[len(text) // 2 :]) if part]
    for index, one in enumerate(message.get("tool_calls", ())):
        arguments = one["function"]["arguments"]
        found.append(
            chunk(
                {
                    "tool_calls": [
                        {
                            **one,
                            "index": index,
                            "function": {"name": one["function"]["name"], "arguments": arguments[:3]},
                        }
                    ]
                }
            )
        )
        found.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": arguments[3:]}}]}))
    return found


def heard(status: int, body: bytes, *, stream: bool) -> dict[str, Any]:
    """What a client makes of a response."""
    if status >= 400:
        error = json.loads(body)["error"]
        return {"status": status} | {key: error.get(key) for key in ("message", "type", "code")}
    if not stream:
        answer = json.loads(body)
        [choice] = answer["choices"]
        message = choice["message"]
        calls = [
            (one["id"], one["function"]["name"], one["function"]["arguments"])
            for one in message.get("tool_calls") or ()
        ]
    else:
        chunks = [
            json.loads(row.removeprefix(b"data: ")) for row in body.split(b"\n\n") if row and b"[DONE]" not in row
        ]
        choices = [choice for one in chunks for choice in one["choices"]]
        message = folded([choice["delta"] for choice in choices])
        calls = [(one["id"], one["name"], one["arguments"]) for one in message.get("tool_calls", ())]
        choice = next(one for one in choices if one.get("finish_reason"))
        answer = next(one for one in chunks if one.get("usage"))
    usage = {key: (answer["usage"] or {}).get(key, 0) for key in ("prompt_tokens", "completion_tokens", "total_tokens")}
    return {
        "content": message.get("content") or "",
        "reasoning": message.get("reasoning") or "",
        "calls": calls,
        "finish_reason": choice["finish_reason"],
        "usage": usage,
    }


def heard_in(recorded: Interaction) -> dict[str, Any]:
    response = recorded.response
    return heard(response.status, response.body, stream=response.is_stream)


def heard_by(response: Response) -> dict[str, Any]:
    return heard(response.status, response.body, stream=response.exchange.outcome.stream)


def check(recorded: Cassette) -> None:
    """Ask the converted scenario what was recorded, in order."""
    session = open_session(to_scenario(recorded))
    for one in recorded.interactions:
        assert heard_by(ask_in(session, one.request.body)) == heard_in(one)


@given(st.lists(turns(), min_size=1, max_size=5))
@settings(max_examples=60)
def test_a_scenario_of_a_providers_cassette_answers_as_the_provider_did(interactions: list[Interaction]) -> None:
    check(cassette(*interactions))


@given(st.lists(st.tuples(REPLIES, CONVERSATIONS, st.booleans()), min_size=1, max_size=4))
@settings(max_examples=40)
def test_a_scenario_of_a_gateways_cassette_answers_as_the_gateway_did(rows: list[tuple[Any, Any, bool]]) -> None:
    replies = [
        {key: item for key, item in reply.items() if key not in ("latency", "audio")}
        for reply, _messages, _stream in rows
    ]
    session = session_with({"sequence": [{"reply": reply} for reply in replies]}, gateway=PATIENT)
    bodies = [asked(*messages, **({"stream": True} if stream else {})) for _reply, messages, stream in rows]
    recorded = cassette(*[recorded_in(session, body) for body in bodies])

    check(recorded)


def agent() -> list[Interaction]:
    first = said({"tool_calls": [call("lookup_order", '{"order_id":"42"}')]})
    second = said("Order 42 was paid: refunded.")
    return [
        interaction(asked(ORDER, tools=TOOLS), first, times_ms=[420]),
        interaction(asked(ORDER, LOOKS_UP, PAID, tools=TOOLS), second, times_ms=[800]),
    ]


def test_how_a_scenario_reads() -> None:
    assert to_scenario(cassette(*agent())) == (
        "# yaml-language-server: $schema=./scenario.schema.json\n"
        "# Converted from refund.yaml, 2 interactions. Edit it: nothing reads the cassette any more.\n"
        "version: 1\n"
        "name: refund\n"
        "stubs:\n"
        "  # from refund.yaml#1\n"
        "  - name: calls lookup_order\n"
        "    when:\n"
        "      user: Please refund order 42, it never arrived.\n"
        "    reply:\n"
        "      tool_calls:\n"
        "        - name: lookup_order\n"
        "          arguments:\n"
        '            order_id: "42"\n'
        "          id: call_1\n"
        "      usage:\n"
        "        prompt_tokens: 9\n"
        "        completion_tokens: 4\n"
        "    pace:\n"
        "      ttft: 420ms\n"
        "\n"
        "  # from refund.yaml#2\n"
        '  - name: "Order 42 was paid: refunded."\n'
        "    when:\n"
        "      task: Please refund order 42, it never arrived.\n"
        "      tool_result: lookup_order\n"
        "    reply:\n"
        '      content: "Order 42 was paid: refunded."\n'
        "      usage:\n"
        "        prompt_tokens: 9\n"
        "        completion_tokens: 4\n"
        "    pace:\n"
        "      ttft: 800ms\n"
    )


def test_ids_and_times_are_kept_when_asked_for() -> None:
    one = interaction(asked("hi"), said("Hello.", system_fingerprint="fp_1"))

    assert not {"id", "created", "system_fingerprint"} & set(stubs_of(one)[0]["reply"])
    reply = stubs_of(one, ids=True)[0]["reply"]
    assert (reply["id"], reply["created"], reply["system_fingerprint"]) == ("chatcmpl-1", 1_770_000_000, "fp_1")


def test_the_same_request_with_other_answers_is_a_sequence_that_repeats_its_last() -> None:
    failed = interaction(asked("hi"), {"error": {"message": "Overloaded", "type": "overloaded_error"}}, status=529)
    [stub] = stubs_of(failed, interaction(asked("hi"), said("Hello.", usage=None)))

    assert stub["sequence"] == [
        {"error": "overloaded"},
        {"reply": {"content": "Hello.", "usage": None}},
    ]
    assert stub["on_end"] == "repeat"


def test_the_same_request_with_the_same_answer_is_one_stub() -> None:
    one = interaction(asked("hi", stop=None), said("Hello.", id="a"))
    [stub] = stubs_of(one, interaction(asked("hi"), said("Hello.", id="b")))

    assert "sequence" not in stub
    assert "# from refund.yaml#1, #2" in to_scenario(cassette(one, one))


def test_a_streamed_and_a_plain_request_with_the_same_answer_are_one_stub() -> None:
    rows = events(chunk({"content": "Hello."}), chunk({}, "stop"), chunk(None, usage=said("")["usage"]))
    plain, stream = (
        interaction(asked("hi"), said("Hello."), times_ms=[700]),
        interaction(asked("hi", stream=True), rows, times_ms=[20, 30, 30, 30]),
    )

    [stub] = stubs_of(plain, stream)
    assert stub["pace"]["ttft"] == "20ms"
    other = interaction(asked("hi", stream=True), events(chunk({"content": "Hi."}), chunk({}, "stop")))
    assert whens(plain, other) == [{"user": "hi", "stream": False}, {"user": "hi"}]


@pytest.mark.parametrize(
    ("first", "second", "when"),
    [
        (asked("hi"), asked("bye"), {"user": "hi"}),
        (asked("hi"), asked("hi there"), {"user": {"equals": "hi"}}),
        (asked("hi"), asked("a", {"role": "assistant", "content": "b"}, "hi"), {"user": "hi", "turn": 0}),
        (asked("hi", tools=TOOLS), asked("hi"), {"user": "hi", "tools": "lookup_order"}),
        (asked("hi"), asked("hi", tools=TOOLS), {"user": "hi", "tools": []}),
        (asked("hi"), {**asked("hi"), "model": "gpt-4o-mini"}, {"user": "hi", "model": "gpt-4o"}),
        (
            asked({"role": "system", "content": "You are A."}, "hi"),
            asked({"role": "system", "content": "You are B."}, "hi"),
            {"user": "hi", "system": "You are A."},
        ),
        (asked("hi", n=2), asked("hi"), {"user": "hi", "n": 2}),
        (asked("hi", temperature=0), asked("hi", temperature=1), {"user": "hi", "body": {"temperature": 0}}),
        (asked("hi"), asked("hi", temperature=1), {"user": "hi", "body": {"temperature": None}}),
        (
            asked("hi", metadata={"a b": "x"}),
            asked("hi", metadata={"a b": "y"}),
            {"user": "hi", "body": {'metadata."a b"': {"equals": "x"}}},
        ),
        (asked("hi", stop=["a"]), asked("hi", stop=["a", "b"]), {"user": "hi", "body": {"length(stop)": 1}}),
        (asked("hi", stop=["a"]), asked("hi", stop="a"), {"user": "hi", "body": {"type(stop)": {"equals": "array"}}}),
        (
            asked(ORDER, LOOKS_UP, PAID),
            asked(ORDER, LOOKS_UP, {**PAID, "content": "{}"}),
            {
                "task": "Please refund order 42, it never arrived.",
                "tool_result": [{"name": "lookup_order", "json": {"state": "paid"}}],
            },
        ),
        (asked({"role": "assistant", "content": "a"}), asked("hi"), {"last": {"role": "assistant"}}),
        (asked("/a/"), asked("b"), {"user": {"contains": "/a/"}}),
        (asked(f"{LONG}\nand  tea"), asked(f"{LONG}\nand milk"), {"user": "and  tea"}),
        (
            asked(f"{LONG} {LONG} {LONG} to the end"),
            asked(f"{LONG} {LONG}"),
            {"user": "the market and buy some bread for us all to the end"},
        ),
        ({"model": "gpt-4o"}, asked("hi"), {"body": {"messages": None}}),
    ],
)
def test_conditions_are_the_plainest_that_tell_a_request_apart(first: Any, second: Any, when: Any) -> None:
    assert whens(interaction(first, said("a")), interaction(second, said("b")))[0] == when


def test_requests_that_differ_only_in_what_varies_ask_the_same() -> None:
    other = json.loads(json.dumps(asked(ORDER, LOOKS_UP, PAID)).replace("call_1", "call_2"))
    del other["messages"][1]["content"]  # null before
    [stub] = stubs_of(
        interaction(asked(ORDER, LOOKS_UP, PAID, temperature=1), said("a")),
        interaction({**other, "temperature": 1.0}, said("b")),
    )

    assert len(stub["sequence"]) == 2


def test_a_text_that_looks_like_a_template_is_said_as_it_is() -> None:
    text = "Write {{ name }}, {% if %} and {# this #}.\r\nDone."
    session = open_session(to_scenario(cassette(interaction(asked("hi"), said(text)))))

    assert ask_in(session, asked("hi")).text == text


def test_a_recording_of_a_gateway_keeps_its_version_provider_and_model() -> None:
    scenario = "version: 1\nstubs:\n  - {when: {provider: openai}, error: unavailable}\n  - Hello.\n"
    body = {
        **asked("hi"),
        "model": "openai/gpt-4o",
        "fallbacks": ["mistral/mistral-large-latest", "anthropic/claude-sonnet-4-5"],
    }
    recorded = gateway(scenario, {**body, "fallbacks": body["fallbacks"][1:]}, version="2.2")
    text = to_scenario(recorded)

    assert yaml.safe_load(text)["gateway"] == {"version": "2.2"}
    fields = json.loads(recorded.interactions[0].response.body)["extra_fields"]
    answer = ask_in(open_session(text), recorded.interactions[0].request.body)
    assert answer.json()["extra_fields"] == fields
    assert fields["provider"] == "anthropic"
    assert "# from refund.yaml#1, which does not say how\n  - name: openai fails\n" in text


def test_a_later_fallback_has_the_others_fail() -> None:
    scenario = 'version: 1\nstubs:\n  - {when: {fallback: "0..1"}, error: unavailable}\n  - Hello.\n'
    recorded = gateway(scenario, {**asked("hi"), "fallbacks": ["mistral/a", "anthropic/b"]})
    first, _second = yaml.safe_load(to_scenario(recorded))["stubs"]

    assert first["when"] == {"user": "hi", "fallback": "0..1"}


def test_fallbacks_of_the_gateways_settings_are_settings_again() -> None:
    scenario = """
        version: 1
        gateway: {fallbacks: {openai/gpt-4o: [anthropic/claude-sonnet-4-5]}}
        stubs: [{when: {provider: openai}, error: unavailable}, "Hello."]
    """
    recorded = gateway(scenario, asked("hi"))
    text = to_scenario(recorded)

    assert yaml.safe_load(text)["gateway"] == {"fallbacks": {"openai/gpt-4o": ["anthropic/claude-sonnet-4-5"]}}
    answer = ask_in(open_session(text), asked("hi")).json()
    assert answer["extra_fields"] == json.loads(recorded.interactions[0].response.body)["extra_fields"]
    assert answer["model"] == "claude-sonnet-4-5"
    assert "model" not in yaml.safe_load(text)["stubs"][1]["reply"]


def test_a_provider_of_ones_own_is_configured() -> None:
    scenario = "version: 1\ngateway: {providers: {house: {}, openai: {}}}\nstubs: [Hello.]\n"
    recorded = gateway(scenario, {**asked("hi"), "model": "house/llama"}, asked("there"))

    assert yaml.safe_load(to_scenario(recorded))["gateway"] == {"providers": {"house": {}, "openai": {}}}


def test_refusals_of_the_gateway_stay_the_gateways() -> None:
    scenario = """
        version: 1
        stubs:
          - {when: {user: a}, gateway_error: budget_exceeded}
          - {when: {user: b}, gateway_error: virtual_key_required}
          - {when: {user: c}, gateway_error: {message: Not today., status: 418, type: teapot, code: tea}}
          - {when: {user: d}, gateway_error: provider_timeout}
    """
    recorded = gateway(scenario, *[asked(user) for user in "abcd"])
    stubs = yaml.safe_load(to_scenario(recorded))["stubs"]

    assert stubs[0]["gateway_error"]["name"] == "budget_exceeded"
    assert [stub["gateway_error"] for stub in stubs[1:]] == [
        "virtual_key_required",
        {"status": 418, "message": "Not today.", "type": "teapot", "code": "tea"},
        "provider_timeout",
    ]


def test_a_request_that_the_simulated_provider_would_refuse_is_let_through() -> None:
    text = to_scenario(cassette(interaction(asked("hi", temperature=7), said("Hot."))))

    assert yaml.safe_load(text)["gateway"] == {"providers": {"openai": {"validate": False}}}


def test_a_slow_provider_is_waited_for() -> None:
    text = to_scenario(cassette(interaction(asked("hi"), said("At last."), times_ms=[95_000])))

    assert yaml.safe_load(text)["gateway"] == {"providers": {"openai": {"timeout": "3m", "stream_idle_timeout": "3m"}}}


def test_a_failing_step_is_taken_once_by_a_call_with_fallbacks() -> None:
    body = asked("hi", fallbacks=["anthropic/claude-sonnet-4-5"])
    failed = interaction(body, {"error": {"message": "Overloaded", "type": "overloaded_error"}}, status=529)

    [stub] = stubs_of(failed, interaction(body, said("Hello.")))
    assert stub["per"] == "call"


def test_a_stream_that_broke_breaks_again() -> None:
    rows = events(
        chunk({"content": "Hel"}), {"error": {"message": "Overloaded", "type": "overloaded_error"}}, done=False
    )
    [stub] = stubs_of(interaction(asked("hi", stream=True), rows))

    assert stub["upstream"] == {"error_event": {"at": "finish", "message": "Overloaded", "type": "overloaded_error"}}
    assert stub["reply"] == "Hel"


def test_what_no_scenario_can_say_is_left_out_and_told() -> None:
    recorded = cassette(
        interaction(asked("hi"), said("Hello.")),
        interaction(b"", {"data": []}, method="GET", uri="https://api.example.org/v1/models", line=9),
        interaction(asked("a"), b"oops"),
        interaction(b"{", said("b")),
        interaction(asked("c"), said("d"), status=304),
    )
    converted = convert_cassette(recorded)

    assert len(yaml.safe_load(converted.text)["stubs"]) == 1
    assert [str(finding) for finding in converted.findings] == [
        "refund.yaml:9:1: warning: interaction 2 is left out: it asks GET /v1/models",
        "refund.yaml: warning: interaction 3 is left out: its answer is none: the body is no JSON with `choices`",
        "refund.yaml: warning: interaction 4 is left out: unexpected end of data: line 1 column 2 (char 1)",
        "refund.yaml: warning: interaction 5 is left out: it was answered with status 304, which is neither an answer nor an error",
    ]


def test_a_cassette_without_any_turn() -> None:
    with pytest.raises(
        CassetteError, match=r"refund\.yaml: holds no interaction that a scenario could say; record a chat"
    ):
        to_scenario(Cassette("refund.yaml", ()))


def test_names_are_those_of_the_file_and_never_twice() -> None:
    named = interaction(asked("a"), said("Hello."), about=About(name="greets"))
    names = [
        stub["name"]
        for stub in stubs_of(named, interaction(asked("b"), said("Hello.")), interaction(asked("c"), said("Hello.")))
    ]

    assert names == ["greets", "Hello.", "Hello. (2)"]


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (said("Hello {{ you }}."), "Hello {{ you }}."),
        (
            said("one two three four five six seven eight nine ten eleven"),
            "one two three four five six seven eight nine ten…",
        ),
        (said(""), "says nothing"),
        (said({"tool_calls": [call("f"), call("g"), call("f")]}), "calls f, g"),
        (said({"refusal": "No."}), "No."),
    ],
)
def test_a_stub_is_called_after_what_is_said(answer: Any, name: str) -> None:
    assert stubs_of(interaction(asked("hi"), answer))[0]["name"] == name


SHIPPED = sorted((Path(__file__).resolve().parents[3] / "cassettes").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_cassette_becomes_a_scenario_that_check_finds_nothing_in(path: Path, tmp_path: Path) -> None:
    recorded = read_cassette(path)
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(to_scenario(recorded))

    assert review(load_documents([scenario])) == []
    check(recorded)
