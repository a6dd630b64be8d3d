"""The fixture is plain, and works in tests of every kind of async code."""

from __future__ import annotations

import pytest

from tests.plugin.running import run, run_apart

SAY = """
import anyio
from helper import ask

async def say(mock):
    mock.when(user="hello").reply("Hello.")
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(anyio.to_thread.run_sync, ask, mock, "hello")
    assert [request.status for request in mock.requests] == [200] * 5
    assert len(mock.calls) == 5
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio(runs: pytest.Pytester, backend: str) -> None:
    if backend == "trio":
        pytest.importorskip("trio")
    runs.makepyfile(saying=SAY)
    result = run(
        runs,
        f"""
        import pytest
        from helper import ask
        from saying import say

        pytestmark = pytest.mark.anyio

        @pytest.fixture
        def anyio_backend():
            return "{backend}"

        async def test_together(mockbifrost, mockbifrost_env):
            await say(mockbifrost)

        async def test_miss(mockbifrost):
            import anyio
            await anyio.to_thread.run_sync(ask, mockbifrost, "hello")

        @pytest.fixture
        async def prepared(mockbifrost):
            mockbifrost.when(user="hello").reply("Hello.")
            yield mockbifrost
            assert mockbifrost.calls

        async def test_in_a_fixture_of_its_own(prepared):
            assert ask(prepared, "hello") == "Hello."
        """,
        "-p",
        "anyio",
    )

    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_miss*", "session *: 1 request in 1 call"])


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_pytest_asyncio(runs: pytest.Pytester, mode: str) -> None:
    pytest.importorskip("pytest_asyncio")
    runs.makepyfile(saying=SAY)
    result = run_apart(
        runs,
        """
        import pytest
        from helper import ask
        from saying import say

        @pytest.mark.asyncio
        async def test_together(mockbifrost, mockbifrost_env):
            await say(mockbifrost)

        @pytest.mark.asyncio
        async def test_miss(mockbifrost):
            ask(mockbifrost, "hello")
        """,
        "-p",
        "pytest_asyncio.plugin",
        f"--asyncio-mode={mode}",
    )

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_miss*"])
