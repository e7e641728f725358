"""Placing an order: what is accepted, what it comes to, what is flagged and what is refused."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.order import Order
from services.orders.domain.shop import Shop
from shared.contracts.files import DocumentKind
from shared.contracts.order import Delivery, OrderLine, OrderSnapshot, Payment
from shared.contracts.order_commands import PrintDocument, ResendConfirmation
from shared.contracts.order_events import ConfirmationRequested, OrderPlaced
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import ShopConnections, ShopSettings
from tests.builders import a_customer, a_line, a_shop, an_order, to_place, what_is_printed, what_is_sent

ALONE = Shop(a_shop(), ShopConnections(shop="nordic-tea"))
SHOP = Shop(a_shop(), ALONE.connections, what_is_sent(), what_is_printed())
AT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
PRICES = st.integers(0, 10**6)


def place(shop: ShopSettings | None = None, **changes: Any) -> OrderSnapshot:
    command = to_place(an_order()).model_copy(update=changes)
    [event] = Order.place(command, shop or a_shop(), number=1001, at=AT)
    assert isinstance(event, OrderPlaced)
    return event.order


@st.composite
def lines(draw: st.DrawFn) -> list[OrderLine]:
    """Lines as shops have them: several rates, some with a discount, some for nothing."""
    drawn = []
    for number in range(draw(st.integers(1, 12))):
        quantity, price = draw(st.integers(1, 50)), draw(PRICES)
        rate = Decimal(draw(st.sampled_from(["0", "6", "12", "25", "25.5"])))
        discount = draw(st.integers(0, quantity * price))
        drawn.append(a_line(line_id=str(number), quantity=quantity, unit_price=price, vat_rate=rate, discount=discount))
    return drawn


@pytest.mark.requirement("R006", "R007", "R010", "R012", "R013", "R016", "R019", "R020", "R105")
def test_a_placed_order_carries_everything_that_the_shop_front_said() -> None:
    command = to_place(an_order(message="Ring på dörren", reference="cart-7", ip_address="192.0.2.7"))
    [event] = Order.place(command, a_shop(), number=1001, at=AT)
    said = command.model_dump(exclude={"order_id", "lines", "placed_at", "checkout"})
    assert event.order.model_dump(include=set(said)) == said
    assert (event.order.id, event.order.shop) == (command.order_id, "nordic-tea")
    assert (event.order.number, event.order.version) == (1001, 1)
    shown = event.order.lines[0].model_dump(include=set(OrderLine.model_fields))
    assert shown == command.lines[0].model_dump()


def test_an_order_is_dated_by_the_shop_front_in_utc_or_else_by_its_acceptance() -> None:
    in_helsinki = datetime(2026, 11, 25, 13, 30, tzinfo=timezone(timedelta(hours=2)))
    assert place(placed_at=in_helsinki).placed_at.isoformat() == "2026-11-25T11:30:00+00:00"
    assert place(placed_at=None).placed_at == AT


@pytest.mark.parametrize(
    "wild",
    [
        AT + timedelta(days=2),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=14))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    ],
)
def test_a_time_that_cannot_be_is_refused(wild: datetime) -> None:
    with pytest.raises(Refused) as refusal:
        place(placed_at=wild)
    assert refusal.value.reason == "placed-at-impossible"


@pytest.mark.requirement("R031", "R032")
def test_the_grand_total_includes_delivery_and_the_cost_of_the_payment_method() -> None:
    order = place(
        lines=[a_line(quantity=2, unit_price=11_200, discount=2_400, vat_rate=Decimal(12))],
        delivery=Delivery(method="parcel", name="Ombud", price=5_000),
        payment=Payment(method="invoice", name="Faktura", cost=2_500),
    )
    assert [(row.rate, row.incl_vat.amount, row.vat.amount) for row in order.totals.per_rate] == [
        (Decimal(12), 20_000, 2_143),
        (Decimal(25), 7_500, 1_500),
    ]
    assert (order.totals.incl_vat.amount, order.totals.vat.amount) == (27_500, 3_643)
    [line] = order.lines
    assert (line.unit_price_incl_vat, line.unit_price_excl_vat) == (11_200, 10_000)
    assert (line.total_incl_vat, line.total_excl_vat) == (20_000, 17_857)


def test_a_delivery_that_costs_nothing_adds_no_rate() -> None:
    order = place(lines=[a_line(vat_rate=Decimal(12))], delivery=Delivery(method="store", name="Hämta i butik"))
    assert [row.rate for row in order.totals.per_rate] == [Decimal(12)]


@given(ordered=lines(), includes_vat=st.booleans(), delivery=PRICES, payment=PRICES)
def test_totals_are_the_sum_of_their_rates_and_never_negative(
    *, ordered: list[OrderLine], includes_vat: bool, delivery: int, payment: int
) -> None:
    totals = place(
        lines=ordered,
        prices_include_vat=includes_vat,
        delivery=Delivery(method="parcel", name="Ombud", price=delivery),
        payment=Payment(method="card", name="Kort", cost=payment),
    ).totals
    assert totals.excl_vat.amount == sum(row.excl_vat.amount for row in totals.per_rate) >= 0
    assert totals.vat.amount == sum(row.vat.amount for row in totals.per_rate) >= 0
    assert totals.incl_vat.amount == totals.excl_vat.amount + totals.vat.amount
    assert all(row.incl_vat.amount == row.excl_vat.amount + row.vat.amount for row in totals.per_rate)


@given(ordered=lines(), includes_vat=st.booleans(), chance=st.randoms(use_true_random=False))
def test_totals_do_not_depend_on_the_order_of_the_lines(
    *, ordered: list[OrderLine], includes_vat: bool, chance: Random
) -> None:
    shuffled = list(ordered)
    chance.shuffle(shuffled)
    first, second = (place(lines=some, prices_include_vat=includes_vat).totals for some in (ordered, shuffled))
    assert first == second


@given(ordered=lines(), includes_vat=st.booleans())
def test_lines_differ_from_their_totals_by_rounding_alone(*, ordered: list[OrderLine], includes_vat: bool) -> None:
    order = place(
        lines=ordered,
        prices_include_vat=includes_vat,
        delivery=Delivery(method="store", name="Hämta i butik"),
        payment=Payment(method="card", name="Kort"),
    )
    excl, incl = order.totals.excl_vat.amount, order.totals.incl_vat.amount
    assert abs(sum(line.total_excl_vat for line in order.lines) - excl) <= len(ordered)
    assert abs(sum(line.total_incl_vat for line in order.lines) - incl) <= len(ordered)


@pytest.mark.requirement("R021")
def test_an_order_in_another_currency_keeps_its_currency_and_rate() -> None:
    order = place(currency="EUR", exchange_rate=Decimal("11.2345"))
    assert order.exchange_rate == Decimal("11.2345")
    assert (order.currency, order.totals.incl_vat.currency) == ("EUR", "EUR")


@pytest.mark.parametrize(("difference", "flagged"), [(0, []), (50, []), (-50, []), (51, ["total-differs"])])
def test_a_total_that_differs_is_kept_and_flagged_above_the_tolerance_never_refused(
    difference: int, flagged: list[str]
) -> None:
    ours = place().totals.incl_vat.amount
    order = place(a_shop(total_tolerance=50), total=ours + difference)
    assert order.totals.shop_front is not None
    assert (order.totals.incl_vat.amount, order.totals.shop_front.amount) == (ours, ours + difference)
    assert (order.totals.difference, order.attention) == (difference, flagged)


def test_an_order_whose_shop_front_says_no_total_differs_from_nothing() -> None:
    order = place(total=None)
    assert (order.totals.shop_front, order.totals.difference, order.attention) == (None, 0, [])


def test_an_order_beyond_any_amount_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        place(lines=[a_line(quantity=1_000_000, unit_price=10**12)])
    assert refusal.value.reason == "amount-too-large"


def test_an_order_that_is_too_large_for_later_events_is_refused() -> None:
    wide = [a_line(line_id=f"{number:0128}", name="Ö" * 200, stock_location="Å" * 200) for number in range(900)]
    with pytest.raises(Refused) as refusal:
        place(lines=wide)
    assert refusal.value.reason == "order-too-large"


def test_an_invoice_of_1114_lines_is_accepted() -> None:
    name = "WHITE HANGING HEART T-LIGHT HOLDER"
    long = [a_line(line_id=str(number), article_number="85123A", name=name) for number in range(1_114)]
    assert len(place(lines=long).lines) == 1_114


@pytest.mark.requirement("R068", "R069")
@pytest.mark.parametrize(("content", "expected"), [("as-then", 1), ("as-now", 2)])
def test_a_confirmation_is_sent_again_as_the_order_was_then_or_as_it_is_now(content: Any, expected: int) -> None:
    then = an_order()
    now = then.model_copy(update={"version": 2})
    [event] = Order(now, then).resend_confirmation(ResendConfirmation(order_id=then.id, content=content), SHOP)
    assert isinstance(event, ConfirmationRequested)
    assert (event.content, event.order.version) == (content, expected)


@pytest.mark.parametrize("kind", ["order-print", "pick-list"])
def test_what_no_service_does_for_the_shop_is_not_asked_for(kind: DocumentKind) -> None:
    order = Order(an_order(), an_order())
    again = ResendConfirmation(order_id=order.now.id)
    printed = PrintDocument(order_id=order.now.id, document=kind)
    assert refusal(lambda: order.resend_confirmation(again, ALONE)) == "nobody-reacts"
    assert refusal(lambda: order.print_document(printed, ALONE)) == "nobody-reacts"
    other = Shop(a_shop(), ALONE.connections, looks=what_is_printed(documents=["delivery-note"]))
    assert refusal(lambda: order.print_document(printed, other)) == "nobody-reacts"
    assert [event.type for event in order.print_document(printed, SHOP)] == ["order.document-requested.v1"]


def refusal(ask: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        ask()
    return refused.value.reason


@pytest.mark.requirement("R068", "R069", "R124")
@pytest.mark.parametrize("content", ["as-then", "as-now"])
def test_a_confirmation_goes_to_the_address_of_now_whatever_it_shows(content: Any) -> None:
    """It went to the address that had been refused, and corrected since."""
    then = an_order(customer=a_customer(email="wrong@example.org"))
    now = then.model_copy(update={"customer": a_customer(email="right@example.org", phone="1"), "version": 2})
    [event] = Order(now, then).resend_confirmation(ResendConfirmation(order_id=then.id, content=content), SHOP)
    assert event.order.customer.email == "right@example.org"
    assert (event.order.customer.phone == "1") == (content == "as-now")
