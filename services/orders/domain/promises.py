"""What an order's event makes us expect of other services, and what their log entries say of it (R201)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.contracts.order_events import (
    DocumentRequested,
    OrderEvent,
    OrderPlaced,
    PaymentRequested,
    ShipmentRequested,
    TransferRequested,
)
from shared.contracts.order_log import (
    DocumentFailed,
    DocumentPrinted,
    EffectUnknown,
    ErpFailed,
    ErpOrderExported,
    LogEntry,
    MessageFailed,
    MessageSent,
    Outcome,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentEntry,
    PaymentRefunded,
    PaymentVoided,
    ReactionDead,
    ReactionWaiting,
    ShipmentBooked,
    ShipmentCancelled,
    ShipmentEntry,
    ShipmentFailed,
)
from shared.contracts.shop_facts import ShopConnections, ShopLooks, ShopMessages

AUTHORIZE = "authorize"
CHECKOUT = "checkout"
"""Stands for the cause of the customer's own payment: there is one, whoever tells of it."""
GIVEN_UP = "given-up"
PROVIDERS: Mapping[type[LogEntry], str] = {
    PaymentAuthorized: AUTHORIZE,
    PaymentCaptured: "capture",
    PaymentRefunded: "refund",
    PaymentVoided: "void",
    ShipmentBooked: "book-shipment",
    ShipmentCancelled: "cancel-shipment",
    ErpOrderExported: "transfer",
    ErpFailed: "transfer",
}


@dataclass(frozen=True)
class Known:
    """What services say of a shop; of one that has said nothing, nothing is expected."""

    messages: ShopMessages | None = None
    looks: ShopLooks | None = None
    connections: ShopConnections | None = None


@dataclass(frozen=True)
class Promise:
    """One thing that is expected of a service, in `within` seconds; its cause and its name tell it from others."""

    cause: str
    """The id of the event, or CHECKOUT."""
    what: str
    by: str
    within: int


@dataclass(frozen=True)
class Told:
    """What an entry says of a promise; without `what`, of all that its service has promised for that event."""

    cause: str
    """As in Promise; without `what`, the id of the event."""
    what: str | None
    state: Outcome
    reason: str = ""


def promised(event: OrderEvent, known: Known) -> Iterator[Promise]:
    """What the shop's services are expected to do about an event that was stamped."""
    cause = event.meta.id
    if known.messages is not None:
        for sends in known.messages.messages:
            if sends.event == event.type and sends.message == getattr(event, "template", sends.message):
                yield Promise(cause, sends.message, "notifications", known.messages.within)
    if known.looks is not None and isinstance(event, DocumentRequested) and event.document in known.looks.documents:
        yield Promise(cause, event.document, "documents", known.looks.within)
    if known.connections is not None:
        yield from _promised_by_providers(event, known.connections)


def _promised_by_providers(event: OrderEvent, connected: ShopConnections) -> Iterator[Promise]:
    by, within, cause = "integrations", connected.within, event.meta.id
    match event:
        case OrderPlaced() if connected.payment is not None and event.order.payment.reference:
            yield Promise(CHECKOUT, AUTHORIZE, by, within)
        case PaymentRequested(action=action):
            yield Promise(cause, action, by, within)
        case ShipmentRequested(action=action):
            yield Promise(cause, f"{action}-shipment", by, within)
        case TransferRequested():
            yield Promise(cause, "transfer", by, within)


def told(entry: LogEntry) -> Told | None:
    """What a stamped entry says of a promise; None where it says nothing of any."""
    if isinstance(entry, ReactionWaiting | ReactionDead):
        return Told(entry.message_id, None, entry.outcome, GIVEN_UP if isinstance(entry, ReactionDead) else "")
    what = what_of(entry)
    cause = None if what is None else cause_of(entry, what)
    return None if cause is None else Told(cause, what, entry.outcome, getattr(entry, "reason", ""))


def cause_of(entry: LogEntry, what: str) -> str | None:
    """What had asked for it; nothing had where a provider tells of itself."""
    if what == AUTHORIZE:
        return CHECKOUT
    if isinstance(entry, PaymentEntry | ShipmentEntry) and entry.request_id is None:
        return None
    return entry.meta.causationid


def what_of(entry: LogEntry) -> str | None:
    """The name of the promise that an entry is about."""
    match entry:
        case MessageSent(template=what) | MessageFailed(template=what):
            return what
        case DocumentPrinted(document=document) | DocumentFailed(document=document):
            return document
        case EffectUnknown(effect=effect, parameters=parameters):
            return str(parameters.get("template", effect))
        case PaymentDeclined(action=action):
            return action
        case ShipmentFailed(action=action):
            return f"{action}-shipment"
    return PROVIDERS.get(type(entry))
