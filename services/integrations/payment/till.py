"""One request moves money once, and the order log is told what came of it."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.integrations.accounts import Accounts
from services.integrations.payment.messages import Said
from services.integrations.payment.port import Move, PaymentProvider, Standing
from services.integrations.payment.unmatched import order_came
from services.integrations.reasons import reason_of
from shared.contracts.order import OrderSnapshot
from shared.contracts.order_events import PaymentRequested
from shared.contracts.order_log import (
    EffectUnknown,
    LogEntry,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
)
from shared.messaging.effects import Done, Effects, Failed, Outcome, Permit, WhenUnknown
from shared.runtime.database import Pool, connected, transaction

FOUND_GOOD = "update payable_order set authorized = $2, looked_up_at = $3 where order_id = $1"
LOOKED_UP = "select authorized, looked_up_at from payable_order where order_id = $1 and looked_up_at is not null"


@dataclass(frozen=True)
class LookedUp:
    """For how much an order's payment was good when its provider was asked, and when that was."""

    amount: int
    at: datetime

    def knew(self, said: Said) -> bool:
        """Whether that is what is told now: of a moment before, and of the same amount."""
        return said.what == "authorized" and said.amount == self.amount and said.said_at <= self.at


def key_of(event: PaymentRequested) -> str:
    """The key of the effect, which is the provider's idempotency key too."""
    return f"{event.action}:{event.meta.id}"


class Till:
    """What payment's handlers work with; `seconds` is what one call may take in all, `holds` as in WhenUnknown.

    A payment that waits for its order for `late_after` seconds did not come with it.
    """

    def __init__(
        self,
        effects: Effects,
        accounts: Accounts[PaymentProvider],
        pool: Pool,
        *,
        seconds: float,
        holds: float,
        late_after: float,
    ) -> None:
        self._effects, self._accounts, self._pool = effects, accounts, pool
        self._seconds, self._holds, self._late_after = seconds, holds, late_after

    async def order_came(self, order: OrderSnapshot) -> None:
        """From now on what a provider tells of the order's payment is about it, and what it told before is, too."""
        if order.payment.reference or await self._accounts.of(order.shop) is not None:
            async with transaction(self._pool) as connection:
                await order_came(connection, order, late_after=self._late_after)

    async def found_good(self, order_id: UUID, amount: int, at: datetime) -> None:
        """The provider, asked at that moment, has said that the order's payment is good for so much."""
        async with transaction(self._pool) as connection:
            await connection.execute(FOUND_GOOD, order_id, amount, at)

    async def looked_up(self, order_id: UUID) -> LookedUp | None:
        """What the provider had said when it was asked; None where it was not, or where the payment was not good."""
        async with connected(self._pool) as connection:
            row = await connection.fetchrow(LOOKED_UP, order_id)
        return None if row is None else LookedUp(row["authorized"], row["looked_up_at"])

    async def look_up(self, shop: str, reference: str) -> tuple[str, Standing] | None:
        """Which provider was asked and how the payment stands; None where it is at none that the shop has connected."""
        account = await self._accounts.of(shop)
        if account is None or not reference:
            return None
        return account[0].provider, await account[1].standing(reference)

    async def move(self, event: PaymentRequested) -> LogEntry:
        """What the order log shall say of a request. Raises as Effects.once does."""
        account = await self._accounts.of(event.meta.shop)
        if account is None:
            return _entry(event, Failed("not-connected", "the shop has no payment connection"))
        connection, provider = account
        asked = Move(event.action, event.order.payment.reference, event.amount, key_of(event))

        async def call(permit: Permit, request: bytes) -> Done | Failed:
            return await provider.move(Move(**json.loads(request)), permit)

        async def look_up() -> Done | Failed | None:
            return await provider.find(asked)

        outcome = await self._effects.once(
            key=asked.key,
            kind=event.action,
            call=call,
            timeout=self._seconds,
            request=json.dumps(asdict(asked)).encode(),
            connection=connection.name,
            when_unknown=WhenUnknown(look_up=look_up, remembers=provider.remembers, holds=self._holds),
        )
        return _entry(event, outcome)


def _entry(event: PaymentRequested, outcome: Outcome) -> LogEntry:
    order_id, request_id, action = event.order.id, event.request_id, event.action
    if isinstance(outcome, Failed):
        reason = reason_of(outcome.reason)
        return PaymentDeclined(
            order_id=order_id,
            outcome="failed",
            summary="payment.declined",
            parameters={"action": action, "amount": event.amount, "reason": reason},
            request_id=request_id,
            action=action,
            reason=reason,
            detail=outcome.detail[:500],
        )
    if not isinstance(outcome, Done):
        return EffectUnknown(
            order_id=order_id,
            outcome="unknown",
            summary="effect.unknown",
            parameters={"effect": action, "amount": event.amount},
            effect=action,
            key=key_of(event),
            request_id=request_id,
            detail=outcome.detail[:500],
        )
    amount = int(outcome.result.get("amount", event.amount))
    transaction_id = str(outcome.result.get("transaction_id") or f"settled-{event.meta.id}")
    common: dict[str, Any] = {
        "order_id": order_id,
        "outcome": "done",
        "request_id": request_id,
        "transaction_id": transaction_id,
    }
    if action == "capture":
        return PaymentCaptured(**common, summary="payment.captured", parameters={"amount": amount}, amount=amount)
    if action == "refund":
        return PaymentRefunded(**common, summary="payment.refunded", parameters={"amount": amount}, amount=amount)
    return PaymentVoided(**common, summary="payment.voided")
