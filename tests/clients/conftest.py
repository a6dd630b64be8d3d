"""Real clients on real sockets of this machine, and on no other."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from mockbifrost import MockBifrost, Session
from tests.clients.this_machine import is_here, is_setting


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Refuses to look up or connect to another machine, and fails the test that tried, even where the client hid it."""
    refused: list[str] = []

    def check(host: object) -> None:
        if not is_here(host):
            refused.append(str(host))
            raise OSError(f"tests have no network: {host!r} is another machine")

    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def checked_connect(this: socket.socket, address: Any) -> None:
        check(address[0] if isinstance(address, tuple) else None)
        connect(this, address)

    def checked_connect_ex(this: socket.socket, address: Any) -> int:
        check(address[0] if isinstance(address, tuple) else None)
        return connect_ex(this, address)

    def checked_getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
        check(host)
        return getaddrinfo(host, *args, **options)

    monkeypatch.setattr(socket.socket, "connect", checked_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", checked_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", checked_getaddrinfo)
    yield refused
    assert refused == []


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's keys, addresses and proxies don't reach the clients."""
    for name in list(os.environ):
        if is_setting(name):
            monkeypatch.delenv(name)


@pytest.fixture
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio."""
    return "asyncio"


@pytest.fixture
def unverified(mockbifrost_server: MockBifrost) -> Iterator[Session]:
    """A session for tests in which a request is meant to go unanswered."""
    with mockbifrost_server.session(verify=False) as session:
        yield session
