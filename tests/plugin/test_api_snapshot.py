"""Snapshots: whatever happens in between, a session that is rolled back goes on as it did after the snapshot."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockbifrost import MockBifrost, Session, SessionFinishedError, Snapshot, UsageError, VerificationError
from mockbifrost.session.session import MOST_SNAPSHOTS
from tests.inside import state_of
from tests.plugin.saying import say
from tests.socket.raw_http import PATH, Connection, Response, chat_body

FILES = """
version: 1
gateway:
  providers:
    openai: {max_retries: 1, keys: [{name: a}, {name: b}, {name: c}]}
    mistral: {}
  fallbacks: {openai/gpt-4o: [mistral/large]}
  virtual_keys:
    sk-bf-red: {name: red, budgets: [{limit: 0.5, resets: 1h}], rate_limit: {requests: 4/1m}}
  pricing: {openai/gpt-4o: {input: 10, output: 30}}
stubs:
  - {when: {user: steps}, sequence: [One., {error: overloaded}, Three.], on_end: cycle}
  - {when: {user: apart}, sequence: [One., Two.], scope: conversation, on_end: repeat}
  - {when: {user: twice}, times: 2, reply: Twice.}
  - {when: {user: odds}, active: {probability: 0.5}, reply: Lucky.}
  - {when: {user: odds}, reply: Unlucky.}
  - {when: {user: third}, active: {every: 3}, error: rate_limited, per: attempt}
  - {when: {user: door}, active: {gate: door}, reply: Open.}
  - {when: {user: late}, active: {from: 1m, until: 3m}, reply: Late.}
  - {when: {user: fresh}, reply: "It is {{ fake.first_name() }}, {{ occurrence }}."}
  - {reply: "{{ user }}?"}
