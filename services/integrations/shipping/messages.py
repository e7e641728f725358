"""What shipping says to itself alone, in its own lanes; no topic carries it."""

from pydantic import AwareDatetime

from shared.contracts.message import Message
from shared.contracts.order import ShipmentState
from shared.contracts.topics import ORDERS_EVENTS
from shared.contracts.values import Identifier, OrderId


class CarrierTold(Message, topic=ORDERS_EVENTS, type="shipping.carrier-told.v1"):
    """A carrier has told where a shipment is, and its signature was good."""

    order_id: OrderId
    shipment_id: Identifier
    state: ShipmentState
    seen_at: AwareDatetime

    @property
    def subject(self) -> str:
        return str(self.order_id)
