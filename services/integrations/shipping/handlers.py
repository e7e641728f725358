"""The policies of shipping: what is booked and cancelled when it is asked for, and where parcels are seen."""

from services.integrations.shipping.despatch import Despatch
from services.integrations.shipping.messages import CarrierTold
from shared.contracts.order_events import ShipmentRequested
from shared.contracts.order_log import LogEntry, ShipmentTracked
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.groups import Group

shipping = Group("integrations.shipping", ORDERS_EVENTS)


@shipping.on(ShipmentRequested)
async def carry_out_shipment(event: ShipmentRequested, despatch: Despatch) -> list[LogEntry]:
    """A shipment is booked, or cancelled."""
    return [await despatch.carry_out(event)]


@shipping.on(CarrierTold)
async def record_where_it_is(message: CarrierTold) -> list[LogEntry]:
    """The carrier has seen the parcel."""
    entry = ShipmentTracked(
        order_id=message.order_id,
        outcome="done",
        summary="shipment.tracked",
        parameters={"state": message.state},
        shipment_id=message.shipment_id,
        state=message.state,
        seen_at=message.seen_at,
    )
    return [entry]
