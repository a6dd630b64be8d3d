"""What the tests share. The fixture `mockbifrost` comes with the package: a session of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mockbifrost import Session
from openai import OpenAI

from support_desk.orders import Order, Orders

HERE = Path(__file__).parent


@pytest.fixture
def orders() -> Orders:
    """One order that may be refunded, and one that may not."""
    return Orders({"42": Order("42", 19.9, "delivered"), "43": Order("43", 5.0, "shipped")})


@pytest.fixture
def client(mockbifrost: Session) -> Iterator[OpenAI]:
    """The client that the application is given, pointed at the session of this test."""
    with OpenAI(base_url=mockbifrost.base_url, api_key=mockbifrost.api_key, max_retries=2) as client:
        yield client


@pytest.fixture
def gateway(mockbifrost: Session, monkeypatch: pytest.MonkeyPatch) -> Session:
    """The session of this test, for code that reads the gateway's address from the environment."""
    monkeypatch.setenv("OPENAI_BASE_URL", mockbifrost.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", mockbifrost.api_key)
    return mockbifrost
