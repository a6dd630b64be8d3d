"""The options and settings of the plugin, as pytest is told of them. Imported by every run of pytest, and therefore next to nothing."""

from __future__ import annotations

from typing import Final

import pytest

MODES: Final = ("none", "once", "new_episodes", "all")


def add_options(parser: pytest.Parser) -> None:
    """Add ours."""
    group = parser.getgroup("mockbifrost", "mockbifrost, a stand-in for the Bifrost AI gateway")
    group.addoption(
        "--mockbifrost-record",
        choices=MODES,
        default="none",
        help="What becomes of requests that no stub answers: `none` plays the test's cassette, `once` records it where it is not "
        "there, `new_episodes` records what is not in it, `all` asks again. The others than `none` need --mockbifrost-upstream.",
    )
    group.addoption(
        "--mockbifrost-upstream",
        metavar="URL",
        help="Where answers are recorded: a Bifrost or a provider. Its key is taken from MOCKBIFROST_UPSTREAM_KEY.",
    )
    group.addoption(
        "--mockbifrost-upstream-kind",
        choices=("gateway", "provider"),
        help="What the upstream is, where its address does not tell.",
    )
    group.addoption("--mockbifrost-record-in-ci", action="store_true", help="Record although the variable CI is set.")
    group.addoption(
        "--mockbifrost-url",
        metavar="URL",
        help="A running server that all tests share, each with a session of its own. Its token is taken from "
        "MOCKBIFROST_CONTROL_TOKEN.",
    )
    group.addoption("--mockbifrost-seed", type=int, metavar="N", help="The seed of sessions whose test names none.")
    group.addoption(
        "--no-mockbifrost-verify",
        action="store_true",
        help="No test of this run fails at its end for requests that nothing answered, or stubs that nothing used.",
    )
    parser.addini(
        "mockbifrost_scenarios", "Scenarios and cassettes of all tests: files and folders.", type="paths", default=[]
    )
    parser.addini("mockbifrost_cassettes", "The folder of the tests' own cassettes.", default="")
    parser.addini(
        "mockbifrost_strict",
        "False: tests are not verified at their end unless their marker says so, and late requests fail no run.",
        type="bool",
        default=True,
    )
    parser.addini(
        "mockbifrost_record_errors", "Record answers that ended badly with the rest.", type="bool", default=False
    )


def are_given(config: pytest.Config) -> bool:
    """Whether there is anything to check: who records, or where a running server is."""
    options = config.option
    return options.mockbifrost_record != "none" or bool(options.mockbifrost_upstream or options.mockbifrost_url)
