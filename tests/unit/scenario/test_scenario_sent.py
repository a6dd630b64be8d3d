"""What is sent to a running server: a stub, a list of stubs or a scenario, in YAML or JSON, told apart by what it says."""

from __future__ import annotations

import json
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
    try:
        loaded = sent(body)
    except ScenarioError as error:
        assert error.findings
        return
    assert len(loaded.stub_lines) == len(loaded.model.stubs)


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


@pytest.mark.parametrize(
    ("body", "findings"),
    [
        ("", ["sent 1: is empty; send a stub, a list of stubs or a scenario"]),
        ("null", ["sent 1: is empty; send a stub, a list of stubs or a scenario"]),
        ("\n Hello.", ["sent 1:2:2: must be a stub, a list of stubs or a scenario, got the text 'Hello.'"]),
        ("7", ["sent 1:1:1: must be a stub, a list of stubs or a scenario, got the number 7"]),
        ("{}", ["sent 1:1:1: does nothing; give it one of reply, error, gateway_error, auto, echo, raw, sequence"]),
        ("- 7", ['sent 1:1:3: [0]: must be text (a reply) or a mapping such as {when: …, reply: …}, got the number 7; put it in quotes: "7"']),
        ("reply: no", ['sent 1:1:8: reply: `no` without quotes is false to some readers of YAML and text to others; write "no" for the text, or false']),
        ("- reply: x\n- {when: {user: on}, rply: x}", [
            'sent 1:2:17: [1].when.user: `on` without quotes is true to some readers of YAML and text to others; write "on" for the text, or true',
            "sent 1:2:22: [1].rply: unknown key 'rply'; did you mean 'reply'?",
        ]),
        ("reply: x\nseed: 3", ["sent 1:2:1: seed: unknown key 'seed'; `seed` belongs at the top of the file"]),
        ("stubs: [x]", ["sent 1:1:1: `version` is missing; begin with `version: 1`"]),
        ("gateway: {}", ["sent 1:1:1: `version` is missing; begin with `version: 1`"]),
        ("version: 1\nstubs: [{when: {usr: x}, reply: x}]", ["sent 1:2:17: stubs[0].when.usr: unknown key 'usr'; did you mean 'user'?"]),
        (b"reply: \xff", ["sent 1:1:8: is not UTF-8: the byte 0xff can't be read; save the file as UTF-8"]),
    ],
    ids=["empty", "null", "text", "number", "nothing in it", "list", "reading", "both kinds", "a file's key", "no version", "settings alone", "scenario", "bytes"],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(body: str | bytes, findings: list[str]) -> None:
    assert refused(body) == findings
