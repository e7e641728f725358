"""What a carrier is to us, whichever it is; an adapter says each in its vendor's words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.integrations.calling import Checked
from shared.contracts.order import ShipmentState
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.values import Address
from shared.messaging.effects import Done, Failed, Permit


@dataclass(frozen=True)
class Parcel:
    """What is to be carried, from whom and to whom. `key` makes it happen once, at a carrier that knows keys."""

    key: str
    sender: ShopSettings
    receiver: Address
    customer: str
    """Whose name it bears where the address has none."""
    units: int


@dataclass(frozen=True)
class Seen:
    """Where a carrier has seen a shipment."""

    shipment_id: str
    state: ShipmentState
    at: datetime
    key: str = ""
    """The key of the call that booked it, where the carrier says that too."""


class Carrier(Protocol):
    """One account of a shop at a carrier."""

    remembers: float
    """For how many seconds a key gets its first answer again; 0 where keys are not known."""

    async def book(self, parcel: Parcel, permit: Permit) -> Done | Failed:
        """Books: Done with `shipment_id`, `tracking_number`, `tracking_url`, `label_url`, or a clear no.

        Raises NotSent where it certainly was not done; whatever else it raises means that nobody knows.
        """
        ...

    async def find(self, key: str) -> Done | None:
        """The booking of a key; None where the carrier knows of none. Raises where it cannot be asked."""
        ...

    async def cancel(self, shipment_id: str, permit: Permit) -> Done | Failed:
        """Cancels; what is cancelled already is Done. Raises as `book` does."""
        ...

    async def cancelled(self, shipment_id: str) -> Done | None:
        """Whether a shipment is cancelled; None where it is not. Raises where it cannot be asked."""
        ...

    def seen(self, body: bytes) -> Seen | None:
        """What a webhook tells, its signature being good; None for what says nothing to us."""
        ...

    async def check(self) -> Checked:
        """How a harmless question is answered, asked with the connection's key. Raises nothing."""
        ...

    async def close(self) -> None:
        """Closes the connections."""
        ...
