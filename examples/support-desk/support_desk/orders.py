"""The shop's orders."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Order:
    """What a customer bought. `total` is in euros."""

    id: str
    total: float
    state: str


@dataclass
class Orders:
    """All orders, and what was refunded."""

    known: dict[str, Order]
    refunded: list[str] = field(default_factory=list)

    def find(self, order_id: str) -> Order | None:
        """The order of that number, if there is one."""
        return self.known.get(order_id)

    def refund(self, order_id: str) -> None:
        """Give the money back."""
        self.refunded.append(order_id)
