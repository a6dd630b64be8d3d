"""Tests that run at the same time don't disturb each other; `python bench/parallel.py` shows it for 500."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.parallel import run_tests, write_tests

pytest.importorskip("xdist", reason="pytest-xdist is not installed")


def test_tests_with_stubs_for_the_same_prompt_get_their_own_answers(tmp_path: Path) -> None:
    write_tests(tmp_path, 60)

    found = run_tests(tmp_path, 2)

    assert (found.passed, found.failed, found.cross_talk) == (60, 0, 0), found.output


def test_cross_talk_would_be_seen(tmp_path: Path) -> None:
    write_tests(tmp_path, 6, fixture="shared")

    found = run_tests(tmp_path, 2)

    assert found.passed >= 1, found.output  # the first test of each worker is alone as yet
    assert found.cross_talk == found.failed == 6 - found.passed, found.output
    assert found.cross_talk >= 4, found.output
