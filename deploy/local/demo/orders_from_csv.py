"""One order per invoice of an online shop's CSV files, or a reason why not; dirt is explained, never guessed away.

What the files do not say is the same for all: the customer's e-mail address is made of the customer's number and cannot
receive mail, the town is one of the country, the language is English, and prices are taken to be without VAT, because a
gift voucher of £20.00 stands there at 16.67, which is £20.00 less 20 %. VAT is the United Kingdom's standard rate of
the day for buyers there and in the European Union (none gives a VAT number), and none for exports.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import ValidationError

from deploy.local.demo.asked import Asked, TurnedAway
from deploy.local.demo.country_names import country_code
from deploy.local.demo.csv_invoices import TIME_ZONE, Invoice, OrderFilesError, Row, invoices_in
from shared.contracts.order import Customer, Delivery, OrderLine, Payment
from shared.contracts.order_commands import PlaceOrder
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.values import Address

SHOP = ShopSettings(
    shop="online-retail",
    name="Online Retail",
    languages=["en"],
    currency="GBP",
    time_zone=TIME_ZONE,
    prices_include_vat=False,
    email="orders@online-retail.example",
    website="https://online-retail.example",
    postal_address="1 Dock Road\nSW1A 1AA London",
)
_DELIVERY = {"POST": "postage", "DOT": "dotcom-postage", "C2": "carriage", "23444": "next-day-carriage"}
_CHARGES = {"BANK CHARGES", "AMAZONFEE", "CRUK", "B"}
_DISCOUNT, _MANUAL, _VOUCHER = "D", "M", "gift_"
_EUROPEAN_UNION = set("AT BE BG CY CZ DE DK EE ES FI FR GR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split())
_TOWNS = {
    "GB": ("SW1A 1AA", "London"),
    "IE": ("D02 AF30", "Dublin"),
    "DE": ("10115", "Berlin"),
    "FR": ("75001", "Paris"),
    "ES": ("28001", "Madrid"),
    "NL": ("1011 AB", "Amsterdam"),
    "BE": ("1000", "Brussels"),
    "PT": ("1100-001", "Lisbon"),
    "CH": ("3011", "Bern"),
    "NO": ("0150", "Oslo"),
    "DK": ("1050", "Copenhagen"),
    "FI": ("00100", "Helsinki"),
    "SE": ("111 22", "Stockholm"),
}
"""Where customers live, whose files name their country alone."""
_VAT_OF_2011 = date(2011, 1, 4)


def orders_in(folder: Path) -> list[Asked | TurnedAway]:
    """Everything that the folder's files hold. Raises OrderFilesError where they cannot be used at all."""
    found = list(_read(folder))
    if not found:
        raise OrderFilesError(f"The CSV files in {folder.absolute()} have no rows.")
    return found


def _read(folder: Path) -> Iterator[Asked | TurnedAway]:
    for invoice in invoices_in(folder):
        label = f"{invoice.file} {invoice.number or f'line {invoice.first_line}'}"
        try:
            yield Asked(SHOP.shop, label, order_of(invoice), invoice.row_count)
        except Refused as refusal:
            yield TurnedAway(label, refusal.reason, refusal.detail, invoice.row_count)


def order_id(file: str, invoice: str) -> UUID:
    """The same file name and invoice number are the same order, on every machine and every day."""
    return uuid5(NAMESPACE_URL, f"https://online-retail.example/{file}/{invoice}")


def order_of(invoice: Invoice) -> PlaceOrder:
    """The order that an invoice is. Raises Refused, with a stable reason, where it is none."""
    _must_be_an_order(invoice)
    first = invoice.rows[0]
    country = country_code(first.country)
    placed_at = min(row.at for row in invoice.rows)
    vat_rate = _vat_rate(country, placed_at.date())
    delivery, charges, goods = _by_use(invoice)
    try:
        return PlaceOrder(
            order_id=order_id(invoice.file, invoice.number),
            placed_at=placed_at,
            language="en",
            currency="GBP",
            prices_include_vat=False,
            customer=_customer(first.customer, invoice.number, country),
            lines=_lines(goods, _discount(invoice), vat_rate),
            delivery=_delivery(delivery, vat_rate),
            payment=_payment(charges, vat_rate),
            reference=invoice.number,
        )
    except ValidationError as error:
        first_problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first_problem["loc"])
        raise Refused("does-not-fit", f"{where}: {first_problem['msg']}") from None


