"""Counters as one request sees them: nothing takes effect until it is adopted."""

from mockbifrost.provider.tally import Tally, Use


def test_what_a_request_adds_is_seen_by_it_and_not_before() -> None:
    base = {"a": 2}
    tally = Tally(base, {}, {})

    tally.add("a")
    tally.add("b")

    assert (tally.count("a"), tally.count("b"), tally.count("c")) == (3, 1, 0)
    assert tally.added == {"a": 1, "b": 1}
    assert base == {"a": 2}


def test_a_fork_changes_nothing_until_it_is_adopted() -> None:
    tally = Tally({}, {}, {})
    tally.add("a")
    fork = tally.fork()

    fork.add("a")
    fork.spend("stub", Use(0, 0))

    assert (tally.count("a"), tally.use_of("stub")) == (1, None)
    tally.adopt(fork)
    assert (tally.count("a"), tally.use_of("stub")) == (2, Use(0, 0))


def test_a_call_keeps_what_it_spent_before() -> None:
    tally = Tally({}, {"stub": Use(3, 1)}, {})

    assert tally.use_of("stub") == Use(3, 1)
    assert tally.fork().use_of("stub") == Use(3, 1)
    tally.spend("stub", Use(4, 2))
    assert tally.use_of("stub") == tally.fork().use_of("stub") == Use(4, 2)


def test_gates_are_those_of_the_session() -> None:
    gates = {"open": True}

    assert Tally({}, {}, gates).fork().gates is gates
