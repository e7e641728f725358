"""The policies of payment: what is looked up when an order is placed, and what is moved when it is asked for."""

from typing import Any
from uuid import UUID

from services.integrations.payment.group import payment
from services.integrations.payment.messages import PaymentFound, ProviderSaid, ProviderTold
from services.integrations.payment.till import LookedUp, Till
from services.integrations.payment.words import answered, entry_of
from services.integrations.reasons import reason_of
from shared.contracts.message import now
from shared.contracts.order_events import OrderPlaced, PaymentRequested
from shared.contracts.order_log import (
    LogEntry,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentUnmatched,
    PaymentVoided,
)

__all__ = ["payment"]


@payment.on(OrderPlaced)
async def look_up_payment(event: OrderPlaced, till: Till) -> list[LogEntry]:
    """What the customer did at checkout is asked of the provider, and not believed of the shop front (R115)."""
    order = event.order
    await till.order_came(order)
    return await standing_of(order.id, order.shop, order.payment.reference, till)


@payment.on(PaymentRequested)
async def move_money(event: PaymentRequested, till: Till) -> list[LogEntry]:
    """A capture, a refund or a void."""
    return [await till.move(event)]


@payment.on(PaymentFound)
async def tell_that_it_was_there_before(message: PaymentFound, till: Till) -> list[LogEntry]:
    """The payment was there before its order (R133); of an order that named none, it is looked up now."""
    found = PaymentUnmatched(
        order_id=message.order_id,
        outcome="done",
        summary="payment.attached" if message.by_hand else "payment.unmatched",
        parameters={"minutes": message.minutes},
        provider=message.provider,
        reference=message.reference,
        first_heard_at=message.first_heard_at,
        messages=message.messages,
        by_hand=message.by_hand,
    )
    if not message.by_hand:
        return [found]
    return [found, *await standing_of(message.order_id, message.meta.shop, message.reference, till)]


@payment.on(ProviderSaid)
async def record_what_was_said(message: ProviderSaid, till: Till) -> list[LogEntry]:
    """Whatever a provider says is kept (R117); what it or its customer did without us changes the payment (R132)."""
    return entries_of(message, await till.looked_up(message.order_id))


@payment.on(ProviderTold)
async def record_what_was_told(message: ProviderTold) -> list[LogEntry]:
    """The same, as it was told to an older version."""
    return done_there(message.order_id, message.what, message.amount, message.transaction_id)


async def standing_of(order_id: UUID, shop: str, reference: str, till: Till) -> list[LogEntry]:
    """How an order's payment stands, as the provider says; nothing where there is none to be asked for."""
    asked_at = now()
    found = await till.look_up(shop, reference)
    if found is None:
        return []
    provider, standing = found
    if standing.status == "declined":
        return [declined(order_id, standing.reason)]
    await till.found_good(order_id, standing.amount, asked_at)
    more = [answered(order_id, standing, provider, reference)] if standing.more else []
    return [*more, authorized(order_id, standing.amount)]


def entries_of(message: ProviderSaid, looked_up: LookedUp | None) -> list[LogEntry]:
    """What is said of it: an authorization that was there when the payment was looked up is on the log already."""
    said = message.said
    news = message.acts and not (looked_up is not None and looked_up.knew(said))
    done = done_there(message.order_id, said.what or "", said.amount or 0, said.transaction_id) if news else []
    return [entry_of(message.order_id, said), *done]


def done_there(order_id: UUID, what: str, amount: int, transaction_id: str) -> list[LogEntry]:
    """What was done at the provider's without being asked by us."""
    common: dict[str, Any] = {"order_id": order_id, "outcome": "done"}
    moved: dict[str, Any] = {**common, "transaction_id": transaction_id, "parameters": {"amount": amount}}
    match what:
        case "authorized":
            return [authorized(order_id, amount)]
        case "capture":
            return [PaymentCaptured(**moved, summary="payment.captured", amount=amount)]
        case "refund":
            return [PaymentRefunded(**moved, summary="payment.refunded", amount=amount)]
        case "void":
            return [PaymentVoided(**common, summary="payment.voided", transaction_id=transaction_id)]
    return []


def authorized(order_id: UUID, amount: int) -> PaymentAuthorized:
    """The customer's payment is good."""
    return PaymentAuthorized(
        order_id=order_id,
        outcome="done",
        summary="payment.authorized",
        parameters={"amount": amount},
        amount=amount,
    )


def declined(order_id: UUID, reason: str) -> PaymentDeclined:
    """The customer's payment is not good."""
    word = reason_of(reason)
    return PaymentDeclined(
        order_id=order_id,
        outcome="failed",
        summary="payment.declined",
        parameters={"action": "authorize", "reason": word},
        action="authorize",
        reason=word,
    )
