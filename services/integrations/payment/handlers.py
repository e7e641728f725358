"""The policies of payment: what is looked up when an order is placed, and what is moved when it is asked for."""

from typing import Any
from uuid import UUID

from services.integrations.payment.messages import ProviderTold
from services.integrations.payment.till import Till
from services.integrations.reasons import reason_of
from shared.contracts.order_events import OrderPlaced, PaymentRequested
from shared.contracts.order_log import (
    LogEntry,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
)
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.groups import Group

payment = Group("integrations.payment", ORDERS_EVENTS)


@payment.on(OrderPlaced)
async def look_up_payment(event: OrderPlaced, till: Till) -> list[LogEntry]:
    """What the customer did at checkout is asked of the provider, and not believed of the shop front (R115)."""
    standing = await till.standing(event.order)
    if standing is None:
        return []
    if standing.status == "declined":
        return [declined(event.order.id, standing.reason)]
    return [authorized(event.order.id, standing.amount)]


@payment.on(PaymentRequested)
async def move_money(event: PaymentRequested, till: Till) -> list[LogEntry]:
    """A capture, a refund or a void."""
    return [await till.move(event)]


@payment.on(ProviderTold)
async def record_what_was_told(message: ProviderTold) -> list[LogEntry]:
    """What the provider did without being asked by us, or what its customer did later."""
    amount = message.amount
    parameters: dict[str, str | int] = {"amount": amount}
    match message.what:
        case "authorized":
            return [authorized(message.order_id, amount)]
        case "capture":
            return [PaymentCaptured(**common(message, "captured"), parameters=parameters, amount=amount)]
        case "refund":
            return [PaymentRefunded(**common(message, "refunded"), parameters=parameters, amount=amount)]
        case "void":
            return [PaymentVoided(**common(message, "voided"))]
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


def common(message: ProviderTold, what: str) -> dict[str, Any]:
    """What entries about money that moved at the provider's have alike."""
    return {
        "order_id": message.order_id,
        "outcome": "done",
        "summary": f"payment.{what}",
        "transaction_id": message.transaction_id,
    }
