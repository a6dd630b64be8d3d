"""What the gateway makes of a provider's connection: every kind, plain and streamed, in every profile, and its timeouts."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.gateway.configuration import ProviderRules
from mockbifrost.gateway.upstream import Broke, Cuts, Hangs, Heard, NoChunks, hears
from mockbifrost.provider.answer import Answer, Draft, Failure
from mockbifrost.provider.connection import FAULTS, HALF, PLACE_NAMES, START, ConnectionFault, Kind, Place, delayed
from mockbifrost.vocabulary.connection_errors import CONNECTION_ERRORS, connection_error
from mockbifrost.vocabulary.error_names import PROVIDER_ERRORS
from mockbifrost.vocabulary.quirks import QUIRKS
from mockbifrost.wire.chunk import Delta, forwarded
from mockbifrost.wire.envelope import WireError
from mockbifrost.wire.profiles import PROFILES, ProfileName
from tests.harness import PROFILE_NAMES

NONE: frozenset[str] = frozenset()
RULES = ProviderRules(timeout_s=30.0, stream_idle_timeout_s=60.0)
ONE = Place("after_chunks", 1)
TWO = Place("after_chunks", 2)
DELTAS = (
    Delta({"role": "assistant", "content": ""}, at_s=1.0),
    Delta({"content": "One"}, at_s=1.0),
    Delta({"content": " two"}, at_s=2.0),
    Delta({"content": " three"}, at_s=3.0),
    Delta({}, at_s=3.0, finish_reason="stop"),
)
LATENCY_S = 4.0
TOOK_S = 0.5
TIMED_OUT = (
    "request timed out (default is 30 seconds). You can increase it by setting the default_request_timeout_in_seconds "
    "in the network_config or in UI - Providers > Provider Name > Network Config."
)
FAILED = "provider_connection_failed"


def answer(
    fault: ConnectionFault | None = None, deltas: tuple[Delta, ...] = DELTAS, latency_s: float = LATENCY_S
) -> Answer:
    """An answer as a script makes it: what is only late is late already."""
    if fault is not None:
        deltas, latency_s = delayed(fault, deltas, latency_s)
    return Answer(Draft(deltas=deltas, latency_s=latency_s), "id", 0, "gpt-4o", "fp", fault=fault)


def heard(
    said: Answer | ConnectionFault,
    version: ProfileName = "2.2",
    *,
    stream: bool = True,
    quirks: frozenset[str] = NONE,
    rules: ProviderRules = RULES,
) -> Heard | None:
    return hears(PROFILES[version], rules, quirks, said, stream=stream)


def fault(kind: Kind, place: Place = START, **more: object) -> ConnectionFault:
    return replace(ConnectionFault(kind, place, took_s=TOOK_S), **more)  # type: ignore[arg-type]


NEW: dict[str, WireError] = {  # as 2.2 sends them; `documented` leaves the classification out
    "reset": WireError(
        "failed to execute HTTP request to provider API", 502, error_type=FAILED, cause="connection reset by peer",
        is_bifrost_error=True, classification=FAILED,
    ),
    "eof": WireError(
        "failed to execute HTTP request to provider API", 502, error_type=FAILED, cause="unexpected EOF",
        is_bifrost_error=True, classification=FAILED,
    ),
    "timeout": WireError(
        TIMED_OUT, 504, error_type="request_timed_out", is_bifrost_error=True, classification="provider_timeout"
    ),
    "empty": WireError(
        "empty response received from provider", is_bifrost_error=True, classification="provider_server_error"
    ),
    "undecodable": WireError(
        "failed to unmarshal response from provider API", 502, error_type=FAILED, classification=FAILED
    ),
    "not_sse": WireError(
        "provider returned non-SSE response for streaming request", is_bifrost_error=True,
        classification="provider_server_error",
    ),
    "closed": WireError(
        "provider closed the stream before sending a completion marker (upstream connection ended mid-stream)",
        is_bifrost_error=True, classification=FAILED,
    ),
    "read": WireError(
        "Error reading stream: connection reset by peer", cause="connection reset by peer", is_bifrost_error=True,
        classification=FAILED,
    ),
    "idle": WireError(
        "stream idle timeout: no data received within configured window", is_bifrost_error=True,
        classification="provider_timeout",
    ),
}  # fmt: skip
OLD = {
    "reset": replace(NEW["reset"], status_code=None, error_type=None),
    "eof": replace(NEW["eof"], status_code=None, error_type=None),
    "undecodable": replace(NEW["undecodable"], status_code=None, error_type=None, is_bifrost_error=True),
}
HTML = WireError("HTML response received from provider", 502, classification="provider_server_error")
BUSY = replace(PROVIDER_ERRORS["unavailable"], message="Busy.")
BUSY_ERROR = WireError("Busy.", 503, error_type="server_error", classification="provider_overloaded")


def error(name: str, version: ProfileName) -> WireError:
    found = OLD.get(name, NEW[name]) if version == "1.6" else NEW[name]
    return found if version == "2.2" else replace(found, classification=None)


def timed_out(version: ProfileName, after_s: float = 30.0) -> Broke:
    return Broke(error("timeout", version), after_s, "timeout")


def test_the_texts_are_those_of_the_table() -> None:
    assert set(CONNECTION_ERRORS) == {
        "request_failed", "empty_response", "undecodable", "not_a_stream", "closed_early", "read_failed", "stream_idle",
        "provider_timeout",
    }  # fmt: skip
    with pytest.raises(KeyError):
        connection_error("nonsense", "2.2")


def before_a_byte(kind: Kind, version: ProfileName, stream: bool) -> Heard:
    """What becomes of a fault that leaves nothing, half a second in."""
    if kind == "reset":
        return Broke(error("reset", version), TOOK_S, "network", at_once=True)
    if kind == "no_response":
        return Hangs() if stream and version == "1.6" else timed_out(version)
    if kind == "empty":
        return NoChunks(TOOK_S) if stream else Broke(error("empty", version), TOOK_S, "bad_response")
    if kind == "html":
        return Broke(HTML, TOOK_S, "provider", failure=Failure(502, "", shape="html", took_s=TOOK_S))
    assert kind == "not_json"
    return Broke(error("undecodable", version), TOOK_S, "bad_response")


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("kind", ["reset", "no_response", "empty", "html", "not_json"])
def test_what_leaves_nothing_is_the_same_alone_and_beside_an_answer(
    kind: Kind, version: ProfileName, stream: bool
) -> None:
    wanted = before_a_byte(kind, version, stream)

    assert heard(fault(kind), version, stream=stream) == wanted
    assert heard(answer(fault(kind)), version, stream=stream) == wanted


@dataclass(frozen=True, slots=True)
class Case:
    """A fault in the answer of `DELTAS`, and what becomes of it. `older`: in 1.6, where that is not only other words."""

    id: str
    fault: ConnectionFault
    plain: tuple[str, str] | None
    stream: tuple[int, float, str] | None
    older: tuple[int, float, str | None] | None = None


CASES = (
    Case("truncated", fault("truncated", HALF), ("eof", "network"), (3, 2.0, "closed"), (3, 2.0, None)),
    Case("cut", fault("cut", TWO), ("eof", "network"), (3, 2.0, "closed"), (3, 2.0, None)),
    Case("cut by a reset", fault("cut", TWO, how="reset"), ("reset", "network"), (3, 2.0, "read")),
    Case("cut before the finish", fault("cut", Place("finish")), ("eof", "network"), (4, 3.0, "closed"), (4, 3.0, None)),
    Case("reset before [DONE]", fault("cut", Place("done"), how="reset"), ("reset", "network"), (5, 3.0, "read")),
    Case("a silence for ever", fault("stall", TWO), ("timeout", "timeout"), (3, 62.0, "idle")),
    Case("a long silence", fault("stall", TWO, for_s=60.5), ("timeout", "timeout"), (3, 62.0, "idle")),
    Case("a bearable silence", fault("stall", TWO, for_s=20.0), None, None),
    Case("a silence at the limit", fault("stall", TWO, for_s=26.0), None, None),
    Case("a silence only a stream bears", fault("stall", TWO, for_s=59.0), ("timeout", "timeout"), None),
    Case("malformed", fault("malformed", ONE), ("undecodable", "bad_response"), (2, 1.0, "undecodable")),
    Case("no [DONE]", fault("no_done"), None, None),
    Case("not at a place that never comes", fault("cut", Place("tool_arguments")), None, None),
    Case("slow", fault("slow", for_s=20.0), None, None),
    Case("closed before [DONE]", fault("cut", Place("done")), ("eof", "network"), None),
    Case("no stream", fault("not_sse"), None, None),
)  # fmt: skip


@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_happens_to_a_plain_answer(case: Case, version: ProfileName) -> None:
    said = answer(case.fault)

    found = heard(said, version, stream=False)

    if case.plain is None:
        assert found is None
    elif case.plain[1] == "timeout":
        assert found == timed_out(version)
    else:
        assert found == Broke(error(case.plain[0], version), LATENCY_S, case.plain[1])  # type: ignore[arg-type]


@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("case", [case for case in CASES if case.id != "no stream"], ids=lambda case: case.id)
def test_what_happens_to_a_stream(case: Case, version: ProfileName) -> None:
    found = heard(answer(case.fault), version)

    wanted = case.older if version == "1.6" and case.older is not None else case.stream
    if wanted is None:
        assert found is None
    else:
        kept, at_s, name = wanted
        assert found == Cuts(kept, at_s, error(name, version) if name is not None else None)


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_no_stream_where_one_was_asked_for(version: ProfileName) -> None:
    wanted = Broke(error("not_sse", version), TOOK_S, "bad_response")

    assert heard(answer(fault("not_sse")), version) == heard(fault("not_sse"), version) == wanted
    alone = heard(fault("not_sse"), version, stream=False)
    assert alone == Broke(error("empty", version), TOOK_S, "bad_response")


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_an_answer_that_ends_before_it_has_begun(version: ProfileName) -> None:
    plain = heard(fault("truncated", HALF), version, stream=False)
    stream = heard(fault("truncated", HALF), version)

    assert plain == Broke(error("eof", version), TOOK_S, "network")
    assert stream == (NoChunks(TOOK_S) if version == "1.6" else Broke(error("closed", version), TOOK_S, "network"))


@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize(
    ("said", "name", "kind", "after_s"),
    [
        (fault("cut", how="reset"), "read", "network", 1.0),
        (fault("malformed"), "undecodable", "bad_response", 1.0),
    ],
    ids=["reset", "malformed"],
)
def test_before_the_first_chunk_a_fault_of_a_stream_fails_its_set_up(
    said: ConnectionFault, name: str, kind: str, after_s: float, version: ProfileName
) -> None:
    assert heard(answer(said), version) == Broke(error(name, version), after_s, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_a_stream_closed_before_its_first_chunk(version: ProfileName) -> None:
    wanted = NoChunks(1.0) if version == "1.6" else Broke(error("closed", version), 1.0, "network")

    assert heard(answer(fault("cut")), version) == wanted


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_a_silence_before_the_first_chunk_is_a_provider_that_says_nothing(version: ProfileName) -> None:
    assert heard(answer(fault("stall")), version) == (Hangs() if version == "1.6" else timed_out(version))
    assert heard(answer(fault("stall")), version, stream=False) == timed_out(version)


@pytest.mark.parametrize(("version", "forwards_roles"), [("documented", True), ("1.6", False), ("2.2", True)])
def test_a_role_alone_begins_a_stream_where_it_is_forwarded(version: ProfileName, forwards_roles: bool) -> None:
    said = answer(fault("malformed", Place("bytes", 1)))

    found = heard(said, version)

    unreadable = error("undecodable", version)
    assert found == (Cuts(1, 1.0, unreadable) if forwards_roles else Broke(unreadable, 1.0, "bad_response"))
    without = heard(said, version, quirks=frozenset({"no_role_delta"}))
    assert without == Broke(unreadable, 1.0, "bad_response")


def test_silence_after_a_role_that_is_not_forwarded_fails_the_set_up() -> None:
    said = answer(fault("stall", Place("bytes", 1)))

    assert heard(said, "1.6") == Broke(error("idle", "1.6"), 61.0, "timeout")


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_an_error_event_first_is_the_providers_error(version: ProfileName) -> None:
    said = fault("error_event", error=BUSY, speed=2.0)
    failure = Failure(503, "Busy.", "server_error", took_s=TOOK_S, speed=2.0)

    for stream in (False, True):
        assert heard(said, version, stream=stream) == Broke(BUSY_ERROR, TOOK_S, "provider", failure=failure)
    assert heard(answer(said), version) == Broke(BUSY_ERROR, 1.0, "provider", failure=replace(failure, took_s=1.0))
    plain = heard(answer(said), version, stream=False)
    assert plain == Broke(BUSY_ERROR, LATENCY_S, "provider", failure=replace(failure, took_s=LATENCY_S))


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_an_error_event_amid_a_stream_has_no_status(version: ProfileName) -> None:
    found = heard(answer(fault("error_event", ONE, error=BUSY)), version)

    assert found == Cuts(2, 1.0, replace(BUSY_ERROR, status_code=None))


@pytest.mark.parametrize("version", PROFILE_NAMES)
def test_without_its_usage_a_stream_ends_well_and_counts_nothing(version: ProfileName) -> None:
    assert heard(answer(fault("cut", Place("usage"))), version) == Cuts(5, 3.0)


def test_a_page_has_the_status_that_is_scripted() -> None:
    found = heard(fault("html", status=503))

    assert isinstance(found, Broke)
    assert (found.error.status_code, found.failure and found.failure.status) == (503, 503)


class TestQuirks:
    def test_death_is_success(self) -> None:
        quirks = frozenset({"upstream_death_is_success"})

        assert heard(answer(fault("cut", TWO)), quirks=quirks) == Cuts(3, 2.0)
        assert heard(answer(fault("cut")), quirks=quirks) == NoChunks(1.0)
        reset = heard(answer(fault("cut", TWO, how="reset")), quirks=quirks)
        assert reset == Cuts(3, 2.0, error("read", "2.2"))

    def test_a_malformed_chunk_is_skipped(self) -> None:
        quirks = frozenset({"skips_malformed_chunks"})

        assert heard(answer(fault("malformed", ONE)), quirks=quirks) is None
        plain = heard(answer(fault("malformed", ONE)), quirks=quirks, stream=False)
        assert plain == Broke(error("undecodable", "2.2"), LATENCY_S, "bad_response")

    @pytest.mark.parametrize("stream", [False, True])
    def test_silence_is_waited_for_without_end(self, stream: bool) -> None:
        quirks = frozenset({"silent_upstream_hangs"})

        assert heard(fault("no_response"), quirks=quirks, stream=stream) == Hangs()
        assert heard(answer(fault("stall")), quirks=quirks, stream=stream) == Hangs()
        assert heard(answer(fault("slow", for_s=500.0)), quirks=quirks, stream=stream) is None

    @pytest.mark.parametrize("version", PROFILE_NAMES)
    def test_a_timeout_without_a_status(self, version: ProfileName) -> None:
        found = heard(fault("no_response"), version, quirks=frozenset({"timeout_is_500"}), stream=False)

        wanted = WireError(TIMED_OUT, is_bifrost_error=True, classification=error("timeout", version).classification)
        assert found == Broke(wanted, 30.0, "timeout")


class TestTimeouts:
    @pytest.mark.parametrize("version", PROFILE_NAMES)
    def test_a_plain_answer_may_take_as_long_as_the_timeout(self, version: ProfileName) -> None:
        assert heard(answer(latency_s=30.0), version, stream=False) is None
        assert heard(answer(latency_s=30.1), version, stream=False) == timed_out(version)
        assert heard(answer(latency_s=59.9), version, stream=False) == timed_out(version)

    @pytest.mark.parametrize("version", PROFILE_NAMES)
    def test_a_stream_must_begin_within_the_timeout(self, version: ProfileName) -> None:
        late = tuple([replace(delta, at_s=delta.at_s + 29.1) for delta in DELTAS])

        found = heard(answer(deltas=late), version)

        assert found == (None if version == "1.6" else timed_out(version))
        assert heard(answer(deltas=late), version, rules=replace(RULES, timeout_s=30.1)) is None

    @pytest.mark.parametrize("version", PROFILE_NAMES)
    def test_a_stream_may_take_longer_than_the_timeout_but_not_fall_silent(self, version: ProfileName) -> None:
        times = (0.0, 0.0, 50.0, 110.0, 170.5)
        slow = tuple([replace(delta, at_s=at_s) for delta, at_s in zip(DELTAS, times, strict=True)])

        assert heard(answer(deltas=slow), version) == Cuts(4, 170.0, error("idle", version))
        assert heard(answer(deltas=slow[:-1]), version) is None

    def test_what_comes_first_counts(self) -> None:
        times = (0.0, 0.0, 61.0, 62.0, 63.0)
        slow = tuple([replace(delta, at_s=at_s) for delta, at_s in zip(DELTAS, times, strict=True)])

        assert heard(answer(fault("cut", TWO), slow)) == Cuts(2, 60.0, error("idle", "2.2"))
        assert heard(answer(fault("cut", ONE), slow)) == Cuts(2, 0.0, error("closed", "2.2"))

    @pytest.mark.parametrize("kind", ["reset", "empty", "html", "not_json", "not_sse", "truncated"])
    def test_a_fault_that_comes_too_late_is_not_heard_any_more(self, kind: Kind) -> None:
        late = fault(kind, took_s=31.0)

        assert heard(late, stream=True) == heard(late, stream=False) == timed_out("2.2")
        assert heard(late, "1.6", stream=True) != timed_out("1.6")

    def test_the_rules_of_the_provider_hold(self) -> None:
        rules = replace(RULES, timeout_s=2.0, stream_idle_timeout_s=0.5)

        assert heard(fault("no_response"), rules=rules) == timed_out("2.2", 2.0)
        assert heard(answer(), rules=rules, stream=False) == timed_out("2.2", 2.0)
        assert heard(answer(), rules=rules) == Cuts(2, 1.5, error("idle", "2.2"))


def test_an_answer_without_increments_is_well() -> None:
    assert heard(answer(deltas=())) is None
    assert heard(answer(fault("no_done"), deltas=())) is None


GAPS = st.lists(st.sampled_from([0.0, 0.5, 20.0, 61.0]), min_size=1, max_size=8)
PLACES = (
    st.builds(Place, st.just("after_chunks"), st.integers(0, 6))
    | st.sampled_from([Place("text", text="wo"), Place("bytes", 4), HALF])
    | st.builds(Place, st.sampled_from(PLACE_NAMES))
)
FAULTS_OF_ANSWERS = st.builds(
    ConnectionFault,
    st.sampled_from(get_args(Kind)),
    PLACES,
    st.none() | st.sampled_from([5.0, 90.0]),
    st.sampled_from(["fin", "reset"]),
    error=st.just(BUSY),
    took_s=st.sampled_from([0.0, 3.0, 40.0]),
)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    at_s = 0.0
    deltas = [Delta({"role": "assistant", "content": ""}, at_s=draw(st.sampled_from([0.0, 29.0, 31.0])))]
    for gap in draw(GAPS):
        at_s = deltas[-1].at_s + gap
        deltas.append(Delta({"content": "One two"[: draw(st.integers(1, 7))]}, at_s=at_s))
    deltas.append(Delta({}, at_s=deltas[-1].at_s, finish_reason="stop"))
    found = draw(st.none() | FAULTS_OF_ANSWERS)
    if found is not None and found.kind not in ("slow", "stall"):
        found = replace(found, for_s=None)
    return answer(found, tuple(deltas), draw(st.sampled_from([0.0, 4.0, 31.0])))


VERSIONS = st.sampled_from(PROFILE_NAMES)
QUIRK_SETS = st.frozensets(st.sampled_from(sorted(QUIRKS)), max_size=4)


@given(answers(), VERSIONS, QUIRK_SETS, st.booleans())
def test_what_is_heard_is_a_beginning_of_what_was_said_and_time_never_goes_back(
    said: Answer, version: ProfileName, quirks: frozenset[str], stream: bool
) -> None:
    found = heard(said, version, stream=stream, quirks=quirks)

    deltas = said.draft.deltas
    if isinstance(found, Cuts):
        assert stream
        assert 0 <= found.kept <= len(deltas)
        assert found.at_s >= max([delta.at_s for delta in deltas[: found.kept]], default=0.0)
        came = deltas[: found.kept]
        gaps = [after.at_s - before.at_s for before, after in itertools.pairwise(came)]
        assert all(gap <= RULES.stream_idle_timeout_s for gap in gaps)
        if found.error is not None:
            assert any(forwarded(PROFILES[version], delta) for delta in came)
            assert found.error.status_code is None or found.error.message == NEW["undecodable"].message
    elif isinstance(found, Broke):
        assert found.took_s >= 0
        assert (found.failure is not None) == (found.kind == "provider")
        assert not found.at_once or found.kind == "network"
        assert found.kind != "timeout" or found.error.is_bifrost_error
    elif found is None and stream:
        gaps = [after.at_s - before.at_s for before, after in itertools.pairwise(deltas)]
        assert said.fault is None or said.fault.kind not in ("reset", "no_response", "empty", "html", "not_json")
        assert all(gap <= RULES.stream_idle_timeout_s for gap in gaps)


@given(answers(), VERSIONS, QUIRK_SETS)
def test_the_same_is_always_heard_of_the_same(said: Answer, version: ProfileName, quirks: frozenset[str]) -> None:
    assert heard(said, version, quirks=quirks) == heard(said, version, quirks=quirks)


@given(answers(), QUIRK_SETS, st.booleans())
def test_documented_hears_what_2_2_hears_but_for_the_class(said: Answer, quirks: frozenset[str], stream: bool) -> None:
    def bare(found: Heard | None) -> Heard | None:
        if isinstance(found, Broke | Cuts) and found.error is not None:
            return replace(found, error=replace(found.error, classification=None))
        return found

    versions: tuple[ProfileName, ProfileName] = ("documented", "2.2")
    one, other = [bare(heard(said, version, quirks=quirks, stream=stream)) for version in versions]
    assert one == other


@pytest.mark.parametrize("kind", [kind for kind, row in FAULTS.items() if not row.needs_answer])
@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("stream", [False, True])
def test_what_stands_alone_leaves_nothing(kind: Kind, version: ProfileName, stream: bool) -> None:
    found = heard(fault(kind, error=BUSY), version, stream=stream)

    assert isinstance(found, Broke | NoChunks | Hangs)
    fails = ConnectionFault(kind).fails(stream=stream, answered=False)
    assert fails == (not isinstance(found, NoChunks)) or version == "1.6"
