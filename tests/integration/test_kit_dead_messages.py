"""Dead messages stay where they are for as long as nobody repairs them, and cost what goes on beside them nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from shared.messaging import lanes
from shared.messaging.claims import FAIR, SUSPECTS
from shared.messaging.database import KEYS_ONLY, transaction
from shared.messaging.finish import Ending, settle
from shared.messaging.gauges import Gauges
from shared.messaging.pressure import Pressure
from shared.messaging.sweeper import Sweeper
from tests.builders import an_order, placed
from tests.integration.test_kit_lanes import events_group
from tests.plugins.buffers import Buffers
from tests.plugins.interleavings import taken_in
from tests.plugins.kit import Kit
from tests.plugins.lanes import arrive

GROUP = "notifications"
DEAD = 10_000
DIE = """
with stored as (
  insert into message (topic, source, subject, id, type, record, at)
  select 'orders.events', '/orders', coalesce($2, gen_random_uuid()::text), n::text, 'order.placed.v1',
    convert_to(repeat('x', 1000), 'UTF8'), now() - interval '1 h' from generate_series(1, $1) n
  returning position, subject),
boxed as (
  insert into inbox ("group", subject, position, state, attempts, error, died_at)
  select 'notifications', subject, position, 'dead', 3, repeat('e', 300), now() from stored)
insert into lane ("group", subject, shop, state, due)
select distinct 'notifications', subject, 'nordic-tea', case when $2 is null then 'blocked' else 'ready' end,
  case when $2 is not null then now() - interval '1 h' end
from stored
"""
IDLE = """
insert into lane ("group", subject, shop, state)
select 'notifications', gen_random_uuid()::text, 'nordic-tea', 'idle' from generate_series(1, $1)
"""


class Everyday:
    """What goes on all the time, on two hundred lanes with one message each."""

    def __init__(self, kit: Kit, keyed: asyncpg.Pool, plain: asyncpg.Pool) -> None:
        self._kit, self._keyed, self._plain = kit, keyed, plain
        self._sweeper, self._held = Sweeper(keyed, kit.bell), list[lanes.Lane]()

    async def take_in(self) -> None:
        events = [placed(an_order()) for _ in range(10)]
        async with transaction(self._keyed) as connection:
            await taken_in(connection, self._kit, [events_group()], events)

    async def claim(self) -> None:
        self._held = await lanes.claim(self._keyed, GROUP, lanes.MOST_LANES)
        assert len(self._held) == lanes.MOST_LANES

    async def read(self) -> None:
        await lanes.read(self._keyed, self._held)
        assert sum(len(lane.waiting) for lane in self._held) >= lanes.MOST_LANES - 1

    async def renew(self) -> None:
        await lanes.renew(self._keyed, self._held)

    async def finish(self) -> None:
        async with transaction(self._keyed) as connection:
            await lanes.lock(connection, self._held)
            await settle(connection, [Ending(lane, "ready") for lane in self._held])

    async def claim_in_turns(self) -> None:
        claimed = await lanes.claim(self._keyed, GROUP, lanes.MOST_LANES, 15.0, "", 5, candidates=FAIR)
        await lanes.give_back(self._keyed, claimed)

    async def look_for_suspects(self) -> None:
        assert not await self._keyed.fetchval(SUSPECTS, GROUP)

    async def sweep(self) -> None:
        await self._sweeper.sweep()

    async def read_gauges(self) -> None:
        await Gauges(self._plain).read()

    async def measure_pressure(self) -> None:
        assert await Pressure(self._keyed).measured() is None

    async def costs(self, buffers: Buffers) -> dict[str, int]:
        """Pages that each of them touches."""
        await self.sweep()  # what it does once in ten minutes is done
        await self._kit.pool.execute("vacuum (analyze) inbox, lane, message")
        everyday: dict[str, tuple[asyncpg.Pool, Callable[[], Awaitable[None]]]] = {
            work.__name__: (self._plain if work == self.read_gauges else self._keyed, work)
            for work in (
                self.take_in,
                self.claim,
                self.read,
                self.renew,
                self.finish,
                self.claim_in_turns,
                self.look_for_suspects,
                self.sweep,
                self.read_gauges,
                self.measure_pressure,
            )
        }
        return {name: await buffers.touched(pool, work) for name, (pool, work) in everyday.items()}


@pytest.fixture
async def everyday(kit: Kit) -> AsyncIterator[Everyday]:
    async with (
        asyncpg.create_pool(kit.dsn, min_size=1, max_size=1, server_settings=KEYS_ONLY) as keyed,
        asyncpg.create_pool(kit.dsn, min_size=1, max_size=1) as plain,
    ):
        yield Everyday(kit, keyed, plain)


@pytest.mark.parametrize("in_one_lane", [False, True])
async def test_ten_thousand_dead_messages_cost_the_others_nothing_that_grows_with_them(
    kit: Kit, everyday: Everyday, buffers: Buffers, *, in_one_lane: bool
) -> None:
    """In one lane: its handler does not block, and the lane is worked on behind all of them."""
    group = events_group()
    await arrive(kit, group, [placed(an_order()) for _ in range(200)])
    await kit.pool.execute("update message set at = at - interval '1 h'")  # only then the sweeper looks at them
    await kit.pool.execute(IDLE, DEAD)
    await everyday.costs(buffers)
    without = await everyday.costs(buffers)
    late = placed(an_order())
    await kit.pool.execute(DIE, DEAD, late.subject if in_one_lane else None)
    await arrive(kit, group, [late])
    beside = await everyday.costs(buffers)
    dear = {name: (without[name], pages) for name, pages in beside.items() if pages > 1.5 * without[name] + 150}
    assert not dear
