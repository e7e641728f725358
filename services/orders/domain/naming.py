"""What a shop calls an order and its lines, and where it keeps it: statuses (R033, R035, R036) and folders (R040)."""

from collections.abc import Collection
from dataclasses import replace

from services.orders.domain.consequences import of_status
from services.orders.domain.moving import in_state
from services.orders.domain.order import Order
from services.orders.domain.shop import Shop
from services.orders.domain.statuses import chosen
from services.orders.domain.units import SOURCES, ledger_of, units_in
from shared.contracts.order import LineUnits
from shared.contracts.order_commands import ChangeInternalStatus, ChangeLineStatus, ChangeStatus, MoveToFolder
from shared.contracts.order_events import (
    InternalStatusChanged,
    LineStatusChanged,
    MovedToFolder,
    OrderEvent,
    StatusChanged,
)
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import Status

Handled = tuple[Order, list[OrderEvent]]


def change_status(order: Order, command: ChangeStatus, shop: Shop) -> Handled:
    """The customer is shown another status. Raises Refused: `unknown-status`, `status-retired`, `nobody-reacts`."""
    status = chosen(shop.settings, "order", command.status)
    before = order.now.status
    if status.id == before:
        return order, []
    changed = order.changed(command, status=status.id)
    return changed, [StatusChanged(order=changed.now, before=before), *of_status(changed, status, shop)]


def change_internal_status(order: Order, command: ChangeInternalStatus, shop: Shop) -> Handled:
    """The merchant's own status is another, or none. Raises Refused as `change_status` does."""
    status = None if command.status is None else chosen(shop.settings, "internal", command.status)
    after, before = None if status is None else status.id, order.now.internal_status
    if after == before:
        return order, []
    changed = order.changed(command, internal_status=after)
    return changed, [InternalStatusChanged(order=changed.now, before=before), *of_status(changed, status, shop)]


def change_line_status(order: Order, command: ChangeLineStatus, shop: Shop) -> Handled:
    """Lines have another status, and their units go where it moves them.

    Raises Refused: `unknown-line`, `unknown-status`, `status-retired`.
    """
    status = chosen(shop.settings, "line", command.status)
    wanted = set(command.line_ids)
    if missing := wanted - {line.line_id for line in order.now.lines}:
        raise Refused("unknown-line", f"the order has no line {min(missing)}")
    named = [line.line_id for line in order.now.lines if line.line_id in wanted and line.status != status.id]
    units = _units_moved(order, wanted, status)
    if not named and not units:
        return order, []
    events: list[OrderEvent] = []
    if units and status.moves_to is not None:
        changed, events = in_state(order, command, units, status.moves_to, shop)
    else:
        changed = order.changed(command)
    lines = [
        line.model_copy(update={"status": status.id}) if line.line_id in wanted else line for line in changed.now.lines
    ]
    changed = replace(changed, now=changed.now.model_copy(update={"lines": lines}))
    events = [event.model_copy(update={"order": changed.now}) for event in events]
    return changed, [*events, LineStatusChanged(order=changed.now, status=status.id, line_ids=sorted(wanted))]


def _units_moved(order: Order, line_ids: Collection[str], status: Status) -> list[LineUnits]:
    """All units of these lines that can go where the status moves them."""
    if status.moves_to is None:
        return []
    ledger = {line: states for line, states in ledger_of(order.now.lines).items() if line in line_ids}
    return units_in(ledger, SOURCES.get(status.moves_to, ()))


def move_to_folder(order: Order, command: MoveToFolder, shop: Shop) -> Handled:
    """The order lies in another folder, or in none. Raises Refused: `unknown-folder`."""
    before = order.now.folder
    if command.folder is not None and command.folder not in {folder.id for folder in shop.settings.folders}:
        raise Refused("unknown-folder", f"the shop has no folder {command.folder}")
    if command.folder == before:
        return order, []
    changed = order.changed(command, folder=command.folder)
    return changed, [MovedToFolder(order=changed.now, before=before)]
