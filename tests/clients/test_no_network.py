"""The guard of these tests: only this machine can be reached."""

from __future__ import annotations

import socket

import pytest

from mockbifrost import MockBifrost


@pytest.mark.parametrize("host", ["api.openai.com", "192.0.2.1", "2001:db8::1"])
def test_another_machine_is_refused_and_fails_the_test(no_network: list[str], host: str) -> None:
    with pytest.raises(OSError, match="tests have no network"):
        socket.create_connection((host, 443))

    assert no_network == [host]
    no_network.clear()  # what is left in it fails the test


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached(mockbifrost_server: MockBifrost, host: str) -> None:
    with socket.create_connection((host, mockbifrost_server.port)) as connection:
        assert connection.getpeername()[1] == mockbifrost_server.port
