"""What an order comes to: lines, delivery and payment costs, per VAT rate and in all (R031, R032).

Amounts are written down as plain fields, so that an order is validated once, as a whole.
"""

from collections.abc import Iterator
from typing import Any

from services.orders.domain.vat import Split, Taxed, half_up, split, split_per_rate
from shared.contracts.order import OrderLine, PlacedContent, Totals
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.values import minor_digits

MAX_AMOUNT = 10**15
"""The largest amount, in minor units, that `Money` can say."""


def taxed_amounts(content: PlacedContent) -> Iterator[Taxed]:
    """All that is charged; a delivery or a payment method that costs nothing bears no VAT."""
    for line in content.lines:
        yield Taxed(line_amount(line), line.vat_rate)
    if content.delivery.price:
        yield Taxed(content.delivery.price, content.delivery.vat_rate)
    if content.payment.cost:
        yield Taxed(content.payment.cost, content.payment.vat_rate)


def line_amount(line: OrderLine) -> int:
    """What a line costs, in minor units, on the basis of the order's prices."""
    return line.quantity * line.unit_price - line.discount


def totals_of(content: PlacedContent, shop: ShopSettings) -> Totals:
    """The totals, and the shop front's own total beside them. Raises Refused when an amount is beyond `Money`."""
    currency = content.currency
    rates = split_per_rate(taxed_amounts(content), includes_vat=content.prices_include_vat)
    whole = Split(sum(each.excl_vat for each in rates.values()), sum(each.vat for each in rates.values()))
    if whole.incl_vat > MAX_AMOUNT:
        raise Refused("amount-too-large", f"the order comes to more than {MAX_AMOUNT} minor units")
    fields: dict[str, Any] = three_ways(whole, currency)
    fields["per_rate"] = [{"rate": rate, **three_ways(each, currency)} for rate, each in rates.items()]
    fields["rounding"] = rounding_of(whole.incl_vat, currency, shop)
    if content.total is not None:
        fields["shop_front"] = money(content.total, currency)
        fields["difference"] = content.total - whole.incl_vat - fields["rounding"]
    return Totals.model_validate(fields)


def rounding_of(amount: int, currency: str, shop: ShopSettings) -> int:
    """What is added to an amount, never negative, so that the sum to pay is whole, where the shop rounds.

    Up to 49 öre are dropped, 50 and more become a krona: Lag (1970:1029) om avrundning av vissa öresbelopp, 2 §. It is
    about payments in kronor; so only orders in the shop's own currency are rounded.
    """
    if shop.rounding == "none" or currency != shop.currency:
        return 0
    unit: int = 10 ** minor_digits(currency)
    return half_up(amount, unit) * unit - amount


def three_ways(amounts: Split, currency: str) -> dict[str, Any]:
    """The fields that a rate's row and the whole have alike."""
    return {
        "excl_vat": money(amounts.excl_vat, currency),
        "vat": money(amounts.vat, currency),
        "incl_vat": money(amounts.incl_vat, currency),
    }


def money(amount: int, currency: str) -> dict[str, Any]:
    """The fields of `Money`; amount in minor units."""
    return {"amount": amount, "currency": currency}


def priced(line: OrderLine, content: PlacedContent) -> dict[str, Any]:
    """The fields of the line as a `PricedLine`: prices and totals with and without VAT, each rounded for itself."""
    unit = split(line.unit_price, line.vat_rate, includes_vat=content.prices_include_vat)
    whole = split(line_amount(line), line.vat_rate, includes_vat=content.prices_include_vat)
    return {
        **vars(line),
        "unit_price_excl_vat": unit.excl_vat,
        "unit_price_incl_vat": unit.incl_vat,
        "total_excl_vat": whole.excl_vat,
        "total_incl_vat": whole.incl_vat,
    }
