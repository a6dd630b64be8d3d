"""Files: what is loaded, in which order, and what is said about those that can't be."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mockbifrost.errors import ScenarioError
from mockbifrost.scenario import load as module
from mockbifrost.scenario.load import load_paths, load_scenario, load_text, stub_from_mapping
from mockbifrost.scenario.loaded import LoadedScenario
from mockbifrost.scenario.model import BEHAVIOURS

REFUND = """\
# yaml-language-server: $schema=./scenario.schema.json
version: 1
name: refund-desk
seed: 7
gateway:
  version: 2.2
  providers: {openai: {models: [gpt-4o]}, anthropic: {}}
defaults:
  pace: {ttft: 200ms, tokens_per_second: 60, jitter: 0.2}
  model: gpt-4o-2024-08-06
stubs:
  - name: looks the order up
    when: {user: refund, tools: lookup_order}
    reply:
      tool_calls:
        - lookup_order: {order_id: "42"}

  - name: tells the outcome
    when: {tool_result: lookup_order}
    reply: "Order {{ tool.lookup_order.id }} was {{ tool.lookup_order.state }}: refunded."

  - name: openai is overloaded twice
    when: {provider: openai, user: status}
    times: 2
    error: overloaded
  - plain text
"""


def refusals(text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load_text(text, "refund.yaml")
    assert str(caught.value) == "\n".join(map(str, caught.value.findings))
    return [str(finding) for finding in caught.value.findings]


def file_refusals(*paths: Path) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load_paths(paths)
    return [str(finding) for finding in caught.value.findings]


def test_a_whole_scenario() -> None:
    loaded = load_text(REFUND, "refund.yaml")
    model = loaded.model
    assert (loaded.source, loaded.stub_lines) == ("refund.yaml", (12, 18, 22, 26))
    assert (model.version, model.name, model.seed, model.session) == (1, "refund-desk", 7, None)
    assert model.gateway is not None
    assert model.gateway.version == "2.2"
    assert model.defaults.pace is not None
    assert (model.defaults.pace.ttft, model.defaults.model) == (0.2, "gpt-4o-2024-08-06")
    assert [stub.name for stub in model.stubs] == [
        "looks the order up",
        "tells the outcome",
        "openai is overloaded twice",
        None,
    ]


def test_a_file_needs_no_stubs() -> None:
    loaded = load_text("version: 1\nsession: quiet\n", "a.yaml")
    assert (loaded.model.stubs, loaded.stub_lines, loaded.model.session) == ((), (), "quiet")


def test_a_typo_is_said_with_its_place_and_the_nearest_key() -> None:
    assert refusals(REFUND.replace("{tool_result:", "{tool_reslt:")) == [
        "refund.yaml:19:12: stubs[1].when.tool_reslt: unknown key 'tool_reslt'; did you mean 'tool_result'?"
    ]


def test_everything_of_a_file_is_said_at_once_in_the_order_of_the_lines() -> None:
    text = (
        "version: 1\n"
        "sed: 3\n"
        "gateway: {version: 3.0, cach: {}}\n"
        "defaults: {pace: {ttft: 200}}\n"
        "stubs:\n"
        "  - when: {user: no, turn: 01}\n"
        "    reply: 42\n"
        "    ttft: 3s\n"
        "  - error: overloded\n"
        "    wire: utf8_split\n"
        "  - {}\n"
        "  - when:\n"
        "    reply: a\n"
        "    reply: b\n"
    )
    assert refusals(text) == [
        "refund.yaml:2:1: sed: unknown key 'sed'; did you mean 'seed'?",
        "refund.yaml:3:20: gateway.version: must be 'documented', '1.6' or '2.2', got the text '3.0'",
        "refund.yaml:3:25: gateway.cach: unknown key 'cach'; did you mean 'cache'?",
        "refund.yaml:4:25: defaults.pace.ttft: a duration needs a unit: write 200ms or 200s",
        "refund.yaml:6:18: stubs[0].when.user: `no` without quotes is false to some readers of YAML and text to "
        "others; "
        'write "no" for the text, or false',
        "refund.yaml:6:28: stubs[0].when.turn: 01 is a number with leading zeros, which readers of YAML take "
        "differently; "
        'write "01" for the text',
        "refund.yaml:7:12: stubs[0].reply: must be text or a mapping such as {content: …, tool_calls: […]}, "
        'got the number 42; put it in quotes: "42"',
        "refund.yaml:8:5: stubs[0].ttft: unknown key 'ttft'; `ttft` belongs under `pace`",
        "refund.yaml:9:12: stubs[1].error: 'overloded' is not the name of a provider's error; did you mean "
        "'overloaded'?",
        "refund.yaml:10:5: stubs[1].wire: `wire` (faults of the client's connection) is not in this version yet; "
        "use `raw` to send broken bytes",
        f"refund.yaml:11:5: stubs[2]: does nothing; give it one of {', '.join(BEHAVIOURS)}",
        "refund.yaml:12:10: stubs[3].when: `when` has no value; give it one, or remove the line",
        "refund.yaml:14:5: stubs[3]: the key 'reply' is there already, on line 13; keep one of the two",
    ]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("42", "the number 42"),
        ("1.10", "the number 1.1"),
        ("0x1F", "the number 31"),
        ("True", "true"),
        ("false", "false"),
    ],
)
def test_a_number_or_boolean_for_text_is_refused_with_what_was_written_in_quotes(written: str, shown: str) -> None:
    assert refusals(f"version: 1\nstubs:\n  - {{when: {{user: {written}}}, reply: a}}\n") == [
        "refund.yaml:3:19: stubs[0].when.user: must be text, /a regular expression/ or a mapping such as {contains: "
        "…}, "
        f'got {shown}; put it in quotes: "{written}"'
    ]
    assert refusals(f"version: 1\nstubs:\n  - {{when: {{model: [a, {written}]}}, reply: a}}\n") == [
        f'refund.yaml:3:24: stubs[0].when.model[1]: must be text, got {shown}; put it in quotes: "{written}"'
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "refund.yaml: the file is empty; begin with `version: 1`"),
        ("# only a comment\n", "refund.yaml: the file is empty; begin with `version: 1`"),
        ("---\n", "refund.yaml: the file is empty; begin with `version: 1`"),
        ("- a\n", "refund.yaml:1:1: must be a mapping with `version: 1` and `stubs`, got a list"),
        ("hello\n", "refund.yaml:1:1: must be a mapping with `version: 1` and `stubs`, got the text 'hello'"),
        ("stubs: []\n", "refund.yaml:1:1: `version` is missing; begin with `version: 1`"),
        (
            "version: 2\nnew: 3\n",
            "refund.yaml:1:10: version: this release reads version 1 of the language, got the number 2",
        ),
        ("version: '1'\n", "refund.yaml:1:10: version: must be the number 1, got the text '1'; remove the quotes"),
        ("version: true\n", "refund.yaml:1:10: version: this release reads version 1 of the language, got true"),
        ("version:\n", "refund.yaml:1:9: version: `version` has no value; give it one, or remove the line"),
        (
            "version: 1.0\n",
            "refund.yaml:1:10: version: this release reads version 1 of the language, got the number 1.0",
        ),
        (
            "version: 1\nsession: a/b\n",
            "refund.yaml:2:10: session: the session 'a/b' can't stand in an address; "
            "use letters, digits, dots, dashes and underscores, 64 at most",
        ),
        ("version: 1\nseed: x\n", "refund.yaml:2:7: seed: must be a whole number, got the text 'x'"),
        ("version: 1\nstubs: {}\n", "refund.yaml:2:8: stubs: must be a list, got a mapping"),
        ("version: 1\nstubs:\n", "refund.yaml:2:7: stubs: `stubs` has no value; give it one, or remove the line"),
        (
            "version: 1\nstubs: [3]\n",
            "refund.yaml:2:9: stubs[0]: must be text (a reply) or a mapping such as {when: …, reply: …}, "
            'got the number 3; put it in quotes: "3"',
        ),
        (
            "version: 1\ngateway: {providers: {a/b: {}}}\n",
            "refund.yaml:2:23: gateway.providers[\"a/b\"]: 'a/b' can't be the name of a provider; "
            "names have neither white space nor a slash",
        ),
        (
            "version: 1\ngateway: {providers: {openai: }}\n",
            "refund.yaml:2:31: gateway.providers.openai: must be a mapping, {} for a provider with the defaults, got "
            "nothing (null)",
        ),
        (
            "version: 1\ngateway: {providers: {openai: {models: []}}}\n",
            "refund.yaml:2:40: gateway.providers.openai.models: must not be empty",
        ),
        (
            "version: 1\n---\nversion: 1\n",
            "refund.yaml:2:1: a second document begins here; one file holds one document: remove the `---`",
        ),
    ],
    ids=repr,
)
def test_files_that_are_refused(text: str, expected: str) -> None:
    assert refusals(text) == [expected]


def test_more_findings_than_anybody_reads_are_counted() -> None:
    found = refusals("version: 1\nstubs:\n" + "  - {usr: 1}\n" * 1500)
    assert len(found) == 1001
    assert found[-1] == "refund.yaml:1002:6: 500 more findings are not shown"


def test_the_place_of_a_merged_key_is_where_it_is_written() -> None:
    text = "version: 1\nstubs:\n  - &base {when: {usr: a}, reply: a}\n  - {<<: *base, reply: b}\n"
    assert refusals(text) == [
        "refund.yaml:3:19: stubs[0].when.usr: unknown key 'usr'; did you mean 'user'?",
        "refund.yaml:3:19: stubs[1].when.usr: unknown key 'usr'; did you mean 'user'?",
    ]


def test_a_stub_by_alias_has_the_line_of_the_alias() -> None:
    text = "version: 1\nstubs:\n  - &a {reply: a}\n  - *a\n"
    assert load_text(text, "a.yaml").stub_lines == (3, 4)


class TestPaths:
    def write(self, folder: Path, name: str, text: str = "version: 1\n") -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def test_one_file(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "refund.yaml", REFUND)
        assert load_scenario(path) == LoadedScenario(load_text(REFUND, "x").model, str(path), (12, 18, 22, 26))

    def test_a_folder_is_read_by_name_and_in_depth_but_for_what_is_hidden(self, tmp_path: Path) -> None:
        for name in (
            "b.yml", "a.yaml", "sub/d.yaml", "sub/c.yaml", ".hidden.yaml", ".git/e.yaml", "a.schema.json", "README.md",
        ):  # fmt: skip
            self.write(tmp_path, name)
        names = [os.path.relpath(one.source, tmp_path) for one in load_paths([tmp_path])]
        assert names == ["a.yaml", "b.yml", os.path.join("sub", "c.yaml"), os.path.join("sub", "d.yaml")]

    def test_files_come_in_the_order_given(self, tmp_path: Path) -> None:
        first, second = self.write(tmp_path, "b.yaml"), self.write(tmp_path, "a.txt")
        assert [one.source for one in load_paths([first, second])] == [str(first), str(second)]
        assert load_paths([]) == ()

    def test_a_file_given_twice_is_loaded_once(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "a.yaml")
        (tmp_path / "b.yaml").symlink_to(path)
        assert len(load_paths([path, tmp_path, path])) == 1

    def test_what_is_not_there_is_named_with_the_nearest_name(self, tmp_path: Path) -> None:
        self.write(tmp_path, "refund.yaml")
        missing, far = tmp_path / "refnd.yaml", tmp_path / "nowhere" / "a.yaml"
        assert file_refusals(missing, far) == [
            f"{missing}: there is no such file or folder; did you mean 'refund.yaml'?",
            f"{far}: there is no such file or folder",
        ]
        with pytest.raises(ScenarioError):
            load_scenario(missing)

    def test_a_folder_without_scenarios_is_named(self, tmp_path: Path) -> None:
        self.write(tmp_path, "README.md")
        assert file_refusals(tmp_path) == [
            f"{tmp_path}: the folder holds no *.yaml or *.yml file; name a file, or the folder of your scenarios"
        ]

    def test_the_findings_of_all_files_are_collected(self, tmp_path: Path) -> None:
        first = self.write(tmp_path, "a.yaml", "version: 1\nsed: 1\n")
        second = self.write(tmp_path, "b.yaml", "version: 3\n")
        self.write(tmp_path, "c.yaml")
        assert file_refusals(tmp_path) == [
            f"{first}:2:1: sed: unknown key 'sed'; did you mean 'seed'?",
            f"{second}:1:10: version: this release reads version 1 of the language, got the number 3",
        ]

    def test_a_file_that_is_not_utf_8(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        path.write_bytes("version: 1\nname: caf\u00e9\n".encode("latin-1"))
        assert file_refusals(path) == [
            f"{path}:2:10: is not UTF-8: the byte 0xe9 can't be read; save the file as UTF-8"
        ]

    def test_a_byte_order_mark_does_no_harm(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        path.write_bytes(b"\xef\xbb\xbfversion: 1\n")
        assert load_scenario(path).model.version == 1

    def test_a_file_that_is_too_large(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = self.write(tmp_path, "a.yaml", "version: 1\n# " + "x" * 100)
        monkeypatch.setattr(module, "LARGEST_BYTES", path.stat().st_size)
        assert load_scenario(path).model.version == 1
        monkeypatch.setattr(module, "LARGEST_BYTES", path.stat().st_size - 1)
        assert file_refusals(path) == [f"{path}: is larger than 50 MB; split it into several files"]

    def test_a_file_that_can_not_be_opened(self, tmp_path: Path) -> None:
        bad = Path("a\0b")
        assert file_refusals(bad) == ["a\0b: can't be read: embedded null byte"]
        too_long = tmp_path / ("x" * 300)
        assert file_refusals(too_long) == [f"{too_long}: can't be read: File name too long"]


class TestContradictions:
    @pytest.mark.parametrize(
        ("first", "second", "text"),
        [
            ("cache: {ttl: 10m}", "cache: {ttl: 300s}", "cache.ttl: is 300s here and 10m"),
            ("cache: {default_key: null}", "cache: {default_key: k}", "cache.default_key: is k here and null"),
            ("require_virtual_key: true", "require_virtual_key: false", "require_virtual_key: is false here and true"),
            (
                "virtual_keys: {sk-bf-a: {budgets: [{limit: 1, resets: 1d}]}}",
                "virtual_keys: {sk-bf-a: {budgets: []}}",
                "virtual_keys.sk-bf-a.budgets: is [] here and [{limit: 1, resets: 1d}]",
            ),
        ],
    )
    def test_what_disagrees_is_told_as_it_was_written(self, tmp_path: Path, first: str, second: str, text: str) -> None:
        with pytest.raises(ScenarioError) as caught:
            self.load(tmp_path, f"gateway: {{{first}}}\n", f"gateway: {{{second}}}\n")

        assert f": gateway.{text} at {tmp_path / 'a.yaml'}:2;" in str(caught.value)

    def load(self, folder: Path, first: str, second: str) -> tuple[LoadedScenario, ...]:
        (folder / "a.yaml").write_text(f"version: 1\n{first}", encoding="utf-8")
        (folder / "b.yaml").write_text(f"version: 1\n{second}", encoding="utf-8")
        return load_paths([folder])

    def test_two_files_of_one_session_that_disagree_are_both_named(self, tmp_path: Path) -> None:
        with pytest.raises(ScenarioError) as caught:
            self.load(
                tmp_path,
                "gateway:\n  version: 2.2\n  providers: {openai: {models: [a]}}\n",
                "gateway: {version: 1.6, providers: {openai: {models: [a, b]}}}\n",
            )
        a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
        hint = "files that share a session share its gateway: make them agree, or give one a `session` of its own"
        assert [str(finding) for finding in caught.value.findings] == [
            f"{b}:2:11: gateway.version: is 1.6 here and 2.2 at {a}:3; {hint}",
            f"{b}:2:46: gateway.providers.openai.models: is [a, b] here and [a] at {a}:4; {hint}",
        ]

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("gateway: {version: 2.2}", "gateway: {version: 2.2}"),
            ("gateway: {version: 2.2}", "gateway: {}"),
            ("gateway: {version: 2.2}", "session: other\ngateway: {version: 1.6}"),
            (
                "gateway: {providers: {openai: {models: [a]}}}",
                "gateway: {providers: {openai: {}, anthropic: {models: [b]}}}",
            ),
        ],
        ids=["the same", "nothing said", "another session", "another provider"],
    )
    def test_files_that_do_not_disagree(self, tmp_path: Path, first: str, second: str) -> None:
        assert len(self.load(tmp_path, first, second)) == 2


class TestPlainValues:
    def test_a_stub_from_python(self) -> None:
        made = stub_from_mapping({"when": {"model": ("a", "b")}, "sequence": ("x", {"echo": True})}, "test_a.py", 12)
        assert (made.source, made.line) == ("test_a.py", 12)
        assert made.model.when.model == ("a", "b")
        assert made.model.sequence is not None
        assert len(made.model.sequence) == 2

    def test_a_finding_names_the_line_of_the_code(self) -> None:
        with pytest.raises(ScenarioError) as caught:
            stub_from_mapping({"when": {"usr": "a"}, "reply": "b"}, "test_a.py", 12)
        assert str(caught.value) == "test_a.py:12:1: when.usr: unknown key 'usr'; did you mean 'user'?"

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ({1, 2}, "a value of the type set has no place in a stub; give text, numbers, lists and mappings"),
            (b"a", "a value of the type bytes has no place in a stub; give text, numbers, lists and mappings"),
            (float("nan"), "nan is no number that JSON can hold"),
            (1 << 64, "a number is larger than JSON's 64 bits hold"),
            ({1: "a"}, "the key 1 is not text"),
            ("\ud800", "'\\ud800' holds half a surrogate pair, which is no character"),
            ({"\ud800": 1}, "'\\ud800' holds half a surrogate pair, which is no character"),
        ],
        ids=lambda value: ascii(value),
    )
    def test_values_that_no_file_could_hold_are_refused(self, value: object, message: str) -> None:
        with pytest.raises(ScenarioError) as caught:
            stub_from_mapping({"reply": {"body": {"x": value}}}, "test_a.py", 12)
        assert str(caught.value) == f"test_a.py:12:1: {message}"

    def test_values_inside_themselves_are_refused(self) -> None:
        endless: dict[str, Any] = {}
        endless["x"] = [endless]
        with pytest.raises(ScenarioError) as caught:
            stub_from_mapping({"reply": {"body": endless}}, "test_a.py", 12)
        assert str(caught.value) == "test_a.py:12:1: more than 100 lists and mappings stand inside one another"

    def test_values_may_be_as_deep_as_in_a_file(self) -> None:
        def nested(depth: int) -> dict[str, Any]:
            return {"x": nested(depth - 1)} if depth else {}

        assert stub_from_mapping({"reply": {"body": nested(97)}}, "test_a.py", 12).line == 12
        with pytest.raises(ScenarioError):
            stub_from_mapping({"reply": {"body": nested(98)}}, "test_a.py", 12)
        rows: list[Any] = []
        for _ in range(96):
            rows = [rows]
        assert stub_from_mapping({"reply": {"body": {"x": rows}}}, "test_a.py", 12).line == 12
        with pytest.raises(ScenarioError):
            stub_from_mapping({"reply": {"body": {"x": [rows]}}}, "test_a.py", 12)

    def test_the_given_values_are_not_shared(self) -> None:
        body: dict[str, list[int]] = {"x": [1]}
        made = stub_from_mapping({"reply": {"body": body}}, "test_a.py", 1)
        body["x"].append(2)
        assert made.model.reply is not None
        assert made.model.reply.body == {"x": [1]}


EVERYTHING = """\
version: 1
name: everything
description: "all of it"
seed: 7
session: abc
gateway: {version: 2.2, providers: {openai: {models: [gpt-4o]}, anthropic: {}}}
defaults: {pace: {ttft: 200ms, tokens_per_second: 60, jitter: 0.2, chunk: word}, model: gpt-4o}
stubs:
  - plain text
  - name: looks the order up
    when:
      provider: openai
      model: [gpt-4o*, claude]
      key: {equals: a, ignore_case: true}
      attempt: 1
      fallback: "0..2"
      user: /refund (\\d+)/im
      task: {not: {contains: x}, any: [a, /b/], all: [{glob: "*"}]}
      last: {role: user, text: refund}
      messages: [hi, {role: assistant, tool_call: lookup}, {tool_result: {name: lookup, json: {a: 1}}}]
      turn: [0, 1]
      tools: []
      tool_result: lookup_order
      stream: true
      n: 2
      headers: {x-a: b, x-c: null}
      body: {"messages[0].role": user, temperature: 0.5, "a.b": {starts_with: c}}
    active: {first: 5, after: 3, every: 2, from: 10s, until: 60s, period: 2m, probability: 0.1, gate: g}
    per: call
    priority: -3
    required: 2
    reply: &r
      content: [hello, {type: text, text: "{{ user }}"}]
      tool_calls: [{lookup_order: {order_id: "42"}}, {name: x, arguments: "{broken", id: call_1}, plain]
      usage: {prompt_tokens: 3, prompt_tokens_details: {cached_tokens: 1}}
      logprobs: true
      headers: {x-ratelimit: "3"}
      choices: [a, {faker: {paragraphs: 3}}]
      latency: 1m30s
      body: {a: [1, 2.5, null]}
  - reply: {<<: *r, content: null, usage: null}
  - {times: 2, error: {name: rate_limited, retry_after: 2s, headers: {a: b}}}
  - gateway_error: budget_exceeded
  - {sequence: [a, {echo: true}, {error: overloaded, pace: slow}], on_end: cycle, scope: conversation}
  - raw: {status: 502, events: [{data: {a: 1}}, {sleep: 3s}, {raw: "x"}], done: true, eol: crlf, end: close}
  - raw: {base64: aGVsbG8=, delay: 1s, split: 3}
