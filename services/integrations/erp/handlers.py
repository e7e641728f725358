"""The policy of ERP: an order is handed over when it is asked for."""

from services.integrations.erp.handover import Handover
from shared.contracts.order_events import TransferRequested
from shared.contracts.order_log import LogEntry
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.groups import Group

erp = Group("integrations.erp", ORDERS_EVENTS)


@erp.on(TransferRequested)
async def hand_over_order(event: TransferRequested, handover: Handover) -> list[LogEntry]:
    """The shop's ERP system gets the order as it was when that was asked for (R072)."""
    return [await handover.push(event)]
