"""`reply`: what each key does, plain and streamed."""

from typing import Any

import pytest

from mockbifrost.errors import ScenarioError
from mockbifrost.wire.profiles import ProfileName
from tests.harness import PROFILE_NAMES, Response, ask, ask_in, chat, folded, open_session, session_with, stubs


def plain(reply: Any, version: ProfileName = "documented", **more: Any) -> Response:
    return ask_in(session_with({"reply": reply}, version=version), chat(**more))


def stream(reply: Any, version: ProfileName = "documented", **more: Any) -> Response:
    return plain(reply, version, stream=True, **more)


def choice(response: Response, index: int = 0) -> Any:
    return response.json()["choices"][index]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        pytest.param("Hi", {"content": "Hi"}, id="text"),
        pytest.param({"content": "Hi"}, {"content": "Hi"}, id="content"),
        pytest.param({"content": None}, {"content": None}, id="null"),
        pytest.param({"content": ["a", "b"]}, {"content": "a\n\nb"}, id="parts"),
        pytest.param({}, {"content": None}, id="nothing"),
        pytest.param({"message": {"name": "bob", "x": 1}}, {"name": "bob", "content": None, "x": 1}, id="further keys"),
    ],
)
def test_content(reply: Any, message: dict[str, Any]) -> None:
    assert plain(reply).message == {"role": "assistant", **message}


@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("said", [{"content": "Hi"}, {"tool_calls": [{"a": {}}]}, {"choices": [{}]}], ids=str)
def test_further_keys_of_the_message_are_in_a_stream_too(version: ProfileName, said: dict[str, Any]) -> None:
    further = {"name": "bob", "x": {"y": [1]}, "role": "critic"}
    reply = {"choices": [{"message": further}]} if "choices" in said else {**said, "message": further}

    message = plain(reply, version).message
    joined = folded(stream(reply, version).deltas())

    assert {key: message[key] for key in further} == further
    assert {key: joined[key] for key in ("name", "x")} == {key: further[key] for key in ("name", "x")}
    assert joined.get("role") in ("critic", None)  # 1.6 sends no increment that has only the role


@pytest.mark.parametrize("key", ["content", "reasoning", "tool_calls", "refusal", "annotations", "audio"])
def test_what_has_a_key_of_its_own_is_no_further_key_of_the_message(key: str) -> None:
    with pytest.raises(ScenarioError, match=f"`{key}` is a key of `reply` itself; write `{key}` beside `message`"):
        plain({"content": "Hi", "message": {key: "x"}})


def test_tool_calls_in_their_forms() -> None:
    """Short, long, arguments as text that is no JSON, and an id of one's own."""
    reply = {"tool_calls": [{"a": {"x": 1}}, {"name": "b", "arguments": "{", "id": "mine"}]}

    found = plain(reply).message["tool_calls"]

    assert [call["function"] for call in found] == [
        {"name": "a", "arguments": '{"x":1}'},
        {"name": "b", "arguments": "{"},
    ]
    assert [call["index"] for call in found] == [0, 1]
    assert found[0]["id"].startswith("call_")
    assert found[1]["id"] == "mine"


def test_ids_of_calls_are_the_same_in_a_stream() -> None:
    reply = {"content": "x", "tool_calls": [{"a": {}}, {"b": {}}]}

    ids = [call["id"] for call in plain(reply).message["tool_calls"]]

    assert [call["id"] for call in folded(stream(reply).deltas())["tool_calls"]] == ids
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        pytest.param("Hi", "stop", id="text"),
        pytest.param({"tool_calls": [{"a": {}}]}, "tool_calls", id="calls"),
        pytest.param({"refusal": "No"}, "stop", id="a refusal"),
        pytest.param({"content": "Hi", "finish_reason": "length"}, "length", id="as written"),
        pytest.param({"tool_calls": [{"a": {}}], "finish_reason": "stop"}, "stop", id="as written with calls"),
    ],
)
def test_the_finish_reason_follows_the_content(reply: Any, wanted: str) -> None:
    assert choice(plain(reply))["finish_reason"] == wanted
    assert stream(reply).chunks[-1]["choices"][0]["finish_reason"] == wanted


