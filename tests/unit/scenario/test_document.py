from __future__ import annotations

import math

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.scenario import document as module
from mockbifrost.scenario.document import DEEPEST, MOST_FINDINGS, Document, Mark, read_document


def read(text: str) -> Document:
    return read_document(text, "a.yaml")


def findings(text: str) -> list[str]:
    return [str(finding) for finding in read(text).findings]


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def _loaders(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(yaml, request.param):
        pytest.skip("this PyYAML has no C parser")
    monkeypatch.setattr(module, "_LOADER", getattr(yaml, request.param))


both_loaders = pytest.mark.usefixtures("_loaders")


@both_loaders
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None),
        ("null", None),
        ("Null", None),
        ("nULL", "nULL"),
        ("true", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("y", "y"),
        ("n", "n"),
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("-7", -7),
        ("0x1F", 31),
        ("0o17", 15),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("-1.5E-2", -0.015),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01 10:00:00", "2026-01-01 10:00:00"),
        ("350ms", "350ms"),
        ("1..", "1.."),
        ("+", "+"),
        ("hello world", "hello world"),
        ("'no'", "no"),
        ('"42"', "42"),
        ("!!str 42", "42"),
        ("! 42", "42"),
        ("!!int '42'", 42),
        ("!!float 1", 1),
        ("!!null ''", None),
        ("!!bool 'true'", True),
        ("18446744073709551615", 18446744073709551615),
    ],
    ids=repr,
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    document = read(f"a: {text}\n")
    assert document.findings == []
    assert document.value == {"a": value}
    assert isinstance(document.value, dict)
    assert type(document.value["a"]) is type(value)


@both_loaders
@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "Yes", "NO", "oN"])
def test_words_that_readers_take_differently_are_refused(word: str) -> None:
    meant = "true" if word.lower() in ("yes", "on") else "false"
    assert findings(f"a: {{b: {word}}}\n") == [
        f"a.yaml:1:8: a.b: `{word}` without quotes is {meant} to some readers of YAML and text to others; "
        f'write "{word}" for the text, or {meant}'
    ]
    assert findings(f"{word}: 1\n") == [
        f"a.yaml:1:1: `{word}` without quotes is {meant} to some readers of YAML and text to others; "
        f'write "{word}" for the text, or {meant}'
    ]
    assert findings(f"a: '{word}'\n") == []


@both_loaders
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: .inf", '1:4: a: .inf is no number that JSON can hold; write ".inf" for the text'),
        ("a: -.INF", '1:4: a: -.INF is no number that JSON can hold; write "-.INF" for the text'),
        ("a: .NaN", '1:4: a: .NaN is no number that JSON can hold; write ".NaN" for the text'),
        (
            "a: 007",
            '1:4: a: 007 is a number with leading zeros, which readers of YAML take differently; write "007" for the '
            "text",
        ),
        ("a: 1e999", "1:4: a: 1e999 is a larger number than JSON's 64 bits hold; put it in quotes"),
        (
            "a: 18446744073709551616",
            "1:4: a: 18446744073709551616 is a larger number than JSON's 64 bits hold; put it in quotes",
        ),
        (
            "a: [x, -9223372036854775809]",
            "1:8: a[1]: -9223372036854775809 is a larger number than JSON's 64 bits hold; put it in quotes",
        ),
        ("404: x", '1:1: the key 404 is not text; put it in quotes: "404"'),
        ("true: x", '1:1: the key true is not text; put it in quotes: "true"'),
        ("a: {~: x}", '1:5: a: the key ~ is not text; put it in quotes: "~"'),
        ("? ~\n: x", '1:3: the key ~ is not text; put it in quotes: "~"'),
        ("? \n: x", '1:2: the key null is not text; put it in quotes: "null"'),
        ("a: 1\nb: 2\na: 3", "3:1: the key 'a' is there already, on line 1; keep one of the two"),
        ("a: !x 1", "1:4: a: the tag !x is not known here; remove it, or put a text that begins with ! in quotes"),
        (
            "a: !!binary aGk=",
            "1:4: a: the tag !!binary is not known here; remove it, or put a text that begins with ! in quotes",
        ),
        (
            "a: !!python/object:os.system {}",
            "1:4: a: the tag !!python/object:os.system is not known here; "
            "remove it, or put a text that begins with ! in quotes",
        ),
        ("a: !!int x", "1:4: a: 'x' is not what its tag says; remove the tag"),
        ("a: *b", "1:4: a: the alias *b names nothing that came before; put a text that begins with * in quotes"),
        ("a: &a [1, *a]", "1:11: a[1]: the alias *a stands inside what it names"),
        ("a: 1\n---\nb: 2", "2:1: a second document begins here; one file holds one document: remove the `---`"),
        ("[a]: 1", "1:1: a key can't be a list or a mapping; keys are text"),
        (
            "a: {{ user }}",
            '1:5: a: a key can\'t be a list or a mapping; put a template in quotes: "{{ … }}"',
        ),
        ("a: 1\n<<: 3", "2:5: `<<` takes a mapping or a list of mappings; name one with an anchor: <<: *name"),
        (
            "x: &x {a: 1}\nb:\n  <<: *x\n  <<: *x",
            "4:7: b: a mapping can have one `<<`; give it a list: <<: [*a, *b]",
        ),
        ("a: 'b\0'", "1:6: the character U+0000 is not allowed in YAML; remove it, or escape it in double quotes"),
        (
            "a: b\nc: \ud800",
            "2:4: the character U+D800 is not allowed in YAML; remove it, or escape it in double quotes",
        ),
    ],
    ids=repr,
)
def test_what_is_refused_is_said_with_its_place(text: str, message: str) -> None:
    assert findings(text) == [f"a.yaml:{message}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: b: c",
            "1:5: is not YAML: mapping values are not allowed in this context; put a text that holds ': ' in quotes",
        ),
        (
            "a:\n\t- b",
            "2:1: is not YAML: found character that cannot start any token while scanning for the next token; "
            "indent with spaces, never with tabs",
        ),
        (
            "a: @b",
            "1:4: is not YAML: found character that cannot start any token while scanning for the next token; "
            "put a text that begins with this character in quotes",
        ),
        ("a: [1, 2", "2:1: is not YAML: did not find expected ',' or ']' while parsing a flow sequence"),
    ],
    ids=repr,
)
@pytest.mark.skipif(not hasattr(yaml, "CSafeLoader"), reason="the words are those of libyaml")
def test_what_is_no_yaml_is_said_with_advice(text: str, message: str) -> None:
    assert findings(text) == [f"a.yaml:{message}"]
    assert not read(text).complete


