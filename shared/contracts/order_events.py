"""What happened to an order; each event carries the order as it is now, so that no reader has to ask."""

from typing import Literal

from shared.contracts.files import DocumentKind
from shared.contracts.message import Message
from shared.contracts.order import OrderSnapshot, PaymentAction, Units, UnitState
from shared.contracts.topics import ORDERS_EVENTS
from shared.contracts.values import Identifier, Language, Line, Price


class OrderEvent(Message, topic=ORDERS_EVENTS):
    """A fact about one order."""

    order: OrderSnapshot

    @property
    def subject(self) -> str:
        return str(self.order.id)

    @property
    def shop_in_data(self) -> str:
        return self.order.shop


class OrderPlaced(OrderEvent, type="order.placed.v1"):
    """The order was accepted; from now on it is handled."""


class ConfirmationRequested(OrderEvent, type="order.confirmation-requested.v1"):
    """Someone wants the order confirmation sent to the customer again; `order` is what the mail shall show."""

    content: Literal["as-then", "as-now"]


class OrderProcessed(OrderEvent, type="order.processed.v1"):
    """A person has noticed the order and sent these units; who it was stands in the envelope's actor (R110)."""

    units: Units


class UnitsMoved(OrderEvent, type="order.units-moved.v1"):
    """These units are in another state now."""

    to: UnitState
    units: Units


class PaymentRequested(OrderEvent, type="order.payment-requested.v1"):
    """The payment provider shall do something with the order's payment, `order.payment.reference`."""

    action: PaymentAction
    request_id: Identifier
    """What reports on the order log refer to."""
    amount: Price
    """In minor units of the order's currency; 0 for `void`."""
    reason: Line = ""


class PaymentStatusChanged(OrderEvent, type="order.payment-status-changed.v1"):
    """The payment provider's reports have changed how far the order is paid: `order.payment_status`, `order.paid`."""


class ShipmentRequested(OrderEvent, type="order.shipment-requested.v1"):
    """The carrier shall take a shipment, or not take it after all."""

    action: Literal["book", "cancel"]
    request_id: Identifier
    """What reports on the order log refer to."""
    units: Units = []  # noqa: RUF012 - pydantic copies it
    """What is in it, where it is booked."""
    shipment_id: Identifier | None = None
    """Which one, where it is cancelled."""


class TransferRequested(OrderEvent, type="order.transfer-requested.v1"):
    """The shop's ERP system shall have the order as it is now (R072)."""

    request_id: Identifier
    """What reports on the order log refer to."""


class DocumentRequested(OrderEvent, type="order.document-requested.v1"):
    """Someone wants a document of the order; `order` is what it shall show."""

    document: DocumentKind
    language: Language