"""
PIECES = (
    "{", "}", "[", "]", ":", ": ", "- ", "\n", "\n  ", "\t", "'", '"', "&a ", "*a ", "*r", "!!str ", "!x ", "<<: ",
    "? ", "|", ">", " #", "%", "@", "`", "\0", "\ud800", "\u2028", "é", "no", "yes", "null", "~", "1", "-1", "1e999",
    "0x", "007", ".inf", "true", "{{", "}}", "{% if %}", "---\n", "...\n", "/(/", "1..", "\r", "\ufeff",
    "9" * 400, "[" * 200,
)  # fmt: skip


def refused_in_words_of_our_own(load: Callable[[], object]) -> bool:
    """Whether it was refused. Fails on any other exception, on no findings, on words of pydantic's."""
    try:
        load()
    except ScenarioError as error:
        refusal = error
    else:
        return False
    assert refusal.findings
    assert "Input should" not in str(refusal)
    return True


def test_the_scenario_that_is_broken_below_is_whole() -> None:
    assert len(load_text(EVERYTHING, "a.yaml").model.stubs) == 8


@given(st.data())
@settings(max_examples=300)
def test_a_broken_scenario_is_loaded_or_refused(data: st.DataObject) -> None:
    text = EVERYTHING
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.sampled_from((0, 0, 1, 5, 40))))
        text = text[:start] + data.draw(st.sampled_from(PIECES)) + text[end:]
    if not refused_in_words_of_our_own(lambda: load_text(text, "a.yaml")):
        loaded = load_text(text, "a.yaml")
        assert len(loaded.stub_lines) == len(loaded.model.stubs)


@given(st.binary(max_size=300))
@example(b"version: 1\n\xff")
@example(b"\xef\xbb\xbf\xef\xbb\xbfversion: 1")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_loaded_or_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(raw)
    refused_in_words_of_our_own(lambda: load_scenario(path))


TEXTS = ("", "a", "/x/i", "1..", "2s", "{{ user }}", "{{ 1 +", "overloaded", "user", "no_keys", "é", "aGk=")
STUB_KEYS = ("name", "when", "active", "reply", "error", "gateway_error", "sequence", "raw", "pace", "required")
INNER_KEYS = (
    *STUB_KEYS, "times", "echo", "content", "tool_calls", "usage", "user", "last", "text", "role", "json", "events",
    "data", "sleep", "status", "message", "headers", "body", "choices", "chunks", "faker", "first", "from", "ttft", "x",
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(-1, 2) | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER_KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(STUB_KEYS), VALUES))
@settings(max_examples=500)
def test_any_stub_is_made_or_refused_in_words_of_our_own(data: Mapping[str, object]) -> None:
    refused_in_words_of_our_own(lambda: stub_from_mapping(data, "t.py", 1))
