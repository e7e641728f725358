"""What can be asked of an order, by HTTP and on orders.commands alike."""

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.files import DocumentKind
from shared.contracts.message import Message
from shared.contracts.order import PlacedContent, Units
from shared.contracts.topics import ORDERS_COMMANDS
from shared.contracts.values import Identifier, Language, Line, OrderId, Price


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


class CapturePayment(OrderCommand, type="order.capture.v1"):
    """Take money that the customer's payment has been authorized for."""

    amount: Annotated[Price, Field(ge=1)] | None = None
    """In minor units; all that is authorized and not captured where it is absent."""


class RefundPayment(OrderCommand, type="order.refund.v1"):
    """Give money back that was captured."""

    amount: Annotated[Price, Field(ge=1)] | None = None
    """In minor units; all that is captured and not refunded where it is absent."""
    reason: Line = ""


class VoidPayment(OrderCommand, type="order.void.v1"):
    """Let go of what is authorized and was not captured."""


class BookShipment(OrderCommand, type="order.book-shipment.v1"):
    """Book a shipment at the shop's carrier."""

    units: Units | None = None
    """What is in it; all that are open or shipped where it is absent."""


class CancelShipment(OrderCommand, type="order.cancel-shipment.v1"):
    """Cancel a shipment that the carrier has not got yet."""

    shipment_id: Identifier


class TransferOrder(OrderCommand, type="order.transfer.v1"):
    """Hand the order, as it is now, to the shop's ERP system (R072)."""


class PrintDocument(OrderCommand, type="order.print-document.v1"):
    """Print a document of the order as it is now (R067, R070, R071)."""

    document: DocumentKind
    language: Language | None = None
    """What it is written in; the order's own language where it is absent."""
