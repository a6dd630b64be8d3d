"""Which path leads where, and what the others are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from mockbifrost import MockBifrost, Session
from tests.socket.raw_http import PATH, Response, ask, chat_body

CHAT_PATHS = [
    "/pydanticai/v1/chat/completions",
    "/pydanticai/chat/completions",
    "/v1/chat/completions",
    "/openai/v1/chat/completions",
    "/openai/chat/completions",
    "/langchain/v1/chat/completions",
    "/langchain/chat/completions",
    "/litellm/v1/chat/completions",
    "/litellm/chat/completions",
]
MODELS_PATHS = [path.replace("chat/completions", "models") for path in CHAT_PATHS]


def refused(response: Response, status: int, kind: str) -> str:
    """The message of an error of the server itself, once its envelope is known to be whole."""
    body = response.json()
    error = body["error"]
    assert response.status == status
    assert response.header("content-type") == "application/json"
    assert response.header("x-mockbifrost-error") == kind
    assert response.header("x-should-retry") == "false"
    assert body == {
        "type": f"mockbifrost_{kind}",
        "is_bifrost_error": False,
        "status_code": status,
        "error": {"type": f"mockbifrost_{kind}", "code": kind, "message": error["message"]},
        "extra_fields": {},
    }
    return str(error["message"])


@pytest.mark.parametrize("path", CHAT_PATHS)
def test_the_endpoint_answers_under_each_prefix(server: MockBifrost, session: Session, path: str) -> None:
    response = ask(server.port, "POST", f"/s/{session.id}{path}", chat_body("hello"))

    assert (response.status, response.text) == (200, "Hello to you.")


def test_the_prefix_changes_nothing_of_the_answer(server: MockBifrost) -> None:
    bodies = set()
    for path in CHAT_PATHS:
        with server.session() as session:
            bodies.add(ask(server.port, "POST", f"/s/{session.id}{path}", chat_body("hello")).body)

    assert len(bodies) == 1


@pytest.mark.parametrize("path", MODELS_PATHS)
@pytest.mark.parametrize("prefix", ["", "/s/models-test"], ids=["alone", "in a session"])
def test_the_models_of_the_providers_are_listed(server: MockBifrost, prefix: str, path: str) -> None:
    response = ask(server.port, "GET", prefix + path)

    listing = response.json()
    assert (response.status, listing["object"]) == (200, "list")
    assert {"openai/gpt-4o", "anthropic/claude-sonnet-4-5"} <= {row["id"] for row in listing["data"]}
    assert {frozenset(row) for row in listing["data"]} == {frozenset({"id", "object", "owned_by", "created"})}


def test_the_models_follow_the_settings_of_the_session() -> None:
    scenario = """
