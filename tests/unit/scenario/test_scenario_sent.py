"""What is sent to a running server: a stub, a list of stubs or a scenario, in YAML or JSON, told apart by what it says."""

from __future__ import annotations

import json
from collections.abc import Sized
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.errors import ScenarioError
from mockbifrost.scenario.document import read_document
from mockbifrost.scenario.load import load_sent
from mockbifrost.scenario.loaded import LoadedScenario
from tests.strategies import INT_64, NAMES, SAID

ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | INT_64 | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=10,
)
CONTAINERS = st.lists(ANY_JSON, max_size=4) | st.dictionaries(st.text(max_size=20), ANY_JSON, max_size=4)
STUBS = st.lists(
    SAID
    | st.fixed_dictionaries({"reply": SAID}, optional={"name": NAMES, "times": st.integers(1, 9)})
    | st.fixed_dictionaries({"when": st.fixed_dictionaries({"user": NAMES}), "error": st.just("overloaded")}),
    max_size=4,
)


def sent(body: str | bytes) -> LoadedScenario:
    return load_sent(body.encode() if isinstance(body, str) else body, "sent 1")


def refused(body: str | bytes) -> list[str]:
    with pytest.raises(ScenarioError) as error:
        sent(body)
    assert [finding.source for finding in error.value.findings] == ["sent 1"] * len(error.value.findings)
    return str(error.value).splitlines()


@given(value=CONTAINERS, ascii_only=st.booleans(), indent=st.sampled_from([None, 2, "\t"]))
def test_json_is_read_as_json_has_it(value: Any, ascii_only: bool, indent: int | str | None) -> None:
    document = read_document(json.dumps(value, ensure_ascii=ascii_only, indent=indent), "x")

    assert (document.findings, document.value) == ([], value)


@given(said=st.text(max_size=20))
def test_a_finding_in_json_stands_where_it_was_written(said: str) -> None:
    body = json.dumps([{"reply": said.replace("{", "(")}, {"usr": said}])

    with pytest.raises(ScenarioError) as error:
        sent(body)
    (finding,) = error.value.findings
    assert (finding.line, finding.column, finding.key_path) == (1, body.rindex('"usr"') + 1, "[1].usr")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"['\ud83d\ude00', x]", [r"\ud83d\ude00", "x"]),
        (r'["\\ud83d\\ude00"]', [r"\ud83d\ude00"]),
        (r'["\\\ud83d\ude00\n"]', ["\\\U0001f600\n"]),
        (r'["\"\ud83d\ude00"]', ['"\U0001f600']),
    ],
    ids=["no JSON", "escaped", "after a backslash", "after a quote"],
)
def test_only_pairs_of_surrogates_of_json_are_put_together(text: str, value: Any) -> None:
    document = read_document(text, "x")

    assert (document.findings, document.value) == ([], value)


@given(stubs=STUBS)
def test_stubs_are_the_same_alone_in_a_list_and_in_a_scenario_in_yaml_and_in_json(stubs: list[Any]) -> None:
    scenario = {"version": 1, "stubs": stubs}
    models = [sent(write(body)).model.stubs for body in (scenario, stubs) for write in (json.dumps, yaml.safe_dump)]
    for stub, model in zip(stubs, models[0], strict=True):
        if isinstance(stub, dict):
            assert sent(json.dumps(stub)).model.stubs == (model,)

    assert models == [models[0]] * len(models)


@given(body=st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | CONTAINERS.map(json.dumps).map(str.encode))
def test_anything_is_loaded_or_refused_with_findings(body: bytes) -> None:
    found: Sized
    try:
        loaded = sent(body)
    except ScenarioError as error:
        found = error.findings
        least = 1
    else:
        found, least = loaded.stub_lines, len(loaded.model.stubs)
    assert len(found) >= least


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("reply: Yes.", (1,)),
        ('{"reply": "Yes."}', (1,)),
        ("# so\n\nreply: Yes.\n", (3,)),
        ("- reply: Yes.\n- No.\n-\n  echo: true\n", (1, 2, 4)),
        ("[]", ()),
        ('\ufeff{"version": 1,\n"stubs": [\n"Yes."]}', (3,)),
        ("version: 1\ngateway: {version: '1.6'}", ()),
    ],
)
def test_the_lines_of_stubs_are_those_of_what_was_sent(body: str, lines: tuple[int, ...]) -> None:
    assert sent(body).stub_lines == lines


YES_AND_NO = 'is {0} to some readers of YAML and text to others; write "{1}" for the text, or {0}'


@pytest.mark.parametrize(
    ("body", "findings"),
    [
        pytest.param("", ["is empty; send a stub, a list of stubs or a scenario"], id="empty"),
        pytest.param("null", ["is empty; send a stub, a list of stubs or a scenario"], id="null"),
        pytest.param(
            "\n Hello.", ["2:2: must be a stub, a list of stubs or a scenario, got the text 'Hello.'"], id="text"
        ),
        pytest.param("7", ["1:1: must be a stub, a list of stubs or a scenario, got the number 7"], id="number"),
        pytest.param(
            "{}",
            [
                "1:1: does nothing; give it one of reply, error, gateway_error, auto, echo, replay, raw, forward, sequence"
            ],
            id="nothing in it",
        ),
        pytest.param(
            "- 7",
            [
                "1:3: [0]: must be text (a reply) or a mapping such as {when: …, reply: …}, got the number 7; "
                'put it in quotes: "7"'
            ],
            id="a number in a list",
        ),
        pytest.param(
            "- reply: x\n- {when: {user: on}, rply: x}",
            [
                f"2:17: [1].when.user: `on` without quotes {YES_AND_NO.format('true', 'on')}",
                "2:22: [1].rply: unknown key 'rply'; did you mean 'reply'?",
            ],
            id="in a list",
        ),
        pytest.param(
            "when: {usr: x}\nreply: no",
            [
                "1:8: when.usr: unknown key 'usr'; did you mean 'user'?",
                f"2:8: reply: `no` without quotes {YES_AND_NO.format('false', 'no')}",
            ],
            id="in a stub",
        ),
        pytest.param(
            "version: 1\nstubs: [{when: {usr: x}, reply: x}]",
            ["2:17: stubs[0].when.usr: unknown key 'usr'; did you mean 'user'?"],
            id="in a scenario",
        ),
        pytest.param(
            "reply: x\nseed: 3",
            ["2:1: seed: unknown key 'seed'; `seed` belongs at the top of the file"],
            id="a file's key",
        ),
        pytest.param("stubs: [x]", ["1:1: `version` is missing; begin with `version: 1`"], id="no version"),
        pytest.param("gateway: {}", ["1:1: `version` is missing; begin with `version: 1`"], id="settings alone"),
        pytest.param(
            b"reply: \xff", ["1:8: is not UTF-8: the byte 0xff can't be read; save the file as UTF-8"], id="bytes"
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(body: str | bytes, findings: list[str]) -> None:
    assert [line.removeprefix("sent 1:").lstrip() for line in refused(body)] == findings
