"""The Nordic orders are repeatable, look like real ones, and reach nobody who exists."""

import re
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain

import pytest
from email_validator import validate_email

from deploy.local.demo.nordic_shops import SHOPS, VAT
from deploy.local.demo.orders_of_nordic_shops import nordic_orders
from services.orders.domain.placing import as_placed
from shared.contracts.message import read_envelope, read_message, write_record
from shared.contracts.order import OrderLine
from shared.contracts.order_commands import PlaceOrder
from tests.builders import stamped

TODAY = date(2026, 11, 24)
SOME = nordic_orders(400, seed=7, today=TODAY)
ORDERS = [asked.order for asked in SOME]


def test_the_same_seed_makes_the_same_orders_and_another_seed_makes_others() -> None:
    assert nordic_orders(20, seed=7, today=TODAY) == SOME[:20]
    others = {asked.order.order_id for asked in nordic_orders(20, seed=8, today=TODAY)}
    assert not others & {order.order_id for order in ORDERS}


def test_every_shop_language_currency_and_country_comes() -> None:
    assert {asked.shop for asked in SOME} == {shop.settings.shop for shop in SHOPS}
    assert {order.language for order in ORDERS} == {"sv", "fi", "en"}
    assert {order.currency for order in ORDERS} == {"SEK", "EUR"}
    assert {order.customer.address.country for order in ORDERS} == set(VAT)


def test_every_order_speaks_a_language_of_its_shop() -> None:
    languages = {shop.settings.shop: shop.settings.languages for shop in SHOPS}
    assert all(asked.order.language in languages[asked.shop] for asked in SOME)


def test_vat_is_the_customers_countrys() -> None:
    rates = {country: {line.vat_rate for line in _lines_to(country)} for country in ("SE", "FI")}
    assert rates["SE"] == {Decimal(25), Decimal(12), Decimal(6)}
    assert rates["FI"] == {Decimal("25.5"), Decimal("13.5"), Decimal(10)}


def test_what_makes_orders_different_all_comes() -> None:
    lines = list(chain.from_iterable(order.lines for order in ORDERS))
    assert {line.kind for line in lines} == {"physical", "digital", "service"}
    assert any(line.discount for line in lines)
    assert any(order.placed_at for order in ORDERS)
    assert any(order.delivery_address for order in ORDERS)
    assert any("\n" in order.message for order in ORDERS)
    assert any(order.delivery.pick_up_point for order in ORDERS)
    assert any(order.delivery.promised_date for order in ORDERS)
    assert any(not order.prices_include_vat for order in ORDERS)
    assert any(len(order.customer.full_name) > 50 for order in ORDERS)
    assert Counter(len({line.vat_rate for line in order.lines}) for order in ORDERS)[2] > 0


def test_every_address_is_an_example_and_every_telephone_is_kept_for_fiction() -> None:
    for order in ORDERS:
        validate_email(order.customer.email, check_deliverability=False, globally_deliverable=False)
        assert re.fullmatch(r"[a-z0-9.-]+@[a-z0-9.-]+\.example", order.customer.email)
    assert all(shop.settings.email.endswith(".example") for shop in SHOPS)
    phones = {order.customer.phone for order in ORDERS} | {shop.settings.phone for shop in SHOPS}
    fiction = r"|\+46 (70 174 06 (0[5-9]|[1-9]\d)|8 465 004 \d\d|31 390 06 \d\d|40 628 04 \d\d)"
    assert all(re.fullmatch(fiction, phone) for phone in phones)


def test_the_total_of_a_shop_with_vat_in_its_prices_is_the_sum_of_what_the_customer_saw() -> None:
    for order in ORDERS:
        if order.prices_include_vat:
            lines = sum(line.quantity * line.unit_price - line.discount for line in order.lines)
            assert order.total == lines + order.delivery.price + order.payment.cost


def test_the_shop_for_companies_rounds_its_total_to_whole_kronor() -> None:
    totals = [order.total for order in ORDERS if not order.prices_include_vat]
    assert totals
    assert all(total is not None and total % 100 == 0 for total in totals)


@pytest.mark.requirement("R084")
def test_orders_agrees_with_what_the_shop_for_companies_has_rounded_and_with_every_rate() -> None:
    shops = {shop.settings.shop: shop.settings for shop in SHOPS}
    at = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    totals = []
    for asked in SOME:
        if asked.order.placed_at is None:
            order = as_placed(stamped(asked.order), shops[asked.shop], number=1, at=at)
            assert (order.attention, order.totals.difference) == ([], 0), asked.label
            totals.append(order.totals)
    assert len({each.rounding for each in totals}) > 20


@pytest.mark.parametrize("number", range(0, 400, 40))
def test_an_order_survives_its_record(number: int) -> None:
    order = stamped(ORDERS[number], source="/shop-front")
    read = read_message(read_envelope(write_record(order, order.meta).encode()))
    assert isinstance(read, PlaceOrder)
    assert read.model_dump() == order.model_dump()


def _lines_to(country: str) -> list[OrderLine]:
    return list(chain.from_iterable(o.lines for o in ORDERS if o.customer.address.country == country))
