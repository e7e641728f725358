"""Orders of five lines accepted by HTTP, beside the least that keeps an order: one statement, one row, one commit."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import asyncpg

from benchmarks.material import snapshot_to_store
from benchmarks.orders import drained
from benchmarks.rounds import REFERENCE, Contender, in_turn, per_second
from benchmarks.rows import Row, Target
from benchmarks.shop_front import shop_fronts
from benchmarks.world import World
from deploy.local.demo.shops_and_tokens import set_up_shops
from tests.builders import a_shop

AT_A_TIME = 16
SECONDS = 5.0
BARE_TABLE = "create table bare (id uuid primary key, body jsonb not null)"
BARE_INSERT = "insert into bare (id, body) values ($1, $2)"


async def measure(world: World) -> list[Row]:
    """Orders per second, by a process that has the role api alone and by one that does everything."""
    async with AsyncExitStack() as undo:
        bare = await undo.enter_async_context(_bare(world))
        alone = await undo.enter_async_context(_ours(world, "api"))
        everything = await undo.enter_async_context(_ours(world, "api,ingest,work,relay"))
        contenders = {REFERENCE: bare, "api alone": alone, "all roles": everything}
        figures = await in_turn(world, contenders)
    note = f"{AT_A_TIME} connections; token, Idempotency-Key, stream heads, outbox and timeline in one transaction"
    reference = figures[REFERENCE]
    return [
        Row("accept: HTTP, role api", "/s", figures["api alone"], reference, Target(least_ratio=0.28), note),
        Row(
            "accept: HTTP, all roles in the one process",
            "/s",
            figures["all roles"],
            reference,
            note="the same process relays to Kafka and takes its own order log in meanwhile",
        ),
    ]


@asynccontextmanager
async def _bare(world: World) -> AsyncIterator[Contender]:
    body = snapshot_to_store()
    async with AsyncExitStack() as undo:
        dsn = await undo.enter_async_context(world.database())
        connections = [await asyncpg.connect(dsn) for _ in range(AT_A_TIME)]
        for connection in connections:
            undo.push_async_callback(connection.close)
        await connections[0].execute(BARE_TABLE)

        async def insert(number: int) -> None:
            await connections[number].execute(BARE_INSERT, uuid4(), body)

        yield lambda: per_second(world.seconds(SECONDS), AT_A_TIME, insert)


@asynccontextmanager
async def _ours(world: World, roles: str) -> AsyncIterator[Contender]:
    async with (
        world.database() as dsn,
        world.topics() as prefix,
        world.service("orders", dsn, prefix, ROLES=roles) as orders,
    ):
        shop = a_shop()
        token = (await set_up_shops(dsn, [shop]))[shop.shop]

        async def measure_once() -> float:
            async with shop_fronts(orders.port, token, AT_A_TIME) as fronts:
                rate = await per_second(world.seconds(SECONDS), AT_A_TIME, lambda number: fronts[number].place())
            if "relay" in roles:
                await drained(dsn)
            return rate

        yield measure_once
