"""From an event that Kafka has acknowledged to the reaction's entry on the order's timeline, with a provider that does
nothing, beside the least possible way through the same topics.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from benchmarks.latency import BARE_TABLE, IN_THE_BARE_TABLE, ROUNDS, SECONDS, Pipeline, percentile
from benchmarks.material import event_letter
from benchmarks.orders import drained, shop_front_producer
from benchmarks.rounds import WARM_UP_SECONDS, progress
from benchmarks.rows import Row, Target
from benchmarks.world import World
from shared.contracts.topics import ORDERS_EVENTS, ORDERS_LOG

RATE = 100
ON_THE_TIMELINE = "select order_id from timeline where order_id = any($1::uuid[]) and type = 'message.sent.v1'"


async def measure(world: World) -> list[Row]:
    """Milliseconds, median and 99th percentile, at a hundred events per second."""
    async with AsyncExitStack() as undo:
        bare = await undo.enter_async_context(_bare(world))
        ours, dsn = await undo.enter_async_context(_ours(world))
        if not world.quick:
            progress("  warm-up …")
            for pipeline in (bare, ours):
                await pipeline.run(RATE, WARM_UP_SECONDS / 2)
        of_bare, of_ours = [], []
        for number in range(1 if world.quick else ROUNDS):
            progress(f"  round {number + 1} of {ROUNDS} …")
            of_bare.append(await bare.run(RATE, world.seconds(SECONDS)))
            of_ours.append(await ours.run(RATE, world.seconds(SECONDS)))
            await drained(dsn)
    progress("")
    note = (
        "one process of the reacting service and one of orders, all roles; reference: consume, produce, consume, insert"
    )
    name = f"reaction: event acknowledged → its entry on the timeline, {RATE}/s"
    return [
        Row(f"{name}, p50", " ms", percentile(of_ours, 50), percentile(of_bare, 50), note=note),
        Row(f"{name}, p99", " ms", percentile(of_ours, 99), percentile(of_bare, 99), Target(most=120)),
    ]


@asynccontextmanager
async def _ours(world: World) -> AsyncIterator[tuple[Pipeline, str]]:
    async with (
        world.database() as orders,
        world.database() as reactor,
        world.topics() as prefix,
        world.service("orders", orders, prefix),
        world.service("reactor", reactor, prefix, module="benchmarks.reactor"),
        shop_front_producer(world.kafka) as producer,
    ):
        connection = await asyncpg.connect(orders)
        try:
            topic = prefix + ORDERS_EVENTS.name
            yield Pipeline(producer, topic, connection, ON_THE_TIMELINE, event_letter()), orders
        finally:
            await connection.close()


@asynccontextmanager
async def _bare(world: World) -> AsyncIterator[Pipeline]:
    async with (
        world.database() as dsn,
        world.topics() as prefix,
        shop_front_producer(world.kafka) as producer,
    ):
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(BARE_TABLE)
            events, log = (prefix + topic.name for topic in (ORDERS_EVENTS, ORDERS_LOG))
            async with world.python("benchmarks.bare_reaction", world.kafka, events, log, dsn):
                yield Pipeline(producer, events, connection, IN_THE_BARE_TABLE, event_letter())
        finally:
            await connection.close()
