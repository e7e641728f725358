"""Locks are taken sorted: two that want the same rows in different orders would stop each other without it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import asyncpg
import pytest

from shared.contracts.message import Message
from shared.contracts.message import Sequence as Number
from shared.contracts.order import OrderSnapshot
from shared.contracts.order_events import OrderPlaced
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging import ingest_sql as sql
from shared.messaging import lanes
from shared.messaging.database import KEYS_ONLY, Connection, transaction
from shared.messaging.entrance import WAKE, wake
from shared.messaging.finish import Ending, settle
from shared.messaging.outbox import TAKE_NUMBERS
from tests.builders import an_order, placed, to_place
from tests.integration.test_kit_lanes import commands_group, events_group
from tests.plugins.interleavings import taken_in, wait_for_locks
from tests.plugins.kit import Kit
from tests.plugins.lanes import arrive
from tests.plugins.waiting import eventually

Orders = Sequence[OrderSnapshot]
SOURCE, GROUP, SHOP = "/orders", "notifications", "nordic-tea"


def ids(orders: Orders) -> list[str]:
    return [str(order.id) for order in orders]


def the_nth_event_of_each(orders: Orders, n: int) -> list[Message]:
    events = [placed(order) for order in orders]
    return [event.stamped(event.meta.numbered(Number(1, n))) for event in events]


class Scene:
    """Rows that two want at once, by a simple statement and as the kit does it."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit

    async def prepare(self, orders: Orders) -> None:
        """Makes the rows, where they are there already."""

    async def simple(self, connection: Connection, orders: Orders) -> None:
        raise NotImplementedError

    async def ours(self, connection: Connection, orders: Orders) -> None:
        raise NotImplementedError


class FinishedLanes(Scene):
    claimed: dict[str, lanes.Lane]

    async def prepare(self, orders: Orders) -> None:
        await arrive(self.kit, events_group(), the_nth_event_of_each(orders, 1))
        self.claimed = {lane.subject: lane for lane in await lanes.claim(self.kit.pool, GROUP, 10)}

    async def simple(self, connection: Connection, orders: Orders) -> None:
        await settle(connection, [Ending(self.claimed[each], "leased") for each in ids(orders)])

    async def ours(self, connection: Connection, orders: Orders) -> None:
        await lanes.lock(connection, [self.claimed[each] for each in ids(orders)])
        await self.simple(connection, orders)


class NewLanes(Scene):
    async def simple(self, connection: Connection, orders: Orders) -> None:
        new = 'insert into lane ("group", subject, shop) select $1, s, $2 from unnest($3::text[]) s'
        await connection.execute(f"{new} on conflict do nothing", GROUP, SHOP, ids(orders))

    async def ours(self, connection: Connection, orders: Orders) -> None:
        await taken_in(connection, self.kit, [commands_group()], [to_place(order) for order in orders])


class WokenLanes(Scene):
    async def prepare(self, orders: Orders) -> None:
        await arrive(self.kit, events_group(), the_nth_event_of_each(orders, 1))

    async def simple(self, connection: Connection, orders: Orders) -> None:
        unsorted = WAKE.replace("order by 1, 2", "").replace("group by g, s", "").replace("max(shop)", "shop")
        await connection.execute(unsorted, [GROUP] * len(orders), ids(orders), [SHOP] * len(orders))

    async def ours(self, connection: Connection, orders: Orders) -> None:
        await wake(connection, [(GROUP, each, SHOP) for each in ids(orders)])


class MovedCursors(Scene):
    async def prepare(self, orders: Orders) -> None:
        await arrive(self.kit, events_group(), the_nth_event_of_each(orders, 1))

    async def simple(self, connection: Connection, orders: Orders) -> None:
        count = len(orders)
        moved = ([SOURCE] * count, ids(orders), [1] * count, [2] * count, ["x"] * count)
        await connection.execute(sql.MOVE_CURSORS, ORDERS_EVENTS.name, *moved)

    async def ours(self, connection: Connection, orders: Orders) -> None:
        await taken_in(connection, self.kit, [events_group()], the_nth_event_of_each(orders, 2))


class NewCursors(Scene):
    async def simple(self, connection: Connection, orders: Orders) -> None:
        unsorted = sql.INSERT_CURSORS.replace("order by 1, 2", "")
        await connection.execute(unsorted, ORDERS_EVENTS.name, [SOURCE] * len(orders), ids(orders))

    async def ours(self, connection: Connection, orders: Orders) -> None:
        await taken_in(connection, self.kit, [events_group()], the_nth_event_of_each(orders, 1))


class Numbers(Scene):
    async def simple(self, connection: Connection, orders: Orders) -> None:
        unsorted, count = TAKE_NUMBERS.replace("order by 1, 2, 3", ""), len(orders)
        await connection.execute(unsorted, [SOURCE] * count, [ORDERS_EVENTS.name] * count, ids(orders), [1] * count)

    async def ours(self, connection: Connection, orders: Orders) -> None:
        said = [(to_place(order).meta, [OrderPlaced(order=order)]) for order in orders]
        await self.kit.outbox.append(connection, said)


@pytest.fixture
async def keyed(kit: Kit) -> AsyncIterator[asyncpg.Pool]:
    """Connections with the plans of production, which take rows in the order given."""
    async with asyncpg.create_pool(kit.dsn, min_size=0, max_size=4, server_settings=KEYS_ONLY) as pool:
        yield pool


Work = Callable[[Connection, Orders], Awaitable[None]]


async def meet(kit: Kit, pool: asyncpg.Pool, work: Work, a: OrderSnapshot, b: OrderSnapshot, c: OrderSnapshot) -> int:
    """One takes `a`, `c`, `b` while somebody holds `c`, another `b`, `a`; returns how many deadlocks there were."""

    async def working(orders: Orders) -> None:
        async with transaction(pool) as connection:
            await work(connection, orders)

    async with transaction(pool) as holder:
        await work(holder, [c])
        one = asyncio.create_task(working([a, c, b]))
        await eventually(lambda: wait_for_locks(kit, 1))
        other = asyncio.create_task(working([b, a]))
        await eventually(lambda: wait_for_locks(kit, 2))
    ended = await asyncio.gather(one, other, return_exceptions=True)
    assert {type(each) for each in ended} <= {type(None), asyncpg.DeadlockDetectedError}
    return sum(each is not None for each in ended)


@pytest.mark.parametrize("scene", [FinishedLanes, NewLanes, WokenLanes, MovedCursors, NewCursors, Numbers])
async def test_unsorted_locks_end_in_a_deadlock_and_ours_do_not(
    kit: Kit, keyed: asyncpg.Pool, scene: type[Scene]
) -> None:
    made, orders = scene(kit), sorted((an_order() for _ in range(6)), key=lambda order: str(order.id))
    await made.prepare(orders)
    assert await meet(kit, keyed, made.simple, *orders[:3]) == 1
    assert await meet(kit, keyed, made.ours, *orders[3:]) == 0
