"""From a command that Kafka has acknowledged to its entry on the order's timeline, beside the least possible pipeline.

Both are seen by asking the database for what is still missing every two milliseconds, so up to that much is added.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg
from aiokafka import AIOKafkaProducer

from benchmarks.material import Letter, command_letter
from benchmarks.orders import drained, shop_front_producer
from benchmarks.rounds import PATIENCE, WARM_UP_SECONDS, progress
from benchmarks.rows import Row, Target
from benchmarks.world import World
from deploy.local.demo.shops_and_tokens import set_up_shops
from shared.contracts.topics import ORDERS_COMMANDS
from tests.builders import a_shop

RATES = (100, 300)
SECONDS = 5.0
ROUNDS = 3
LOOK_EVERY = 0.002
ON_THE_TIMELINE = "select order_id from timeline_head where order_id = any($1::uuid[])"
BARE_TABLE = "create table bare (subject uuid primary key, record bytea not null)"
IN_THE_BARE_TABLE = "select subject from bare where subject = any($1::uuid[])"


@dataclass
class Pipeline:
    """Commands go in at `topic`; what came out is asked for with `seen`."""

    producer: AIOKafkaProducer
    topic: str
    connection: asyncpg.Connection
    seen: str
    letter: Letter = field(default_factory=command_letter)

    async def run(self, rate: int, seconds: float) -> list[float]:
        """The milliseconds that each of the commands took, sent at this rate for so long."""
        waiting: dict[UUID, float] = {}
        took: list[float] = []
        count = max(10, int(rate * seconds))
        sending = asyncio.create_task(self._send(count, rate, waiting))
        deadline = time.monotonic() + seconds + PATIENCE
        while len(took) < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"only {len(took)} of {count} came through")
            await asyncio.sleep(LOOK_EVERY)
            pending = list(waiting)
            if not pending:
                continue
            found = await self.connection.fetch(self.seen, pending)
            now = time.perf_counter()
            took += [(now - waiting.pop(row[0])) * 1000 for row in found]
        await sending
        return took

    async def _send(self, count: int, rate: int, waiting: dict[UUID, float]) -> None:
        began = time.perf_counter()
        headers = [(name, value.encode()) for name, value in self.letter.headers.items()]
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            key = uuid4()
            record = self.letter.about(str(key)).encode()
            future = await self.producer.send(self.topic, record, key=str(key).encode(), headers=headers)
            future.add_done_callback(lambda _, key=key: waiting.setdefault(key, time.perf_counter()))


async def measure(world: World) -> list[Row]:
    """Milliseconds, median and 99th percentile, at a hundred and at three hundred orders per second."""
    async with AsyncExitStack() as undo:
        bare = await undo.enter_async_context(_bare(world))
        ours, dsn = await undo.enter_async_context(_ours(world))
        if not world.quick:
            progress("  warm-up …")
            for pipeline in (bare, ours):
                await pipeline.run(100, WARM_UP_SECONDS / 2)
        rows = []
        for rate in RATES:
            of_bare, of_ours = [], []
            for number in range(1 if world.quick else ROUNDS):
                progress(f"  {rate}/s, round {number + 1} of {ROUNDS} …")
                of_bare.append(await bare.run(rate, world.seconds(SECONDS)))
                of_ours.append(await ours.run(rate, world.seconds(SECONDS)))
                await drained(dsn)
            rows += _rows(rate, of_ours, of_bare)
    progress("")
    return rows


def _rows(rate: int, ours: Sequence[Sequence[float]], bare: Sequence[Sequence[float]]) -> list[Row]:
    note = "5 lines; orders in one process with all its roles, no reactions; reference: consume, insert, commit"
    name = f"latency: command acknowledged → on the timeline, {rate} orders/s"
    target = Target(most=60) if rate == max(RATES) else None
    return [
        Row(f"{name}, p50", " ms", percentile(ours, 50), percentile(bare, 50), note=note),
        Row(f"{name}, p99", " ms", percentile(ours, 99), percentile(bare, 99), target),
    ]


def percentile(rounds: Sequence[Sequence[float]], percent: int) -> list[float]:
    """Of each round."""
    return [statistics.quantiles(took, n=100, method="inclusive")[percent - 1] for took in rounds]


@asynccontextmanager
async def _ours(world: World) -> AsyncIterator[tuple[Pipeline, str]]:
    async with (
        world.database() as dsn,
        world.topics() as prefix,
        world.service("orders", dsn, prefix),
        shop_front_producer(world.kafka) as producer,
    ):
        await set_up_shops(dsn, [a_shop()])
        connection = await asyncpg.connect(dsn)
        try:
            yield Pipeline(producer, prefix + ORDERS_COMMANDS.name, connection, ON_THE_TIMELINE), dsn
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
            topic = prefix + ORDERS_COMMANDS.name
            async with world.python("benchmarks.bare_pipeline", world.kafka, topic, dsn):
                yield Pipeline(producer, topic, connection, IN_THE_BARE_TABLE)
        finally:
            await connection.close()
