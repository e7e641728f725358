"""The policies: which event of an order sends which message."""

from collections.abc import Mapping

from services.notifications.catalogue import ABOUT_ORDER, ORDER_RECEIVED, ORDER_STATUS, MessageKind
from services.notifications.outgoing import Outgoing
from services.notifications.written import Written
from shared.contracts.message import NotUnderstood
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
}
"""The confirmation when the customer's order was received (R077), and when somebody wants it again (R068, R069)."""
ON_REQUEST = {kind.name: kind for kind in (ABOUT_ORDER, ORDER_STATUS)}
"""What orders asks for by name."""


@notifications.on(OrderPlaced)
@notifications.on(ConfirmationRequested)
async def tell_customer(event: OrderEvent, outgoing: Outgoing) -> list[LogEntry]:
    """The customer gets the event's message, which shows the order as the event has it."""
    return await outgoing.send(SENDS[type(event)], to=event.order.customer, about=event.order, cause=event.meta)


@notifications.on(MessageRequested)
async def send_message(event: MessageRequested, outgoing: Outgoing) -> list[LogEntry]:
    """The message goes to the customer, or to the address that was given (R049, R050).

    One that there is not, or not any more, can never be sent: its order waits for a person.
    """
    kind = ON_REQUEST.get(event.template)
    if kind is None:
        raise NotUnderstood(f"there is no message {event.template}")
    to = event.order.customer
    if event.to_address is not None and event.to_address != to.email:
        to = Customer(email=event.to_address, address=to.address)
    written = None
    if kind is ABOUT_ORDER:
        written = Written(headline=event.headline, text=event.text, format=event.format)
    return await outgoing.send(
        kind, to=to, about=event.order, cause=event.meta, written=written, words=dict(event.words)
    )


def messages_of(shop: str, within: int) -> ShopMessages:
    """What is told of every shop: which event sends which message."""
    messages = [PromisedMessage(event=event.type, message=kind.name) for event, kind in SENDS.items()]
    messages += [PromisedMessage(event=MessageRequested.type, message=name) for name in ON_REQUEST]
    return ShopMessages(shop=shop, messages=messages, within=within)
