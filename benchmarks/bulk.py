"""Orders taken in from the command topic, beside plain inserts of the very rows that they leave behind."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg

from benchmarks.material import command_letter, new_order_id
from benchmarks.orders import drained, send_commands, shop_front_producer, until_stored
from benchmarks.rounds import REFERENCE, Contender, in_turn
from benchmarks.rows import Row, Target
from benchmarks.world import World
from deploy.local.demo.shops_and_tokens import set_up_shops
from shared.contracts.topics import ORDERS_COMMANDS
from tests.builders import a_shop

ORDERS = 5_000
BATCH = 100
TABLES = {"orders": 1, "timeline": 1, "timeline_head": 1, "stream": 2, "announced": 2}
"""What an order leaves behind, and how many rows of it."""
COLUMNS = """
select attname, format_type(atttypid, atttypmod) as kind from pg_attribute
where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = '' order by attnum
"""


async def measure(world: World) -> list[Row]:
    """Orders per second from the first command sent until all are stored."""
    count = world.size(ORDERS)
    async with AsyncExitStack() as undo:
        everything, dsn = await undo.enter_async_context(_ours(world, "api,ingest,work,relay", count))
        taking, _ = await undo.enter_async_context(_ours(world, "api,ingest,work", count))
        await everything()
        bare = await undo.enter_async_context(_bare(dsn))
        figures = await in_turn(world, {REFERENCE: bare, "all roles": everything, "no relay": taking})
    reference = figures[REFERENCE]
    rows = ", ".join(f"{count} {table}" for table, count in TABLES.items())
    note = f"5 lines; reference: batches of {BATCH} of an order's rows ({rows}), one transaction each"
    return [
        Row("bulk: orders.commands → stored, all roles", "/s", figures["all roles"], reference, Target(1_000), note),
        Row("bulk: orders.commands → stored, relay elsewhere", "/s", figures["no relay"], reference),
    ]


@asynccontextmanager
async def _ours(world: World, roles: str, count: int) -> AsyncIterator[tuple[Contender, str]]:
    letter = command_letter()
    async with (
        world.database() as dsn,
        world.topics() as prefix,
        world.service("orders", dsn, prefix, ROLES=roles),
        shop_front_producer(world.kafka) as producer,
        asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool,
    ):
        await set_up_shops(dsn, [a_shop()])

        async def place_all() -> float:
            order_ids = [new_order_id() for _ in range(count)]
            began = time.perf_counter()
            await send_commands(producer, prefix + ORDERS_COMMANDS.name, letter, order_ids)
            async with pool.acquire() as connection:
                await until_stored(connection, order_ids)
            rate = count / (time.perf_counter() - began)
            if "relay" in roles:
                await drained(dsn)
            return rate

        yield place_all, dsn


@dataclass(frozen=True)
class Copied:
    """The rows of a table, and the statement that inserts some of them into a table like it."""

    name: str
    insert: str
    each: int
    columns: Sequence[Sequence[object]]

    @classmethod
    async def of(cls, connection: asyncpg.Connection, table: str, each: int) -> "Copied":
        """Reads the rows, and makes the empty table."""
        name = f"bare_{table}"
        like = "including defaults including generated including indexes"
        await connection.execute(f"create table {name} (like {table} {like})")
        columns = await connection.fetch(COLUMNS, table)
        names = ", ".join(row["attname"] for row in columns)
        unnested = ", ".join(f"${number}::{row['kind']}[]" for number, row in enumerate(columns, 1))
        rows = await connection.fetch(f"select {names} from {table} limit {each * ORDERS}")  # noqa: S608 - named above
        insert = f"insert into {name} ({names}) select * from unnest({unnested})"  # noqa: S608 - named above
        return cls(name, insert, each, list(zip(*rows, strict=True)))

    async def put(self, connection: asyncpg.Connection, begin: int, end: int) -> None:
        """Inserts the rows of these orders."""
        some = [column[begin * self.each : end * self.each] for column in self.columns]
        await connection.execute(self.insert, *some)


@asynccontextmanager
async def _bare(dsn: str) -> AsyncIterator[Contender]:
    connection = await asyncpg.connect(dsn)
    try:
        copied = [await Copied.of(connection, table, each) for table, each in TABLES.items()]
        count = len(copied[0].columns[0])

        async def insert_all() -> float:
            await connection.execute(f"truncate {', '.join(table.name for table in copied)}")
            began = time.perf_counter()
            for begin in range(0, count, BATCH):
                async with connection.transaction():
                    for table in copied:
                        await table.put(connection, begin, begin + BATCH)
            return count / (time.perf_counter() - began)

        yield insert_all
    finally:
        await connection.close()
