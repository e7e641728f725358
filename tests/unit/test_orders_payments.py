"""How far an order is paid follows from what was asked of the provider and what it did; nothing is asked for twice."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.moving import move
from services.orders.domain.order import Order
from services.orders.domain.payments import Payments
from services.orders.domain.shop import Shop
from shared.contracts.message import now
from shared.contracts.order import LineUnits, Payment, Shipment
from shared.contracts.order_commands import (
    BookShipment,
    CancelShipment,
    CapturePayment,
    OrderCommand,
    ProcessOrder,
    RefundPayment,
    ShipUnits,
    TransferOrder,
    VoidPayment,
)
from shared.contracts.order_events import PaymentRequested, PaymentStatusChanged, ShipmentRequested, TransferRequested
from shared.contracts.order_log import (
    LogEntry,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentUnmatched,
    PaymentVoided,
    ShipmentBooked,
    ShipmentCancelled,
    ShipmentTracked,
)
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import ErpConnection, PaymentConnection, ShippingConnection, ShopConnections
from tests.builders import a_line, a_shop, an_order, stamped

CONNECTED = ShopConnections(
    shop="nordic-tea",
    payment=PaymentConnection(provider="sandbox"),
    shipping=ShippingConnection(provider="sandbox"),
    erp=ErpConnection(provider="sandbox"),
)
BY_RULE = CONNECTED.model_copy(update={"payment": PaymentConnection(provider="sandbox", capture="when-shipped")})
ALL = Shop(a_shop(), CONNECTED)
WHEN_SHIPPED = Shop(a_shop(), BY_RULE)
NOTHING = Shop(a_shop(), ShopConnections(shop="nordic-tea"))
COMMON: dict[str, Any] = {"order_id": uuid4(), "outcome": "done", "summary": "x"}


def an_order_with_payment(**changes: Any) -> Order:
    payment = Payment(method="card", name="Kort", reference="pay_1")
    order = an_order(**{"payment": payment, "lines": [a_line(line_id="1", quantity=3, unit_price=1000)]} | changes)
    return Order(order, order)


def authorized(amount: int = 7900, **changes: Any) -> Order:
    return heard(an_order_with_payment(**changes), PaymentAuthorized(**COMMON, amount=amount))


def heard(order: Order, *entries: LogEntry) -> Order:
    for entry in entries:
        order, _ = order.reported(entry, ALL)
    return order


def asked(order: Order, command: OrderCommand, shop: Shop = ALL) -> tuple[Order, PaymentRequested]:
    act: Any = {CapturePayment: order.capture, RefundPayment: order.refund, VoidPayment: order.void}[type(command)]
    after, (event,) = act(stamped(command), shop)
    return after, event


def capture(order: Order, amount: int | None = None) -> tuple[Order, PaymentRequested]:
    return asked(order, CapturePayment(order_id=order.now.id, amount=amount))


def refund(order: Order, amount: int | None = None) -> tuple[Order, PaymentRequested]:
    return asked(order, RefundPayment(order_id=order.now.id, amount=amount))


def captured(event: PaymentRequested, amount: int | None = None) -> PaymentCaptured:
    taken = event.amount if amount is None else amount
    return PaymentCaptured(**COMMON, request_id=event.request_id, amount=taken, transaction_id="cap_1")


def test_an_authorization_is_told_once_and_shown_on_the_order() -> None:
    order = an_order_with_payment()
    after, (event,) = order.reported(PaymentAuthorized(**COMMON, amount=7900), ALL)
    assert isinstance(event, PaymentStatusChanged)
    assert (event.order.payment_status, event.order.paid.authorized) == ("authorized", 7900)
    assert after.now.version == order.now.version, "it counts what people change"
    assert after.reported(PaymentAuthorized(**COMMON, amount=7900), ALL) == (after, [])


def test_all_that_is_authorized_is_captured_and_no_more() -> None:
    order, event = capture(authorized())
    assert (event.action, event.amount, event.order.payment.reference) == ("capture", 7900, "pay_1")
    with pytest.raises(Refused, match="0 is authorized and not captured"):
        capture(order)
    order = heard(order, captured(event))
    assert (order.now.payment_status, order.now.paid.captured) == ("captured", 7900)


def test_a_capture_that_was_declined_may_be_asked_for_again() -> None:
    order, event = capture(authorized(), 5000)
    no = PaymentDeclined(**COMMON, request_id=event.request_id, action="capture", reason="card-expired")
    order, events = order.reported(no, ALL)
    assert (order.now.payment_status, events) == ("authorized", [])
    again, second = capture(order)
    assert (second.amount, again.payments.capturable()) == (7900, 0)


def test_a_decline_that_comes_after_the_money_changes_nothing() -> None:
    order, event = capture(authorized())
    no = PaymentDeclined(**COMMON, request_id=event.request_id, action="capture", reason="late")
    assert heard(order, captured(event), no).now.payment_status == "captured"


def test_parts_are_captured_and_refunded_until_nothing_is_left() -> None:
    order, first = capture(authorized(), 5000)
    order = heard(order, captured(first))
    assert order.now.payment_status == "partly-captured"
    with pytest.raises(Refused, match="2900 is authorized and not captured, not 2901") as refusal:
        capture(order, 2901)
    assert refusal.value.reason == "not-so-much-money"
    order, back = refund(order, 1000)
    with pytest.raises(Refused, match="4000 is captured and not refunded, not 4001"):
        refund(order, 4001)
    order = heard(order, PaymentRefunded(**COMMON, request_id=back.request_id, amount=1000, transaction_id="ref_1"))
    assert (order.now.payment_status, order.now.paid.refunded) == ("partly-refunded", 1000)
    order, rest = refund(order)
    order = heard(order, PaymentRefunded(**COMMON, request_id=rest.request_id, amount=4000, transaction_id="ref_2"))
    assert order.now.payment_status == "refunded"


def test_what_was_voided_cannot_be_captured() -> None:
    order, event = asked(authorized(), VoidPayment(order_id=uuid4()))
    assert (event.action, event.amount) == ("void", 0)
    with pytest.raises(Refused):
        capture(order)
    order = heard(order, PaymentVoided(**COMMON, request_id=event.request_id, transaction_id="void_1"))
    assert order.now.payment_status == "voided"


def test_money_taken_at_the_providers_own_page_counts_too() -> None:
    order = heard(authorized(), PaymentCaptured(**COMMON, amount=2000, transaction_id="cap_by_hand"))
    assert (order.now.paid.captured, order.payments.capturable()) == (2000, 5900)
    again = PaymentCaptured(**COMMON, amount=2000, transaction_id="cap_by_hand")
    assert heard(order, again) == order


def test_a_declined_authorization_is_shown() -> None:
    no = PaymentDeclined(**COMMON, action="authorize", reason="insufficient-funds")
    assert heard(an_order_with_payment(), no).now.payment_status == "declined"


def test_nothing_is_asked_of_a_provider_that_is_not_connected_or_knows_no_payment() -> None:
    command = stamped(CapturePayment(order_id=uuid4()))
    with pytest.raises(Refused) as refusal:
        authorized().capture(command, NOTHING)
    assert refusal.value.reason == "not-connected"
    plain = an_order()
    with pytest.raises(Refused) as refusal:
        Order(plain, plain).capture(command, ALL)
    assert refusal.value.reason == "no-payment"


@pytest.mark.requirement("R103")
def test_shipping_captures_what_was_sent_and_at_last_all_the_rest_where_the_shop_wants_it() -> None:
    order = authorized(amount=7900)
    first = [LineUnits(line_id="1", units=1)]
    order, events = move(order, stamped(ShipUnits(order_id=uuid4(), units=first)), WHEN_SHIPPED)
    assert [event.amount for event in events if isinstance(event, PaymentRequested)] == [1000]
    order, events = order.process(stamped(ProcessOrder(order_id=uuid4())), WHEN_SHIPPED)
    assert [event.amount for event in events if isinstance(event, PaymentRequested)] == [6900]
    assert order.payments.capturable() == 0


@pytest.mark.requirement("R103")
def test_what_was_sent_before_its_payment_was_known_to_be_good_is_captured_when_it_is() -> None:
    good = stamped(PaymentAuthorized(**COMMON, amount=7900), source="/integrations/payment")
    first = [LineUnits(line_id="1", units=1)]
    part, _ = move(an_order_with_payment(), stamped(ShipUnits(order_id=uuid4(), units=first)), WHEN_SHIPPED)
    order, (changed, asked) = part.reported(good, WHEN_SHIPPED)
    assert isinstance(changed, PaymentStatusChanged)
    assert isinstance(asked, PaymentRequested)
    assert (asked.action, asked.amount, asked.request_id) == ("capture", 1000, good.meta.id)
    assert order.reported(good, WHEN_SHIPPED)[1] == [], "told twice, asked once"
    for shop in (ALL, NOTHING):
        assert [type(event).__name__ for event in part.reported(good, shop)[1]] == ["PaymentStatusChanged"]


@pytest.mark.parametrize("shop", [ALL, NOTHING])
def test_shipping_captures_nothing_where_the_shop_does_it_by_hand(shop: Shop) -> None:
    _, events = authorized().process(stamped(ProcessOrder(order_id=uuid4())), shop)
    assert [type(event).__name__ for event in events] == ["OrderProcessed"]


def test_shipping_an_order_whose_payment_is_not_good_captures_nothing() -> None:
    _, events = an_order_with_payment().process(stamped(ProcessOrder(order_id=uuid4())), WHEN_SHIPPED)
    assert [type(event).__name__ for event in events] == ["OrderProcessed"]


@given(st.lists(st.tuples(st.sampled_from(["capture", "refund"]), st.integers(1, 9000), st.sampled_from("ydn"))))
def test_never_more_is_taken_than_authorized_nor_given_back_than_taken(steps: list[tuple[str, int, str]]) -> None:
    order = authorized()
    for what, amount, answer in steps:
        try:
            order, event = capture(order, amount) if what == "capture" else refund(order, amount)
        except Refused:
            continue
        told: dict[str, Any] = {**COMMON, "request_id": event.request_id}
        match answer, what:
            case "y", "capture":
                order = heard(order, PaymentCaptured(**told, amount=amount, transaction_id="t"))
            case "y", "refund":
                order = heard(order, PaymentRefunded(**told, amount=amount, transaction_id="t"))
            case "d", _:
                order = heard(order, PaymentDeclined(**told, action=event.action, reason="declined"))
        sums = order.now.paid
        assert 0 <= sums.refunded <= sums.captured <= sums.authorized
        assert order.payments.capturable() >= 0
        assert order.payments.refundable() >= 0


def test_a_shipment_is_asked_for_with_what_is_open_or_was_sent() -> None:
    order = an_order_with_payment()
    (event,) = order.book_shipment(stamped(BookShipment(order_id=uuid4())), ALL)
    assert isinstance(event, ShipmentRequested)
    assert [(row.line_id, row.units) for row in event.units] == [("1", 3)]
    too_many = stamped(BookShipment(order_id=uuid4(), units=[LineUnits(line_id="1", units=4)]))
    with pytest.raises(Refused, match="line 1 has 3"):
        order.book_shipment(too_many, ALL)
    with pytest.raises(Refused, match="no shipping connection"):
        order.book_shipment(stamped(BookShipment(order_id=uuid4())), NOTHING)


BOOKED = ShipmentBooked(**COMMON, shipment_id="shp_1", tracking_number="N1", tracking_url="https://carrier.example/N1")


def test_a_shipment_goes_forward_whatever_the_order_of_what_is_told() -> None:
    def tracked(state: str) -> ShipmentTracked:
        fields: Any = {**COMMON, "shipment_id": "shp_1", "state": state, "seen_at": now()}
        return ShipmentTracked(**fields)

    order = heard(an_order_with_payment(), BOOKED, tracked("in-transit"), tracked("handed-over"), BOOKED)
    assert order.now.shipments == [
        Shipment(
            shipment_id="shp_1", tracking_number="N1", tracking_url="https://carrier.example/N1", state="in-transit"
        )
    ]
    assert heard(order, tracked("delivered")).now.shipments[0].state == "delivered"


def test_only_a_shipment_of_the_order_is_cancelled() -> None:
    order = heard(an_order_with_payment(), BOOKED)
    (event,) = order.cancel_shipment(stamped(CancelShipment(order_id=uuid4(), shipment_id="shp_1")), ALL)
    assert isinstance(event, ShipmentRequested)
    assert (event.action, event.shipment_id) == ("cancel", "shp_1")
    with pytest.raises(Refused, match="no shipment shp_2"):
        order.cancel_shipment(stamped(CancelShipment(order_id=uuid4(), shipment_id="shp_2")), ALL)
    cancelled = heard(order, ShipmentCancelled(**COMMON, shipment_id="shp_1"))
    assert cancelled.now.shipments[0].state == "cancelled"


@pytest.mark.requirement("R072")
def test_an_order_is_transferred_as_it_is_now() -> None:
    order = an_order_with_payment()
    command = stamped(TransferOrder(order_id=uuid4()))
    (event,) = order.transfer(command, ALL)
    assert isinstance(event, TransferRequested)
    assert (event.order, event.request_id) == (order.now, command.meta.id)
    with pytest.raises(Refused, match="no erp connection"):
        order.transfer(command, NOTHING)


def test_payments_without_steps_are_none() -> None:
    assert (Payments().status(7900), Payments().capturable(), Payments().refundable()) == ("none", 0, 0)


def attached(reference: str) -> PaymentUnmatched:
    return PaymentUnmatched(
        **COMMON, provider="sandbox", reference=reference, first_heard_at=now(), messages=1, by_hand=True
    )


@pytest.mark.requirement("R133")
def test_an_order_that_named_no_payment_can_be_captured_when_one_was_attached_to_it() -> None:
    order = Order(an_order(), an_order())
    assert not order.now.payment.reference
    order = heard(order, attached("pay_1"), PaymentAuthorized(**COMMON, amount=7900))
    _, (asked,) = order.capture(stamped(CapturePayment(order_id=order.now.id)), ALL)
    assert isinstance(asked, PaymentRequested)
    assert (asked.order.payment.reference, asked.amount) == ("pay_1", 7900)


def test_an_order_keeps_the_payment_that_it_was_placed_with() -> None:
    order = an_order_with_payment()
    named = order.now.payment.reference
    after, said = order.reported(attached("pay_other"), ALL)
    assert (after.now.payment.reference, after.now.payment_status, said) == (named, order.now.payment_status, [])
