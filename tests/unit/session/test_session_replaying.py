"""`replay` in scenarios: a cassette's recordings as the answers of stubs, as they are and with something laid over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mockbifrost.cassette.interaction import About, Interaction
from mockbifrost.cassette.writing import write_cassette
from mockbifrost.errors import ScenarioError
from mockbifrost.scenario.load import load_paths
from mockbifrost.session.assembly import assemble
from mockbifrost.session.registry import Sessions
from mockbifrost.session.session import Session
from tests.harness import ask_in, cassette_of, chat, provider_response, recorded, retry, session_with


def answer(text: str, **more: Any) -> Any:
    """What a provider said."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return provider_response({"id": "c-1", "created": 7, "model": "gpt-x", "choices": [choice], "usage": usage, **more})


def gateway_stream(text: str, *, times_ms: tuple[int, ...] = ()) -> Interaction:
    """What a gateway streamed, a word a chunk."""
    body = chat("story", stream=True)
    session = session_with({"reply": text, "pace": {"chunk": "word"}}, version="2.2")
    return recorded(body, ask_in(session, body), source="gateway", times_ms=times_ms)


def replaying(folder: Path, stub: str, *interactions: Any) -> Session:
    """A session with one stub that replays `tape.yaml`, which holds these."""
    write_cassette(folder / "tape.yaml", cassette_of(*interactions).interactions)
    (folder / "scenario.yaml").write_text(f"version: 1\nstubs:\n  - {stub}\n", encoding="utf-8")
    assembly = assemble(load_paths([folder / "scenario.yaml"]))
    session = Sessions(assembly.common, assembly.named).find("default")
    assert session is not None
    return session


def refused(folder: Path, stub: str, *interactions: Any) -> str:
    with pytest.raises(ScenarioError) as caught:
        replaying(folder, stub, *interactions)
    return str(caught.value).replace(f"{folder}/", "")


def test_a_named_interaction_answers_whatever_was_asked(tmp_path: Path) -> None:
    rows = [(chat("one"), answer("First.")), (chat("two"), answer("Second."))]
    session = replaying(tmp_path, "{replay: {cassette: tape.yaml, interaction: 2}}", *rows)

    assert [ask_in(session, chat("anything")).text for _ in range(2)] == ["Second.", "Second."]


def test_an_interaction_is_found_by_its_name(tmp_path: Path) -> None:
    (one,) = cassette_of((chat("one"), answer("First."))).interactions
    named = Interaction(one.request, one.response, About(name="the first"))
    stub = '{replay: {cassette: tape.yaml, interaction: "the first"}}'

    assert ask_in(replaying(tmp_path, stub, named), chat("anything")).text == "First."


def test_a_text_alone_is_the_cassette_whose_requests_are_matched(tmp_path: Path) -> None:
    rows = [(chat("one"), answer("First.")), (chat("two"), answer("Second.")), (chat("one"), answer("Third."))]
    session = replaying(tmp_path, "{replay: tape.yaml}", *rows)

    assert [ask_in(session, chat(user)).text for user in ("two", "one", "one")] == ["Second.", "First.", "Third."]


def test_a_retry_gets_past_a_recorded_error_and_keeps_a_recorded_answer(tmp_path: Path) -> None:
    error = provider_response({"error": {"message": "Busy."}}, 503)
    session = replaying(tmp_path, "{replay: tape.yaml}", (chat("one"), error), (chat("one"), answer("Then.")))

    responses = [ask_in(session, chat("one"), headers=retry(count)) for count in (0, 1, 2)]

    assert [response.status for response in responses] == [503, 200, 200]
    assert responses[2].text == "Then."


def test_two_stubs_that_replay_one_cassette_count_apart(tmp_path: Path) -> None:
    write_cassette(tmp_path / "tape.yaml", cassette_of((chat("one"), answer("First."))).interactions)
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("version: 1\nstubs:\n  - {replay: tape.yaml, times: 1}\n  - {replay: tape.yaml}\n")
    assembly = assemble(load_paths([scenario]))
    session = Sessions(assembly.common, assembly.named).find("default")
    assert session is not None

    assert [ask_in(session, chat("one")).text for _ in range(2)] == ["First.", "First."]


def test_what_no_recording_fits_is_a_loud_miss(tmp_path: Path) -> None:
    session = replaying(tmp_path, "{name: the tape, replay: tape.yaml}", (chat("one"), answer("First.")))

    response = ask_in(session, chat("another"))

    assert response.header("x-mockbifrost-error") == "no_match"
    assert 'nearest: "tape.yaml#1"' in response.error["message"]
    assert "messages[0].content  wanted 'one'  got 'another'" in response.error["message"]


def test_the_last_recording_comes_again_where_the_stub_says_so(tmp_path: Path) -> None:
    session = replaying(tmp_path, "{replay: {cassette: tape.yaml, on_end: repeat}}", (chat("one"), answer("First.")))

    assert [ask_in(session, chat("one")).text for _ in range(3)] == ["First."] * 3


def test_what_the_stub_ignores_does_not_count(tmp_path: Path) -> None:
    stub = "{replay: {cassette: tape.yaml, ignore: user}}"
    session = replaying(tmp_path, stub, (chat("one", user="a"), answer("First.")))

    assert ask_in(session, chat("one", user="b")).text == "First."


def test_exact_recordings_answer_only_their_own_kind(tmp_path: Path) -> None:
    stub = "{replay: {cassette: tape.yaml, exact: true}}"
    session = replaying(tmp_path, stub, (chat("one"), answer("First.")))

    assert ask_in(session, chat("one", stream=True)).status == 400
    assert ask_in(session, chat("one")).text == "First."


