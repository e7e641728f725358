"""What happened to an order; each event carries the order as it is now, so that no reader has to ask."""

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.files import DocumentKind
from shared.contracts.message import Message
from shared.contracts.order import MAX_LINES, OrderSnapshot, PaymentAction, Units, UnitState
from shared.contracts.order_log import EffectKey, Text
from shared.contracts.topics import ORDERS_EVENTS
from shared.contracts.values import (
    Email,
    Identifier,
    Language,
    Line,
    LongProse,
    Personal,
    Price,
    masked_email,
)


class OrderEvent(Message, topic=ORDERS_EVENTS):
    """A fact about one order."""

    order: OrderSnapshot

    @property
    def subject(self) -> str:
        return str(self.order.id)

    @property
    def shop_in_data(self) -> str:
        return self.order.shop

    def parameters(self) -> dict[str, str | int]:
        """What the sentence about it on the order log needs; nothing that tells about a person."""
        return {}


def counted(units: Units) -> int:
    """How many units these are in all."""
    return sum(row.units for row in units)


class OrderPlaced(OrderEvent, type="order.placed.v1"):
    """The order was accepted; from now on it is handled."""


class ConfirmationRequested(OrderEvent, type="order.confirmation-requested.v1"):
    """Someone wants the order confirmation sent to the customer again; `order` is what the mail shall show."""

    content: Literal["as-then", "as-now"]


class MessageRequested(OrderEvent, type="order.message-requested.v1"):
    """The customer, or another address, shall get a message about the order (R049)."""

    template: Identifier = "message-about-order"
    """Which message, as notifications calls it; this one has what somebody has written."""
    headline: Personal[Line] = ""
    """The mail's subject, where somebody has written it."""
    text: Personal[LongProse] = ""
    format: Literal["plain", "html"] = "plain"
    to_address: Personal[Email] | None = None
    """The customer's own where it is absent."""
    words: Annotated[dict[Identifier, Line], Field(max_length=20)] = {}  # noqa: RUF012 - pydantic copies it
    """What the message needs beside the order: `{"status": "Skickad"}`."""

    def parameters(self) -> dict[str, str | int]:
        return {"template": self.template, "recipient": masked_email(self.to_address or self.order.customer.email)}


class OrderProcessed(OrderEvent, type="order.processed.v1"):
    """A person has noticed the order and sent these units; who it was stands in the envelope's actor (R110)."""

    units: Units

    def parameters(self) -> dict[str, str | int]:
        return {"units": counted(self.units)}


class UnitsMoved(OrderEvent, type="order.units-moved.v1"):
    """These units are in another state now."""

    to: UnitState
    units: Units
    reason: Line = ""
    return_number: Identifier | None = None
    """The return that they are, or were (R131)."""

    def parameters(self) -> dict[str, str | int]:
        said: dict[str, str | int] = {"to": self.to, "units": counted(self.units)}
        return said | ({"return": self.return_number} if self.return_number else {})


class OrderCancelled(OrderEvent, type="order.cancelled.v1"):
    """These units will not be delivered (R131); `order.cancelled` where that is the whole order."""

    units: Units
    reason: Line = ""

    def parameters(self) -> dict[str, str | int]:
        return {"units": counted(self.units)}


class StatusChanged(OrderEvent, type="order.status-changed.v1"):
    """The customer is shown another status: `order.status` (R035)."""

    before: Identifier

    def parameters(self) -> dict[str, str | int]:
        return {"before": self.before, "after": self.order.status}


class LineStatusChanged(OrderEvent, type="order.line-status-changed.v1"):
    """These lines have another status (R024)."""

    status: Identifier
    line_ids: Annotated[list[Identifier], Field(max_length=MAX_LINES)]

    def parameters(self) -> dict[str, str | int]:
        return {"after": self.status, "lines": len(self.line_ids)}


class InternalStatusChanged(OrderEvent, type="order.internal-status-changed.v1"):
    """The merchant's own status is another: `order.internal_status` (R036)."""

    before: Identifier | None

    def parameters(self) -> dict[str, str | int]:
        return {"before": self.before or "", "after": self.order.internal_status or ""}


