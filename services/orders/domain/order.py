"""The order: what may be done with it, and what has then happened. Whatever is decided here is decided nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from services.orders.domain.payments import Payments
from services.orders.domain.placing import as_placed
from services.orders.domain.shipments import shipments_after
from services.orders.domain.shop import CONFIRMATION, Shop
from services.orders.domain.statuses import line_after
from services.orders.domain.units import SENT_ON, WAITING, Ledger, goods_of, ledger_of, moved, units_in
from services.orders.domain.worth import still_due, worth_of
from shared.contracts.message import Message
from shared.contracts.order import (
    OrderSnapshot,
    PaymentAction,
    PricedLine,
    UnitState,
)
from shared.contracts.order_commands import (
    BookShipment,
    CancelShipment,
    CapturePayment,
    ConfirmPayment,
    OrderCommand,
    PlaceOrder,
    PrintDocument,
    ProcessOrder,
    RefundPayment,
    ResendConfirmation,
    TransferOrder,
    VoidPayment,
)
from shared.contracts.order_events import (
    ConfirmationRequested,
    DocumentRequested,
    OrderEvent,
    OrderPlaced,
    OrderProcessed,
    PaymentRequested,
    PaymentStatusChanged,
    ShipmentRequested,
    TransferRequested,
)
from shared.contracts.order_log import (
    LogEntry,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentConfirmed,
    PaymentEntry,
    PaymentUnmatched,
    ShipmentEntry,
)
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import ShopSettings

SENDABLE: frozenset[UnitState] = frozenset({"open", "shipped"})


@dataclass(frozen=True, slots=True)
class Order:
    """One order: as it is now, and as it was placed."""

    now: OrderSnapshot
    placed: OrderSnapshot
    payments: Payments = field(default_factory=Payments)
    moment: datetime | None = None
    """When it is handled; the command's own time where nobody says."""

    @staticmethod
    def place(command: PlaceOrder, shop: ShopSettings, number: int, at: datetime) -> list[OrderEvent]:
        """Accept a confirmed cart as an order of the shop, under the next number, at the time `at`.

        Raises Refused as `as_placed` does.
        """
        return [OrderPlaced(order=as_placed(command, shop, number, at))]

    def resend_confirmation(self, command: ResendConfirmation, shop: Shop) -> list[OrderEvent]:
        """Ask for the confirmation to be sent again, of the order as it was placed or as it is now (R068, R069).

        It goes to the address of now, which may have been corrected since. Raises Refused: `nobody-reacts`.
        """
        shop.require_sender(ConfirmationRequested, CONFIRMATION)
        to = self.placed.customer.model_copy(update={"email": self.now.customer.email})
        shown = self.placed.model_copy(update={"customer": to}) if command.content == "as-then" else self.now
        return [ConfirmationRequested(order=shown, content=command.content)]

    def process(self, command: ProcessOrder, shop: Shop) -> "tuple[Order, list[OrderEvent]]":
        """The order was noticed and these units were sent, by default all that are open (R110).

        Said twice, it says nothing new. Where the shop's rule says so, what is sent is captured. Raises Refused as
        `moved` does.
        """
        ledger = ledger_of(self.now.lines)
        units = units_in(ledger, {"open"}) if command.units is None else command.units
        if self.now.processing != "unprocessed" and not units:
            return self, []
        order = self.with_units(command, moved(ledger, units, ["open"], "shipped"), shop)
        return order.captured_by_rule(command, shop, [OrderProcessed(order=order.now, units=units)])

    def capture(self, command: CapturePayment, shop: Shop) -> "tuple[Order, list[OrderEvent]]":
        """Money shall be taken: what is authorized and not taken yet, or a part of it.

        Raises Refused: `not-connected`, `no-payment`, `not-so-much-money`.
        """
        self._require_payment(shop)
        amount = _amount(command.amount, self.payments.capturable(), "is authorized and not captured")
        return self.asked(command, "capture", amount)

    def refund(self, command: RefundPayment, shop: Shop) -> "tuple[Order, list[OrderEvent]]":
        """Money shall go back: what was captured and not refunded yet, or a part of it. Raises Refused as `capture`."""
        self._require_payment(shop)
        amount = _amount(command.amount, self.payments.refundable(), "is captured and not refunded")
        return self.asked(command, "refund", amount, command.reason)

    def void(self, command: VoidPayment, shop: Shop) -> "tuple[Order, list[OrderEvent]]":
        """What is authorized and not captured shall be let go of. Raises Refused as `capture` does."""
        self._require_payment(shop)
        _amount(None, self.payments.capturable(), "is authorized and not captured")
        return self.asked(command, "void", 0)

    def confirm_payment(self, command: ConfirmPayment) -> "tuple[Order, list[Message]]":
        """A person has seen that the money arrived: by default what is missing of what is still due (R118, R132).

        Raises Refused: `nothing-to-pay`.
        """
        due = still_due(self.now, ledger_of(self.now.lines))
        amount = self.payments.missing(due) if command.amount is None else command.amount
        if amount <= 0:
            raise Refused("nothing-to-pay", "all that the order comes to is there already")
        order = self._with_payments(self.payments.confirmed(command.meta.id, amount))
        order = order.changed(command)
        confirmed = PaymentConfirmed(
            order_id=self.now.id,
            outcome="done",
            summary="payment.confirmed",
            parameters={"amount": amount},
            amount=amount,
            reason=command.reason,
        )
        return order, [confirmed, PaymentStatusChanged(order=order.now)]

    def book_shipment(self, command: BookShipment, shop: Shop) -> list[OrderEvent]:
        """The carrier shall take units: by default all that are open or were sent.

        Raises Refused: `not-connected`, `nothing-to-send`, and as `moved` does.
        """
        _require(shop.connections.shipping, "shipping")
        ledger = ledger_of(self.now.lines)
        units = units_in(ledger, SENDABLE) if command.units is None else command.units
        if not units:
            raise Refused("nothing-to-send", "the order has no units that are open or were sent")
        moved(ledger, units, sorted(SENDABLE), "shipped")  # as a check: nothing moves
        return [ShipmentRequested(order=self.now, action="book", request_id=command.meta.id, units=units)]

    def cancel_shipment(self, command: CancelShipment, shop: Shop) -> list[OrderEvent]:
        """The carrier shall not take a shipment after all. Raises Refused: `not-connected`, `unknown-shipment`."""
        _require(shop.connections.shipping, "shipping")
        if command.shipment_id not in {shipment.shipment_id for shipment in self.now.shipments}:
            raise Refused("unknown-shipment", f"the order has no shipment {command.shipment_id}")
        asked = ShipmentRequested(
            order=self.now, action="cancel", request_id=command.meta.id, shipment_id=command.shipment_id
        )
        return [asked]

    def transfer(self, command: TransferOrder, shop: Shop) -> list[OrderEvent]:
        """The ERP system shall have the order as it is now (R072). Raises Refused: `not-connected`."""
        _require(shop.connections.erp, "erp")
        return [TransferRequested(order=self.now, request_id=command.meta.id)]

    def reported(self, entry: LogEntry, shop: Shop) -> "tuple[Order, list[OrderEvent]]":
        """What another service has done changes how far the order is paid, and where its shipments are.

        Where units had left before their payment was known to be good, it is captured now, if the shop's rule says so;
        where units were cancelled before their money was known to be taken, it goes back now. The version stays: it
        counts what people change.
        """
        if isinstance(entry, PaymentEntry):
            order = self._with_payments(self.payments.reported(entry)).with_reference(entry)
            paid = (order.now.payment_status, order.now.paid) != (self.now.payment_status, self.now.paid)
            events: list[OrderEvent] = [PaymentStatusChanged(order=order.now)] if paid else []
            return order.settled_late(entry, shop, events) if paid else (order, events)
        if isinstance(entry, ShipmentEntry):
            shipments = shipments_after(self.now.shipments, entry)
            return replace(self, now=self.now.model_copy(update={"shipments": shipments})), []
        return self, []

    def captured_by_rule(
        self, cause: Message, shop: Shop, events: list[OrderEvent]
    ) -> "tuple[Order, list[OrderEvent]]":
        """What was sent costs what it costs; when nothing waits, all but what was cancelled is taken."""
        payment = shop.connections.payment
        rule = payment.capture if payment else "by-hand"
        ledger = ledger_of(self.now.lines)
        due = self.payments.capturable()
        if units_in(ledger, WAITING):
            sent = min(worth_of(self.now.lines, ledger, SENT_ON), still_due(self.now, ledger))
            due = min(due, sent - self.payments.taken())
        else:
            due -= worth_of(self.now.lines, ledger, {"cancelled"})
        if rule == "by-hand" or not self.now.payment.reference or due <= 0:
            return self, events
        order, asked = self.asked(cause, "capture", due)
        return order, [*events, *asked]

    def settled(
        self, cause: Message, shop: Shop, events: list[OrderEvent], reason: str = ""
    ) -> "tuple[Order, list[OrderEvent]]":
        """After a cancellation what was taken beyond what is still due goes back, and what is missing is taken by rule.

        Of a wholly cancelled order all is let go of.
        """
        if shop.connections.payment is None or not self.now.payment.reference:
            return self, events
        order, ledger = self, ledger_of(self.now.lines)
        too_much = min(order.payments.refundable(), order.payments.kept() - still_due(order.now, ledger))
        if too_much > 0:
            order, asked = order.asked(cause, "refund", too_much, reason)
            events = [*events, *asked]
        if order.now.cancelled and order.payments.capturable() > 0:
            order, asked = order.asked(cause, "void", 0)
            events = [*events, *asked]
        if too_much > 0 or units_in(ledger, WAITING):
            return order, events
        return order.captured_by_rule(cause, shop, events)

    def settled_late(
        self, entry: PaymentEntry, shop: Shop, events: list[OrderEvent]
    ) -> "tuple[Order, list[OrderEvent]]":
        """What is due of a payment that was heard of after the units it pays were sent, or cancelled."""
        ledger = ledger_of(self.now.lines)
        if isinstance(entry, PaymentAuthorized | PaymentCaptured) and units_in(ledger, {"cancelled"}):
            return self.settled(entry, shop, events)
        if isinstance(entry, PaymentAuthorized) and units_in(ledger, SENT_ON):
            return self.captured_by_rule(entry, shop, events)
        return self, events

    def asked(
        self, cause: Message, action: PaymentAction, amount: int, reason: str = ""
    ) -> "tuple[Order, list[OrderEvent]]":
        """The provider shall do something with the order's payment; one cause asks once for each action."""
        request_id = cause.meta.id if action != "void" else f"{cause.meta.id}-void"
        order = self._with_payments(self.payments.asked(request_id, action, amount))
        asked = PaymentRequested(order=order.now, action=action, request_id=request_id, amount=amount, reason=reason)
        return order, [asked]

    def _require_payment(self, shop: Shop) -> None:
        _require(shop.connections.payment, "payment")
        if not self.now.payment.reference:
            raise Refused("no-payment", "the order has no payment that was begun at a provider")

    def _with_payments(self, payments: Payments) -> Self:
        changes = {"payment_status": payments.status(self.now.totals.to_pay.amount), "paid": payments.sums()}
        return replace(self, now=self.now.model_copy(update=changes), payments=payments)

    def with_reference(self, entry: PaymentEntry) -> Self:
        """An order that named no payment has the one that a person has attached to it."""
        if not isinstance(entry, PaymentUnmatched) or self.now.payment.reference:
            return self
        payment = self.now.payment.model_copy(update={"reference": entry.reference})
        return replace(self, now=self.now.model_copy(update={"payment": payment}))

    def changed(self, command: OrderCommand, **changes: Any) -> Self:
        """The next version of the order: somebody has changed these fields of it (R008, R009, R208)."""
        version = {
            "version": self.now.version + 1,
            "changed_at": self.moment or command.meta.time,
            "changed_by": command.meta.actor,
        }
        return replace(self, now=self.now.model_copy(update=version | changes))

    def with_units(self, command: OrderCommand, ledger: Ledger, shop: Shop, **changes: Any) -> Self:
        """The next version of the order, its units as in the ledger; whoever moves units has noticed it."""
        open_left = any("open" in states for states in ledger.values())
        return self.changed(
            command,
            lines=[_line_with(line, dict(ledger[line.line_id]), shop) for line in self.now.lines],
            processing="partly" if open_left else "processed",
            goods=goods_of(ledger),
            **changes,
        )

    def print_document(self, command: PrintDocument, shop: Shop) -> list[OrderEvent]:
        """Ask for a document of the order as it is now (R067, R070, R071). Raises Refused: `nobody-reacts`."""
        shop.require_printer(command.document)
        language = command.language or self.now.language
        return [DocumentRequested(order=self.now, document=command.document, language=language)]


def _line_with(line: PricedLine, units: Mapping[UnitState, int], shop: Shop) -> PricedLine:
    before, after = dict(line.units) or {"open": line.quantity}, line.model_copy(update={"units": units})
    return after if units == before else line_after(after, shop.settings)


def _require(connection: object, name: str) -> None:
    if connection is None:
        raise Refused("not-connected", f"the shop has no {name} connection")


def _amount(wanted: int | None, most: int, which: str) -> int:
    """What is wanted, or all there is. Raises Refused, `not-so-much-money`, where there is less, or nothing."""
    if most <= 0 or (wanted or 0) > most:
        raise Refused("not-so-much-money", f"{max(most, 0)} {which}" + (f", not {wanted}" if wanted else ""))
    return most if wanted is None else wanted
