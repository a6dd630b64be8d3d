"""What `check` finds in files that load: each text whole, and nothing where there is a doubt."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockbifrost.errors import Finding
from mockbifrost.scenario.load import load_documents
from mockbifrost.session.review import review

MOVE = "move this one up, narrow the `when` of the other, or give that `times`"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def found(*files: str) -> list[str]:
    """What is found in files called a.yaml, b.yaml, …"""
    paths = [Path(f"{name}.yaml") for name, _text in zip("abc", files, strict=False)]
    for path, text in zip(paths, files, strict=True):
        path.write_text(f"version: 1\n{text}\n", encoding="utf-8")
    return [str(finding) for finding in review(load_documents(paths))]


def of(*stubs: str) -> list[str]:
    """What is found in stubs, the first of them on line 3."""
    lines = found("stubs:\n" + "\n".join(f"  - {stub}" for stub in stubs))
    return [line.removeprefix("a.yaml:") for line in lines]


def never(place: str, taker: str, *, kind: str = "warning: ") -> str:
    return f"{place} never answers: {taker} is asked before it, fits whatever this one fits, and has no limit; {MOVE}".replace(
        ": stubs", f": {kind}stubs", 1
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{name: x, reply: a}", "{when: {user: a}, reply: b}"),
        ("{name: x, when: {user: refund}, reply: a}", "{when: {user: refund please, turn: 1}, times: 2, error: overloaded}"),
        ("{name: x, sequence: [a]}", "{reply: b}"),
        ("{name: x, active: {after: 0, every: 1, probability: 1}, reply: a}", "{reply: b}"),
        ("{name: x, priority: 1, when: {user: a}, echo: true}", "{priority: 1, when: {user: a}, echo: true}"),
    ],
)  # fmt: skip
def test_a_stub_behind_one_that_takes_all_of_its_requests(first: str, second: str) -> None:
    assert of(first, second) == [never("4:5: stubs[1]:", '"x" (a.yaml:3)')]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{when: {user: a}, times: 1, reply: a}", "{when: {user: a}, reply: b}"),
        ("{when: {user: a}, active: {gate: g}, reply: a}", "{when: {user: a}, reply: b}"),
        ("{when: {user: a}, active: {after: 1}, reply: a}", "{when: {user: a}, reply: b}"),
        ("{when: {user: a}, active: {from: 1s}, reply: a}", "{when: {user: a}, reply: b}"),
        ("{when: {user: a}, active: {probability: 0.5}, reply: a}", "{when: {user: a}, reply: b}"),
        ("{sequence: [a], on_end: pass}", "b"),
        ("{when: {user: a, turn: 1}, reply: a}", "{when: {user: a}, reply: b}"),
        ("{when: {user: a}, reply: a}", "{priority: 1, when: {user: a, turn: 1}, reply: b}"),
        ("{when: {user: A}, reply: a}", "{when: {user: a}, reply: b}"),
        ("{when: {user: a}, reply: a}", "b"),
    ],
)
def test_a_stub_that_something_is_left_for(first: str, second: str) -> None:
    assert of(first, second) == []


def test_a_stub_without_a_name_is_told_by_its_line_and_an_unused_one_that_is_required_is_an_error() -> None:
    assert of("a", "{reply: b, required: true}") == [never("4:5: stubs[1]:", "the stub at a.yaml:3", kind="")]


def test_files_of_a_session_stand_one_behind_the_other() -> None:
    assert found("stubs: [{name: x, reply: a}]", "stubs: [b]") == [
        "b.yaml:2:9: warning: stubs[0]: never answers: "
        f'"x" (a.yaml:2) is asked before it, fits whatever this one fits, and has no limit; {MOVE}'
    ]


def test_a_session_of_its_own_is_asked_before_the_shared_files() -> None:
    assert found("stubs: [{when: {user: a}, reply: a}]", "session: s\nstubs: [b]") == []
    assert found("stubs: [{name: x, priority: 1, reply: a}]", "session: s\nstubs: [b]") == [
        "b.yaml:3:9: warning: stubs[0]: never answers: "
        '"x" (a.yaml:2) is asked before it, fits whatever this one fits, and has no limit; '
        "raise its `priority`, narrow the `when` of the other, or give that `times`"
    ]


@pytest.mark.parametrize(
    ("stub", "said"),
    [
        (
            "{active: {probability: 0}, reply: a}",
            "3:15: warning: stubs[0].active.probability: never answers: its probability is 0; raise it",
        ),
        (
            "{active: {until: 0s}, reply: a}",
            "3:15: warning: stubs[0].active.until: never answers: its window ends as it begins; raise `until`",
        ),
        (
            "{times: 2, active: {after: 2}, reply: a}",
            "3:16: warning: stubs[0].active: never answers: of the first 2 attempts it takes none (after the first 2); "
            "raise the limit",
        ),
        (
            "{active: {first: 4, after: 1, every: 5}, required: true, reply: a}",
            "3:6: stubs[0].active: never answers: of the first 4 attempts it takes none (after the first 1, every 5); "
            "raise the limit",
        ),
        (
            "{when: {user: a, tool_result: f}, reply: a}",
            "3:13: warning: stubs[0].when.user: never answers: `user` wants a conversation that ends with a user "
            "message, `tool_result` one that ends with tool results; "
            "say `task` for the last user message, however many tool rounds ago",
        ),
        (
            "{when: {provider: opnai}, reply: a}",
            "3:13: warning: stubs[0].when.provider: never answers: no provider that is configured fits 'opnai'; "
            "did you mean 'openai'? Else add it to `gateway.providers`",
        ),
        (
            "{when: {provider: [own, 'x*x']}, reply: a}",
            "3:13: warning: stubs[0].when.provider: never answers: no provider that is configured fits 'own' or "
            "'x*x'; add it to `gateway.providers`",
        ),
    ],
)
def test_a_stub_that_never_answers(stub: str, said: str) -> None:
    assert of(stub) == [said]


@pytest.mark.parametrize(
    "stub",
    [
        "{times: 3, active: {after: 2}, reply: a}",
        "{active: {first: 4, every: 2, from: 1s, until: 2s, probability: 0.1}, reply: a}",
        "{when: {provider: 'open*'}, reply: a}",
    ],
)
def test_a_stub_that_may_answer(stub: str) -> None:
    assert of(stub) == []


def test_a_stub_that_never_answers_hides_nothing() -> None:
    lines = of("{active: {probability: 0}, reply: a}", "b")

    assert [line.split(":")[0] for line in lines] == ["3"]


def test_a_provider_may_be_configured_for_one_session_only() -> None:
    asks = "stubs: [{when: {provider: mine}, reply: a}]"

    assert found(asks, "session: s\ngateway: {providers: {mine: {}}}\nstubs: []") == []
    assert found(f"gateway: {{providers: {{mine: {{}}}}}}\n{asks}") == []
    assert len(found(f"session: s\n{asks}", "session: t\ngateway: {providers: {mine: {}}}\nstubs: []")) == 1


def test_steps_that_are_never_reached() -> None:
    assert of("{times: 1, sequence: [a, b, c]}") == [
        "3:30: warning: stubs[0].sequence[1]: step 2 of 3 is never reached: the stub has 1 use at the most; "
        "raise the limit, or remove the steps from here on"
    ]
    assert of("{times: 2, on_end: cycle, sequence: [a, b]}") == [
        "3:16: warning: stubs[0].on_end: `on_end` is never reached: the stub has 2 uses at the most, and as many "
        "steps; raise the limit, or remove it"
    ]
    assert of("{times: 2, sequence: [a, b]}", "{times: 3, on_end: cycle, sequence: [a, b]}") == []


def test_more_uses_are_required_than_there_can_be() -> None:
    assert of("{times: 2, required: 3, reply: a}") == [
        "3:16: stubs[0].required: 3 uses are required, and the stub answers 2 uses at the most; "
        "raise the limit, or lower `required`"
    ]
    assert of("{times: 2, required: 2, reply: a}") == []


@pytest.mark.parametrize(
    ("stub", "place"),
    [
        ("'{{ usr }}'", "3:5: stubs[0]"),
        ("{reply: '{{ usr }}'}", "3:6: stubs[0].reply"),
        ("{reply: {content: [{type: a, b: ['{{ usr }}']}]}}", "3:38: stubs[0].reply.content[0].b[0]"),
        ("{reply: {tool_calls: [{f: {a: '{{ usr }}'}}]}}", "3:27: stubs[0].reply.tool_calls[0]"),
        ("{reply: {headers: {x: '{{ usr }}'}}}", "3:24: stubs[0].reply.headers.x"),
        ("{sequence: [{error: {status: 500, message: '{{ usr }}'}}]}", "3:39: stubs[0].sequence[0].error.message"),
        ("{gateway_error: {message: a, type: '{{ usr }}'}}", "3:34: stubs[0].gateway_error.type"),
        ("{upstream: {error_event: {message: '{{ usr }}'}}}", "3:31: stubs[0].upstream.error_event.message"),
    ],
)
def test_a_template_that_names_nothing(stub: str, place: str) -> None:
    assert of(stub) == [
        f"{place}: the template '{{{{ usr }}}}' names 'usr', which nothing defines; did you mean 'user'?"
    ]


def test_names_that_a_template_defines_itself_are_fine() -> None:
    assert of("'{% for x in results %}{{ x }}{% endfor %}{% set y = user %}{{ y }} {{ range(3) }}'") == []


@pytest.mark.parametrize(
    ("stub", "said"),
    [
        (
            "{raw: {text: a}, pace: {ttft: 1s, speed: 1}}",
            "3:29: warning: stubs[0].pace.ttft: `pace.ttft` has no effect on `raw`; "
            "of a `raw` say `delay`, and `sleep` between events",
        ),
        (
            "{sequence: [{error: overloaded, pace: {chunk: char}}]}",
            "3:44: warning: stubs[0].sequence[0].pace.chunk: `pace.chunk` has no effect on `error`; "
            "an error comes whole: say `ttft`",
        ),
        (
            "{upstream: reset, pace: {ttft: 1s, tokens_per_second: 9}}",
            "3:40: warning: stubs[0].pace.tokens_per_second: `pace.tokens_per_second` has no effect on `upstream`; "
            "nothing comes of it: say `ttft`",
        ),
        (
            "{reply: {content: a, choices: [b]}}",
            "3:14: warning: stubs[0].reply.content: `content` has no effect beside `choices`; move it into each choice",
        ),
        (
            "{reply: {content: a, fragments: per_char}}",
            "3:26: warning: stubs[0].reply.fragments: `fragments` has no effect: no tool is called; "
            "remove it, or add `tool_calls`",
        ),
    ],
)
def test_keys_without_effect(stub: str, said: str) -> None:
    assert of(stub) == [said]


def test_keys_with_an_effect() -> None:
    assert of(
        "{when: {user: a}, error: overloaded, pace: {ttft: 1s, name: slow}}",
        "{when: {user: b}, reply: {fragments: per_char, choices: [a, {tool_calls: [f]}]}}",
        "{when: {user: c}, reply: {fragments: per_char, tool_calls: [f]}, pace: {chunk: char}}",
        "{when: {user: d}, echo: true, upstream: cut, pace: {chunk: char}}",
    ) == []  # fmt: skip


def test_a_name_that_is_given_twice() -> None:
    assert of("{name: x, when: {user: a}, reply: a}", "{name: x, reply: b}", "{name: y, times: 1, reply: c}")[:1] == [
        "4:6: warning: stubs[1].name: the name 'x' is that of the stub on line 3, too; "
        "give it a name of its own: messages and the journal go by it"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stubs: []", "1:1: warning: the file has neither stubs nor settings; add `stubs`, or remove the file"),
        (
            "session: s\ndefaults: {model: m}",
            "3:1: warning: defaults: `defaults` has no stubs to serve; remove it",
        ),
        (
            "defaults: {model: m}\nstubs: [{reply: {model: n}}]",
            "2:12: warning: defaults.model: `defaults.model` has no effect: no stub answers without a `model` of its "
            "own; remove it",
        ),
    ],
)
def test_a_file_that_says_something_for_nothing(text: str, said: str) -> None:
    assert found(text) == [f"a.yaml:{said}"]


@pytest.mark.parametrize(
    "text",
    [
        "session: s",
        "gateway: {version: '1.6'}",
        "defaults: {model: m, pace: slow}\nstubs: [{sequence: [{error: overloaded}, {auto: true}]}]",
        "defaults: {pace: slow}\nstubs: [{error: overloaded}]",
    ],
)
def test_a_file_that_says_what_it_needs(text: str) -> None:
    assert found(text) == []


def test_findings_stand_in_the_order_of_files_and_lines() -> None:
    lines = found("stubs: ['{{ x }}', b, '{{ y }}']", "session: s\ndefaults: {model: m}")

    places = [line.split(": ")[0] for line in lines]
    assert places == ["a.yaml:2:9", "a.yaml:2:20", "a.yaml:2:23", "a.yaml:2:23", "b.yaml:3:1"]


def test_settings_that_contradict_each_other_are_findings() -> None:
    Path("a.yaml").write_text("version: 1\ngateway: {providers: {openai: {max_retries: 1}}}\nstubs: []\n")
    Path("b.yaml").write_text("version: 1\ngateway: {providers: {openai: {max_retries: 2}}}\nstubs: []\n")
    files = [document for path in "ab" for document in load_documents([Path(f"{path}.yaml")])]

    findings = review(files)

    assert [type(finding) for finding in findings] == [Finding]
    assert findings[0].key_path == "gateway.providers.openai.max_retries"


def test_files_of_one_session_may_each_name_a_provider() -> None:
    Path("a.yaml").write_text("version: 1\ngateway: {providers: {openai: {}}}\nstubs: [x]\n")
    Path("b.yaml").write_text("version: 1\ngateway: {providers: {mistral: {}}}\nstubs: []\n")

    assert review(load_documents([Path("a.yaml"), Path("b.yaml")])) == []


SETTINGS = {
    "cache: {similar: [[a, b, 0.9]]}": "19: warning: gateway.cache.similar: has no effect: only the same request is found; "
    "write `semantic: true`, or remove it",
    "providers: {openai: {keys: [{name: a, models: [o3*], aliases: {gpt-4o: x}}]}}": "74: warning: "
    "gateway.providers.openai.keys[0].aliases.gpt-4o: is never used: `models` keeps this key from 'gpt-4o'; "
    "add the model to `models`, or remove the alias",
    "fallbacks: {openai/gpt*: [groq/a], openai/gpt-4*: [groq/b]}": '46: warning: gateway.fallbacks["openai/gpt-4*"]: is never used: '
    "'openai/gpt*' stands before it and fits whatever this one fits; move this one up",
    "pricing: {openai/*: {input: 1}, openai/*-mini: {input: 2}}": '43: warning: gateway.pricing["openai/*-mini"]: is never used: '
    "'openai/*' stands before it and fits whatever this one fits; move this one up",
    "fallbacks: {openai/a: [groq/*]}": "34: warning: gateway.fallbacks[\"openai/a\"][0]: 'groq/*' is asked for by just this name; "
    "name a model: a fallback is no glob",
    "virtual_keys: {sk-bf-a: {name: x}, sk-bf-b: {name: x}}": "56: warning: gateway.virtual_keys.sk-bf-b.name: "
    "the name 'x' is that of another virtual key, too; give it a name of its own: the journal and the ledger go by it",
}  # fmt: skip


@pytest.mark.parametrize(("settings", "finding"), SETTINGS.items())
def test_settings_that_change_nothing(settings: str, finding: str) -> None:
    assert found(f"gateway: {{{settings}}}") == [f"a.yaml:2:{finding}"]


@pytest.mark.parametrize(
    "settings",
    [
        "cache: {semantic: true, similar: [[a, b, 0.9]]}",
        "providers: {openai: {keys: [{name: a, models: [gpt*], aliases: {gpt-4o: x}}, {name: b, aliases: {gpt-4o: y}}]}}",
        "fallbacks: {openai/gpt-4*: [groq/b], openai/gpt*: [groq/a], openai/gpt-4o: [groq/c]}",
        "pricing: {openai/*-mini: {input: 2}, openai/*: {input: 1}, groq/*: {input: 1}, openai/gpt-4o: {input: 3}}",
        "virtual_keys: {sk-bf-a: {name: x}, sk-bf-b: {name: y}, sk-bf-c: {}, sk-bf-d: {}}",
    ],
)
def test_settings_that_change_something(settings: str) -> None:
    assert found(f"gateway: {{{settings}}}") == []


def test_settings_are_judged_by_what_all_files_of_a_session_say() -> None:
    similar, semantic = [f"gateway: {{cache: {{{one}}}}}" for one in ("similar: [[a, b, 0.9]]", "semantic: true")]

    assert found(similar, semantic) == []
    assert [line.partition(": ")[0] for line in found(similar, f"session: s\n{semantic}")] == ["a.yaml:2:19"]
    assert found(f"session: s\n{similar}", f"session: s\n{semantic}") == []
