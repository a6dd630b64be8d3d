"""The pages that are made from the code are up to date, and the guide shows every key that there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
import yaml
from click.testing import CliRunner

from docs.make_reference import ADDRESSES, CLAIMS, FRAGMENTS, TEMPLATES, models, pages
from mockbifrost import MockBifrost
from mockbifrost.cli import main
from mockbifrost.provider.fragments import FRAGMENTS as KNOWN_FRAGMENTS
from mockbifrost.scenario.load import load_text
from mockbifrost.scenario.templates import NAMES
from mockbifrost.vocabulary.node import Node
from tests.docs.pages import blocks_of
from tests.docs.reader import ROOT

GUIDE = ROOT / "docs/scenario-language.md"


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_what_is_made_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == pages()[path], "run `python docs/make_reference.py`"


def shown_keys() -> set[tuple[str, str]]:
    """Each key that an example of the guide uses, with the model it belongs to."""
    found: set[tuple[str, str]] = set()
    for block in blocks_of(GUIDE, GUIDE.name):
        if block.language != "yaml":
            continue
        value = yaml.safe_load(block.text)
        text = block.text
        if isinstance(value, list):
            text = "version: 1\nstubs:\n" + "".join(f"  {line}" for line in block.text.splitlines(keepends=True))
        found |= set(keys_of(load_text(text, block.place).model))
    return found


def keys_of(value: object) -> Iterator[tuple[str, str]]:
    """Each key that was written, with its model, however deep."""
    if isinstance(value, Node):
        kind = type(value)
        for name in value.model_fields_set:
            yield kind.__name__, kind.model_fields[name].alias or name
            yield from keys_of(getattr(value, name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from keys_of(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from keys_of(item)


def test_the_guide_has_an_example_of_every_key() -> None:
    every = {(name, key) for name, model in models().items() for key in model.known_keys()}

    assert every - shown_keys() == set()


def test_the_guide_has_an_example_of_every_template_variable() -> None:
    guide = GUIDE.read_text(encoding="utf-8")

    assert tuple(TEMPLATES) == NAMES
    assert [name for name in NAMES if f"{{{{ {name}" not in guide and f" in {name} " not in guide] == []


def test_every_way_to_cut_a_call_has_its_words() -> None:
    assert tuple(FRAGMENTS) == KNOWN_FRAGMENTS


def test_every_claim_about_a_profile_names_a_source_that_is_explained() -> None:
    page = (ROOT / "docs/profiles.md").read_text(encoding="utf-8")

    for claim in CLAIMS.values():
        for source in claim.source.replace(" for 1.6", "").replace(" for 2.2", "").split(", "):
            assert f"| {source} |" in page


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in ADDRESSES if "…" not in path])
def test_every_address_answers(method: str, path: str) -> None:
    asked = {"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
    bodies: dict[str, Mapping[str, object]] = {
        "clock": {"advance": "5m"},
        "GATE": {"state": "open"},
        "completions": asked,
        "stubs": {"reply": "Hello!"},
        "STUB": {"reply": "Hello!"},
        "files": {"files": [{"name": "more.yaml", "text": "version: 1\nstubs: [More.]\n"}]},
        "cassettes": {"version": 1, "interactions": []},
        "explain": asked,
        "rollback": {"number": 1},
    }
    body = bodies.get(path.rsplit("/", 1)[1])

    with MockBifrost(scenarios=["version: 1\nstubs: [Hello!]\n"]) as server, httpx2.Client(trust_env=False) as client:
        client.post(f"{server.url}/s/NAME/v1/chat/completions", json=asked)
        client.post(f"{server.url}/__mockbifrost/sessions/NAME/snapshots")
        with client.stream(method, server.url + path.replace("journal/N", "journal/1"), json=body) as response:
            assert response.status_code in (200, 201), path


def test_the_guide_names_every_command() -> None:
    reference = (ROOT / "docs/reference.md").read_text(encoding="utf-8")

    shown = CliRunner().invoke(main, ["--help"]).output

    for name in main.commands:
        assert name in shown
        assert f"### mockbifrost {name}\n" in reference
