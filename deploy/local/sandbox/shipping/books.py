"""What was booked and where it is; a step of a shipment is on disk before it is told."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from deploy.local.sandbox.answers import Refused
from deploy.local.sandbox.desk import Desk
from deploy.local.sandbox.executed import Executed
from deploy.local.sandbox.ledger import Entry
from deploy.local.sandbox.shipping.model import Shipment, ShipmentWanted
from deploy.local.sandbox.webhooks import Event, Webhooks


class Shipments:
    """All customers' shipments."""

    def __init__(self, folder: Path, desk: Desk, webhooks: Webhooks) -> None:
        self._shipments: dict[str, Shipment] = {}
        self._customers: dict[str, str] = {}
        self._moved: dict[str, float] = {}
        self._desk, self._webhooks = desk, webhooks
        self.executed = Executed(folder, self._apply, desk, webhooks)

    def get(self, customer: str, name: str) -> Shipment:
        """Raises Refused where the customer has no such shipment."""
        if self._customers.get(name) != customer:
            raise Refused(404, "SHIPMENT_NOT_FOUND", f"There is no shipment {name}.")
        return self._shipments[name]

    def any(self, name: str) -> Shipment:
        """A shipment of whichever customer. Raises Refused where there is none."""
        return self.get(self._customers.get(name, ""), name)

    def tracked_as(self, number: str) -> Shipment | None:
        """The shipment of a tracking number, whoever its customer is."""
        return next((one for one in self._shipments.values() if one.tracking_number == number), None)

    def with_reference(self, customer: str, reference: str) -> list[Shipment]:
        """The customer's shipments of this reference, the oldest first."""
        found = (one for one in self._shipments.values() if one.reference == reference)
        return [one for one in found if self._customers[one.id] == customer]

    async def book(self, customer: str, key: str, wanted: ShipmentWanted) -> tuple[str, Shipment]:
        """What it came to ("executed" or "repeated"), and the shipment as it was then. Raises Refused."""
        asked = wanted.model_dump_json()
        async with self._desk.turn(f"key {customer} {key}"):
            if known := self.executed.recall(customer, key, asked):
                return "repeated", Shipment.model_validate(known["shipment"])
            if problems := wanted.problems():
                shown = [problem.model_dump() for problem in problems]
                raise Refused(422, problems[0].code, problems[0].message, errors=shown)
            shipment = self._new(customer, key, wanted)
            await self._add(customer, shipment, "booked", key=key, asked=asked)
            return "executed", shipment

    async def cancel(self, customer: str, name: str) -> tuple[str, Shipment]:
        """What it came to, and the cancelled shipment. Raises Refused for one that was handed over."""
        async with self._desk.turn(f"shipment {name}"):
            shipment = self.get(customer, name)
            if shipment.status == "cancelled":
                return "repeated", shipment
            if shipment.status != "booked":
                raise Refused(409, "ALREADY_HANDED_OVER", f"The shipment is {shipment.status}.")
            cancelled = shipment.model_copy(update={"status": "cancelled"})
            await self._add(customer, cancelled, "cancelled")
            return "executed", cancelled

    def due(self, before: float) -> list[str]:
        """The shipments under way whose last step was before this second of the epoch."""
        return [name for name, moved in self._moved.items() if moved < before]

    async def advance(self, name: str) -> Entry:
        """One step on. Raises Refused for a shipment that is delivered, cancelled or unknown."""
        async with self._desk.turn(f"shipment {name}"):
            shipment = self.any(name)
            stepped = shipment.stepped(_now())
            if stepped is None:
                raise Refused(409, "NO_FURTHER_STEP", f"The shipment is {shipment.status}.")
            customer = self._customers[name]
            return await self._add(customer, stepped, stepped.status, webhook=self._tracked(customer, stepped))

    def _new(self, customer: str, key: str, wanted: ShipmentWanted) -> Shipment:
        nth = len(self.executed.keys.executed(customer, key))
        digest = hashlib.sha256(f"{customer} {key} {nth}".encode()).hexdigest()
        return Shipment(
            **wanted.model_dump(),
            id=f"shp_{digest[:16]}",
            tracking_number=f"SP{int(digest[16:28], 16) % 10**9:09d}{wanted.sender.country}",
            status="booked",
            created=_now(),
        )

    async def _add(
        self, customer: str, shipment: Shipment, did: str, key: str = "", asked: str = "", webhook: Event | None = None
    ) -> Entry:
        return await self.executed.add(
            account=customer, key=key, asked=asked, did=did, shipment=shipment.model_dump(mode="json"), webhook=webhook
        )

    def _tracked(self, customer: str, shipment: Shipment) -> Event | None:
        last = shipment.events[-1]
        data = {
            "shipment": shipment.id,
            "reference": shipment.reference,
            "tracking_number": shipment.tracking_number,
            "event": last.model_dump(),
        }
        return self._webhooks.event(customer, "shipment.tracked", f"{shipment.id} {last.code}", data)

    def _apply(self, entry: Entry) -> None:
        shipment = Shipment.model_validate(entry["shipment"])
        self._shipments[shipment.id], self._customers[shipment.id] = shipment, entry["account"]
        if shipment.status in {"delivered", "cancelled"}:
            self._moved.pop(shipment.id, None)
        else:
            self._moved[shipment.id] = entry["at"]


def _now() -> str:
    return datetime.now(UTC).isoformat()
