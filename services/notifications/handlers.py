"""The policies: which event of an order sends which message."""

from services.notifications.catalogue import ORDER_RECEIVED
from services.notifications.outgoing import Outgoing
from shared.contracts.order_events import ConfirmationRequested, OrderPlaced
from shared.contracts.order_log import LogEntry
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.groups import Group

notifications = Group("notifications", ORDERS_EVENTS)


@notifications.on(OrderPlaced)
async def send_order_confirmation(event: OrderPlaced, outgoing: Outgoing) -> list[LogEntry]:
    """The customer learns that the order was received (R077)."""
    return await outgoing.send(ORDER_RECEIVED, to=event.order.customer, about=event.order, cause=event.meta)


@notifications.on(ConfirmationRequested)
async def send_order_confirmation_again(event: ConfirmationRequested, outgoing: Outgoing) -> list[LogEntry]:
    """The same confirmation once more, showing the order as the event has it (R068, R069)."""
    return await outgoing.send(ORDER_RECEIVED, to=event.order.customer, about=event.order, cause=event.meta)
