"""What stands open on an order's log follows from its entries alone, and ends with the word that ends it (R205)."""

from typing import Any

import pytest

from services.orders.domain.repairing import fitting, offered, repaired
from services.orders.domain.shop import Shop
from services.orders.domain.troubles import Trouble, reasons_in, troubles_of
from shared.contracts.files import FileRef
from shared.contracts.order import LineUnits
from shared.contracts.order_commands import FixAddressAndSend, RetryEntry, SkipEntry
from shared.contracts.order_events import (
    ConfirmationRequested,
    ContactCorrected,
    OrderEvent,
    PaymentRequested,
    ShipmentRequested,
    TransferRequested,
)
from shared.contracts.order_log import (
    DocumentFailed,
    DocumentPrinted,
    EffectUnknown,
    ErpFailed,
    LogEntry,
    MessageFailed,
    MessageSent,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PromiseOverdue,
    ReactionDead,
    ReactionWaiting,
    RepairMade,
    ShipmentBooked,
    ShipmentFailed,
)
from shared.contracts.shop_facts import ErpConnection, PaymentConnection, ShippingConnection, ShopConnections
from tests.builders import a_shop, stamped, what_is_printed, what_is_sent
from tests.unit.test_orders_handling import ID, an_order_of, authorized

pytestmark = pytest.mark.requirement("R205")
CONNECTED = ShopConnections(
    shop="nordic-tea",
    payment=PaymentConnection(provider="sandbox"),
    shipping=ShippingConnection(provider="post"),
    erp=ErpConnection(provider="books"),
)
SHOP = Shop(a_shop(), CONNECTED, what_is_sent(), what_is_printed())
ALONE = Shop(a_shop(), ShopConnections(shop="nordic-tea"))
MAIL: dict[str, Any] = {"template": "order-received", "recipient": "a***@example.org", "language": "sv"}
PAY, SHIP, DOCS, NOTE = "/integrations/payment", "/integrations/shipping", "/documents", "/notifications"


def entry(contract: type[LogEntry], source: str = NOTE, cause: str = "c1", **fields: Any) -> LogEntry:
    said = {"order_id": ID, "outcome": OUTCOME.get(contract, "done"), "summary": "x"} | fields
    return stamped(contract.model_validate(said), source=source, causationid=cause)


OUTCOME: dict[type[LogEntry], str] = {
    MessageFailed: "failed",
    DocumentFailed: "failed",
    PaymentDeclined: "failed",
    ShipmentFailed: "failed",
    ErpFailed: "failed",
    ReactionDead: "failed",
    ReactionWaiting: "waiting",
    EffectUnknown: "unknown",
    PromiseOverdue: "waiting",
}


def refused_mail(cause: str = "c1") -> LogEntry:
    return entry(MessageFailed, cause=cause, **MAIL, reason="address-refused")


def sent(cause: str = "c1") -> LogEntry:
    return entry(MessageSent, cause=cause, **MAIL, message_id="<1@example.org>")


def dead(message: str = "c1", group: str = "notifications", source: str = NOTE) -> LogEntry:
    said = {"group": group, "message_type": "order.placed.v1", "message_id": message, "blocks": True}
    return entry(ReactionDead, source, cause=message, **said)


def unknown(key: str = "k", cause: str = "c1") -> LogEntry:
    return entry(EffectUnknown, cause=cause, effect="mail", key=key, parameters={"template": "order-received"})


def overdue(promise: str = "order-received", by: str = "notifications") -> LogEntry:
    due = sent().meta.time
    return entry(PromiseOverdue, "/orders", promise=promise, by=by, event_id="c1", due_at=due)


def declined(action: str = "capture", amount: int = 100, cause: str = "c1") -> LogEntry:
    parameters = {"amount": amount} if action != "authorize" else {}
    return entry(PaymentDeclined, PAY, cause=cause, action=action, reason="no-funds", parameters=parameters)


def captured(amount: int = 100, cause: str = "c2") -> LogEntry:
    said = {"amount": amount, "transaction_id": "t", "parameters": {"amount": amount}}
    return entry(PaymentCaptured, PAY, cause=cause, **said)


def booking(**fields: Any) -> LogEntry:
    return entry(ShipmentFailed, SHIP, action="book", reason="not-served", **fields)


def skipped(told: LogEntry) -> LogEntry:
    return entry(RepairMade, "/orders", action="skip", about="x", entry_id=told.meta.id)


def not_printed() -> LogEntry:
    return entry(DocumentFailed, DOCS, document="pick-list", language="sv", reason="not-made")


def printed() -> LogEntry:
    said = {"document": "pick-list", "language": "sv", "document_id": "d", "file": FILE}
    return entry(DocumentPrinted, DOCS, cause="c2", **said)


