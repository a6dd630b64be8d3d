"""The agent that handles refunds: it looks an order up, refunds it where it may, and says what it did."""

from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.models import Model

from support_desk.orders import Orders

INSTRUCTIONS = "You handle refunds for a shop. Look the order up first. Refund only what was delivered."


class Outcome(BaseModel):
    """What became of a customer's wish."""

    refunded: bool
    message: str


def refund_agent(model: Model | str = "openai-chat:gpt-4o") -> Agent[Orders, Outcome]:
    """A new agent. The gateway's address and key come from OPENAI_BASE_URL and OPENAI_API_KEY."""
    agent = Agent(model, deps_type=Orders, output_type=Outcome, instructions=INSTRUCTIONS)

    @agent.tool
    def lookup_order(context: RunContext[Orders], order_id: str) -> dict[str, str | float]:
        """Look an order up by its number."""
        order = context.deps.find(order_id)
        if order is None:
            raise ModelRetry(f"There is no order {order_id}. Ask for the number.")
        return {"id": order.id, "total": order.total, "state": order.state}

    @agent.tool
    def refund_order(context: RunContext[Orders], order_id: str) -> str:
        """Give the customer the money back."""
        order = context.deps.find(order_id)
        if order is None or order.state != "delivered":
            raise ModelRetry(f"Order {order_id} can't be refunded.")
        context.deps.refund(order_id)
        return "refunded"

    return agent


def handle(wish: str, orders: Orders) -> Outcome:
    """Do what the customer wants, if it may be done."""
    return refund_agent().run_sync(wish, deps=orders).output