"""
TEXTS = ("steps", "apart", "apart too", "twice", "odds", "third", "door", "late", "fresh", "else")
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"x-stainless-retry-count": "0"},
    {"x-stainless-retry-count": "1"},
    {"x-bf-cache-key": "k"},
    {"x-bf-vk": "sk-bf-red"},
    {"x-bf-session-id": "s"},
)
Act = Callable[[Session, Connection], Response | None]


def asking(said: str, stream: bool, headers: dict[str, str]) -> Act:
    def act(mock: Session, connection: Connection) -> Response:
        path = f"/s/{mock.id}{PATH}"
        return connection.ask("POST", path, chat_body(said, stream=stream), headers=headers)

    return act


def doing(action: Callable[[Session], object]) -> Act:
    def act(mock: Session, connection: Connection) -> None:
        action(mock)

    return act


def late_stub(mock: Session) -> None:
    mock.when(user="late").reply("Added.").times(1)


asks = st.builds(asking, st.sampled_from(TEXTS), st.booleans(), st.sampled_from(HEADERS))
others = st.sampled_from(
    [
        lambda mock: mock.clock.advance("1m"),
        lambda mock: mock.gate("door").open(),
        lambda mock: mock.gate("door").close(),
        late_stub,
        lambda mock: mock.load({"version": 1, "stubs": [{"when": {"user": "fresh"}, "times": 1, "reply": "Loaded."}]}),
        lambda mock: mock.configure(version="1.6"),
        lambda mock: mock.configure(cache={"ttl": "2m"}, pricing={}),
        lambda mock: mock.defaults(model="other"),
        lambda mock: mock.clear_stubs(),
        lambda mock: mock.reset(),
        lambda mock: mock.snapshot(),
    ]
).map(doing)
acts = st.lists(st.one_of(asks, asks, asks, others), max_size=8)


def noted(mock: Session) -> list[object]:
    """The journal."""
    return [(one.number, one.call, one.stub, one.at_s, one.error, one.text) for one in mock.requests]


def shown(mock: Session) -> object:
    """All else that can be seen of a session."""
    return mock.stubs, mock.ledger, mock.clock.elapsed_s, mock.clock.mode, state_of(mock).gateway.settings


def ends_with(whole: list[object], end: list[object]) -> bool:
    """What a reset has cleared does not come back; all else is there."""
    return whole[len(whole) - len(end) :] == end


def done(mock: Session, connection: Connection, row: Sequence[Act]) -> list[object]:
    """What the clients see, to the byte but for the hour."""
    answers = [act(mock, connection) for act in row]
    return [
        (one.status, [pair for pair in one.headers if pair[0] != "date"], one.body)
        for one in answers
        if one is not None
    ]


@settings(max_examples=60, deadline=None)
@given(before=acts, after=acts, between=acts)
def test_after_a_rollback_all_goes_on_as_it_did_after_the_snapshot(
    server: MockBifrost, before: list[Act], after: list[Act], between: list[Act]
) -> None:
    with server.session(verify=False) as mock, Connection(server.port) as connection:
        done(mock, connection, before)
        seen, journal = shown(mock), noted(mock)
        snapshot = mock.snapshot()
        first = done(mock, connection, after)
        seen_after, journal_after = shown(mock), noted(mock)
        mock.rollback(snapshot)
        assert shown(mock) == seen
        assert ends_with(journal, noted(mock))
        done(mock, connection, between)
        mock.rollback(snapshot)

        assert done(mock, connection, after) == first
        assert shown(mock) == seen_after
        assert ends_with(journal_after, noted(mock))


def test_a_block_leaves_nothing_behind(mock: Session) -> None:
    outer = mock.when(user="twice").reply("Outer.")
    say(mock, "twice")
    with mock.rolled_back() as same:
        assert same is mock
        mock.when(user="never").reply("Inner.")
        outer.times(1)
        mock.gate("door").open()
        mock.clock.advance("5m")
        mock.clock.mode = "flow"
        assert [say(mock, said).text for said in ("twice", "door")] == ["Twice.", "Open."]

    assert (mock.clock.elapsed_s, mock.clock.mode, len(mock.requests)) == (0.0, "fixed", 1)
    assert [say(mock, said).text for said in ("twice", "door")] == ["Outer.", "door?"]
    mock.verify()


def test_a_block_is_rolled_back_after_an_error_too(mock: Session) -> None:
    def fail() -> None:
        with mock.rolled_back():
            say(mock, "steps")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (len(mock.requests), say(mock, "steps").text) == (0, "One.")


def test_blocks_may_be_nested_and_repeated(mock: Session) -> None:
    for _ in range(2 * MOST_SNAPSHOTS):
        with mock.rolled_back(), mock.rolled_back():
            mock.clock.advance(1)
    assert mock.clock.elapsed_s == 0


def test_a_session_may_be_finished_inside_a_block(mock: Session) -> None:
    with mock.rolled_back():
        mock.finish()
    with pytest.raises(SessionFinishedError):
        mock.snapshot()


def test_a_snapshot_says_what_there_was_and_survives_json(mock: Session) -> None:
    stub = mock.when(user="twice").reply("Mine.")
    say(mock, "twice")
    mock.gate("door").open()
    mock.clock.advance("2s")
    snapshot = mock.snapshot()

    assert (snapshot.session, snapshot.number, snapshot.requests, snapshot.elapsed_s) == (mock.id, 1, 1, 2.0)
    assert (snapshot.gates, snapshot.counters[f"{stub.id} used"]) == ({"door": True}, 1)
    say(mock, "twice")
    mock.rollback(Snapshot.of(json.loads(json.dumps(snapshot.to_json()))))
    assert len(mock.requests) == 1


def test_a_rollback_can_be_repeated_and_forgets_later_snapshots(mock: Session) -> None:
    early = mock.snapshot()
    said = say(mock, "steps").text
    late = mock.snapshot()
    for _ in range(2):
        mock.rollback(early)
        assert say(mock, "steps").text == said

    with pytest.raises(UsageError) as error:
        mock.rollback(late)
    assert str(error.value) == (
        f"session {mock.id!r} has no snapshot 2: it was never taken, or it was forgotten when the session was rolled back "
        "to an earlier one; take another with snapshot()"
    )


def test_a_snapshot_of_another_session_is_refused(server: MockBifrost, mock: Session) -> None:
    with server.session() as other, pytest.raises(UsageError) as error:
        mock.rollback(other.snapshot())
    assert str(error.value) == (
        f"the snapshot is of the session {other.id!r}, and this is {mock.id!r}; take one with snapshot() here"
    )


def test_no_more_snapshots_are_taken_than_can_be_remembered(mock: Session) -> None:
    first = mock.snapshot()
    for _ in range(MOST_SNAPSHOTS - 1):
        mock.snapshot()
    with pytest.raises(UsageError, match=r"remembers 100 snapshots, and no more are taken; roll back to an early one"):
        mock.snapshot()
    mock.rollback(first)
    mock.snapshot()


def test_a_stub_that_was_added_later_can_not_be_changed_any_more(mock: Session) -> None:
    with mock.rolled_back():
        stub = mock.when(user="x").reply("x")
    with pytest.raises(UsageError, match=r"was removed by clear_stubs\(\) or a rollback"):
        stub.times(1)


def test_a_stub_that_was_removed_or_changed_since_is_as_it_was(mock: Session) -> None:
    stub = mock.when(user="x").reply("Before.")
    late = mock.when(user="y")
    with mock.rolled_back():
        stub.reply("After.").times(1)
        late.reply("Late.")
        assert [say(mock, said).text for said in "xy"] == ["After.", "Late."]
        mock.clear_stubs()
    assert stub.mapping() == {"when": {"user": "x"}, "reply": "Before."}
    assert (say(mock, "x").text, say(mock, "y").text) == ("Before.", "y?")
    with pytest.raises(UsageError, match="does nothing"):
        mock.verify()
    late.reply("Now.")
    assert say(mock, "y").text == "Now."


def test_a_miss_that_was_rolled_back_is_no_problem_and_one_before_it_is(server: MockBifrost, mock: Session) -> None:
    mock.when(user="miss").sequence("Once.")
    say(mock, "miss")
    with mock.rolled_back():
        say(mock, "miss")
        with pytest.raises(VerificationError):
            mock.verify()
    mock.verify()
    say(mock, "miss")
    with mock.rolled_back():
        mock.reset()
    with pytest.raises(VerificationError):
        mock.verify()


def test_another_view_of_the_session_can_roll_it_back(mock: Session) -> None:
    snapshot = mock.snapshot()
    other = Session(mock._reached)
    say(other, "steps")
    other.rollback(snapshot)

    assert (say(mock, "steps").text, len(mock.requests)) == ("One.", 1)
