"""The shop that an order is handled in: what it says of itself, what it has connected, and what services do for it."""

from dataclasses import dataclass

from shared.contracts.files import DocumentKind
from shared.contracts.order_events import OrderEvent
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import ShopConnections, ShopLooks, ShopMessages, ShopSettings

NOBODY = "nobody-reacts"
CONFIRMATION = "order-received"
WRITTEN = "message-about-order"


@dataclass(frozen=True)
class Shop:
    """Its settings, and what other services have said of it; None where one has said nothing."""

    settings: ShopSettings
    connections: ShopConnections
    messages: ShopMessages | None = None
    looks: ShopLooks | None = None

    @property
    def documents(self) -> list[DocumentKind]:
        """What can be printed for it."""
        return [] if self.looks is None else self.looks.documents

    def require_printer(self, document: DocumentKind) -> None:
        """Raises Refused, `nobody-reacts`, where no service prints this for the shop."""
        if document not in self.documents:
            raise Refused(NOBODY, f"no service prints {document} for the shop")

    def require_sender(self, event: type[OrderEvent], message: str) -> None:
        """Raises Refused, `nobody-reacts`, where no service sends this message about this event."""
        sent = [] if self.messages is None else self.messages.messages
        if (event.type, message) not in {(each.event, each.message) for each in sent}:
            raise Refused(NOBODY, f"no service sends the message {message} for the shop")
