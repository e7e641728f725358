"""What the indexes of the list cost those who place and change orders: the same rows into tables with and without."""

from collections.abc import Sequence

from benchmarks.rounds import progress
from benchmarks.rows import Row
from benchmarks.used import cpu_nanoseconds
from shared.messaging.database import Connection

ORDERS, BEFORE, ROUNDS, BATCH = 1_000, 10_000, 5, 50
NEW = {"orders_by_key", "orders_by_change", "orders_by_amount", "orders_by_name"}
COLUMNS = "id, shop, number, version, placed_at, accepted_at, body, placed, payments"
INDEXES = "select indexname, indexdef from pg_indexes where tablename = 'orders' and schemaname = 'public'"
TAKE = f"select {COLUMNS} from orders order by placed_at desc limit $1"  # noqa: S608 - a constant
CHANGE = "update {table} set body = jsonb_set(body, '{{folder}}', '\"x\"'), version = version + 1 where id = any($1)"


async def placing(connection: Connection, *, quick: bool) -> list[Row]:
    """Orders per second of CPU in batches of fifty, and changes of them, beside the indexes that 0005 made."""
    tables = {"as_it_is": "", "as_before": ""}
    definitions = {row["indexname"]: row["indexdef"] for row in await connection.fetch(INDEXES)}
    definitions = {name: words for name, words in definitions.items() if "UNIQUE" not in words}
    before = {name: words for name, words in definitions.items() if name not in NEW}
    before["orders_by_tag"] = "CREATE INDEX orders_by_tag ON public.orders USING gin (tags)"
    figures: dict[str, list[float]] = {f"{what} {table}": [] for what in ("place", "change") for table in tables}
    for number in range(1 if quick else ROUNDS):
        for table in tables:
            progress(f"  writes: round {number + 1}, {table} …")
            await _make(connection, table, definitions if table == "as_it_is" else before)
            placed, changed = await _write(connection, table)
            figures[f"place {table}"].append(placed)
            figures[f"change {table}"].append(changed)
    progress("")
    for table in tables:
        await connection.execute(f"drop table {table}")
    note = f"of its CPU; batches of {BATCH}, {BEFORE:,} orders in the table before; reference: the indexes of 0005"
    return [
        Row("list: placing, with its indexes", "/s", figures["place as_it_is"], figures["place as_before"], note=note),
        Row("list: changing, with its indexes", "/s", figures["change as_it_is"], figures["change as_before"]),
    ]


async def _make(connection: Connection, table: str, definitions: dict[str, str]) -> None:
    await connection.execute(f"drop table if exists {table}")
    await connection.execute(f"create table {table} (like orders including defaults including generated)")
    await connection.execute(f"alter table {table} add primary key (id), add unique (shop, number)")
    for name, words in definitions.items():
        own = words.replace(f"INDEX {name} ", f"INDEX {table}_{name} ").replace("public.orders ", f"{table} ")
        await connection.execute(own)
    older = f"select {COLUMNS} from orders order by placed_at desc offset $1 limit $2"  # noqa: S608 - as above
    await connection.execute(f"insert into {table} ({COLUMNS}) {older}", ORDERS, BEFORE)
    await connection.execute(f"vacuum analyze {table}")


async def _write(connection: Connection, table: str) -> tuple[float, float]:
    rows = await connection.fetch(TAKE, ORDERS)
    kinds = "uuid[], text[], bigint[], int[], timestamptz[], timestamptz[], jsonb[], jsonb[], jsonb[]".split(", ")
    unnested = ", ".join(f"${n}::{kind}" for n, kind in enumerate(kinds, 1))
    insert = f"insert into {table} ({COLUMNS}) select * from unnest({unnested})"  # noqa: S608 - named above
    return (
        await _rate(
            connection, insert, [list(zip(*rows[n : n + BATCH], strict=True)) for n in range(0, ORDERS, BATCH)]
        ),
        await _rate(
            connection,
            CHANGE.format(table=table),
            [[[row["id"] for row in rows[n : n + BATCH]]] for n in range(0, ORDERS, BATCH)],
        ),
    )


async def _rate(connection: Connection, statement: str, batches: Sequence[Sequence[object]]) -> float:
    """Per second of CPU of the database's process: the clock would count the others on this machine too."""
    pid = await connection.fetchval("select pg_backend_pid()")
    before = cpu_nanoseconds(pid)
    for batch in batches:
        await connection.execute(statement, *batch)
    return ORDERS * 1e9 / (cpu_nanoseconds(pid) - before)
