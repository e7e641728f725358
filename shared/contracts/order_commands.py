"""What can be asked of an order, by HTTP and on orders.commands alike."""

from typing import Literal

from shared.contracts.message import Message
from shared.contracts.order import PlacedContent
from shared.contracts.topics import ORDERS_COMMANDS
from shared.contracts.values import OrderId


class OrderCommand(Message, topic=ORDERS_COMMANDS):
    """Something asked of one order; refused with a reason on the order log where it cannot be done."""

    order_id: OrderId

    @property
    def subject(self) -> str:
        return str(self.order_id)


class PlaceOrder(OrderCommand, PlacedContent, type="order.place.v1"):
    """A customer has confirmed a cart: accept it as an order. The order's id makes it idempotent for ever."""


class ResendConfirmation(OrderCommand, type="order.resend-confirmation.v1"):
    """Send the customer the order confirmation again (R068)."""

    content: Literal["as-then", "as-now"] = "as-then"
    """The order as it was placed, or with its later changes (R069)."""
