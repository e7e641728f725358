"""One builder for each word of the domain: whatever a test does not say is plausible, valid and Nordic."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar, get_args
from uuid import uuid4

from shared.contracts.files import DocumentKind
from shared.contracts.message import Message, Meta, Sequence, new_id
from shared.contracts.order import (
    Customer,
    Delivery,
    OrderLine,
    OrderSnapshot,
    Payment,
    PlacedContent,
    PricedLine,
    Totals,
    VatTotal,
)
from shared.contracts.order_commands import PlaceOrder
from shared.contracts.order_events import ConfirmationRequested, DocumentRequested, MessageRequested, OrderPlaced
from shared.contracts.shop_facts import PromisedMessage, ShopLooks, ShopMessages, ShopSettings
from shared.contracts.values import Address, Money

M = TypeVar("M", bound=Message)


def an_address(**changes: Any) -> Address:
    """An address in Stockholm."""
    fields: dict[str, Any] = {
        "full_name": "Åsa Öberg",
        "street": "Hornsgatan 12",
        "postal_code": "118 20",
        "city": "Stockholm",
        "country": "SE",
    }
    return Address(**fields | changes)


def a_customer(**changes: Any) -> Customer:
    """A guest, with an address of their own."""
    fields: dict[str, Any] = {
        "full_name": "Åsa Öberg",
        "email": "asa.oberg@example.org",
        "phone": "+46 70 123 45 67",
        "address": an_address(),
    }
    return Customer(**fields | changes)


def a_line(**changes: Any) -> OrderLine:
    """Two packets of tea at 89.00 with VAT; not priced yet."""
    fields: dict[str, Any] = {
        "line_id": new_id(),
        "article_number": "TEA-100",
        "name": "Sencha, 100 g",
        "quantity": 2,
        "unit_price": 8900,
        "vat_rate": Decimal(12),
    }
    return OrderLine(**fields | changes)


def an_order(**changes: Any) -> OrderSnapshot:
    """An order as the orders service would show it; its lines are priced and its totals computed here."""
    fields: dict[str, Any] = {
        "id": uuid4(),
        "shop": "nordic-tea",
        "number": 1001,
        "version": 1,
        "placed_at": datetime(2026, 11, 24, 18, 30, tzinfo=UTC),
        "language": "sv",
        "currency": "SEK",
        "prices_include_vat": True,
        "customer": a_customer(),
        "lines": [a_line()],
        "delivery": Delivery(method="parcel", name="PostNord ombud", price=4900),
        "payment": Payment(method="card", name="Kort"),
    } | changes
    include_vat = fields["prices_include_vat"]
    fields["lines"] = [priced(line, include_vat=include_vat) for line in fields["lines"]]
    return OrderSnapshot(**{"totals": _totals(fields)} | fields)


def priced(line: OrderLine, *, include_vat: bool) -> PricedLine:
    """The line with what it comes to."""
    unit_excl, unit_incl = _both(line.unit_price, line.vat_rate, include_vat=include_vat)
    total = line.quantity * line.unit_price - line.discount
    total_excl, total_incl = _both(total, line.vat_rate, include_vat=include_vat)
    amounts = {
        "unit_price_excl_vat": unit_excl,
        "unit_price_incl_vat": unit_incl,
        "total_excl_vat": total_excl,
        "total_incl_vat": total_incl,
    }
    fields: dict[str, Any] = {name: getattr(line, name) for name in OrderLine.model_fields}
    return PricedLine(**fields | amounts)


def a_shop(**changes: Any) -> ShopSettings:
    """A shop in Stockholm that speaks all three languages."""
    fields: dict[str, Any] = {
        "shop": "nordic-tea",
        "name": "Nordiska Tehuset",
        "languages": ["sv", "fi", "en"],
        "currency": "SEK",
        "time_zone": "Europe/Stockholm",
        "email": "hej@tehuset.example",
        "phone": "+46 8 123 45 67",
        "website": "https://tehuset.example",
        "postal_address": "Storgatan 1\n111 22 Stockholm",
    }
    return ShopSettings(**fields | changes)


def what_is_sent(**changes: Any) -> ShopMessages:
    """What notifications says of the shop: each order is confirmed, again when it is asked for."""
    sends = [
        PromisedMessage(event=event.type, message="order-received") for event in (OrderPlaced, ConfirmationRequested)
    ]
    sends += [
        PromisedMessage(event=MessageRequested.type, message=name) for name in ("message-about-order", "order-status")
    ]
    fields: dict[str, Any] = {"shop": "nordic-tea", "messages": sends, "within": 300}
    return ShopMessages(**fields | changes)


def what_is_printed(**changes: Any) -> ShopLooks:
    """What documents says of the shop: it prints everything there is."""
    fields: dict[str, Any] = {"shop": "nordic-tea", "documents": list(get_args(DocumentKind)), "within": 300}
    return ShopLooks(**fields | changes)


def to_place(order: OrderSnapshot) -> PlaceOrder:
    """The command that would have placed this order."""
    content = {name: getattr(order, name) for name in PlacedContent.model_fields if name != "lines"}
    lines = [OrderLine(**{name: getattr(line, name) for name in OrderLine.model_fields}) for line in order.lines]
    return stamped(PlaceOrder(order_id=order.id, lines=lines, **content), shop=order.shop, source="/shop-front")


def placed(order: OrderSnapshot) -> OrderPlaced:
    """The event that says that this order was placed."""
    return stamped(OrderPlaced(order=order), shop=order.shop)


def confirmation_requested(order: OrderSnapshot) -> ConfirmationRequested:
    """The event that asks for the confirmation again, as it was then."""
    again = ConfirmationRequested(order=order, content="as-then")
    return stamped(again, shop=order.shop, sequence=Sequence(1_790_000_000, 2))


def document_requested(order: OrderSnapshot, **changes: Any) -> DocumentRequested:
    """The event that asks for a delivery note in the order's language."""
    fields: dict[str, Any] = {"document": "delivery-note", "language": order.language} | changes
    return stamped(DocumentRequested(order=order, **fields), shop=order.shop, sequence=Sequence(1_790_000_000, 2))


