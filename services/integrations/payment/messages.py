"""What payment says to itself alone, in its own lanes; no topic carries it."""

from shared.contracts.message import Message
from shared.contracts.topics import ORDERS_EVENTS
from shared.contracts.values import Identifier, Line, OrderId, Price


class ProviderTold(Message, topic=ORDERS_EVENTS, type="payment.provider-told.v1"):
    """A payment provider has told of something, and its signature was good."""

    order_id: OrderId
    what: Identifier
    amount: Price
    transaction_id: Line

    @property
    def subject(self) -> str:
        return str(self.order_id)
