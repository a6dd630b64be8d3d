"""What a test holds: the session's traffic, its clock, what it loads, and how it ends."""

from __future__ import annotations

import asyncio
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mockbifrost import (
    MockBifrost,
    ScenarioError,
    Session,
    SessionFinishedError,
    UsageError,
    VerificationError,
)
from tests.inside import port_of, state_of
from tests.plugin.saying import say
from tests.socket.raw_http import PATH, ask, chat_body

FILES = "version: 1\nseed: 3\nstubs: [{name: of the files, when: {user: hello}, reply: Files.}]\n"


def line_above() -> str:
    """This file and the line above the caller's."""
    frame = inspect.stack()[1]
    return f"{frame.filename}:{frame.lineno - 1}"


def test_requests_and_the_last_one(mock: Session) -> None:
    with pytest.raises(UsageError, match="the session's journal is empty"):
        mock.last  # noqa: B018
    assert list(mock.requests) == []
    say(mock)
    say(mock, "unheard of")

    assert [entry.status for entry in mock.requests] == [200, 400]
    assert (mock.last.error, mock.last.body["messages"][0]["content"]) == ("no_match", "unheard of")
    assert mock.last.headers["host"] == "mock"
    assert mock.last.text.startswith("{")


def test_calls_hold_the_clients_retries(mock: Session) -> None:
    mock.when(user="status").error("overloaded").times(2)
    mock.when(user="status").reply("All systems go.")
    for count in range(3):
        say(mock, "status", headers={"x-stainless-retry-count": str(count)})
    say(mock)

    first, second = mock.calls
    assert [entry.status for entry in first.requests] == [529, 529, 200]
    assert (first.number, first.status, second.number, second.status) == (1, 200, 2, 200)


def test_the_addresses_lead_here(server: MockBifrost) -> None:
    name = "test_x[a/b 100%41 ü]".replace("/", "-")
    with server.session(name) as mock:
        base = mock.base_url.removeprefix(server.url)
        assert base == "/s/test_x%5Ba-b%20100%2541%20%C3%BC%5D/pydanticai/v1"
        assert mock.url + "/pydanticai/v1" == mock.base_url
        assert ask(server.port, "POST", base + "/chat/completions", chat_body("hello")).text == "Files."
        assert len(mock.requests) == 1


def test_the_key_leads_here_too(server: MockBifrost, mock: Session) -> None:
    ask(server.port, "POST", PATH, chat_body("hello"), headers={"authorization": f"Bearer {mock.api_key}"})

    assert len(mock.requests) == 1


def test_the_servers_address_leads_to_the_default_session(server: MockBifrost) -> None:
    path = server.base_url.removeprefix(server.url)

    assert (path, server.url) == ("/pydanticai/v1", f"http://127.0.0.1:{server.port}")


def test_a_file_is_loaded(mock: Session, tmp_path: Path) -> None:
    file = tmp_path / "more.yaml"
    file.write_text(
        "version: 1\nstubs:\n  - {when: {user: more}, reply: More.}\n  - {when: {user: hello}, reply: Mine.}\n"
    )
    for path in (file, str(file), tmp_path):
        mock.load(path)

    assert (say(mock, "more").text, say(mock).text) == ("More.", "Mine.")
    assert say(mock, "more").header("x-mockbifrost-stub") == f"{file}:3"


def test_a_text_is_loaded(mock: Session) -> None:
    mock.load("version: 1\nstubs: [{when: {user: more}, reply: More.}]\n")
    place = line_above()

    assert say(mock, "more").text == "More."
    assert say(mock, "more").header("x-mockbifrost-stub") == f"the text at {place}:2"


def test_a_mapping_is_loaded(mock: Session) -> None:
    mock.load({"version": 1, "stubs": [{"when": {"user": "more"}, "reply": {"content": "no: it's “more”"}}, "Else."]})
    place = line_above()

    assert say(mock, "more").text == "no: it's “more”"
    assert say(mock, "other").text == "Else."
    assert say(mock, "more").header("x-mockbifrost-stub") == place


@pytest.mark.parametrize("text", ["1e5", "0E0", "0o17", "1:30", "yes", "~", "2001-01-01", "!!int 1", " a\u2028b\x85 "])
def test_a_text_of_a_mapping_stays_a_text(mock: Session, text: str) -> None:
    """Writers of YAML 1.1 leave some texts unquoted that are numbers in 1.2."""
    mock.load({"version": 1, "stubs": [{"reply": {"content": text, "message": {text: 1}}}]})

    message = say(mock).json()["choices"][0]["message"]
    assert (message["content"], message[text]) == (text, 1)