def _must_be_an_order(invoice: Invoice) -> None:
    rows = invoice.rows
    if not invoice.number:
        raise Refused("no-invoice-number", "the row has no invoice number")
    if invoice.unreadable:
        raise Refused("unreadable-row", invoice.unreadable[0])
    if invoice.number.upper().startswith("C"):
        raise Refused("cancellation", "cancels or credits an earlier order, which these files do not name")
    if len({(row.customer, row.country) for row in rows}) > 1:
        raise Refused("several-customers", "the rows of one invoice name more than one customer or country")
    if any(row.price < 0 for row in rows):
        raise Refused("negative-price", "a bookkeeping entry: a price below zero")
    if any(row.quantity == 0 for row in rows):
        raise Refused("no-quantity", "a row orders none of its article")
    if any(row.quantity < 0 for row in rows if row.stock_code != _DISCOUNT):
        raise Refused("negative-quantity", "a stock correction: goods leave the books and nobody buys them")
    if all(row.price == 0 for row in rows):
        raise Refused("nothing-sold", "a stock correction: goods without a price enter the books")


def _by_use(invoice: Invoice) -> tuple[list[Row], list[Row], list[Row]]:
    """The rows for delivery, for payment, and what was ordered; a discount is none of them."""
    rows = [row for row in invoice.rows if row.stock_code != _DISCOUNT or row.quantity > 0]
    delivery = [row for row in rows if row.stock_code in _DELIVERY]
    charges = [row for row in rows if row.stock_code in _CHARGES]
    goods = [row for row in rows if row.stock_code not in _DELIVERY and row.stock_code not in _CHARGES]
    if not goods:
        names = ", ".join(sorted({row.description or row.stock_code for row in rows})) or "a discount"
        raise Refused("only-charges", f"nothing was ordered, only charged: {names}")
    return delivery, charges, goods


def _discount(invoice: Invoice) -> int:
    return -_worth([row for row in invoice.rows if row.stock_code == _DISCOUNT and row.quantity < 0])


def _lines(goods: list[Row], discount: int, vat_rate: Decimal) -> list[OrderLine]:
    worth = [row.quantity * _pence(row) for row in goods]
    if discount > sum(worth):
        raise Refused("discount-too-large", "the discount is larger than what was ordered")
    return [
        OrderLine(
            line_id=str(number),
            article_number=row.stock_code,
            name=row.description or row.stock_code or "?",
            kind=_kind(row),
            quantity=row.quantity,
            unit_price=_pence(row),
            discount=share,
            vat_rate=vat_rate,
        )
        for number, (row, share) in enumerate(zip(goods, _shared_out(discount, worth), strict=True), start=1)
    ]


def _shared_out(amount: int, worth: list[int]) -> list[int]:
    """The amount in whole pence, in proportion to what each line is worth; none gets more than that."""
    total, passed, shares = sum(worth), 0, []
    for one in worth:
        before = amount * passed // total if total else 0
        passed += one
        shares.append((amount * passed // total if total else 0) - before)
    return shares


def _kind(row: Row) -> Literal["physical", "digital", "service"]:
    if row.stock_code.startswith(_VOUCHER):
        return "digital"
    return "service" if row.stock_code in {_MANUAL, _DISCOUNT} else "physical"


def _delivery(rows: list[Row], vat_rate: Decimal) -> Delivery:
    if not rows:
        return Delivery(method="not-stated", name="Delivery", vat_rate=vat_rate)
    names = " + ".join(dict.fromkeys(row.description or row.stock_code for row in rows))
    return Delivery(method=_DELIVERY[rows[0].stock_code], name=names, price=_worth(rows), vat_rate=vat_rate)


def _payment(rows: list[Row], vat_rate: Decimal) -> Payment:
    names = dict.fromkeys(row.description or row.stock_code for row in rows)
    return Payment(method="invoice", name=", ".join(["Invoice", *names]), cost=_worth(rows), vat_rate=vat_rate)


def _customer(number: str, invoice: str, country: str) -> Customer:
    """A guest where the file names no customer; the address is made up, on a domain that no mail reaches."""
    who = f"customer-{number}" if number else f"guest-{invoice}"
    return Customer(
        full_name=f"Customer {number}" if number else "Guest",
        email=f"{who}@customers.example",
        customer_id=number or None,
        address=_address(country),
    )


def _address(country: str) -> Address:
    postal_code, city = _TOWNS.get(country, ("", ""))
    return Address(street="1 High Street" if city else "", postal_code=postal_code, city=city, country=country)


def _vat_rate(country: str, day: date) -> Decimal:
    """VAT (Standard Rate): 17.5 % in the United Kingdom until 3 January 2011, 20 % from the 4th."""
    if country != "GB" and country not in _EUROPEAN_UNION:
        return Decimal(0)
    return Decimal(20) if day >= _VAT_OF_2011 else Decimal("17.5")


def _worth(rows: list[Row]) -> int:
    return sum(row.quantity * _pence(row) for row in rows)


def _pence(row: Row) -> int:
    pence = row.price * 100
    if pence != pence.to_integral_value():
        raise Refused("part-of-a-penny", f"line {row.line}: the price {row.price} is not in whole pence")
    return int(pence)
