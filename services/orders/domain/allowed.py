"""What can be done with an order now, and why not the rest: each thing is tried, and nothing is kept of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.orders.domain import moving, people
from services.orders.domain.order import Order
from services.orders.domain.shop import NOBODY, Shop
from shared.contracts.message import Meta
from shared.contracts.order_commands import (
    BackOrderUnits,
    BookShipment,
    CancelOrder,
    CancelShipment,
    CapturePayment,
    ClaimUnits,
    ConfirmPayment,
    CreditUnits,
    DeliverUnits,
    HandleOrder,
    PrintDocument,
    ProcessOrder,
    RefundPayment,
    ResendConfirmation,
    ReturnUnits,
    SendMessage,
    ShipUnits,
    TransferOrder,
    VoidPayment,
)
from shared.contracts.refusal import Refused

NOTHING_TO_DO = "nothing-to-do"
SYSTEMS: Mapping[str, str] = {
    "capture": "payment",
    "refund": "payment",
    "void": "payment",
    "book-shipment": "shipping",
    "cancel-shipment": "shipping",
    "transfer": "erp",
}
"""Which of the shop's connected systems does what (R075)."""


@dataclass(frozen=True)
class Possible:
    """One thing that people do with orders. `system` is who does it: a provider that the shop has connected."""

    action: str
    possible: bool
    reason: str = ""
    """A stable word for why not."""
    detail: str = ""
    system: str | None = None
    choices: tuple[str, ...] = ()
    """What there is to choose from: the documents that can be printed."""


Try = Callable[[Order, Shop], Any]


def _moves(command: type[Any]) -> Try:
    return lambda order, shop: moving.move(order, _tried(command, order), shop)[1]


def _changes(act: Callable[[Order, Any, Shop], Any], command: type[Any]) -> Try:
    return lambda order, shop: act(order, _tried(command, order), shop)[1]


def _tried(command: type[HandleOrder], order: Order, **fields: object) -> Any:
    now = order.now
    meta = Meta("a-try", source="/orders", subject=str(now.id), shop=now.shop, actor="orders", time=now.placed_at)
    return command.model_validate({"order_id": now.id, **fields}).stamped(meta)


def _prints(order: Order, shop: Shop) -> Any:
    if not shop.documents:
        raise Refused(NOBODY, "no service prints anything for the shop")
    return order.print_document(_tried(PrintDocument, order, document=shop.documents[0]), shop)


def _cancels_a_shipment(order: Order, shop: Shop) -> Any:
    booked = [shipment.shipment_id for shipment in order.now.shipments if shipment.state == "booked"]
    if shop.connections.shipping is not None and not booked:
        raise Refused("unknown-shipment", "the order has no shipment that its carrier has not got yet")
    wanted = booked[0] if booked else "none"
    return order.cancel_shipment(_tried(CancelShipment, order, shipment_id=wanted), shop)


TRIES: Mapping[str, Try] = {
    "process": _changes(Order.process, ProcessOrder),
    "ship": _moves(ShipUnits),
    "deliver": _moves(DeliverUnits),
    "back-order": _moves(BackOrderUnits),
    "return": _moves(ReturnUnits),
    "claim": _moves(ClaimUnits),
    "credit": _moves(CreditUnits),
    "cancel": _changes(moving.cancel, CancelOrder),
    "capture": _changes(Order.capture, CapturePayment),
    "refund": _changes(Order.refund, RefundPayment),
    "void": _changes(Order.void, VoidPayment),
    "confirm-payment": lambda order, _: order.confirm_payment(_tried(ConfirmPayment, order))[1],
    "book-shipment": lambda order, shop: order.book_shipment(_tried(BookShipment, order), shop),
    "cancel-shipment": _cancels_a_shipment,
    "transfer": lambda order, shop: order.transfer(_tried(TransferOrder, order), shop),
    "resend-confirmation": lambda order, shop: order.resend_confirmation(_tried(ResendConfirmation, order), shop),
    "send-message": lambda order, shop: people.send_message(
        order, _tried(SendMessage, order, headline="-", text="-"), shop
    ),
    "print-document": _prints,
}
"""By the command's own name; what is always possible (comments, statuses, folders, contact) is not among them."""


def possible(order: Order, shop: Shop) -> list[Possible]:
    """Each of them with all its defaults, as the commands themselves judge it."""
    return [_outcome(name, attempt, order, shop) for name, attempt in TRIES.items()]


def _outcome(name: str, attempt: Try, order: Order, shop: Shop) -> Possible:
    kind = SYSTEMS.get(name)
    connection = getattr(shop.connections, kind) if kind else None
    system = connection.provider if connection is not None else None
    try:
        events = attempt(order, shop)
    except Refused as refusal:
        return Possible(name, possible=False, reason=refusal.reason, detail=refusal.detail, system=system)
    if not events:
        return Possible(name, possible=False, reason=NOTHING_TO_DO, detail="it is done already", system=system)
    choices = tuple(shop.documents) if name == "print-document" else ()
    return Possible(name, possible=True, system=system, choices=choices)
