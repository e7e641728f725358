"""The order: what may be done with it, and what has then happened. Whatever is decided here is decided nowhere else."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from services.orders.domain.totals import priced, totals_of
from services.orders.domain.units import Ledger, goods_of, ledger_of, moved, units_in
from shared.contracts.order import OrderSnapshot, PlacedContent
from shared.contracts.order_commands import PlaceOrder, PrintDocument, ProcessOrder, ResendConfirmation, ShipUnits
from shared.contracts.order_events import (
    ConfirmationRequested,
    DocumentRequested,
    OrderEvent,
    OrderPlaced,
    OrderProcessed,
    UnitsMoved,
)
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

    def process(self, command: ProcessOrder) -> "tuple[Order, list[OrderEvent]]":
        """The order was noticed and these units were sent, by default all that are open (R110).

        Said twice, it says nothing new. Raises Refused as `moved` does.
        """
        ledger = ledger_of(self.now.lines)
        units = units_in(ledger, {"open"}) if command.units is None else command.units
        if self.now.processing != "unprocessed" and not units:
            return self, []
        order = self._with(moved(ledger, units, ["open"], "shipped"))
        return order, [OrderProcessed(order=order.now, units=units)]

    def ship(self, command: ShipUnits) -> "tuple[Order, list[OrderEvent]]":
        """Units have left, by default all that were open or back-ordered. Raises Refused as `moved` does."""
        ledger = ledger_of(self.now.lines)
        units = units_in(ledger, {"open", "back-ordered"}) if command.units is None else command.units
        if not units:
            return self, []
        order = self._with(moved(ledger, units, ["open", "back-ordered"], "shipped"))
        return order, [UnitsMoved(order=order.now, to="shipped", units=units)]

    def _with(self, ledger: Ledger) -> Self:
        """The next version of the order, its units as in the ledger; whoever moves units has noticed it."""
        open_left = any("open" in states for states in ledger.values())
        changes = {
            "version": self.now.version + 1,
            "lines": [line.model_copy(update={"units": dict(ledger[line.line_id])}) for line in self.now.lines],
            "processing": "partly" if open_left else "processed",
            "goods": goods_of(ledger),
        }
        return replace(self, now=self.now.model_copy(update=changes))

    def print_document(self, command: PrintDocument) -> list[OrderEvent]:
        """Ask for a document of the order as it is now (R067, R070, R071)."""
        language = command.language or self.now.language
        return [DocumentRequested(order=self.now, document=command.document, language=language)]


def content_of(command: PlaceOrder) -> dict[str, Any]:
    """What the shop front said, field by field."""
    return {name: getattr(command, name) for name in PlacedContent.model_fields}


def moment_of_placing(command: PlaceOrder, at: datetime) -> datetime:
    """When the customer confirmed, in UTC; `at` where the shop front does not say. Raises Refused for a wild time."""
    placed_at = command.placed_at or at
    if not EARLIEST <= placed_at <= at + CLOCK_ERROR:
        raise Refused("placed-at-impossible", "placed_at lies before 1970 or more than a day ahead")
    return placed_at.astimezone(UTC)
