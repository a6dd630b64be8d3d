"""The ready clients: each reaches its session with nothing said but that, keeps to it, and a missing one says how to get it."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType

import pytest

from mockbifrost import Session, UsageError, clients

HEADERS = {"x-team": "blue"}


@pytest.fixture(autouse=True)
def proxies(monkeypatch: pytest.MonkeyPatch, no_settings_of_this_machine: None) -> None:
    """Where nobody listens: a client that asked them would fail."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def asked(mockbifrost: Session) -> tuple[str, str, str | None]:
    """Session, key and header of the only request."""
    (request,) = mockbifrost.requests
    return request.session, request.headers["authorization"], request.headers.get("x-team")


def test_openai(mockbifrost: Session) -> None:
    pytest.importorskip("openai")
    mockbifrost.when(user="hello").reply("Hello.")
    with clients.openai.client(mockbifrost, default_headers=HEADERS) as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hello"}])

    assert answer.choices[0].message.content == "Hello."
    assert asked(mockbifrost) == (mockbifrost.id, f"Bearer {mockbifrost.api_key}", "blue")


@pytest.mark.anyio
async def test_async_openai(mockbifrost: Session) -> None:
    pytest.importorskip("openai")
    mockbifrost.when(user="hello").reply("Hello.")
    async with clients.openai.async_client(mockbifrost, api_key="sk-bf-team", default_headers=HEADERS) as client:
        answer = await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hello"}])

    assert answer.choices[0].message.content == "Hello."
    assert asked(mockbifrost) == (mockbifrost.id, "Bearer sk-bf-team", "blue")


@pytest.mark.parametrize("retries", [0, 1])
def test_openai_asks_again_as_often_as_it_is_told(mockbifrost: Session, retries: int) -> None:
    openai = pytest.importorskip("openai")
    mockbifrost.when(user="hello").error("overloaded", headers={"retry-after-ms": "1"})
    with (
        clients.openai.client(mockbifrost, max_retries=retries, timeout=7.0) as client,
        pytest.raises(openai.APIStatusError),
    ):
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hello"}])

    assert len(mockbifrost.requests) == 1 + retries
    assert client.timeout == 7.0


@pytest.mark.anyio
async def test_a_model_of_pydantic_ai(mockbifrost: Session) -> None:
    pydantic_ai = pytest.importorskip("pydantic_ai")
    mockbifrost.when(user="hello").reply("Hello.")
    model = clients.pydantic_ai.model(mockbifrost, "gpt-4o", default_headers=HEADERS, settings={"temperature": 0.5})
    result = await pydantic_ai.Agent(model).run("hello")

    assert result.output == "Hello."
    assert asked(mockbifrost) == (mockbifrost.id, f"Bearer {mockbifrost.api_key}", "blue")
    assert mockbifrost.last.body["temperature"] == 0.5
    await model.client.close()


def test_models_of_pydantic_ai_work_in_one_event_loop_after_another(mockbifrost: Session) -> None:
    pydantic_ai = pytest.importorskip("pydantic_ai")
    import asyncio

    mockbifrost.when(user="hello").reply("Hello.")

    async def say() -> str:
        model = clients.pydantic_ai.model(mockbifrost, "gpt-4o")
        said = str((await pydantic_ai.Agent(model).run("hello")).output)
        await model.client.close()
        return said

    assert [asyncio.run(say()) for _ in range(3)] == ["Hello."] * 3


@pytest.mark.anyio
async def test_a_provider_of_pydantic_ai(mockbifrost: Session) -> None:
    pydantic_ai = pytest.importorskip("pydantic_ai")
    from pydantic_ai.models.openai import OpenAIChatModel

    mockbifrost.when(user="hello").reply("Hello.")
    provider = clients.pydantic_ai.provider(mockbifrost, api_key="sk-bf-team", max_retries=0)
    result = await pydantic_ai.Agent(OpenAIChatModel("openai/gpt-4o", provider=provider)).run("hello")

    assert result.output == "Hello."
    assert asked(mockbifrost) == (mockbifrost.id, "Bearer sk-bf-team", None)
    assert provider.client.max_retries == 0
    await provider.client.close()


@pytest.mark.anyio
async def test_a_chat_model_of_langchain(mockbifrost: Session) -> None:
    pytest.importorskip("langchain_openai")
    mockbifrost.when(user="hello").reply("Hello.")
    model = clients.langchain.chat_model(mockbifrost, "gpt-4o", default_headers=HEADERS, temperature=0.5)

    assert model.invoke("hello").content == "Hello."
    assert asked(mockbifrost) == (mockbifrost.id, f"Bearer {mockbifrost.api_key}", "blue")
    assert mockbifrost.last.body["temperature"] == 0.5
    chunks = [chunk async for chunk in model.astream("hello")]
    assert "".join([str(chunk.content) for chunk in chunks]) == "Hello."
    assert sum([chunk.usage_metadata["output_tokens"] for chunk in chunks if chunk.usage_metadata]) > 0
    model.root_client.close()
    await model.root_async_client.close()


HELPERS: Mapping[str, tuple[Callable[[Session], object], str, str]] = {
    "openai": (clients.openai.client, "openai", "openai"),
    "async openai": (clients.openai.async_client, "openai", "openai"),
    "pydantic-ai": (clients.pydantic_ai.provider, "pydantic_ai", "pydantic-ai-slim[openai]"),
    "model of pydantic-ai": (
        lambda session: clients.pydantic_ai.model(session, "gpt-4o"),
        "pydantic_ai",
        "pydantic-ai-slim[openai]",
    ),
    "langchain": (
        lambda session: clients.langchain.chat_model(session, "gpt-4o"),
        "langchain_openai",
        "langchain-openai",
    ),
}


@pytest.mark.parametrize("name", HELPERS)
def test_a_client_that_is_not_installed_is_told_with_the_command_that_installs_it(
    mockbifrost: Session, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    helper, module, package = HELPERS[name]
    without(monkeypatch, module)

    with pytest.raises(UsageError, match=f"needs {module}, which is not installed: pip install") as caught:
        helper(mockbifrost)
    assert f"'{package}'" in str(caught.value)


def test_what_a_client_lacks_itself_is_not_hidden(mockbifrost: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    without(monkeypatch, "openai", lacks="something_of_its_own")

    with pytest.raises(ModuleNotFoundError, match="something_of_its_own"):
        clients.openai.client(mockbifrost)


def without(monkeypatch: pytest.MonkeyPatch, module: str, *, lacks: str | None = None) -> None:
    """As if it were not installed; `lacks`: as if it lacked that."""
    real = builtins.__import__

    def refuse(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level == 0 and name.partition(".")[0] == module:
            missing = lacks or module
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return real(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_nothing_is_imported_before_a_client_is_made() -> None:
    import subprocess

    program = (
        "import sys; import mockbifrost.clients;"
        " print(*sorted({'openai', 'pydantic_ai', 'langchain_openai', 'pydantic', 'uvicorn'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
