"""What the order log is told of a repair: who made it stands in the envelope, why in the entry."""

from typing import Any, cast

from shared.contracts.message import Meta, new_id, now
from shared.contracts.order_log import EffectSettled, LogEntry, RepairMade, RepairRefused, Text
from shared.contracts.refusal import Refused
from shared.contracts.values import Identifier, Value, on_one_line
from shared.messaging.repaired import Repaired
from shared.messaging.wanted import AskedOnOrder, SettleEffect, Wanted

SOURCE = "/ops"
GONE = {"not-dead", "not-there", "unknown-effect", "not-unknown"}
"""Refusals that say that there is nothing left to put right."""


class Operator(Value):
    """Who wants it, by an id and never by a name or address, and why."""

    actor: Identifier
    reason: Text = ""


def cause_of(wanted: Wanted, repaired: Repaired, operator: Operator) -> Meta:
    """The event by which somebody asked, or the operator's word, as if that had been a message."""
    if isinstance(wanted, AskedOnOrder):
        return asked_by(wanted, operator)
    return Meta(
        new_id(),
        source=SOURCE,
        subject=repaired.subject,
        shop=repaired.shop,
        actor=operator.actor,
        time=now(),
        correlationid=repaired.correlation,
    )


def asked_by(wanted: AskedOnOrder, operator: Operator) -> Meta:
    """The envelope of the message that asked."""
    return Meta(
        wanted.cause,
        source="/orders",
        subject=str(wanted.order),
        shop=wanted.shop,
        actor=operator.actor,
        time=now(),
        correlationid=wanted.correlation,
    )


def entry_of(wanted: Wanted, repaired: Repaired, operator: Operator) -> LogEntry | None:
    """What is said of a repair that was made; nothing where it is about no order."""
    order_id = repaired.order_id
    if order_id is None:
        return None
    asked = wanted if isinstance(wanted, AskedOnOrder) else None
    if isinstance(wanted, SettleEffect) or (asked and asked.do == "settle"):
        return EffectSettled(
            order_id=order_id,
            outcome="done",
            summary="effect.settled",
            parameters={"effect": repaired.about},
            effect=repaired.about,
            key=cast(Any, wanted).key,
            happened=cast(Any, wanted).happened,
            settled_by="person",
            reason=operator.reason,
        )
    action = asked.do if asked else wanted.action
    return RepairMade(
        order_id=order_id,
        outcome="done",
        summary="repair.made",
        parameters={"action": action},
        action=cast(Any, action),  # those of a repair are the entry's
        about=on_one_line(repaired.about, 200),
        reason=operator.reason,
        entry_id=asked.entry if asked else None,
        group=repaired.group,
        message_id=repaired.message_id,
    )


def refusal_of(wanted: AskedOnOrder, refusal: Refused) -> RepairRefused:
    """What is said where it cannot be done: whoever asked looks at the order, and at no answer of ours."""
    return RepairRefused(
        order_id=wanted.order,
        outcome="failed",
        summary="repair.refused",
        parameters={"action": wanted.do, "reason": refusal.reason},
        entry_id=wanted.entry,
        action=wanted.do,
        reason=refusal.reason,
        gone=refusal.reason in GONE,
        detail=refusal.detail[:500],
    )
