"""`mockbifrost serve` with cassettes: good ones are played whatever is wrong with the others, and what is wrong is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mockbifrost.cassette.interaction import Interaction
from mockbifrost.cassette.writing import interaction_text, write_cassette
from tests.harness import cassette_of, chat, provider_response
from tests.socket.process import run, serving
from tests.socket.raw_http import PATH, ask, chat_body

SCENARIO = "version: 1\nstubs:\n  - {when: {user: scripted}, reply: From the scenario.}\n"


def completion(text: str) -> dict[str, object]:
    return {
        "id": "c-1",
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
    }


def interactions(user: str = "hello", text: str = "From the cassette.") -> tuple[Interaction, ...]:
    return cassette_of((chat(user), provider_response(completion(text)))).interactions


def torn(path: Path) -> None:
    """A file whose last interaction was cut by a recorder that died."""
    write_cassette(path, interactions("first", "Finished."))
    with path.open("a", encoding="utf-8") as file:
        file.write(interaction_text(interactions("second")[0])[:150])


def other_endpoint(path: Path) -> None:
    text = "version: 1\ninteractions:\n" + interaction_text(interactions()[0]).replace("chat/completions", "embeddings")
    path.write_text(text, encoding="utf-8")


def too_large(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("interactions:\n")
        file.truncate(50 * 1024 * 1024 + 1)


def written(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")


ITEM = "interactions:\n- request: {{method: POST, uri: 'http://x/v1/chat/completions', headers: {{}}, body: '{{}}'}}\n  response: {}\n"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(written("interactions:\n- request: {method: POST\n"), "bad.yaml:", id="broken YAML"),
        pytest.param(torn, "bad.yaml", id="cut by a recorder that died"),
        pytest.param(
            written("interactions:\n- !!python/object:os.system {}\n"), "bad.yaml", id="a tag that is not known"
        ),
        pytest.param(too_large, "50 MB", id="too large"),
        pytest.param(
            written(ITEM.format("{status: {code: 200}, headers: {}, body: {string: !!binary abc}}")),
            "interaction 1",
            id="wrong base64",
        ),
        pytest.param(
            written(ITEM.format("{status: {code: 200}, headers: {}, body: {string: x}}").replace("'{}'", "no JSON")),
            "interaction 1 is never played: the body of its request is no JSON object",
            id="no JSON",
        ),
        pytest.param(other_endpoint, "interaction 1 asks POST /v1/embeddings: never played", id="another endpoint"),
        pytest.param(written("interactions: 7\n"), "bad.yaml", id="no list"),
    ],
)
def test_a_bad_cassette_is_named_and_the_others_are_played(
    spoil: Callable[[Path], object], says: str, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    write_cassette(good, interactions())
    spoil(bad)
    before = (bad.stat().st_size, bad.stat().st_mtime_ns)

    with serving(tmp_path, SCENARIO, str(good), str(bad)) as process:
        answers = [ask(process.port, "POST", PATH, chat_body(user)).text for user in ("scripted", "hello")]
        errors = process.stderr()

    assert answers == ["From the scenario.", "From the cassette."]
    assert "bad.yaml" in errors
    assert says in errors
    assert (bad.stat().st_size, bad.stat().st_mtime_ns) == before


def test_what_a_recorder_had_finished_before_it_died_is_played(tmp_path: Path) -> None:
    torn(tmp_path / "torn.yaml")

    with serving(tmp_path, SCENARIO, str(tmp_path / "torn.yaml")) as process:
        assert ask(process.port, "POST", PATH, chat_body("first")).text == "Finished."
        assert ask(process.port, "POST", PATH, chat_body("second")).status == 400


def test_nothing_but_a_bad_cassette_is_no_start(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("interactions: 7\n", encoding="utf-8")

    result = run("serve", tmp_path / "bad.yaml", "--port", "0")

    assert result.returncode == 1
    assert "bad.yaml" in result.stderr


def test_after_the_last_recording_serve_plays_it_again_unless_told(tmp_path: Path) -> None:
    write_cassette(tmp_path / "good.yaml", interactions())

    with serving(tmp_path, SCENARIO, str(tmp_path / "good.yaml")) as process:
        assert [ask(process.port, "POST", PATH, chat_body("hello")).status for _ in range(3)] == [200, 200, 200]
    with serving(tmp_path, SCENARIO, str(tmp_path / "good.yaml"), "--on-end", "miss", name="strict") as process:
        assert [ask(process.port, "POST", PATH, chat_body("hello")).status for _ in range(2)] == [200, 400]


def test_what_is_ignored_may_differ(tmp_path: Path) -> None:
    write_cassette(tmp_path / "good.yaml", interactions("on 2026-01-01"))
    options = (str(tmp_path / "good.yaml"), "--ignore", r"/\d{4}-\d\d-\d\d/")

    with serving(tmp_path, SCENARIO, *options) as process:
        assert ask(process.port, "POST", PATH, chat_body("on 1999-12-31")).status == 200


def test_a_path_that_can_not_be_ignored_is_wrong_usage(tmp_path: Path) -> None:
    write_cassette(tmp_path / "good.yaml", interactions())

    result = run("serve", tmp_path / "good.yaml", "--ignore", "messages[", "--port", "0")

    assert result.returncode == 2
    assert "'messages[' can't be ignored: it is no path" in result.stderr