version: 1
gateway: {providers: {mine: {models: [small, large, "other-*"]}}}
stubs: []
"""
    with MockBifrost([scenario]) as server:
        listing = ask(server.port, "GET", "/pydanticai/v1/models").json()

    assert [row["id"] for row in listing["data"]] == ["mine/small", "mine/large"]


@pytest.mark.parametrize("path", ["/health", "/s/anything/health"])
def test_health_is_the_gateways(server: MockBifrost, path: str) -> None:
    response = ask(server.port, "GET", path)

    assert (response.status, response.body) == (200, b'{"status":"ok"}')


def test_health_makes_no_session(server: MockBifrost) -> None:
    ask(server.port, "GET", "/s/never-asked/health")

    assert ask(server.port, "GET", "/__mockbifrost/sessions/never-asked").status == 404


@dataclass(frozen=True, slots=True)
class Hint:
    """A path that is nearly right, and what its answer must say."""

    path: str
    says: str


HINTS = [
    Hint("/chat/completions", "The base URL lacks its path: set it to http://HOST:PORT/pydanticai/v1."),
    Hint("/pydanticai/v1/v1/chat/completions", "The path has /v1 twice: the base URL of a client ends with"),
    Hint("/v1/v1/chat/completions", "The path has /v1 twice"),
    Hint("/pydanticai/v1/chat/completions/", "Leave out the slash at the end."),
    Hint("/pydanticai/v1//chat/completions", "The path has two slashes in a row"),
    Hint("//v1/chat/completions", "The path has two slashes in a row"),
    Hint("/pydanticai/v1/responses", "In pydantic-ai use the model name 'openai-chat:…' or OpenAIChatModel"),
    Hint("/responses", "in the AI SDK use openai.chat('…')"),
    Hint("/v1/responses/", "call client.chat.completions.create(…)"),
    Hint("/pydanticai/v1/embeddings", "The endpoint is POST /pydanticai/v1/chat/completions; also here:"),
    Hint("/", "The endpoint is POST /pydanticai/v1/chat/completions; also here:"),
    Hint("/PYDANTICAI/v1/chat/completions", "The endpoint is POST /pydanticai/v1/chat/completions; also here:"),
]


@pytest.mark.parametrize("hint", HINTS, ids=[hint.path for hint in HINTS])
@pytest.mark.parametrize("prefix", ["", "/s/hints"], ids=["alone", "in a session"])
def test_a_path_that_is_nearly_right_gets_a_hint(server: MockBifrost, hint: Hint, prefix: str) -> None:
    response = ask(server.port, "POST", prefix + hint.path, chat_body("hello"))

    message = refused(response, 404, "unknown_path")
    assert message.startswith(f"Route not found: POST {prefix}{hint.path}.")
    assert hint.says in message


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", [PATH, "/s/methods/v1/chat/completions"])
def test_the_endpoint_takes_post_only(server: MockBifrost, method: str, path: str) -> None:
    response = ask(server.port, method, path)

    message = refused(response, 405, "wrong_method")
    assert message.endswith("/chat/completions is not possible: this path takes POST only.")
    assert response.header("allow") == "POST"


@pytest.mark.parametrize("path", ["/health", "/v1/models"])
def test_what_is_read_takes_get_only(server: MockBifrost, path: str) -> None:
    response = ask(server.port, "POST", path, b"{}")

    assert refused(response, 405, "wrong_method") == f"POST {path} is not possible: this path takes GET only."
    assert response.header("allow") == "GET"


@pytest.mark.parametrize("path", ["/health", "/v1/models", PATH, "/nowhere", "/__mockbifrost/ready"])
def test_head_is_get_without_its_body(server: MockBifrost, path: str) -> None:
    head, get = ask(server.port, "HEAD", path), ask(server.port, "GET", path)

    assert head.status == get.status
    assert head.body == b""
    assert {name for name, _ in head.headers} == {name for name, _ in get.headers}


LOCAL = [
    "http://localhost",
    "http://localhost:3000",
    "https://localhost:8443",
    "http://127.0.0.1:5173",
    "http://[::1]:1",
]
FOREIGN = ["https://example.com", "http://localhost.example.com", "http://127.0.0.1.example.com", "null", ""]
METHODS = "GET, POST, PUT, DELETE, PATCH, OPTIONS, HEAD"
ALLOWED_HEADERS = (
    "Content-Type, Authorization, X-Requested-With, X-Stainless-Timeout, X-Api-Key, X-OpenAI-Agents-SDK, X-Operation-ID"
)


@pytest.mark.parametrize("origin", LOCAL)
def test_a_page_of_this_machine_may_call(server: MockBifrost, session: Session, origin: str) -> None:
    path = f"/s/{session.id}/v1/chat/completions"
    preflight = ask(server.port, "OPTIONS", path, headers={"origin": origin})
    answers = [
        ask(server.port, "POST", path, chat_body("hello"), headers={"origin": origin}),
        ask(server.port, "POST", path, chat_body("hello", stream=True), headers={"origin": origin}),
        ask(server.port, "POST", path, b"{", headers={"origin": origin}),
        ask(server.port, "GET", "/v1/models", headers={"origin": origin}),
        ask(server.port, "POST", "/responses", chat_body("hello"), headers={"origin": origin}),
    ]

    assert (preflight.status, preflight.body) == (200, b"")
    assert [answer.status for answer in answers] == [200, 200, 400, 200, 404]
    for response in [preflight, *answers]:
        assert response.header("access-control-allow-origin") == origin
        assert response.header("access-control-allow-methods") == METHODS
        assert response.header("access-control-allow-headers") == ALLOWED_HEADERS
        assert response.header("access-control-allow-credentials") == "true"
        assert response.header("access-control-max-age") == "86400"
        assert response.header("vary") == "Origin"


@pytest.mark.parametrize("origin", FOREIGN)
def test_another_page_may_not(server: MockBifrost, origin: str) -> None:
    preflight = ask(server.port, "OPTIONS", PATH, headers={"origin": origin})
    answer = ask(server.port, "GET", "/v1/models", headers={"origin": origin})

    assert (preflight.status, preflight.body) == (403, b"")
    assert preflight.header("access-control-allow-origin") is None
    assert (answer.status, answer.header("access-control-allow-origin")) == (200, None)


def test_a_preflight_without_an_origin_is_refused(server: MockBifrost) -> None:
    assert ask(server.port, "OPTIONS", PATH).status == 403


def test_an_absolute_target_is_its_path(server: MockBifrost) -> None:
    response = ask(server.port, "POST", f"http://elsewhere.example{PATH}?x=1", chat_body("hello"))

    assert response.text == "Hello to you."


def test_the_listing_of_models_follows_the_virtual_key() -> None:
    scenario = """
version: 1
gateway:
  providers: {openai: {models: [gpt-4o, o4-mini]}, mistral: {models: [large]}}
  virtual_keys: {sk-bf-a: {name: team-a, providers: {openai: [gpt-4o]}}}
"""
    with MockBifrost(scenarios=[scenario]) as server:

        def listed(path: str, **headers: str) -> Any:
            return ask(server.port, "GET", path, headers=headers)

        mine = listed("/pydanticai/v1/models", authorization="Bearer sk-bf-a").json()
        assert [row["id"] for row in mine["data"]] == ["openai/gpt-4o"]
        assert [row["id"] for row in listed("/v1/models?provider=mistral").json()["data"]] == ["mistral/large"]
        blocked = listed("/v1/models?provider=mistral", authorization="Bearer sk-bf-a")
        assert (blocked.status, blocked.json()["type"]) == (403, "provider_blocked")
        unknown = listed("/v1/models", authorization="Bearer sk-bf-b")
        assert (unknown.status, unknown.json()["type"]) == (401, "virtual_key_not_found")