def test_what_is_loaded_twice_counts_apart(mock: Session) -> None:
    for said in ("first", "second"):
        mock.load({"version": 1, "stubs": [{"times": 1, "reply": said}]})
        mock.load(f"version: 1\nstubs: [{{times: 1, reply: {said} text}}]\n")

    assert [say(mock).text for _ in range(5)] == ["first", "first text", "second", "second text", "Files."]


def test_what_is_loaded_comes_behind_all_that_the_test_says_for_itself(mock: Session) -> None:
    mock.when(user="hello").reply("Added.").times(1)
    mock.load({"version": 1, "stubs": [{"times": 1, "reply": "Loaded."}]})
    mock.when(user="hello").reply("Added later.").times(1)

    assert [say(mock).text for _ in range(4)] == ["Added.", "Added later.", "Loaded.", "Files."]


def test_settings_that_are_loaded_override_the_servers(mock: Session) -> None:
    mock.load('version: 1\ngateway: {version: "1.6"}\nstubs: []\n')
    assert ask(port_of(mock), "POST", f"/s/{mock.id}{PATH}", b"{").status == 500
    mock.load({"version": 1, "gateway": {"providers": {"mine": {}}}, "stubs": []})

    assert say(mock, model="mine/small").json()["extra_fields"]["provider"] == "mine"
    assert say(mock, model="gpt-4o").status == 500


def test_a_version_chosen_for_the_session_beats_what_is_loaded(server: MockBifrost) -> None:
    with server.session(version="documented", verify=False) as mock:
        mock.load({"version": 1, "gateway": {"version": "1.6", "providers": {"mine": {}}}, "stubs": ["Yes."]})

        assert ask(server.port, "POST", f"/s/{mock.id}{PATH}", b"{").status == 400
        assert say(mock, model="mine/small").status == 200


def test_a_version_for_the_session_keeps_the_files_other_settings() -> None:
    scenario = "version: 1\ngateway: {providers: {mine: {}}}\nstubs: [Yes.]\n"
    with MockBifrost(scenario) as server, server.session(version="1.6", verify=False) as mock:
        assert say(mock, model="mine/small").json()["extra_fields"]["provider"] == "mine"
        assert say(mock, model="gpt-4o").status == 500


def test_settings_that_are_loaded_may_name_the_sessions_providers(mock: Session) -> None:
    mock.load({"version": 1, "gateway": {"providers": {"mine": {}}}})
    for scenario in (
        "version: 1\ngateway: {fallbacks: {mine/a: [mine/b]}}\n",
        {"version": 1, "gateway": {"fallbacks": {"mine/a": ["mine/c"]}}},
    ):
        mock.load(scenario)
    with pytest.raises(ScenarioError, match="names the provider 'openai', which is not configured"):
        mock.load("version: 1\ngateway: {fallbacks: {mine/a: [openai/b]}}\n")

    assert state_of(mock).gateway.fallbacks == {"mine/a": ("mine/c",)}


def test_a_seed_of_the_session_beats_that_of_its_files(server: MockBifrost) -> None:
    found = []
    for seed in (None, 3, 7):
        with server.session(seed=seed) as session:
            found.append(say(session).json()["id"])

    assert found[0] == found[1] != found[2]


def test_stubs_are_listed_with_their_uses(mock: Session) -> None:
    mock.when(user="hello").reply("Once.").times(1).name("once")
    place = line_above().rpartition(":")
    mock.load("version: 1\nstubs: [Else.]\n")
    for _ in range(3):
        say(mock)

    assert [(stub.name, stub.used, stub.added) for stub in mock.stubs] == [
        ("once", 1, True),
        (None, 2, True),
        ("of the files", 0, False),
    ]
    assert (mock.stubs[0].file, mock.stubs[0].line) == (place[0], int(place[2]))


def test_stubs_that_were_added_are_cleared(mock: Session) -> None:
    first = mock.when(user="hello").reply("Mine.").required()
    mock.when(user="never").required(False)
    mock.load({"version": 1, "stubs": ["Loaded."]})
    said = say(mock).text

    assert (mock.clear_stubs(), mock.clear_stubs()) == (2, 0)
    assert [said, say(mock).text] == ["Mine.", "Files."]
    mock.verify()
    with pytest.raises(UsageError, match=r"was removed by clear_stubs\(\) or a rollback; say when\(…\) again"):
        first.times(1)
    mock.when(user="hello").reply("Again.")
    assert say(mock).text == "Again."


def test_what_was_charged_is_in_the_ledger(mock: Session) -> None:
    assert not mock.ledger
    for _ in range(2):
        state_of(mock).gateway_state.ledger.charge("team", "openai", "gpt-4o", total_tokens=3, cost=0.5)

    (row,) = mock.ledger
    assert (row.virtual_key, row.requests, row.total_tokens, row.cost) == ("team", 2, 6, 1.0)


