"""What can be done about what stands open on an order's log, and what doing it says (R205)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from services.orders.domain.order import Order
from services.orders.domain.people import correct_contact
from services.orders.domain.promises import what_of
from services.orders.domain.shop import CONFIRMATION, Shop
from services.orders.domain.troubles import KINDS, Trouble, amount_of, service_of, troubles_of
from shared.contracts.message import Message, Meta, now
from shared.contracts.order_commands import (
    BookShipment,
    CancelShipment,
    CapturePayment,
    CorrectContact,
    FixAddressAndSend,
    PrintDocument,
    RefundPayment,
    RepairEntry,
    ResendConfirmation,
    RetryEntry,
    SettleEntry,
    SkipEntry,
    TransferOrder,
    VoidPayment,
)
from shared.contracts.order_events import RepairRequested
from shared.contracts.order_log import (
    DocumentFailed,
    EffectUnknown,
    ErpFailed,
    LogEntry,
    MessageFailed,
    PaymentDeclined,
    PromiseOverdue,
    ReactionDead,
    ReactionWaiting,
    RepairMade,
    ShipmentFailed,
)
from shared.contracts.refusal import Refused

Action = Literal["retry", "skip", "settle", "fix-address-and-send"]
NEEDS: dict[Action, list[str]] = {
    "retry": [],
    "skip": ["reason"],
    "settle": ["happened"],
    "fix-address-and-send": ["email"],
}
"""What whoever asks for it has to say beside the entry."""
ACTION_OF: dict[type[RepairEntry], Action] = {
    RetryEntry: "retry",
    SkipEntry: "skip",
    SettleEntry: "settle",
    FixAddressAndSend: "fix-address-and-send",
}


@dataclass(frozen=True)
class Offered:
    """Something that can be done about an entry now."""

    action: Action
    needs: Sequence[str]


def find_trouble(log: Iterable[LogEntry], command: RepairEntry) -> Trouble:
    """What the command wants put right.

    Raises Refused: `unknown-entry`, `nothing-to-repair`, `already-repaired`, `repair-does-not-fit`.
    """
    entries = list(log)
    told = [entry for entry in entries if entry.meta.id == command.entry_id]
    if not told:
        raise Refused("unknown-entry", f"the order's log has no entry {command.entry_id}")
    if not any(type(entry) in KINDS for entry in told):
        raise Refused("nothing-to-repair", f"{told[0].type} tells of nothing that could be put right")
    trouble = troubles_of(entries).get(command.entry_id)
    if trouble is None:
        raise Refused("already-repaired", "it was put right, or has come right, meanwhile")
    if trouble.asked:
        raise Refused("already-repaired", "somebody has asked for that already; the log says what comes of it")
    if ACTION_OF[type(command)] not in fitting(trouble):
        raise Refused("repair-does-not-fit", f"{ACTION_OF[type(command)]} is no way out of {told[0].type}")
    return trouble


def repaired(order: Order, trouble: Trouble, command: RepairEntry, shop: Shop) -> tuple[Order, Sequence[Message]]:
    """What the command does about it: the order does it itself, or the service whose it is is asked.

    Raises Refused: `say-whether-again`, and as the commands do that ask for something anew.
    """
    if trouble.kind in {"given-up", "waiting", "unknown"}:
        return order, [requested(order, trouble.entry, command)]
    if isinstance(command, SkipEntry):
        return order, [made(trouble, "skip", command.reason)]
    corrected: Sequence[Message] = []
    if isinstance(command, FixAddressAndSend):
        wanted = CorrectContact(order_id=order.now.id, email=command.email).stamped(command.meta)
        order, corrected = correct_contact(order, wanted)
    order, asked = asked_again(order, trouble.entry, command.meta, shop)
    return order, [*corrected, *asked, made(trouble, "retry")]


def asked_again(order: Order, entry: LogEntry, meta: Meta, shop: Shop) -> tuple[Order, Sequence[Message]]:
    """What a clear no was said to is asked for once more, as the order allows it now. Raises Refused."""
    if isinstance(entry, PaymentDeclined):
        return money_asked_again(order, entry, meta, shop)
    about: dict[str, Any] = {"order_id": order.now.id}
    match entry:
        case DocumentFailed(document=document, language=language):
            wanted = PrintDocument(**about, document=document, language=language)
            asked = order.print_document(wanted.stamped(meta), shop)
        case ShipmentFailed(action="book", units=units):
            asked = order.book_shipment(BookShipment(**about, units=units).stamped(meta), shop)
        case ShipmentFailed(shipment_id=str(shipment_id)):
            asked = order.cancel_shipment(CancelShipment(**about, shipment_id=shipment_id).stamped(meta), shop)
        case ErpFailed():
            asked = order.transfer(TransferOrder(**about).stamped(meta), shop)
        case _:
            asked = order.resend_confirmation(ResendConfirmation(**about).stamped(meta), shop)
    return order, asked


def money_asked_again(order: Order, entry: PaymentDeclined, meta: Meta, shop: Shop) -> tuple[Order, Sequence[Message]]:
    """The same amount is asked for again, where there is still so much. Raises Refused."""
    order_id, amount = order.now.id, amount_of(entry) or None
    if entry.action == "capture":
        return order.capture(CapturePayment(order_id=order_id, amount=amount).stamped(meta), shop)
    if entry.action == "refund":
        return order.refund(RefundPayment(order_id=order_id, amount=amount).stamped(meta), shop)
    return order.void(VoidPayment(order_id=order_id).stamped(meta), shop)


def requested(order: Order, entry: LogEntry, command: RepairEntry) -> RepairRequested:
    """The wish, for the service that has written the entry. Raises Refused: `say-whether-again`."""
    fields: dict[str, Any] = {"order": order.now, "service": service_of(entry), "entry_id": entry.meta.id}
    if isinstance(entry, ReactionDead | ReactionWaiting):
        fields |= {
            "group": entry.group,
            "message_id": entry.message_id,
            "message_source": entry.message_source,
        }
    if isinstance(command, SettleEntry) and isinstance(entry, EffectUnknown):
        if not command.happened and command.again is None:
            raise Refused("say-whether-again", "it did not happen: say whether it is done again, or given up")
        again = bool(command.again) and not command.happened
        fields |= {"action": "settle", "key": entry.key, "happened": command.happened, "again": again}
    reason = command.reason if isinstance(command, SkipEntry | SettleEntry) else ""
    return RepairRequested(**{"action": ACTION_OF[type(command)]} | fields, reason=reason)


def made(trouble: Trouble, action: Literal["retry", "skip"], reason: str = "") -> RepairMade:
    """The entry that says that this was put right here."""
    entry = trouble.entry
    about = entry.promise if isinstance(entry, PromiseOverdue) else what_of(entry) or entry.type
    return RepairMade(
        order_id=entry.order_id,
        outcome="done",
        summary="repair.asked-again" if action == "retry" else "repair.skipped",
        parameters={"about": about},
        action=action,
        about=about,
        reason=reason,
        entry_id=entry.meta.id,
    )


def fitting(trouble: Trouble) -> Sequence[Action]:
    """The ways out of it, whether or not the order allows them now."""
    match trouble.kind, trouble.entry:
        case "unknown", _:
            return ["settle"]
        case "waiting", _:
            return ["retry"]
        case "overdue", _:
            return ["skip"]
        case "failed", MessageFailed(template=template):
            return ["fix-address-and-send", "retry", "skip"] if template == CONFIRMATION else ["skip"]
        case "failed", PaymentDeclined(action="authorize") | ShipmentFailed(units=[], shipment_id=None):
            return ["skip"]
    return ["retry", "skip"]


def offered(order: Order, trouble: Trouble, shop: Shop) -> list[Offered]:
    """What can be done about it now; nothing while somebody's wish is on its way."""
    ways = [] if trouble.asked else fitting(trouble)
    return [Offered(way, NEEDS[way]) for way in ways if way != "retry" or _can_retry(order, trouble, shop)]


def _can_retry(order: Order, trouble: Trouble, shop: Shop) -> bool:
    if trouble.kind != "failed":
        return True
    tried = Meta("a-try", "/orders", str(order.now.id), order.now.shop, actor="orders", time=now())
    try:
        asked_again(order, trouble.entry, tried, shop)
    except Refused:
        return False
    return True
