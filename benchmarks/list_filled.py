"""A database full of orders, made once for each size and kept in the cache: chunk by chunk, so it can go on later."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from uuid import UUID

import asyncpg
from rich.progress import Progress

import services.orders
import shared.messaging
from benchmarks.list_orders import CHUNKS, COLUMNS, rows_of, settings
from deploy.local import postgres
from deploy.local.folders import cache_folder
from deploy.local.ports import take_port
from services.orders.promises import EXPECT, columns
from services.orders.shops import SAVE
from services.orders.timeline import record
from shared.contracts.message import Sequence as Number
from shared.contracts.message import new_id
from shared.contracts.order_log import CheckoutStepTaken
from shared.messaging.database import Connection
from shared.runtime.migrations import RUNTIME_MIGRATIONS, migrate
from tests.builders import stamped

KIT = Path(shared.messaging.__path__[0])
TABLES = [
    RUNTIME_MIGRATIONS,
    ("messaging", KIT / "migrations"),
    ("announced", KIT / "announced"),
    ("orders", Path(services.orders.__path__[0]) / "sql" / "migrations"),
]
LOADERS = 3
LONG, LONG_ENTRIES = 100, 200
"""So many orders have so long a log; one in a hundred of the others has five entries."""
FEW_ENTRIES = 5
BUILD = """
create table if not exists filled_chunk (chunk int primary key);
create table if not exists filled_index (name text primary key, definition text not null);
create table if not exists filled_at (at timestamptz not null);
"""
INDEXES = """
insert into filled_index select indexname, indexdef from pg_indexes
where schemaname = 'public' and tablename = 'orders' and indexname not in ('orders_pkey', 'orders_shop_number_key')
on conflict do nothing
"""
COMMENT = "insert into comment (order_id, id, shop, actor, text) values ($1, $2, $3, 'maria', 'Wrap it as a present.')"


@asynccontextmanager
async def filled(total: int, data: Path | None, *, fresh: bool, keep: bool) -> AsyncIterator[str]:
    """The address of a database with so many orders, on a server of its own; forgotten at the end unless kept."""
    folder = cache_folder() / "benchmarks" / f"list-{total}{'' if data else '-made-up'}"
    if fresh:
        await postgres.forget(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    server = await postgres.start(folder, take_port(), folder.with_suffix(".log"))
    try:
        await postgres.create_database(server.url(), "orders")
        await fill(server.url("orders"), total, data)
        yield server.url("orders")
    finally:
        await server.stop()
        if not keep:
            await postgres.forget(folder)


async def fill(dsn: str, total: int, data: Path | None) -> None:
    """Loads the chunks that are missing; the indexes are made when all are there."""
    connection = await asyncpg.connect(dsn)
    try:
        await migrate(connection, TABLES)
        await connection.execute(BUILD)
        missing = await _missing(connection)
        if missing:
            await _begin(connection)
            await _load(dsn, total, data, missing, await connection.fetchval("select at from filled_at"))
        await _finish(connection)
    finally:
        await connection.close()


async def _missing(connection: Connection) -> list[int]:
    loaded = {row["chunk"] for row in await connection.fetch("select chunk from filled_chunk")}
    return [chunk for chunk in range(CHUNKS) if chunk not in loaded]


async def _begin(connection: Connection) -> None:
    await connection.execute(INDEXES)
    for row in await connection.fetch("select name from filled_index"):
        await connection.execute(f"drop index if exists {row['name']}")
    for shop in settings():
        await connection.execute(SAVE, shop.shop, shop.model_dump_json())
    if not await connection.fetchval("select exists (select from filled_at)"):
        await connection.execute("insert into filled_at values (date_trunc('second', clock_timestamp()))")


async def _load(dsn: str, total: int, data: Path | None, chunks: Sequence[int], now: datetime) -> None:
    loop = asyncio.get_running_loop()
    with (
        Progress(refresh_per_second=2) as bar,
        ProcessPoolExecutor(LOADERS, mp_context=get_context("spawn")) as loaders,
    ):
        task = bar.add_task(f"{total:,} orders", total=CHUNKS, completed=CHUNKS - len(chunks))
        work = [loop.run_in_executor(loaders, load_chunk, dsn, chunk, total, data, now) for chunk in chunks]
        for done in asyncio.as_completed(work):
            await done
            bar.advance(task)


def load_chunk(dsn: str, chunk: int, total: int, data: Path | None, now: datetime) -> None:
    """Loads one chunk, whole or not at all."""
    asyncio.run(_load_chunk(dsn, chunk, total, data, now))


async def _load_chunk(dsn: str, chunk: int, total: int, data: Path | None, now: datetime) -> None:
    rows = rows_of(chunk, total, data, now)
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.copy_records_to_table("orders", records=rows, columns=COLUMNS)
            every = max(1, len(rows) // 100)
            await _write_log(connection, [(row[0], row[1]) for row in rows[::every]], FEW_ENTRIES)
            await connection.execute("insert into filled_chunk values ($1)", chunk)
    finally:
        await connection.close()


async def _finish(connection: Connection) -> None:
    if await connection.fetchval("select count(*) from filled_index"):
        for row in await connection.fetch("select name, definition from filled_index"):
            print(f"  index {row['name']} …", flush=True)
            await connection.execute("set maintenance_work_mem = '512MB'")
            await connection.execute(row["definition"])
            await connection.execute("delete from filled_index where name = $1", row["name"])
        await _long_logs(connection)
        await connection.execute("vacuum (analyze)")


async def _long_logs(connection: Connection) -> None:
    """The newest orders of the big shop have long logs, promises and comments."""
    rows = await connection.fetch(
        "select id, shop from orders where shop = 'big' order by placed_at desc limit $1", LONG
    )
    orders = [(row["id"], row["shop"]) for row in rows]
    await _write_log(connection, orders, LONG_ENTRIES)
    expected = [(order, f"cause-{n}", "order-received", "notifications", new_id(), shop, 60)
                for order, shop in orders for n in range(5)]  # fmt: skip
    await connection.execute(EXPECT, *columns(expected))
    await connection.executemany(COMMENT, [(order, f"c-{n}", shop) for order, shop in orders for n in range(5)])


async def _write_log(connection: Connection, orders: Sequence[tuple[UUID, str]], entries: int) -> None:
    begun = datetime.now(UTC) - timedelta(days=1)
    for n in range(entries):
        taken = [
            stamped(
                CheckoutStepTaken(
                    order_id=order, outcome="done", summary="checkout.chose-delivery", step="chose-delivery",
                    parameters={"detail": "parcel"}, taken_at=begun, detail="parcel",
                ),
                shop=shop, source="/orders", sequence=Number(1_790_000_000, 1 + n),
            )
            for order, shop in orders
        ]  # fmt: skip
        await record(connection, taken)
