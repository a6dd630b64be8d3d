from __future__ import annotations

from mockbifrost.vocabulary.paces import PACES


def test_the_named_paces() -> None:
    assert list(PACES) == ["instant", "typing", "slow"]
    assert all(pace.name == name for name, pace in PACES.items())


def test_instant_never_waits() -> None:
    instant = PACES["instant"]
    assert (instant.ttft_s, instant.tokens_per_second, instant.jitter) == (0.0, None, 0.0)


def test_slow_is_slower_than_typing() -> None:
    slow, typing = PACES["slow"], PACES["typing"]
    assert slow.ttft_s > typing.ttft_s > 0
    assert slow.tokens_per_second is not None
    assert typing.tokens_per_second is not None
    assert slow.tokens_per_second < typing.tokens_per_second
