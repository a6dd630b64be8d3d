"""The gateway's own routes that clear its cache: of the session that the request belongs to, and of no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mockbifrost import MockBifrost, Session
from mockbifrost.gateway.cache import Lookup, lookup_of
from mockbifrost.gateway.configuration import CacheRules
from mockbifrost.match.conversation import Conversation
from mockbifrost.provider.answer import Answer, Draft
from mockbifrost.wire.request import validate
from tests.inside import state_of
from tests.socket.process import serving
from tests.socket.raw_http import Response, ask
from tests.socket.test_socket_routes import refused

CLEARED = {"message": "Cache cleared successfully"}
ODD = "schlüssel/😀 +1"


@pytest.fixture
def other(server: MockBifrost) -> Iterator[Session]:
    with server.session(verify=False) as opened:
        yield opened


def stored(session: Session, said: str, key: str) -> str:
    """Store an answer; the id of its entry."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": said}]}
    lookup = lookup_of(CacheRules(), Conversation(validate(body), body), {"x-bf-cache-key": key}, "openai", "gpt-4o")
    assert isinstance(lookup, Lookup)
    answer = Answer(Draft(), "a", 0, "gpt-4o", "")
    state_of(session).gateway_state.cache.store(lookup, answer, 10, 0.0)
    return lookup.id


def held(session: Session) -> int:
    return len(state_of(session).gateway_state.cache)


def clear(server: MockBifrost, path: str, **headers: str) -> Response:
    return ask(server.port, "DELETE", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_one_entry_is_cleared_by_its_id(server: MockBifrost, session: Session, other: Session) -> None:
    ids = [stored(session, said, "k") for said in ("a", "b")]
    stored(other, "a", "k")

    response = clear(server, f"/s/{session.id}/api/cache/clear/{ids[0]}")

    assert (response.status, response.json()) == (200, CLEARED)
    assert response.header("content-type") == "application/json"
    assert (held(session), held(other)) == (1, 1)


def test_all_entries_of_a_key_are_cleared(server: MockBifrost, session: Session) -> None:
    for said, key in (("a", "k"), ("b", "k"), ("c", "l")):
        stored(session, said, key)

    assert clear(server, f"/s/{session.id}/api/cache/clear-by-key/k").json() == CLEARED
    assert held(session) == 1


@pytest.mark.parametrize("key", [ODD, ODD.encode().decode("latin-1")], ids=["in settings", "in a header"])
def test_a_key_may_be_any_text(server: MockBifrost, session: Session, key: str) -> None:
    stored(session, "a", key)

    assert clear(server, f"/s/{session.id}/api/cache/clear-by-key/schl%C3%BCssel%2F%F0%9F%98%80%20+1").json() == CLEARED
    assert held(session) == 0


def test_the_session_is_chosen_as_for_the_endpoint(server: MockBifrost, session: Session, other: Session) -> None:
    left = []
    for headers in ({"x_mockbifrost_session": session.id}, {"authorization": f"Bearer {session.api_key}"}):
        for one in (session, other):
            stored(one, "a", "k")
        assert clear(server, "/api/cache/clear-by-key/k", **headers).json() == CLEARED
        left.append((held(session), held(other)))

    assert left == [(0, 1), (0, 1)]


@pytest.mark.parametrize("path", ["clear/unheard-of", "clear-by-key/unheard-of"])
def test_what_is_not_there_counts_as_cleared(server: MockBifrost, session: Session, path: str) -> None:
    response = clear(server, f"/s/{session.id}/api/cache/{path}")

    assert (response.status, response.json()) == (200, CLEARED)


@pytest.mark.parametrize(("path", "message"), [("clear/", "Invalid cache ID"), ("clear-by-key/", "Invalid cache key")])
def test_an_empty_name_is_an_error_of_the_gateway(
    server: MockBifrost, session: Session, path: str, message: str
) -> None:
    stored(session, "a", "k")
    response = clear(server, f"/s/{session.id}/api/cache/{path}")

    assert response.status == 400
    assert response.header("x-mockbifrost-error") is None
    assert response.json() == {
        "is_bifrost_error": False,
        "status_code": 400,
        "error": {"message": message},
        "extra_fields": {},
    }
    assert held(session) == 1


def test_other_methods_and_paths_are_told(server: MockBifrost) -> None:
    for method in ("GET", "POST"):
        message = refused(ask(server.port, method, "/api/cache/clear/x"), 405, "wrong_method")
        assert message == f"{method} /api/cache/clear/x is not possible: this path takes DELETE only."
    for path in ("/api/cache/clear", "/api/cache/clear-by-key", "/api/cache"):
        refused(clear(server, path), 404, "unknown_path")


def test_a_finished_session_is_refused(server: MockBifrost) -> None:
    with server.session() as session:
        path = f"/s/{session.id}/api/cache/clear/x"

    refused(clear(server, path), 400, "session_finished")


def test_the_cache_is_the_clients_to_clear_on_any_address(tmp_path: Path) -> None:
    """It is a route of the gateway, and none of the control API: no token is wanted."""
    env = {"MOCKBIFROST_CONTROL_TOKEN": "s3cret"}
    with serving(tmp_path, "version: 1\nstubs: [Yes.]\n", "--host", "0.0.0.0", env=env) as process:
        assert ask(process.port, "DELETE", "/api/cache/clear-by-key/k").json() == CLEARED
