"""Lanes with a handler that does nothing, beside one transaction per message over sixteen connections."""

import asyncio
from collections.abc import Sequence

import asyncpg

from benchmarks.material import entry_letter, new_order_id
from benchmarks.rounds import REFERENCE, Contender, Counted, Runs, in_turn, rate_of, running
from benchmarks.rows import Row, Target
from benchmarks.world import KIT_MIGRATIONS, World
from shared.contracts.message import Message
from shared.contracts.order_log import OrderNoted
from shared.contracts.topics import ORDERS_LOG
from shared.messaging import metrics
from shared.messaging.database import KEYS_ONLY
from shared.messaging.groups import Group
from shared.messaging.ingest_store import IngestStore
from shared.messaging.inside import InsideWorker
from shared.messaging.intake import Arrived
from shared.messaging.outbox import Outbox
from shared.messaging.outside import OutsideWorker
from shared.messaging.wakeup import Bell

MESSAGES = 12_000
BARE_MESSAGES = 4_000
CONNECTIONS = 16
BATCH = 500
BARE_TABLE = "create table bare (position bigint primary key, record bytea not null)"
BARE_FILL = "insert into bare select * from unnest($1::bigint[], $2::bytea[])"
BARE_TAKE = "select record from bare where position = $1 for update"
BARE_DONE = "delete from bare where position = $1"
EMPTY = "truncate message, inbox, lane, cursor, consumed, held"


async def measure(world: World) -> list[Row]:
    """Messages per second through lanes of one and of twenty, by the outside and by the inside worker."""
    count = world.size(MESSAGES)
    async with (
        world.database(KIT_MIGRATIONS) as dsn,
        asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS, server_settings=KEYS_ONLY) as pool,
    ):
        await pool.execute(BARE_TABLE)
        contenders: dict[str, Contender] = {REFERENCE: lambda: _bare(pool, world.size(BARE_MESSAGES))}
        for inside in (False, True):
            for each in (1, 20):
                contenders[_name(each, inside=inside)] = _contender(pool, dsn, count, each, inside=inside)
        figures = await in_turn(world, contenders)
    bare, note = figures[REFERENCE], f"no-op handler, {entry_letter().size()} bytes a message"
    once, twenty = Target(least_ratio=3), Target(least_ratio=12)
    rows = [(1, False, once), (1, True, once), (20, False, twenty), (20, True, twenty)]
    return [
        Row(_name(each, inside=inside), "/s", figures[_name(each, inside=inside)], bare, target, note)
        for each, inside, target in rows
    ]


def _name(each: int, *, inside: bool) -> str:
    where = "worker inside" if inside else "worker outside"
    return f"lanes: {'one message' if each == 1 else f'{each} messages'} each, {where}"


def _contender(pool: asyncpg.Pool, dsn: str, count: int, each: int, *, inside: bool) -> Contender:
    group = Group("bench", reads=ORDERS_LOG, inside=inside)

    @group.on(OrderNoted)
    async def ignore(_entry: OrderNoted) -> Sequence[Message]:
        return []

    def worker() -> Runs:
        bell = Bell()
        outbox = Outbox("/bench", bell)
        if inside:
            return InsideWorker(pool, dsn, group, outbox, bell, {})
        return OutsideWorker(pool, dsn, [group], outbox, bell, {})

    async def ours() -> float:
        await pool.execute(EMPTY)
        await _fill(IngestStore(pool, ORDERS_LOG, [group]), count, each)
        handled = Counted(metrics.handled, group=group.name, outcome="done")
        async with running(worker()):
            rate = await rate_of(handled.now, count)
        left = await pool.fetchval("select count(*) from inbox")
        if left:
            raise RuntimeError(f"{left} messages are still in the inbox")
        return rate

    return ours


async def _fill(store: IngestStore, count: int, each: int) -> None:
    letter = entry_letter()
    subjects = [new_order_id() for _ in range(count // each)]
    records = [(subject, letter.about(subject, n + 1).encode()) for n in range(each) for subject in subjects]
    for begin in range(0, len(records), BATCH):
        batch = records[begin : begin + BATCH]
        await store.take(
            [
                Arrived(ORDERS_LOG.name, 0, begin + number, subject.encode(), record, [])
                for number, (subject, record) in enumerate(batch)
            ]
        )


async def _bare(pool: asyncpg.Pool, count: int) -> float:
    record = entry_letter().text.encode()
    await pool.execute("truncate bare")
    await pool.execute(BARE_FILL, list(range(count)), [record] * count)
    positions = iter(range(count))
    done = 0

    async def work() -> None:
        nonlocal done
        async with pool.acquire() as connection:
            for position in positions:
                async with connection.transaction():
                    await connection.fetchval(BARE_TAKE, position)
                    await connection.execute(BARE_DONE, position)
                done += 1

    working = asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    rate = await rate_of(lambda: done, count)
    await working
    return rate
