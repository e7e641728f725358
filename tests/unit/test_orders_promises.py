"""What an event promises follows from what the shop's services say; what an entry says of it, from its own words."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import uuid4

import pytest

from services.orders.domain.promises import CHECKOUT, GIVEN_UP, Known, Promise, Told, promised, told
from shared.contracts.files import DocumentKind
from shared.contracts.message import new_id
from shared.contracts.order import Payment, PaymentAction
from shared.contracts.order_events import (
    OrderEvent,
    OrderProcessed,
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
    OrderNoted,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
    ReactionDead,
    ReactionWaiting,
    ShipmentBooked,
    ShipmentCancelled,
    ShipmentFailed,
    ShipmentTracked,
)
from shared.contracts.shop_facts import (
    ErpConnection,
    PaymentConnection,
    PromisedMessage,
    ShippingConnection,
    ShopConnections,
    ShopLooks,
    ShopMessages,
)
from tests.builders import an_order, document_requested, placed, stamped

SHOP = "nordic-tea"
KNOWN = Known(
    ShopMessages(shop=SHOP, messages=[PromisedMessage(event="order.placed.v1", message="order-received")], within=300),
    ShopLooks(shop=SHOP, documents=["delivery-note"], within=120),
    ShopConnections(
        shop=SHOP,
        payment=PaymentConnection(provider="sandbox"),
        shipping=ShippingConnection(provider="sandbox"),
        erp=ErpConnection(provider="sandbox"),
    ),
)
ORDER = an_order(payment=Payment(method="card", name="Kort", reference="pay_1"))
REQUEST = new_id()


def names(event: OrderEvent, known: Known = KNOWN) -> list[tuple[str, str, int]]:
    return [(promise.what, promise.by, promise.within) for promise in promised(event, known)]


def test_a_placed_order_promises_its_confirmation_and_what_its_payment_is() -> None:
    assert names(placed(ORDER)) == [("order-received", "notifications", 300), ("authorize", "integrations", 900)]
    assert names(placed(an_order())) == [("order-received", "notifications", 300)], "it was paid nowhere"


def test_of_a_service_that_has_said_nothing_nothing_is_expected() -> None:
    assert names(placed(ORDER), Known()) == []
    assert names(stamped(TransferRequested(order=ORDER, request_id=REQUEST)), Known()) == []
    assert names(document_requested(ORDER, document="pick-list")) == [], "nobody says that it can be printed"


@pytest.mark.parametrize(
    ("event", "what"),
    [
        *(
            (PaymentRequested(order=ORDER, action=action, request_id=REQUEST, amount=1), action)
            for action in get_args(PaymentAction)
        ),
        (ShipmentRequested(order=ORDER, action="book", request_id=REQUEST), "book-shipment"),
        (ShipmentRequested(order=ORDER, action="cancel", request_id=REQUEST), "cancel-shipment"),
        (TransferRequested(order=ORDER, request_id=REQUEST), "transfer"),
    ],
)
def test_what_is_asked_of_a_provider_is_promised_under_the_event_that_asks(event: OrderEvent, what: str) -> None:
    event = stamped(event)
    assert list(promised(event, KNOWN)) == [Promise(event.meta.id, what, "integrations", 900)]


def test_a_document_that_can_be_printed_is_promised_and_a_mere_fact_promises_nothing() -> None:
    assert names(document_requested(ORDER)) == [("delivery-note", "documents", 120)]
    assert names(stamped(OrderProcessed(order=ORDER, units=[]))) == []


def an_entry(contract: type[LogEntry], outcome: str = "done", **fields: Any) -> LogEntry:
    entry = contract.model_validate({"order_id": uuid4(), "outcome": outcome, "summary": "x"} | fields)
    return stamped(entry, causationid="event-1")


MAIL = {"template": "order-received", "recipient": "a***@example.org", "language": "sv"}
PAPER = {"document": "delivery-note", "language": "sv"}
FILE = {"sha256": "0" * 64, "name": "note.pdf", "media_type": "application/pdf", "size": 1}
MOVED = {"request_id": REQUEST, "transaction_id": "t-1"}
BOOKED = {"request_id": REQUEST, "shipment_id": "s-1"}
SEEN: dict[str, Any] = {"shipment_id": "s-1", "state": "delivered", "seen_at": datetime(2026, 11, 26, tzinfo=UTC)}
REACTION: dict[str, Any] = {
    "group": "documents",
    "message_type": "order.document-requested.v1",
    "message_id": "event-1",
}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (an_entry(MessageSent, **MAIL, message_id="<1@x>"), ("order-received", "done", "")),
        (an_entry(MessageFailed, "failed", **MAIL, reason="refused"), ("order-received", "failed", "refused")),
        (
            an_entry(EffectUnknown, "unknown", effect="mail", key="k", parameters={"template": "order-received"}),
            ("order-received", "unknown", ""),
        ),
        (an_entry(DocumentPrinted, **PAPER, document_id="d", file=FILE), ("delivery-note", "done", "")),
        (an_entry(DocumentFailed, "failed", **PAPER, reason="no"), ("delivery-note", "failed", "no")),
        (an_entry(PaymentCaptured, **MOVED, amount=1), ("capture", "done", "")),
        (an_entry(PaymentRefunded, **MOVED, amount=1), ("refund", "done", "")),
        (an_entry(PaymentVoided, **MOVED), ("void", "done", "")),
        (
            an_entry(PaymentDeclined, "failed", request_id=REQUEST, action="capture", reason="no"),
            ("capture", "failed", "no"),
        ),
        (an_entry(EffectUnknown, "unknown", effect="capture", key="k"), ("capture", "unknown", "")),
        (an_entry(ShipmentBooked, **BOOKED, tracking_number="1", tracking_url=""), ("book-shipment", "done", "")),
        (an_entry(ShipmentCancelled, **BOOKED), ("cancel-shipment", "done", "")),
        (
            an_entry(ShipmentFailed, "failed", request_id=REQUEST, action="cancel", reason="no"),
            ("cancel-shipment", "failed", "no"),
        ),
        (an_entry(ErpOrderExported, request_id=REQUEST, number="1"), ("transfer", "done", "")),
        (an_entry(ErpFailed, "failed", request_id=REQUEST, reason="no"), ("transfer", "failed", "no")),
        (
            an_entry(ReactionWaiting, "waiting", **REACTION, attempts=3, next_try=datetime(2026, 11, 26, tzinfo=UTC)),
            (None, "waiting", ""),
        ),
        (an_entry(ReactionDead, "failed", **REACTION, blocks=False), (None, "failed", GIVEN_UP)),
    ],
)
def test_an_entry_speaks_of_the_promise_of_its_cause(entry: LogEntry, expected: Sequence[Any]) -> None:
    what, state, reason = expected
    assert told(entry) == Told("event-1", what, state, reason)


@pytest.mark.parametrize("cause", ["event-1", "a-webhook"])
def test_a_customers_payment_is_one_promise_whoever_tells_of_it(cause: str) -> None:
    good = an_entry(PaymentAuthorized, amount=1)
    bad = an_entry(PaymentDeclined, "failed", action="authorize", reason="stolen")
    for entry, state, reason in ((good, "done", ""), (bad, "failed", "stolen")):
        received = stamped(entry, causationid=cause)
        assert told(received) == Told(CHECKOUT, "authorize", state, reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "entry",
    [
        an_entry(PaymentCaptured, transaction_id="t-1", amount=1),
        an_entry(ShipmentTracked, **SEEN),
        an_entry(OrderNoted, event_type="order.placed.v1", event_id=new_id()),
    ],
)
def test_what_nobody_asked_for_is_nobodys_promise(entry: LogEntry) -> None:
    assert told(entry) is None


def test_every_document_that_can_be_asked_for_can_be_promised() -> None:
    for document in get_args(DocumentKind):
        looks = Known(looks=ShopLooks(shop=SHOP, documents=[document], within=1))
        assert names(document_requested(ORDER, document=document), looks) == [(document, "documents", 1)]
