"""The sum to pay is whole where the shop rounds; parts are exact, and whatever comes first, they add up to it."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.moving import TARGETS
from services.orders.domain.order import Order
from services.orders.domain.shop import Shop
from services.orders.domain.units import WAITING, ledger_of, units_in
from services.orders.domain.worth import still_due
from shared.contracts.order import Delivery, LineUnits, OrderSnapshot, Payment
from shared.contracts.order_commands import (
    CancelOrder,
    CapturePayment,
    ConfirmPayment,
    ProcessOrder,
    RefundPayment,
    ShipUnits,
)
from shared.contracts.order_events import OrderEvent, PaymentRequested
from shared.contracts.order_log import (
    LogEntry,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentRefunded,
    PaymentVoided,
)
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import PaymentConnection, ShopConnections
from tests.builders import a_line, a_shop, stamped
from tests.unit.test_orders_handling import do, some
from tests.unit.test_orders_order import lines, place

WHOLE = a_shop(rounding="whole")
BY_HAND = Shop(WHOLE, ShopConnections(shop="nordic-tea", payment=PaymentConnection(provider="s")))
BY_RULE = Shop(
    WHOLE, ShopConnections(shop="nordic-tea", payment=PaymentConnection(provider="s", capture="when-shipped"))
)
CARD = Payment(method="card", name="Kort", reference="pay_1")


def an_order(*prices: int, delivery: int = 0, quantity: int = 1) -> Order:
    """An order of a shop that rounds, with lines 1, 2, 3 … at these prices with VAT, and a payment begun."""
    ordered = [a_line(line_id=str(n), quantity=quantity, unit_price=each) for n, each in enumerate(prices, start=1)]
    parcel = Delivery(method="parcel", name="Ombud", price=delivery)
    now = place(WHOLE, lines=ordered, delivery=parcel, payment=CARD)
    return Order(now, now)


def entry(order: Order, contract: type[LogEntry], **fields: Any) -> LogEntry:
    return stamped(contract(order_id=order.now.id, outcome="done", summary="x", **fields))


def reported(order: Order, event: PaymentRequested, shop: Shop) -> tuple[Order, list[OrderEvent]]:
    """The order when the provider has done what it was asked for."""
    said: dict[str, tuple[type[LogEntry], dict[str, Any]]] = {
        "capture": (PaymentCaptured, {"amount": event.amount}),
        "refund": (PaymentRefunded, {"amount": event.amount}),
        "void": (PaymentVoided, {}),
    }
    contract, fields = said[event.action]
    transaction = f"t-{event.action}-{event.request_id}"
    done = entry(order, contract, request_id=event.request_id, transaction_id=transaction, **fields)
    return order.reported(done, shop)


def authorized(order: Order, shop: Shop = BY_RULE) -> Order:
    """The order when its customer has paid what is to be paid."""
    return order.reported(entry(order, PaymentAuthorized, amount=order.now.totals.to_pay.amount), shop)[0]


def settled(order: Order, events: list[OrderEvent], shop: Shop) -> Order:
    """The order when the provider has done all that these events ask for, and all that comes of it."""
    waiting = [event for event in events if isinstance(event, PaymentRequested)]
    while waiting:
        order, more = reported(order, waiting.pop(0), shop)
        waiting += [event for event in more if isinstance(event, PaymentRequested)]
    return order


def asked(events: list[OrderEvent]) -> list[tuple[str, int]]:
    return [(event.action, event.amount) for event in events if isinstance(event, PaymentRequested)]


@pytest.mark.requirement("R084")
@pytest.mark.parametrize(
    ("exact", "rounding"),
    [(100_00, 0), (100_01, -1), (100_49, -49), (100_50, 50), (100_99, 1), (49, -49), (50, 50), (0, 0)],
)
def test_the_sum_to_pay_is_whole_and_half_a_krona_is_one(exact: int, rounding: int) -> None:
    totals = an_order(exact).now.totals
    assert (totals.incl_vat.amount, totals.rounding) == (exact, rounding)
    assert (totals.to_pay.amount, totals.to_pay.currency) == (exact + rounding, "SEK")


@pytest.mark.requirement("R084")
@given(ordered=lines(), includes_vat=st.booleans(), currency=st.sampled_from(["SEK", "EUR", "JPY", "KWD"]))
def test_rounding_changes_nothing_but_the_sum_to_pay(*, ordered: Any, includes_vat: bool, currency: str) -> None:
    content: dict[str, Any] = {"lines": ordered, "prices_include_vat": includes_vat, "currency": currency}
    exact = place(a_shop(currency=currency), **content).totals
    totals = place(a_shop(currency=currency, rounding="whole"), **content).totals
    unit = {"JPY": 1, "KWD": 1000}.get(currency, 100)
    assert totals.to_pay.amount % unit == 0
    assert abs(totals.rounding) * 2 <= unit
    assert totals.model_copy(update={"rounding": 0}) == exact
    assert exact.to_pay == exact.incl_vat


@pytest.mark.requirement("R084")
def test_an_order_in_another_currency_than_the_shops_is_exact() -> None:
    order = place(WHOLE, currency="EUR", lines=[a_line(quantity=1, unit_price=10_050)])
    assert order.totals.rounding == 0


@pytest.mark.requirement("R032", "R084")
def test_a_shop_front_that_rounds_as_we_do_differs_in_nothing() -> None:
    def of(total: int) -> OrderSnapshot:
        return place(WHOLE, lines=[a_line(quantity=1, unit_price=100_40)], delivery=FREE, total=total)

    assert (of(100_00).totals.difference, of(100_00).attention) == (0, [])
    assert (of(100_40).totals.difference, of(100_40).attention) == (40, ["total-differs"])


FREE = Delivery(method="store", name="Hämta i butik")


@pytest.mark.requirement("R084", "R116")
def test_what_a_person_confirms_and_how_far_it_is_paid_go_by_the_sum_to_pay() -> None:
    order = an_order(100_60)
    order, _ = order.confirm_payment(stamped(ConfirmPayment(order_id=order.now.id)))
    assert (order.now.paid.captured, order.now.payment_status) == (101_00, "captured")
    with pytest.raises(Refused):
        order.confirm_payment(stamped(ConfirmPayment(order_id=order.now.id)))


@pytest.mark.requirement("R118", "R131")
def test_what_was_cancelled_is_not_missing_when_a_person_confirms_the_rest() -> None:
    order, _ = do(an_order(100_40, 50_00), CancelOrder(order_id=UNUSED, units=some(l2=1)), BY_HAND)
    order, _ = order.confirm_payment(stamped(ConfirmPayment(order_id=order.now.id)))
    assert order.now.paid.captured == 100_00


@pytest.mark.requirement("R084", "R110")
@pytest.mark.parametrize("second", [50_20, 49_80])
def test_of_an_order_in_two_parcels_the_last_one_takes_what_makes_the_sum_whole(second: int) -> None:
    order = authorized(an_order(50_20, second, delivery=20))
    order, events = do(order, ShipUnits(order_id=order.now.id, units=some(l1=1)), BY_RULE)
    assert asked(events) == [("capture", 50_20)], "a part has its exact price"
    order = settled(order, events, BY_RULE)
    order, events = do(order, ProcessOrder(order_id=order.now.id), BY_RULE)
    order = settled(order, events, BY_RULE)
    assert order.now.paid.captured == order.now.totals.to_pay.amount
    assert order.now.payment_status == "captured"


@pytest.mark.requirement("R084", "R110")
def test_a_part_never_takes_more_than_is_due_of_the_whole() -> None:
    order = authorized(an_order(100_30, 50_00, 10))
    order, _ = do(order, CancelOrder(order_id=order.now.id, units=some(l2=1)), BY_RULE)
    order, events = do(order, ShipUnits(order_id=order.now.id, units=some(l1=1)), BY_RULE)
    assert asked(events) == [("capture", 100_00)], "150.40 were rounded to 150, and 50 of them were cancelled"


@pytest.mark.requirement("R084", "R131")
def test_what_is_cancelled_is_given_back_at_its_exact_price_and_the_whole_to_the_last_krona() -> None:
    order = authorized(an_order(100_40, 50_00))
    assert (order.now.totals.rounding, order.now.totals.to_pay.amount) == (-40, 150_00)
    order, events = do(order, CapturePayment(order_id=order.now.id), BY_HAND)
    order = settled(order, events, BY_HAND)
    order, events = do(order, CancelOrder(order_id=order.now.id, units=some(l2=1)), BY_HAND)
    assert asked(events) == [("refund", 50_00)]
    order = settled(order, events, BY_HAND)
    order, events = do(order, CancelOrder(order_id=order.now.id), BY_HAND)
    assert asked(events) == [("refund", 100_00)], "of 100.40 that were rounded to 100 when it was paid"


@pytest.mark.requirement("R110", "R131")
def test_when_the_rest_of_a_sent_order_is_cancelled_the_delivery_is_captured_too() -> None:
    order = authorized(an_order(100_40, 50_00, delivery=49_00))
    order, events = do(order, ShipUnits(order_id=order.now.id, units=some(l1=1)), BY_RULE)
    order = settled(order, events, BY_RULE)
    order, events = do(order, CancelOrder(order_id=order.now.id, units=some(l2=1)), BY_RULE)
    assert asked(events) == [("capture", 48_60)], "49.00, and the 40 öre that the sum was rounded down by"


@pytest.mark.requirement("R131")
def test_what_the_provider_takes_after_it_was_cancelled_goes_back() -> None:
    order, [slow] = do(authorized(an_order(100_40, 50_00)), CapturePayment(order_id=UNUSED), BY_HAND)
    assert isinstance(slow, PaymentRequested)
    order, events = do(order, CancelOrder(order_id=order.now.id, units=some(l2=1)), BY_HAND)
    assert asked(events) == [], "nothing was taken yet"
    order, events = reported(order, slow, BY_HAND)
    assert asked(events) == [("refund", 50_00)]


@pytest.mark.requirement("R131")
def test_an_authorization_that_comes_after_the_cancellation_is_let_go_of() -> None:
    order, events = do(an_order(100_40), CancelOrder(order_id=UNUSED), BY_HAND)
    assert asked(events) == []
    late = entry(order, PaymentAuthorized, amount=order.now.totals.to_pay.amount)
    order, events = order.reported(late, BY_HAND)
    assert asked(events) == [("void", 0)]


UNUSED = an_order(1).now.id
MOVES = st.sampled_from([*TARGETS, ProcessOrder, CancelOrder])


class Till:
    """A provider that does what it is asked for when the test says, in any order, and knows what the customer paid."""

    def __init__(self, order: Order, shop: Shop) -> None:
        self.order, self.shop = authorized(order, shop), shop
        self.waiting: list[PaymentRequested] = []
        self.names: set[str] = set()

    def do(self, command: Any) -> None:
        """The command, unless it is refused."""
        try:
            self.order, events = do(self.order, command, self.shop)
        except Refused:
            return
        self._hear(events)

    def act(self, which: int) -> None:
        """The provider does one of the things that it was asked for."""
        if self.waiting:
            self.order, events = reported(self.order, self.waiting.pop(which % len(self.waiting)), self.shop)
            self._hear(events)

    def _hear(self, events: list[OrderEvent]) -> None:
        for event in events:
            if isinstance(event, PaymentRequested):
                assert f"{event.action} {event.request_id}" not in self.names, "one request is one call"
                self.names.add(f"{event.action} {event.request_id}")
                self.waiting.append(event)


@st.composite
def commands(draw: st.DrawFn, order: Order) -> Any:
    """Something that a shop does with units of an order."""
    ids = [line.line_id for line in order.now.lines]
    chosen = draw(st.lists(st.sampled_from(ids), unique=True, max_size=len(ids)))
    units = [LineUnits(line_id=each, units=draw(st.integers(1, 3))) for each in chosen] or None
    kind: Any = draw(MOVES)
    return kind(order_id=order.now.id, units=units)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """An order of some lines whose sum is nearly never whole by itself, prices with or without VAT."""
    prices = draw(st.lists(st.integers(0, 200_00), min_size=1, max_size=4))
    rates = st.sampled_from([Decimal(6), Decimal(12), Decimal(25), Decimal("25.5")])
    ordered = [
        a_line(line_id=str(n), quantity=draw(st.integers(1, 3)), unit_price=price, vat_rate=draw(rates))
        for n, price in enumerate(prices, start=1)
    ]
    parcel = Delivery(method="parcel", name="Ombud", price=draw(st.integers(0, 99_00)))
    now = place(WHOLE, lines=ordered, delivery=parcel, payment=CARD, prices_include_vat=draw(st.booleans()))
    return Order(now, now)


@pytest.mark.requirement("R084", "R131", "R203")
@given(data=st.data(), order=orders())
def test_by_rule_exactly_what_is_due_is_taken_whatever_comes_first(data: st.DataObject, order: Order) -> None:
    till = Till(order, BY_RULE)
    for _ in range(data.draw(st.integers(1, 15))):
        if data.draw(st.booleans()):
            till.do(data.draw(commands(till.order)))
        else:
            till.act(data.draw(st.integers(0, 9)))
        assert till.order.now.paid.captured - till.order.now.paid.refunded <= order.now.totals.to_pay.amount
    while till.waiting:
        till.act(0)
    if units_in(ledger_of(till.order.now.lines), WAITING):
        till.do(ProcessOrder(order_id=order.now.id))
        till.do(ShipUnits(order_id=order.now.id))
    while till.waiting:
        till.act(0)
    now = till.order.now
    due = still_due(now, ledger_of(now.lines))
    assert now.paid.captured - now.paid.refunded == due
    if not units_in(ledger_of(now.lines), {"cancelled"}):
        assert due == now.totals.to_pay.amount


@pytest.mark.requirement("R084", "R131")
@given(data=st.data(), order=orders())
def test_by_hand_all_that_is_due_can_be_taken_and_all_be_given_back(data: st.DataObject, order: Order) -> None:
    till = Till(order, BY_HAND)
    whole = order.now.totals.to_pay.amount
    for _ in range(data.draw(st.integers(1, 10))):
        part = data.draw(st.one_of(st.none(), st.integers(1, max(1, whole))))
        kind: Any = data.draw(st.sampled_from([CapturePayment, RefundPayment, None]))
        if kind is None:
            till.act(data.draw(st.integers(0, 9)))
        else:
            till.do(kind(order_id=order.now.id, amount=part))
        assert 0 <= till.order.now.paid.captured - till.order.now.paid.refunded <= whole
    while till.waiting:
        till.act(0)
    till.do(CapturePayment(order_id=order.now.id))
    while till.waiting:
        till.act(0)
    assert till.order.now.paid.captured == whole
    till.do(RefundPayment(order_id=order.now.id))
    while till.waiting:
        till.act(0)
    assert till.order.now.paid.refunded == whole
