"""Where an order's shipments are, as its carrier tells of them."""

from collections.abc import Sequence
from typing import get_args

from shared.contracts.order import Shipment, ShipmentState
from shared.contracts.order_log import ShipmentBooked, ShipmentCancelled, ShipmentEntry, ShipmentTracked

STATES: tuple[ShipmentState, ...] = get_args(ShipmentState)
"""Each is further than those before it."""
MAX_SHIPMENTS = 100


def shipments_after(shipments: Sequence[Shipment], entry: ShipmentEntry) -> list[Shipment]:
    """The order's shipments after its carrier has told of one; what is told twice changes nothing."""
    known = {shipment.shipment_id: shipment for shipment in shipments}
    match entry:
        case ShipmentBooked(shipment_id=shipment_id, tracking_number=number, tracking_url=url):
            new = Shipment(shipment_id=shipment_id, tracking_number=number, tracking_url=url)
            known.setdefault(shipment_id, new)
        case ShipmentCancelled(shipment_id=shipment_id) if shipment_id in known:
            known[shipment_id] = known[shipment_id].model_copy(update={"state": "cancelled"})
        case ShipmentTracked(shipment_id=shipment_id, state=state) if shipment_id in known:
            further = STATES.index(state) > STATES.index(known[shipment_id].state)
            if further:  # carriers tell late, and in any order
                known[shipment_id] = known[shipment_id].model_copy(update={"state": state})
    return list(known.values())[:MAX_SHIPMENTS]
