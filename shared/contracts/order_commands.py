"""What can be asked of an order, by HTTP and on orders.commands alike."""

from typing import Literal

from shared.contracts.files import DocumentKind
from shared.contracts.message import Message
from shared.contracts.order import PlacedContent, Units
from shared.contracts.topics import ORDERS_COMMANDS
from shared.contracts.values import Language, OrderId


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


class ProcessOrder(OrderCommand, type="order.process.v1"):
    """A person has noticed the order and sent these units (R110)."""

    units: Units | None = None
    """All that are open where it is absent; none where the list is empty: the order was noticed, nothing was sent."""


class ShipUnits(OrderCommand, type="order.ship.v1"):
    """Units have left: open ones, or back-ordered ones that came in."""

    units: Units | None = None
    """All that are open or back-ordered where it is absent."""


class PrintDocument(OrderCommand, type="order.print-document.v1"):
    """Print a document of the order as it is now (R067, R070, R071)."""

    document: DocumentKind
    language: Language | None = None
    """What it is written in; the order's own language where it is absent."""