def test_a_mapping_may_hold_any_character(mock: Session) -> None:
    said = "a\x85b\u2028c\U0001f600\x7f"
    mock.load({"version": 1, "stubs": [said]})

    assert say(mock).text == said


def test_a_file_for_another_session_can_be_loaded_into_this_one(mock: Session) -> None:
    mock.load("version: 1\nsession: refund\nstubs: [Refunded.]\n")

    assert say(mock).text == "Refunded."


def test_a_mapping_with_mistakes_names_the_line_of_the_test(mock: Session) -> None:
    place = line_above().rpartition(":")
    with pytest.raises(ScenarioError) as error:
        mock.load({"version": 1, "stubs": ["Fine.", {"when": {"usr": "x"}, "reply": "x"}, {"eror": "x"}]})

    here = f"{place[0]}:{int(place[2]) + 3}:1"
    assert str(error.value).splitlines() == [
        f"{here}: stubs[1].when.usr: unknown key 'usr'; did you mean 'user'?",
        f"{here}: stubs[2].eror: unknown key 'eror'; did you mean 'error'?",
    ]
    assert say(mock).text == "Files."


def test_a_mapping_that_no_file_could_hold(mock: Session) -> None:
    with pytest.raises(ScenarioError, match="the mapping holds what no scenario can"):
        mock.load({"version": 1, "stubs": [{"reply": {"body": {"a": object()}}}]})


def test_a_text_with_mistakes_names_its_own_lines(mock: Session) -> None:
    with pytest.raises(ScenarioError) as error:
        mock.load("version: 1\nstubs:\n  - {when: {usr: x}, reply: x}\n")
    (finding,) = error.value.findings

    assert finding.source.startswith(f"the text at {__file__}:")
    assert (finding.line, finding.column) == (3, 13)


def test_a_file_that_is_not_there(mock: Session, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"nowhere\.yaml: there is no such file or folder"):
        mock.load(tmp_path / "nowhere.yaml")


def test_one_scenario_need_not_be_a_list(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(FILES)
    for scenario in (file, str(file), FILES, [file], (str(file),)):
        with MockBifrost(scenario) as server:
            assert ask(server.port, "POST", PATH, chat_body("hello")).text == "Files."


def test_bad_files_are_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError):
        MockBifrost("version: 1\nstubs: [{}]\n")
    with pytest.raises(ScenarioError):
        MockBifrost([tmp_path / "nowhere.yaml"])


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(UsageError, match="can't be a speed"):
        MockBifrost(speed=speed)


def test_the_clock(mock: Session) -> None:
    mock.clock.advance("1m30s")
    mock.clock.advance(0.5)
    mock.clock.advance("0")
    created = say(mock).json()["created"]

    assert mock.clock.elapsed_s == 90.5
    assert created == 1_767_225_600 + 90
    assert mock.last.at_s == 90.5


@pytest.mark.parametrize("duration", ["5", "soon", "", -1, "-5m", float("nan"), float("inf"), 1e300, True, None, [5]])
def test_what_no_clock_can_do(mock: Session, duration: Any) -> None:
    with pytest.raises(UsageError, match=r"^clock\.advance: "):
        mock.clock.advance(duration)
    assert mock.clock.elapsed_s == 0.0
    assert say(mock).status == 200


@pytest.mark.parametrize(("mode", "moves"), [("fixed", False), ("flow", True), ("real", True)])
def test_the_mode_of_the_clock_may_change(mock: Session, mode: Any, moves: bool) -> None:
    mock.clock.advance("5m")
    before = mock.clock.mode
    mock.clock.mode = mode
    first, second = mock.clock.elapsed_s, mock.clock.elapsed_s

    assert (before, mock.clock.mode, first >= 300) == ("fixed", mode, True)
    assert (second > first) is moves


@pytest.mark.parametrize("mode", ["flows", "", None, ["fixed"], 1])
def test_a_mode_that_no_clock_has(mock: Session, mode: Any) -> None:
    with pytest.raises(UsageError, match=r"is no mode of the clock; fixed, flow and real are$"):
        mock.clock.mode = mode
    assert mock.clock.mode == "fixed"


@pytest.mark.parametrize(("mode", "moves"), [("fixed", False), ("flow", True), ("real", True)])
def test_the_mode_of_the_clock(server: MockBifrost, mode: Any, moves: bool) -> None:
    with server.session(clock=mode) as mock:
        first, second = mock.clock.elapsed_s, mock.clock.elapsed_s

    assert (second > first) is moves


