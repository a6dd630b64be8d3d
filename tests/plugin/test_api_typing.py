"""A strict user's file: no `Any` anywhere, every key is known, and what is wrong is told before the test runs."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from subprocess import run

import pytest

pytest.importorskip("mypy")

ROOT = Path(__file__).resolve().parents[2]
STRICT = """
from __future__ import annotations

from mockbifrost import Call, MockBifrost, Request, Session, Snapshot, step
from mockbifrost.api.words import ReplyDict, WhenDict


def stubs(mock: Session) -> None:
    mock.when(user="refund", model=["gpt-4o", "gpt-*"], turn="1..", tools=[], stream=True).reply("Done.").times(2)
    mock.when(user={"contains": "a", "not": "/b/i"}, headers={"x-team": "red", "x-other": None}).reply(
        tool_calls=[{"lookup_order": {"order_id": "42"}}, "ping", {"name": "pong", "arguments": "{"}],
        usage={"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1}},
        content=None,
    )
    mock.when(tool_result={"name": "lookup_order", "json": {"state": "lost"}}).error("overloaded", retry_after="2s")
    mock.when(messages=[{"role": "user", "text": "x"}], last={"role": "user"}).gateway_error("budget_exceeded")
    mock.when(body={"metadata.team": "red"}).sequence(
        "One.", step.error("overloaded"), step.reply("Three.").pace("slow"), {"error": {"status": 503}}, on_end="cycle"
    )
    mock.when().reply("x").active(after=2, from_="10s", gate="door").per("call").priority(3).required(False).name("x")
    mock.when().reply("x").pace(ttft="200ms", chunk="word").upstream("cut", after_chunks=2, how="reset").cache("hit")
    mock.when().reply("x").upstream("stall", at={"text": "x"}, for_="90s").cache(hit="semantic", similarity=0.9)
    mock.when().auto().upstream(slow="20s")
    mock.when().raw(status=202, json={"odd": [1, None]}, events=[{"data": {"a": 1}}, {"sleep": "1s"}])
    mock.when().replay("refund.yaml", 2, with_={"content": "Other."})
    mock.configure(providers={"openai": {"max_retries": 2, "keys": [{"name": "main"}]}}, fallbacks={"a/b": ["c/d"]})
    mock.defaults(pace="typing", model="gpt-4o-2024-11-20")
    mock.load({"version": 1, "stubs": ["Hello.", {"when": {"user": "x"}, "reply": {"content": "y"}}]})


def shared(mock: Session) -> None:
    reply: ReplyDict = {"content": "Shared.", "finish_reason": "length"}
    when: WhenDict = {"user": "shared"}
    usage = {"prompt_tokens": 1}
    body: dict[str, object] = {"nested": [1]}
    mock.when(**when).reply(**reply)
    mock.when().reply("x", usage=usage, body=body)


def seen(mock: Session) -> None:
    last: Request = mock.last
    reveal_type(last.trail[0].status)
    reveal_type(last.status)
    reveal_type(last.said)
    reveal_type(last.user)
    reveal_type(last.messages[0].text)
    reveal_type(last.tool_calls[0].arguments)
    reveal_type(last.tool_calls[0].name)
    reveal_type(last.near_misses[0].mismatches[0].field)
    reveal_type(last.headers["x-team"])
    reveal_type(last.response)
    reveal_type(mock.ledger[0].cost)
    reveal_type(mock.stubs[0].used)
    call: Call = mock.calls[0]
    reveal_type(call.requests[0].stub)
    assert last.tool_calls[0].json == {"order_id": "42"}
    assert last.usage == {"prompt_tokens": 3}
    snapshot: Snapshot = mock.snapshot()
    reveal_type(snapshot.counters)
    mock.rollback(snapshot)
    with mock.rolled_back() as same:
        reveal_type(same.base_url)


async def server() -> None:
    async with MockBifrost() as running:
        with running.session() as mock:
            reveal_type(mock)
"""
REVEALED = (
    "int", "int", "str", "str | None", "str", "str", "str", "str", "str", "mockbifrost.api.request.Answered | None",
    "float", "int", "mockbifrost.api.request.Place | None", "typing.Mapping[str, int]", "str",
    "mockbifrost.api.session.Session",
)  # fmt: skip
WRONG = """
from mockbifrost import Session, step

def wrong(mock: Session) -> None:
    mock.when(usr="x")
    mock.when(turn=1.5)
    mock.when().reply("x", finish="stop")
    mock.when().reply(3)
    mock.when().reply("x", fragments="none")
    mock.when().error("overloaded", status="503")
    mock.when().active(sometimes=True)
    mock.when().per("day")
    mock.when().pace("slow", ttft=3)
    mock.when().upstream("cut", status=502)
    mock.when().upstream(stalled="1s")
    mock.when().cache("hitt")
    mock.when().sequence("a", on_end="stop")
    mock.when().raw(jsn={})
    mock.configure(provider={})
    mock.configure(version="3.0")
    mock.defaults(paces="slow")
    step.times(2)
    step.reply("x", finish="stop")
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What mypy says of both files, one line each."""
    folder = tmp_path_factory.mktemp("typing")
    (folder / "strict.py").write_text(STRICT, encoding="utf-8")
    (folder / "wrong.py").write_text(WRONG, encoding="utf-8")
    (folder / "mypy.ini").write_text(
        "[mypy]\nstrict = True\n[mypy-strict,wrong]\ndisallow_any_expr = True\n", encoding="utf-8"
    )
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--no-error-summary", "--hide-error-context"]
    found = run(
        [*command, "strict.py", "wrong.py"],
        cwd=folder,
        env={"MYPYPATH": str(ROOT), "MYPY_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not found.stderr
    return found.stdout.splitlines()


def test_a_strict_user_meets_no_any(told: list[str]) -> None:
    assert [line for line in told if line.startswith("strict.py") and ": error: " in line] == []


def test_what_users_hold_has_its_types(told: list[str]) -> None:
    found = [found[1] for line in told if (found := re.fullmatch(r'strict\.py:.* Revealed type is "(.*)"', line))]

    assert [re.sub(r"builtins\.", "", kind) for kind in found] == list(REVEALED)


def test_each_wrong_key_and_value_is_told(told: list[str]) -> None:
    lines = {int(line.split(":")[1]) for line in told if line.startswith("wrong.py") and ": error: " in line}
    wrong = {number for number, line in enumerate(WRONG.splitlines(), 1) if line.startswith("    ")}

    assert lines == wrong