def test_a_gateways_recording_is_replayed_byte_for_byte(tmp_path: Path) -> None:
    interaction = gateway_stream("Once upon a time", times_ms=(10, 20, 30, 40, 50, 60, 70))

    response = ask_in(replaying(tmp_path, "{replay: tape.yaml}", interaction), chat("story", stream=True))

    assert response.body == interaction.response.body
    assert response.exchange.outcome.cast.times_s[:2] == (0.01, 0.02)


@pytest.mark.parametrize("stream", [True, False])
def test_keys_of_a_reply_are_laid_over_what_was_recorded(tmp_path: Path, stream: bool) -> None:
    stub = "{replay: {cassette: tape.yaml, interaction: 1, with: {content: Another end., finish_reason: length}}}"
    session = replaying(tmp_path, stub, (chat("one"), answer("First.")))

    response = ask_in(session, chat("one", stream=stream))

    assert response.text == "Another end."
    told = response.chunks[-1] if stream else response.json()
    assert told["choices"][0]["finish_reason"] == "length"
    assert told["usage"]["total_tokens"] == 5
    assert told["model"] == "gpt-x"


def test_a_gateways_recording_with_something_laid_over_it_is_encoded_anew(tmp_path: Path) -> None:
    interaction = gateway_stream("Once upon a time")
    stub = "{replay: {cassette: tape.yaml, with: {usage: {prompt_tokens: 70, completion_tokens: 7}}}}"

    response = ask_in(replaying(tmp_path, stub, interaction), chat("story", stream=True))

    assert response.text == "Once upon a time"
    assert response.chunks[-1]["usage"]["total_tokens"] == 77
    assert (
        "model_requested" in response.chunks[-1]["extra_fields"]
    )  # in the words of this gateway, not of the recorded one


def test_fake_words_take_the_place_of_the_recorded_ones(tmp_path: Path) -> None:
    stub = "{replay: {cassette: tape.yaml, with: {faker: {random_element: {elements: [Drawn.]}}}}}"

    assert ask_in(replaying(tmp_path, stub, (chat("one"), answer("First."))), chat("one")).text == "Drawn."


def test_a_pace_of_its_own_tells_a_recording_anew(tmp_path: Path) -> None:
    stub = "{replay: {cassette: tape.yaml}, pace: {ttft: 2s, chunk: whole}}"
    session = replaying(tmp_path, stub, gateway_stream("Once upon a time", times_ms=(1, 2, 3, 4, 5, 6, 7)))

    cast = ask_in(session, chat("story", stream=True)).exchange.outcome.cast

    assert set(cast.times_s) == {2.0}
    assert sum(cast.content) == 1


def test_a_speed_of_its_own_leaves_a_recording_as_it_is(tmp_path: Path) -> None:
    interaction = gateway_stream("Once upon a time", times_ms=(10, 20, 30, 40, 50, 60, 70))
    session = replaying(tmp_path, "{replay: tape.yaml, pace: {speed: 4}}", interaction)

    response = ask_in(session, chat("story", stream=True))

    assert response.body == interaction.response.body
    assert response.exchange.outcome.speed == 4


def test_recordings_are_steps_of_a_sequence(tmp_path: Path) -> None:
    stub = (
        "{sequence: [{replay: {cassette: tape.yaml, interaction: 2}}, {replay: {cassette: tape.yaml, interaction: 1}}]}"
    )
    session = replaying(tmp_path, stub, (chat("one"), answer("First.")), (chat("two"), answer("Second.")))

    assert [ask_in(session, chat("x")).text for _ in range(2)] == ["Second.", "First."]


@pytest.mark.parametrize(
    ("replay", "says"),
    [
        pytest.param(
            "{cassette: other.yaml}",
            "scenario.yaml:3:1: replay: other.yaml: can't be read: no such file or directory",
            id="no such file",
        ),
        pytest.param(
            "{cassette: tape.yaml, interaction: 3}",
            "scenario.yaml:3:1: replay: tape.yaml has no interaction 3 that is a chat completion; it has 1; write a number from 1 to 1",
            id="no such number",
        ),
        pytest.param(
            "{cassette: tape.yaml, interaction: frist}",
            "scenario.yaml:3:1: replay: tape.yaml has no interaction called 'frist'; none of them has a name",
            id="no such name",
        ),
        pytest.param(
            "{cassette: tape.yaml, ignore: 'a['}",
            "scenario.yaml:3:1: replay: 'a[' can't be ignored: it is no path; write one as `metadata` or `messages[*].name`, "
            "or a regular expression as `/…/`",
            id="a bad path",
        ),
        pytest.param(
            "{cassette: tape.yaml, interaction: 1, on_end: repeat}",
            "scenario.yaml:3:60: stubs[0].replay.on_end: `on_end` is about matching, and the interaction is named; "
            "remove it, or write `interaction: match`",
            id="matching of a named one",
        ),
        pytest.param(
            "{cassette: tape.yaml, interaction: 0}",
            "scenario.yaml:3:49: stubs[0].replay.interaction: must be the number of an interaction from 1 on, its name, or "
            "`match`, got the number 0",
            id="no number",
        ),
    ],
)
def test_what_is_not_there_is_refused_with_its_place(tmp_path: Path, replay: str, says: str) -> None:
    assert refused(tmp_path, f"{{replay: {replay}}}", (chat("one"), answer("First."))).startswith(says)


def test_nothing_can_be_laid_over_an_error(tmp_path: Path) -> None:
    error = provider_response({"error": {"message": "Busy."}}, 503)
    stub = "{replay: {cassette: tape.yaml, interaction: 1, with: {content: x}}}"

    assert "tape.yaml#1 is an error, so nothing can be laid over it" in refused(tmp_path, stub, (chat("one"), error))
