"""The request: types checked, unknown keys kept, and what makes two requests the same."""

from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mockbifrost.wire.request import (
    MAX_DEPTH,
    ChatRequest,
    InvalidBody,
    RequestMessage,
    canonical,
    fingerprint,
    parse_body,
    validate,
)
from tests.strategies import JSON, OBJECTS, REQUESTS

STREAM_KEYS = st.fixed_dictionaries(
    {}, optional={"stream": st.booleans() | st.none(), "stream_options": st.just({"include_usage": True})}
)


def reordered(value: Any) -> Any:
    """The same value with the keys of its objects the other way round."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(OBJECTS, STREAM_KEYS, STREAM_KEYS)
def test_the_fingerprint_sees_neither_order_nor_stream(
    body: dict[str, Any], one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert canonical({**body, **one}) == canonical({**other, **reordered(body)})
    assert fingerprint({**body, **one}) == fingerprint({**other, **reordered(body)})


@given(OBJECTS, OBJECTS)
def test_different_bodies_have_different_fingerprints(one: dict[str, Any], other: dict[str, Any]) -> None:
    assume(orjson.dumps(one, option=orjson.OPT_SORT_KEYS) != orjson.dumps(other, option=orjson.OPT_SORT_KEYS))

    assert fingerprint(one) != fingerprint(other)


def test_asking_leaves_the_body_as_it_is() -> None:
    body = {"model": "m", "stream": True}

    canonical(body)

    assert body == {"model": "m", "stream": True}


@given(REQUESTS, OBJECTS)
def test_a_request_is_kept_whole(body: dict[str, Any], more: dict[str, Any]) -> None:
    """Unknown keys too: matchers and templates may ask for them."""
    unknown = {f"x_{key}": value for key, value in more.items()}

    request = validate({**body, **unknown})

    kept = request.model_dump(exclude_unset=True)
    assert orjson.dumps(kept, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        {**body, **unknown}, option=orjson.OPT_SORT_KEYS
    )


def test_an_empty_body_is_an_empty_object() -> None:
    """The gateway skips the parsing then. Source: wire.md 2.1."""
    assert parse_body(b"") == {}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"[]", "a list"),
        (b"null", "null"),
        (b"1", "a number"),
        (b"1.5", "a number"),
        (b'"x"', "text"),
        (b"true", "a boolean"),
    ],
)
def test_a_body_that_is_no_object_is_named(body: bytes, kind: str) -> None:
    with pytest.raises(InvalidBody) as caught:
        parse_body(body)

    assert str(caught.value) == f"a JSON object is expected, the body is {kind}"


@pytest.mark.parametrize(
    "body", [b"{", b"{'a': 1}", b'{"a": NaN}', b"\xff\xfe{}", b'{"a": "\\ud800"}', b"\xef\xbb\xbf{}"]
)
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidBody):
        parse_body(body)


@pytest.mark.parametrize("deep", [b"[" * 1_000_000, b'{"a":' * 100_000])
def test_brackets_without_end_are_refused(deep: bytes) -> None:
    with pytest.raises(InvalidBody):
        parse_body(deep)


def nested(levels: int) -> bytes:
    """A body of so many levels."""
    return b'{"stream_options":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 254, 255, 900])
def test_a_body_that_nests_too_deep_is_refused(levels: int) -> None:
    with pytest.raises(InvalidBody) as caught:
        parse_body(nested(levels))

    assert str(caught.value) == f"nested deeper than {MAX_DEPTH} levels"


def test_a_body_may_be_wide_and_as_deep_as_is_said() -> None:
    body = nested(MAX_DEPTH)[:-1] + b',"a":[' + b"{}," * 1_000 + b'"[["]}'

    assert fingerprint(parse_body(body))


@dataclass(frozen=True, slots=True)
class Wrong:
    id: str
    body: dict[str, Any]
    text: str


WRONG = (
    Wrong(
        "content",
        {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": 5}]},
        "messages.1.content: content field is neither a string nor an array of Content blocks",
    ),
    Wrong(
        "tool_choice",
        {"tool_choice": 5},
        "tool_choice: tool_choice field is neither a string nor a ChatToolChoiceStruct object",
    ),
    Wrong(
        "both efforts",
        {"reasoning_effort": "low", "reasoning": {"effort": "low"}},
        "both reasoning_effort and reasoning.effort cannot be present at the same time",
    ),
    Wrong(
        "both limits of reasoning",
        {"reasoning_max_tokens": 5, "reasoning": {"max_tokens": 5}},
        "both reasoning_max_tokens and reasoning.max_tokens cannot be present at the same time",
    ),
    Wrong(
        "both displays",
        {"reasoning_display": "a", "reasoning": {"display": "b"}},
        "both reasoning_display and reasoning.display cannot be present at the same time",
    ),
)


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.id)
def test_what_the_decoder_refuses_is_said_in_its_words(case: Wrong) -> None:
    with pytest.raises(InvalidBody) as caught:
        validate(case.body)

    assert str(caught.value) == case.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", 5),
        ("messages", "hi"),
        ("messages", [5]),
        ("stream", "yes"),
        ("fallbacks", [{"provider": "openai"}]),
        ("max_tokens", "5"),
        ("max_tokens", 5.5),
        ("temperature", "hot"),
        ("logit_bias", [1]),
        ("stop", 5),
        ("tools", {}),
        ("tools", [{"type": "function", "function": {}}]),
        ("response_format", "json"),
        ("stream_options", True),
        ("n", True),
    ],
)
def test_a_declared_field_of_the_wrong_type_is_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidBody, match=f"^{field}"):
        validate({field: value})


@given(st.sampled_from(sorted(ChatRequest.model_fields)), JSON)
def test_a_value_of_any_kind_is_taken_or_refused(field: str, value: Any) -> None:
    """Nothing but InvalidBody comes out."""
    try:
        request = validate({field: value})
    except InvalidBody:
        pass
    else:
        assert field in request.model_fields_set


@pytest.mark.parametrize("field", sorted(set(ChatRequest.model_fields) - {"model"}))
def test_null_is_absence(field: str) -> None:
    assert getattr(validate({field: None}), field) is None


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": None}, 5),
    ],
)
def test_the_newer_limit_wins(body: dict[str, Any], limit: int | None) -> None:
    assert validate(body).completion_limit == limit


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param("hi", "hi", id="text"),
        pytest.param(None, None, id="none"),
        pytest.param("", "", id="empty"),
        pytest.param([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb", id="parts"),
        pytest.param(
            [{"type": "image_url", "image_url": {}}, {"type": "text", "text": "a"}], "a", id="beside a picture"
        ),
        pytest.param([{"type": "image_url", "image_url": {}}], None, id="a picture alone"),
        pytest.param([{"type": "text", "text": 5}, {"text": "a"}], None, id="parts that are none"),
        pytest.param([], None, id="no parts"),
    ],
)
def test_the_text_of_a_message(content: Any, text: str | None) -> None:
    assert RequestMessage(role="user", content=content).text() == text


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        pytest.param({"type": "function", "function": {"name": "f"}}, "f", id="function"),
        pytest.param({"type": "custom", "custom": {"name": "c"}}, "c", id="custom"),
        pytest.param({"type": "custom", "custom": {}}, None, id="without a name"),
        pytest.param({"type": "other"}, None, id="another kind"),
    ],
)
def test_the_name_of_a_tool(tool: dict[str, Any], name: str | None) -> None:
    tools = validate({"tools": [tool]}).tools

    assert tools is not None
    assert [found.name for found in tools] == [name]