BOOKED = entry(ShipmentBooked, SHIP, cause="c2", shipment_id="s", tracking_number="1", tracking_url="u")
FILE = FileRef(name="a.pdf", sha256="0" * 64, size=1, media_type="application/pdf")
ENDS = [
    ([refused_mail(), sent("c2")], []),
    ([refused_mail(), sent()], []),
    ([sent(), refused_mail()], ["failed"]),
    ([refused_mail(), unknown(cause="c2")], ["failed", "unknown"]),
    ([unknown(), sent()], []),
    ([unknown(), sent("c2")], ["unknown"]),
    ([unknown(), refused_mail()], ["failed"]),
    ([dead(), sent()], []),
    ([dead(), sent("c2")], ["given-up"]),
    ([dead(), unknown()], ["unknown"]),
    ([dead("p1", "integrations.payment", PAY), captured(cause="p1")], []),
    ([overdue(), sent()], []),
    ([overdue(), sent("c2")], ["overdue"]),
    ([overdue(), refused_mail()], ["failed"]),
    ([overdue(), dead()], ["given-up"]),
    ([overdue("authorize", "integrations"), entry(PaymentAuthorized, PAY, cause="hook", amount=1)], []),
    ([declined(), captured(cause="c2")], []),
    ([declined(amount=100), captured(40)], ["failed"]),
    ([declined("authorize"), entry(PaymentAuthorized, PAY, cause="c9", amount=5)], []),
    ([booking(), BOOKED], []),
    ([not_printed(), printed()], []),
    ([refused_mail(), BOOKED], ["failed"]),
]


@pytest.mark.parametrize(("log", "reasons"), ENDS)
def test_what_is_wrong_is_over_with_the_word_that_ends_it(log: list[LogEntry], reasons: list[str]) -> None:
    assert reasons_in(troubles_of(log).values()) == reasons


def test_what_failed_again_is_one_trouble_that_of_the_last() -> None:
    first, second = refused_mail("c1"), refused_mail("c2")
    assert list(troubles_of([first, second])) == [second.meta.id]
    died, again = dead(), dead()
    assert list(troubles_of([died, again])) == [again.meta.id]


def test_a_repair_by_an_operator_ends_it_too() -> None:
    made = entry(RepairMade, action="retry", about="x", group="notifications", message_id="c1")
    assert troubles_of([dead(), made]) == {}
    assert len(troubles_of([dead("c2"), made])) == 1


def test_what_was_let_be_is_over_and_no_other() -> None:
    one, other = refused_mail(), booking()
    assert list(troubles_of([one, other, skipped(one)])) == [other.meta.id]


def trouble(told: LogEntry) -> Trouble:
    return troubles_of([told])[told.meta.id]


@pytest.mark.parametrize(
    ("told", "ways"),
    [
        (dead(), ["retry", "skip"]),
        (unknown(), ["settle"]),
        (overdue(), ["skip"]),
        (refused_mail(), ["fix-address-and-send", "retry", "skip"]),
        (entry(MessageFailed, **MAIL | {"template": "another"}, reason="no"), ["skip"]),
        (declined("authorize"), ["skip"]),
        (declined("refund"), ["retry", "skip"]),
        (booking(), ["skip"]),
        (booking(units=[LineUnits(line_id="1", units=1)]), ["retry", "skip"]),
        (entry(ErpFailed, "/integrations/erp", request_id="r", reason="no"), ["retry", "skip"]),
    ],
)
def test_each_kind_has_its_ways_out(told: LogEntry, ways: list[str]) -> None:
    assert list(fitting(trouble(told))) == ways


def test_only_what_the_order_allows_now_is_offered() -> None:
    told = trouble(declined(amount=100))
    for order, shop, ways in (
        (authorized(an_order_of(2)), SHOP, ["retry", "skip"]),
        (an_order_of(2), SHOP, ["skip"]),
        (authorized(an_order_of(2)), ALONE, ["skip"]),
    ):
        assert [way.action for way in offered(order, told, shop)] == ways


@pytest.mark.parametrize(
    ("told", "asked", "fields"),
    [
        (declined(amount=100), PaymentRequested, {"action": "capture", "amount": 100}),
        (declined("void", 0), PaymentRequested, {"action": "void"}),
        (booking(units=[LineUnits(line_id="1", units=1)]), ShipmentRequested, {"action": "book"}),
        (entry(ErpFailed, "/integrations/erp", request_id="r", reason="no"), TransferRequested, {}),
        (refused_mail(), ConfirmationRequested, {"content": "as-then"}),
    ],
)
def test_what_was_refused_is_asked_for_as_it_was(
    told: LogEntry, asked: type[OrderEvent], fields: dict[str, Any]
) -> None:
    command = stamped(RetryEntry(order_id=ID, entry_id=told.meta.id))
    _, said = repaired(authorized(an_order_of(2)), trouble(told), command, SHOP)
    event, made = said
    assert isinstance(event, asked)
    assert {name: getattr(event, name) for name in fields} == fields
    assert isinstance(made, RepairMade)
    assert (made.action, made.entry_id) == ("retry", told.meta.id)


def test_the_address_is_corrected_before_the_mail_is_asked_for() -> None:
    told = refused_mail()
    command = stamped(FixAddressAndSend(order_id=ID, entry_id=told.meta.id, email="right@example.org"), actor="maria")
    order, said = repaired(an_order_of(1), trouble(told), command, SHOP)
    corrected, again, _ = said
    assert isinstance(corrected, ContactCorrected)
    assert isinstance(again, ConfirmationRequested)
    assert again.order.customer.email == order.now.customer.email == "right@example.org"
    assert (order.now.version, order.now.changed_by) == (2, "maria")


def test_letting_be_changes_nothing_else() -> None:
    told, order = overdue(), an_order_of(1)
    command = stamped(SkipEntry(order_id=ID, entry_id=told.meta.id, reason="The customer was called."))
    same, (made,) = repaired(order, trouble(told), command, SHOP)
    assert same is order
    assert isinstance(made, RepairMade)
    assert (made.summary, made.parameters, made.reason) == (
        "repair.skipped",
        {"about": "order-received"},
        "The customer was called.",
    )