def test_a_reset_forgets_all_but_the_stubs(mock: Session) -> None:
    mock.when(user="hello").reply("Once.").times(1)
    mock.gate("door").open()
    mock.clock.advance("1h")
    before = [say(mock).text, say(mock).text]
    mock.reset()

    assert (mock.requests, mock.clock.elapsed_s) == ((), 0.0)
    assert before == [say(mock).text, say(mock).text] == ["Once.", "Files."]


def test_verify_tells_all_that_is_wrong(mock: Session) -> None:
    mock.when(user="never").name("never").reply("x")
    say(mock, "first")
    say(mock, "second")

    with pytest.raises(VerificationError) as error:
        mock.verify()
    problems = str(error.value).split("\n\n")
    assert [problem.split(":")[0].split(" (")[0] for problem in problems] == [
        "Request 1",
        "Request 2",
        "Stub 'never'",
        "Not used",
    ]
    assert isinstance(error.value, AssertionError)


def test_verify_is_content_with_errors_that_were_scripted(mock: Session) -> None:
    mock.when(user="fail").error("overloaded")
    say(mock, "fail")
    ask(port_of(mock), "POST", f"/s/{mock.id}{PATH}", b"{")

    mock.verify()


def test_leaving_verifies_unless_told_or_an_error_is_under_way(server: MockBifrost) -> None:
    with pytest.raises(VerificationError), server.session() as first:
        say(first, "unheard of")
    with server.session(verify=False) as second:
        say(second, "unheard of")
    with pytest.raises(ZeroDivisionError), server.session() as third:
        _fail(third)
    for session in (first, second, third):
        assert say(session).json()["error"]["code"] == "session_finished"


def _fail(mock: Session) -> None:
    say(mock, "unheard of")
    raise ZeroDivisionError


def test_a_finished_session_can_not_be_used(server: MockBifrost) -> None:
    with server.session() as mock:
        stub = mock.when(user="hello").reply("x")
        say(mock)
        clock, gate = mock.clock, mock.gate("door")
    mock.finish()

    for use in (
        lambda: mock.requests,
        lambda: mock.calls,
        lambda: mock.last,
        mock.verify,
        mock.reset,
        lambda: clock.advance("1s"),
        lambda: clock.elapsed_s,
        lambda: clock.mode,
        lambda: setattr(clock, "mode", "flow"),
        lambda: mock.stubs,
        lambda: mock.ledger,
        mock.clear_stubs,
        gate.open,
        lambda: stub.times(1),
        lambda: mock.when().reply("x"),
        lambda: mock.load({"version": 1, "stubs": []}),
    ):
        with pytest.raises(SessionFinishedError) as error:
            use()
        assert str(error.value) == f"session {mock.id!r} is finished; use the session of the running test"


def test_a_session_of_a_stopped_server_can_not_be_used() -> None:
    with MockBifrost() as server:
        mock = server.open_session()
    mock.finish()

    other = MockBifrost().start()
    left = other.open_session()
    other.stop()
    with pytest.raises(UsageError, match=r"is not running|has stopped"):
        left.requests  # noqa: B018


def test_threads_may_share_a_session(mock: Session) -> None:
    def work(number: int) -> str:
        mock.when(user=f"number {number}.").reply(f"Answer {number}.")
        mock.clock.advance(1)
        mock.gate(f"gate {number}").open()
        return say(mock, f"number {number}.").text

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(40)))

    assert answers == [f"Answer {number}." for number in range(40)]
    assert (len(mock.requests), mock.clock.elapsed_s) == (40, 40.0)
    mock.verify()


def test_a_test_on_an_event_loop_may_use_it(mock: Session) -> None:
    async def scenario() -> list[str]:
        mock.when(user="async").reply("Awaited.")
        answers = await asyncio.gather(*[asyncio.to_thread(say, mock, "async") for _ in range(10)])
        assert len(mock.requests) == 10
        return [answer.text for answer in answers]

    assert asyncio.run(scenario()) == ["Awaited."] * 10


def test_an_action_on_the_servers_loop_runs_in_its_thread(server: MockBifrost) -> None:
    name = server.run(lambda: threading.current_thread().name)

    def fail() -> None:
        raise ZeroDivisionError("here")

    assert name == "mockbifrost"
    with pytest.raises(ZeroDivisionError, match="here"):
        server.run(fail)


def test_two_servers_do_not_know_each_other() -> None:
    with MockBifrost(FILES) as one, MockBifrost() as other:
        assert one.port != other.port
        assert ask(one.port, "POST", PATH, chat_body("hello")).status == 200
        assert ask(other.port, "POST", PATH, chat_body("hello")).status == 400