def test_ids_times_and_names_as_written() -> None:
    reply = {
        "content": "Hi",
        "id": "my-id",
        "created": 5,
        "model": "my-model",
        "system_fingerprint": "fp",
        "service_tier": "flex",
    }

    for body in (plain(reply).json(), stream(reply).chunks[0]):
        assert {key: body[key] for key in reply if key != "content"} == {
            key: value for key, value in reply.items() if key != "content"
        }


def test_ids_times_and_names_as_drawn() -> None:
    body = plain("Hi").json()

    assert body["id"].startswith("chatcmpl-")
    assert len(body["id"]) == len("chatcmpl-") + 29
    assert (body["created"], body["model"]) == (1_767_225_600, "gpt-4o")
    assert body["system_fingerprint"].startswith("fp_")
    assert "service_tier" not in body


def test_the_fingerprint_of_a_system_changes_with_the_seed_and_the_model_only() -> None:
    def print_of(seed: int, **more: Any) -> str:
        found = ask(stubs("- reply: x"), chat(**more), seed=seed).json()["system_fingerprint"]
        assert isinstance(found, str)
        return found

    assert print_of(1) == print_of(1, model="openai/gpt-4o", n=1)
    assert len({print_of(1), print_of(2), print_of(1, model="gpt-5")}) == 3


def test_lists_of_a_search_ride_on_the_last_chunk() -> None:
    lists = {"citations": ["u"], "search_results": [{"title": "T"}], "videos": [{"url": "v"}]}

    assert {key: plain({"content": "x", **lists}).json()[key] for key in lists} == lists
    *earlier, last = stream({"content": "x", **lists}).chunks
    assert {key: last[key] for key in lists} == lists
    assert not any(key in chunk for chunk in earlier for key in lists)


def test_headers_of_the_provider_come_through() -> None:
    scenario = stubs("- reply: {content: x, headers: {OpenAI-Processing-Ms: '640', X-For: 'ü {{ user }}', Date: now}}")

    for streamed in (False, True):
        response = ask(scenario, chat("€", stream=streamed))
        assert response.header("openai-processing-ms") == "640"
        assert response.header("x-for") == "%C3%BC %E2%82%AC"
        assert response.header("date") is None


def test_body_is_laid_over_the_plain_answer() -> None:
    """Objects deep, lists by index; drawn parts stay drawn."""
    over = {"choices": [{"message": {"x": 1}, "finish_reason": None}], "usage": {"cost": {"total_cost": 0.5}}, "y": [2]}

    body = plain({"content": "Hi", "body": over}).json()

    assert body["choices"][0]["message"] == {"role": "assistant", "content": "Hi", "x": 1}
    assert body["choices"][0]["finish_reason"] is None
    assert body["usage"]["total_tokens"] > 0
    assert body["usage"]["cost"] == {"total_cost": 0.5}
    assert body["y"] == [2]
    assert body["id"].startswith("chatcmpl-")


def test_body_may_replace_what_is_drawn() -> None:
    body = plain({"content": "Hi", "body": {"id": None, "created": "soon", "choices": []}}).json()

    assert (body["id"], body["created"], len(body["choices"])) == (None, "soon", 1)


def test_body_is_laid_over_the_last_chunk_of_a_stream() -> None:
    *earlier, last = stream({"content": "Hi", "body": {"usage": {"cost": 1}, "x": 2}}).chunks

    assert (last["usage"]["cost"], last["x"]) == (1, 2)
    assert not any("x" in chunk for chunk in earlier)


def test_n_choices_of_one_reply() -> None:
    body = plain("Hi", n=3).json()

    assert [one["index"] for one in body["choices"]] == [0, 1, 2]
    assert {one["message"]["content"] for one in body["choices"]} == {"Hi"}


def test_choices_that_are_missing_are_drawn_anew_from_the_same_reply() -> None:
    reply = {"faker": {"sentence": {}}, "tool_calls": [{"a": {}}]}

    body = plain(reply, n=3).json()

    assert len({one["message"]["content"] for one in body["choices"]}) == 3
    assert len({one["message"]["tool_calls"][0]["id"] for one in body["choices"]}) == 3


