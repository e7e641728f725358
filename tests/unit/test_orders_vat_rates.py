"""What a class bears is the law of the day of the order, in the shop's time zone; another rate is kept and flagged."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.orders.domain.order import Order
from services.orders.domain.vat_rates import BEGINNING, RATES, rate_of, rates_on, require_known
from shared.contracts.order import Delivery, OrderSnapshot, Payment
from shared.contracts.order_commands import LineToPlace, PlaceOrderV2
from shared.contracts.order_events import OrderPlaced
from shared.contracts.refusal import Refused
from tests.builders import a_customer, a_line, a_shop, an_address, an_order, to_place
from tests.unit.test_orders_order import place

STOCKHOLM, HELSINKI = ZoneInfo("Europe/Stockholm"), ZoneInfo("Europe/Helsinki")
SWEDISH = a_shop(vat_country="SE")
FREE = Delivery(method="store", name="Hämta i butik")


def of_class(vat_class: str, **changes: Any) -> LineToPlace:
    """A line that says its class and no rate."""
    fields = vars(a_line()) | {"vat_rate": None, "vat_class": vat_class, "quantity": 1, "unit_price": 106_00}
    return LineToPlace(**fields | changes)


def placed(at: datetime, *lines: LineToPlace, shop: Any = SWEDISH, **changes: Any) -> OrderSnapshot:
    """What became of a cart that a customer confirmed at this moment."""
    content = {name: getattr(to_place(an_order()), name) for name in PlaceOrderV2.model_fields}
    command = PlaceOrderV2(**content | {"lines": list(lines), "delivery": FREE, "placed_at": at} | changes)
    [event] = Order.place(command, shop, number=1001, at=at + timedelta(seconds=1))
    assert isinstance(event, OrderPlaced)
    return event.order


@pytest.mark.requirement("R084")
@pytest.mark.parametrize(
    ("at", "rate"),
    [
        (datetime(2026, 3, 31, 23, 59, 59, tzinfo=STOCKHOLM), "12"),
        (datetime(2026, 4, 1, 0, 0, tzinfo=STOCKHOLM), "6"),
        (datetime(2026, 3, 31, 21, 59, 59, tzinfo=UTC), "12"),
        (datetime(2026, 3, 31, 22, 0, tzinfo=UTC), "6"),
        (datetime(2027, 12, 31, 23, 59, 59, tzinfo=STOCKHOLM), "6"),
        (datetime(2027, 12, 31, 22, 59, 59, tzinfo=UTC), "6"),
        (datetime(2027, 12, 31, 23, 0, tzinfo=UTC), "12"),
        (datetime(2028, 1, 1, 0, 0, tzinfo=STOCKHOLM), "12"),
    ],
)
def test_swedish_food_bears_the_rate_of_the_day_on_which_it_is_ordered(at: datetime, rate: str) -> None:
    order = placed(at, of_class("food"))
    [line] = order.lines
    assert (line.vat_rate, line.vat_class) == (Decimal(rate), "food")
    assert [row.rate for row in order.totals.per_rate] == [Decimal(rate)]
    assert order.totals.incl_vat.amount == 106_00, "the price is what the customer saw"
    assert order.attention == []


@pytest.mark.requirement("R084")
def test_the_day_is_that_of_the_shops_own_time_zone() -> None:
    at = datetime(2025, 12, 31, 22, 30, tzinfo=UTC)
    finnish = a_shop(vat_country="FI", time_zone="Europe/Helsinki")
    in_stockholm = finnish.model_copy(update={"time_zone": "Europe/Stockholm"})
    assert placed(at, of_class("food"), shop=finnish).lines[0].vat_rate == Decimal("13.5")
    assert placed(at, of_class("food"), shop=in_stockholm).lines[0].vat_rate == Decimal(14)


@pytest.mark.requirement("R084")
@pytest.mark.parametrize(
    ("country", "vat_class", "day", "rate"),
    [
        ("FI", "standard", date(2024, 8, 31), "24"),
        ("FI", "standard", date(2024, 9, 1), "25.5"),
        ("FI", "food", date(2025, 12, 31), "14"),
        ("FI", "food", date(2026, 1, 1), "13.5"),
        ("FI", "book", date(2024, 12, 31), "10"),
        ("FI", "book", date(2025, 1, 1), "14"),
        ("FI", "press", date(2026, 6, 1), "10"),
        ("SE", "standard", date(2026, 4, 1), "25"),
        ("SE", "restaurant", date(2026, 4, 1), "12"),
        ("SE", "book", date(2026, 4, 1), "6"),
        ("SE", "zero", date(2026, 4, 1), "0"),
    ],
)
def test_each_country_has_its_rates(country: str, vat_class: str, day: date, rate: str) -> None:
    assert rate_of(country, vat_class, day) == Decimal(rate)


def test_the_rates_of_a_class_follow_on_each_other_without_a_gap() -> None:
    for rates in RATES.values():
        for vat_class in {each.vat_class for each in rates}:
            steps = [each for each in rates if each.vat_class == vat_class]
            assert (steps[0].since, steps[-1].until) == (BEGINNING, None)
            for before, after in pairwise(steps):
                assert before.until is not None
                assert before.until + timedelta(days=1) == after.since
                assert before.rate != after.rate
    assert rates_on("SE", BEGINNING - timedelta(days=1)) == []
    assert rates_on("NO", BEGINNING) == []


TODAY = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.mark.requirement("R084")
def test_a_class_without_a_country_and_one_that_nobody_knows_are_refused() -> None:
    for shop, vat_class, reason in (
        (a_shop(), "food", "no-vat-country"),
        (SWEDISH, "fodd", "unknown-vat-class"),
        (SWEDISH, "FOOD", "unknown-vat-class"),
    ):
        with pytest.raises(Refused) as refusal:
            placed(TODAY, of_class(vat_class), shop=shop)
        assert refusal.value.reason == reason
    with pytest.raises(Refused, match="SE has no VAT class fodd on 2026-11-25, but standard, food"):
        placed(TODAY, of_class("fodd"))
    with pytest.raises(Refused) as refusal:
        placed(TODAY, of_class("fodd", vat_rate=Decimal(6)))
    assert refusal.value.reason == "unknown-vat-class"
    with pytest.raises(Refused) as refusal:
        require_known("NO")
    assert refusal.value.reason == "unknown-vat-country"


@pytest.mark.requirement("R084")
@pytest.mark.parametrize(
    ("vat_class", "rate", "flagged"),
    [("food", "6", []), ("food", "12", ["vat-rate-differs"]), ("book", "25", ["vat-rate-differs"])],
)
def test_a_line_that_says_both_keeps_its_rate_and_is_flagged_where_they_disagree(
    vat_class: str, rate: str, flagged: list[str]
) -> None:
    order = placed(TODAY, of_class(vat_class, vat_rate=Decimal(rate)))
    assert (order.lines[0].vat_rate, order.attention) == (Decimal(rate), flagged)


@pytest.mark.requirement("R084")
def test_a_rate_that_the_country_does_not_have_is_flagged_only_where_the_shop_asks_for_it() -> None:
    odd: dict[str, Any] = {"lines": [a_line(vat_rate=Decimal("13.5"))], "delivery": FREE}
    assert place(**odd).attention == []
    assert place(SWEDISH, **odd).attention == ["vat-rate-differs"]
    assert place(SWEDISH, **odd | {"lines": [a_line(vat_rate=Decimal("12.00"))]}).attention == []
    paid = Payment(method="invoice", name="Faktura", cost=100, vat_rate=Decimal(24))
    assert place(SWEDISH, payment=paid).attention == ["vat-rate-differs"]
    assert place(SWEDISH, payment=paid.model_copy(update={"cost": 0})).attention == []


@pytest.mark.requirement("R084")
def test_what_goes_to_another_country_may_bear_its_vat() -> None:
    odd: dict[str, Any] = {"lines": [a_line(vat_rate=Decimal("13.5"))], "delivery": FREE}
    finn = a_customer(address=an_address(country="FI"))
    assert place(SWEDISH, **odd, customer=finn).attention == []
    assert place(SWEDISH, **odd, delivery_address=an_address(country="FI")).attention == []
    assert place(SWEDISH, **odd, customer=finn, delivery_address=an_address()).attention == ["vat-rate-differs"]


def test_both_flags_stand_beside_each_other() -> None:
    order = place(SWEDISH, lines=[a_line(vat_rate=Decimal(7))], total=1)
    assert order.attention == ["total-differs", "vat-rate-differs"]
