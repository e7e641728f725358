"""One request books one shipment, or cancels it, and the order log is told what came of it."""

import json
from typing import Protocol, TypeVar

from pydantic import TypeAdapter

from services.integrations.accounts import Accounts
from services.integrations.connections import Connection, Kind
from services.integrations.known_there import KnownThere
from services.integrations.reasons import reason_of
from services.integrations.shipping.port import Carrier, Parcel
from shared.contracts.order_events import ShipmentRequested
from shared.contracts.order_log import EffectUnknown, LogEntry, ShipmentBooked, ShipmentCancelled, ShipmentFailed
from shared.contracts.shop_facts import ShopFact, ShopSettings
from shared.messaging.effects import Done, Effects, Failed, Permit, Unknown, WhenUnknown

F = TypeVar("F", bound=ShopFact)

KIND: Kind = "shipping"
PARCEL = TypeAdapter(Parcel)


class Facts(Protocol):
    """What is known of a shop; raises Retry while it is not."""

    async def of(self, shop: str, contract: type[F]) -> F: ...


def key_of(event: ShipmentRequested) -> str:
    """The key of the effect, which is the carrier's idempotency key and reference too."""
    return f"{event.action}-shipment:{event.meta.id}"


class Despatch:
    """What shipping's handlers work with; `seconds` is what one call may take in all, `holds` as in WhenUnknown."""

    def __init__(
        self,
        effects: Effects,
        accounts: Accounts[Carrier],
        known_there: KnownThere,
        facts: Facts,
        *,
        seconds: float,
        holds: float,
    ) -> None:
        self._effects, self._accounts, self._known_there, self._facts = effects, accounts, known_there, facts
        self._seconds, self._holds = seconds, holds

    async def carry_out(self, event: ShipmentRequested) -> LogEntry:
        """What the order log shall say of a request. Raises as Effects.once does."""
        account = await self._accounts.of(event.meta.shop)
        if account is None:
            return _failed(event, Failed("not-connected", "the shop has no shipping connection"))
        connection, carrier = account
        if event.action == "cancel":
            return await self._cancel(event, connection, carrier)
        return await self._book(event, connection, carrier)

    async def _book(self, event: ShipmentRequested, connection: Connection, carrier: Carrier) -> LogEntry:
        shop, order, key = await self._facts.of(event.meta.shop, ShopSettings), event.order, key_of(event)
        parcel = Parcel(
            key=key,
            sender=shop,
            receiver=order.delivery_address or order.customer.address,
            customer=order.customer.company or order.customer.full_name,
            units=sum(row.units for row in event.units),
        )

        async def call(permit: Permit, request: bytes) -> Done | Failed:
            return await carrier.book(PARCEL.validate_json(request), permit)

        async def look_up() -> Done | None:
            return await carrier.find(key)

        # A parcel may be seen before its booking is known here: answers get lost, and are looked up later.
        await self._known_there.remember(event.meta.shop, KIND, key, order.id)
        rule = WhenUnknown(look_up=look_up, remembers=carrier.remembers, holds=self._holds)
        outcome = await self._effects.once(
            key=key,
            kind="book-shipment",
            call=call,
            timeout=self._seconds,
            request=PARCEL.dump_json(parcel),
            connection=connection.name,
            when_unknown=rule,
        )
        if not isinstance(outcome, Done):
            return _failed(event, outcome)
        result = outcome.result
        shipment_id = str(result.get("shipment_id") or f"settled-{event.meta.id}")
        await self._known_there.remember(event.meta.shop, KIND, shipment_id, order.id)
        return ShipmentBooked(
            order_id=order.id,
            outcome="done",
            summary="shipment.booked",
            parameters={"tracking_number": str(result.get("tracking_number", ""))},
            request_id=event.request_id,
            shipment_id=shipment_id,
            tracking_number=str(result.get("tracking_number", "")),
            tracking_url=str(result.get("tracking_url", "")),
            label_url=str(result.get("label_url", "")),
        )

    async def _cancel(self, event: ShipmentRequested, connection: Connection, carrier: Carrier) -> LogEntry:
        shipment_id = event.shipment_id or ""

        async def call(permit: Permit, request: bytes) -> Done | Failed:
            return await carrier.cancel(json.loads(request), permit)

        async def look_up() -> Done | None:
            return await carrier.cancelled(shipment_id)

        # Cancelling twice is cancelling, so it may be said again however long ago it was said first.
        rule = WhenUnknown(look_up=look_up, remembers=self._holds, holds=self._holds)
        outcome = await self._effects.once(
            key=key_of(event),
            kind="cancel-shipment",
            call=call,
            timeout=self._seconds,
            request=json.dumps(shipment_id).encode(),
            connection=connection.name,
            when_unknown=rule,
        )
        if not isinstance(outcome, Done):
            return _failed(event, outcome)
        return ShipmentCancelled(
            order_id=event.order.id,
            outcome="done",
            summary="shipment.cancelled",
            request_id=event.request_id,
            shipment_id=shipment_id,
        )


def _failed(event: ShipmentRequested, outcome: Failed | Unknown) -> LogEntry:
    if isinstance(outcome, Unknown):
        effect = f"{event.action}-shipment"
        return EffectUnknown(
            order_id=event.order.id,
            outcome="unknown",
            summary="effect.unknown",
            parameters={"effect": effect},
            effect=effect,
            key=key_of(event),
            request_id=event.request_id,
            detail=outcome.detail[:500],
        )
    reason = reason_of(outcome.reason)
    return ShipmentFailed(
        order_id=event.order.id,
        outcome="failed",
        summary="shipment.failed",
        parameters={"action": event.action, "reason": reason},
        request_id=event.request_id,
        action=event.action,
        reason=reason,
        detail=outcome.detail[:500],
        units=event.units,
        shipment_id=event.shipment_id,
    )
