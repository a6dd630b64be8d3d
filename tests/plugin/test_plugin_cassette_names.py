"""The names of tests' cassettes: safe, stable, never shared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockbifrost.pytest_plugin.cassettes import file_name, own_file

FUNCTIONS = st.from_regex(r"(Test[A-Za-z]{0,5}\.)?test_[a-z_]{0,8}", fullmatch=True)
TESTS = st.builds(
    lambda function, parameters: function if parameters is None else f"{function}[{parameters}]",
    FUNCTIONS,
    st.none() | st.text(st.characters(codec="utf-8"), max_size=150) | st.text("aA_/-] ", max_size=4),
)


@given(TESTS)
def test_a_name_is_safe_for_file_systems_and_the_same_every_time(test: str) -> None:
    name = file_name(test)

    assert re.fullmatch(r"[A-Za-z0-9_.,=+@\[\]-]{1,120}\.yaml", name)
    assert file_name(test) == name


@given(FUNCTIONS, st.data())
def test_tests_whose_parameters_differ_share_no_file_even_where_case_does_not_count(
    function: str, data: st.DataObject
) -> None:
    parameters = st.text(st.characters(codec="utf-8"), max_size=150) | st.text("aA_/-] ", max_size=4)
    one = data.draw(parameters)
    other = data.draw(parameters | st.just(one.swapcase()) | st.just(one + "_"))

    if one != other:
        assert file_name(f"{function}[{one}]").lower() != file_name(f"{function}[{other}]").lower()


@pytest.mark.parametrize(
    ("test", "name"),
    [
        ("test_refund", "test_refund.yaml"),
        ("TestRefund.test_asked", "TestRefund.test_asked.yaml"),
        ("test_refund[gpt-4o]", "test_refund[gpt-4o].yaml"),
        ("test_refund[openai/gpt-4o]", "test_refund[openai_gpt-4o]-20e24eef.yaml"),
    ],
)
def test_what_names_look_like(test: str, name: str) -> None:
    assert file_name(test) == name


def test_a_cassette_lies_beside_its_test_or_in_the_folder_of_the_settings() -> None:
    root = Path("/project")
    module = root / "tests" / "agents" / "test_refund.py"

    assert own_file(module, "test_asked", None, root) == root / "tests/agents/cassettes/test_refund/test_asked.yaml"
    assert (
        own_file(module, "test_asked", root / "tapes", root) == root / "tapes/tests/agents/test_refund/test_asked.yaml"
    )
    elsewhere = own_file(Path("/other/test_x.py"), "test_asked", root / "tapes", root)
    assert elsewhere == root / "tapes/test_x/test_asked.yaml"
