"""What templates may show of an order and its shop: every value is ready to print, so that templates do no arithmetic.

Text from outside loses the characters that steer the direction of writing: a name must not rearrange what is beside it.
"""

import unicodedata
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from shared.contracts.order import OrderSnapshot, PricedLine
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.values import Address, Money, minor_digits
from shared.runtime.presentation.formats import Formats

STEERS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class LineShown:
    """An ordered line; amounts with or without VAT as the shop shows prices, `discount` empty where there is none."""

    name: str
    article_number: str
    quantity: str
    unit_price: str
    vat_rate: str
    discount: str
    total: str


@dataclass(frozen=True)
class RateShown:
    """All of the order that bears one VAT rate; amounts without the sign of the currency."""

    rate: str
    excl_vat: str
    vat: str
    incl_vat: str


@dataclass(frozen=True)
class OrderShown:
    """An order, ready to print; what is absent is empty."""

    number: str
    day: str
    time: str
    prices_include_vat: bool
    converted: bool
    """Prices were given on the other basis; what is shown was computed and rounded line by line."""
    lines: list[LineShown]
    delivery_method: str
    delivery_cost: str
    pick_up_point: str
    promised_day: str
    payment_method: str
    payment_cost: str
    currency: str
    rates: list[RateShown]
    excl_vat: str
    vat: str
    incl_vat: str
    rounding: str
    """Ours, and by how much less than one whole unit the shop front's total differs: all that bears no VAT."""
    adjustment: str
    """By how much the shop front's total differs, where that is no rounding."""
    total: str
    """With VAT; what the customer saw at checkout."""
    customer_name: str
    customer: list[str]
    delivery_address: list[str]
    message: list[str]


@dataclass(frozen=True)
class ShopShown:
    """The shop, ready to print; `link` is its website where that is one to click on."""

    name: str
    email: str
    phone: str
    website: str
    link: str
    postal_address: list[str]
    """Without the name, which stands above it."""


def plain(text: str) -> str:
    """Text from outside without control characters and without those that steer the direction of writing."""
    return "".join(c for c in text if c not in STEERS and (c == "\n" or unicodedata.category(c) != "Cc"))


def order_shown(order: OrderSnapshot, shop: ShopSettings, formats: Formats) -> OrderShown:
    """What a message may show of an order, in the language of `formats`."""
    customer = order.customer
    name = customer.full_name or customer.address.full_name
    return OrderShown(
        number=str(order.number),
        day=formats.local_day(order.placed_at),
        time=formats.local_time(order.placed_at),
        prices_include_vat=shop.prices_include_vat,
        converted=shop.prices_include_vat != order.prices_include_vat,
        lines=[_line(line, order, shop, formats) for line in order.lines],
        delivery_method=plain(order.delivery.name),
        delivery_cost=formats.money(_shown(order.delivery.price, order.delivery.vat_rate, order, shop)),
        pick_up_point=plain(order.delivery.pick_up_point),
        promised_day=formats.day(order.delivery.promised_date) if order.delivery.promised_date else "",
        payment_method=plain(order.payment.name),
        payment_cost=_unless_none(_shown(order.payment.cost, order.payment.vat_rate, order, shop), formats),
        currency=order.currency,
        rates=_rates(order, formats),
        excl_vat=formats.money(order.totals.excl_vat),
        vat=formats.money(order.totals.vat),
        incl_vat=formats.money(order.totals.incl_vat),
        rounding=_unless_none(_rounding(order), formats),
        adjustment=_unless_none(_adjustment(order), formats),
        total=formats.money(order.totals.shop_front or order.totals.to_pay),
        customer_name=plain(name),
        customer=_person(name, customer.company, customer.address, formats) + _lines(customer.email, customer.phone),
        delivery_address=_other_address(order, formats),
        message=plain(order.message.replace("\r\n", "\n")).strip().split("\n") if order.message.strip() else [],
    )


def shop_shown(shop: ShopSettings) -> ShopShown:
    """What a message may show of its shop."""
    website, name = plain(shop.website), plain(shop.name)
    return ShopShown(
        name=name,
        email=plain(shop.email),
        phone=plain(shop.phone),
        website=website.removeprefix("https://").removeprefix("http://").rstrip("/"),
        link=website if website.startswith(("https://", "http://")) else "",
        postal_address=[line for line in _lines(*shop.postal_address.split("\n")) if line != name],
    )


def _line(line: PricedLine, order: OrderSnapshot, shop: ShopSettings, formats: Formats) -> LineShown:
    with_vat = shop.prices_include_vat
    discount = _shown(line.discount, line.vat_rate, order, shop)
    unit_price = line.unit_price_incl_vat if with_vat else line.unit_price_excl_vat
    total = line.total_incl_vat if with_vat else line.total_excl_vat
    return LineShown(
        name=plain(line.name),
        article_number=plain(line.article_number),
        quantity=formats.number(line.quantity),
        unit_price=formats.money(Money(amount=unit_price, currency=order.currency)),
        vat_rate=formats.rate(line.vat_rate),
        discount=_unless_none(Money(amount=-discount.amount, currency=discount.currency), formats),
        total=formats.money(Money(amount=total, currency=order.currency)),
    )


def _shown(amount: int, rate: Decimal, order: OrderSnapshot, shop: ShopSettings) -> Money:
    """An amount on the order's basis, on the basis that the shop shows; as in its totals, only the VAT is rounded."""
    if order.prices_include_vat and not shop.prices_include_vat:
        amount -= _half_up(amount * rate / (100 + rate))
    elif shop.prices_include_vat and not order.prices_include_vat:
        amount += _half_up(amount * rate / 100)
    return Money(amount=amount, currency=order.currency)


def _half_up(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def _rounding(order: OrderSnapshot) -> Money:
    difference = order.totals.difference - _adjustment(order).amount
    return Money(amount=order.totals.rounding + difference, currency=order.currency)


def _adjustment(order: OrderSnapshot) -> Money:
    difference = order.totals.difference
    small = abs(difference) < 10 ** minor_digits(order.currency)
    return Money(amount=0 if small else difference, currency=order.currency)


def _unless_none(money: Money, formats: Formats) -> str:
    return formats.money(money) if money.amount else ""


def _rates(order: OrderSnapshot, formats: Formats) -> list[RateShown]:
    return [
        RateShown(
            rate=formats.rate(row.rate),
            excl_vat=formats.amount(row.excl_vat),
            vat=formats.amount(row.vat),
            incl_vat=formats.amount(row.incl_vat),
        )
        for row in order.totals.per_rate
    ]


def _other_address(order: OrderSnapshot, formats: Formats) -> list[str]:
    """The delivery address, unless it is the customer's own (R015)."""
    address = order.delivery_address
    if address is None or address == order.customer.address:
        return []
    return _person(address.full_name, address.company, address, formats)


def _person(name: str, company: str, address: Address, formats: Formats) -> list[str]:
    town = f"{address.postal_code} {address.city}"
    country = formats.country(address.country)
    return _lines(company or address.company, name, address.street, address.street2, town, address.region, country)


def _lines(*texts: str) -> list[str]:
    """One after the other, without those that are empty."""
    return [line for line in (plain(text).strip() for text in texts) if line]
