"""Whether tests disturb each other: `python bench/parallel.py [--tests 500] [--workers 4] [--rounds 3] [OPTION OF PYTEST …]`.

Writes a folder of tests, each with stubs of its own for the same prompt and with parallel calls inside, runs it under pytest-xdist,
and counts the answers and the requests that came to a test from another one.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS_PER_FILE = 25
PATIENCE_S = 600

HELPER = '''
import asyncio, json, re, socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

CALLS = 8  # at once, every other one streamed


def request(session, me, number):
    """The same question from everybody; only `user`, which no stub looks at, says who asks."""
    body = json.dumps({
        "model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Who am I?"}],
        "user": me, "stream": bool(number % 2),
    }).encode()
    address = urlsplit(session.base_url)
    head = f"POST {address.path}/chat/completions HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n"
    return address.hostname, address.port, f"{head}content-length: {len(body)}\\r\\n\\r\\n".encode() + body


def ask(session, me, number):
    host, port, data = request(session, me, number)
    with socket.create_connection((host, port), timeout=60) as connection:
        connection.sendall(data)
        return said(b"".join(iter(lambda: connection.recv(65536), b"")))


async def ask_async(session, me, number):
    host, port, data = request(session, me, number)
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return said(answer)


def said(data):
    found = re.search(rb"You are (test-[0-9]+)", data)
    return found.group(1).decode() if found else data.decode()


def in_threads(session, me):
    with ThreadPoolExecutor(CALLS) as pool:
        return list(pool.map(lambda number: ask(session, me, number), range(CALLS)))


def in_tasks(session, me):
    async def all_of_them():
        return await asyncio.gather(*[ask_async(session, me, number) for number in range(CALLS)])
    return asyncio.run(all_of_them())


def check(session, me, asks):
    session.when(user="Who am I?").reply(f"You are {me}.").pace(chunk="whole")
    answers = asks(session, me)
    strangers = [one for one in answers if one != me]
    strangers += [one.body["user"] for one in session.requests if one.body["user"] != me]
    assert not strangers, f"CROSS-TALK: {me} met {strangers}"
    assert len(answers) == len(session.requests) == CALLS
'''
CONFTEST = """
import pytest


@pytest.fixture(scope="session")
def shared(mockbifrost_server):
    with mockbifrost_server.session(verify=False) as session:
        yield session
"""
"""One session for all tests of a worker: what must not be done, to see that cross-talk would be found."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one run of pytest said."""

    passed: int
    failed: int
    cross_talk: int
    seconds: float
    output: str


def write_tests(folder: Path, count: int, fixture: str = "mockbifrost") -> None:
    """A folder of that many tests; half of them call from threads, half from tasks."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "helper.py").write_text(HELPER, encoding="utf-8")
    for first in range(0, count, TESTS_PER_FILE):
        lines = ["from helper import check, in_tasks, in_threads"]
        for number in range(first, min(first + TESTS_PER_FILE, count)):
            asks = "in_tasks" if number % 2 else "in_threads"
            lines += [f"\n\ndef test_{number}({fixture}):\n    check({fixture}, 'test-{number}', {asks})"]
        (folder / f"test_{first}.py").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run_tests(folder: Path, workers: int, options: Sequence[str] = ()) -> Round:
    """Run them once."""
    plugins = ("-p", "mockbifrost.pytest_plugin", "-p", "xdist.plugin", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", "-q", "--tb=line", *plugins, "-n", str(workers), *options, str(folder)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=PATIENCE_S)
    seconds = time.perf_counter() - begun
    output = done.stdout + done.stderr
    counted = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?)\b", output)}
    failed = counted.get("failed", 0) + counted.get("error", 0) + counted.get("errors", 0)
    met = set(re.findall(r"CROSS-TALK: (test-\d+) met", output))
    return Round(counted.get("passed", 0), failed, len(met), seconds, output)


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line for each round, and return 1 where a test did not pass."""
    parser = argparse.ArgumentParser(
        description="tests under pytest-xdist, each with its own stubs for the same prompt"
    )
    parser.add_argument("--tests", type=int, default=500)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    given, options = parser.parse_known_args(argv)
    good = True
    with tempfile.TemporaryDirectory(prefix="mockbifrost-parallel-") as folder:
        write_tests(Path(folder), given.tests)
        for number in range(1, given.rounds + 1):
            found = run_tests(Path(folder), given.workers, options)
            print(
                f"round {number}: {found.passed} of {given.tests} tests passed, {found.cross_talk} with cross-talk, "
                f"{given.workers} workers, {found.seconds:.1f} s"
            )
            if (found.passed, found.failed) != (given.tests, 0):
                good = False
                print(found.output[-4000:])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
