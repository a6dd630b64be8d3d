"""What the tests share. The fixture `mockbifrost` comes with the package: a session of its own for each test."""

from collections.abc import Iterator

import pytest
from mockbifrost import Session, clients
from openai import OpenAI

from support_desk.orders import Order, Orders


@pytest.fixture
def orders() -> Orders:
    """One order that may be refunded, and one that may not."""
    return Orders({"42": Order("42", 19.9, "delivered"), "43": Order("43", 5.0, "shipped")})


@pytest.fixture
def client(mockbifrost: Session) -> Iterator[OpenAI]:
    """The client that the application is given, pointed at the session of this test."""
    with clients.openai.client(mockbifrost) as client:
        yield client
