"""The JSON Schema refuses what the loader refuses, as far as it can see, and nothing that the loader takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from mockbifrost.errors import ScenarioError
from mockbifrost.scenario.document import read_document
from mockbifrost.scenario.load import load_text
from mockbifrost.scenario.published_schema import FILE, scenario_schema, schema_text
from mockbifrost.vocabulary.later import LATER
from mockbifrost.vocabulary.words import sections
from tests.docs.pages import blocks_of
from tests.docs.reader import ROOT

SCENARIOS = ROOT / "scenarios"
GUIDE = ROOT / "docs/scenario-language.md"
SCHEMA = scenario_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def refused(text: str) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(read_document(text, "a").value)]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_what_is_published_is_up_to_date() -> None:
    published = (SCENARIOS / FILE).read_text(encoding="utf-8")

    assert published == schema_text(), "run `mockbifrost schema > scenarios/scenario.schema.json`"


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in sorted(SCENARIOS.glob("*.yaml"))])
def test_every_scenario_that_ships_names_it_and_fits(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert text.splitlines()[0] == f"# yaml-language-server: $schema=./{FILE}"
    assert refused(text) == []


def guide_examples() -> list[str]:
    """The examples of the guide, which show every key, as files."""
    found = []
    for block in blocks_of(GUIDE, GUIDE.name):
        if block.language == "yaml":
            stubs = "".join(f"  {line}" for line in block.text.splitlines(keepends=True))
            is_file = isinstance(yaml.safe_load(block.text), Mapping)
            found.append(block.text if is_file else f"version: 1\nstubs:\n{stubs}")
    return found


@pytest.mark.parametrize("text", guide_examples(), ids=range(len(guide_examples())))
def test_every_example_of_the_guide_fits(text: str) -> None:
    assert refused(text) == []


TAKEN = """\
- just text
- {when: {user: {equals: ""}, turn: [0, "2.."], tools: [], tool_result: {json: null}}, auto: {}}
- {when: {tool_result: a, last: {contains: b}, messages: [/c/i, {role: user}], body: {a: null, b: [1]}}, echo: true}
- {when: {tool_result: [a, {name: b}], headers: {x-a: null}, attempt: "..2"}, reply: {content: null, usage: null}}
- {reply: {tool_calls: [a, {name: {}}, {b: null}, {c: '{"broken'}, {name: d, arguments: "", id: e}]}, required: 2}
- {reply: {content: [a, {type: image_url}]}, required: false}
- reply: {faker: word}
- {reply: {chunks: [a, {tool_calls: []}], latency: 1m30s}, pace: {name: typing, chunk: 3, ttft: 0}}
- {error: {name: overloaded, type: null, retry_after: 0.5s}, active: {from: 0, until: 1s, period: 1M}}
- {gateway_error: {message: a, status: null}}
- {raw: {json: null, end: close}, per: call}
- {sequence: [a, {error: overloaded, pace: slow}], scope: conversation}
- {upstream: reset, pace: slow}
- {reply: a, upstream: {cut: {at: {text: b}, how: reset}}}
- {reply: {content: a, cost: null}, cache: hit}
- {reply: {content: a, cost: {total_cost: 0.5}}, cache: {hit: semantic, similarity: 1}}
- {sequence: [{reply: {content: a, cost: 2}, cache: miss}]}
- {sequence: [{upstream: {error_event: {message: a, type: null}}}, {auto: {}, upstream: {stall: {}}}]}
"""


GATEWAY = """\
  version: 2.2
  providers:
    openai: {}
    house: {keys: [], max_retries: 100, retry_backoff: {initial: 0, max: 0}, timeout: 1ms}
    azure: {keys: [{name: a, weight: 0, models: [], aliases: {b: c}}]}
  fallbacks: {openai/*: [], openai/a: [house/b/c]}
  cache: {default_key: null, similar: [[a, b, 0], [c, d, 1]], threshold: 0}
  required_headers: [X-Tenant]
  virtual_keys: {sk-bf-a: {expires: 1h, budgets: [{limit: 0}], rate_limit: {tokens: 10 / 1m}, providers: {house: []}}}
  pricing: {openai/a*: {}}
  cost: null
  quirks: [no_usage_chunk]
"""


def test_shorthands_fit() -> None:
    text = f"version: 1\ngateway:\n{GATEWAY}stubs:\n{TAKEN}"
    load_text(text, "a.yaml")

    assert refused(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "stubs: []",
        "version: 2",
        "version: '1'",
        "version: 1\nstub: []",
        "version: 1\nsession: a/b",
        "version: 1\nseed: x",
        "version: 1\ngateway: {version: '3.0'}",
        "version: 1\ngateway: {providers: {a/b: {}}}",
        "version: 1\ngateway: {providers: {openai: }}",
        "version: 1\ngateway: {providers: {openai: {max_retries: -1}}}",
        "version: 1\ngateway: {providers: {openai: {timeout: 30}}}",
        "version: 1\ngateway: {providers: {openai: {keys: [{weight: 1}]}}}",
        "version: 1\ngateway: {fallbacks: {gpt-4o: [anthropic/a]}}",
        "version: 1\ngateway: {fallbacks: {openai/gpt-4o: [a]}}",
        "version: 1\ngateway: {cache: {similar: [[a, b]]}}",
        "version: 1\ngateway: {cache: {ttl: 5}}",
        "version: 1\ngateway: {virtual_keys: {'a b': {}}}",
        "version: 1\ngateway: {virtual_keys: {a: {budgets: [{limit: -1}]}}}",
        "version: 1\ngateway: {virtual_keys: {a: {rate_limit: {requests: 10}}}}",
        "version: 1\ngateway: {pricing: {openai/a: {input: -1}}}",
        "version: 1\ngateway: {cost: free}",
        "version: 1\ngateway: {quirks: [no_such]}",
        "version: 1\ndefaults: {pace: fast}",
    ],
)
def test_files_that_are_refused(text: str) -> None:
    with pytest.raises(ScenarioError):
        load_text(text, "a.yaml")

    assert refused(text)


@pytest.mark.parametrize(
    "stub",
    [
        "{}",
        "{when: {user: a}}",
        "{reply: a, echo: true}",
        "{repyl: a}",
        "{reply: a, wire: utf8_split}",
        "{reply: a, times: 0}",
        "{reply: a, times: }",
        "{reply: a, per: request}",
        "{reply: a, on_end: miss}",
        "{reply: a, active: {}}",
        "{reply: a, active: {period: 1s}}",
        "{reply: a, active: {from: 10}}",
        "{reply: a, when: {usr: a}}",
        "{reply: a, when: {user: 3}}",
        "{reply: a, when: {user: ''}}",
        "{reply: a, when: {user: {}}}",
        "{reply: a, when: {user: {flags: i, contains: a}}}",
        "{reply: a, when: {turn: -1}}",
        "{reply: a, when: {turn: '..'}}",
        "{reply: a, when: {provider: []}}",
        "{reply: a, when: {last: {role: robot}}}",
        "{reply: a, when: {headers: {'a b': x}}}",
        "{reply: 3}",
        "{reply: {content: a, faker: word}}",
        "{reply: {content: [{text: a}]}}",
        "{reply: {tool_calls: [{a: {}, b: {}}]}}",
        "{reply: {fragments: tiny}}",
        "{reply: {cost: -1}}",
        "{reply: {cost: much}}",
        "{reply: a, cache: maybe}",
        "{reply: a, cache: {}}",
        "{reply: a, cache: {hit: direct, miss: true}}",
        "{reply: a, cache: {similarity: 0.5}}",
        "{error: overloaded, cache: hit}",
        "{cache: hit}",
        "{reply: {logprobs: }}",
        "{reply: {chunks: [a], content: a}}",
        "{reply: a, pace: {ttft: 3}}",
        "{reply: a, pace: {jitter: 2}}",
        "{reply: a, pace: {chunk: letter}}",
        "{error: overloded}",
        "{error: 503}",
        "{error: {message: a}}",
        "{error: {status: 200}}",
        "{gateway_error: overloaded}",
        "{gateway_error: {status: 403}}",
        "{auto: false}",
        "{sequence: []}",
        "{sequence: [{sequence: [a]}]}",
        "{raw: {text: a, json: 1}}",
        "{raw: {done: true}}",
        "{raw: {end: reset}}",
        "{raw: {events: [{}]}}",
        "{raw: {events: [{sleep: 1s, data: a}]}}",
        '{raw: {events: [{event: "a\\nb"}]}}',
        '{raw: {headers: {x: "a\\nb"}}}',
        "{upstream: cut}",
        "{upstream: {error_event: {name: overloaded, at: done}}}",
        "{error: overloaded, upstream: reset}",
        "{reply: a, upstream: slow}",
        "{reply: a, upstream: {reset: true, empty: true}}",
    ],
)
def test_stubs_that_are_refused(stub: str) -> None:
    text = f"version: 1\nstubs:\n  - {stub}\n"
    with pytest.raises(ScenarioError):
        load_text(text, "a.yaml")

    assert refused(text)


def mappings(schema: Any) -> list[Mapping[str, Any]]:
    """Every mapping with keys of its own, however deep."""
    if isinstance(schema, Mapping):
        own = [schema] if "properties" in schema and "additionalProperties" in schema else []
        return own + [found for part in schema.values() for found in mappings(part)]
    return [found for part in schema for found in mappings(part)] if isinstance(schema, list) else []


def test_every_key_has_its_words_and_no_other_key_is_taken() -> None:
    found = mappings(SCHEMA)

    assert len(found) == len(sections())
    for mapping in found:
        assert mapping["additionalProperties"] is False
        assert all(value["description"] for value in mapping["properties"].values())


def test_words_have_no_links() -> None:
    assert "](" not in schema_text()


def test_what_comes_later_is_left_out() -> None:
    stub = SCHEMA["$defs"]["Stub"]["anyOf"][1]["properties"]

    assert [key for place, key in LATER if place == "stub" and key in stub] == []


def test_an_editor_knows_the_names() -> None:
    defs = SCHEMA["$defs"]

    assert "overloaded" in defs["Error"]["anyOf"][0]["enum"]
    assert "budget_exceeded" in defs["GatewayError"]["anyOf"][0]["enum"]
    assert defs["Pace"]["anyOf"][0]["enum"] == ["instant", "typing", "slow"]
