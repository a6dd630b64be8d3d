"""The byte layout of each profile, on content of our own: files written by hand from the gateway's types and captures.

A scenario asks for each case once; its body, and the head of some, must be what the file beside it says.
"""

import re
from pathlib import Path

import pytest

from mockbifrost.wire.profiles import ProfileName
from tests.harness import PROFILE_NAMES, Response, ask, chat

DATA = Path(__file__).parent / "data"
PLAIN = ("plain-text", "plain-tools", "plain-choices", "error-provider", "error-gateway", "fallback")
STREAMED = ("stream-text", "stream-tools")
HEADS = ("plain-text", "stream-text", "error-provider", "fallback")


def answer(case: str, version: ProfileName) -> Response:
    body = chat(case, stream=case in STREAMED)
    if case == "plain-choices":
        body["n"] = 2
    if case == "fallback":
        body["fallbacks"] = ["anthropic/claude-sonnet-4-5"]
    scenario = (DATA / "scenario.yaml").read_text(encoding="utf-8")
    return ask(scenario, body, version=version, headers={"x-request-id": "golden-request"})


def golden(case: str, version: ProfileName, ending: str) -> bytes:
    return (DATA / f"{case}.{version}.{ending}").read_bytes()


@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("case", PLAIN)
def test_a_plain_body_has_the_golden_bytes(case: str, version: ProfileName) -> None:
    assert answer(case, version).body.decode() == golden(case, version, "json").decode()


@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("case", STREAMED)
def test_a_stream_has_the_golden_bytes(case: str, version: ProfileName) -> None:
    assert answer(case, version).body.decode() == golden(case, version, "sse").decode()


@pytest.mark.parametrize("version", PROFILE_NAMES)
@pytest.mark.parametrize("case", HEADS)
def test_a_head_has_the_golden_names_and_values(case: str, version: ProfileName) -> None:
    """The order of headers says nothing to a client, so it is left aside; a repeated or missing one is not."""
    status, *lines = golden(case, version, "head").decode().splitlines()

    got = answer(case, version)

    found = [f"{name}: {value}" for name, value in got.headers]
    shown = [re.sub(r"(?<=trace-id: )[0-9a-f]{32}$", "(32 hexadecimal digits)", line) for line in found]
    assert got.status == int(status)
    assert sorted(shown) == sorted(lines)


def test_no_golden_file_is_left_out() -> None:
    named = {f"{case}.{version}.json" for case in PLAIN for version in PROFILE_NAMES}
    named |= {f"{case}.{version}.sse" for case in STREAMED for version in PROFILE_NAMES}
    named |= {f"{case}.{version}.head" for case in HEADS for version in PROFILE_NAMES}

    assert {path.name for path in DATA.iterdir()} == named | {"scenario.yaml"}
