"""Each event of an order is one charge, and the order log tells what came of it; who has paid gets a receipt later."""

import os
import signal
from collections.abc import Sequence
from datetime import timedelta

from shared.contracts.message import now
from shared.contracts.order import OrderSnapshot
from shared.contracts.order_events import ConfirmationRequested, OrderEvent, OrderPlaced
from shared.contracts.order_log import EffectUnknown, LogEntry
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.effects import Done, Failed, Outcome, Unknown
from shared.messaging.groups import Group
from shared.messaging.timers import Later
from tests.faults.payer.contracts import ChargeFailed, ChargeMade, ReceiptDue, ReceiptIssued
from tests.faults.payer.till import Till

POISON = "ends the worker"
"""The reference of an order whose charge ends the process that works on it, each time."""
RECEIPT_AFTER = timedelta(seconds=1)

payer = Group("payer", ORDERS_EVENTS)


@payer.on(OrderPlaced)
async def charge_for_the_order(event: OrderPlaced, till: Till) -> Sequence[LogEntry | Later]:
    """The order is paid."""
    entry = await charged(event, till)
    if not isinstance(entry, ChargeMade):
        return [entry]
    return [entry, Later(f"receipt:{event.meta.id}", ReceiptDue(order=event.order), now() + RECEIPT_AFTER)]


@payer.on(ConfirmationRequested)
async def charge_for_the_confirmation(event: ConfirmationRequested, till: Till) -> list[LogEntry]:
    """A confirmation costs as much as the order, so that one order has many charges."""
    return [await charged(event, till)]


@payer.on(ReceiptDue)
async def issue_the_receipt(event: ReceiptDue) -> list[LogEntry]:
    """The one who has paid can look it up."""
    return [ReceiptIssued(order_id=event.order.id, outcome="done", summary="receipt.issued")]


async def charged(event: OrderEvent, till: Till) -> LogEntry:
    """One charge for this event, and the entry that tells of it."""
    if event.order.reference == POISON:
        os.kill(os.getpid(), signal.SIGKILL)
    key, outcome = await till.charge(event.order, event.meta.id)
    return entry_of(event.order, key, outcome)


def entry_of(order: OrderSnapshot, key: str, outcome: Outcome) -> LogEntry:
    """What the order log shall say."""
    match outcome:
        case Done(result=result):
            return ChargeMade(
                order_id=order.id, outcome="done", summary="charge.made", charge_id=str(result["charge_id"])
            )
        case Failed(reason=reason):
            return ChargeFailed(order_id=order.id, outcome="failed", summary="charge.failed", reason=reason)
        case Unknown(detail=detail):
            return EffectUnknown(
                order_id=order.id,
                outcome="unknown",
                summary="effect.unknown",
                parameters={"effect": "charge"},
                effect="charge",
                key=key,
                detail=detail,
            )