def test_escapes_that_are_no_character_are_refused_by_pyyaml_itself_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOADER", yaml.SafeLoader)
    assert findings('a: "\\ud800"') == [
        "a.yaml:1:4: a: holds half a surrogate pair, which is no character; write the whole character"
    ]
    assert findings('a: "\\U7fffffff"') == ["a.yaml:1:1: is not YAML: chr() arg not in range(0x110000)"]
    assert findings('a: "\\u00e9"') == []


@both_loaders
def test_merge_keys_and_aliases_work() -> None:
    document = read('x: &x {a: 1, b: [2]}\ny: {<<: *x, a: 3}\nz: {<<: [{a: 5}, *x]}\nl: *x\n"<<": 1\n')
    assert document.findings == []
    assert document.value == {
        "x": {"a": 1, "b": [2]},
        "y": {"a": 3, "b": [2]},
        "z": {"a": 5, "b": [2]},
        "l": {"a": 1, "b": [2]},
        "<<": 1,
    }


@both_loaders
def test_places_are_remembered_through_merges() -> None:
    document = read("x: &x {a: 1}\ny:\n  <<: *x\n  b: [2, 3]\n")
    value = document.value
    assert isinstance(value, dict)
    assert document.place(value, "y") == (Mark(1, 0), Mark(2, 2))
    assert document.place(value["y"], "a") == (Mark(0, 7), Mark(0, 10))
    assert document.place(value["y"], "b") == (Mark(3, 2), Mark(3, 5))
    assert isinstance(value["y"], dict)
    assert document.place(value["y"]["b"], 1) == (Mark(3, 9), Mark(3, 9))
    assert document.place(value["y"], "c") is None


@both_loaders
def test_all_that_can_be_read_is_said_at_once() -> None:
    assert [(finding.line, finding.column) for finding in read("a: no\nb: 007\nc: !x y\na: 2\n").findings] == [
        (1, 4),
        (2, 4),
        (3, 4),
        (4, 1),
    ]


def test_aliases_that_repeat_each_other_are_refused_fast() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    [finding] = findings("\n".join(lines))
    assert finding == ("a.yaml:6:10: a5[0]: the aliases up to here repeat more than 200000 values; write less by alias")


@pytest.mark.parametrize("opening", ["[", "- ", "{a: "])
def test_depth_is_bounded(opening: str) -> None:
    [finding] = read(opening * 100_000).findings
    assert finding.message == f"more than {DEEPEST} lists and mappings stand inside one another"
    assert findings("[" * DEEPEST + "]" * DEEPEST) == []


def test_findings_are_bounded_and_say_so() -> None:
    found = read("- no\n" * 3000).findings
    assert len(found) == MOST_FINDINGS + 1
    assert str(found[-1]) == "a.yaml:1001:3: there is more to mend from here on"


def test_a_byte_order_mark_is_not_part_of_the_text() -> None:
    assert read("\ufeffa: 1").value == {"a": 1}


def test_an_empty_text_is_complete_only_with_a_document() -> None:
    assert not read("# nothing\n").complete
    assert read("---\n").complete
    assert read("---\n").value is None


@pytest.mark.parametrize(
    ("text", "mark", "word"),
    [
        ("a: 1.10 # x", Mark(0, 3), "1.10"),
        ("a\r\nb: {c: 2}", Mark(1, 7), "2"),
        ("a", Mark(5, 0), ""),
        ("a ", Mark(0, 1), ""),
    ],
)
def test_a_word_is_found_as_it_was_written(text: str, mark: Mark, word: str) -> None:
    assert Document("a.yaml", text).written(mark) == word


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def same(left: object, right: object) -> bool:
    if isinstance(left, float) and isinstance(right, float | int):
        return math.isclose(left, right)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


@both_loaders
@given(JSON)
def test_json_reads_as_itself(value: object) -> None:
    document = read(as_yaml(value))
    assert document.findings == []
    assert same(document.value, value)


def as_yaml(value: object) -> str:
    """JSON, with the characters that YAML does not take as they are written in its own escapes."""
    return "".join(char if " " <= char <= "~" else f"\\U{ord(char):08x}" for char in orjson.dumps(value).decode())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    document = read(raw.decode("utf-8", "surrogateescape"))
    assert document.complete or document.value is None


@both_loaders
@given(st.text(alphabet="ab01:-?,[]{}&*!|>'\"%@`#\n\t ~<.e=\\", max_size=60))
def test_any_text_of_yaml_s_signs_is_read_or_refused(text: str) -> None:
    document = read(text)
    for finding in document.findings:
        assert finding.message
        assert finding.line >= 1
