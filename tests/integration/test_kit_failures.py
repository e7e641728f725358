"""What fails is said before it is given up, keeps its place when it is, and can take nobody with it."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from shared.contracts.message import Message
from shared.contracts.order import OrderSnapshot
from shared.messaging import lanes
from shared.messaging.claims import Claims, Hands
from shared.messaging.failures import Reject, Retry
from shared.messaging.finish import Ending
from shared.messaging.groups import Group
from tests.builders import an_order, to_place
from tests.integration.test_kit_lanes import (
    Desk,
    commands_group,
    events_about,
    events_group,
    inside,
    lane_state,
    nothing_waits,
    outside,
)
from tests.plugins.kit import Kit, running
from tests.plugins.lanes import arrive, is_idle, lane, said
from tests.plugins.waiting import eventually

RAN_OUT = "update lane set state = 'leased', due = clock_timestamp() - interval '1 s', crashes = {crashes}"


async def has_failed(kit: Kit, order: OrderSnapshot, attempts: int) -> bool:
    row = await lane(kit, str(order.id))
    return bool(row["state"] == "ready" and row["attempts"] == attempts)


async def test_after_the_third_failure_the_order_log_says_that_a_reaction_waits(kit: Kit) -> None:
    group, desk, order = events_group(), Desk(), an_order()
    desk.fail = lambda _: Retry("the mail server of nordic-tea answers anna@example.org: try later")
    (event,) = events_about(order, 1)
    await arrive(kit, group, [event])
    for attempts in (1, 2, 3, 4):
        await kit.pool.execute("update lane set due = clock_timestamp()")
        async with running(outside(kit, group, desk)):
            await eventually(lambda n=attempts: has_failed(kit, order, n))  # type: ignore[misc]
    (entry,) = await said(kit, "reaction.waiting.v1")
    assert (entry["subject"], entry["causationid"], entry["data"]["attempts"]) == (str(order.id), event.meta.id, 3)
    assert entry["data"]["detail"] == "Retry: the mail server of nordic-tea answers a***@example.org: try later"
    assert entry["time"] < entry["data"]["next_try"]


@pytest.mark.requirement("R205")
async def test_what_is_given_up_is_said_on_the_order_log_and_copied_for_outside_tools(kit: Kit) -> None:
    group, desk, order = events_group(), Desk(), an_order()
    desk.fail = lambda _: Reject("never")
    (event,) = events_about(order, 1)
    await arrive(kit, group, [event])
    async with running(outside(kit, group, desk)):
        await eventually(lambda: lane_state(kit, order, "blocked"))
    (entry,) = await said(kit, "reaction.dead.v1")
    assert (entry["causationid"], entry["data"]["group"], entry["data"]["blocks"]) == (event.meta.id, group.name, True)
    copy = await kit.pool.fetchrow("select * from outbox where topic = 'notifications.dead-letters'")
    assert copy is not None
    headers = json.loads(copy["headers"])
    assert (copy["aggregateid"], headers["dead_error"], headers["dead_attempts"]) == (
        str(order.id),
        "Reject: never",
        "1",
    )
    assert "in see" in headers["dead_traceback"]
    document = json.loads(copy["payload"])
    assert (document["id"], document["data"]["order"]["number"]) == (event.meta.id, order.number)
    assert document["data"]["order"]["customer"]["email"] == "***"
    assert order.customer.full_name not in copy["payload"]


async def test_a_copy_of_what_was_given_up_inside_is_written_too(kit: Kit) -> None:
    group, desk, order = commands_group(), Desk(), an_order()
    desk.fail = lambda _: Reject("never")
    await arrive(kit, group, [to_place(order)])
    async with running(inside(kit, group, desk)):
        await eventually(lambda: lane_state(kit, order, "blocked"))
    assert await kit.count("outbox", "topic = 'orders.commands.dead-letters'") == 1
    assert len(await said(kit, "reaction.dead.v1")) == 1


@pytest.mark.parametrize("works", [outside, inside])
async def test_a_message_that_ended_its_process_three_times_is_given_up_unread(kit: Kit, works: Any) -> None:
    group, desk, order = events_group() if works is outside else commands_group(), Desk(), an_order()
    messages: Sequence[Message] = events_about(order, 2) if works is outside else [to_place(order)]
    await arrive(kit, group, messages)
    await kit.pool.execute(RAN_OUT.format(crashes=2))
    async with running(works(kit, group, desk)):
        await eventually(lambda: lane_state(kit, order, "blocked"))
    assert desk.seen == []
    row = await kit.pool.fetchrow("select state, error from inbox order by position limit 1")
    assert row is not None
    assert row["state"] == "dead"
    assert "it ended its process three times in a row" in row["error"]
    assert (await lane(kit, str(order.id)))["crashes"] == 0


async def test_a_lease_that_ran_out_counts_and_one_finished_message_forgives(kit: Kit) -> None:
    group, desk, order = events_group(), Desk(), an_order()
    await arrive(kit, group, events_about(order, 1))
    await kit.pool.execute(RAN_OUT.format(crashes=0))
    (claimed,) = await lanes.claim(kit.pool, group.name, 10)
    assert (claimed.crashes, claimed.crashed) == (1, True)
    await lanes.give_back(kit.pool, [claimed])
    row = await lane(kit, str(order.id))
    assert (row["state"], row["crashes"], row["attempts"]) == ("ready", 1, 0)
    async with running(outside(kit, group, desk)):
        await eventually(lambda: is_idle(kit, str(order.id)))
    assert (await lane(kit, str(order.id)))["crashes"] == 0


async def test_after_a_crash_each_message_of_the_lane_is_finished_by_itself(kit: Kit) -> None:
    group, desk, order = commands_group(), Desk(), an_order()
    first, second = to_place(order), to_place(order)
    await arrive(kit, group, [first, second])
    await kit.pool.execute(RAN_OUT.format(crashes=0))
    finished_first = asyncio.Event()

    def only_after_the_first_is_finished(message: Message) -> Exception | None:
        return None if message.meta.id == first.meta.id or finished_first.is_set() else Retry("it was not alone")

    desk.fail = only_after_the_first_is_finished
    async with running(inside(kit, group, desk)):
        await eventually(lambda: one_is_left(kit))
        finished_first.set()
        await kit.pool.execute("update lane set due = clock_timestamp()")
        await eventually(lambda: nothing_waits(kit))
    assert desk.seen == [first.meta.id, second.meta.id]


async def one_is_left(kit: Kit) -> bool:
    return await kit.count("inbox") == 1


async def test_a_suspect_is_worked_while_its_process_holds_nothing_else(kit: Kit) -> None:
    group, desk, hands = events_group(), Desk(), Hands()
    suspect, other = an_order(), an_order()
    held_beside: list[int] = []

    async def look(message: Message) -> None:
        if message.subject == str(suspect.id):
            held_beside.append(len([row for row in worker._running.values() if row.subject != str(suspect.id)]))  # noqa: SLF001

    seen = desk.see

    async def see(message: Message) -> None:
        await look(message)
        await seen(message)

    desk.see = see  # type: ignore[method-assign]
    await arrive(kit, group, events_about(suspect, 1))
    await kit.pool.execute(RAN_OUT.format(crashes=1))
    desk.gate.clear()
    await arrive(kit, group, events_about(other, 1))
    worker = outside(kit, group, desk, hands=hands)
    async with running(worker):
        await eventually(lambda: lane_state(kit, other, "leased"))
        await eventually(lambda: asyncio.sleep(0, hands.reserved))
        assert not await lane_state(kit, suspect, "ready")
        desk.gate.set()
        await eventually(lambda: is_idle(kit, str(suspect.id)))
    assert held_beside == [0]
    assert len(desk.seen) == 2


async def test_a_shop_with_many_due_lanes_does_not_keep_the_others_waiting(kit: Kit) -> None:
    group = events_group()
    crowd = [an_order(shop="crowd") for _ in range(60)]
    few = [an_order(shop=f"few-{n}") for n in range(3)]
    for orders in (crowd, few):
        await arrive(kit, group, [event for order in orders for event in events_about(order, 1)])
    claims, taken = Claims(group.name, Hands()), Counter[str]()
    for _ in range(2):
        taken.update(claimed.shop for claimed in await claims.next(kit.pool, 10))
    assert taken == {"crowd": 17, "few-0": 1, "few-1": 1, "few-2": 1}


async def test_a_crowd_of_one_shop_that_waits_for_long_is_worked_without_a_pause(kit: Kit) -> None:
    group = events_group()
    crowd = [an_order(shop="crowd") for _ in range(95)]
    await arrive(kit, group, [event for order in crowd for event in events_about(order, 1)])
    await kit.pool.execute("update lane set due = now() - interval '1 minute'")
    claims = Claims(group.name, Hands())
    assert [len(await claims.next(kit.pool, 20)) for _ in range(6)] == [20, 20, 20, 20, 15, 0]


async def test_where_shops_take_turns_all_of_them_come_to_their_turn(kit: Kit) -> None:
    group = events_group()
    for n in range(8):
        orders = [an_order(shop=f"shop-{n}") for _ in range(6)]
        await arrive(kit, group, [event for order in orders for event in events_about(order, 1)])
    claims, taken = Claims(group.name, Hands()), Counter[str]()
    for _ in range(12):
        taken.update(claimed.shop for claimed in await claims.next(kit.pool, 10))
    assert taken == {f"shop-{n}": 6 for n in range(8)}


class BreaksOnce:
    """A group commit whose connection breaks the first time."""

    def __init__(self, finishes: Any) -> None:
        self._finishes, self.broken = finishes, False

    async def submit(self, ending: Ending) -> bool:
        if not self.broken:
            self.broken = True
            raise ConnectionResetError
        return bool(await self._finishes.submit(ending))


async def test_lanes_of_which_nobody_knows_how_they_ended_are_given_back_not_counted(kit: Kit) -> None:
    group, desk, order = events_group(), Desk(), an_order()
    await arrive(kit, group, events_about(order, 1))
    worker = outside(kit, group, desk, lease_seconds=60.0)
    worker._finishes = breaks = BreaksOnce(worker._finishes)  # type: ignore[assignment]  # noqa: SLF001
    async with running(worker):
        await eventually(lambda: is_idle(kit, str(order.id)))
    assert breaks.broken
    assert (await lane(kit, str(order.id)))["crashes"] == 0


def test_every_group_of_the_services_has_a_declared_topic_for_dead_letters() -> None:
    from services.notifications.handlers import notifications  # noqa: PLC0415 - a service each
    from services.orders.handlers import commands, log  # noqa: PLC0415
    from shared.contracts.topics import DEAD_LETTERS  # noqa: PLC0415

    groups: list[Group] = [notifications, commands, log]
    assert [group.dead_letters for group in groups if group.dead_letters not in DEAD_LETTERS] == []
