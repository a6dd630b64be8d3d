"""From scenario files to what sessions begin with: which stubs, in which order, with whose settings."""

import pytest

from mockbifrost.errors import ScenarioError
from mockbifrost.scenario.load import load_text
from mockbifrost.session.assembly import Assembly, assemble
from mockbifrost.wire.profiles import ProfileName
from tests.harness import ask, chat, stubs


def assembly(*texts: str, version: ProfileName | None = None, keep_seeds: bool = True) -> Assembly:
    loaded = [load_text(text, f"{number}.yaml") for number, text in enumerate(texts)]
    return assemble(loaded, version=version, keep_seeds=keep_seeds)


ONE = stubs("- {name: a, reply: a}\n- {name: b, priority: 1, reply: b}")
TWO = stubs("- {name: c, reply: c}", before="seed: 7")
OWN = stubs("- {name: d, reply: d}", before="session: desk")


def names(assembled: Assembly, session: str | None = None) -> list[str | None]:
    blueprint = assembled.common if session is None else assembled.named[session]
    return [stub.ref.name for stub in blueprint.files.stubs]


def test_stubs_come_in_the_order_of_the_files_and_by_priority() -> None:
    assert names(assembly(ONE, TWO)) == ["b", "a", "c"]
    assert names(assembly(TWO, ONE)) == ["b", "c", "a"]


def test_a_file_with_a_session_shares_what_all_sessions_have() -> None:
    found = assembly(ONE, OWN)

    assert names(found) == ["b", "a"]
    assert names(found, "desk") == ["b", "d", "a"]


def test_every_stub_knows_its_file_and_its_line() -> None:
    refs = [(stub.id, stub.ref.source, stub.ref.line) for stub in assembly(ONE, TWO).common.files.added]

    assert refs == [("0.yaml#0", "0.yaml", 3), ("0.yaml#1", "0.yaml", 4), ("1.yaml#0", "1.yaml", 4)]


def test_a_seed_holds_for_its_file_unless_the_server_has_one() -> None:
    assert [stub.seed for stub in assembly(ONE, TWO).common.files.added] == [None, None, 7]
    assert [stub.seed for stub in assembly(ONE, TWO, keep_seeds=False).common.files.added] == [None, None, None]


def test_files_of_one_session_may_each_say_a_part() -> None:
    parts = ("gateway: {version: '2.2'}", "gateway: {providers: {a: {}}}", "gateway: {version: '2.2'}")

    found = assembly(*[stubs("- reply: x", before=part) for part in parts]).common.gateway

    assert (found.profile.name, list(found.providers)) == ("2.2", ["a"])


def test_files_of_one_session_must_not_contradict_each_other() -> None:
    parts = [stubs("- reply: x", before=f"gateway: {{version: '{version}'}}") for version in ("2.2", "1.6")]

    with pytest.raises(ScenarioError) as caught:
        assembly(*parts)

    assert str(caught.value).startswith("1.yaml")
    assert "0.yaml" in str(caught.value)


def test_a_session_of_its_own_may_say_otherwise() -> None:
    shared = stubs("- reply: x", before="gateway: {version: '2.2', providers: {a: {}}}")
    own = stubs("- reply: x", before="session: desk\ngateway: {version: '1.6'}")

    found = assembly(shared, own)

    assert found.common.gateway.profile.name == "2.2"
    desk = found.named["desk"].gateway
    assert (desk.profile.name, list(desk.providers)) == ("1.6", ["a"])


def test_a_version_of_the_server_beats_those_of_the_files() -> None:
    shared = stubs("- reply: x", before="gateway: {version: '2.2'}")
    own = stubs("- reply: x", before="session: desk\ngateway: {version: '1.6'}")

    found = assembly(shared, own, version="documented")

    assert {found.common.gateway.profile.name, found.named["desk"].gateway.profile.name} == {"documented"}


def test_defaults_hold_for_the_stubs_of_their_file() -> None:
    scenario = stubs(
        """
        - {when: {user: own}, pace: {ttft: 1s}, reply: {content: a b c, model: own-model}}
        - a b c
        """,
        before="defaults: {model: some-model, pace: {ttft: 250ms, chunk: whole, speed: 2}}",
    )

    found = [ask(scenario, chat(user, stream=True), version="2.2") for user in ("hi", "own")]

    assert [response.chunks[0]["model"] for response in found] == ["some-model", "own-model"]
    assert [response.chunks[-1]["extra_fields"]["latency"] for response in found] == [250, 1000]
    assert [len(response.chunks) for response in found] == [3, 3]
    assert [response.exchange.outcome.speed for response in found] == [2, 2]
