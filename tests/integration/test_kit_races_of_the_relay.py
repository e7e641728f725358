"""Positions are drawn in another order than they are committed: what the relay's simpler forms would pass over."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from shared.contracts.order_events import OrderPlaced
from shared.messaging.database import Connection, transaction
from shared.messaging.relay_floor import OLDEST_RUNNING, Floor
from tests.builders import an_order, to_place
from tests.plugins.interleavings import sleep
from tests.plugins.kit import Kit
from tests.plugins.waiting import eventually

BELOW = "select min(position) from outbox where position > $1"
INSERT = """
insert into outbox (position, id, topic, aggregatetype, aggregateid, type, payload, sequence, headers)
overriding system value select $1, id, topic, aggregatetype, aggregateid, type, payload, sequence, headers
from outbox limit 1
"""
MARK_IN_ONE_STATEMENT = """
with slowly as materialized (select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as transaction, pg_sleep(1))
select (select last_value - 1 from outbox_position_seq where s is not null) as position, transaction from slowly s
"""


async def say(kit: Kit, connection: Connection | None = None) -> int:
    """Appends something, in this transaction or in one of its own; returns its first position."""
    said = [(to_place(order := an_order()).meta, [OrderPlaced(order=order)])]
    if connection is None:
        async with transaction(kit.pool) as own:
            return await say(kit, own)
    await kit.outbox.append(connection, said)
    position: int = await connection.fetchval("select min(position) from outbox where aggregateid = $1", str(order.id))
    return position


@dataclass
class Chores:
    """The floor of a relay that finds nothing to read, because everything that was committed is published."""

    connection: Connection
    floor: Floor

    async def do(self) -> int:
        oldest = await self.floor.oldest_running(self.connection)
        await self.floor.raise_to(self.connection, oldest, None)
        return self.floor.value

    async def reach(self, position: int) -> bool:
        """Other tests' transactions hold the floor down too, until they end."""
        return await self.do() >= position


@pytest.fixture
async def chores(kit: Kit) -> AsyncIterator[Chores]:
    async with kit.pool.acquire() as connection:
        yield Chores(connection, Floor())


async def test_a_cursor_on_positions_would_pass_over_what_commits_late(kit: Kit) -> None:
    async with transaction(kit.pool) as slow:
        late = await say(kit, slow)
        await say(kit)
        cursor = await kit.pool.fetchval("select max(position) from outbox")
    assert late < cursor
    assert await kit.pool.fetchval("select count(*) from outbox where position > $1", cursor) == 0


async def test_a_position_drawn_before_the_transaction_has_an_id_would_be_passed_over(kit: Kit, chores: Chores) -> None:
    """A2 before A3: an id is taken by the first write, and the floor waits for those that have one."""
    await say(kit)
    async with transaction(kit.pool) as slow:
        position = await drawn_without_an_id(slow)
        await say(kit)
        await eventually(lambda: chores.reach(position))
        await slow.execute(INSERT, position)
    assert await kit.pool.fetchval("select count(*) from outbox where position = $1", position) == 1
    assert await kit.pool.fetchval(BELOW, chores.floor.value) != position


async def drawn_without_an_id(connection: Connection) -> int:
    """A sequence writes to the log, which takes an id, once in 32 times and after a checkpoint."""
    while True:
        inner = connection.transaction()
        await inner.start()
        position: int = await connection.fetchval("select nextval('outbox_position_seq')")
        if await connection.fetchval("select pg_current_xact_id_if_assigned() is null"):
            return position
        await inner.rollback()


async def test_what_was_numbered_first_holds_the_floor_until_it_commits(kit: Kit, chores: Chores) -> None:
    await say(kit)
    async with transaction(kit.pool) as slow:
        late = await say(kit, slow)
        for _ in range(5):
            await say(kit)
            assert await chores.do() < late
    await eventually(lambda: chores.reach(late))


async def test_a_mark_set_in_one_statement_would_lie_above_a_transaction_that_it_does_not_know(
    kit: Kit, chores: Chores
) -> None:
    """R3: the statement's snapshot is taken first, and who begins after it may draw a position before it is read."""
    await say(kit)
    marking = asyncio.create_task(kit.pool.fetchrow(MARK_IN_ONE_STATEMENT))
    await eventually(lambda: sleep(kit))
    async with transaction(kit.pool) as slow:
        late = await say(kit, slow)
        await say(kit)
        await chores.do()
        mark = await marking
        assert mark is not None
        position, next_transaction = mark
        await eventually(lambda: all_have_ended(kit, next_transaction))
        simple = Floor(_mark=(position, next_transaction))
        await simple.raise_to(chores.connection, await chores.floor.oldest_running(chores.connection), None)
        assert simple.value >= late, "which has not been committed"
        assert await chores.do() < late


async def test_who_asks_for_the_oldest_transaction_after_the_read_would_pass_over_what_commits_between(
    kit: Kit, chores: Chores
) -> None:
    async with transaction(kit.pool) as slow:
        late = await say(kit, slow)
        await say(kit)
        before = await chores.floor.oldest_running(chores.connection)
        await chores.floor.raise_to(chores.connection, before, None)
        assert chores.floor._mark is not None  # noqa: SLF001
        position, next_transaction = chores.floor._mark  # noqa: SLF001
        before = await chores.floor.oldest_running(chores.connection)
        read = await chores.connection.fetchval("select count(*) from outbox where position <= $1", late)
    await eventually(lambda: all_have_ended(kit, next_transaction))
    simple = Floor(_mark=(position, next_transaction))
    await simple.raise_to(chores.connection, await chores.floor.oldest_running(chores.connection), None)
    await chores.floor.raise_to(chores.connection, before, None)
    assert read == 0, "it had not been committed then"
    assert simple.value >= late
    assert chores.floor.value < late


async def all_have_ended(kit: Kit, before: int) -> bool:
    """Whether no transaction runs that is older than this one."""
    return bool(await kit.pool.fetchval(OLDEST_RUNNING) >= before)
