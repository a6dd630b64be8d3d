"""The body of a plain answer: which keys, and in which order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from mockbifrost.wire.completion import Choice, Extras, Message, ToolCall, completion_json, message_json
from mockbifrost.wire.jsontypes import encode
from mockbifrost.wire.mold import Mold, Slot
from mockbifrost.wire.profiles import DOCUMENTED, V1_6, V2_2, Profile

URL: Mapping[str, Any] = {"type": "url_citation", "url_citation": {"title": "T"}}


@dataclass(frozen=True, slots=True)
class Case:
    id: str
    message: Message
    wanted: str
    profile: Profile = DOCUMENTED
    first: bool = True


CASES = (
    Case("text", Message("Hi"), '{"role":"assistant","content":"Hi"}'),
    Case("nothing", Message(), '{"role":"assistant","content":null}'),
    Case("a refusal", Message(refusal="No"), '{"role":"assistant","content":null,"refusal":"No"}'),
    Case(
        "the assistant's part has a refusal whenever it is there",
        Message("Hi", annotations=[URL]),
        '{"role":"assistant","content":"Hi","refusal":null,"annotations":'
        '[{"type":"url_citation","url_citation":{"title":"T"}}]}',
    ),
    Case(
        "reasoning makes its own details",
        Message("Hi", reasoning="Hm"),
        '{"role":"assistant","content":"Hi","refusal":null,"reasoning":"Hm",'
        '"reasoning_details":[{"index":0,"type":"reasoning.text","text":"Hm"}]}',
    ),
    Case(
        "details as given",
        Message("Hi", reasoning="Hm", reasoning_details=[{"type": "reasoning.summary", "summary": "S"}]),
        '{"role":"assistant","content":"Hi","refusal":null,"reasoning":"Hm",'
        '"reasoning_details":[{"type":"reasoning.summary","summary":"S"}]}',
    ),
    Case(
        "2.2 says reasoning twice",
        Message(reasoning="Hm", reasoning_details=[], tool_calls=(ToolCall("f", "{}", "c"),)),
        '{"role":"assistant","content":null,"refusal":null,"reasoning":"Hm","reasoning_details":[],'
        '"tool_calls":[{"index":0,"type":"function","id":"c","function":{"name":"f","arguments":"{}"}}],'
        '"reasoning_content":"Hm"}',
        V2_2,
    ),
    Case(
        "audio",
        Message(audio={"id": "a", "transcript": "Hi"}),
        '{"role":"assistant","content":null,"refusal":null,"audio":{"id":"a","transcript":"Hi"}}',
    ),
    Case("parts of text are one text", Message([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
         '{"role":"assistant","content":"a\\n\\nb"}'),
    Case("but not in later choices", Message([{"type": "text", "text": "a"}]),
         '{"role":"assistant","content":[{"type":"text","text":"a"}]}', first=False),
    Case("and not beside other parts", Message([{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}]),
         '{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"refusal","refusal":"b"}]}'),
    Case("no parts", Message([]), '{"role":"assistant","content":[]}'),
    Case(
        "further keys have their places",
        Message("Hi", extra={"x": 1, "is_error": False, "tool_call_id": "c", "name": "n"}),
        '{"name":"n","role":"assistant","content":"Hi","tool_call_id":"c","is_error":false,"x":1}',
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_message_has_the_keys_of_what_it_carries(case: Case) -> None:
    found = message_json(case.profile, case.message, first=case.first, calls_before=0)

    assert encode(found).decode() == case.wanted


def completion(
    profile: Profile, choices: Sequence[Choice], extras: Extras | None = None, **more: Any
) -> tuple[Mold, bytes]:
    found = completion_json(profile, choices, extras or Extras("m"), usage=None, extra_fields={})
    mold = Mold.of(encode(found))
    return mold, mold.fill([b'"ID"', b"7", b"", b"", b"", b"", b"", b"", b'"C0"', b'"C1"', b'"C2"'])


def test_an_answer_has_the_gateways_keys_in_its_order() -> None:
    extras = Extras("m", "fp", "flex", [{"title": "T"}], [{"url": "u"}], ["c"])

    _mold, found = completion(DOCUMENTED, [Choice(0, Message("Hi"), "stop")], extras)

    assert found.decode() == (
        '{"id":"ID","choices":[{"index":0,"finish_reason":"stop","logprobs":null,"message":'
        '{"role":"assistant","content":"Hi"}}],"created":7,"model":"m","object":"chat.completion",'
        '"service_tier":"flex","system_fingerprint":"fp","usage":null,"extra_fields":{},'
        '"search_results":[{"title":"T"}],"videos":[{"url":"u"}],"citations":["c"]}'
    )


def test_drawn_ids_of_calls_are_counted_over_all_choices() -> None:
    calls = (ToolCall("a", "{}"), ToolCall("b", "{}", "own"))
    choices = [Choice(0, Message(tool_calls=calls), "tool_calls"), Choice(1, Message(tool_calls=calls), "tool_calls")]

    mold, found = completion(V1_6, choices)

    assert mold.slots == (Slot.ID, Slot.CALL, Slot.CALL + 2, Slot.CREATED)
    assert found.count(b'"own"') == 2


@dataclass(frozen=True, slots=True)
class Probabilities:
    id: str
    profile: Profile
    given: Mapping[str, Any] | None
    wanted: Mapping[str, Any] = field(default_factory=dict)


GIVEN: Mapping[str, Any] = {"content": []}


@pytest.mark.parametrize(
    "case",
    [
        Probabilities("documented, none", DOCUMENTED, None, {"logprobs": None}),
        Probabilities("documented, both names", DOCUMENTED, GIVEN, {"logprobs": GIVEN, "log_probs": GIVEN}),
        Probabilities("1.6, none", V1_6, None, {}),
        Probabilities("1.6, some", V1_6, GIVEN, {"logprobs": GIVEN}),
        Probabilities("2.2, none", V2_2, None, {"logprobs": None}),
        Probabilities("2.2, some", V2_2, GIVEN, {"logprobs": GIVEN}),
    ],
    ids=lambda case: case.id,
)
def test_log_probabilities_by_profile(case: Probabilities) -> None:
    _mold, found = completion(case.profile, [Choice(0, Message("Hi"), "stop", case.given)])

    (choice,) = orjson.loads(found)["choices"]
    assert {key: value for key, value in choice.items() if key.startswith("log")} == case.wanted


def test_a_choice_without_a_reason() -> None:
    """A provider may end without one: null, or left out by 1.6."""
    choice = [Choice(0, Message("Hi"), None)]

    assert b'"finish_reason":null' in completion(DOCUMENTED, choice)[1]
    assert b"finish_reason" not in completion(V1_6, choice)[1]
