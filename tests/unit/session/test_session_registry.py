"""The sessions of a server: made when first named, apart from one another, bounded."""

import pytest

from mockbifrost.errors import UsageError
from mockbifrost.scenario.load import load_text
from mockbifrost.session import registry
from mockbifrost.session.assembly import assemble
from mockbifrost.session.registry import Refused, Sessions
from mockbifrost.session.session import Session
from tests.harness import ask_in, chat, stubs

COMMON = stubs("- {times: 1, reply: common}\n- reply: spent")
OWN = stubs("- {when: {user: own}, reply: own}", before="session: desk\nseed: 5\ngateway: {version: '2.2'}")


def sessions(*texts: str, most: int = 10, lenient: bool = False) -> Sessions:
    loaded = [load_text(text, f"{number}.yaml") for number, text in enumerate(texts or (COMMON, OWN))]
    assembly = assemble(loaded)
    return Sessions(assembly.common, assembly.named, most=most, lenient=lenient)


def taken(found: Session | Refused | None) -> Session:
    assert isinstance(found, Session)
    return found


def test_a_session_is_made_when_it_is_first_named() -> None:
    all_ = sessions()

    one = taken(all_.get("one"))

    assert taken(all_.get("one")) is one
    assert [session.id for session in all_] == ["one"]


def test_sessions_count_apart() -> None:
    all_ = sessions()
    one, other = taken(all_.get("one")), taken(all_.get("other"))

    told = [ask_in(session, chat()).text for session in (one, one, other)]

    assert told == ["common", "spent", "common"]
    assert [len(session.journal) for session in (one, other)] == [2, 1]


def test_the_same_request_gets_the_same_bytes_in_every_session() -> None:
    """Nothing is drawn from the name of a session."""
    all_ = sessions()

    assert ask_in(taken(all_.get("one")), chat()).body == ask_in(taken(all_.get("other")), chat()).body


def test_a_scenario_with_a_session_of_its_own_has_its_stubs_in_front_and_its_settings() -> None:
    all_ = sessions()
    desk, other = taken(all_.get("desk")), taken(all_.get("other"))

    assert all_.names == ("desk",)
    assert (ask_in(desk, chat("own")).text, ask_in(desk, chat()).text) == ("own", "common")
    assert ask_in(other, chat("own")).text == "common"
    assert (desk.gateway.profile.name, other.gateway.profile.name) == ("2.2", "documented")


def test_what_may_be_looked_at_without_being_made() -> None:
    """The sessions of files and the default one are always there."""
    all_ = sessions()

    assert all_.find("nobody") is None
    assert taken(all_.find("desk")).id == "desk"
    assert taken(all_.find("default")).id == "default"


def test_a_finished_session_refuses_what_comes_late() -> None:
    all_ = sessions()
    all_.get("one")
    all_.finish("one")

    assert all_.get("one") == Refused(
        "session_finished",
        "Session 'one' is finished: this request came too late and was answered by nothing.\n"
        "  do: end all calls before the test ends, or use the session of the running test",
    )
    assert isinstance(all_.create("one"), Session)
    assert isinstance(all_.get("one"), Session)


def test_only_the_last_finished_ones_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FINISHED", 2)
    all_ = sessions()
    for id in ("a", "b", "c"):
        all_.create(id)
        all_.finish(id)

    assert [isinstance(all_.get(id), Refused) for id in ("a", "b", "c")] == [False, True, True]


def test_a_session_that_is_not_there_cannot_be_finished() -> None:
    with pytest.raises(UsageError, match="there is no session 'x' to finish"):
        sessions().finish("x")


def test_there_are_no_more_sessions_than_allowed() -> None:
    all_ = sessions(most=2)
    all_.get("a")
    all_.get("b")

    assert all_.get("c") == Refused(
        "too_many_sessions", "There are 2 sessions, and no more are made.\n  do: finish those that have done their work"
    )
    all_.finish("a")
    assert isinstance(all_.get("c"), Session)


@pytest.mark.parametrize("id", ["", "a/b", "a\nb", "x" * 201])
def test_what_is_no_name_is_refused(id: str) -> None:
    found = sessions().get(id)

    assert found == Refused(
        "bad_session", f"{id[:50]!r} is no name of a session: 1 to 200 printable characters without `/` are"
    )


def test_new_ids_are_counted_and_never_used_twice() -> None:
    all_ = sessions()
    all_.get("t1")
    all_.finish("t1")
    all_.get("t2")

    assert [all_.new_id(), all_.new_id()] == ["t3", "t4"]


def test_a_lenient_server_answers_a_miss_and_still_calls_it_one() -> None:
    session = taken(sessions(stubs("- {when: {user: x}, reply: x}"), lenient=True).get("one"))

    response = ask_in(session, chat())

    assert response.status == 200
    assert response.entry.error == "no_match"
    assert response.entry.near_misses
