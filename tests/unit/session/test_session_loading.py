"""Scenarios that are loaded into a running session: added whole or not at all, counted apart, removed again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.errors import ScenarioError
from mockbifrost.scenario.compile import compile_stub
from mockbifrost.scenario.load import load_text, stub_from_mapping
from mockbifrost.session.assembly import assemble
from mockbifrost.session.loading import load
from mockbifrost.session.registry import Sessions
from mockbifrost.session.session import Session
from mockbifrost.wire.profiles import ProfileName
from tests.harness import ask_in, begin, chat, open_session, read, stubs

FILES = stubs("- {name: of the files, reply: Files.}", before="seed: 3")


def told(session: Session) -> str:
    return ask_in(session, chat()).text


def load_into(session: Session, *texts: str) -> frozenset[str]:
    base = session.gateway.settings
    return load(session, [load_text(text, f"{number}.yaml", base) for number, text in enumerate(texts)])


def sessions(seed: int | None = None, version: ProfileName | None = None) -> Sessions:
    assembly = assemble([load_text(FILES, "files.yaml")], version=version, keep_seeds=seed is None)
    return Sessions(assembly.common, assembly.named, seed=seed, version=version)


@given(counts=st.lists(st.integers(0, 3), max_size=4), cleared=st.integers(0, 4))
def test_ids_are_never_used_twice_and_what_was_added_can_be_removed(counts: list[int], cleared: int) -> None:
    session = open_session(FILES)
    seen: set[str] = {stub.id for stub in session.stubs}
    added = 0
    for number, count in enumerate(counts):
        ids = load_into(session, stubs("\n".join(["- Yes."] * count)) if count else "version: 1")
        assert len(ids) == count
        assert not ids & seen
        seen |= ids
        added += count
        if number == cleared:
            assert session.clear_stubs() == added
            added = 0

    assert [state.added for state in session.stub_states()] == [True] * added + [False]
    assert session.clear_stubs() == added
    assert session.clear_stubs() == 0
    assert told(session) == "Files."


def test_settings_that_contradict_each_other_change_nothing() -> None:
    session = open_session(FILES)
    one, other = (f"version: 1\ngateway: {{providers: {{openai: {{max_retries: {n}}}}}}}\nstubs: [x]\n" for n in (1, 2))
    before = session.gateway

    with pytest.raises(ScenarioError, match="gateway: make them agree"):
        load_into(session, one, other)

    assert session.gateway is before
    assert (session.loads, told(session)) == (0, "Files.")


def test_a_provider_that_nobody_has_configured_changes_nothing() -> None:
    session = open_session(FILES)
    load_into(session, "version: 1\ngateway: {providers: {mine: {}}}\n")

    with pytest.raises(ScenarioError, match="names the provider 'openai', which is not configured"):
        load_into(session, "version: 1\ngateway: {fallbacks: {mine/a: [openai/b]}}\nstubs: [x]\n")
    load_into(session, "version: 1\ngateway: {fallbacks: {mine/a: [mine/b]}}\n")

    assert list(session.gateway.fallbacks) == ["mine/a"]
    assert list(session.gateway.providers) == ["mine"]


def test_what_was_counted_for_removed_stubs_is_forgotten() -> None:
    session = open_session(FILES)
    text = stubs("- {times: 1, reply: First.}\n- {sequence: [a, b], scope: conversation, on_end: pass}")
    load_into(session, text)
    first = [told(session) for _ in range(4)]
    files = {key for key in session.counters.counts if key.startswith("test.yaml")}
    session.clear_stubs()

    assert set(session.counters.counts) == files
    load_into(session, text)
    assert [told(session) for _ in range(4)] == first == ["First.", "a", "b", "Files."]


def test_an_answer_under_way_outlives_its_stub() -> None:
    session = open_session(FILES)
    load_into(session, stubs("- {name: gone, reply: Gone.}"))
    exchange = begin(session, chat(stream=True))
    session.clear_stubs()

    assert read(exchange).text == "Gone."
    assert session.stub_states()[0].name == "of the files"


def test_states_say_where_a_stub_stands_and_how_often_it_answered() -> None:
    session = open_session(FILES)
    load_into(session, stubs("- {times: 1, reply: Once.}"))
    for _ in range(3):
        told(session)

    assert [state.to_json() for state in session.stub_states()] == [
        {"id": "loaded#1.0", "file": "0.yaml", "line": 3, "used": 1, "added": True},
        {"id": "test.yaml#0", "name": "of the files", "file": "test.yaml", "line": 4, "used": 2, "added": False},
    ]


SEEDED = stubs("- {reply: {faker: {sentence: {}}}}", before="seed: 5")
UNSEEDED = stubs("- {reply: {faker: {sentence: {}}}}")


@pytest.mark.parametrize("of_server", [True, False], ids=["server", "session"])
def test_a_seed_that_was_chosen_beats_that_of_what_is_loaded(of_server: bool) -> None:
    said = []
    for text in (SEEDED, UNSEEDED):
        session = (sessions(seed=7) if of_server else sessions()).create("one", seed=None if of_server else 7)
        assert isinstance(session, Session)
        load_into(session, text)
        said.append(told(session))
    own = sessions().create("one")
    assert isinstance(own, Session)
    load_into(own, SEEDED)

    assert said[0] == said[1] != told(own)


@pytest.mark.parametrize("of_server", [True, False], ids=["server", "session"])
def test_a_version_that_was_chosen_beats_that_of_what_is_loaded(of_server: bool) -> None:
    text = "version: 1\ngateway: {version: '1.6', providers: {mine: {}}}\n"
    session = (sessions(version="2.2") if of_server else sessions()).create("one", version=None if of_server else "2.2")
    own = sessions().create("one")
    assert isinstance(session, Session)
    assert isinstance(own, Session)
    for one in (session, own):
        load_into(one, text)

    assert (session.gateway.profile.name, own.gateway.profile.name) == ("2.2", "1.6")
    assert list(session.gateway.providers) == list(own.gateway.providers) == ["mine"]


def test_what_a_test_says_for_itself_goes_before_what_it_loaded() -> None:
    session = open_session("version: 1")
    load(session, [load_text(stubs("- {when: {user: hi}, reply: Loaded.}"), "given.yaml")])
    for number, said in enumerate(["First.", "Second."]):
        model = stub_from_mapping({"when": {"user": "hi"}, "times": 1, "reply": said}, "test_x.py", number).model
        session.put(compile_stub(model, id=f"own#{number}", source="test_x.py", line=number))

    assert [ask_in(session, chat("hi")).text for _ in range(4)] == ["First.", "Second.", "Loaded.", "Loaded."]
