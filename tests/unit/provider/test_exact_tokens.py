"""Exact counts: those of OpenAI's own tokenizers, with the vocabularies that the extra brings."""

from __future__ import annotations

import json

import pytest

from mockbifrost.errors import ScenarioError
from mockbifrost.provider.exact import ExactTokens
from mockbifrost.scenario.load import load_text
from mockbifrost.session.assembly import assemble
from mockbifrost.session.registry import Sessions
from tests.harness import ask_in, chat, stubs

pytest.importorskip("bpe_openai", reason="the extra `exact` is not installed")

EXACT = "gateway: {tokens: exact}"


@pytest.mark.parametrize(
    ("model", "text", "count"),
    [
        ("gpt-4o", "Hello world, how are you?", 7),
        ("gpt-4", "Hello world, how are you?", 7),
        ("gpt-4o", "tokenization", 2),
        ("gpt-4", "tokenization", 2),
        ("gpt-4o", "你好世界", 2),
        ("gpt-4", "你好世界", 5),
        ("no-such-model", "Hello world, how are you?", 7),
    ],
)
def test_counts_are_those_of_the_models_own_tokenizer(model: str, text: str, count: int) -> None:
    assert ExactTokens()(model).count(text) == count


SAID = "antidisestablishmentarianism"


def answered(scenario: str, *, stream: bool = False) -> str:
    """What a session of a server that has loaded the scenario says to the same word."""
    assembly = assemble([load_text(scenario, "a.yaml")])
    session = Sessions(assembly.common, assembly.named).find("default")
    assert session is not None
    return ask_in(session, chat(SAID, stream=stream)).body.decode()


def test_a_scenario_counts_exactly() -> None:
    usage = json.loads(answered(stubs(f"- reply: {SAID}", before=EXACT)))["usage"]

    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (3 + 4 + 6, 6)


def test_without_the_setting_the_built_in_splitter_counts() -> None:
    usage = json.loads(answered(stubs(f"- reply: {SAID}")))["usage"]

    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (3 + 4 + 4, 4)


def test_chunks_are_cut_by_the_built_in_splitter() -> None:
    streamed = answered(stubs(f"- reply: {SAID}", before=EXACT), stream=True)

    assert streamed.count('"delta":{"content":') == 4


def test_without_the_extra_the_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockbifrost.vocabulary.settings.find_spec", lambda _name: None)

    with pytest.raises(ScenarioError) as caught:
        load_text(f"version: 1\n{EXACT}\n", "a.yaml")

    assert str(caught.value) == (
        "a.yaml:2:19: gateway.tokens: exact counts need an extra that is not installed; pip install 'mockbifrost[exact]'"
    )
