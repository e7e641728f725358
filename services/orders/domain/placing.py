"""A confirmed cart becomes an order: dated, priced, and compared with what the shop front had shown."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.orders.domain.totals import priced, taxed_amounts, totals_of
from services.orders.domain.vat_rates import rate_of, rates_on
from shared.contracts.order import OrderLine, OrderSnapshot, PlacedContent
from shared.contracts.order_commands import LineToPlace, PlaceOrder
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.topics import MAX_ORDER_BYTES

TOTAL_DIFFERS = "total-differs"
VAT_RATE_DIFFERS = "vat-rate-differs"
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
CLOCK_ERROR = timedelta(days=1)
"""By how much a shop front's clock, or its idea of time zones, may run ahead of ours."""


def as_placed(command: PlaceOrder, shop: ShopSettings, number: int, at: datetime) -> OrderSnapshot:
    """The cart as an order of the shop, under this number, at the time `at`.

    Where the shop front's total differs from ours by more than the shop tolerates, or a VAT rate is not what its class
    or the shop's country has on that day, the order is flagged, never refused. Raises Refused: `amount-too-large`,
    `order-too-large`, `placed-at-impossible`, and as `rate_of` does.
    """
    placed_at = moment_of_placing(command, at)
    day = placed_at.astimezone(ZoneInfo(shop.time_zone)).date()
    command = with_rates(command, shop, day)
    totals = totals_of(command, shop)
    flags = {
        TOTAL_DIFFERS: abs(totals.difference) > shop.total_tolerance,
        VAT_RATE_DIFFERS: rates_differ(command, shop, day),
    }
    fields = content_of(command) | {
        "id": command.order_id,
        "shop": shop.shop,
        "number": number,
        "version": 1,
        "placed_at": placed_at,
        "lines": [priced(line, command) for line in command.lines],
        "totals": totals,
        "attention": [word for word, is_so in flags.items() if is_so],
    }
    order = OrderSnapshot.model_validate(fields)
    size = len(order.model_dump_json().encode())
    if size > MAX_ORDER_BYTES:
        raise Refused("order-too-large", f"the order takes {size} bytes, the most are {MAX_ORDER_BYTES}")
    return order


def with_rates(command: PlaceOrder, shop: ShopSettings, day: date) -> PlaceOrder:
    """The cart with a rate on every line: the one that it says, else that of its class on the day."""
    if not any(line.vat_class for line in command.lines):
        return command
    return command.model_copy(update={"lines": [_with_rate(line, shop, day) for line in command.lines]})


def _with_rate(line: OrderLine, shop: ShopSettings, day: date) -> OrderLine:
    if line.vat_class is None:
        return line
    rate = rate_of(shop.vat_country, line.vat_class, day)
    needed = isinstance(line, LineToPlace) and line.vat_rate is None
    return line.model_copy(update={"vat_rate": rate}) if needed else line


def rates_differ(content: PlacedContent, shop: ShopSettings, day: date) -> bool:
    """Whether a rate is another than its class has, or one that the shop's country does not have on the day.

    What goes to another country may bear its VAT (Directive 2006/112/EC, article 33), so its rates are not judged.
    """
    address = content.delivery_address or content.customer.address
    rates = rates_on(shop.vat_country, day) if shop.vat_country else []
    if not rates or address.country != shop.vat_country:
        return False
    known, by_class = {each.rate for each in rates}, {each.vat_class: each.rate for each in rates}
    return any(taxed.rate not in known for taxed in taxed_amounts(content)) or any(
        line.vat_rate != by_class[line.vat_class] for line in content.lines if line.vat_class
    )


def content_of(command: PlaceOrder) -> dict[str, Any]:
    """What the shop front said, field by field."""
    return {name: getattr(command, name) for name in PlacedContent.model_fields}


def moment_of_placing(command: PlaceOrder, at: datetime) -> datetime:
    """When the customer confirmed, in UTC; `at` where the shop front does not say. Raises Refused for a wild time."""
    placed_at = command.placed_at or at
    if not EARLIEST <= placed_at <= at + CLOCK_ERROR:
        raise Refused("placed-at-impossible", "placed_at lies before 1970 or more than a day ahead")
    return placed_at.astimezone(UTC)
