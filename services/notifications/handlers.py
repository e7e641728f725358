"""The policies: which event of an order sends which message."""

from collections.abc import Mapping

from services.notifications.catalogue import ABOUT_ORDER, ORDER_RECEIVED, MessageKind
from services.notifications.outgoing import Outgoing
from services.notifications.written import Written
from shared.contracts.order import Customer
from shared.contracts.order_events import ConfirmationRequested, MessageRequested, OrderEvent, OrderPlaced
from shared.contracts.order_log import LogEntry
from shared.contracts.shop_facts import PromisedMessage, ShopMessages
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.groups import Group

notifications = Group("notifications", ORDERS_EVENTS)

SENDS: Mapping[type[OrderEvent], MessageKind] = {
    OrderPlaced: ORDER_RECEIVED,
    ConfirmationRequested: ORDER_RECEIVED,
    MessageRequested: ABOUT_ORDER,
}
"""The confirmation when the customer's order was received (R077), and when somebody wants it again (R068, R069); what
somebody writes."""


@notifications.on(OrderPlaced)
@notifications.on(ConfirmationRequested)
async def tell_customer(event: OrderEvent, outgoing: Outgoing) -> list[LogEntry]:
    """The customer gets the event's message, which shows the order as the event has it."""
    return await outgoing.send(SENDS[type(event)], to=event.order.customer, about=event.order, cause=event.meta)


@notifications.on(MessageRequested)
async def send_message(event: MessageRequested, outgoing: Outgoing) -> list[LogEntry]:
    """What somebody has written goes to the customer, or to the address that was given (R049, R050)."""
    to = event.order.customer
    if event.to_address is not None and event.to_address != to.email:
        to = Customer(email=event.to_address, address=to.address)
    written = Written(headline=event.headline, text=event.text, format=event.format)
    return await outgoing.send(ABOUT_ORDER, to=to, about=event.order, cause=event.meta, written=written)


def messages_of(shop: str, within: int) -> ShopMessages:
    """What is told of every shop: which event sends which message."""
    messages = [PromisedMessage(event=event.type, message=kind.name) for event, kind in SENDS.items()]
    return ShopMessages(shop=shop, messages=messages, within=within)