def stamped(message: M, **changes: Any) -> M:
    """The message as if it had been received: a new id, the first of its stream, unless `changes` says otherwise."""
    meta = Meta(
        id=new_id(),
        source="/orders",
        subject=message.subject,
        shop="nordic-tea",
        actor="shop-front",
        time=datetime(2026, 11, 24, 18, 30, 1, tzinfo=UTC),
        sequence=Sequence(1_790_000_000, 1),
    )
    return message.stamped(replace(meta, **changes))


def _totals(fields: dict[str, Any]) -> Totals:
    """Exact sums per rate, rounded once, as a reader with a pocket calculator would."""
    currency, include_vat = fields["currency"], fields["prices_include_vat"]
    given: dict[Decimal, int] = {}
    for line in fields["lines"]:
        given[line.vat_rate] = given.get(line.vat_rate, 0) + line.quantity * line.unit_price - line.discount
    for cost, rate in (
        (fields["delivery"].price, fields["delivery"].vat_rate),
        (fields["payment"].cost, fields["payment"].vat_rate),
    ):
        if cost:
            given[rate] = given.get(rate, 0) + cost
    per_rate = [_vat_total(rate, amount, currency, include_vat=include_vat) for rate, amount in sorted(given.items())]
    return Totals(
        per_rate=per_rate,
        excl_vat=_money(sum(row.excl_vat.amount for row in per_rate), currency),
        vat=_money(sum(row.vat.amount for row in per_rate), currency),
        incl_vat=_money(sum(row.incl_vat.amount for row in per_rate), currency),
    )


def _vat_total(rate: Decimal, amount: int, currency: str, *, include_vat: bool) -> VatTotal:
    excl, incl = _both(amount, rate, include_vat=include_vat)
    excl_vat, vat, incl_vat = (_money(part, currency) for part in (excl, incl - excl, incl))
    return VatTotal(rate=rate, excl_vat=excl_vat, vat=vat, incl_vat=incl_vat)


def _both(amount: int, rate: Decimal, *, include_vat: bool) -> tuple[int, int]:
    """Without and with VAT; only the VAT is rounded, a half up."""
    exact = amount * rate / (100 + rate) if include_vat else amount * rate / 100
    vat = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    return (amount - vat, amount) if include_vat else (amount, amount + vat)


def _money(amount: int, currency: str) -> Money:
    return Money(amount=amount, currency=currency)
