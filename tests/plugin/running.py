"""Runs of pytest inside a test: in this process, or apart where what is imported matters."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ASK = """
import http.client, json

def send(session, said, **more):
    connection = http.client.HTTPConnection("127.0.0.1", int(session.url.split(":")[2].split("/")[0]), timeout=20)
    headers = more.pop("headers", {})
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": said}], **more})
    connection.request("POST", "/s/" + session.id + "/pydanticai/v1/chat/completions", body, headers)
    text = connection.getresponse().read()
    connection.close()
    return text

def ask(session, said, **more):
    answer = json.loads(send(session, said, **more))
    return answer["choices"][0]["message"]["content"] if "choices" in answer else answer["error"]["message"]
"""
LATE = """
from helper import ask, send

left = []

def test_leaves_something_running(mockbifrost):
    mockbifrost.when(user="hello").reply("Hello.")
    assert ask(mockbifrost, "hello") == "Hello."
    left.append(mockbifrost)

def test_other(mockbifrost):
    mockbifrost.when(user="hello").reply("Never for another test.")
    assert "is finished" in ask(left[0], "hello")
    assert ask(mockbifrost, "hello") == "Never for another test."
"""
"""A file of tests of which one asks in the session of another one that has ended."""
ALONE = ("-p", "no:unraisableexception")  # what other tests of this process left behind is not this run's
PLUGIN = ("-p", "mockbifrost.pytest_plugin", "-p", "no:cacheprovider")


def run(runs: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    """A run of one test file, `test_it.py`; of what is there where no text is given."""
    if test:
        runs.makepyfile(test_it=test)
    return runs.runpytest_inprocess(*PLUGIN, *ALONE, *options)


def run_apart(runs: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    """The same in a process of its own."""
    if test:
        runs.makepyfile(test_it=test)
    return runs.runpytest_subprocess(*PLUGIN, *options, timeout=120)


def told(result: pytest.RunResult) -> str:
    """The report, as it is read: without the summary, which may repeat it where CI is set, and without what was logged."""
    return result.stdout.str().partition("short test summary")[0]
