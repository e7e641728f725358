"""Units on their way: sent, delivered, come back, complained about, credited, or cancelled before they left."""

from collections.abc import Mapping, Sequence

from services.orders.domain.consequences import of_status
from services.orders.domain.order import Order
from services.orders.domain.shop import Shop
from services.orders.domain.statuses import CANCELLED, chosen
from services.orders.domain.units import SENT_ON, SOURCES, WAITING, ledger_of, moved, units_in
from shared.contracts.order import LineUnits, Return, UnitState
from shared.contracts.order_commands import (
    BackOrderUnits,
    CancelOrder,
    ClaimUnits,
    CreditUnits,
    DeliverUnits,
    MoveUnits,
    OrderCommand,
    ReturnUnits,
    ShipUnits,
)
from shared.contracts.order_events import OrderCancelled, OrderEvent, StatusChanged, UnitsMoved
from shared.contracts.refusal import Refused

Handled = tuple[Order, list[OrderEvent]]

TARGETS: Mapping[type[MoveUnits], UnitState] = {
    ShipUnits: "shipped",
    DeliverUnits: "delivered",
    BackOrderUnits: "back-ordered",
    ReturnUnits: "returned",
    ClaimUnits: "claimed",
    CreditUnits: "credited",
}
MAX_RETURNED_ROWS = 5_000
"""Rows of all returns of an order together: what comes back does not make an order too large to tell of."""


def move(order: Order, command: MoveUnits, shop: Shop) -> Handled:
    """Units go to the command's state, by default all that can.

    Raises Refused: `nothing-to-move`, `unknown-return`, `too-many-returns`, and as `moved` does.
    """
    to = TARGETS[type(command)]
    units = _units_of(order, command, SOURCES[to])
    if not units:
        raise Refused("nothing-to-move", f"the order has no units that are {' or '.join(SOURCES[to])}")
    credited = command.return_number if isinstance(command, CreditUnits) else None
    return in_state(order, command, units, to, shop, reason=command.reason, credited=credited)


def in_state(
    order: Order,
    command: OrderCommand,
    units: list[LineUnits],
    to: UnitState,
    shop: Shop,
    *,
    reason: str = "",
    credited: str | None = None,
) -> Handled:
    """These units are in that state now, whichever command said so; money is taken for what is shipped by rule.

    `credited` names the return whose units they are. Raises Refused: `too-many-returns`, and as `moved` does.
    """
    if to == "cancelled":
        return without(order, command, units, shop, reason=reason)
    after = moved(ledger_of(order.now.lines), units, SOURCES[to], to)
    returns, number = list(order.now.returns), credited
    if to == "returned":
        number = f"{order.now.number}-{len(returns) + 1}"
        returns.append(_a_return(order, command, number, units, reason))
    elif credited is not None:
        returns = [
            each.model_copy(update={"state": "credited"}) if each.number == credited else each for each in returns
        ]
    changed = order.with_units(command, after, shop, returns=returns)
    event = UnitsMoved(order=changed.now, to=to, units=units, reason=reason, return_number=number)
    return changed.captured_by_rule(command, shop, [event]) if to == "shipped" else (changed, [event])


def cancel(order: Order, command: CancelOrder, shop: Shop) -> Handled:
    """What has not left is cancelled, and its money let go of, or given back (R131).

    Raises Refused: `already-shipped`, `nothing-to-cancel`, `unknown-status`, `status-retired`, `nobody-reacts`, and as
    `moved` does.
    """
    ledger = ledger_of(order.now.lines)
    if command.units is None and units_in(ledger, SENT_ON):
        raise Refused("already-shipped", "something has left: cancel units that have not, or take the rest back")
    units = units_in(ledger, WAITING) if command.units is None else command.units
    if not units:
        raise Refused("nothing-to-cancel", "the order has no units that wait")
    return without(order, command, units, shop, reason=command.reason, status=command.status)


def without(
    order: Order,
    command: OrderCommand,
    units: list[LineUnits],
    shop: Shop,
    *,
    reason: str = "",
    status: str | None = None,
) -> Handled:
    """The order without these units; with none left it is cancelled, and the customer is shown that `status`."""
    after = moved(ledger_of(order.now.lines), units, SOURCES["cancelled"], "cancelled")
    whole = all(set(states) == {"cancelled"} for states in after.values())
    shown = chosen(shop.settings, "order", status or CANCELLED) if whole else None
    changes = {} if shown is None else {"status": shown.id}
    changed = order.with_units(command, after, shop, cancelled=whole, **changes)
    events: list[OrderEvent] = [OrderCancelled(order=changed.now, units=units, reason=reason)]
    if changed.now.status != order.now.status:
        events += [StatusChanged(order=changed.now, before=order.now.status), *of_status(changed, shown, shop)]
    return changed.settled(command, shop, events, reason)


def _units_of(order: Order, command: MoveUnits, sources: Sequence[UnitState]) -> list[LineUnits]:
    if isinstance(command, CreditUnits) and command.return_number is not None:
        its_own = [each.units for each in order.now.returns if each.number == command.return_number]
        if not its_own:
            raise Refused("unknown-return", f"the order has no return {command.return_number}")
        return its_own[0] if command.units is None else command.units
    return units_in(ledger_of(order.now.lines), sources) if command.units is None else command.units


def _a_return(order: Order, command: OrderCommand, number: str, units: list[LineUnits], reason: str) -> Return:
    if sum(len(each.units) for each in order.now.returns) + len(units) > MAX_RETURNED_ROWS:
        raise Refused("too-many-returns", f"all returns of an order have at most {MAX_RETURNED_ROWS} rows")
    return Return(number=number, units=units, reason=reason, received_at=order.moment or command.meta.time)
