"""Which addresses only this machine can reach."""

from __future__ import annotations

import pytest

from mockbifrost.serve.addresses import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_addresses_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "127.example.org", "127.0.0.1.example.org", "127.1", ""])
def test_all_others_are_not(host: str) -> None:
    assert not is_loopback(host)