def test_scripted_choices_draw_each_for_itself() -> None:
    reply = {
        "choices": [{"faker": {"sentence": {}}}, {"faker": {"sentence": {}}}, {"content": "{{ fake.sentence() }}"}]
    }

    said = [one["message"]["content"] for one in plain(reply, n=3).json()["choices"]]

    assert len(set(said)) == 3


CHOICES = {"choices": [{"content": "A"}, {"content": "B", "finish_reason": "length"}]}


@pytest.mark.parametrize(("n", "wanted"), [(None, "A"), (1, "A"), (2, "AB"), (3, "ABB")])
def test_scripted_choices_are_as_many_as_asked(n: int | None, wanted: str) -> None:
    more: dict[str, Any] = {} if n is None else {"n": n}

    said = [one["message"]["content"] for one in plain(CHOICES, **more).json()["choices"]]
    streamed = stream(CHOICES, **more)

    assert said == list(wanted)
    last = streamed.chunks[-1]["choices"]
    assert [folded(streamed.deltas(one["index"]))["content"] for one in last] == list(wanted)
    assert [one["finish_reason"] for one in last] == [{"A": "stop", "B": "length"}[text] for text in wanted]


def test_the_tokens_of_all_choices_are_counted() -> None:
    assert plain("one two", n=3).json()["usage"]["completion_tokens"] == 6


def test_log_probabilities_that_are_asked_for_are_drawn() -> None:
    body = plain("Hello there", logprobs=True, top_logprobs=2)

    entries = choice(body)["logprobs"]["content"]
    assert [entry["token"] for entry in entries] == ["Hello", " there"]
    assert [len(entry["top_logprobs"]) for entry in entries] == [2, 2]
    assert choice(body)["log_probs"] == choice(body)["logprobs"]


def test_log_probabilities_of_a_stream_are_those_of_the_plain_answer() -> None:
    reply = "Hello there, you."
    wanted = choice(plain(reply, logprobs=True))["logprobs"]["content"]

    parts = [one["logprobs"] for chunk in stream(reply, logprobs=True).chunks for one in chunk["choices"]]

    assert [entry for part in parts if part for entry in part["content"]] == wanted


def test_log_probabilities_may_be_scripted() -> None:
    given = {"content": [{"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}

    assert choice(plain({"content": "Hi", "logprobs": given}))["logprobs"] == given
    assert choice(plain({"content": "Hi", "logprobs": True}))["logprobs"]["content"]
    assert choice(plain("Hi"))["logprobs"] is None


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_audio_and_annotations_are_the_same_streamed(version: ProfileName) -> None:
    audio = {"id": "a", "data": "QUJD" * 2_000, "expires_at": 5, "transcript": "Hi there"}
    annotations = [{"type": "url_citation", "url_citation": {"title": "T"}}]
    reply = {"audio": audio, "annotations": annotations}

    assert plain(reply, version).message["audio"] == audio
    found: dict[str, Any] = {}
    for delta in stream(reply, version).deltas():
        for key, value in delta.get("audio", {}).items():
            found[key] = found.get(key, "") + value if key in ("data", "transcript") else value
    assert found == audio
    notes = [delta["annotations"] for delta in stream(reply, version).deltas() if "annotations" in delta]
    assert notes == ([] if version == "1.6" else [annotations])


def test_echo_says_the_last_user_message() -> None:
    session = open_session(stubs("- echo: true"))
    called = {"role": "assistant", "content": "x"}

    assert ask_in(session, chat('He said "{{ no }}"')).text == 'He said "{{ no }}"'
    body = chat(messages=[{"role": "user", "content": "first"}, called])
    assert ask_in(session, body).text == "first"
    assert ask_in(session, chat(messages=[called])).text == ""
    assert ask_in(session, chat("Hi there", stream=True)).text == "Hi there"


@pytest.mark.parametrize("more", [{"max_tokens": 1}, {"stop": ["e"]}, {"tool_choice": "none"}, {"temperature": 0}])
def test_a_scripted_reply_is_not_altered_by_the_request(more: dict[str, Any]) -> None:
    response = plain("Hello there", **more)

    assert (response.text, choice(response)["finish_reason"]) == ("Hello there", "stop")
