"""`mockbifrost_env`: clients that are told nothing find the session, child processes too, and everything is put back."""

from __future__ import annotations

import pytest

from tests.plugin.running import run, run_apart

BEFORE = {"OPENAI_BASE_URL": "https://elsewhere.test/v1", "OPENAI_ORG_ID": "org-real", "NO_PROXY": "intern.test"}


def test_everything_is_set_and_put_back_also_what_was_not_there(
    runs: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in BEFORE.items():
        monkeypatch.setenv(name, text)
    for name in ("OPENAI_API_KEY", "OPENAI_API_BASE", "MOCKBIFROST_URL", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    result = run(
        runs,
        """
        import os, subprocess, sys

        before = dict(os.environ)

        def without_pytests_own(env):
            return {key: text for key, text in env.items() if key != "PYTEST_CURRENT_TEST"}

        def test_inside(mockbifrost, mockbifrost_env):
            assert os.environ["OPENAI_BASE_URL"] == os.environ["OPENAI_API_BASE"] == mockbifrost.base_url
            assert os.environ["OPENAI_API_KEY"] == mockbifrost.api_key
            assert os.environ["MOCKBIFROST_URL"] == mockbifrost.url
            assert os.environ["NO_PROXY"] == "intern.test,127.0.0.1,localhost,::1"
            assert os.environ["no_proxy"] == "127.0.0.1,localhost,::1"
            assert "OPENAI_ORG_ID" not in os.environ
            assert mockbifrost_env["OPENAI_API_KEY"] == mockbifrost.api_key
            child = [sys.executable, "-c", "import os; print(os.environ['OPENAI_BASE_URL'])"]
            assert subprocess.run(child, capture_output=True, text=True).stdout.strip() == mockbifrost.base_url

        def test_after():
            assert without_pytests_own(os.environ) == without_pytests_own(before)

        def test_with_a_patch_of_its_own(monkeypatch, mockbifrost_env):
            monkeypatch.setenv("OPENAI_BASE_URL", "http://of.this.test")
            monkeypatch.delenv("OPENAI_API_KEY")
            with monkeypatch.context() as inner:
                inner.setenv("OPENAI_API_BASE", "http://inner.test")

        def test_after_it():
            assert without_pytests_own(os.environ) == without_pytests_own(before)

        def test_undone_in_the_middle(monkeypatch, mockbifrost_env):
            monkeypatch.undo()
            assert os.environ["OPENAI_BASE_URL"] == before["OPENAI_BASE_URL"]

        def test_after_that():
            assert without_pytests_own(os.environ) == without_pytests_own(before)
        """,
    )

    result.assert_outcomes(passed=6)


def test_a_client_that_is_told_nothing_reaches_the_session_past_a_proxy(
    runs: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
    result = run(
        runs,
        """
        import openai

        def test_openai(mockbifrost, mockbifrost_env):
            mockbifrost.when(user="hello").reply("Hello.")
            with openai.OpenAI(max_retries=0) as client:
                answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hello"}])
            assert answer.choices[0].message.content == "Hello."
        """,
    )

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("client", "module"),
    [
        pytest.param("langchain_openai.ChatOpenAI(model='gpt-4o').invoke('hello').content", "langchain_openai"),
        pytest.param("pydantic_ai.Agent('openai-chat:gpt-4o').run_sync('hello').output", "pydantic_ai"),
        pytest.param(
            "litellm.completion('openai/gpt-4o', [{'role': 'user', 'content': 'hello'}]).choices[0].message.content",
            "litellm",
        ),
    ],
)
def test_other_clients_that_are_told_nothing_reach_the_session(
    runs: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, client: str, module: str
) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    pytest.importorskip(module)
    result = run_apart(  # they leave connections to the end of the process
        runs,
        f"""
        import {module}

        def test_client(mockbifrost, mockbifrost_env):
            mockbifrost.when(user="hello").reply("Hello.")
            assert {client} == "Hello."
        """,
    )

    result.assert_outcomes(passed=1)


def test_hosts_without_a_proxy_that_mean_all_stay_as_they_are(
    runs: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    result = run(runs, "import os\n\ndef test_all(mockbifrost_env):\n    assert os.environ['NO_PROXY'] == '*'")

    result.assert_outcomes(passed=1)
