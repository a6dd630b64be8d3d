"""The description of the control API is what the server does: the same routes, and answers that its schemas allow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from mockbifrost import __version__
from mockbifrost.clock import CLOCK_MODES
from mockbifrost.serve.control import ROOT, Control
from mockbifrost.serve.settings import ServerSettings
from mockbifrost.session.registry import LONGEST_ID
from mockbifrost.session.session import MOST_SNAPSHOTS
from mockbifrost.wire.profiles import PROFILES
from tests.app.in_process import Answer, App

SCENARIO = "version: 1\nstubs: [{when: {user: hello}, reply: Hello.}]\n"
METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}


@pytest.fixture
def app() -> Iterator[App]:
    running = App(SCENARIO)
    yield running
    running.close()


@pytest.fixture
def described(app: App) -> Any:
    answer = app.ask("GET", f"{ROOT}/openapi.json")
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    return answer.json()


def resolved(described: Any, part: Any) -> Any:
    while "$ref" in part:
        target = described
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part


def fits(described: Any, schema: Any, value: Any) -> None:
    jsonschema.Draft202012Validator({**schema, "components": described["components"]}).validate(value)


def test_each_route_is_described_and_no_other(app: App, described: Any) -> None:
    control = Control(app.sessions, ServerSettings())

    routes = {(path, method.lower()) for path, methods in control.table.items() for method in methods}
    assert {(path, verb) for path, item in described["paths"].items() for verb in METHODS & item.keys()} == routes
    assert described["servers"] == [{"url": ROOT}]
    assert (described["openapi"], described["info"]["version"]) == ("3.1.0", __version__)


def test_a_path_has_its_parameters(described: Any) -> None:
    for path, item in described["paths"].items():
        named = [resolved(described, parameter) for parameter in item.get("parameters", [])]
        assert [(one["name"], one["in"], one["required"]) for one in named] == [
            (name, "path", True) for name in re.findall(r"{(\w+)}", path)
        ]


def test_all_references_lead_somewhere_and_all_schemas_are_schemas(described: Any) -> None:
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(described)):
        assert resolved(described, {"$ref": reference})
    found = [*schemas(described), *described["components"]["schemas"].values()]
    assert len(found) > len(described["paths"])
    for schema in found:
        jsonschema.Draft202012Validator.check_schema(schema)


def schemas(part: Any) -> Iterator[Any]:
    if isinstance(part, dict):
        yield from [part["schema"]] if "schema" in part else []
        for value in part.values():
            yield from schemas(value)
    elif isinstance(part, list):
        for value in part:
            yield from schemas(value)


def test_the_words_are_those_of_the_server(described: Any) -> None:
    wanted = described["paths"]["/sessions"]["post"]["requestBody"]["content"]["application/json"]["schema"][
        "properties"
    ]
    clock = described["paths"]["/sessions/{id}/clock"]["post"]["requestBody"]["content"]["application/json"]["schema"]

    assert wanted["clock"]["enum"] == [*CLOCK_MODES, None]
    assert wanted["version"]["enum"] == [*PROFILES, None]
    assert wanted["id"]["maxLength"] == LONGEST_ID
    assert clock["properties"]["mode"]["enum"] == list(CLOCK_MODES)
    assert described["components"]["schemas"]["Session"]["properties"]["clock"]["properties"]["mode"]["enum"] == list(
        CLOCK_MODES
    )


S = "/sessions/{id}"
HELLO = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
ASKED: list[tuple[str, str, str, Any, int]] = [
    ("get", "/ready", "", None, 200),
    ("get", "/version", "", None, 200),
    ("get", "/openapi.json", "", None, 200),
    ("get", "/metrics", "", None, 200),
    ("get", "/events", "?kind=x", None, 400),
    ("get", "/sessions", "", None, 200),
    ("post", "/sessions", "", {"seed": 7, "clock": "flow", "version": "2.2"}, 201),
    ("post", "/sessions", "", {"id": "default"}, 409),
    ("post", "/sessions", "", {"clock": "x"}, 400),
    ("get", S, "default", None, 200),
    ("get", S, "none", None, 404),
    ("post", f"{S}/stubs", "default", ["Yes.", {"name": "no", "reply": "No."}], 201),
    ("post", f"{S}/stubs", "default", {"rply": "No."}, 400),
    ("post", f"{S}/stubs", "none", {"reply": "No."}, 404),
    ("get", f"{S}/stubs", "default", None, 200),
    ("get", f"{S}/stubs", "none", None, 404),
    *[("post", f"{S}/snapshots", "default", None, 201)] * MOST_SNAPSHOTS,
    ("post", f"{S}/snapshots", "default", None, 409),
    ("post", f"{S}/snapshots", "none", None, 404),
    ("post", f"{S}/rollback", "default", {"number": 1}, 200),
    ("post", f"{S}/rollback", "default", {"number": 1, "forget": True}, 200),
    ("post", f"{S}/rollback", "default", {"number": 9}, 404),
    ("post", f"{S}/rollback", "default", {"number": True}, 400),
    ("put", f"{S}/stubs/{{stub}}", "default", {"name": "put", "reply": "Put."}, 200),
    ("put", f"{S}/stubs/{{stub}}", "default", {"rply": "No."}, 400),
    ("put", f"{S}/stubs/{{stub}}", "none", {"reply": "No."}, 404),
    ("put", f"{S}/stubs/{{stub}}", "default!app.yaml%230", {"reply": "No."}, 409),
    (
        "post",
        f"{S}/files",
        "default",
        {"files": [{"name": "a.yaml", "text": "version: 1\nstubs: [A.]\n", "line": 3}]},
        201,
    ),
    ("post", f"{S}/files", "default", {"files": [{"name": "a.yaml", "text": "a", "use": "cassette"}]}, 400),
    ("post", f"{S}/files", "none", {"files": []}, 404),
    ("post", f"{S}/cassettes", "default?file=refund.yaml", {"version": 1, "interactions": []}, 201),
    ("post", f"{S}/cassettes", "default", {"interactions": 1}, 400),
    ("post", f"{S}/cassettes", "none", {}, 404),
    ("get", f"{S}/journal", "default", None, 200),
    ("get", f"{S}/journal", "default?since=x", None, 400),
    ("get", f"{S}/journal", "none", None, 404),
    ("get", f"{S}/journal/{{n}}", "default", None, 200),
    ("get", f"{S}/journal/{{n}}", "none", None, 404),
    ("get", f"{S}/calls", "default", None, 200),
    ("get", f"{S}/calls", "none", None, 404),
    ("post", f"{S}/verify", "default", {}, 200),
    ("post", f"{S}/verify", "default", {"own": ["loaded#1.1"]}, 409),
    ("post", f"{S}/verify", "default", {"own": 1}, 400),
    ("post", f"{S}/verify", "default", {"unused": False, "patience_s": 0}, 200),
    ("post", f"{S}/verify", "default", {"unused": 1}, 400),
    ("post", f"{S}/verify", "default", {"patience_s": -1}, 400),
    ("get", f"{S}/late", "default", None, 200),
    ("post", f"{S}/verify", "none", None, 404),
    ("post", f"{S}/explain", "default", HELLO, 200),
    ("post", f"{S}/explain", "default", [], 400),
    ("post", f"{S}/explain", "none", HELLO, 404),
    ("get", f"{S}/ledger", "default", None, 200),
    ("get", f"{S}/ledger", "none", None, 404),
    ("get", f"{S}/unplayed", "default", None, 200),
    ("get", f"{S}/unplayed", "none", None, 404),
    ("post", f"{S}/clock", "default", {"advance": "5m", "mode": "real"}, 200),
    ("post", f"{S}/clock", "default", {"advance": "x"}, 400),
    ("post", f"{S}/clock", "none", {"advance": 1}, 404),
    ("post", f"{S}/gates/{{name}}", "default", {"state": "open"}, 200),
    ("post", f"{S}/gates/{{name}}", "default", {"state": "x"}, 400),
    ("post", f"{S}/gates/{{name}}", "none", {"state": "close"}, 404),
    ("post", f"{S}/reset", "default", None, 200),
    ("post", f"{S}/reset", "none", None, 404),
    ("delete", f"{S}/stubs", "default", None, 200),
    ("delete", f"{S}/stubs", "none", None, 404),
    ("delete", S, "default", None, 200),
    ("delete", S, "none", None, 404),
]


ON_A_SOCKET = {("/events", "get", "200"), ("/events", "get", "409")}
"""What has no end, or too many beginnings: test_socket_events.py has them."""


def asked(app: App, method: str, path: str, id: str, body: Any) -> Answer:
    id, mark, query = id.partition("?")
    id, _, stub = id.partition("!")
    for name, filled in (("id", id), ("stub", stub or "mine"), ("n", "1"), ("name", "door")):
        path = path.replace(f"{{{name}}}", filled)
    whole = ROOT + path + mark + query
    return app.ask(method.upper(), whole, b"" if body is None else json.dumps(body).encode())


def test_answers_are_as_described(app: App, described: Any) -> None:
    """Every status of every operation, in one life of a session."""
    app.chat(b'{"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}')
    app.chat(b"{")
    session = app.sessions.find("default")
    assert session is not None
    session.gateway_state.ledger.charge("team-a", "openai", "gpt-4o", prompt_tokens=3, total_tokens=3, cost=0.25)
    seen = set()
    for method, path, id, body, status in ASKED:
        operation = described["paths"][path][method]
        if status in (200, 201) and body is not None:
            fits(described, operation["requestBody"]["content"]["application/json"]["schema"], body)
        answer = asked(app, method, path, id, body)
        assert answer.status == status, (method, path, answer.body)
        content = resolved(described, operation["responses"][str(status)])["content"]
        (kind,) = {str(answer.header("content-type")).partition(";")[0]} & content.keys()
        fits(described, content[kind]["schema"], answer.json() if kind == "application/json" else answer.body.decode())
        seen.add((path, method, str(status)))

    assert seen | ON_A_SOCKET == {
        (path, verb, status)
        for path, item in described["paths"].items()
        for verb in METHODS & item.keys()
        for status in item[verb]["responses"]
    }


def test_an_unknown_path_is_told_all_there_is(app: App, described: Any) -> None:
    message = app.ask("GET", f"{ROOT}/nothing").json()["error"]["message"]

    assert message == (
        f"The control API has no {ROOT}/nothing; it has ready, version, sessions, events, metrics, openapi.json, "
        "and of a session stubs, files, cassettes, journal, calls, verify, late, explain, ledger, unplayed, reset, snapshots, rollback, "
        "clock, gates."
    )
