"""What can be asked of an order, by HTTP and on orders.commands alike."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared.contracts.files import DocumentKind
from shared.contracts.message import Message
from shared.contracts.order import MAX_LINES, CheckoutSteps, OrderLine, PlacedContent, Units
from shared.contracts.topics import ORDERS_COMMANDS
from shared.contracts.values import (
    Address,
    Email,
    Identifier,
    Language,
    Line,
    LongProse,
    Name,
    OrderId,
    Personal,
    Price,
    Prose,
    VatRate,
)


class OrderCommand(Message, topic=ORDERS_COMMANDS):
    """Something asked of one order; refused with a reason on the order log where it cannot be done."""

    order_id: OrderId

    @property
    def subject(self) -> str:
        return str(self.order_id)


class PlaceOrder(OrderCommand, PlacedContent, type="order.place.v1"):
    """A customer has confirmed a cart: accept it as an order. The order's id makes it idempotent for ever."""

    checkout: CheckoutSteps = []  # noqa: RUF012 - pydantic copies it
    """What the customer did on the way (R125); it goes to the order's log."""


class LineToPlace(OrderLine):
    """What was ordered, with its VAT rate or with the class that has one on the day of the order."""

    vat_rate: VatRate | None = None  # type: ignore[assignment]
    """In per cent; where it is absent, `vat_class` says it."""

    @model_validator(mode="after")
    def _has_vat(self) -> "LineToPlace":
        if self.vat_rate is None and self.vat_class is None:
            raise ValueError("neither vat_rate nor vat_class is there")
        return self


class PlaceOrderV2(PlaceOrder, type="order.place.v2"):
    """As `order.place.v1`, and a line may say its VAT class instead of a rate (R084)."""

    lines: Annotated[list[LineToPlace], Field(min_length=1, max_length=MAX_LINES)]  # type: ignore[assignment]


class HandleOrder(OrderCommand):
    """Something asked of an order that is there."""

    if_version: Annotated[int, Field(ge=1, le=10**9)] | None = None
    """The order's version as whoever asks has seen it; refused as `version-conflict` where it is another (R208)."""


class ResendConfirmation(HandleOrder, type="order.resend-confirmation.v1"):
    """Send the customer the order confirmation again (R068)."""

    content: Literal["as-then", "as-now"] = "as-then"
    """The order as it was placed, or with its later changes (R069)."""


class SendMessage(HandleOrder, type="order.send-message.v1"):
    """Write to the customer, or to another address, about the order (R049, R120)."""

    headline: Personal[Name]
    """The mail's subject."""
    text: Personal[Annotated[LongProse, Field(min_length=1)]]
    format: Literal["plain", "html"] = "plain"
    """Whether `text` is HTML (R051); all but formatting and links is taken out: pictures, scripts, forms."""
    to_address: Personal[Email] | None = None
    """The customer's own where it is absent (R050)."""


class ProcessOrder(HandleOrder, type="order.process.v1"):
    """A person has noticed the order and sent these units (R110)."""

    units: Units | None = None
    """All that are open where it is absent; none where the list is empty: the order was noticed, nothing was sent."""


class MoveUnits(HandleOrder):
    """Units are in another state now."""

    units: Units | None = None
    """All for which it is possible where it is absent."""
    reason: Line = ""


class ShipUnits(MoveUnits, type="order.ship.v1"):
    """Units have left: open ones, or back-ordered ones that came in."""


class DeliverUnits(MoveUnits, type="order.deliver.v1"):
    """Units that were shipped have reached the customer."""


class BackOrderUnits(MoveUnits, type="order.back-order.v1"):
    """Open units are not there yet and follow later (R034)."""


class ReturnUnits(MoveUnits, type="order.return.v1"):
    """Units that had left came back: they are a return with a number of its own (R131)."""


class ClaimUnits(MoveUnits, type="order.claim.v1"):
    """The customer complains about units that had left (R034)."""


class CreditUnits(MoveUnits, type="order.credit.v1"):
    """Units that came back, or are complained about, are credited (R034); money is given back by a refund."""

    return_number: Identifier | None = None
    """Which return; its units, where none are named."""


class CancelOrder(HandleOrder, type="order.cancel.v1"):
    """Cancel what has not left yet: the whole order, or units of it. Its payment is let go of, or given back (R131)."""

    units: Units | None = None
    """The whole order where it is absent; refused as `already-shipped` where something has left."""
    reason: Line = ""
    status: Identifier | None = None
    """What the customer is shown of a wholly cancelled order; `cancelled` where it is absent."""


