"""The refund agent, against a conversation that stands in a file. It finds the gateway by the environment, as in production."""

import pytest
from mockbifrost import Session

from support_desk.agent import handle
from support_desk.orders import Orders

pytestmark = [pytest.mark.usefixtures("mockbifrost_env"), pytest.mark.mockbifrost(scenario="scenarios/refunds.yaml")]


def test_a_delivered_order_is_refunded(mockbifrost: Session, orders: Orders) -> None:
    outcome = handle("I want my money back for order 42.", orders)

    assert (outcome.refunded, outcome.message) == (True, "You get 19.9 euros back.")
    assert orders.refunded == ["42"]
    assert [request.stub.name for request in mockbifrost.requests if request.stub] == [
        "looks the order up",
        "refunds what was delivered",
        "says what was refunded",
    ]


@pytest.mark.parametrize(
    ("number", "message"), [("43", "Order 43 is still on its way."), ("99", "Which order do you mean?")]
)
def test_other_orders_are_not(mockbifrost: Session, orders: Orders, number: str, message: str) -> None:
    outcome = handle(f"I want my money back for order {number}.", orders)

    assert (outcome.refunded, outcome.message) == (False, message)
    assert orders.refunded == []


def test_a_model_that_refunds_too_eagerly_is_held_back(mockbifrost: Session, orders: Orders) -> None:
    # Stubs of this test, before those of the file: here the model skips the look-up, and asks for too much.
    mockbifrost.when(user="order 43").reply(tool_calls=[{"refund_order": {"order_id": "43"}}])
    mockbifrost.when(tool_result={"name": "refund_order", "text": "can't be refunded"}).reply(
        tool_calls=[{"final_result": {"refunded": False, "message": "It has not arrived yet."}}]
    )

    assert handle("I want my money back for order 43.", orders).message == "It has not arrived yet."
    assert orders.refunded == []


def test_an_answer_of_the_wrong_shape_is_asked_for_again(mockbifrost: Session, orders: Orders) -> None:
    mockbifrost.when(user="Hello").reply(tool_calls=[{"final_result": {"refunded": "perhaps"}}])
    mockbifrost.when(tool_result={"name": "final_result", "text": "valid boolean"}).reply(
        tool_calls=[{"final_result": {"refunded": False, "message": "What can I do for you?"}}]
    )

    assert handle("Hello!", orders).message == "What can I do for you?"
    assert len(mockbifrost.calls) == 2
