"""The order: what may be done with it, and what has then happened. Whatever is decided here is decided nowhere else."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from services.orders.domain.totals import priced, totals_of
from shared.contracts.order import OrderSnapshot, PlacedContent
from shared.contracts.order_commands import PlaceOrder, ResendConfirmation
from shared.contracts.order_events import ConfirmationRequested, OrderEvent, OrderPlaced
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.topics import MAX_ORDER_BYTES

TOTAL_DIFFERS = "total-differs"
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
CLOCK_ERROR = timedelta(days=1)
"""By how much a shop front's clock, or its idea of time zones, may run ahead of ours."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order: as it is now, and as it was placed."""

    now: OrderSnapshot
    placed: OrderSnapshot

    @staticmethod
    def place(command: PlaceOrder, shop: ShopSettings, number: int, at: datetime) -> list[OrderEvent]:
        """Accept a confirmed cart as an order of the shop, under the next number, at the time `at`.

        Where the shop front's total differs from ours by more than the shop tolerates, the order is flagged, never
        refused. Raises Refused: `amount-too-large`, `order-too-large`, `placed-at-impossible`.
        """
        totals = totals_of(command)
        fields = content_of(command) | {
            "id": command.order_id,
            "shop": shop.shop,
            "number": number,
            "version": 1,
            "placed_at": moment_of_placing(command, at),
            "lines": [priced(line, command) for line in command.lines],
            "totals": totals,
            "attention": [TOTAL_DIFFERS] if abs(totals.difference) > shop.total_tolerance else [],
        }
        order = OrderSnapshot.model_validate(fields)
        size = len(order.model_dump_json().encode())
        if size > MAX_ORDER_BYTES:
            raise Refused("order-too-large", f"the order takes {size} bytes, the most are {MAX_ORDER_BYTES}")
        return [OrderPlaced(order=order)]

    def resend_confirmation(self, command: ResendConfirmation) -> list[OrderEvent]:
        """Ask for the confirmation to be sent again, of the order as it was placed or as it is now (R068, R069)."""
        shown = self.placed if command.content == "as-then" else self.now
        return [ConfirmationRequested(order=shown, content=command.content)]


def content_of(command: PlaceOrder) -> dict[str, Any]:
    """What the shop front said, field by field."""
    return {name: getattr(command, name) for name in PlacedContent.model_fields}


def moment_of_placing(command: PlaceOrder, at: datetime) -> datetime:
    """When the customer confirmed, in UTC; `at` where the shop front does not say. Raises Refused for a wild time."""
    placed_at = command.placed_at or at
    if not EARLIEST <= placed_at <= at + CLOCK_ERROR:
        raise Refused("placed-at-impossible", "placed_at lies before 1970 or more than a day ahead")
    return placed_at.astimezone(UTC)
