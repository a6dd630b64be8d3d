"""The refund agent, against a conversation that stands in a file."""

import pytest
from mockbifrost import Session

from support_desk.agent import handle
from support_desk.orders import Orders

SCENARIO = "tests/scenarios/refunds.yaml"


def test_a_delivered_order_is_refunded(gateway: Session, orders: Orders) -> None:
    gateway.load(SCENARIO)

    outcome = handle("I want my money back for order 42.", orders)

    assert (outcome.refunded, outcome.message) == (True, "You get 19.9 euros back.")
    assert orders.refunded == ["42"]
    assert [request.stub.name for request in gateway.requests if request.stub] == [
        "looks the order up",
        "refunds what was delivered",
        "says what was refunded",
    ]


@pytest.mark.parametrize(
    ("number", "message"), [("43", "Order 43 is still on its way."), ("99", "Which order do you mean?")]
)
def test_other_orders_are_not(gateway: Session, orders: Orders, number: str, message: str) -> None:
    gateway.load(SCENARIO)

    outcome = handle(f"I want my money back for order {number}.", orders)

    assert (outcome.refunded, outcome.message) == (False, message)
    assert orders.refunded == []


def test_a_model_that_refunds_too_eagerly_is_held_back(gateway: Session, orders: Orders) -> None:
    # What was added first is asked first: here the model skips the look-up, and asks for too much.
    gateway.when(user="order 43").reply(tool_calls=[{"refund_order": {"order_id": "43"}}])
    gateway.when(tool_result={"name": "refund_order", "text": "can't be refunded"}).reply(
        tool_calls=[{"final_result": {"refunded": False, "message": "It has not arrived yet."}}]
    )
    gateway.load(SCENARIO)

    assert handle("I want my money back for order 43.", orders).message == "It has not arrived yet."
    assert orders.refunded == []


def test_an_answer_of_the_wrong_shape_is_asked_for_again(gateway: Session, orders: Orders) -> None:
    gateway.when(user="Hello").reply(tool_calls=[{"final_result": {"refunded": "perhaps"}}])
    gateway.when(tool_result={"name": "final_result", "text": "valid boolean"}).reply(
        tool_calls=[{"final_result": {"refunded": False, "message": "What can I do for you?"}}]
    )

    assert handle("Hello!", orders).message == "What can I do for you?"
    assert len(gateway.calls) == 2
