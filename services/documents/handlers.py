"""The policies: which event of an order prints which document."""

from services.documents.papers import CATALOGUE
from services.documents.printing import Printing
from shared.contracts.order_events import DocumentRequested
from shared.contracts.order_log import LogEntry
from shared.contracts.shop_facts import ShopLooks
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.groups import Group

documents = Group("documents", ORDERS_EVENTS)


def looks_of(shop: str, within: int) -> ShopLooks:
    """What is told of every shop: everything that can be printed."""
    return ShopLooks(shop=shop, documents=sorted(CATALOGUE), within=within)


@documents.on(DocumentRequested, blocks=False)
async def print_document(event: DocumentRequested, printing: Printing) -> list[LogEntry]:
    """The document that was asked for (R067, R070, R071); one that cannot be made holds up no other."""
    return [await printing.print(event)]