class MovedToFolder(OrderEvent, type="order.moved-to-folder.v1"):
    """The order lies in another folder: `order.folder` (R040)."""

    before: Identifier | None

    def parameters(self) -> dict[str, str | int]:
        return {"before": self.before or "", "after": self.order.folder or ""}


class CommentAdded(OrderEvent, type="order.comment-added.v1"):
    """Somebody has written an internal comment; what it says, orders alone tells (R065)."""

    comment_id: Identifier

    def parameters(self) -> dict[str, str | int]:
        return {"comment": self.comment_id}


class CommentDeleted(OrderEvent, type="order.comment-deleted.v1"):
    """An internal comment was deleted; it stays in the order's log (R066)."""

    comment_id: Identifier

    def parameters(self) -> dict[str, str | int]:
        return {"comment": self.comment_id}


class ContactCorrected(OrderEvent, type="order.contact-corrected.v1"):
    """How the customer is reached was corrected (R124)."""

    before: Annotated[dict[Identifier, Line], Field(max_length=20)]
    """What was corrected, and what stood there, masked: `{"email": "a***@example.org"}`."""

    def parameters(self) -> dict[str, str | int]:
        return dict(self.before)


class CustomerAttached(OrderEvent, type="order.customer-attached.v1"):
    """The order belongs to a customer's account, or to none again: `order.customer.customer_id` (R114)."""


class PaymentRequested(OrderEvent, type="order.payment-requested.v1"):
    """The payment provider shall do something with the order's payment, `order.payment.reference`."""

    action: PaymentAction
    request_id: Identifier
    """What reports on the order log refer to."""
    amount: Price
    """In minor units of the order's currency; 0 for `void`."""
    reason: Line = ""

    def parameters(self) -> dict[str, str | int]:
        return {"action": self.action, "amount": self.amount}


class PaymentStatusChanged(OrderEvent, type="order.payment-status-changed.v1"):
    """The payment provider's reports have changed how far the order is paid: `order.payment_status`, `order.paid`."""

    def parameters(self) -> dict[str, str | int]:
        return {"after": self.order.payment_status}


class ShipmentRequested(OrderEvent, type="order.shipment-requested.v1"):
    """The carrier shall take a shipment, or not take it after all."""

    action: Literal["book", "cancel"]
    request_id: Identifier
    """What reports on the order log refer to."""
    units: Units = []  # noqa: RUF012 - pydantic copies it
    """What is in it, where it is booked."""
    shipment_id: Identifier | None = None
    """Which one, where it is cancelled."""

    def parameters(self) -> dict[str, str | int]:
        return {"action": self.action}


class TransferRequested(OrderEvent, type="order.transfer-requested.v1"):
    """The shop's ERP system shall have the order as it is now (R072)."""

    request_id: Identifier
    """What reports on the order log refer to."""


class DocumentRequested(OrderEvent, type="order.document-requested.v1"):
    """Someone wants a document of the order; `order` is what it shall show."""

    document: DocumentKind
    language: Language

    def parameters(self) -> dict[str, str | int]:
        return {"document": self.document}


class RepairRequested(OrderEvent, type="order.repair-requested.v1"):
    """Somebody wants put right what an entry of the order's log tells of; `service` does it, and answers on the log.

    The answer is `repair.made`, `effect.settled` or `repair.refused`.
    """

    service: Identifier
    """Which service has written the entry, or made the call."""
    entry_id: Identifier
    """The entry's `id` on orders.log."""
    action: Literal["retry", "skip", "settle"]
    group: Identifier | None = None
    """Whose lane the message is in, where one is tried again or skipped."""
    message_id: Identifier | None = None
    message_source: Identifier | None = None
    key: EffectKey | None = None
    """Which call, where one is settled."""
    happened: bool | None = None
    again: bool = False
    """Where it did not happen: whether the call is made again."""
    reason: Text = ""

    def parameters(self) -> dict[str, str | int]:
        return {"action": self.action, "entry": self.entry_id}
