"""The operators' part of the API, as data: for each kind of trouble what is listed, what is shown, what can be done."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

from shared.contracts.documents import example_of
from shared.contracts.order_events import OrderPlaced
from shared.contracts.order_log import Text
from shared.messaging import trouble
from shared.messaging.trouble import Kind
from shared.messaging.wanted import (
    AcceptGap,
    Incarnation,
    Number,
    ReleaseKey,
    RetryDead,
    SettleEffect,
    SkipDead,
    TakeAgain,
    Wanted,
)
from shared.runtime import trouble_shown as shown
from shared.runtime.masking import without_personal

Why = Annotated[Text, StringConstraints(min_length=1, pattern=r"\S")]


class Body(BaseModel):
    """What an operator says with an action."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class MaySayWhy(Body):
    """Why it is done, where there is something to say."""

    reason: Text = ""
    """Kept, and told on the order's log."""


class SaysWhy(Body):
    """Why it is done."""

    reason: Why
    """Kept, and told on the order's log."""


class Settlement(SaysWhy):
    """What is known now of a call of which nobody knew whether it happened."""

    happened: bool
    again: bool = True
    """Where it did not happen: whether the call is made again, or given up."""


class SeenGap(SaysWhy):
    """The numbers that are given up, as they were listed: another gap than this one is left alone."""

    incarnation: Incarnation
    first: Number
    last: Number


@dataclass(frozen=True)
class Action:
    """Something that can be done to one thing, or to all that a filter chooses; `of_many` is said for all of these."""

    name: str
    verb: str
    body: type[Body]
    of_many: type[Body]
    wanted: Callable[[Any, Any], Wanted]
    example: dict[str, Any]


@dataclass(frozen=True)
class Section:
    """One kind of trouble: how one and many of it are called, its list, one in full, and its actions."""

    one: str
    many: str
    kind: Kind[Any, Any]
    full: type[BaseModel]
    in_full: Callable[[Any, Any], Awaitable[BaseModel]]
    actions: Sequence[Action]
    example: BaseModel


ORDER = "01a213cc-0338-7a51-9c3e-5f0b7d2a1e44"
AT = datetime(2026, 11, 25, 17, 56, 12, 300500, tzinfo=UTC)
MESSAGE = "01a213cc-07c1-7d10-b2c4-91f3a7b8c0d2"
PLACED = without_personal(example_of(OrderPlaced))

DEAD = Section(
    "a dead message",
    "dead messages",
    trouble.dead,
    shown.DeadInFull,
    shown.dead_in_full,
    (
        Action(
            "retry",
            "Retry",
            MaySayWhy,
            MaySayWhy,
            lambda item, _: RetryDead(group=item.group, position=item.position),
            {"reason": "The Finnish template is mended."},
        ),
        Action(
            "skip",
            "Skip",
            SaysWhy,
            SaysWhy,
            lambda item, _: SkipDead(group=item.group, position=item.position),
            {"reason": "A test order."},
        ),
    ),
    shown.DeadInFull(
        id="notifications:4711",
        at=AT,
        group="notifications",
        position=4711,
        order=ORDER,
        shop="nordic-tea",
        topic="orders.events",
        type="order.placed.v1",
        message_id=MESSAGE,
        attempts=1,
        blocks=True,
        error="Reject: the template order-received has no sentence in fi",
        message=PLACED,
    ),
)
UNKNOWN = Section(
    "an unknown effect",
    "unknown effects",
    trouble.unknown,
    shown.UnknownInFull,
    shown.unknown_in_full,
    (
        Action(
            "settle",
            "Settle",
            Settlement,
            Settlement,
            lambda item, body: SettleEffect(key=item.key, happened=body.happened, again=body.again),
            {"happened": True, "reason": "The mail server's log shows the Message-ID as delivered."},
        ),
    ),
    shown.UnknownInFull(
        id=f"mail:{MESSAGE}:order-received:5f2b9c41d07e",
        at=AT,
        key=f"mail:{MESSAGE}:order-received:5f2b9c41d07e",
        kind="mail",
        group="notifications",
        order=ORDER,
        shop="nordic-tea",
        attempts=1,
        error="ConnectionResetError: Connection lost",
        deadline=AT,
        looks=0,
        cause=PLACED,
    ),
)
QUARANTINED = Section(
    "a quarantined record",
    "quarantined records",
    trouble.quarantined,
    shown.QuarantinedInFull,
    shown.quarantined_in_full,
    (
        Action(
            "re-ingest",
            "Take in again",
            MaySayWhy,
            MaySayWhy,
            lambda item, _: TakeAgain(position=int(item.id)),
            {"reason": "This version knows the field."},
        ),
    ),
    shown.QuarantinedInFull(
        id="17",
        at=AT,
        topic="orders.commands",
        partition=3,
        offset=4012,
        bytes=25,
        error="shop: Field required",
        key=ORDER,
        headers=[("ce_type", "order.place.v1")],
        value={"type": "order.place.v1"},
    ),
)
HELD = Section(
    "a held stream",
    "held streams",
    trouble.held,
    shown.HeldInFull,
    shown.held_in_full,
    (
        Action(
            "accept-gap",
            "Accept the gap of",
            SeenGap,
            SaysWhy,
            lambda item, body: AcceptGap(
                topic=item.topic,
                source=item.source,
                subject=item.order,
                incarnation=getattr(body, "incarnation", item.incarnation),
                first=getattr(body, "first", item.first),
                last=getattr(body, "last", item.last),
            ),
            {"incarnation": 1795525200, "first": 3, "last": 4, "reason": "The topic was cut before it was read."},
        ),
    ),
    shown.HeldInFull(
        id=f"orders.events:/orders:{ORDER}",
        at=AT,
        topic="orders.events",
        source="/orders",
        order=ORDER,
        shop="nordic-tea",
        incarnation=1795525200,
        first=3,
        last=4,
        held=1,
        records=[shown.HeldRecord(incarnation=1795525200, n=5, id=MESSAGE, type="order.placed.v1", at=AT)],
    ),
)
PARKED = Section(
    "a parked key",
    "parked keys",
    trouble.parked,
    shown.ParkedInFull,
    shown.parked_in_full,
    (
        Action(
            "release",
            "Release",
            MaySayWhy,
            MaySayWhy,
            lambda item, _: ReleaseKey(topic=item.topic, key=item.key),
            {"reason": "max.message.bytes is as declared again."},
        ),
    ),
    shown.ParkedInFull(
        id=f"orders.events:{ORDER}",
        at=AT,
        topic="orders.events",
        key=ORDER,
        error="MessageSizeTooLargeError: [Error 10] MessageSizeTooLargeError",
        waiting=3,
        type="order.placed.v1",
        bytes=700_123,
        record=PLACED,
    ),
)
WAITING = Section(
    "a lane that is tried again",
    "lanes that are tried again",
    trouble.waiting,
    shown.WaitingInFull,
    shown.waiting_in_full,
    (),
    shown.WaitingInFull(
        id=f"notifications:{ORDER}",
        at=AT,
        group="notifications",
        order=ORDER,
        shop="nordic-tea",
        attempts=3,
        due=AT,
        error="TryLater: 451 4.3.0 the mail server is busy",
        messages=2,
        type="order.placed.v1",
        message_id=MESSAGE,
        message=PLACED,
    ),
)
SECTIONS = (DEAD, WAITING, UNKNOWN, QUARANTINED, HELD, PARKED)
