"""What is due later: set with what causes it, once, moved when it is due, and handled in its lane's order."""

import asyncio
from datetime import UTC, datetime, timedelta

from shared.contracts.message import Message
from shared.contracts.message import Sequence as Number
from shared.contracts.order_events import OrderPlaced
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.database import transaction
from shared.messaging.groups import Group
from shared.messaging.timers import Later, Timers, set_timers
from tests.builders import an_order, confirmation_requested, placed
from tests.integration.test_kit_lanes import Desk, events_group, outside
from tests.plugins.kit import Kit, running
from tests.plugins.lanes import arrive, is_idle
from tests.plugins.waiting import eventually

PAST = timedelta(seconds=-1)


def from_now(span: timedelta) -> datetime:
    return datetime.now(UTC) + span


async def set_one(kit: Kit, key: str, message: Message, due_at: datetime) -> None:
    cause = placed(an_order()).meta
    async with transaction(kit.pool) as connection:
        await set_timers(connection, "/orders", "notifications", [(cause, [Later(key, message, due_at)])])


async def test_what_is_due_becomes_a_message_in_its_groups_lane_and_is_handled_once(kit: Kit) -> None:
    group, desk, order = events_group(), Desk(), an_order()
    await set_one(kit, "a", OrderPlaced(order=order), from_now(PAST))
    await set_one(kit, "b", OrderPlaced(order=order), from_now(timedelta(hours=1)))
    timers = [Timers(kit.pool, kit.bell) for _ in range(2)]
    assert sum(await asyncio.gather(*(each.move() for each in timers))) == 1
    async with running(outside(kit, group, desk)):
        await eventually(lambda: is_idle(kit, str(order.id)))
    assert len(desk.seen) == 1
    assert await kit.count("timer", "key = 'b'") == 1


async def test_a_timer_that_is_set_again_is_moved(kit: Kit) -> None:
    message = OrderPlaced(order=an_order())
    await set_one(kit, "a", message, from_now(PAST))
    await set_one(kit, "a", message, from_now(timedelta(hours=1)))
    assert await Timers(kit.pool, kit.bell).move() == 0
    assert await kit.count("timer") == 1


async def test_a_timer_of_a_transaction_that_fails_was_never_set(kit: Kit) -> None:
    cause = placed(an_order()).meta
    later = Later("a", OrderPlaced(order=an_order()), from_now(PAST))
    connection = await kit.pool.acquire()
    begun = connection.transaction()
    await begun.start()
    await set_timers(connection, "/orders", "notifications", [(cause, [later])])
    await begun.rollback()
    await kit.pool.release(connection)
    assert await kit.count("timer") == 0


async def test_a_handler_gives_back_what_is_for_later_beside_what_it_says_now(kit: Kit) -> None:
    group, order = Group("notifications", reads=ORDERS_EVENTS), an_order()
    handled: list[str] = []

    @group.on(OrderPlaced)
    async def remind(event: OrderPlaced) -> list[Message | Later]:
        handled.append(event.meta.causationid or "")
        if event.meta.source == "/orders" and len(handled) == 1:
            later = Later(f"remind:{event.meta.id}", OrderPlaced(order=event.order), from_now(PAST))
            return [confirmation_requested(event.order), later]
        return []

    event = placed(order)
    await arrive(kit, group, [event.stamped(event.meta.numbered(Number(1, 1)))])
    async with running(outside(kit, group, Desk()), Timers(kit.pool, kit.bell, every=0.05)):
        await eventually(lambda: asyncio.sleep(0, len(handled) == 2))
        await eventually(lambda: is_idle(kit, str(order.id)))
    assert handled[1] == event.meta.id, "the reminder says what caused it"
    assert await kit.count("outbox", "type = 'order.confirmation-requested.v1'") == 1
