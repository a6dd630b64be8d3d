"""A session is the same in threads and on every event loop."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from threading import Barrier
from typing import Any

import anyio
import pytest
from anyio import to_thread

from mockbifrost import MockBifrost, Session, UsageError
from tests.plugin.saying import say

THREADS = 8
LOOPS = [
    pytest.param({"backend": "asyncio"}, id="asyncio"),
    pytest.param({"backend": "asyncio", "backend_options": {"use_uvloop": True}}, id="uvloop"),
    pytest.param(
        {"backend": "trio"}, id="trio", marks=pytest.mark.skipif(find_spec("trio") is None, reason="trio is not here")
    ),
]
on_every_loop = pytest.mark.parametrize("loop", LOOPS)


def test_threads_add_stubs_and_ask_at_the_same_time(mock: Session) -> None:
    """Each thread has stubs of its own, changes them while others are asked, and is answered by them alone."""
    barrier = Barrier(THREADS)

    def work(number: int) -> list[str]:
        barrier.wait(timeout=20)
        found = []
        for round_ in range(10):
            stub = mock.when(user=f"of {number}, {round_}.").reply(f"{number}/{round_}")
            stub.times(1).name(f"{number}/{round_}")
            found.append(say(mock, f"of {number}, {round_}.", stream=bool(round_ % 2)).text)
            mock.configure(pricing={f"openai/m{number}": {"input": round_}})
            assert mock.requests
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(work, range(THREADS)))

    assert answers == [[f"{number}/{round_}" for round_ in range(10)] for number in range(THREADS)]
    assert (len(mock.requests), len({stub.id for stub in mock.stubs})) == (10 * THREADS, 10 * THREADS)
    mock.verify()


def test_threads_make_sessions_at_the_same_time(server: MockBifrost) -> None:
    barrier = Barrier(THREADS)

    def work(number: int) -> tuple[str, str]:
        barrier.wait(timeout=20)
        with server.session() as mock:
            mock.when(user="who").reply(f"Number {number}.")
            return mock.id, say(mock, "who").text

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(work, range(THREADS)))

    assert len({id for id, _text in found}) == THREADS
    assert [text for _id, text in found] == [f"Number {number}." for number in range(THREADS)]


@on_every_loop
def test_a_session_is_used_inside_a_running_loop(server: MockBifrost, loop: dict[str, Any]) -> None:
    async def main() -> list[str]:
        found: list[str] = []

        async def one(mock: Session, number: int) -> None:
            mock.when(user=f"number {number}.").reply(f"Answer {number}.")
            found.append(await to_thread.run_sync(lambda: say(mock, f"number {number}.").text))
            mock.clock.advance(1)

        with server.session() as mock:
            async with anyio.create_task_group() as group:
                for number in range(5):
                    group.start_soon(one, mock, number)
            assert (len(mock.requests), mock.clock.elapsed_s) == (5, 5.0)
        return found

    assert sorted(anyio.run(main, **loop)) == [f"Answer {number}." for number in range(5)]


@on_every_loop
def test_a_server_is_started_and_stopped_inside_a_running_loop(loop: dict[str, Any]) -> None:
    async def main() -> MockBifrost:
        async with MockBifrost("version: 1\nstubs: [Hello.]\n") as server:
            with server.session() as mock:
                assert await to_thread.run_sync(lambda: say(mock).text) == "Hello."
        return server

    server = anyio.run(main, **loop)
    with pytest.raises(UsageError, match="is not running"):
        server.session().__enter__()


@on_every_loop
@pytest.mark.parametrize("leave", ["error", "cancelled"])
def test_a_server_is_stopped_however_its_block_is_left(loop: dict[str, Any], leave: str) -> None:
    servers: list[MockBifrost] = []

    async def main() -> None:
        with anyio.CancelScope() as scope:
            async with MockBifrost() as server:
                servers.append(server)
                if leave == "error":
                    raise ZeroDivisionError
                scope.cancel()
                await anyio.sleep_forever()

    if leave == "error":
        with pytest.raises(ZeroDivisionError):
            anyio.run(main, **loop)
    else:
        anyio.run(main, **loop)
    refused(servers[0].session)


def refused(use: Callable[[], Any]) -> None:
    with pytest.raises(UsageError, match="is not running"):
        use().__enter__()