class ChangeStatus(HandleOrder, type="order.change-status.v1"):
    """Show the customer another status of the order (R035)."""

    status: Identifier


class ChangeLineStatus(HandleOrder, type="order.change-line-status.v1"):
    """Give lines a status (R033); one that moves units moves all of theirs for which it is possible."""

    status: Identifier
    line_ids: Annotated[list[Identifier], Field(min_length=1, max_length=MAX_LINES)]


class ChangeInternalStatus(HandleOrder, type="order.change-internal-status.v1"):
    """Give the order another status for the merchant alone (R036), or none."""

    status: Identifier | None


class MoveToFolder(HandleOrder, type="order.move-to-folder.v1"):
    """Put the order into a folder (R040), or into none: "Root" (R042)."""

    folder: Identifier | None


class AddComment(HandleOrder, type="order.add-comment.v1"):
    """Write an internal comment, seen inside the order alone (R065). Its id is the command's."""

    text: Personal[Annotated[Prose, Field(min_length=1)]]


class DeleteComment(HandleOrder, type="order.delete-comment.v1"):
    """Delete an internal comment; it stays in the order's log (R066)."""

    comment_id: Identifier


class CorrectContact(HandleOrder, type="order.correct-contact.v1"):
    """Correct how the customer is reached (R124); what is absent stays."""

    full_name: Personal[Line] | None = None
    company: Personal[Line] | None = None
    email: Personal[Email] | None = None
    phone: Personal[Line] | None = None
    address: Address | None = None
    delivery_address: Address | None = None


class AttachCustomer(HandleOrder, type="order.attach-customer.v1"):
    """Attach the order to a customer's account (R114), or to none again."""

    customer_id: Personal[Identifier] | None


class AddCheckoutSteps(HandleOrder, type="order.add-checkout-steps.v1"):
    """The shop front tells what else the customer did for this order (R125)."""

    steps: Annotated[CheckoutSteps, Field(min_length=1)]


class ConfirmPayment(HandleOrder, type="order.confirm-payment.v1"):
    """A person has seen that the money arrived (R118, R132)."""

    amount: Annotated[Price, Field(ge=1)] | None = None
    """In minor units; what the order comes to less what is there already, where it is absent."""
    reason: Line = ""


class CapturePayment(HandleOrder, type="order.capture.v1"):
    """Take money that the customer's payment has been authorized for."""

    amount: Annotated[Price, Field(ge=1)] | None = None
    """In minor units; all that is authorized and not captured where it is absent."""


class RefundPayment(HandleOrder, type="order.refund.v1"):
    """Give money back that was captured."""

    amount: Annotated[Price, Field(ge=1)] | None = None
    """In minor units; all that is captured and not refunded where it is absent."""
    reason: Line = ""


class VoidPayment(HandleOrder, type="order.void.v1"):
    """Let go of what is authorized and was not captured."""


class BookShipment(HandleOrder, type="order.book-shipment.v1"):
    """Book a shipment at the shop's carrier."""

    units: Units | None = None
    """What is in it; all that are open or shipped where it is absent."""


class CancelShipment(HandleOrder, type="order.cancel-shipment.v1"):
    """Cancel a shipment that the carrier has not got yet."""

    shipment_id: Identifier


class TransferOrder(HandleOrder, type="order.transfer.v1"):
    """Hand the order, as it is now, to the shop's ERP system (R072)."""


class PrintDocument(HandleOrder, type="order.print-document.v1"):
    """Print a document of the order as it is now (R067, R070, R071)."""

    document: DocumentKind
    language: Language | None = None
    """What it is written in; the order's own language where it is absent."""


class RepairEntry(HandleOrder):
    """What an entry of the order's log tells of is put right (R205)."""

    entry_id: Identifier
    """The `id` of that entry on orders.log."""


class RetryEntry(RepairEntry, type="order.retry.v1"):
    """Try it again: a reaction that waits or was given up, or what was asked of others and refused."""


class SkipEntry(RepairEntry, type="order.skip.v1"):
    """Let it be: it is not tried again, and needs nobody any more."""

    reason: Name
    """Why; it is told on the order's log."""


class SettleEntry(RepairEntry, type="order.settle.v1"):
    """Say of a call to the outside, of which nobody knows whether it happened, that it did or did not."""

    happened: bool
    again: bool | None = None
    """Where it did not: whether the call is made again, or given up; has to be said there."""
    reason: Line = ""


class FixAddressAndSend(RepairEntry, type="order.fix-address-and-send.v1"):
    """Correct the customer's e-mail address, and send what could not be sent to the one before."""

    email: Personal[Email]
