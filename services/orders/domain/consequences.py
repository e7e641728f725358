"""What follows when an order is given a status: its document is printed, its message is sent."""

from services.orders.domain.order import Order
from services.orders.domain.shop import Shop
from shared.contracts.order_events import DocumentRequested, MessageRequested, OrderEvent
from shared.contracts.shop_facts import Status
from shared.contracts.values import Language


def of_status(order: Order, status: Status | None, shop: Shop) -> list[OrderEvent]:
    """What the shop wants of others for an order that was given this status. Raises Refused: `nobody-reacts`."""
    asked: list[OrderEvent] = []
    if status is not None and status.prints is not None:
        shop.require_printer(status.prints)
        asked.append(DocumentRequested(order=order.now, document=status.prints, language=order.now.language))
    if status is not None and status.sends is not None:
        shop.require_sender(MessageRequested, status.sends)
        words = {"status": name_in(status, order.now.language)}
        asked.append(MessageRequested(order=order.now, template=status.sends, words=words))
    return asked


def name_in(status: Status, language: Language) -> str:
    """What the status is called in this language; in another one where it has no name in it."""
    return status.names.get(language) or next(iter(status.names.values()))
